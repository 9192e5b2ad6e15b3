//! The engine alone: ticks made in memory, and a venue that fills each order at its limit at once.

use std::collections::BTreeMap;

use engine::fees::Fees;
use engine::instrument::{Instrument, Rules, Symbol};
use engine::messages::{CommandKind, Fill, Liquidity, OrderCommand, OrderStatus, OrderUpdate, Tick};
use engine::numbers::{ExactDecimal, Notional, Price, Quantity};
use engine::risk::RiskParameters;
use engine::strategies::{DesiredState, Registry};
use engine::time::Timestamp;
use engine::transfers::WantedTransfers;
use engine::{Config, Effect, Engine, Event};
use serde_json::json;

use super::instructions::Instructions;
use super::{START_MS, Taken, measure, refuse};
use crate::process::exit::Failure;

/// Prices between the bands of a grid around 600: up and down by small steps, never the same twice in a row.
fn quiet_prices() -> Vec<i64> {
    // A fixed walk of a pseudo-random generator, so that each run measures the same.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut cents = 60_000_i64;
    let mut prices = Vec::with_capacity(4_096);
    for _ in 0..4_096 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let step = i64::try_from(state >> 59).unwrap_or_default() - 15;
        let next = cents + if step == 0 { 1 } else { step };
        cents = if (58_900..=61_100).contains(&next) { next } else { cents - step };
        prices.push(cents);
    }
    prices
}

/// Prices that make a grid around 600 sell in the first hundred and buy in the second.
fn trading_prices() -> Vec<i64> {
    let leg = |from: i64, to: i64| (0..100).map(move |step| from + (to - from) * step / 99);
    leg(59_500, 61_600).chain(leg(61_600, 59_500)).collect()
}

fn ticks_of(prices: &[i64]) -> Result<Vec<Tick>, Failure> {
    let symbol = "BNB/USDT".parse().map_err(refuse)?;
    let tick = |cents: &i64| {
        let price = format!("{}.{:02}", cents / 100, cents % 100).parse::<Price>().map_err(refuse)?.normalised();
        Ok(Tick::trade(Clone::clone(&symbol), price, Timestamp::default(), 0))
    };
    prices.iter().map(tick).collect()
}

fn engine(registry: &Registry) -> Result<Engine, Failure> {
    let rules = Rules {
        tick_size: ExactDecimal::from_scaled(1, 2),
        lot_size: ExactDecimal::from_scaled(1, 3),
        min_notional: ExactDecimal::from_integer(5),
    };
    let definition = registry.get("grid").map_err(refuse)?;
    let symbol: Symbol = "BNB/USDT".parse().map_err(refuse)?;
    let config = Config {
        name: "bench".to_owned(),
        ledger: "bench".parse().map_err(refuse)?,
        capital: BTreeMap::from([
            (symbol.base().clone(), "5".parse().map_err(refuse)?),
            (symbol.quote().clone(), "3000".parse().map_err(refuse)?),
        ]),
        instruments: Instrument::new(symbol, &rules).map_err(refuse)?.into(),
        fees: Fees::default(),
        risk: RiskParameters { min_position_percent: Some(ExactDecimal::from_integer(0)), ..RiskParameters::default() },
        exit: None,
        transfers: WantedTransfers::default(),
        desired: DesiredState::Running,
        parameters: json!({ "basePrice": 600, "quantity": "0.1" }),
    };
    Engine::new(config, definition).map_err(refuse)
}

/// Ticks on which a grid only looks.
pub fn quiet(counter: &mut Instructions, registry: &Registry, ticks: u32) -> Result<Taken, Failure> {
    let mut made = ticks_of(&quiet_prices())?;
    let mut engine = engine(registry)?;
    let mut effects = 0;
    let taken = measure(counter, || {
        for sequence in 0..u64::from(ticks) {
            effects += step(&mut engine, &mut made, sequence).len();
        }
        Ok((u64::from(ticks), ()))
    })?;
    // The first tick tells that the price lies between the bands, and no other tells anything.
    if effects > 1 || engine.highest_order() > 0 {
        return Err(refuse(format!("{effects} effects on ticks that should be quiet")));
    }
    Ok(taken)
}

/// Ticks of which one in 100 makes an order.
pub fn orders(counter: &mut Instructions, registry: &Registry, ticks: u32) -> Result<Taken, Failure> {
    let mut made = ticks_of(&trading_prices())?;
    let mut engine = engine(registry)?;
    let taken = measure(counter, || {
        for sequence in 0..u64::from(ticks) {
            for effect in step(&mut engine, &mut made, sequence) {
                if let Effect::Command(command) = effect {
                    let update = filled(command.into_message(None), sequence)?;
                    let _ = engine.step(update.time, Event::OrderUpdate(update));
                }
            }
        }
        Ok((u64::from(ticks), ()))
    })?;
    let wanted = u64::from(ticks / 100);
    if engine.highest_order().abs_diff(wanted) > 1 || engine.trades() != engine.highest_order() {
        return Err(refuse(format!("{} orders where {wanted} were wanted", engine.highest_order())));
    }
    Ok(taken)
}

/// Takes the tick of this number: one of those in turn, which is numbered anew. None is copied, as that is no work of the
/// engine's.
fn step(engine: &mut Engine, ticks: &mut [Tick], sequence: u64) -> Vec<Effect> {
    let now = Timestamp::from_millis(START_MS).plus_millis(i64::try_from(sequence).unwrap_or(i64::MAX) * 1_000);
    let place = usize::try_from(sequence).unwrap_or(usize::MAX) % ticks.len().max(1);
    let Some(tick) = ticks.get_mut(place) else { return Vec::new() };
    (tick.time, tick.received, tick.source_sequence, tick.sequence) = (Some(now), now, sequence, sequence);
    engine.tick(now, tick)
}

/// All of an order, traded at its limit, without a fee.
fn filled(command: OrderCommand, tick: u64) -> Result<OrderUpdate, Failure> {
    let CommandKind::Create(order) = command.kind else { return Err(refuse("a cancel that nobody asked for")) };
    let price = order.price.ok_or_else(|| refuse("an order without a limit"))?;
    let fill = Fill {
        strategy: command.strategy,
        ledger: command.ledger,
        venue_order_id: command.client_order_id.to_string(),
        trade_id: format!("{}-1", command.client_order_id),
        client_order_id: command.client_order_id.clone(),
        fee_asset: command.symbol.quote().clone(),
        symbol: command.symbol,
        side: order.side,
        quantity: order.quantity,
        price,
        cumulative_quantity: order.quantity,
        fee: Notional::ZERO,
        fee_quote: Notional::ZERO,
        liquidity: Liquidity::Taker,
        time: command.time,
        tick_sequence: Some(tick),
        index: None,
    };
    Ok(OrderUpdate {
        client_order_id: command.client_order_id,
        status: OrderStatus::Filled,
        reason: String::new(),
        cumulative_quantity: Quantity::clone(&order.quantity),
        fill: Some(fill),
        matched: Some(tick),
        time: command.time,
    })
}

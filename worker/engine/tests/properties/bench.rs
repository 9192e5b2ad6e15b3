//! An engine with a venue that fills orders in parts; each order's news is a list that tests deliver as they like.

use engine::fees::{Fees, PaidIn};
use engine::instrument::{Instrument, InstrumentKind};
use engine::messages::{CommandKind, Fill, Liquidity, NewOrder, OrderCommand, OrderStatus, OrderUpdate, Side, Tick};
use engine::numbers::{Notional, Price, Quantity, Volume};
use engine::risk::RiskParameters;
use engine::strategy::{DesiredState, Registry};
use engine::time::Timestamp;
use engine::{Config, Effect, Engine, Event};
use proptest::test_runner::{Config as Cases, FileFailurePersistence};
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// How many cases, and where failing ones are kept: beside the test's source.
pub fn cases(count: u32) -> Cases {
    Cases {
        cases: count,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..Cases::default()
    }
}

/// What a test's market and account are like.
#[derive(Debug, Clone)]
pub struct Market {
    pub tick_size: &'static str,
    pub lot_size: &'static str,
    pub taker_percent: &'static str,
    pub paid_in: PaidIn,
}

/// A usual market without fees.
pub const USUAL: Market = Market { tick_size: "0.01", lot_size: "0.001", taker_percent: "0", paid_in: PaidIn::Quote };

/// A nervous grid of `gridSizePercent` 1 in `market` with 5 BNB and 3000 USDT.
pub fn config(market: &Market, parameters: &Value) -> Config {
    let rules = json!({"tickSize": market.tick_size, "lotSize": market.lot_size, "minNotional": 1});
    let symbol = "BNB/USDT".parse().unwrap();
    let mut grid = json!({"gridSizePercent": 1, "minTradeIntervalSeconds": 0, "maxSlippagePercent": 10});
    for (name, value) in parameters.as_object().into_iter().flatten() {
        grid[name] = value.clone();
    }
    Config {
        name: "test".into(),
        ledger: "abc".parse().unwrap(),
        instrument: Instrument::new(symbol, InstrumentKind::Spot, &serde_json::from_value(rules).unwrap()).unwrap(),
        base: "5".parse().unwrap(),
        quote: "3000".parse().unwrap(),
        fees: Fees { taker_percent: market.taker_percent.parse().unwrap(), paid_in: market.paid_in, ..Fees::default() },
        risk: RiskParameters { max_orders_per_minute: 600, ..RiskParameters::default() },
        desired: DesiredState::Running,
        parameters: grid,
    }
}

pub fn start(config: &Config) -> Engine {
    Engine::new(config.clone(), Registry::standard().get("grid").unwrap()).unwrap()
}

pub fn restore(config: &Config, saved: &Value) -> Engine {
    Engine::restore(config.clone(), Registry::standard().get("grid").unwrap(), saved).unwrap()
}

/// A tick a second after the one before.
pub fn tick(sequence: u64, price: Decimal) -> Tick {
    let time = 1_700_000_000_000 + i64::try_from(sequence).unwrap() * 1_000;
    let price = Price::new(price).unwrap().normalised();
    Tick {
        symbol: "BNB/USDT".parse().unwrap(),
        price,
        volume: Volume::ZERO,
        bid: None,
        ask: None,
        bid_size: None,
        ask_size: None,
        time: Some(Timestamp::from_millis(time)),
        received: Timestamp::from_millis(time),
        sequence,
        last: false,
    }
}

pub fn step_tick(engine: &mut Engine, tick: &Tick) -> Vec<Effect> {
    engine.step(tick.event_time(), Event::Tick(tick.clone()))
}

pub fn step_update(engine: &mut Engine, update: &OrderUpdate) -> Vec<Effect> {
    engine.step(update.time, Event::OrderUpdate(update.clone()))
}

pub fn commands(effects: &[Effect]) -> Vec<OrderCommand> {
    let command = |effect: &Effect| match effect {
        Effect::Command(command) => Some(command.get().clone()),
        Effect::Signal(_) | Effect::Position(_) | Effect::Alert(_) | Effect::Snapshot(_) | Effect::Poison(_) => None,
    };
    effects.iter().filter_map(command).collect()
}

pub fn order_of(command: &OrderCommand) -> Option<&NewOrder> {
    match &command.kind {
        CommandKind::Create(order) => Some(order),
        CommandKind::Cancel | CommandKind::Replace { .. } | CommandKind::Advance { .. } => None,
    }
}

/// All the news of one order that trades in parts of so many percent each; what does not trade expires.
pub fn news(command: &OrderCommand, parts: &[u8], market: &Market) -> Vec<OrderUpdate> {
    let order = order_of(command).unwrap();
    let ordered = order.quantity;
    let lot: Quantity = market.lot_size.parse().unwrap();
    let mut filled = Quantity::ZERO;
    let mut fills = Vec::new();
    for (index, share) in parts.iter().enumerate() {
        let part = Quantity::new(ordered.get() * Decimal::from(*share) / Decimal::ONE_HUNDRED).unwrap();
        let part = part.floored_to(lot).unwrap().min(ordered.minus(filled).unwrap());
        if !part.is_zero() {
            filled = filled.plus(part).unwrap();
            fills.push(fill(command, index, part, filled, market));
        }
    }
    let end = if filled == ordered { OrderStatus::Filled } else { OrderStatus::Expired };
    let update = |status, cumulative_quantity, fill| OrderUpdate {
        client_order_id: command.client_order_id.clone(),
        status,
        reason: String::new(),
        cumulative_quantity,
        fill,
        matched: None,
        time: command.time,
    };
    let mut news = vec![update(OrderStatus::Accepted, Quantity::ZERO, None)];
    let count = fills.len();
    for (index, fill) in fills.into_iter().enumerate() {
        let last = index + 1 == count && end == OrderStatus::Filled;
        let status = if last { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        news.push(update(status, fill.cumulative_quantity, Some(fill)));
    }
    if end == OrderStatus::Expired {
        news.push(update(OrderStatus::Expired, filled, None));
    }
    news
}

/// The part of this index: each a tick size better than the one before.
fn fill(command: &OrderCommand, index: usize, part: Quantity, cumulative: Quantity, market: &Market) -> Fill {
    let order = order_of(command).unwrap();
    let better = market.tick_size.parse::<Decimal>().unwrap() * Decimal::from(index);
    let limit = order.price.unwrap().get();
    let price = Price::new(if order.side == Side::Buy { limit - better } else { limit + better }).unwrap();
    let share = config(market, &json!({})).fees.taker();
    let worth = price.times(part).unwrap().share(share).unwrap();
    let symbol = command.symbol.clone();
    let (fee, fee_asset) = match (market.paid_in, order.side) {
        (PaidIn::Received, Side::Buy) => {
            (Notional::new(part.share(share).unwrap().get()).unwrap(), symbol.base().clone())
        }
        (PaidIn::Quote, _) | (PaidIn::Received, Side::Sell) => (worth, symbol.quote().clone()),
    };
    Fill {
        strategy: command.strategy.clone(),
        ledger: command.ledger.clone(),
        client_order_id: command.client_order_id.clone(),
        venue_order_id: "1".into(),
        trade_id: format!("{}-{index}", command.client_order_id),
        symbol,
        side: order.side,
        quantity: part,
        price,
        cumulative_quantity: cumulative,
        fee,
        fee_asset,
        fee_quote: worth,
        liquidity: Liquidity::Taker,
        time: command.time,
        tick_sequence: None,
    }
}

pub fn decimal(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

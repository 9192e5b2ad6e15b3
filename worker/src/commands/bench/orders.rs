//! Orders through engine, gateway and simulated exchange, as `backtest` steps them: ones that rest while ticks pass, and
//! ones that trade at once.

use std::str::FromStr;

use crds::roles::StrategySpec;
use engine::instrument::InstrumentIndex;
use engine::messages::{Side, Tick, TimeInForce};
use engine::numbers::{Price, Quantity, Ratio};
use engine::risk::PositionBounds;
use engine::strategies::{
    Context, Definition, Intent, OrderEvent, OrderKind, OrderNews, OrderSize, Outcome, Purpose, Registry, Strategy,
    StrategyError, grid,
};
use engine::time::Timestamp;
use serde_json::{Value, json};

use super::instructions::Instructions;
use super::{START_MS, Taken, measure, refuse};
use crate::commands::backtest::Simulation;
use crate::process::exit::Failure;

/// Event time between two ticks: no order rate is reached.
const STEP_MS: i64 = 60_000;
/// Ticks from one extreme of the price to the other: on each one order that rests fills.
const LEG: u64 = 100;

/// Ticks with so many orders at rest, of which one in 100 ticks fills and another takes its place.
pub fn resting(counter: &mut Instructions, orders: u16, ticks: u32) -> Result<Taken, Failure> {
    let mut simulation = simulation(Definition { start: Resting::start, ..BENCH }, &json!({ "orders": orders }))?;
    let legs = 60_000 - 1_100..60_000 + 1_100;
    let price = |sequence: u64| {
        let (place, span) = (sequence % (2 * LEG), legs.end - legs.start);
        let height = i64::try_from(if place < LEG { place } else { 2 * LEG - place }).unwrap_or_default();
        legs.start + span * height / i64::try_from(LEG).unwrap_or(1)
    };
    let taken = step(counter, &mut simulation, ticks, price)?;
    let (traded, wanted) = (simulation.trades(), u64::from(ticks) / LEG);
    if traded.abs_diff(wanted) > 1 || simulation.open_orders() != usize::from(orders) {
        let open = simulation.open_orders();
        return Err(refuse(format!("{traded} fills where {wanted} were wanted, {open} orders at rest")));
    }
    Ok(taken)
}

/// So many orders, one on each tick, each filled at once.
pub fn cost(counter: &mut Instructions, orders: u32) -> Result<Taken, Failure> {
    let mut simulation = simulation(Definition { start: Taking::start, ..BENCH }, &json!({}))?;
    let taken = step(counter, &mut simulation, orders, |sequence| 60_000 + i64::from(sequence % 2 == 0))?;
    if simulation.trades() != u64::from(orders) {
        return Err(refuse(format!("{} fills of {orders} orders", simulation.trades())));
    }
    Ok(taken)
}

/// A custom strategy.
const BENCH: Definition = Definition { name: "bench", position_bounds: PositionBounds::Free, ..grid::DEFINITION };

/// An account with a strategy of the bench's own.
fn simulation(definition: Definition, parameters: &Value) -> Result<Simulation, Failure> {
    let spec = json!({
        "name": "bench", "generation": 1,
        "spec": {
            "accountRef": {"name": "bench"},
            "instruments": [{"symbol": "BNB/USDT", "rules": {"tickSize": "0.01", "lotSize": "0.001"}}],
            "capital": {"USDT": 100_000_000, "BNB": 100_000},
            "strategy": {"custom": {"name": BENCH.name, "parameters": parameters}},
            "risk": {"maxOrdersPerMinute": 600},
        },
        "account": {"name": "bench", "spec": {
            "venue": {"paper": {"balances": {"USDT": 1_000_000_000, "BNB": 1_000_000}}},
            "marketData": {"replay": {"file": "none.csv"}},
        }},
    });
    let spec: StrategySpec = serde_json::from_value(spec).map_err(refuse)?;
    let mut registry = Registry::standard();
    registry.register(definition);
    Simulation::new(&spec, &registry)
}

fn step(
    counter: &mut Instructions,
    simulation: &mut Simulation,
    ticks: u32,
    cents: impl Fn(u64) -> i64,
) -> Result<Taken, Failure> {
    let mut tick: Tick = serde_json::from_value(json!({
        "symbol": "BNB/USDT", "price": "600", "volume": "0", "received": START_MS, "sequence": 0,
    }))
    .map_err(refuse)?;
    measure(counter, || {
        for sequence in 0..u64::from(ticks) {
            let steps = i64::try_from(sequence).unwrap_or(i64::MAX);
            tick.price = price(cents(sequence))?;
            tick.received = Timestamp::from_millis(START_MS).plus_millis(steps * STEP_MS);
            (tick.sequence, tick.source_sequence) = (sequence, sequence);
            simulation.take(std::slice::from_ref(&tick));
        }
        Ok((u64::from(ticks), ()))
    })
}

fn price(cents: i64) -> Result<Price, Failure> {
    Price::new(rust_decimal::Decimal::new(cents, 2)).map(Price::normalised).map_err(refuse)
}

fn number<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, StrategyError> {
    text.parse().map_err(|error: T::Err| StrategyError::refused(BENCH.name, error))
}

/// Has orders at rest, all far away but one: a sell above the market and, once that has filled, a buy below it.
#[derive(Debug)]
struct Resting {
    far: u16,
    near: [Price; 2],
    size: Quantity,
    started: bool,
}

impl Resting {
    fn start(parameters: &Value, _: Option<&Value>) -> Result<Box<dyn Strategy>, StrategyError> {
        let orders = parameters["orders"].as_u64().and_then(|orders| u16::try_from(orders).ok());
        let far = orders.unwrap_or(1).saturating_sub(1);
        let near = [number("590")?, number("610")?];
        let size = number("0.1")?;
        Ok(Box::new(Self { far, near, size, started: false }))
    }

    fn rest(&self, side: Side, price: Price, context: &mut Context<'_>) {
        let kind = OrderKind::Limit { price, time_in_force: TimeInForce::GoodTillCanceled, post_only: true };
        // One that is denied is missed by who counts them.
        let _ = context.place(intent(side, self.size, kind));
    }
}

impl Strategy for Resting {
    fn on_tick(&mut self, _: &Tick, context: &mut Context<'_>) {
        if !std::mem::replace(&mut self.started, true) {
            self.rest(Side::Sell, self.near[1], context);
            for place in 0..self.far {
                let cents = 100_000 + i64::from(place);
                if let Ok(price) = Price::new(rust_decimal::Decimal::new(cents, 2)) {
                    self.rest(Side::Sell, price, context);
                }
            }
        }
    }

    fn on_order(&mut self, event: &OrderEvent, context: &mut Context<'_>) {
        if matches!(event.news, OrderNews::Closed(Outcome::Traded { .. })) {
            match event.side {
                Side::Buy => self.rest(Side::Sell, self.near[1], context),
                Side::Sell => self.rest(Side::Buy, self.near[0], context),
            }
        }
    }

    fn on_gap(&mut self, _instrument: InstrumentIndex) {}

    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        Ok(Value::Null)
    }
}

/// Buys and sells in turn, on each tick, at once.
#[derive(Debug)]
struct Taking {
    size: Quantity,
    slippage: Ratio,
    bought: bool,
}

impl Taking {
    fn start(_: &Value, _: Option<&Value>) -> Result<Box<dyn Strategy>, StrategyError> {
        let size = number("0.1")?;
        Ok(Box::new(Self { size, slippage: Ratio::ONE, bought: false }))
    }
}

impl Strategy for Taking {
    fn on_tick(&mut self, _: &Tick, context: &mut Context<'_>) {
        let side = if self.bought { Side::Sell } else { Side::Buy };
        self.bought = !self.bought;
        let kind = OrderKind::Marketable { max_slippage: self.slippage };
        // One that is denied is missed by who counts the fills.
        let _ = context.place(intent(side, self.size, kind));
    }

    fn on_gap(&mut self, _instrument: InstrumentIndex) {}

    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        Ok(Value::Null)
    }
}

fn intent(side: Side, quantity: Quantity, kind: OrderKind) -> Intent {
    Intent {
        instrument: InstrumentIndex::FIRST,
        side,
        size: OrderSize::Fixed(quantity),
        kind,
        purpose: Purpose::Open,
        tag: 0,
        reason: "Bench",
        message: String::new(),
    }
}

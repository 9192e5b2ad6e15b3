//! A nervous grid on the testkit, with prices as numbers, and how many cases are tried.

use engine::messages::{OrderCommand, OrderUpdate, Tick};
use engine::risk::RiskParameters;
use engine::strategies::Registry;
use engine::{Config, Effect, Engine, Event};
use proptest::test_runner::{Config as Cases, FileFailurePersistence};
use rust_decimal::Decimal;
use serde_json::{Value, json};

#[allow(unused_imports, reason = "not every test needs each")]
pub use engine::testkit::{Market, commands, order_of};

/// A usual market without fees.
pub const USUAL: Market = Market::USUAL;

/// How many cases, and where failing ones are kept: beside the test's source.
pub fn cases(count: u32) -> Cases {
    Cases {
        cases: count,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..Cases::default()
    }
}

/// A nervous grid of `gridSizePercent` 1 in `market` with 5 BNB and 3000 USDT.
pub fn config(market: &Market, parameters: &Value) -> Config {
    let mut grid = json!({"gridSizePercent": 1, "minTradeIntervalSeconds": 0, "maxSlippagePercent": 10});
    for (name, value) in parameters.as_object().into_iter().flatten() {
        grid[name] = value.clone();
    }
    let risk = RiskParameters { max_orders_per_minute: 600, ..RiskParameters::default() };
    Config { risk, ..market.config(&grid) }
}

pub fn start(config: &Config) -> Engine {
    Engine::new(config.clone(), Registry::standard().get("grid").unwrap()).unwrap()
}

pub fn restore(config: &Config, saved: &Value) -> Engine {
    Engine::restore(config.clone(), Registry::standard().get("grid").unwrap(), saved).unwrap()
}

/// A tick a second after the one before.
pub fn tick(sequence: u64, price: Decimal) -> Tick {
    USUAL.tick(sequence, &price.to_string())
}

pub fn step_tick(engine: &mut Engine, tick: &Tick) -> Vec<Effect> {
    engine.step(tick.event_time(), Event::Tick(tick.clone()))
}

pub fn step_update(engine: &mut Engine, update: &OrderUpdate) -> Vec<Effect> {
    engine.step(update.time, Event::OrderUpdate(update.clone()))
}

/// All the news of one order that trades in parts of so many percent each; what does not trade expires.
pub fn news(command: &OrderCommand, parts: &[u8], market: &Market) -> Vec<OrderUpdate> {
    market.news(command, parts)
}

pub fn decimal(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

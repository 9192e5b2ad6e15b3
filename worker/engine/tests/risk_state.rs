//! Risk holds the trading state on every order, also of a strategy that looks at nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[allow(dead_code, reason = "the bench serves other tests too")]
#[path = "properties/bench.rs"]
mod bench;

use engine::instrument::InstrumentIndex;
use engine::messages::{CommandKind, Fill, OrderCommand, OrderStatus, OrderUpdate, Side, SignalSide, Tick};
use engine::numbers::Ratio;
use engine::risk::{PositionBounds, RiskState};
use engine::strategies::{
    Context, Definition, DesiredState, Intent, OrderKind, OrderSize, Purpose, Registry, Strategy,
};
use engine::{Config, Effect, Engine, Event};
use serde_json::{Value, json};

use bench::{USUAL, commands, config, news, step_tick, step_update, tick};

/// Wants the same on every tick, whatever it is told.
#[derive(Debug)]
struct Always(Side);

impl Strategy for Always {
    fn on_tick(&mut self, _: &Tick, context: &mut Context<'_>) {
        let intent = Intent {
            instrument: InstrumentIndex::FIRST,
            side: self.0,
            size: OrderSize::Fixed("0.1".parse().unwrap()),
            kind: OrderKind::Marketable { max_slippage: Ratio::ZERO },
            purpose: Purpose::Open,
            tag: 0,
            reason: "Always",
            message: "always".into(),
        };
        let _sent = context.place(intent);
    }
    fn on_gap(&mut self, _instrument: InstrumentIndex) {}
    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        Ok(Value::Null)
    }
}

const BUYS: Definition = Definition {
    name: "always",
    instruments_max: 1,
    position_bounds: PositionBounds::Bind,
    schema: || schemars::schema_for!(bool),
    start: |_, _| Ok(Box::new(Always(Side::Buy))),
};
const SELLS: Definition = Definition { start: |_, _| Ok(Box::new(Always(Side::Sell))), ..BUYS };
const UNBOUND: Definition = Definition { position_bounds: PositionBounds::Free, ..BUYS };

fn with(base: &str, quote: &str) -> Config {
    Config { capital: USUAL.capital(base, quote), ..config(&USUAL, &json!({})) }
}

fn start(config: Config, definition: &Definition) -> Engine {
    Engine::new(config, definition).unwrap()
}

/// What it does at 600 on this tick: its order, or the word of the denial.
fn at_600(engine: &mut Engine, sequence: u64) -> Result<OrderCommand, String> {
    let effects = step_tick(engine, &tick(sequence, "600".parse().unwrap()));
    commands(&effects).pop().ok_or_else(|| engine.report().decision.reason)
}

/// The whole order trades at its limit.
fn fill(engine: &mut Engine, command: &OrderCommand) {
    step_update(engine, &news(command, &[100], &USUAL)[1]);
}

/// A state that cannot be saved: a map with keys that are not text.
#[derive(Debug)]
struct Unsaved(Always);

impl Strategy for Unsaved {
    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        self.0.on_tick(tick, context);
    }
    fn on_gap(&mut self, _instrument: InstrumentIndex) {}
    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(std::collections::BTreeMap::from([((1, 2), 3)]))
    }
}

#[test]
fn a_state_that_cannot_be_saved_is_an_error_and_never_nothing() {
    let definition = Definition { start: |_, _| Ok(Box::new(Unsaved(Always(Side::Buy)))), ..BUYS };
    let mut engine = start(with("5", "3000"), &definition);
    let order = at_600(&mut engine, 0).unwrap();
    let effects = step_update(&mut engine, &news(&order, &[100], &USUAL)[1]);
    assert!(effects.contains(&Effect::StateChanged), "{effects:?}");
    assert!(engine.state_snapshot().is_err());
    assert!(engine.snapshot().unwrap_err().to_string().contains("cannot be saved"));
}

#[test]
fn position_bounds_bind_a_strategy_that_looks_at_nothing() {
    // 9.9 coins at 600 are 99 % of the equity.
    let mut engine = start(with("9.9", "60"), &BUYS);
    assert_eq!(at_600(&mut engine, 0), Err("PositionLimit".into()));
    let mut engine = start(with("0.9", "5500"), &SELLS);
    assert_eq!(at_600(&mut engine, 0), Err("PositionLimit".into()));
    let mut engine = start(with("0.9", "5500"), &BUYS);
    assert!(at_600(&mut engine, 0).is_ok(), "what leads back is sent");
    let mut engine = start(with("9.9", "60"), &UNBOUND);
    assert!(at_600(&mut engine, 0).is_ok(), "they bind only whom they concern");
    assert_eq!(engine.report().risk.state, RiskState::AllowAll);
}

/// Of a strategy of one's own, and of a process: what is written binds each order, each limit by itself, and nothing else.
#[test]
fn written_position_limits_bind_a_strategy_that_has_none_by_default() {
    let written = |definition: &Definition, (base, quote): (&str, &str), risk: Value| {
        let mut registry = Registry::standard();
        // Whatever its author says of it.
        registry.register(*definition);
        let config = Config { risk: serde_json::from_value(risk).unwrap(), ..with(base, quote) };
        let registered = registry.get(definition.name).unwrap();
        let mut engine = start(config.clone(), registered);
        let first = at_600(&mut engine, 0).map(drop);
        // On every order: the one after a restart too.
        let mut again = Engine::restore(config, registered, &engine.snapshot().unwrap()).unwrap();
        if first.is_err() {
            assert_eq!(at_600(&mut again, 1).map(drop), first);
        }
        first
    };
    let denied = Err("PositionLimit".to_owned());
    let (much, little) = (("9.9", "60"), ("0.9", "5500"));
    for position_bounds in [PositionBounds::Bind, PositionBounds::Written, PositionBounds::Free] {
        let buys = Definition { position_bounds, ..BUYS };
        let sells = Definition { position_bounds, ..SELLS };
        assert_eq!(written(&buys, much, json!({})), Ok(()), "no default binds it");
        assert_eq!(written(&sells, little, json!({})), Ok(()), "no default binds it");
        assert_eq!(written(&buys, much, json!({"maxPositionPercent": 90})), denied);
        assert_eq!(written(&sells, much, json!({"maxPositionPercent": 90})), Ok(()), "it leads back");
        assert_eq!(written(&sells, little, json!({"maxPositionPercent": 90})), Ok(()), "the other one is not written");
        assert_eq!(written(&sells, little, json!({"minPositionPercent": 10})), denied);
        assert_eq!(written(&buys, much, json!({"minPositionPercent": 10})), Ok(()), "the other one is not written");
    }
    // In the place of a stock one it is bound as that one.
    let grid = Definition { name: "grid", ..BUYS };
    assert_eq!(written(&grid, much, json!({})), denied);
    let ladder = Definition { name: "ladder", ..BUYS };
    assert_eq!(written(&ladder, much, json!({"maxPositionPercent": 90})), Ok(()));
}

#[test]
fn a_halt_and_a_humans_stop_bind_a_strategy_that_looks_at_nothing() {
    let mut engine = start(with("5", "3000"), &BUYS);
    let order = at_600(&mut engine, 0).unwrap();
    let CommandKind::Create(created) = &order.kind else { panic!("a cancel") };
    assert!(created.price.is_some(), "every order has a worst price");
    fill(&mut engine, &order);
    for (sequence, desired, word) in [(1, DesiredState::Paused, "Paused"), (2, DesiredState::Stopped, "Stopped")] {
        drop(engine.step(order.time, Event::Control(desired)));
        assert_eq!(at_600(&mut engine, sequence), Err(word.into()));
    }
    assert_eq!(engine.report().orders.denied, 0, "what a human wants is no denial");
    drop(engine.step(order.time, Event::Control(DesiredState::Running)));
    let order = at_600(&mut engine, 3).unwrap();
    let news = news(&order, &[100], &USUAL).remove(1);
    let fill = Fill { symbol: "ETH/USDT".parse().unwrap(), ..news.fill.clone().unwrap() };
    step_update(&mut engine, &OrderUpdate { fill: Some(fill), ..news });
    assert_eq!(at_600(&mut engine, 4), Err("Halted".into()));
    drop(engine.step(order.time, Event::Control(DesiredState::Paused)));
    assert_eq!(at_600(&mut engine, 5), Err("Halted".into()), "the stricter one");
}

#[test]
fn without_equity_only_what_reduces_is_sent() {
    // A fee far above the trade leaves less than nothing: 1 coin at 600 and −700 in cash.
    let ruined = |definition: &Definition| {
        let mut engine = start(with("1.1", "100"), &SELLS);
        let order = at_600(&mut engine, 0).unwrap();
        let news = news(&order, &[100], &USUAL).remove(1);
        let fee = "860".parse().unwrap();
        let fill = Fill { fee, fee_quote: fee, ..news.fill.clone().unwrap() };
        step_update(&mut engine, &OrderUpdate { fill: Some(fill), ..news });
        Engine::restore(with("1.1", "100"), definition, &engine.snapshot().unwrap()).unwrap()
    };
    for definition in [&BUYS, &UNBOUND] {
        let mut engine = ruined(definition);
        assert_eq!(at_600(&mut engine, 1), Err("ReduceOnly".into()));
        assert_eq!(engine.report().risk.state, RiskState::ReduceOnly);
        assert_eq!(engine.report().risk.reason, "NoEquity");
    }
    assert!(at_600(&mut ruined(&SELLS), 1).is_ok());
}

#[test]
fn a_denial_counts_and_is_told_when_its_reason_is_another_for_its_side() {
    let mut engine = start(with("9.9", "60"), &BUYS);
    let mut told = Vec::new();
    for sequence in 0..5 {
        let effects = step_tick(&mut engine, &tick(sequence, "600".parse().unwrap()));
        told.extend(effects.into_iter().filter_map(|effect| match effect {
            Effect::Signal(signal) if signal.side == SignalSide::Hold => Some(signal.reason),
            Effect::Signal(_)
            | Effect::Command(_)
            | Effect::Position(_)
            | Effect::Alert(_)
            | Effect::StateChanged
            | Effect::Poison(_) => None,
        }));
    }
    assert_eq!((told, engine.report().orders.denied), (vec!["PositionLimit".to_owned()], 1));
    // Another reason, and the first one once more: each counts once.
    let mut engine = Engine::restore(with("9.9", "60"), &UNBOUND, &engine.snapshot().unwrap()).unwrap();
    let order = at_600(&mut engine, 5).unwrap();
    step_update(&mut engine, &OrderUpdate { status: OrderStatus::Expired, ..news(&order, &[], &USUAL).remove(0) });
    let mut engine = Engine::restore(with("9.9", "60"), &BUYS, &engine.snapshot().unwrap()).unwrap();
    assert_eq!(at_600(&mut engine, 6), Err("PositionLimit".into()));
    assert_eq!(engine.report().orders.denied, 1, "the last denial of this side had the same reason");
}

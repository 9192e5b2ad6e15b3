//! A strategy that panics: it alone ends, with its message, and its orders with it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use engine::instrument::InstrumentIndex;
use engine::messages::{CommandKind, OrderStatus, Side, Tick, TimeInForce};
use engine::numbers::Quantity;
use engine::risk::PositionBounds;
use engine::strategies::{
    Context, Definition, Intent, OrderEvent, OrderKind, OrderSize, Purpose, Strategy, parameters, remembered,
};
use engine::testkit::{Bench, Market, alerts, ended, halted};
use serde_json::{Value, json};

/// Leaves an order at rest on its first tick and panics where its parameter says.
const FRAGILE: Definition = Definition {
    name: "fragile",
    instruments_max: 1,
    position_bounds: PositionBounds::Free,
    schema: || schemars::json_schema!({"type": "object"}),
    start: |given, saved| {
        let (panics, seen) = (parameters("fragile", given)?, remembered("fragile", saved)?.unwrap_or_default());
        Ok(Box::new(Fragile { panics, seen }))
    },
};

#[derive(Debug)]
struct Fragile {
    panics: Panics,
    seen: u64,
}

#[derive(Debug, serde::Deserialize)]
struct Panics {
    on: String,
}

impl Strategy for Fragile {
    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        self.seen += 1;
        if self.seen == 1 {
            let sent = context.place(Intent {
                instrument: InstrumentIndex::FIRST,
                side: Side::Buy,
                size: OrderSize::Fixed("1".parse::<Quantity>().unwrap()),
                kind: OrderKind::Limit {
                    price: "500".parse().unwrap(),
                    time_in_force: TimeInForce::GoodTillCanceled,
                    post_only: false,
                },
                purpose: Purpose::Open,
                tag: 0,
                reason: "First",
                message: "the first tick".to_owned(),
            });
            sent.unwrap();
        }
        assert!(
            self.panics.on != "tick" || self.seen < 3,
            "no more than two ticks, but {} at {}",
            self.seen,
            tick.price
        );
    }

    fn on_order(&mut self, event: &OrderEvent, _context: &mut Context<'_>) {
        assert!(self.panics.on != "order", "news of order {}", event.order);
    }

    fn on_gap(&mut self, _instrument: InstrumentIndex) {}

    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        Ok(self.seen.into())
    }
}

fn bench(on: &str) -> Bench {
    let market = Market::USUAL;
    Bench::of(&market, market.config(&json!({"on": on})), &FRAGILE)
}

#[test]
fn a_panic_halts_with_its_message_and_cancels_all_orders_and_the_engine_goes_on() {
    let mut bench = bench("tick");
    let placed = bench.tick("600").remove(0);
    assert!(bench.tick("601").is_empty());
    let commands = bench.tick("602");
    let [cancel] = &commands[..] else { panic!("{commands:?}") };
    assert!(matches!(cancel.kind, CommandKind::Cancel), "{cancel:?}");
    let report = bench.engine.report();
    assert_eq!(report.summary.alert, "StrategyCrashed");
    assert_eq!(report.decision.reason, "StrategyCrashed");
    let words = "no more than two ticks, but 3 at 602";
    assert!(report.decision.message.contains(words), "{}", report.decision.message);
    assert_eq!(halted(&bench.engine).as_deref(), Some("StrategyCrashed"));
    // News and ticks are booked as ever, and nothing is called any more.
    let told = alerts(&bench.effects).len();
    assert!(bench.update(ended(&placed, OrderStatus::Canceled)).is_empty());
    assert!(bench.tick("603").is_empty());
    assert_eq!(bench.engine.report().orders.open, 0);
    assert_eq!(alerts(&bench.effects).len(), told, "it is told once");
}

#[test]
fn a_panic_over_news_halts_too() {
    let mut bench = bench("order");
    let placed = bench.tick("600").remove(0);
    bench.update(ended(&placed, OrderStatus::Canceled));
    assert!(bench.engine.report().decision.message.contains("news of order 1"));
}

#[test]
fn it_stays_halted_through_a_restart_and_is_called_again_under_other_parameters() {
    let mut bench = bench("tick");
    for price in ["600", "601", "602"] {
        let _commands = bench.tick(price);
    }
    bench.restart();
    let _commands = bench.tick("603");
    assert_eq!(bench.engine.report().summary.alert, "StrategyCrashed");
    let saved = serde_json::from_str(&bench.engine.saved().unwrap()).unwrap();
    let market = Market::USUAL;
    let repaired = engine::Engine::restore(market.config(&json!({"on": "nothing"})), &FRAGILE, &saved).unwrap();
    let report = repaired.report();
    assert_eq!((report.summary.alert.as_str(), report.risk.reason.as_str()), ("", ""));
    // What it remembered is there.
    let remembered: Value = serde_json::from_str(&repaired.saved().unwrap()).unwrap();
    assert!(remembered.to_string().contains("\"strategy\":3"), "{remembered}");
}

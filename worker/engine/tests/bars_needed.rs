//! Strategies that need bars: when they are called, what is told while bars are missing, and what a restart keeps.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "bars_needed/history.rs"]
mod history;
#[path = "bars_needed/kept.rs"]
mod kept;
#[path = "bars_needed/whole.rs"]
mod whole;

use engine::instrument::{InstrumentIndex, Instruments};
use engine::market::{Bar, Interval};
use engine::messages::{Side, Tick, TimeInForce};
use engine::risk::PositionBounds;
use engine::strategies::{
    BarsOf, Context, Definition, Intent, Needs, OrderEvent, OrderKind, OrderNews, OrderSize, Purpose, Strategy,
    StrategyError,
};
use engine::testkit::{Bench, Market, START_MS, filled, holds};
use engine::time::Timestamp;
use engine::{Config, Engine, Event};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A tick each 20 seconds, the first one 20 seconds into a minute: the third is the first of the next minute.
const MARKET: Market = Market { tick_ms: 20_000, ..Market::USUAL };
const MINUTES: BarsOf = BarsOf::first(Interval::OneMinute);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Parameters {
    /// Of which market.
    place: u8,
    /// Interval and look-back.
    bars: Vec<(Interval, usize)>,
    meanwhile: bool,
    /// Its first bar must be whole.
    whole: bool,
    /// At this price it buys at its limit, and on news of that again.
    buys_at: String,
    again: bool,
}

/// Writes down what it is told.
#[derive(Debug)]
struct Teller {
    parameters: Parameters,
    told: Vec<String>,
}

const TELLER: Definition = Definition {
    name: "teller",
    instruments_max: 16,
    position_bounds: PositionBounds::Free,
    schema: || schemars::schema_for!(String),
    start: |parameters, snapshot| {
        let unread = |source| StrategyError::Parameters { name: "teller", source };
        let parameters = Parameters::deserialize(parameters).map_err(unread)?;
        let told = snapshot
            .filter(|saved| !saved.is_null())
            .map_or_else(Vec::new, |saved| serde_json::from_value(saved.clone()).unwrap());
        Ok(Box::new(Teller { parameters, told }))
    },
};

impl Teller {
    fn buy(&self, context: &mut Context<'_>) -> String {
        let price = self.parameters.buys_at.parse().unwrap();
        let kind = OrderKind::Limit { price, time_in_force: TimeInForce::GoodTillCanceled, post_only: false };
        let intent = Intent {
            instrument: InstrumentIndex::FIRST,
            side: Side::Buy,
            size: OrderSize::Fixed("0.1".parse().unwrap()),
            kind,
            purpose: Purpose::Open,
            tag: 0,
            reason: "Buys",
            message: "as asked".to_owned(),
        };
        context
            .place(intent)
            .map_or_else(|denial| format!("denied {}", denial.as_str()), |order| format!("order {order}"))
    }
}

impl Strategy for Teller {
    fn needs(&self) -> Needs {
        let instrument = InstrumentIndex::of_place(self.parameters.place);
        let of = |(interval, look_back): &(Interval, usize)| (BarsOf { instrument, interval: *interval }, *look_back);
        Needs {
            bars: self.parameters.bars.iter().map(of).collect(),
            trades_while_warming_up: self.parameters.meanwhile,
            first_is_whole: self.parameters.whole,
            ..Needs::default()
        }
    }

    fn on_bar(&mut self, bar: &Bar, of: BarsOf, context: &mut Context<'_>) {
        let bars = context.bars(of);
        assert_eq!(bars.last(), Some(bar), "it is the last of those that are there");
        self.told.push(format!("bar {of} {}..{} v{}, {} there", bar.open, bar.close, bar.volume, bars.len()));
    }

    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        self.told.push(format!("tick {}, {} there", tick.price, context.bars(MINUTES).len()));
        if tick.price.to_string() == self.parameters.buys_at {
            let sent = self.buy(context);
            self.told.push(sent);
        } else {
            context.hold("Tells");
        }
    }

    fn on_order(&mut self, event: &OrderEvent, context: &mut Context<'_>) {
        if matches!(event.news, OrderNews::Filled(_)) {
            self.told.push(format!("filled, {} there", context.bars(MINUTES).len()));
            if self.parameters.again {
                let sent = self.buy(context);
                self.told.push(sent);
            }
        }
    }

    fn on_gap(&mut self, _: InstrumentIndex) {
        self.told.push("gap".to_owned());
    }

    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(&self.told)
    }
}

fn bench(parameters: &Value) -> Bench {
    Bench::of(&MARKET, MARKET.config(parameters), &TELLER)
}

fn told(engine: &Engine) -> Vec<String> {
    serde_json::from_value(engine.snapshot().unwrap()["strategy"].clone()).unwrap()
}

fn take(engine: &mut Engine, sequence: u64, price: u64) {
    let tick = Tick { volume: "0.25".parse().unwrap(), ..MARKET.tick(sequence, &price.to_string()) };
    let _ = engine.tick(tick.event_time(), &tick);
}

#[test]
fn it_is_called_with_news_then_bars_then_the_tick() {
    let mut bench = bench(&json!({"bars": [["1m", 3]], "meanwhile": true, "buysAt": "600"}));
    let commands = bench.tick("600");
    bench.tick("601");
    // What rested is filled on the third tick, which is the first of the next minute: the news of it comes before the bar.
    let fill = engine::messages::Fill { tick_sequence: Some(2), ..bench.fill_of(&commands[0]) };
    bench.update(engine::messages::OrderUpdate { matched: Some(2), ..filled(fill) });
    bench.tick("599");
    assert_eq!(
        told(&bench.engine),
        [
            "tick 600, 0 there",
            "order 1",
            "tick 601, 0 there",
            "filled, 0 there",
            "bar 0:1m 600..601 v0, 1 there",
            "tick 599, 1 there"
        ]
    );
}

#[test]
fn several_bars_of_one_tick_come_in_the_order_in_which_they_were_asked_for() {
    let mut bench = bench(&json!({"bars": [["5m", 1], ["1m", 2]], "meanwhile": true}));
    for price in 600..616 {
        bench.tick(&price.to_string());
    }
    let bars: Vec<_> = told(&bench.engine).into_iter().filter(|line| line.starts_with("bar")).collect();
    assert_eq!(bars.len(), 6);
    // The test's market begins at 22:13:20.
    assert_eq!(bars[1..3], ["bar 0:5m 600..604 v0, 1 there", "bar 0:1m 602..604 v0, 2 there"]);
}

#[test]
fn nothing_is_traded_before_the_bars_are_there_and_it_says_how_many_are() {
    let mut bench = bench(&json!({"bars": [["1m", 2]], "buysAt": "600"}));
    let shown = |bench: &Bench| {
        let decision = bench.engine.report().decision;
        format!("{}: {}", decision.reason, decision.message)
    };
    let waiting = |found: u64| {
        format!("WarmingUp: {found} of 2 bars of 1m of BNB/USDT are there; nothing is traded before all are.")
    };
    for (price, expected) in [("600", 0), ("600", 0), ("600", 1), ("600", 1), ("600", 1)] {
        assert!(bench.tick(price).is_empty());
        assert_eq!(shown(&bench), waiting(expected));
        assert_eq!(bench.engine.warming_up(), Some(waiting(expected).split_once(": ").unwrap().1.to_owned()));
    }
    // The tick that closes the last one that is missing.
    assert_eq!(bench.tick("600").len(), 1);
    assert_eq!(bench.engine.warming_up(), None);
    assert_eq!(told(&bench.engine), ["bar 0:1m 600..600 v0, 2 there", "tick 600, 2 there", "order 1"]);
    assert_eq!(shown(&bench), "Buys: as asked");
    // It was told once, not once a tick.
    assert_eq!(holds(&bench.effects).iter().filter(|reason| **reason == "WarmingUp").count(), 1);
}

#[test]
fn who_trades_meanwhile_is_called_from_the_first_tick_on() {
    let mut bench = bench(&json!({"bars": [["1m", 2]], "meanwhile": true, "buysAt": "600"}));
    assert_eq!(bench.tick("600").len(), 1);
    assert_eq!(bench.engine.warming_up(), None);
}

#[test]
fn paused_it_is_paused_whatever_is_missing() {
    let mut bench = bench(&json!({"bars": [["1m", 2]]}));
    bench.tick("600");
    bench.step(Timestamp::from_millis(START_MS), Event::Control(engine::strategies::DesiredState::Paused));
    bench.tick("600");
    assert_eq!(bench.reason(), "Paused");
    bench.step(Timestamp::from_millis(START_MS), Event::Control(engine::strategies::DesiredState::Running));
    bench.tick("600");
    assert_eq!(bench.reason(), "WarmingUp");
}

#[test]
fn needs_that_nobody_can_meet_are_refused_with_the_remedy() {
    for (bars, expected) in [
        (json!([["1m", 0]]), "bars 0:1m: a look-back of 0 bars is out of range; ask for 1 to 1000"),
        (json!([["1m", 1001]]), "bars 0:1m: a look-back of 1001 bars is out of range; ask for 1 to 1000"),
        (json!([["1m", 5], ["1m", 7]]), "bars 0:1m are asked for twice; ask once, for the longer look-back"),
    ] {
        let error = Engine::new(MARKET.config(&json!({ "bars": bars })), &TELLER).unwrap_err().to_string();
        assert_eq!(error, format!("teller cannot have what it needs: {expected}"));
    }
}

/// An order of before the edit trades while bars are missing: the strategy hears of it, and sends nothing new.
#[test]
fn news_while_bars_are_missing_lead_to_no_order() {
    let mut bench = bench(&json!({"buysAt": "600", "again": true}));
    let commands = bench.tick("600");
    let saved = bench.engine.snapshot().unwrap();
    let longer = json!({"bars": [["1m", 2]], "buysAt": "600", "again": true});
    bench.engine = Engine::restore(MARKET.config(&longer), &TELLER, &saved).unwrap();
    bench.tick("601");
    let fill = bench.fill_of(&commands[0]);
    assert!(bench.update(filled(fill)).is_empty());
    assert_eq!(told(&bench.engine)[2..], ["filled, 0 there", "denied WarmingUp"]);
    assert_eq!(bench.engine.report().orders.denied_reasons["WarmingUp"], 1);
}

/// While another market has no tick yet no strategy is called, but bars are made; what closed meanwhile is not told later.
#[test]
fn bars_of_one_market_are_made_while_another_is_waited_for() {
    let other = Market { symbol: "ETH/USDT", ..MARKET };
    let instruments = Instruments::new(vec![MARKET.instrument(), other.instrument()]).unwrap();
    let parameters = json!({"bars": [["1m", 2]], "place": 1});
    let config = Config { instruments, ..MARKET.config(&parameters) };
    let mut engine = Engine::new(config, &TELLER).unwrap();
    let minutes = BarsOf { instrument: InstrumentIndex::of_place(1), ..MINUTES };
    let take = |engine: &mut Engine, source_sequence: u64, tick: Tick| {
        let tick = Tick { source_sequence, ..tick };
        let _ = engine.tick(tick.event_time(), &tick);
        told(engine)
    };
    for sequence in 0..9 {
        assert!(take(&mut engine, sequence, other.tick(sequence, "50")).is_empty());
    }
    assert_eq!(engine.bars(minutes).len(), 2);
    assert_eq!(take(&mut engine, 9, MARKET.tick(0, "600")), ["tick 600, 0 there"]);
    assert_eq!(take(&mut engine, 10, other.tick(9, "51"))[1..], ["tick 51, 0 there"]);
    take(&mut engine, 11, other.tick(10, "52"));
    assert_eq!(take(&mut engine, 12, other.tick(11, "53"))[3..], ["bar 1:1m 50..52 v0, 2 there", "tick 53, 0 there"]);
    // Ticks missing of one market leave the bars of the other as they are.
    take(&mut engine, 13, MARKET.tick(5, "601"));
    take(&mut engine, 14, other.tick(12, "53"));
    take(&mut engine, 15, other.tick(13, "53"));
    let last = take(&mut engine, 16, other.tick(14, "54"));
    assert_eq!(last[last.len() - 2..], ["bar 1:1m 53..53 v0, 2 there", "tick 54, 0 there"]);

    let error = Engine::new(MARKET.config(&parameters), &TELLER).unwrap_err().to_string();
    let expected = "bars 1:1m are of a market that it does not trade: it has 1, counted from 0";
    assert_eq!(error, format!("teller cannot have what it needs: {expected}"));
}

#[test]
fn a_strategy_that_says_nothing_does_not_wait_any_more() {
    #[derive(Debug, Serialize)]
    struct Silent;
    impl Strategy for Silent {
        fn needs(&self) -> Needs {
            Needs { bars: vec![(MINUTES, 1)], ..Needs::default() }
        }
        fn on_tick(&mut self, _: &Tick, _: &mut Context<'_>) {}
        fn on_gap(&mut self, _: InstrumentIndex) {}
        fn snapshot(&self) -> Result<Value, serde_json::Error> {
            Ok(Value::Null)
        }
    }
    let definition = Definition { start: |_, _| Ok(Box::new(Silent)), ..TELLER };
    let mut bench = Bench::of(&MARKET, MARKET.config(&json!({})), &definition);
    bench.run(["600", "600"]);
    assert_eq!(bench.reason(), "WarmingUp");
    bench.tick("600");
    assert_eq!(bench.reason(), "WarmedUp");
}

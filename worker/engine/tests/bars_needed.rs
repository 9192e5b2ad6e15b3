//! Strategies that need bars: when they are called, what is told while bars are missing, and what a restart keeps.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;

use engine::instrument::{InstrumentIndex, Instruments};
use engine::market::{Bar, BarSeries, History, Interval, LookBack};
use engine::messages::{AlertKind, Side, Tick, TimeInForce};
use engine::risk::PositionBounds;
use engine::strategies::{
    BarsOf, Context, Definition, Intent, Needs, OrderEvent, OrderKind, OrderNews, OrderSize, Purpose, Strategy,
    StrategyError,
};
use engine::testkit::{Bench, Market, START_MS, alerts, filled, holds};
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

/// The record of an engine, as commits write it.
#[derive(Default)]
struct Record(BTreeMap<String, String>);

impl Record {
    /// Commits; gives the fields of bars that were written.
    fn commit(&mut self, engine: &mut Engine) -> Vec<String> {
        let changes = engine.changes().unwrap();
        let bars = changes.set.iter().filter_map(|(name, _)| name.strip_prefix("bars:").map(str::to_owned)).collect();
        self.0.extend(changes.set);
        self.0.retain(|name, _| !changes.delete.contains(name));
        engine.committed();
        bars
    }

    fn restore(&self, parameters: &Value) -> Engine {
        let fields = self.0.iter().map(|(name, value)| (&**name, &**value));
        Engine::restore_fields(MARKET.config(parameters), &TELLER, fields).unwrap()
    }
}

fn take(engine: &mut Engine, sequence: u64, price: u64) {
    let tick = Tick { volume: "0.25".parse().unwrap(), ..MARKET.tick(sequence, &price.to_string()) };
    let _ = engine.tick(tick.event_time(), &tick);
}

/// Killed behind any tick it goes on as if nothing had happened, the bar that was being made included; and the closed bars
/// are written only by a commit in which one closed.
#[test]
fn a_restart_behind_any_tick_changes_nothing() {
    let parameters = json!({"bars": [["1m", 3], ["5m", 1]], "meanwhile": true});
    let prices = [600_u64, 612, 598, 601, 605, 590, 595, 620, 600, 600, 601, 599, 640, 600, 598, 597, 600, 601, 602];
    let mut undisturbed = Engine::new(MARKET.config(&parameters), &TELLER).unwrap();
    let mut killed = Engine::new(MARKET.config(&parameters), &TELLER).unwrap();
    let mut record = Record::default();
    for (sequence, price) in (0..).zip(prices) {
        take(&mut undisturbed, sequence, price);
        take(&mut killed, sequence, price);
        let before = undisturbed.bars(MINUTES).len();
        record.commit(&mut killed);
        killed = record.restore(&parameters);
        assert_eq!(killed.saved().unwrap(), undisturbed.saved().unwrap(), "tick {sequence}");
        assert!(before <= 3);
    }
    assert_eq!(told(&killed), told(&undisturbed));
    assert_eq!(record.0.keys().filter(|name| name.starts_with("bars:")).count(), 2);

    // Without a restart, the fields of bars are written when one closes, and at no other time.
    let mut engine = Engine::new(MARKET.config(&parameters), &TELLER).unwrap();
    let mut record = Record::default();
    let mut written = Vec::new();
    for (sequence, price) in (0..).zip(prices) {
        take(&mut engine, sequence, price);
        written.push(record.commit(&mut engine).join(" "));
    }
    let minute = |n: usize| if n % 3 == 2 { "0:1m" } else { "" };
    let expected: Vec<String> =
        (0..prices.len()).map(|n| if n == 5 { "0:1m 0:5m".to_owned() } else { minute(n).to_owned() }).collect();
    assert_eq!(written, expected);
}

/// As one document too, which outsiders get without the closed bars.
#[test]
fn the_document_of_the_state_holds_the_bars_and_a_snapshot_does_not() {
    let mut bench = bench(&json!({"bars": [["1m", 3]], "meanwhile": true}));
    bench.run(["600", "601", "602", "603"]);
    let whole = bench.engine.snapshot().unwrap();
    assert_eq!(whole["closedBars"]["0:1m"].as_array().unwrap().len(), 1);
    assert_eq!(whole["bars"]["0:1m"]["bar"]["open"], "602");
    let told: Value = serde_json::from_str(bench.engine.state_snapshot().unwrap().state.get()).unwrap();
    assert!(told.get("bars").is_some() && told.get("closedBars").is_none());
    bench.restart();
    assert_eq!(bench.engine.snapshot().unwrap(), whole);
    // Who needs no bars has nothing of this in its state.
    let plain = Bench::grid(&MARKET, MARKET.config(&json!({}))).engine.snapshot().unwrap();
    assert!(plain.get("bars").is_none() && plain.get("closedBars").is_none());
}

#[test]
fn a_record_whose_bars_cannot_be_is_refused_by_its_field() {
    let parameters = json!({"bars": [["1m", 3]], "meanwhile": true});
    let mut engine = Engine::new(MARKET.config(&parameters), &TELLER).unwrap();
    let mut record = Record::default();
    for sequence in 0..8 {
        take(&mut engine, sequence, 600);
        record.commit(&mut engine);
    }
    let restored = |value: &str| {
        let fields = record.0.iter().map(|(name, kept)| (&**name, if name == "bars:0:1m" { value } else { &**kept }));
        Engine::restore_fields(MARKET.config(&parameters), &TELLER, fields).map(drop).map_err(|error| error.to_string())
    };
    let good = &record.0["bars:0:1m"];
    assert_eq!(restored(good), Ok(()));
    assert!(restored("[{}]").unwrap_err().starts_with("field bars:0:1m of the record does not read: "));
    let doubled = good.replacen('[', &format!("[{},", good[1..].split_inclusive('}').next().unwrap()), 1);
    let error = restored(&doubled).unwrap_err();
    assert!(error.starts_with("the saved bars 0:1m: the bar at ") && error.ends_with("comes once"), "{error}");
}

#[test]
fn an_edit_that_looks_back_further_warms_up_again_and_what_nobody_needs_goes() {
    let mut engine =
        Engine::new(MARKET.config(&json!({"bars": [["1m", 2], ["5m", 1]], "meanwhile": true})), &TELLER).unwrap();
    let mut record = Record::default();
    for sequence in 0..12 {
        take(&mut engine, sequence, 600 + sequence);
        record.commit(&mut engine);
    }
    assert_eq!(engine.bars(MINUTES).len(), 2);
    let longer = json!({"bars": [["1m", 4], ["15m", 1]]});
    let mut engine = record.restore(&longer);
    assert_eq!(engine.bars(MINUTES).len(), 2, "what was kept is kept");
    assert!(engine.warming_up().unwrap().starts_with("2 of 4 bars of 1m "));
    record.commit(&mut engine);
    let names: Vec<_> = record.0.keys().filter(|name| name.starts_with("bars:")).collect();
    assert_eq!(names, ["bars:0:1m"], "five minutes are needed no more, and of a quarter there is no bar");
    // The quarter in which it was asked for first is not whole: 22:15 to 22:30, its ticks begin in the middle.
    let quarters = BarsOf::first(Interval::FifteenMinutes);
    for sequence in 12..51 {
        take(&mut engine, sequence, 600);
    }
    assert_eq!(engine.bars(quarters).len(), 0);
    for sequence in 51..100 {
        take(&mut engine, sequence, 600);
    }
    assert_eq!(engine.bars(quarters).len(), 1);
    // The other way round the newest ones stay.
    record.commit(&mut engine);
    assert_eq!(record.restore(&json!({"bars": [["1m", 1]]})).bars(MINUTES), &engine.bars(MINUTES)[3..]);
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

fn history(closes: &[&str]) -> Vec<Bar> {
    let first = (START_MS / 60_000 - i64::try_from(closes.len()).unwrap()) * 60_000;
    let bar = |(n, close): (i64, &&str)| {
        let price = close.parse().unwrap();
        let open_time = Timestamp::from_millis(first + n * 60_000);
        Bar { open_time, open: price, high: price, low: price, close: price, volume: "1".parse().unwrap(), ticks: 4 }
    };
    (0..).zip(closes).map(bar).collect()
}

fn given(bars: Vec<Bar>) -> Event {
    Event::History { of: MINUTES, history: History { bars, ..History::default() } }
}

/// What a source has made of the ticks before, its joiner goes on with: the interval in which it joins is whole. The first of
/// all, within which the data begin, counts for it as for who saw all ticks.
#[test]
fn who_joins_in_the_middle_of_a_bar_goes_on_with_it() {
    let first = Some(Timestamp::from_millis(START_MS - 20_000));
    for (join, whole) in (1..15).flat_map(|join| [(join, false), (join, true)]) {
        let parameters = json!({"bars": [["1m", 9]], "meanwhile": true, "whole": whole});
        let mut source = BarSeries::new(Interval::OneMinute, LookBack::new(9).unwrap());
        let mut undisturbed = Engine::new(MARKET.config(&parameters), &TELLER).unwrap();
        let mut joined = Engine::new(MARKET.config(&parameters), &TELLER).unwrap();
        for sequence in 0..20 {
            if sequence == join {
                let (bars, unfinished) = (source.bars().to_vec(), source.unfinished().clone());
                let _ = joined.step(
                    Timestamp::default(),
                    Event::History { of: MINUTES, history: History { bars, unfinished, partial: first } },
                );
            }
            take(&mut undisturbed, sequence, 600 + sequence);
            source.take(&Tick {
                volume: "0.25".parse().unwrap(),
                ..MARKET.tick(sequence, &(600 + sequence).to_string())
            });
            if sequence >= join {
                take(&mut joined, sequence, 600 + sequence);
            }
        }
        assert_eq!(joined.bars(MINUTES), undisturbed.bars(MINUTES), "joined at {join}, {whole}");
    }
}

#[test]
fn history_before_the_first_tick_spares_the_warming_up() {
    let mut bench = bench(&json!({"bars": [["1m", 2]], "buysAt": "600"}));
    let event = given(history(&["1", "2", "3"]));
    bench.step(Timestamp::from_millis(START_MS), event);
    assert_eq!(bench.engine.warming_up(), None);
    assert_eq!(bench.tick("600").len(), 1, "it trades on the first tick");
    assert_eq!(told(&bench.engine), ["tick 600, 2 there", "order 1"]);
    // Once ticks have made bars, what comes later is left out.
    bench.run(["600.5", "600.5", "600.5"]);
    let before = bench.engine.bars(MINUTES).to_vec();
    bench.step(Timestamp::from_millis(START_MS), given(history(&["7", "8"])));
    assert_eq!(bench.engine.bars(MINUTES), before);
    assert_eq!(alerts(&bench.effects), Vec::<AlertKind>::new());
}

#[test]
fn history_that_cannot_be_is_left_out_and_said() {
    let good = history(&["1", "2", "3"]);
    let cases = [vec![good[1], good[0]], vec![good[0], good[0]], vec![Bar { ticks: 0, ..good[0] }]];
    for bars in cases {
        let mut bench = bench(&json!({"bars": [["1m", 2]]}));
        bench.step(Timestamp::from_millis(START_MS), given(bars));
        assert_eq!(alerts(&bench.effects), [AlertKind::MarketDataGap]);
        assert!(bench.engine.warming_up().unwrap().starts_with("0 of 2"));
    }
    // Of a market or an interval that nobody asked for there is nothing to take up.
    let mut bench = bench(&json!({"bars": [["1m", 2]]}));
    let hours = Event::History { of: BarsOf::first(Interval::OneHour), history: History::default() };
    bench.step(Timestamp::from_millis(START_MS), hours);
    assert!(bench.effects.is_empty());
}

#[test]
fn bars_of_which_ticks_are_missing_are_left_out() {
    let closes = |sequences: &[u64]| {
        let mut engine = Engine::new(MARKET.config(&json!({"bars": [["1m", 9]], "meanwhile": true})), &TELLER).unwrap();
        for sequence in sequences {
            take(&mut engine, *sequence, 600 + sequence);
        }
        engine.bars(MINUTES).iter().map(|bar| bar.close.to_string()).collect::<Vec<_>>()
    };
    let all: Vec<u64> = (0..15).collect();
    assert_eq!(closes(&all), ["601", "604", "607", "610", "613"]);
    // 603 to 606 are missing: the bar that ended with 604 and that which ended with 607 with them.
    let holed: Vec<u64> = all.iter().copied().filter(|n| !(3..=6).contains(n)).collect();
    assert_eq!(closes(&holed), ["601", "610", "613"]);
    // Doubled and delivered once more, they count once.
    let doubled: Vec<u64> = [0, 0, 1, 2, 1, 2, 3, 3, 4, 5].into();
    assert_eq!(closes(&doubled), ["601", "604"]);
    // Who joins in the middle has not seen the first bar whole.
    assert_eq!(closes(&all[3..]), ["607", "610", "613"]);
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

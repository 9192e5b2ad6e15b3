//! What a restart and an edit keep of the bars, and what of a record is refused.

use std::collections::BTreeMap;

use engine::Engine;
use engine::market::Interval;
use engine::strategies::BarsOf;
use engine::testkit::Bench;
use serde_json::{Value, json};

use crate::{MARKET, MINUTES, TELLER, bench, take, told};

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

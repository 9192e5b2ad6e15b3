//! What is hashed, digit for digit, and that who takes the same ticks has the same hash.

use bus::{Body, Entry, StreamId};
use engine::numbers::{Price, Quantity};

use super::*;

#[test]
fn a_tick_is_hashed_as_its_line() {
    let tick = |text: &str| serde_json::from_str::<LinedTick>(text).unwrap();
    let mut data = DataHash::default();
    let first = tick(
        r#"{"symbol":"BNB/USDT","price":"600.50","volume":"0.10","time":1700000000000,"received":5,"sequence":0}"#,
    );
    data.update(first.line());
    assert_eq!(first.line(), "BNB/USDT,1700000000000,600.5,,,,,0.1\n");
    let second = tick(
        r#"{"symbol":"BNB/USDT","price":"600","bid":"599.90","askSize":"0","bidSize":"2.500","volume":"0",
            "time":1700000001000,"received":5,"sequence":1}"#,
    );
    data.update(second.line());
    assert_eq!(second.line(), "BNB/USDT,1700000001000,600,599.9,,2.5,0,0\n");
    let lines = "BNB/USDT,1700000000000,600.5,,,,,0.1\nBNB/USDT,1700000001000,600,599.9,,2.5,0,0\n";
    assert_eq!(data.hex(), RunningHash::of(lines));
    let saved: DataHash = serde_json::from_str(&serde_json::to_string(&data).unwrap()).unwrap();
    assert_eq!((saved.hex(), saved.ticks), (data.hex(), 2));
}

/// Digit for digit the text of the normalised decimal, whatever digits a number has.
#[test]
fn numbers_are_hashed_as_their_decimals_are_written() {
    let numbers =
        ["0.10", "600", "600.50", "1000", "0.000000001", "123456789012.123456789012345678", "100.000000000000000000"];
    for number in numbers {
        let tick: Tick =
            serde_json::from_value(json!({"symbol": "BNB/USDT", "price": number, "bid": number, "ask": number,
            "bidSize": number, "askSize": number, "volume": number, "time": 5, "received": 5, "sequence": 0}))
            .unwrap();
        let prices = [tick.price, tick.bid.unwrap(), tick.ask.unwrap()].map(Price::get);
        let sizes = [tick.bid_size.unwrap(), tick.ask_size.unwrap()].map(Quantity::get);
        let decimals = prices.into_iter().chain(sizes).chain([tick.volume.get()]).map(|decimal| decimal.normalize());
        let decimals: Vec<_> = decimals.map(|decimal| decimal.to_string()).collect();
        assert_eq!(line(&tick), format!("BNB/USDT,5,{}\n", decimals.join(",")));
    }
}

fn entries(count: u64) -> Vec<Entry> {
    let entry = |sequence: u64| {
        let tick = json!({"symbol": "BNB/USDT", "price": (600 + sequence % 7).to_string(), "volume": "0.1",
            "time": 1_700_000_000_000 + sequence, "received": 0, "sequence": sequence});
        Entry::new(StreamId::new(sequence + 1, 0), Body::Document { version: 1, data: tick.to_string().into() })
    };
    (0..count).map(entry).collect()
}

/// Takes these ticks in one batch, and says of how many the place is one that a tick keeps.
fn taken(from: &DataHash, entries: &[Entry]) -> (DataHash, usize) {
    let (mut standing, mut shared) = (Standing::Own(from.clone()), 0);
    for entry in entries {
        standing.take(entry.lend().unwrap());
        shared += usize::from(matches!(standing, Standing::After(_)));
    }
    (standing.into_hash(), shared)
}

fn plainly(from: &DataHash, entries: &[Entry]) -> DataHash {
    let mut data = from.clone();
    for entry in entries {
        data.update(entry.decode::<LinedTick>().unwrap().line());
    }
    data
}

#[test]
fn strategies_that_take_the_same_ticks_have_the_plain_hash_and_share_it() {
    let (entries, start) = (entries(200), DataHash::default());
    let whole = plainly(&start, &entries);
    for batch in [200, 1, 7, 64] {
        let mut data = start.clone();
        for part in entries.chunks(batch) {
            let (after, shared) = taken(&data, part);
            assert_eq!(shared, part.len(), "each of its ticks was hashed once for all");
            data = after;
        }
        assert_eq!(data, whole, "in batches of {batch}");
    }
}

#[test]
fn a_restart_in_the_middle_goes_on_where_the_others_are() {
    let (entries, start) = (entries(100), DataHash::default());
    let whole = taken(&start, &entries).0;
    for cut in [0, 1, 50, 99] {
        let saved = serde_json::to_string(&taken(&start, &entries[..cut]).0).unwrap();
        let restarted = taken(&serde_json::from_str(&saved).unwrap(), &entries[cut..]);
        assert_eq!((&restarted.0, restarted.1), (&whole, 100 - cut), "restarted after {cut}");
    }
    assert_eq!(whole, plainly(&start, &entries));
}

#[test]
fn who_took_other_ticks_has_a_hash_of_its_own_whoever_comes_first() {
    let start = DataHash::default();
    for late_first in [false, true] {
        let entries = entries(100);
        let late = || taken(&start, &entries[40..]);
        // It left one out that the others took.
        let gap = || taken(&taken(&start, &entries[..60]).0, &entries[61..]);
        let all = || taken(&start, &entries);
        let (all, late, gap) = if late_first {
            let (late, gap) = (late(), gap());
            (all(), late, gap)
        } else {
            let all = all();
            (all, late(), gap())
        };
        assert_eq!(all.0, plainly(&start, &entries));
        assert_eq!(late.0, plainly(&start, &entries[40..]));
        assert_eq!(gap.0, plainly(&plainly(&start, &entries[..60]), &entries[61..]));
        assert_eq!((all.1 == 100, late.1 == 60), (!late_first, late_first), "ticks know of one place each");
    }
}

#[test]
fn a_tick_that_is_kept_as_something_else_is_hashed_too() {
    let (entries, start) = (entries(10), DataHash::default());
    for entry in &entries[3..6] {
        entry.decode_once::<Tick>().unwrap();
    }
    for _ in 0..2 {
        let (data, shared) = taken(&start, &entries);
        assert_eq!((data, shared), (plainly(&start, &entries), 7));
    }
}

fn spec() -> StrategySpec {
    serde_json::from_value(json!({
        "name": "g", "generation": 1,
        "spec": {"accountRef": {"name": "paper"}, "capital": {"USDT": 3000}, "strategy": {"grid": {}},
            "instruments": [{"symbol": "BNB/USDT", "rules": {"lotSize": "0.001", "tickSize": "0.01"}}]},
        "account": {"name": "paper", "spec": {"venue": {"paper": {"balances": {}}},
            "marketData": {"replay": {"file": "d.csv"}}}}
    }))
    .unwrap()
}

#[test]
fn a_hash_of_other_ticks_than_the_engine_took_is_none() {
    let registry = engine::strategies::Registry::standard();
    let mut engine = crate::roles::saved::engine(&spec(), "abc", None, &registry).unwrap();
    let mut data = DataHash::default();
    for sequence in 0..3 {
        let tick: Tick = serde_json::from_value(json!({"symbol": "BNB/USDT", "price": "600", "volume": "0",
            "time": 1_700_000_000_000_u64 + sequence, "received": 0, "sequence": sequence}))
        .unwrap();
        let saved = serde_json::to_string(&data).unwrap();
        assert_eq!(DataHash::saved(Some(&saved), &engine).map(|saved| saved.hex()), Some(data.hex()));
        let _ = engine.step(tick.event_time(), engine::Event::Tick(tick.clone()));
        // The release before goes on without it.
        assert!(DataHash::saved(Some(&saved), &engine).is_none());
        data.update(&line(&tick));
    }
    assert!(DataHash::saved(None, &engine).is_none() && DataHash::saved(Some("{}"), &engine).is_none());
}

#[test]
fn what_changed_in_the_middle_is_left_out_for_good() {
    let made = |value: &Made| serde_json::to_string(value).unwrap();
    let (first, mut edited) = (spec(), spec());
    edited.spec.strategy.grid = serde_json::from_value(json!({"gridSizePercent": 3})).unwrap();
    let begun = Made::of(&first);
    assert_eq!(Made::saved(Some(&made(&begun))).going_on(&first), begun);
    let changed = Made::saved(Some(&made(&begun))).going_on(&edited);
    assert_eq!((&changed.parameters, &changed.program), (&None, &begun.program));
    assert_eq!(Made::saved(Some(&made(&changed))).going_on(&first), changed);
    assert_eq!(Made::saved(None).going_on(&first), Made::default());
}

/// Written as they are by default they are the same parameters, where there is a default; elsewhere they are others.
#[test]
fn position_limits_are_hashed_with_the_defaults_of_the_strategy() {
    let (bounds, none) = ("\"maxPositionPercent\":\"90\",\"maxTickAgeSeconds\":5,\"minPositionPercent\":\"10\"", "");
    for (strategy, default) in [
        (json!({"grid": {}}), bounds),
        (json!({"positionControl": {}}), bounds),
        (json!({"ladder": {"lowerPrice": 500, "upperPrice": 700}}), bounds),
        (json!({"custom": {"name": "mine"}}), none),
        (json!({"process": {"command": ["a"]}}), none),
    ] {
        let with = |risk: Value| {
            let mut text = serde_json::to_value(spec()).unwrap();
            (text["spec"]["strategy"], text["spec"]["risk"]) = (strategy.clone(), risk);
            parameters(&serde_json::from_value(text).unwrap())
        };
        let left_out = with(json!({}));
        let written = with(json!({"minPositionPercent": 10, "maxPositionPercent": "90.0"}));
        assert!(written.contains(bounds), "{written}");
        assert_eq!(left_out == written, !default.is_empty(), "{strategy}");
        assert!(left_out.contains(default) && left_out.contains("PositionPercent") != default.is_empty(), "{left_out}");
        // One of the two, and none that the manifest did not name.
        let one = with(json!({"minPositionPercent": 20}));
        assert_eq!(one.contains("maxPositionPercent"), !default.is_empty(), "{one}");
    }
}

#[test]
fn parameters_are_hashed_with_their_defaults_and_sorted_keys() {
    let spec = spec();
    let expected = "{\"instruments\":[{\"rules\":{\"lotSize\":\"0.001\",\"minNotional\":\"0\",\
                    \"tickSize\":\"0.01\"},\"symbol\":\"BNB/USDT\"}],\"risk\":{\"maxOrdersPerMinute\":10,\
                    \"maxPositionPercent\":\"90\",\"maxTickAgeSeconds\":5,\"minPositionPercent\":\"10\"},\
                    \"strategy\":{\"grid\":{\"flipThresholdFactor\":\"0.2\",\"gridSizePercent\":\"2\",\
                    \"maxSlippagePercent\":\"0.1\",\"minTradeIntervalSeconds\":30,\"orderPercent\":\"10\"}}}";
    assert_eq!(parameters(&spec), expected);
    let mut adaptive = spec.clone();
    adaptive.spec.strategy.grid = serde_json::from_value(json!({"adaptive": {"minPercent": "1.00"}})).unwrap();
    let grid = "{\"adaptive\":{\"basePercent\":\"2.5\",\"centreVolatility\":\"0.25\",\"maxPercent\":\"4\",\
                \"minPercent\":\"1\",\"sensitivity\":\"10\"},\"flipThresholdFactor\":\"0.2\",\"maxSlippagePercent\":\"0.1\"";
    assert!(parameters(&adaptive).contains(grid), "{}", parameters(&adaptive));
    assert_eq!(program(&spec), RunningHash::of(&format!("{}\ngrid\n", env!("CARGO_PKG_VERSION"))));
    let mut other = spec.clone();
    other.spec.capital.clear();
    assert_eq!(parameters(&other), expected, "capital is no parameter");
    let mut text = serde_json::to_value(&spec).unwrap();
    text["spec"]["instruments"][0]["rules"]["lotSize"] = json!("0.0010");
    text["spec"]["strategy"]["grid"]["gridSizePercent"] = json!("2.00");
    let other: StrategySpec = serde_json::from_value(text).unwrap();
    assert_eq!(parameters(&other), expected, "the same, written otherwise");
}

//! Streams: frames as recorded, trades without a hole, klines that are the sum of them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::client::{Stream, frames, get, recording, resume, server};

#[test]
fn a_recording_comes_out_as_it_was_recorded() {
    let server = server(&["--recording", &recording(), "--as-recorded", "--paused", "--speed", "5"]);
    let mut stream = Stream::open(&server, "/stream?streams=btcusdt@trade/btcusdt@bookTicker/btcusdt@depth@100ms");
    let recorded = frames(&recording(), |frame| frame.starts_with("{\"stream\""));
    assert_eq!(recorded.len(), 399);
    resume(&server);
    stream.gives(&recorded);
}

#[test]
fn trades_are_numbered_without_a_hole_when_a_recording_begins_again() {
    let server = server(&["--recording", &recording(), "--loop", "--paused", "--speed", "20"]);
    let mut stream = Stream::open(&server, "/ws/btcusdt@trade");
    resume(&server);
    let first = stream.json();
    let (mut id, mut time) = (first["t"].as_u64().expect("an id"), first["T"].as_i64().expect("a time"));
    for _ in 0..69 * 3 {
        let trade = stream.json();
        assert_eq!(trade["t"], id + 1);
        assert!(trade["T"].as_i64().is_some_and(|next| next >= time), "{trade} after {time}");
        (id, time) = (id + 1, trade["T"].as_i64().expect("a time"));
    }
}

/// What a client makes of the trades of one interval: open, high, low, close, volume, count, first and last id.
#[derive(Debug, Clone, PartialEq)]
struct Bar {
    prices: [String; 4],
    volume: i128,
    count: u64,
    ids: (u64, u64),
}

fn units(value: &Value) -> i128 {
    value.as_str().expect("a decimal").replace('.', "").parse().expect("eight decimals")
}

fn add(bars: &mut BTreeMap<i64, Bar>, trade: &Value, step: i64) {
    let price = trade["p"].as_str().expect("a price").to_owned();
    let (id, time) = (trade["t"].as_u64().expect("an id"), trade["T"].as_i64().expect("a time"));
    let (quantity, at) = (units(&trade["q"]), time.div_euclid(step) * step);
    let bar = bars.entry(at).or_insert_with(|| Bar {
        prices: std::array::from_fn(|_| price.clone()),
        volume: 0,
        count: 0,
        ids: (id, id),
    });
    let value = |text: &str| units(&Value::from(text));
    if value(&price) > value(&bar.prices[1]) {
        bar.prices[1].clone_from(&price);
    }
    if value(&price) < value(&bar.prices[2]) {
        bar.prices[2].clone_from(&price);
    }
    bar.prices[3] = price;
    (bar.volume, bar.count, bar.ids.1) = (bar.volume + quantity, bar.count + 1, id);
}

#[test]
fn klines_are_the_trades_that_were_sent() {
    let seed = std::process::id().to_string();
    let server = server(&["--random", &seed, "--as-recorded", "--paused", "--speed", "120"]);
    let mut trades = Stream::open(&server, "/ws/btcusdt@trade");
    let mut klines = Stream::open(&server, "/ws/btcusdt@kline_1m");
    resume(&server);
    let first = trades.json();
    let begin = first["T"].as_i64().expect("a time");
    let (mut minutes, mut seconds) = (BTreeMap::new(), BTreeMap::new());
    let mut trade = first;
    // Four minutes, and the trade that ends the last of them.
    while trade["T"].as_i64().expect("a time") < begin.div_euclid(60_000) * 60_000 + 240_000 {
        add(&mut minutes, &trade, 60_000);
        add(&mut seconds, &trade, 1_000);
        trade = trades.json();
    }
    assert_eq!(minutes.len(), 4, "seed {seed}");
    for (interval, bars) in [("1m", &minutes), ("1s", &seconds)] {
        let end = begin.div_euclid(60_000) * 60_000 + 239_999;
        let path =
            format!("/api/v3/klines?symbol=BTCUSDT&interval={interval}&limit=1000&startTime={begin}&endTime={end}");
        let path = if interval == "1m" { path.replace(&format!("startTime={begin}&"), "startTime=0&") } else { path };
        let rows = get(&server, &path).json();
        let mut compared = 0;
        for row in rows.as_array().expect("rows") {
            let open = row[0].as_i64().expect("a time");
            let Some(bar) = bars.get(&open) else {
                assert_eq!((row[5].as_str(), row[8].as_u64()), (Some("0.00000000"), Some(0)), "seed {seed}: {row}");
                continue;
            };
            let prices: [String; 4] = std::array::from_fn(|at| row[at + 1].as_str().expect("a price").to_owned());
            assert_eq!((&prices, units(&row[5])), (&bar.prices, bar.volume), "seed {seed}, {interval} at {open}");
            assert_eq!(row[8].as_u64(), Some(bar.count), "seed {seed}, {interval} at {open}");
            compared += 1;
        }
        // The first second may begin before its first trade was asked for.
        assert!(compared + 1 >= bars.len(), "seed {seed}: {compared} of {} {interval}", bars.len());
    }
    // The stream ends each kline once, as it is.
    for (open, bar) in &minutes {
        let closed = std::iter::repeat_with(|| klines.json()).find(|event| event["k"]["x"] == true).expect("a kline");
        let kline = &closed["k"];
        let prices = ["o", "h", "l", "c"].map(|key| kline[key].as_str().expect("a price").to_owned());
        assert_eq!(
            (kline["t"].as_i64(), &prices, units(&kline["v"])),
            (Some(*open), &bar.prices, bar.volume),
            "seed {seed}"
        );
        assert_eq!((kline["f"].as_u64(), kline["L"].as_u64()), (Some(bar.ids.0), Some(bar.ids.1)), "seed {seed}");
    }
}

#[test]
fn events_have_the_keys_of_documented_ones() {
    let text = include_str!("../../testdata/answers.jsonl");
    let server = server(&["--random", "3", "--paused", "--speed", "60"]);
    let mut seen = 0;
    for line in text.lines() {
        let sample: Value = serde_json::from_str(line).expect("JSON");
        let Some(kind) = sample["stream"].as_str() else { continue };
        let kind = kind.replace("kline_8h", "kline_1m");
        let mut stream = Stream::open(&server, &format!("/ws/btcusdt@{kind}"));
        resume(&server);
        let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        let ours = stream.json();
        let mut expected = keys(&sample["response"]);
        // The exchange has ceased to send the ids of the orders; the recording has none.
        expected.retain(|key| kind != "trade" || !["a", "b"].contains(&key.as_str()));
        assert_eq!(keys(&ours), expected, "{kind}");
        if ours["k"].is_object() {
            assert_eq!(keys(&ours["k"]), keys(&sample["response"]["k"]), "{kind}");
        }
        seen += 1;
    }
    assert_eq!(seen, 6);
}

#[test]
fn aggregates_hold_every_trade_once() {
    let server = server(&["--recording", &recording(), "--loop", "--paused", "--speed", "20"]);
    let mut stream = Stream::open(&server, "/ws/btcusdt@aggTrade");
    resume(&server);
    let first = stream.json();
    let (mut id, mut last) = (first["a"].as_u64().expect("an id"), first["l"].as_u64().expect("an id"));
    let mut several = 0;
    for _ in 0..60 {
        let next = stream.json();
        assert_eq!((next["a"].as_u64(), next["f"].as_u64()), (Some(id + 1), Some(last + 1)));
        (id, last) = (id + 1, next["l"].as_u64().expect("an id"));
        several += usize::from(next["f"] != next["l"]);
    }
    assert!(several > 0, "the recording holds trades at one time and price");
}

//! Futures: frames as recorded, each on its route, requests under their paths, with the keys that were recorded.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::{Came, Stream, assert_keys, frames, get, keys, lines, repository, resume, server};

const PUBLIC: &str = "/public/stream?streams=btcusdt@trade/btcusdt@bookTicker";

/// 400 frames of two seconds: 59 trades.
fn recording() -> String {
    repository().join("worker/venue/testdata/binance-usdm-btcusdt-20240808.gz").display().to_string()
}

#[test]
fn a_recording_of_futures_comes_out_as_it_was_recorded() {
    let server =
        server(&["--product", "usdm", "--recording", &recording(), "--as-recorded", "--paused", "--speed", "5"]);
    let mut stream = Stream::open(&server, PUBLIC);
    let is_public = |frame: &str| frame.contains("@trade\"") || frame.contains("@bookTicker\"");
    let recorded = frames(&recording(), is_public);
    assert_eq!(recorded.len(), 360);
    resume(&server);
    stream.gives(&recorded);
}

#[test]
fn a_stream_comes_on_its_route_alone_and_is_taken_on_each() {
    let server = server(&["--product", "usdm", "--recording", &recording(), "--loop", "--paused"]);
    let both = r#"{"method": "SUBSCRIBE", "params": ["btcusdt@trade", "btcusdt@aggTrade"], "id": 1}"#;
    let mut streams = ["/public/stream", "/market/stream", "/stream"].map(|path| Stream::open(&server, path));
    for stream in &mut streams {
        assert_eq!(stream.ask(both), json!({"result": null, "id": 1}));
    }
    resume(&server);
    for (stream, expected) in streams.iter_mut().zip(["btcusdt@trade", "btcusdt@aggTrade", "btcusdt@trade"]) {
        for _ in 0..60 {
            assert_eq!(stream.json()["stream"], expected);
        }
    }
    assert!(Stream::try_open(&server, "/private/stream").is_err());
}

#[test]
fn aggregates_are_the_trades_that_were_sent() {
    let server = server(&["--product", "usdm", "--recording", &recording(), "--loop", "--paused", "--speed", "5"]);
    let mut trades = Stream::open(&server, "/public/ws/btcusdt@trade");
    let mut aggregates = Stream::open(&server, "/market/ws/btcusdt@aggTrade");
    resume(&server);
    let units = |text: &Value| text.as_str().unwrap().replace('.', "").parse::<u64>().expect("three decimals");
    let (mut last, mut number) = (None, None);
    for _ in 0..100 {
        let aggregate = aggregates.json();
        let id = aggregate["a"].as_u64().unwrap();
        assert!(number.is_none_or(|before| id == before + 1), "{aggregate}");
        number = Some(id);
        let [from, to] = ["f", "l"].map(|field| aggregate[field].as_u64().unwrap());
        assert!(last.is_none_or(|last| from == last + 1), "{aggregate}");
        let mut quantity = 0;
        for expected in from..=to {
            let trade = trades.json();
            assert_eq!((trade["t"].as_u64(), &trade["p"]), (Some(expected), &aggregate["p"]));
            quantity += units(&trade["q"]);
        }
        assert_eq!(quantity, units(&aggregate["q"]));
        last = Some(to);
    }
}

#[test]
fn a_trade_outside_the_market_has_a_number_and_moves_no_price() {
    let changed = |line: &String| {
        let is_third = line.contains("5266583938");
        let (price, other) = ("\"X\":\"MARKET\"", "\"X\":\"INSURANCE_FUND\"");
        if is_third { line.replace(price, other) } else { line.clone() }
    };
    let text: Vec<String> = lines(&recording()).iter().map(changed).collect();
    assert!(text.iter().any(|line| line.contains("INSURANCE_FUND")));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("prints.txt");
    std::fs::write(&file, text.join("\n")).expect("it can be written");
    let file = file.display().to_string();
    let server = server(&["--product", "usdm", "--recording", &file, "--as-recorded", "--paused", "--speed", "5"]);
    let mut stream = Stream::open(&server, "/public/ws/btcusdt@trade");
    resume(&server);
    let trades: Vec<Value> = (0..59).map(|_| stream.json()).collect();
    let numbers: Vec<u64> = trades.iter().map(|trade| trade["t"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|two| two[1] == two[0] + 1), "{numbers:?}");
    assert_eq!(trades.iter().filter(|trade| trade["X"] == "INSURANCE_FUND").count(), 1);
    let rows = get(&server, "/fapi/v1/klines?symbol=BTCUSDT&interval=1m").json();
    let count: u64 = rows.as_array().unwrap().iter().map(|row| row[8].as_u64().unwrap()).sum();
    assert_eq!(count, 58);
}

#[test]
fn a_stream_of_trades_that_is_given_up_is_taken_and_silent() {
    let server = server(&["--product", "usdm", "--recording", &recording(), "--loop", "--without-trades"]);
    let mut stream = Stream::open(&server, "/public/stream");
    let both = r#"{"method": "SUBSCRIBE", "params": ["btcusdt@trade", "btcusdt@bookTicker"], "id": 1}"#;
    assert_eq!(stream.ask(both), json!({"result": null, "id": 1}));
    assert!((0..400).all(|_| stream.json()["stream"] == "btcusdt@bookTicker"));
    assert!(Stream::open(&server, "/market/ws/btcusdt@aggTrade").json()["a"].is_u64());
}

#[test]
fn answers_have_the_keys_of_recorded_ones() {
    let server = server(&["--product", "usdm", "--recording", &recording(), "--history", "1", "--paused", "--loop"]);
    let mut compared = BTreeSet::new();
    let text = include_str!("../../testdata/answers-usdm.jsonl");
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for answer in &answers {
        let Some(path) = answer["path"].as_str() else { continue };
        let is_of_all = path.contains("ticker") && answer["response"].is_array();
        let query = if is_of_all { "" } else { "symbol=BTCUSDT&interval=1m" };
        let ours = get(&server, &format!("{path}?{query}"));
        assert_eq!(ours.status, 200, "{path}: {}", ours.body);
        assert_keys(path, &ours.json(), &answer["response"]);
        compared.insert(path.to_owned());
    }
    assert_eq!(compared.len(), 9, "{compared:?}");
    resume(&server);
    for answer in &answers {
        let Some(kind) = answer["stream"].as_str() else { continue };
        let route = if kind == "bookTicker" { "public" } else { "market" };
        let ours = Stream::open(&server, &format!("/{route}/ws/btcusdt@{kind}")).json();
        assert_eq!(keys(&ours), keys(&answer["response"]), "{kind}");
        if kind.starts_with("kline") {
            assert_eq!(keys(&ours["k"]), keys(&answer["response"]["k"]));
        }
    }
    assert_eq!(get(&server, "/api/v3/time").status, 404);
    assert_eq!(get(&server, "/fapi/v1/avgPrice?symbol=BTCUSDT").status, 404);
    assert_eq!(get(&server, "/fapi/v1/klines?symbol=NO&interval=1m").json()["code"], -1121);
    let rules = get(&server, "/fapi/v1/exchangeInfo?symbol=NO").json();
    assert_eq!((&rules["symbols"][0]["symbol"], &rules["rateLimits"][0]["limit"]), (&json!("BTCUSDT"), &json!(2400)));
}

#[test]
fn a_connection_of_futures_has_bounds_of_its_own() {
    let server = server(&["--product", "usdm", "--recording", &recording(), "--loop"]);
    let mut stream = Stream::open(&server, "/market/stream");
    for id in 0..10 {
        assert_eq!(stream.ask(&format!(r#"{{"method": "LIST_SUBSCRIPTIONS", "id": {id}}}"#))["id"], id);
    }
    let mut stream = Stream::open(&server, "/market/stream");
    let many: Vec<String> = (0..201).map(|n| format!("m{n}usdt@aggTrade")).collect();
    stream.ask(&json!({"method": "SUBSCRIBE", "params": many, "id": 1}).to_string());
    assert_eq!(stream.came(), Came::Closed(1008));
}

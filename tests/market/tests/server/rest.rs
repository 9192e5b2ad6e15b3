//! Requests: keys as recorded, errors as documented, klines as the trades that were played.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::client::{assert_keys, candles, get, lines, recording, server};

fn answers() -> Vec<Value> {
    let text = include_str!("../../testdata/answers.jsonl");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn answers_have_the_keys_of_recorded_ones() {
    let server = server(&["--recording", &recording(), "--history", "1", "--paused"]);
    let mut compared = BTreeSet::new();
    for answer in answers() {
        let Some(path) = answer["path"].as_str() else { continue };
        let many = path.ends_with("24hr") && answer["response"].is_array();
        let query = if many { "symbols=%5B%22BTCUSDT%22%5D" } else { "symbol=BTCUSDT&interval=1m" };
        let ours = get(&server, &format!("{path}?{query}"));
        assert_eq!(ours.status, 200, "{path}: {}", ours.body);
        assert_keys(path, &ours.json(), &answer["response"]);
        compared.insert(path.to_owned());
    }
    // All routes of prices; exchangeInfo is the recorded answer itself, ping is empty.
    assert_eq!(compared.len(), 11, "{compared:?}");
}

#[test]
fn exchange_info_is_of_the_symbols_that_are_played() {
    let candles = format!("这是测试币456={}", candles());
    let server = server(&["--recording", &recording(), "--candles", &candles, "--paused"]);
    let all = get(&server, "/api/v3/exchangeInfo").json();
    let symbols: Vec<&str> =
        all["symbols"].as_array().expect("symbols").iter().filter_map(|rules| rules["symbol"].as_str()).collect();
    assert_eq!(symbols, ["BTCUSDT", "这是测试币456"]);
    assert_eq!(all["symbols"][0]["filters"][0]["tickSize"], "0.01000000");
    assert_eq!(all["rateLimits"][0]["limit"], 6000);
    let one = get(&server, "/api/v3/exchangeInfo?symbol=%E8%BF%99%E6%98%AF%E6%B5%8B%E8%AF%95%E5%B8%81456").json();
    assert_eq!(one["symbols"], Value::Array(vec![all["symbols"][1].clone()]));
    assert_eq!(get(&server, "/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22,%22NO%22%5D").json()["code"], -1121);
}

#[test]
fn bad_requests_get_the_codes_of_the_exchange() {
    let server = server(&["--recording", &recording(), "--paused"]);
    for (path, status, code) in [
        ("ticker/price?symbol=NOSUCH", 400, -1121),
        ("klines?symbol=BTCUSDT&interval=7m", 400, -1120),
        ("klines?symbol=BTCUSDT", 400, -1102),
        ("trades", 400, -1102),
        ("trades?symbol=btcusdt", 400, -1100),
        ("trades?symbol=BTCUSDT&limit=x", 400, -1100),
        ("trades?symbol=BTCUSDT&limit=0", 400, -1130),
        ("aggTrades?symbol=BTCUSDT&fromId=1&startTime=2", 400, -1128),
        ("klines?symbol=BTCUSDT&interval=1m&startTime=2&endTime=1", 400, -1106),
    ] {
        let answer = get(&server, &format!("/api/v3/{path}"));
        assert_eq!((answer.status, answer.json()["code"].as_i64()), (status, Some(code)), "{path}: {}", answer.body);
        assert!(answer.json()["msg"].as_str().is_some_and(|msg| !msg.is_empty()), "{path}");
    }
    let page = get(&server, "/api/v3/nothing");
    assert_eq!((page.status, page.header("content-type")), (404, Some("text/html")));
    assert!(page.body.starts_with("<html>"), "{}", page.body);
}

#[test]
fn weight_is_counted_told_and_limited() {
    let server = server(&["--recording", &recording(), "--paused", "--weight-limit", "27"]);
    let used = |path: &str| {
        let answer = get(&server, path);
        let weight = answer.header("x-mbx-used-weight-1m").map(|weight| weight.parse::<u64>().expect("a number"));
        (answer.status, weight.expect("a weight"))
    };
    assert_eq!(used("/api/v3/ping"), (200, 1));
    assert_eq!(used("/api/v3/trades?symbol=BTCUSDT"), (200, 26));
    assert_eq!(used("/api/v3/klines?symbol=BTCUSDT&interval=1m"), (429, 28));
    let answer = get(&server, "/api/v3/ping");
    assert_eq!((answer.status, answer.json()["code"].as_i64()), (429, Some(-1003)));
    assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok_and(|s| s <= 60)));
    let statuses: Vec<u16> = (0..10).map(|_| used("/api/v3/ping").0).collect();
    assert_eq!(statuses[9], 418, "who goes on is banned: {statuses:?}");
}

/// Open time, open, high, low, close, volume, in hundred-millionths.
type Candle = (i64, [i128; 5]);

fn units(text: &str) -> i128 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{part:0<8}").parse().expect("a decimal")
}

fn file() -> Vec<Candle> {
    let parse = |line: &String| {
        let columns: Vec<&str> = line.split(',').collect();
        (columns[0].parse().expect("a time"), std::array::from_fn(|at| units(columns[at + 1])))
    };
    lines(&candles()).iter().skip(1).map(parse).collect()
}

fn merged(candles: &[Candle], minutes: usize) -> Vec<Candle> {
    let merge = |chunk: &[Candle]| {
        let all = |at: usize| chunk.iter().map(move |candle| candle.1[at]);
        let (high, low) = (all(1).max().expect("candles"), all(2).min().expect("candles"));
        let last = chunk.last().expect("candles");
        (chunk[0].0, [chunk[0].1[0], high, low, last.1[3], all(4).sum()])
    };
    candles.chunks(minutes).map(merge).collect()
}

fn answered(rows: &Value) -> Vec<Candle> {
    let row = |row: &Value| {
        let cell = |at: usize| units(row[at].as_str().expect("a decimal"));
        (row[0].as_i64().expect("a time"), std::array::from_fn(|at| cell(at + 1)))
    };
    rows.as_array().expect("rows").iter().map(row).collect()
}

#[test]
fn klines_of_all_intervals_are_the_candles_that_were_played() {
    let candles = format!("BTCBUSD={}", candles());
    let options = ["--candles", &candles, "--as-recorded", "--from", "2022-12-14T00:00:00Z", "--paused"];
    let server = server(&options);
    let file = file();
    let begin = file[0].0;
    for (interval, minutes) in
        [("1m", 1), ("3m", 3), ("5m", 5), ("15m", 15), ("30m", 30), ("1h", 60), ("2h", 120), ("4h", 240), ("1d", 1440)]
    {
        let expected = merged(&file, minutes);
        let mut rows = Vec::new();
        let mut start = begin;
        loop {
            let path = format!("/api/v3/klines?symbol=BTCBUSD&interval={interval}&limit=1000&startTime={start}");
            let page = answered(&get(&server, &path).json());
            let Some(last) = page.last() else { break };
            start = last.0 + 1;
            rows.extend(page);
        }
        assert_eq!(rows, expected, "{interval}");
        let newest = get(&server, &format!("/api/v3/klines?symbol=BTCBUSD&interval={interval}&limit=2"));
        assert_eq!(answered(&newest.json()), expected[expected.len().saturating_sub(2)..], "{interval}, newest");
        let end = begin + 3_600_000 - 1;
        let older = get(&server, &format!("/api/v3/klines?symbol=BTCBUSD&interval={interval}&endTime={end}"));
        let inside: Vec<Candle> = expected.iter().filter(|candle| candle.0 <= end).copied().collect();
        assert_eq!(answered(&older.json()), inside, "{interval}, older");
    }
    // The week and the month that it lies in have one kline each.
    for (interval, open) in [("1w", 1_670_803_200_000_i64), ("1M", 1_669_852_800_000)] {
        let rows = get(&server, &format!("/api/v3/klines?symbol=BTCBUSD&interval={interval}")).json();
        assert_eq!((rows.as_array().map(Vec::len), rows[0][0].as_i64()), (Some(1), Some(open)), "{interval}");
    }
    let trades = get(&server, "/api/v3/historicalTrades?symbol=BTCBUSD&fromId=1&limit=4").json();
    let times: Vec<i64> = trades.as_array().expect("trades").iter().filter_map(|t| t["time"].as_i64()).collect();
    assert_eq!(times, [0, 15_000, 30_000, 45_000].map(|step| begin + step));
}

#[test]
fn the_open_candle_is_answered_too() {
    let candles = format!("BTCBUSD={}", candles());
    let server = server(&["--candles", &candles, "--as-recorded", "--from", "2022-12-13T00:10:20Z", "--paused"]);
    let rows = get(&server, "/api/v3/klines?symbol=BTCBUSD&interval=5m").json();
    let rows = rows.as_array().expect("rows");
    let last = rows.last().expect("klines");
    assert_eq!(rows.len(), 3);
    // Two of the first minute's four trades have come.
    assert_eq!((last[0].as_i64(), last[8].as_i64()), (Some(file()[10].0), Some(2)), "{last}");
}

//! `backtest` trades while it reads its data: what is wrong with them comes last, and nothing of it is a result.

use std::fmt::Write as _;

use super::folder::{Folder, MANIFEST, START_MS, STEP_MS, with};

/// Prices that trade every few ticks.
fn price(tick: i64) -> i64 {
    600 + [0, 9, 18, 14, 3, -8, -16, -11][usize::try_from(tick.rem_euclid(8)).unwrap()]
}

fn ticks(count: i64) -> String {
    (0..count).fold("time,price\n".to_owned(), |mut text, tick| {
        writeln!(text, "{},{}", START_MS + STEP_MS * tick, price(tick)).unwrap();
        text
    })
}

#[test]
fn a_bad_row_behind_many_trades_leaves_no_result() {
    let folder = Folder::of(MANIFEST, &ticks(20_000));
    assert!(folder.worker("backtest grid.yaml --data prices.csv").stdout.matches("\"side\"").count() > 100);
    let folder = Folder::of(MANIFEST, &format!("{}{},abc\n", ticks(20_000), START_MS + STEP_MS * 20_000));
    let words = "prices.csv:20002: price: \"abc\" is not a plain decimal; write it like 600 or 0.25";
    folder.refuses("backtest grid.yaml --data prices.csv", 4, words);
}

#[test]
fn of_two_bad_files_the_first_named_is_told() {
    let folder = Folder::of(MANIFEST, "time,price\n1700000000000,600\n1700000060000,x\n");
    folder.write("later.csv", "time,price\n1800000000000,600\n1800000060000,y\n");
    for (first, second, words) in [
        ("later.csv", "prices.csv", "later.csv:3: price: \"y\""),
        ("prices.csv", "later.csv", "prices.csv:3: price: \"x\""),
    ] {
        let words = format!("{words} is not a plain decimal; write it like 600 or 0.25");
        folder.refuses(&format!("backtest grid.yaml --data {first} --data {second}"), 4, &words);
    }
}

/// Candles that are two minutes apart for so long that they seem to last so long, and then one.
fn candles() -> String {
    let mut time = START_MS / 60_000 * 60_000;
    (0..9_000).fold("open_time_ms,open,high,low,close,volume\n".to_owned(), |mut text, candle| {
        let (open, close) = (price(candle), price(candle + 1));
        writeln!(text, "{time},{open},{},{},{close},1", open.max(close) + 1, open.min(close) - 1).unwrap();
        time += if candle < 5_000 { 120_000 } else { 60_000 };
        text
    })
}

/// The ticks of [`candles`] by the contract: open, low, high, close or open, high, low, close, a quarter apart.
fn quarters() -> String {
    let mut time = START_MS / 60_000 * 60_000;
    (0..9_000).fold("time,price,volume\n".to_owned(), |mut text, candle| {
        let (open, close) = (price(candle), price(candle + 1));
        let (high, low) = (open.max(close) + 1, open.min(close) - 1);
        let path = if close >= open { [open, low, high, close] } else { [open, high, low, close] };
        for (quarter, price) in (0..).zip(path) {
            writeln!(text, "{},{price},{}", time + quarter * 15_000, i64::from(quarter == 3)).unwrap();
        }
        time += if candle < 5_000 { 120_000 } else { 60_000 };
        text
    })
}

#[test]
fn candles_whose_length_shows_late_trade_as_if_it_had_been_known() {
    let folder = Folder::of(MANIFEST, &quarters());
    folder.write("candles.csv", candles());
    let second = with(MANIFEST.split_once("---\n").unwrap().1, "tickSize: \"0.01\"", "tickSize: \"0.02\"");
    folder.write("grid.yaml", format!("{MANIFEST}---\n{}", with(&second, "grid-bnb-1", "second")));
    let results = |data: &str| {
        let finished = folder.worker(&format!("backtest grid.yaml --data {data}"));
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        let lines = finished.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.map(|line| (line["trades"].clone(), line["hashes"]["data"].clone())).collect::<Vec<_>>()
    };
    let (known, late) = (results("prices.csv"), results("candles.csv"));
    assert!(known.len() == 2 && known[0].0.as_array().unwrap().len() > 100);
    assert_eq!(late, known);
}

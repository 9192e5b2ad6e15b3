//! A recording that lacks trades and holds the venue's own bars of them: `run` replays it as `backtest` does, and bars are as
//! without the hole.

use std::fmt::Write as _;
use std::ops::Range;

use engine::market::{Bar, BarSeries, Interval, LookBack};
use serde_json::Value;
use venue::replay::{Replay, whole_bars};

use super::folder::Folder;

const BARS: Interval = Interval::FourHours;
/// Trades in a bar, and in all.
const IN_BAR: i64 = 8;
const TRADES: i64 = 60 * IN_BAR;
const START_MS: i64 = 1_700_006_400_000;

const MANIFEST: &str = r#"apiVersion: glm.trading/v1alpha1
kind: TradingAccount
metadata: {name: paper}
spec:
  venue: {paper: {balances: {USDT: 10000, BTC: 1}, fees: {takerPercent: "0.1"}}}
  marketData: {replay: {file: recording}}
---
apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata: {name: adaptive}
spec:
  accountRef: {name: paper}
  instruments: [{symbol: BTC/USDT, rules: {tickSize: "0.01", lotSize: "0.00001"}}]
  capital: {USDT: 5000, BTC: "0.1"}
  strategy: {grid: {adaptive: {minPercent: "0.2", basePercent: "1.2"}, orderPercent: 5}}
"#;

/// A recording of all trades but these, with these bars behind it.
fn recording(missing: &Range<i64>, bars: &[Bar]) -> String {
    let mut text = String::new();
    for id in (0..TRADES).filter(|id| !missing.contains(id)) {
        let time = START_MS + id * BARS.millis() / IN_BAR;
        let price = 60_000 + (id * id * 7_919) % 601;
        writeln!(
            text,
            "{time}000000 {{\"stream\":\"btcusdt@bookTicker\",\"data\":{{\"u\":{id},\"s\":\"BTCUSDT\",\"b\":\"{price}\",\"B\":\"2\",\"a\":\"{price}\",\"A\":\"3\"}}}}\n\
             {time}000000 {{\"stream\":\"btcusdt@trade\",\"data\":{{\"e\":\"trade\",\"E\":{time},\"s\":\"BTCUSDT\",\"t\":{id},\"p\":\"{price}\",\"q\":\"0.{}\",\"T\":{time},\"m\":true,\"M\":true}}}}",
            id % 7 + 1
        )
        .unwrap();
    }
    if !bars.is_empty() {
        let bars = whole_bars(&"BTC/USDT".parse().unwrap(), BARS, bars);
        writeln!(text, "1800000000000000000 {bars}").unwrap();
    }
    text
}

/// The bars that a recording of all trades makes.
fn all_bars(folder: &Folder) -> Vec<Bar> {
    folder.write("whole", recording(&(0..0), &[]));
    let summary = Replay::scan(&[folder.path().join("whole")], &"BTC/USDT".parse().unwrap()).unwrap();
    let mut series = BarSeries::new(BARS, LookBack::new(1_000).unwrap());
    for tick in Replay::open(summary) {
        series.take(&tick.unwrap());
    }
    series.bars().to_vec()
}

/// What of a result `backtest` and the last status of `run` both tell: profit, trades and the grid's size.
fn outcome(folder: &Folder, recording: &str) -> [Value; 3] {
    folder.write("recording", recording);
    let backtest = folder.worker("backtest grid.yaml --data recording --output json").stdout;
    let backtest: Value = serde_json::from_str(&backtest).unwrap();
    let run = folder.worker("run grid.yaml --output json").stdout;
    let status = run.lines().last().map(|line| serde_json::from_str::<Value>(line).unwrap()["status"].clone()).unwrap();
    let figures = |pnl: &Value, orders: &Value, strategy: &Value| {
        [pnl.clone(), orders["filled"].clone(), strategy["gridSizePercent"].clone()]
    };
    let figures_of_run = figures(&status["pnl"], &status["orders"], &status["strategy"]);
    let figures = figures(&backtest["pnl"], &backtest["orders"], &backtest["final"]["strategy"]);
    assert_eq!(figures_of_run, figures);
    figures
}

#[test]
fn a_replay_has_the_whole_bars_of_its_recording_as_backtest_has_them() {
    let folder = Folder::of(MANIFEST, "");
    let bars = all_bars(&folder);
    let full = outcome(&folder, &recording(&(0..0), &[]));
    assert!(full[1].as_u64() > Some(0) && full[2].is_string(), "{full:?}");
    // From within bar 50 to within bar 53.
    let missing = 50 * IN_BAR + 3..53 * IN_BAR + 2;
    let lacking = outcome(&folder, &recording(&missing, &[]));
    assert_ne!(lacking[2], full[2], "a hole changes the bars");
    let whole = outcome(&folder, &recording(&missing, &bars[50..=53]));
    assert_eq!(whole[2], full[2]);
}

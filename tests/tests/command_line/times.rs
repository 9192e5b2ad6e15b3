//! Times on the screen: no two lines at different times read alike.

use super::folder::{Folder, MANIFEST, START_MS};

/// Ticks at these times after the start, with their prices.
fn at(rows: &[(i64, &str)]) -> String {
    let rows = rows.iter().map(|(after, price)| format!("{},{price}\n", START_MS + after));
    format!("time,price\n{}", rows.collect::<String>())
}

/// The times of the trades that `run -v` shows.
fn times(data: &str) -> Vec<String> {
    let run = Folder::of(MANIFEST, data).worker("run grid.yaml -v");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let trades = run.stderr.lines().filter(|line| line.contains(" @ ") && line.contains("  fee "));
    let times = trades.map(|line| line.trim_start().split_once("  ").unwrap().0.to_owned());
    times.collect()
}

const DAY_MS: i64 = 86_400_000;

#[test]
fn the_year_is_there_where_the_data_reach_into_another() {
    let years =
        at(&[(0, "600"), (400 * DAY_MS, "620"), (800 * DAY_MS, "612"), (1200 * DAY_MS, "580"), (1600 * DAY_MS, "586")]);
    assert_eq!(times(&years), ["2026-01-22 22:13", "2028-04-01 22:13"]);
    let days = at(&[(0, "600"), (DAY_MS, "620"), (2 * DAY_MS, "612"), (3 * DAY_MS, "580"), (4 * DAY_MS, "586")]);
    assert_eq!(times(&days), ["11-16 22:13", "11-18 22:13"]);
}

#[test]
fn seconds_and_milliseconds_are_there_where_ticks_are_so_dense() {
    let every =
        |step: i64| at(&[(0, "600"), (step, "620"), (2 * step, "612"), (40 * step, "580"), (400 * step, "586")]);
    assert_eq!(times(&every(60_000)), ["11-14 22:15", "11-15 04:53"]);
    assert_eq!(times(&every(5_000)), ["11-14 22:13:30", "11-14 22:46:40"]);
    assert_eq!(times(&every(100)), ["11-14 22:13:20.200", "11-14 22:14:00.000"]);
}

#[test]
fn a_candle_of_a_minute_has_ticks_that_are_denser() {
    let candle = |index: i64, prices: &str| format!("{},{prices},1\n", START_MS + 60_000 * index);
    let rows = [candle(0, "600,600,600,600"), candle(1, "606,620,605,619"), candle(2, "612,612,611,612")].concat();
    let data = format!("open_time_ms,open,high,low,close,volume\n{rows}");
    assert_eq!(times(&data), ["11-14 22:15:20"]);
    let run = Folder::of(MANIFEST, &data).worker("run grid.yaml");
    assert!(run.stderr.contains("3 candles, 2023-11-14 22:13:20 to 2023-11-14 22:15:20 UTC\n"), "{}", run.stderr);
}

#[test]
fn the_table_of_a_backtest_has_milliseconds_where_trades_have_them() {
    let data = at(&[(0, "600"), (100, "620"), (250, "612"), (60_000, "580"), (61_000, "586")]);
    let table = Folder::of(MANIFEST, &data).prints("backtest grid.yaml --data prices.csv --output table");
    for line in ["       2  2023-11-14 22:13:20.250  Sell  ", "       4  2023-11-14 22:14:21.000  Buy   "] {
        assert!(table.contains(line), "no {line:?} in:\n{table}");
    }
}

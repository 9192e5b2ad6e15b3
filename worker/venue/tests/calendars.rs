//! Candles off one grid: outages, days over a change of clocks, months. Each by its own end where the data say it.
#![allow(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

mod files;

use files::{Folder, scan, text, ticks};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// A row of Binance's download.
fn kline(open: i64, length: i64) -> String {
    format!("{open},5,9,2,6,1,{},8,9,4,3,0", open + length - 1)
}

/// Candles without their ends.
fn bare(opens: &[i64]) -> String {
    let rows = opens.iter().map(|open| format!("{open},5,9,2,6,1"));
    "open_time_ms,open,high,low,close,volume\n".to_owned() + &text(rows)
}

/// The time of each tick, interval, gaps, missing candles and the first row behind a gap.
fn read(content: &str) -> (Vec<i64>, Option<i64>, u64, u64, Option<String>) {
    let folder = Folder::new();
    let paths = [folder.write("a.csv", content)];
    let summary = scan(&paths);
    let times = ticks(&paths).iter().map(|tick| tick.event_time().millis()).collect();
    let gap = summary.first_gap.map(|place| folder.shortened(&place.to_string()));
    (times, summary.files[0].interval_ms, summary.gaps, summary.missing, gap)
}

fn quarters(candles: &[(i64, i64)]) -> Vec<i64> {
    candles.iter().flat_map(|(open, length)| (0..4).map(move |n| open + length * n / 4)).collect()
}

/// The hours around Binance's outage of February 2018, after which candles open at 28 minutes past.
const OUTAGE: [i64; 4] = [1_518_048_000_000, 1_518_051_600_000, 1_518_168_495_000, 1_518_172_095_000];

#[test]
fn an_outage_moves_candles_off_the_hour() {
    let gap = Some("a.csv:3".to_owned());
    let with_ends = text(OUTAGE.iter().map(|open| kline(*open, HOUR)));
    let times = quarters(&OUTAGE.map(|open| (open, HOUR)));
    assert_eq!(read(&with_ends), (times.clone(), Some(HOUR), 1, 31, gap));
    let gap = Some("a.csv:4".to_owned());
    assert_eq!(read(&bare(&OUTAGE)), (times, Some(HOUR), 1, 31, gap));
}

#[test]
fn a_candle_that_was_cut_short_ends_there() {
    // The exchange went down after 28 minutes and was back an hour later, at the full hour.
    let rows = [kline(0, HOUR), kline(HOUR, 1_680_000), kline(3 * HOUR, HOUR)];
    let times = quarters(&[(0, HOUR), (HOUR, 1_680_000), (3 * HOUR, HOUR)]);
    assert_eq!(read(&text(rows)), (times, Some(HOUR), 1, 1, Some("a.csv:3".to_owned())));
    // Off the hour until the grid is taken up again: the last one before it is short.
    let opens = [0, HOUR, 2 * HOUR + 1_695_000, 3 * HOUR + 1_695_000, 4 * HOUR, 5 * HOUR];
    let (times, interval, gaps, missing, _) = read(&bare(&opens));
    assert!(times.is_sorted());
    assert_eq!(times[12..16], quarters(&[(opens[3], 1_905_000)])[..]);
    assert_eq!((interval, gaps, missing), (Some(HOUR), 0, 0));
}

/// The first of each month of 2024 and of January 2025.
fn months() -> Vec<i64> {
    let mut opens = vec![1_704_067_200_000];
    for days in [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        opens.push(opens.last().unwrap() + days * DAY);
    }
    opens
}

#[test]
fn months_are_not_equally_long() {
    let opens = months();
    let lengths: Vec<(i64, i64)> = opens.windows(2).map(|pair| (pair[0], pair[1] - pair[0])).collect();
    let rows = text(lengths.iter().map(|(open, length)| kline(*open, *length)));
    assert_eq!(read(&rows), (quarters(&lengths), Some(31 * DAY), 0, 0, None));
    assert_eq!(read(&bare(&opens[..12])), (quarters(&lengths), Some(31 * DAY), 0, 0, None));

    // Without February, and without May and June.
    let kept: Vec<i64> = opens.iter().enumerate().filter(|(n, _)| ![1, 4, 5].contains(n)).map(|(_, t)| *t).collect();
    let (_, interval, gaps, missing, first) = read(&bare(&kept));
    assert_eq!((interval, gaps, missing, first.as_deref()), (Some(31 * DAY), 2, 3, Some("a.csv:3")));
}

#[test]
fn files_of_a_month_each_are_joined() {
    let folder = Folder::new();
    let opens = months();
    let file = |n: usize| folder.write(&format!("{n}.csv"), kline(opens[n], opens[n + 1] - opens[n]));
    let summary = scan(&(0..12).map(file).collect::<Vec<_>>());
    assert_eq!((summary.ticks, summary.gaps, summary.missing), (48, 0, 0));
    let summary = scan(&[0, 1, 3, 4].map(file));
    assert_eq!((summary.gaps, summary.missing), (1, 1));
    let gap = summary.first_gap.unwrap();
    assert_eq!(folder.shortened(&gap.to_string()), "3.csv:1");
    // Without ends: the last month of a file has at least 28 days, so the next file may begin there.
    let halves = [folder.write("a.csv", bare(&opens[..4])), folder.write("b.csv", bare(&opens[4..]))];
    assert_eq!(scan(&halves).missing, 0);
}

#[test]
fn days_over_a_change_of_clocks_have_23_or_25_hours() {
    // Midnight in New York from 2024-03-08 to 13 and around 2024-11-03.
    let day = |start: i64, lengths: &[i64]| {
        lengths
            .iter()
            .scan(start, |open, hours| Some(std::mem::replace(open, *open + hours * HOUR)))
            .collect::<Vec<_>>()
    };
    let spring = day(1_709_874_000_000, &[24, 24, 23, 24, 24]);
    let lengths: Vec<_> = spring.iter().copied().zip([24, 24, 23, 24, 24].map(|hours| hours * HOUR)).collect();
    assert_eq!(read(&bare(&spring)), (quarters(&lengths), Some(DAY), 0, 0, None));
    let autumn = day(1_730_433_600_000, &[24, 24, 25, 24, 24]);
    let lengths: Vec<_> = autumn.iter().copied().zip([24, 24, 25, 24, 24].map(|hours| hours * HOUR)).collect();
    assert_eq!(read(&bare(&autumn)), (quarters(&lengths), Some(DAY), 0, 0, None));
    // The day after the change is missing.
    let hole = [spring[0], spring[1], spring[2], spring[4]];
    let (_, interval, gaps, missing, first) = read(&bare(&hole));
    assert_eq!((interval, gaps, missing, first.as_deref()), (Some(DAY), 1, 1, Some("a.csv:5")));
}

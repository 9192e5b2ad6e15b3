//! The bars of a file of candles are its candles: of their own length each one exactly, of longer ones what they add up to,
//! counted apart from the product's code, on real data.
#![allow(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

mod files;

use std::io::Read;
use std::path::{Path, PathBuf};

use engine::market::{Bar, BarSeries, Interval, LOOK_BACK_MAX, LookBack};
use files::{testdata, ticks};
use flate2::read::GzDecoder;

/// Open time, open, high, low, close and volume, the numbers in units of 10^-8.
type Candle = (i64, [i128; 4], i128);

fn units(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= 8, "{text}");
    format!("{whole}{fraction:0<8}").parse().unwrap()
}

fn candles(path: &Path) -> Vec<Candle> {
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        (fields[0].parse().unwrap(), [1, 2, 3, 4].map(|n| units(fields[n])), units(fields[5]))
    };
    text.lines().skip(1).map(row).collect()
}

/// Those of a longer interval, by the open times of the shorter ones.
fn joined(candles: &[Candle], length: i64) -> Vec<Candle> {
    let mut joined: Vec<Candle> = Vec::new();
    for (time, prices, volume) in candles {
        let open_time = time - time.rem_euclid(length);
        match joined.last_mut() {
            Some((last, kept, sum)) if *last == open_time => {
                *kept = [kept[0], kept[1].max(prices[1]), kept[2].min(prices[2]), prices[3]];
                *sum += volume;
            }
            _ => joined.push((open_time, *prices, *volume)),
        }
    }
    joined
}

fn shown(bar: &Bar) -> Candle {
    let prices = [bar.open, bar.high, bar.low, bar.close].map(|price| units(&price.to_string()));
    (bar.open_time.millis(), prices, units(&bar.volume.to_string()))
}

/// All bars that the ticks of this file close.
fn bars(path: &PathBuf, interval: Interval) -> Vec<Candle> {
    let mut series = BarSeries::new(interval, LookBack::new(LOOK_BACK_MAX).unwrap());
    ticks(std::slice::from_ref(path)).iter().filter_map(|tick| series.take(tick).map(shown)).collect()
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/btcusdt-1h-2020q2.csv.gz")
}

#[test]
fn a_bar_of_the_files_own_interval_is_the_candle() {
    for path in [example(), testdata("candles-btcusdt-1h.csv.gz")] {
        let candles = candles(&path);
        // Nothing comes behind the last one, so nobody knows that it is over.
        assert_eq!(bars(&path, Interval::OneHour), candles[..candles.len() - 1]);
    }
}

#[test]
fn longer_bars_are_the_candles_together() {
    let candles = candles(&example());
    assert_eq!(candles.len(), 1_468);
    for interval in Interval::ALL.into_iter().filter(|interval| *interval > Interval::OneHour) {
        let expected = joined(&candles, interval.millis());
        assert_eq!(bars(&example(), interval), expected[..expected.len() - 1], "{interval}");
    }
}

/// A candle of an hour comes as a tick each quarter: no bar between them is invented.
#[test]
fn shorter_bars_are_the_ticks_that_a_candle_came_as() {
    let quarters = bars(&example(), Interval::FifteenMinutes);
    assert_eq!(quarters.len(), 4 * 1_468 - 1);
    assert!(quarters.iter().all(|(_, prices, _)| prices.iter().all(|price| *price == prices[0])));
    assert_eq!(bars(&example(), Interval::OneMinute).len(), quarters.len());
}

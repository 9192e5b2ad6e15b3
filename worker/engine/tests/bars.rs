//! Bars from ticks: what each table says, by hand.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use engine::market::{Bar, BarSeries, HistoryError, Interval, LOOK_BACK_MAX, LookBack, Unfinished};
use engine::messages::Tick;
use engine::time::{Timestamp, rfc3339};

/// A tick at this time, as `10:15:00 600 2`: time of the day, price, volume.
fn tick(day: &str, text: &str) -> Tick {
    let mut parts = text.split(' ');
    let mut next = || parts.next().unwrap();
    let time = rfc3339::parse(&format!("{day}T{}Z", next())).unwrap();
    let price = next().parse().unwrap();
    Tick { volume: next().parse().unwrap(), ..Tick::trade("BTC/USDT".parse().unwrap(), price, time, 0) }
}

fn series(interval: &str, look_back: usize) -> BarSeries {
    BarSeries::new(interval.parse().unwrap(), LookBack::new(look_back).unwrap())
}

/// As `10:00 600 612 598 601 v4 n3`: when it opens, its prices, volume, ticks.
fn shown(bar: &Bar) -> String {
    let text = rfc3339::text(bar.open_time);
    let clock = text.split_once('T').unwrap().1.trim_end_matches(":00Z");
    format!("{clock} {} {} {} {} v{} n{}", bar.open, bar.high, bar.low, bar.close, bar.volume, bar.ticks)
}

/// The bars of these ticks, and what each tick closed.
fn bars(interval: &str, ticks: &[&str]) -> Vec<String> {
    let mut series = series(interval, 10);
    let mut told = Vec::new();
    for text in ticks {
        told.extend(series.take(&tick("2020-05-01", text)).map(shown));
    }
    let kept: Vec<_> = series.bars().iter().map(shown).collect();
    assert_eq!(kept, told, "what is kept is what was told");
    kept
}

#[test]
fn a_bar_closes_when_a_tick_of_a_later_interval_comes_and_not_before() {
    let mut ticks = vec!["10:00:00 600 1", "10:14:59.999 612.50 2", "10:20:00 598 0", "10:59:59.999 601 1"];
    assert_eq!(bars("1h", &ticks), [""; 0]);
    ticks.push("11:00:00 602 5");
    assert_eq!(bars("1h", &ticks), ["10:00 600 612.50 598 601 v4 n4"]);
    ticks.push("11:30:00 603 5");
    assert_eq!(bars("1h", &ticks).len(), 1);
}

#[test]
fn an_interval_without_a_tick_has_no_bar() {
    let ticks = ["10:00:30 600 1", "10:01:30 601 1", "10:04:00 604 1", "10:05:00 605 1"];
    assert_eq!(
        bars("1m", &ticks),
        ["10:00 600 600 600 600 v1 n1", "10:01 601 601 601 601 v1 n1", "10:04 604 604 604 604 v1 n1"]
    );
}

#[test]
fn a_tick_on_the_boundary_is_the_first_of_the_bar_that_it_opens() {
    let ticks = ["10:00:00 600 1", "10:04:59.999 601 1", "10:05:00 700 1", "10:10:00 710 1"];
    assert_eq!(bars("5m", &ticks), ["10:00 600 601 600 601 v2 n2", "10:05 700 700 700 700 v1 n1"]);
}

#[test]
fn ticks_of_the_same_time_count_in_the_order_in_which_they_come() {
    let ticks = ["10:00:00 600 1", "10:00:00 605 1", "10:00:00 595 1", "10:01:00 600 1"];
    assert_eq!(bars("1m", &ticks), ["10:00 600 605 595 595 v3 n3"]);
}

/// Within their interval they are news; for a bar that is closed they come too late.
#[test]
fn ticks_back_in_time_never_change_a_closed_bar() {
    let ticks = [
        "10:00:30 600 1",
        "10:00:10 610 1",
        "10:01:00 601 1",
        // Late: the bar of 10:00 is closed, that of 10:01 goes on.
        "10:00:59 999 9",
        "09:00:00 1 9",
        "10:01:30 602 1",
        "10:02:00 603 1",
        "10:01:59 999 9",
        "10:03:00 604 1",
    ];
    assert_eq!(
        bars("1m", &ticks),
        ["10:00 600 610 600 610 v2 n2", "10:01 601 602 601 602 v2 n2", "10:02 603 603 603 603 v1 n1"]
    );
}

#[test]
fn without_volume_there_are_bars_too() {
    let ticks = ["10:00:00 600 0", "10:00:01 601 0", "10:01:00 600 0"];
    assert_eq!(bars("1m", &ticks), ["10:00 600 601 600 601 v0 n2"]);
}

#[test]
fn missing_days_and_years_are_no_bars() {
    let mut days = series("1d", 10);
    let mut closed = Vec::new();
    for day in ["1900-02-28", "1969-12-31", "1970-01-01", "2020-02-29", "2020-03-01", "9999-12-31", "10000-01-02"] {
        closed.extend(days.take(&tick(day, "23:59:59.999 600 1")).map(|bar| rfc3339::text(bar.open_time)));
    }
    assert_eq!(
        closed,
        ["1900-02-28", "1969-12-31", "1970-01-01", "2020-02-29", "2020-03-01", "9999-12-31"]
            .map(|day| format!("{day}T00:00:00Z"))
    );
}

#[test]
fn the_first_and_the_last_of_all_times_make_bars() {
    let at = |ms| Tick::trade("BTC/USDT".parse().unwrap(), "600".parse().unwrap(), Timestamp::from_millis(ms), 0);
    for interval in Interval::ALL {
        let mut series = BarSeries::new(interval, LookBack::new(3).unwrap());
        let closed = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX].map(|ms| series.take(&at(ms)).map(|bar| bar.ticks));
        assert_eq!(closed, [None, None, Some(2), Some(1), Some(1)], "{interval}");
    }
}

/// What is missing may have been its high: it is left out, as is that of the first tick behind the hole.
#[test]
fn a_bar_of_which_ticks_are_missing_is_left_out() {
    let mut series = series("1m", 10);
    let mut closed = Vec::new();
    let mut take = |series: &mut BarSeries, text| closed.extend(series.take(&tick("2020-05-01", text)).map(shown));
    take(&mut series, "10:00:00 600 1");
    take(&mut series, "10:01:00 601 1");
    series.on_gap();
    take(&mut series, "10:03:30 603 1");
    take(&mut series, "10:03:40 604 1");
    take(&mut series, "10:04:00 605 1");
    take(&mut series, "10:05:00 606 1");
    // Once more, within one bar.
    series.on_gap();
    series.on_gap();
    take(&mut series, "10:05:30 607 1");
    take(&mut series, "10:06:00 608 1");
    take(&mut series, "10:07:00 609 1");
    assert_eq!(closed, ["10:00 600 600 600 600 v1 n1", "10:04 605 605 605 605 v1 n1", "10:06 608 608 608 608 v1 n1"]);
}

#[test]
fn so_many_bars_are_kept_and_no_more() {
    for look_back in [1, 2, 7, LOOK_BACK_MAX] {
        let mut series = series("1m", look_back);
        for minute in 0..3 * i64::try_from(look_back).unwrap() {
            let time = Timestamp::from_millis(minute * 60_000);
            series.take(&Tick::trade("BTC/USDT".parse().unwrap(), "600".parse().unwrap(), time, 0));
            let (kept, closed) = (series.bars(), usize::try_from(minute).unwrap());
            assert_eq!(kept.len(), closed.min(look_back));
            assert_eq!(series.is_complete(), closed >= look_back);
            assert!(kept.is_sorted_by_key(|bar| bar.open_time));
            assert_eq!(kept.last().map(|bar| bar.open_time.millis()), (minute > 0).then(|| (minute - 1) * 60_000));
        }
    }
    for bad in [0, LOOK_BACK_MAX + 1, usize::MAX] {
        let error = LookBack::new(bad).unwrap_err().to_string();
        assert_eq!(error, format!("a look-back of {bad} bars is out of range; ask for 1 to 1000"));
    }
}

const CLOSED: &str =
    r#"{"openTime":1588327200000,"open":"600","high":"612.50","low":"598","close":"601","volume":"4","ticks":4}"#;

fn parsed(text: &str) -> Bar {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_bar_is_written_as_outsiders_read_it() {
    let mut hours = series("1h", 1);
    for text in ["10:00:00 600 1", "10:14:59.999 612.50 2", "10:20:00 598 0", "10:59:59.999 601 1", "11:00:00 602 5"] {
        hours.take(&tick("2020-05-01", text));
    }
    assert_eq!(serde_json::to_string(&hours.bars()[0]).unwrap(), CLOSED);
    assert_eq!(parsed(CLOSED), hours.bars()[0]);
    let unfinished = serde_json::to_value(hours.unfinished()).unwrap();
    assert_eq!(unfinished["bar"]["openTime"], 1_588_330_800_000_i64);
}

#[test]
fn bars_that_cannot_be_are_refused() {
    let good = parsed(CLOSED);
    let later = Bar { open_time: good.open_time.plus_millis(3_600_000), ..good };
    let off = Bar { open_time: good.open_time.plus_millis(60_000), ..good };
    let price = |text: &str| text.parse().unwrap();
    let cases: [(&[Bar], &str); 8] = [
        (&[good, good], "the bar at 1588327200000 comes twice; each one comes once"),
        (&[later, good], "the bar at 1588327200000 comes after the one at 1588330800000; the oldest comes first"),
        (&[off], "the bar at 1588327260000 does not open where one of 1h does, which is at 1588327200000"),
        (
            &[Bar { open: price("613"), ..good }],
            "the bar at 1588327200000: its open of 613 lies outside of its low 598 and its high 612.50",
        ),
        (
            &[Bar { close: price("597.99"), ..good }],
            "the bar at 1588327200000: its close of 597.99 lies outside of its low 598 and its high 612.50",
        ),
        (
            &[Bar { high: price("597"), low: price("598"), open: price("598"), close: price("598"), ..good }],
            "the bar at 1588327200000: its open of 598 lies outside of its low 598 and its high 597",
        ),
        (&[Bar { ticks: 0, ..good }], "the bar at 1588327200000 has no tick; one without ticks is left out"),
        (&[good, later, good], "the bar at 1588327200000 comes after the one at 1588330800000; the oldest comes first"),
    ];
    for (bars, expected) in cases {
        let saved = saved(bars, Unfinished::default());
        assert_eq!(saved.unwrap_err().to_string(), expected);
    }
    // Missing ones are none of these, nor is one without volume.
    let far = Bar { open_time: good.open_time.plus_millis(365 * 86_400_000), volume: "0".parse().unwrap(), ..good };
    assert_eq!(saved(&[good, far], Unfinished::default()).unwrap().bars(), [good, far]);
}

fn saved(bars: &[Bar], unfinished: Unfinished) -> Result<BarSeries, HistoryError> {
    BarSeries::saved(Interval::OneHour, LookBack::new(3).unwrap(), bars.to_vec(), unfinished)
}

/// The bar that is being made must not lie before one that is closed.
#[test]
fn what_is_unfinished_fits_what_is_closed() {
    let good = parsed(CLOSED);
    let unfinished: Unfinished = serde_json::from_str(&format!("{{\"bar\":{CLOSED}}}")).unwrap();
    let error = saved(&[good], unfinished.clone()).unwrap_err().to_string();
    assert_eq!(error, "the bar at 1588327200000 comes twice; each one comes once");
    assert!(saved(&[], unfinished).unwrap().bars().is_empty());
}

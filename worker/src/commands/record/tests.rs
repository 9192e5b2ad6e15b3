//! What `record` writes, and what `backtest` makes of it.

use std::collections::BTreeMap;

use engine::market::{Bar, BarSeries, Interval, LookBack};
use engine::messages::Tick;
use venue::live::{Hole, HoleCause, LiveSource, Wish, live};
use venue::replay::Replay;

use super::*;

#[test]
fn a_period_is_a_minute_to_a_day() {
    for (text, seconds) in [("1m", 60), ("30m", 1_800), ("1h", 3_600), ("24h", 86_400), ("1d", 86_400)] {
        assert_eq!(period(text), Ok(Duration::from_secs(seconds)), "{text}");
    }
    for bad in ["", "1", "h", "0m", "2d", "1s", "-1h", "1.5h", "99999999999999999999h", "1ü"] {
        assert!(period(bad).unwrap_err().contains("such as 30m"), "{bad}");
    }
}

const MINUTE: i64 = 60_000;

/// A trade at a time; its quotes are its price.
fn frames(id: i64, time: Timestamp) -> [TakenFrame; 2] {
    let (time, price) = (time.millis(), 600 + id * 7 % 31);
    let book = format!(
        r#"{{"stream":"btcusdt@bookTicker","data":{{"u":{id},"s":"BTCUSDT","b":"{price}","B":"2","a":"{price}","A":"3"}}}}"#
    );
    let trade = format!(
        r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":{time},"s":"BTCUSDT","t":{id},"p":"{price}","q":"0.5","T":{time},"m":true,"M":true}}}}"#
    );
    [(time * 1_000_000, book), (time * 1_000_000, trade)]
}

/// The venue's bars of these trades.
fn bars(trades: &[(i64, Timestamp)], interval: Interval) -> Vec<Bar> {
    let mut series = BarSeries::new(interval, LookBack::new(1_000).unwrap());
    let tick = |(id, time): &(i64, Timestamp)| Tick {
        volume: "0.5".parse().unwrap(),
        ..Tick::trade("BTC/USDT".parse().unwrap(), (600 + id * 7 % 31).to_string().parse().unwrap(), *time, 0)
    };
    for trade in trades {
        series.take(&tick(trade));
    }
    series.bars().to_vec()
}

async fn is_asked_to_finish(source: &mut LiveSource) {
    while !matches!(source.wishes.recv().await.unwrap(), Wish::Finish) {}
}

/// On a busy machine much has come that was not read yet.
#[tokio::test]
async fn what_has_come_when_it_is_asked_to_stop_is_in_the_recording() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("btc.gz");
    let (user, mut source) = live();
    let (tap, taken) = mpsc::channel(FRAMES_MAX);
    let (stop, shutdown) = Shutdown::channel();
    let writer = Writer::create(&file, None, now()).unwrap();
    let recording = tokio::spawn(record((user, taken), writer, shutdown));
    stop.send(true).unwrap();
    is_asked_to_finish(&mut source).await;
    for id in 0..100 {
        for frame in frames(id, Timestamp::from_millis(1_700_000_000_000 + id)) {
            tap.send(frame).await.unwrap();
        }
    }
    drop((source, tap));
    recording.await.unwrap().unwrap();
    assert_eq!(Replay::scan(&[file], &"BTC/USDT".parse().unwrap()).unwrap().ticks, 100);
}

#[tokio::test]
async fn the_venues_bars_of_a_hole_are_in_the_recording() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("btc.gz");
    // Ten minutes ago; all bars of minutes are over.
    let begins = Interval::OneMinute.open_of(now()).plus_millis(-10 * MINUTE);
    let at = |second: i64| begins.plus_millis(second * 1_000);
    let trades: Vec<(i64, Timestamp)> = (0..60).map(|id| (id, at(10 * id + 3))).collect();
    let (user, mut source) = live();
    let (tap, taken) = mpsc::channel(FRAMES_MAX);
    let (stop, shutdown) = Shutdown::channel();
    let writer = Writer::create(&file, None, now()).unwrap();
    let recording = tokio::spawn(record((user, taken), writer, shutdown));
    // A cut of three minutes.
    for (id, time) in trades.iter().filter(|(id, _)| !(13..31).contains(id)) {
        for frame in frames(*id, *time) {
            tap.send(frame).await.unwrap();
        }
    }
    let symbol: Symbol = "BTC/USDT".parse().unwrap();
    let (from, to) = (trades[12].1, trades[31].1);
    let hole = Hole { symbol: symbol.clone(), cause: HoleCause::Disconnect, from, to, missed: 18 };
    source.news.send(News::Hole(hole)).await.unwrap();
    let mut answered = BTreeMap::new();
    while !answered.contains_key(&Interval::OneMinute) {
        let Some(Wish::Candles(wanted, answer)) = source.wishes.recv().await else { continue };
        let is_wanted = |bar: &Bar| bar.open_time >= wanted.from && bar.open_time < wanted.to;
        let found: Vec<Bar> = bars(&trades, wanted.interval).into_iter().filter(is_wanted).collect();
        answer.send(Ok(found.clone())).unwrap();
        answered.insert(wanted.interval, found);
    }
    // What is written is in the file a second later.
    let started = std::time::Instant::now();
    while Replay::whole_bars(std::slice::from_ref(&file), &symbol).map_or(true, |whole| whole.is_empty()) {
        assert!(started.elapsed() < Duration::from_mins(1), "no bars in the recording");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.send(true).unwrap();
    is_asked_to_finish(&mut source).await;
    drop((source, tap));
    recording.await.unwrap().unwrap();
    let whole = Replay::whole_bars(std::slice::from_ref(&file), &symbol).unwrap();
    let minutes = &whole[&Interval::OneMinute];
    assert_eq!(minutes, &answered[&Interval::OneMinute]);
    assert_eq!(minutes.first().map(|bar| bar.open_time), Some(at(120)));
    assert_eq!(minutes.last().map(|bar| bar.open_time), Some(at(300)));
    let summary = Replay::scan(&[file], &symbol).unwrap();
    assert_eq!((summary.ticks, summary.missing), (42, 18));
}

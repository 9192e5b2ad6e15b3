//! A source that is asked to end while much has come that nobody has read yet.

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use venue::binance::live::start_with_tap;
use venue::live::{Link, News};

use super::follower::{config, pause, play_on, played};
use crate::client::{PATIENCE, server, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_come_is_told_before_the_source_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = folder.path().join("written");
    let file = written.display().to_string();
    let options = ["--random", "7", "--speed", "20", "--paused", "--weight-limit", "1000000", "--written", &file];
    let server = server(&options);
    let (tap, mut frames) = mpsc::channel(1);
    let mut live = start_with_tap(config(&[&server]), tap).expect("a source starts");
    live.follow([("BTC/USDT".parse().expect("a symbol"), None)].into());
    let end = Instant::now() + PATIENCE;
    while timeout_at(end, live.news.recv()).await.expect("in time") != Some(News::Link(Link::Up)) {}
    let before = played(&server);
    pause(&server, false);
    // Its user is slow, so it reads no more, and what comes stays in the network.
    play_on(&server, 300);
    pause(&server, true);
    let mut last = 0;
    until("much of it is on its way", || {
        let text = std::fs::read_to_string(&written).unwrap_or_default();
        let ids = text.lines().filter_map(|line| line.split_once("btcusdt@trade ")?.1.parse().ok());
        last = ids.max().unwrap_or(0);
        last >= before + 200
    });
    live.finish();
    let (mut trades, mut recorded) = (Vec::new(), 0);
    let is_trade = |(_, frame): &(i64, String)| u64::from(frame.contains("btcusdt@trade"));
    loop {
        tokio::select! {
            news = live.news.recv() => match news {
                Some(News::Trade(trade)) => trades.push(trade.id),
                Some(_) => {}
                None => break,
            },
            Some(frame) = frames.recv() => recorded += is_trade(&frame),
            () = tokio::time::sleep_until(end) => panic!("it has not ended; {} trades", trades.len()),
        }
    }
    while let Some(frame) = frames.recv().await {
        recorded += is_trade(&frame);
    }
    let came = trades.last().copied().unwrap_or(0);
    assert!(came >= last, "{came} came of {last}");
    assert_eq!(trades, (before + 1..=came).collect::<Vec<_>>());
    assert_eq!(recorded, last - before);
}

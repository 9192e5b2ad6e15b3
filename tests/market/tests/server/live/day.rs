//! A day of candles in a minute or two, with all that a day may bring: two forced ends, an announced one, a ban, and a connection
//! that is half open. Afterwards the day is whole: bars of the trades that came, and the exchange's own where one is missing.

use std::collections::{BTreeMap, BTreeSet};

use engine::market::{Bar, Interval};
use engine::time::Timestamp;
use market_server::control::{Aim, ClockChange, Fault, Kind, Line};
use market_server::process::Server;
use venue::live::{CandlesWanted, HoleCause, LinkFault, News};

use super::follower::{Follower, config, everywhere, logged, newest_stream, open_the_gate};
use crate::client::{candles, lines, server, until};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// 2022-12-13, the day of the candles.
const BEGIN: i64 = 1_670_889_600_000;
const DAY: i64 = 24 * HOUR;
/// How many times faster than the machine's its clock goes: the day takes half a minute.
const FAST: f64 = 2_880.0;
/// While the source waits by its own clock before it connects anew: a second of it is ten minutes of the day.
const MIDDLE: f64 = 600.0;
/// While a half-open connection is not found yet: its half minute is half an hour.
const SLOW: f64 = 60.0;

/// Waits for a trade of that time of the day.
async fn until_time(follower: &mut Follower, time: i64) {
    let time = Timestamp::from_millis(BEGIN + time);
    let is_later = |news: &News| matches!(news, News::Trade(trade) if trade.time >= time).then_some(());
    follower.next("the day goes on", is_later).await;
}

fn speed(server: &Server, speed: f64) {
    server.control.clock(&ClockChange { speed: Some(speed), paused: Some(false) }).expect("the clock obeys");
}

/// The candles of the file.
fn day() -> Vec<Bar> {
    let bar = |line: &String| {
        let columns: Vec<&str> = line.split(',').collect();
        let price = |column: usize| columns[column].parse().expect("a price");
        Bar {
            open_time: Timestamp::from_millis(columns[0].parse().expect("a time")),
            open: price(1),
            high: price(2),
            low: price(3),
            close: price(4),
            volume: columns[5].parse().expect("a volume"),
            ticks: 4,
        }
    };
    lines(&candles()).iter().skip(1).map(bar).collect()
}

/// Bars of the trades that came.
fn made(follower: &Follower) -> BTreeMap<Timestamp, Bar> {
    let mut bars: BTreeMap<Timestamp, Bar> = BTreeMap::new();
    for trade in follower.trades() {
        let (open_time, price) = (Interval::OneMinute.open_of(trade.time), trade.price);
        let first = || Bar {
            open_time,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: "0".parse().expect("zero"),
            ticks: 0,
        };
        let bar = bars.entry(open_time).or_insert_with(first);
        (bar.high, bar.low, bar.close) = (bar.high.max(price), bar.low.min(price), price);
        bar.volume = bar.volume.plus(trade.volume);
        bar.ticks += 1;
    }
    bars
}

/// The exchange's candles from one time to before another.
async fn asked(follower: &Follower, from: Timestamp, to: Timestamp) -> Vec<Bar> {
    let symbol = "BTC/BUSD".parse().expect("a symbol");
    let wanted = CandlesWanted { symbol, interval: Interval::OneMinute, from, to };
    follower.live.candles(wanted).await.expect("candles")
}

/// The newest connection of streams meets this, and the clock goes on at that pace.
async fn meets(server: &Server, follower: &mut Follower, pace: f64, fault: Fault) {
    // So that the log knows exactly what has come before it.
    follower.settles(server).await;
    let aim = Aim { connection: Some(newest_stream(server)), ..Aim::default() };
    server.control.fault(aim, fault).expect("an order that can be");
    speed(server, pace);
}

/// The same, and the source connects anew.
async fn loses(server: &Server, follower: &mut Follower, pace: f64, fault: Fault) {
    meets(server, follower, pace, fault).await;
    follower.is_down().await;
    follower.is_up().await;
    speed(server, FAST);
}

/// All that befalls the source in a day. The connection that was changed over in time.
async fn live_through(server: &Server, follower: &mut Follower) -> u64 {
    let end = || Fault::Close { code: 1001, reason: "24 hours are over".to_owned() };
    speed(server, FAST);
    until_time(follower, 2 * HOUR).await;
    loses(server, follower, MIDDLE, end()).await;
    until_time(follower, 5 * HOUR).await;
    let old = newest_stream(server);
    everywhere(server, Fault::Shutdown { after_ms: 9_000 });
    let closed = server.control.wait(|line| line.event == "closed" && line.connection == Some(old)).expect("it ends");
    assert_ne!(closed.detail, "server shutdown", "another connection has taken over before");
    until_time(follower, 10 * HOUR).await;
    let retry_after = Some(2);
    let ban = Fault::Status { status: 418, retry_after, for_ms: None, count: None, path: None, on: Kind::All };
    everywhere(server, ban);
    meets(server, follower, MIDDLE, Fault::Close { code: 1008, reason: "too many requests".to_owned() }).await;
    while !matches!(follower.is_down().await, LinkFault::Banned { .. }) {}
    open_the_gate(server);
    follower.is_up().await;
    loses(server, follower, SLOW, Fault::Stall { for_ms: None }).await;
    until_time(follower, 18 * HOUR).await;
    loses(server, follower, MIDDLE, end()).await;
    follower.reaches(4 * 1_440).await;
    until("the last candle is closed", || server.control.state().expect("a state").time >= BEGIN + DAY);
    old
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_is_whole_whatever_befalls_it() {
    let source = format!("BTCBUSD={}", candles());
    let server = server(&["--candles", &source, "--as-recorded", "--paused", "--weight-limit", "1000000"]);
    let mut follower = Follower::start(config(&[&server]), &["BTC/BUSD"]);
    follower.is_up().await;
    let changed_over = live_through(&server, &mut follower).await;
    let day = day();
    assert_eq!(day.len(), 1_440);
    let gaps = follower.checked(&server, "BTC/BUSD");
    assert!(gaps.iter().all(|gap| gap.cause == HoleCause::Disconnect), "{gaps:?}");
    let told = format!("{:?}", follower.told());
    assert_eq!(logged(&server, "status").len(), 1, "nothing was asked while it was banned");
    assert!(told.contains("nothing came for 30 s, not even an answer to a ping"), "{told}");
    // What the log says of the last trades that were sent before each loss.
    let log = server.control.log(0).expect("a log");
    let is_loss = |line: &&Line| match line.event.as_str() {
        "closed" => line.connection != Some(changed_over),
        event => event == "stall",
    };
    let ends: Vec<u64> = log.iter().filter(is_loss).filter_map(|line| line.trade).collect();
    assert_eq!(gaps.iter().map(|gap| gap.after).collect::<Vec<_>>(), ends, "{gaps:?}");
    assert_eq!(ends.len(), 4, "two ends, a ban, a half-open connection: {gaps:?}");
    // The exchange's candles, in two pages, are the day's.
    assert_eq!(asked(&follower, Timestamp::from_millis(BEGIN), Timestamp::from_millis(BEGIN + DAY)).await, day);
    let (mut bars, mut filled) = (made(&follower), BTreeSet::new());
    for news in &follower.news {
        let News::Hole(hole) = news else { continue };
        let [from, to] = [hole.from, hole.to].map(|time| Interval::OneMinute.open_of(time));
        for bar in asked(&follower, from, to.plus_millis(MINUTE)).await {
            filled.insert(bar.open_time);
            bars.insert(bar.open_time, bar);
        }
    }
    println!("{} of 1440 bars are the exchange's", filled.len());
    assert!(filled.len() >= 4 && filled.len() < 1_000, "{}", filled.len());
    assert_eq!(bars.into_values().collect::<Vec<_>>(), day);
}

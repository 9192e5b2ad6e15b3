//! The driver over loopback.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::market::Interval;
use engine::time::Timestamp;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::super::clock;
use super::super::driver::Driver;
use super::super::{start, start_with_tap};
use super::stage::{book, trade};
use super::venue::{DEADLINE, Socket, Venue};
use crate::live::{CandlesWanted, HoleCause, Link, LinkFault, Live, News, live};
use crate::net::Network;

fn exchange_info() -> String {
    let symbol = r#"{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[]}"#;
    format!(r#"{{"serverTime":{},"symbols":[{symbol}]}}"#, clock::now().wall.millis())
}

async fn venue() -> Venue {
    Venue::answering(|_| (200, exchange_info())).await
}

fn follow(live: &Live) {
    live.follow([("BTC/USDT".parse().unwrap(), None)].into());
}

async fn next(live: &mut Live) -> News {
    timeout(DEADLINE, live.news.recv()).await.expect("news in time").expect("the source runs")
}

/// The next news that is wanted.
async fn find<T>(live: &mut Live, wanted: impl Fn(&News) -> Option<T>) -> T {
    loop {
        if let Some(found) = wanted(&next(live).await) {
            return found;
        }
    }
}

const fn trade_id(news: &News) -> Option<u64> {
    if let News::Trade(trade) = news { Some(trade.id) } else { None }
}

/// The next connection with its streams, and quotes on it.
async fn quoted(venue: &mut Venue) -> Socket {
    let mut socket = venue.socket().await;
    assert_eq!(socket.subscribed().await, ["btcusdt@bookTicker", "btcusdt@trade"]);
    socket.send(&book(1, "61837.63", "61837.64")).await;
    socket
}

#[tokio::test]
async fn prices_come_and_their_frames_are_tapped() {
    let mut venue = venue().await;
    let (tap, mut tapped) = mpsc::channel(8);
    let mut live = start_with_tap(venue.config.clone(), tap).unwrap();
    follow(&live);
    let mut socket = quoted(&mut venue).await;
    for frame in [trade(1), "{cut".to_owned(), trade(1), trade(2)] {
        socket.send(&frame).await;
    }
    assert_eq!([find(&mut live, trade_id).await, find(&mut live, trade_id).await], [1, 2]);
    for expected in [book(1, "61837.63", "61837.64"), trade(1), trade(2)] {
        let (nanos, frame) = timeout(DEADLINE, tapped.recv()).await.unwrap().unwrap();
        assert!(frame == expected && nanos > 1_700_000_000_000_000_000, "{nanos} {frame}");
    }
    let malformed = find(&mut live, |news| if let News::Malformed { count, .. } = news { Some(*count) } else { None });
    assert_eq!(malformed.await, 1);
    drop(live);
    socket.ended().await;
}

#[tokio::test]
async fn a_ping_is_answered_though_nothing_is_sent() {
    let mut venue = venue().await;
    let live = start(venue.config.clone()).unwrap();
    follow(&live);
    let mut socket = quoted(&mut venue).await;
    socket.ping(b"1723161255342").await;
    loop {
        match socket.received().await {
            Message::Pong(payload) => break assert_eq!(&payload[..], b"1723161255342"),
            other => assert!(matches!(other, Message::Ping(_)), "{other:?}"),
        }
    }
}

/// A source that has told one trade, and its connection.
async fn told_one(venue: &mut Venue) -> (Live, Socket) {
    let mut live = start(venue.config.clone()).unwrap();
    follow(&live);
    let mut socket = quoted(venue).await;
    socket.send(&trade(1)).await;
    assert_eq!(find(&mut live, trade_id).await, 1);
    (live, socket)
}

#[tokio::test]
async fn a_lost_connection_is_opened_again() {
    let mut venue = venue().await;
    let (mut live, socket) = told_one(&mut venue).await;
    drop(socket);
    let down = |news: &News| if let News::Link(Link::Down(fault)) = news { Some(fault.clone()) } else { None };
    assert!(
        matches!(find(&mut live, down).await, LinkFault::Unreachable(words) if words.starts_with("127.0.0.1:") && words.contains(": the connection"))
    );
    let mut socket = quoted(&mut venue).await;
    socket.send(&trade(5)).await;
    let hole =
        find(&mut live, |news| if let News::Hole(hole) = news { Some((hole.cause, hole.missed)) } else { None }).await;
    assert_eq!((hole, find(&mut live, trade_id).await), ((HoleCause::Disconnect, 3), 5));
}

/// A source whose clock the test moves on.
fn start_by(venue: &Venue) -> (Live, Arc<AtomicU64>) {
    let ahead = Arc::new(AtomicU64::new(0));
    let (live, source) = live();
    let network = Network::new(None, None).unwrap();
    let shift = Arc::clone(&ahead);
    let driver = Driver::new(venue.config.clone(), network, source, None).by(move || {
        let now = clock::now();
        clock::Now { millis: now.millis + shift.load(Ordering::SeqCst), ..now }
    });
    tokio::spawn(driver.run());
    (live, ahead)
}

#[tokio::test]
async fn after_a_freeze_nothing_of_what_piled_up_is_news() {
    let mut venue = venue().await;
    let (mut live, ahead) = start_by(&venue);
    follow(&live);
    let mut old = quoted(&mut venue).await;
    old.send(&trade(1)).await;
    assert_eq!(find(&mut live, trade_id).await, 1);
    // It stands still for 5 s while more than 1 MB comes: on one thread, nothing of it runs before the next wait.
    ahead.fetch_add(5_000, Ordering::SeqCst);
    for id in 2..6_000 {
        if old.try_send(&trade(id)).await.is_err() {
            break;
        }
    }
    let mut socket = quoted(&mut venue).await;
    socket.send(&trade(7_000)).await;
    let mut told = Vec::new();
    loop {
        match next(&mut live).await {
            News::Suspended { millis } => {
                assert!(millis >= 5_000);
                told.push("suspended");
            }
            News::Hole(hole) => {
                assert_eq!((hole.cause, hole.missed), (HoleCause::Suspend, 6_998));
                told.push("hole");
            }
            News::Trade(trade) => {
                assert_eq!(trade.id, 7_000);
                break;
            }
            _ => {}
        }
    }
    assert_eq!(told, ["suspended", "hole"]);
}

#[tokio::test]
async fn a_ban_is_told_and_nothing_is_asked_before_its_end() {
    let venue = Venue::answering(|_| (418, "3600".to_owned())).await;
    let (mut live, ahead) = start_by(&venue);
    follow(&live);
    let fault =
        find(&mut live, |news| if let News::Link(Link::Down(fault)) = news { Some(fault.clone()) } else { None });
    assert!(matches!(fault.await, LinkFault::Banned { until: Some(_), message } if message.contains("answered 418")));
    let to = clock::now().wall;
    let wanted = CandlesWanted {
        symbol: "BTC/USDT".parse().unwrap(),
        interval: Interval::OneHour,
        from: to.plus_millis(-7_200_000),
        to,
    };
    assert!(matches!(live.candles(wanted).await, Err(LinkFault::Banned { .. })));
    assert_eq!(venue.asked.lock().unwrap().len(), 1);
    ahead.fetch_add(3_590_000, Ordering::SeqCst);
    find(&mut live, |news| matches!(news, News::Suspended { .. }).then_some(())).await;
    assert_eq!(venue.asked.lock().unwrap().len(), 1);
    ahead.fetch_add(10_000, Ordering::SeqCst);
    let again = async {
        while venue.asked.lock().unwrap().len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, again).await.expect("it asks again after the ban");
}

#[tokio::test]
async fn who_does_not_read_stops_the_reading_and_misses_nothing() {
    const TRADES: u64 = 40_000;
    let mut venue = venue().await;
    let mut live = start(venue.config.clone()).unwrap();
    follow(&live);
    let mut socket = quoted(&mut venue).await;
    let sending = tokio::spawn(async move {
        for id in 1..=TRADES {
            socket.send(&trade(id)).await;
        }
        socket
    });
    let full = async {
        while live.news.len() < live.news.max_capacity() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, full).await.expect("news pile up to their bound");
    let mut last = 0;
    while last < TRADES {
        if let Some(id) = trade_id(&next(&mut live).await) {
            assert_eq!(id, last + 1);
            last = id;
        }
    }
    drop(sending);
}

#[tokio::test]
async fn candles_come_in_pages_closed_ones_alone() {
    const HOUR: i64 = 3_600_000;
    let now = Interval::OneHour.open_of(clock::now().wall).millis();
    let first = now - 1_500 * HOUR;
    let venue = Venue::answering(move |path| {
        if path == "/api/v3/time" {
            return (200, format!(r#"{{"serverTime":{}}}"#, now + 1));
        }
        let start: i64 = path.split("startTime=").nth(1).unwrap().split('&').next().unwrap().parse().unwrap();
        let opens = (0..1_000).map(|n| start + n * HOUR).filter(|open| *open <= now);
        let row = |open: i64| {
            // Nobody traded in the second one.
            let count = i64::from(open != first + HOUR) * 7;
            format!(r#"[{open},"10.0","12.0","9.5","11.0","3.25",{},"35.0",{count},"1","1","0"]"#, open + HOUR - 1)
        };
        (200, format!("[{}]", opens.map(row).collect::<Vec<_>>().join(",")))
    })
    .await;
    let live = start(venue.config.clone()).unwrap();
    let [from, to] = [first, now + HOUR].map(Timestamp::from_millis);
    let wanted = CandlesWanted { symbol: "BTC/USDT".parse().unwrap(), interval: Interval::OneHour, from, to };
    let bars = timeout(DEADLINE, live.candles(wanted)).await.unwrap().unwrap();
    assert_eq!((bars.len(), venue.asked.lock().unwrap().len()), (1_499, 3));
    assert_eq!(bars[1].open_time.millis(), first + 2 * HOUR);
    let last = bars.last().unwrap();
    assert_eq!((last.open_time.millis(), last.ticks, last.volume.to_string()), (now - HOUR, 7, "3.25".to_owned()));
}

#[tokio::test]
async fn one_unknown_market_does_not_hide_the_rules_of_others() {
    let venue = Venue::answering(|path| {
        if path.contains("symbols=") {
            (400, r#"{"code":-1121,"msg":"Invalid symbol."}"#.to_owned())
        } else {
            (200, exchange_info())
        }
    })
    .await;
    let mut live = start(venue.config.clone()).unwrap();
    live.follow(["BTC/USDT", "BTX/USDT"].map(|symbol| (symbol.parse().unwrap(), None)).into());
    let rules = find(&mut live, |news| if let News::Rules(rules) = news { Some(rules.clone()) } else { None }).await;
    assert_eq!(rules[&"BTX/USDT".parse().unwrap()].suggestion.as_deref(), Some("BTC/USDT"));
    assert!(rules[&"BTC/USDT".parse().unwrap()].steps.is_some());
    assert!(venue.asked.lock().unwrap()[0].ends_with("symbols=%5B%22BTCUSDT%22,%22BTXUSDT%22%5D"));
}

#[tokio::test]
async fn what_is_no_answer_of_the_exchange_is_told_with_its_beginning() {
    let venue = Venue::answering(|_| (200, "<html>Please log in</html>".to_owned())).await;
    let mut live = start(venue.config.clone()).unwrap();
    follow(&live);
    let fault =
        find(&mut live, |news| if let News::Link(Link::Down(fault)) = news { Some(fault.clone()) } else { None }).await;
    let words = fault.to_string();
    assert!(
        words.starts_with("127.0.0.1:")
            && words.contains(" answered what the exchange does not")
            && words.contains("Please log in"),
        "{words}"
    );
}

/// A source that has told one trade and is to end, and its connection, which the venue has not answered yet: it asks, and what
/// is sent before the venue reads that is on its way until then.
async fn ending() -> (Live, Socket) {
    let (live, mut socket) = told_one(&mut venue().await).await;
    live.finish();
    while !matches!(socket.received().await, Message::Ping(words) if !words.is_empty()) {}
    (live, socket)
}

#[tokio::test]
async fn all_that_the_venue_sent_before_it_heard_of_the_end_is_told_however_late_it_comes() {
    let (mut live, mut socket) = ending().await;
    socket.send(&trade(2)).await;
    assert_eq!(find(&mut live, trade_id).await, 2);
    socket.ended().await;
    while let Some(news) = timeout(DEADLINE, live.news.recv()).await.expect("an end in time") {
        assert_eq!(trade_id(&news), None);
    }
}

#[tokio::test]
async fn an_end_that_the_venue_does_not_answer_says_what_may_be_missing() {
    let (mut live, socket) = ending().await;
    drop(socket);
    let notice = find(&mut live, |news| if let News::Notice(words) = news { Some(words.clone()) } else { None }).await;
    assert!(notice.starts_with("127.0.0.1:") && notice.ends_with("; what it sent last may be missing"), "{notice}");
    assert_eq!(timeout(DEADLINE, live.news.recv()).await.expect("an end in time"), None);
}

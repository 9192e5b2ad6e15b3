//! A live source that follows a market of a server, what it has told so far, and what the server says of the same trades.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::instrument::Symbol;
use engine::numbers::{Price, Volume};
use engine::time::Timestamp;
use market_server::control::{Aim, ClockChange, Fault, Line};
use market_server::process::Server;
use tokio::time::{Instant, timeout_at};
use venue::binance::live::{Config, Product, start};
use venue::live::{HoleCause, Link, LinkFault, Live, LiveTrade, News};

use crate::client::{get, server, until};

/// No test waits longer for one piece of news; a half-open connection takes half a minute.
const PATIENCE: Duration = Duration::from_secs(90);

/// A market at twenty times the machine's speed that stands still until all listen.
pub fn still() -> Server {
    server(&["--random", "7", "--speed", "20", "--paused", "--weight-limit", "1000000"])
}

/// The exchange's clock goes on or stands still.
pub fn pause(server: &Server, paused: bool) {
    let change = ClockChange { paused: Some(paused), ..ClockChange::default() };
    server.control.clock(&change).expect("the clock obeys");
}

/// The last trade that was played of the market of BTC, which every server here has.
pub fn played(server: &Server) -> u64 {
    let state = server.control.state().expect("a state");
    let of_btc = state.trades.iter().find(|(symbol, _)| symbol.starts_with("BTC"));
    of_btc.and_then(|(_, id)| id.as_u64()).unwrap_or(0)
}

/// Waits until so many more trades were played.
pub fn play_on(server: &Server, count: u64) {
    let end = played(server) + count;
    until("the market goes on", || played(server) >= end);
}

/// The lines of the log of this kind.
pub fn logged(server: &Server, event: &str) -> Vec<Line> {
    server.control.log(0).expect("a log").into_iter().filter(|line| line.event == event).collect()
}

/// Orders a fault of everything, whoever is connected.
pub fn everywhere(server: &Server, fault: Fault) {
    server.control.fault(Aim::default(), fault).expect("an order that can be");
}

/// The number of the stream's connection that was accepted last.
pub fn newest_stream(server: &Server) -> u64 {
    let state = server.control.state().expect("a state");
    let streams = state.connections.iter().filter(|connection| connection.websocket);
    streams.map(|connection| connection.number).max().expect("a stream's connection")
}

/// Ends what requests and new connections meet, and leaves connections as they are.
pub fn open_the_gate(server: &Server) {
    let nobody = Aim { connection: Some(u64::MAX), ..Aim::default() };
    server.control.fault(nobody, Fault::Mend).expect("an order that can be");
}

/// A hole: why, and the trades on both sides of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub cause: HoleCause,
    pub after: u64,
    pub before: u64,
}

/// A trade as requests answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Played {
    price: Price,
    volume: Volume,
    time: Timestamp,
}

/// A source and all that it has told.
pub struct Follower {
    pub live: Live,
    pub news: Vec<News>,
    /// The last trade before it listened.
    since: u64,
}

/// The hosts of these servers, in this order.
pub fn config(servers: &[&Server]) -> Config {
    let address = |text: &str| text.parse().expect("an address");
    Config {
        product: Product::Spot,
        rest: servers.iter().map(|server| address(&server.endpoints.rest)).collect(),
        stream: servers.iter().map(|server| address(&server.endpoints.stream)).collect(),
        proxy: None,
        ca: None,
    }
}

impl Follower {
    /// One that was just started.
    pub fn start(config: Config, symbols: &[&str]) -> Self {
        let live = start(config).expect("a source starts");
        live.follow(symbols.iter().map(|symbol| (symbol.parse::<Symbol>().expect("a symbol"), None)).collect());
        Self { live, news: Vec::new(), since: 0 }
    }

    /// One that has all streams of BTCUSDT, while the market stands still.
    pub async fn up(server: &Server) -> Self {
        let mut follower = Self::start(config(&[server]), &["BTC/USDT"]);
        follower.is_up().await;
        follower.since = played(server);
        follower
    }

    /// The market, which stood still, goes on; all streams come.
    pub fn plays(&mut self, server: &Server) {
        self.since = played(server);
        pause(server, false);
    }

    /// One that has all streams, and the market goes on.
    pub async fn following(server: &Server) -> Self {
        let mut follower = Self::up(server).await;
        pause(server, false);
        follower.reaches(follower.since + 10).await;
        follower
    }

    /// Reads news until one fits.
    pub async fn next<T>(&mut self, what: &str, fits: impl Fn(&News) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            let news = timeout_at(end, self.live.news.recv()).await;
            let news = news.unwrap_or_else(|_| panic!("never: {what}; it told {:?}", self.told()));
            let news = news.expect("the source runs");
            let found = fits(&news);
            self.news.push(news);
            if let Some(found) = found {
                return found;
            }
        }
    }

    /// All but trades and signs of life.
    pub fn told(&self) -> Vec<&News> {
        self.news.iter().filter(|news| !matches!(news, News::Trade(_) | News::Alive { .. })).collect()
    }

    /// Waits until all streams come.
    pub async fn is_up(&mut self) {
        self.next("the link is up", |news| matches!(news, News::Link(Link::Up)).then_some(())).await;
    }

    /// Waits until they do not; why.
    pub async fn is_down(&mut self) -> LinkFault {
        let down = |news: &News| if let News::Link(Link::Down(fault)) = news { Some(fault.clone()) } else { None };
        self.next("the link is down", down).await
    }

    /// Waits for words of a notice.
    pub async fn notices(&mut self, part: &str) -> String {
        let notice = |news: &News| if let News::Notice(words) = news { Some(words.clone()) } else { None };
        self.next(part, |news| notice(news).filter(|words| words.contains(part))).await
    }

    /// Waits for that trade or a later one.
    pub async fn reaches(&mut self, id: u64) {
        if self.trades().last().is_none_or(|trade| trade.id < id) {
            let trade = |news: &News| if let News::Trade(trade) = news { (trade.id >= id).then_some(()) } else { None };
            self.next("a later trade", trade).await;
        }
    }

    /// The market stands still, and all that was played has come. The last trade.
    pub async fn settles(&mut self, server: &Server) -> u64 {
        pause(server, true);
        loop {
            let last = played(server);
            self.reaches(last).await;
            // What was being played when the clock stopped is played by now.
            if played(server) == last {
                return last;
            }
        }
    }

    /// What came of the market that is followed.
    pub fn trades(&self) -> impl DoubleEndedIterator<Item = &LiveTrade> {
        self.news.iter().filter_map(|news| if let News::Trade(trade) = news { Some(trade) } else { None })
    }

    /// Checks all that was told of `symbol` since it listened: each trade as the server answers it, the next after the one
    /// before it, or behind a hole that says what is between. The holes.
    pub fn checked(&self, server: &Server, symbol: &str) -> Vec<Gap> {
        let played = answered(server, &symbol.replace('/', ""));
        let symbol: Symbol = symbol.parse().expect("a symbol");
        let (mut last, mut hole, mut gaps) = (self.since, None, Vec::new());
        for news in &self.news {
            match news {
                News::Hole(next) if next.symbol == symbol => assert_eq!(hole.replace(next), None, "one hole at a time"),
                News::Trade(trade) if trade.symbol == symbol => {
                    let known = played.get(&trade.id).expect("the server has played it");
                    let told = Played { price: trade.price, volume: trade.volume, time: trade.time };
                    assert_eq!(told, *known, "trade {}", trade.id);
                    if let Some(hole) = hole.take() {
                        assert_eq!((hole.from, hole.to), (played[&last].time, trade.time), "{hole:?}");
                        gaps.push(Gap { cause: hole.cause, after: last, before: last + hole.missed + 1 });
                        last += hole.missed;
                    }
                    assert_eq!(trade.id, last + 1, "dense, but for holes that are named");
                    last = trade.id;
                }
                _ => {}
            }
        }
        assert!(last > self.since && hole.is_none(), "trades came, and after every hole one: {hole:?}");
        gaps
    }
}

/// All trades that the server has played, by their ids.
fn answered(server: &Server, symbol: &str) -> BTreeMap<u64, Played> {
    let mut played = BTreeMap::new();
    loop {
        let from = played.last_key_value().map_or(1, |(last, _)| last + 1);
        let path = format!("/api/v3/historicalTrades?symbol={symbol}&fromId={from}&limit=1000");
        let page = get(server, &path).json();
        let page = page.as_array().expect("a list of trades");
        for trade in page {
            let text = |field: &str| trade[field].as_str().expect("a decimal");
            let price = text("price").parse().expect("a price");
            let volume = text("qty").parse().expect("a volume");
            let time = Timestamp::from_millis(trade["time"].as_i64().expect("a time"));
            played.insert(trade["id"].as_u64().expect("an id"), Played { price, volume, time });
        }
        if page.len() < 1_000 {
            return played;
        }
    }
}

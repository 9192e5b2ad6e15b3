//! A machine with a venue in virtual time: it opens what is to be opened and answers what is asked, unless told not to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use engine::instrument::Symbol;
use engine::time::Timestamp;
use serde_json::Value;

use super::super::clock::Now;
use super::super::exchange_info::ExchangeInfo;
use super::super::faults::Failure;
use super::super::machine::{Action, ConnectionId, Hosts, Machine};
use super::super::product::Product;
use crate::live::{Hole, HoleCause, LastTrade, LiveTrade, News};

/// The wall's clock where virtual time begins.
pub const START: i64 = 1_800_000_000_000;

pub struct Stage {
    product: Product,
    pub machine: Machine,
    pub now: u64,
    /// Connections that stand, with their streams and when each message was sent on it.
    pub open: BTreeMap<ConnectionId, BTreeSet<String>>,
    pub sent: HashMap<ConnectionId, Vec<u64>>,
    pub connects: Vec<(u64, usize)>,
    /// The paths of all connections that were opened.
    pub paths: BTreeMap<ConnectionId, &'static str>,
    pub asked: Vec<(u64, usize)>,
    pub pings: Vec<ConnectionId>,
    pub news: Vec<News>,
    /// The venue's markets.
    pub listed: Vec<(&'static str, &'static str, &'static str)>,
    /// What connecting and asking come to, in place of a success.
    pub refusal: Option<Failure>,
    /// Whether requests on streams and pings are answered.
    pub answers: bool,
}

impl Stage {
    pub fn new(seed: u64) -> Self {
        println!("seed {seed}");
        Self::quiet(seed)
    }

    /// One of many whose seed says nothing.
    pub fn quiet(seed: u64) -> Self {
        Self::of(Product::Spot, seed)
    }

    /// One of this product.
    pub fn of(product: Product, seed: u64) -> Self {
        let two = |name: &str| vec![format!("{name}.one"), format!("{name}.two")];
        Self {
            product,
            machine: Machine::new(product, Hosts { requests: two("api"), streams: two("stream") }, seed),
            now: 1_000,
            open: BTreeMap::new(),
            sent: HashMap::new(),
            connects: Vec::new(),
            paths: BTreeMap::new(),
            asked: Vec::new(),
            pings: Vec::new(),
            news: Vec::new(),
            listed: vec![("BTC", "USDT", "TRADING"), ("ETH", "USDT", "TRADING")],
            refusal: None,
            answers: true,
        }
    }

    /// One that follows these markets and has all their streams.
    pub fn following(seed: u64, symbols: &[&str]) -> Self {
        let mut stage = Self::new(seed);
        stage.follow(symbols, None);
        stage.run(2_000);
        stage
    }

    pub fn follow(&mut self, symbols: &[&str], known: Option<LastTrade>) {
        self.machine.follow(symbols.iter().map(|symbol| (symbol.parse::<Symbol>().unwrap(), known)).collect());
    }

    pub fn clocks(&self) -> Now {
        Now { millis: self.now, wall: self.wall() }
    }

    pub fn wall(&self) -> Timestamp {
        Timestamp::from_millis(START + i64::try_from(self.now).unwrap())
    }

    /// Time goes on by so much, in steps as the driver takes them.
    pub fn run(&mut self, millis: u64) {
        let end = self.now + millis;
        while self.now < end {
            self.now = (self.now + 100).min(end);
            self.step();
        }
    }

    /// One turn of the driver's loop.
    pub fn step(&mut self) {
        self.machine.tick(self.clocks());
        self.act();
        self.news.extend(self.machine.take_news());
    }

    fn act(&mut self) {
        let now = self.clocks();
        for action in self.machine.take_actions() {
            match action {
                Action::Connect { connection, host, path } => {
                    self.connects.push((self.now, host));
                    self.paths.insert(connection, path);
                    if let Some(failure) = &self.refusal {
                        self.machine.lost(connection, failure, self.now);
                    } else {
                        self.open.insert(connection, BTreeSet::new());
                        self.machine.opened(connection, now);
                    }
                }
                Action::Send { connection, text } => self.said(connection, &text),
                Action::Ping { connection } => {
                    self.pings.push(connection);
                    if self.answers {
                        self.machine.heard_from(connection, now);
                    }
                }
                Action::Close { connection } => drop(self.open.remove(&connection)),
                Action::AskRules { host, .. } => {
                    self.asked.push((self.now, host));
                    match &self.refusal {
                        Some(failure) => self.machine.rules_failed(failure, self.now),
                        None => self.machine.rules_came(&info(self.product, &self.listed, self.wall()), 0, now),
                    }
                }
            }
        }
    }

    fn said(&mut self, connection: ConnectionId, text: &str) {
        let message: Value = serde_json::from_str(text).unwrap();
        self.sent.entry(connection).or_default().push(self.now);
        let streams = message["params"].as_array().unwrap().iter().map(|stream| stream.as_str().unwrap().to_owned());
        let known = self.open.get_mut(&connection).unwrap();
        if message["method"] == "SUBSCRIBE" {
            known.extend(streams);
        } else {
            for stream in streams {
                known.remove(&stream);
            }
        }
        if self.answers {
            let answer = format!("{{\"result\":null,\"id\":{}}}", message["id"]);
            self.machine.frame(connection, &answer, self.wall(), self.now);
        }
    }

    /// A frame comes on a connection.
    pub fn frame(&mut self, connection: ConnectionId, text: &str) -> bool {
        let is_taken = self.machine.frame(connection, text, self.wall(), self.now);
        self.act();
        self.news.extend(self.machine.take_news());
        is_taken
    }

    /// The connection that was opened last and stands.
    pub fn newest(&self) -> ConnectionId {
        *self.open.last_key_value().unwrap().0
    }

    /// The venue sends no trades, until it is known.
    pub fn settle_on_aggregates(&mut self) {
        self.run(12_000);
        let market = self.at("/market");
        // Of before all that is told later.
        self.frame(market, &aggregate(1, (1, 1)));
        self.run(3_000);
        self.news.clear();
    }

    /// The connection that stands at this path.
    pub fn at(&self, path: &str) -> ConnectionId {
        *self.open.keys().rev().find(|id| self.paths[*id] == path).unwrap()
    }

    /// The connection breaks.
    pub fn breaks(&mut self, connection: ConnectionId) {
        self.open.remove(&connection);
        self.machine.lost(connection, &Failure::unreachable("broken"), self.now);
    }

    pub fn trades(&self) -> Vec<&LiveTrade> {
        self.news.iter().filter_map(|news| if let News::Trade(trade) = news { Some(trade) } else { None }).collect()
    }

    pub fn ids(&self) -> Vec<u64> {
        self.trades().into_iter().map(|trade| trade.id).collect()
    }

    pub fn holes(&self) -> Vec<(HoleCause, u64)> {
        let hole = |news: &News| {
            if let News::Hole(Hole { cause, missed, .. }) = news { Some((*cause, *missed)) } else { None }
        };
        self.news.iter().filter_map(hole).collect()
    }
}

/// What the venue answers about these markets.
pub fn info(product: Product, listed: &[(&str, &str, &str)], server_time: Timestamp) -> ExchangeInfo {
    let future = match product {
        Product::Spot => "",
        Product::UsdMargined => r#""contractType":"PERPETUAL","marginAsset":"USDT","deliveryDate":4133404800000,"#,
    };
    let symbols: Vec<String> = listed
        .iter()
        .map(|(base, quote, status)| {
            format!(
                r#"{{"symbol":"{base}{quote}","status":"{status}","baseAsset":"{base}","quoteAsset":"{quote}",{future}"filters":[
                    {{"filterType":"PRICE_FILTER","minPrice":"0.01","tickSize":"0.01000000"}},
                    {{"filterType":"LOT_SIZE","stepSize":"0.00001000"}},
                    {{"filterType":"NOTIONAL","minNotional":"5.00000000","applyMinToMarket":true}}]}}"#
            )
        })
        .collect();
    let text =
        format!(r#"{{"timezone":"UTC","serverTime":{},"symbols":[{}]}}"#, server_time.millis(), symbols.join(","));
    ExchangeInfo::read(product, &text).unwrap()
}

/// An aggregate of BTCUSDT's trades, of these ids.
pub fn aggregate(id: u64, (first, last): (u64, u64)) -> String {
    let time = START + i64::try_from(last).unwrap();
    format!(
        r#"{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":{time},"s":"BTCUSDT","a":{id},"p":"61837.60","q":"0.020","f":{first},"l":{last},"T":{time},"m":true}}}}"#
    )
}

pub fn trade(id: u64) -> String {
    trade_of("BTCUSDT", id)
}

pub fn trade_of(market: &str, id: u64) -> String {
    let (stream, time) = (market.to_ascii_lowercase(), START + i64::try_from(id).unwrap());
    format!(
        r#"{{"stream":"{stream}@trade","data":{{"e":"trade","E":{time},"s":"{market}","t":{id},"p":"61837.63000000","q":"0.02000000","T":{time},"m":true,"M":true}}}}"#
    )
}

pub fn book(update: u64, bid: &str, ask: &str) -> String {
    format!(
        r#"{{"stream":"btcusdt@bookTicker","data":{{"u":{update},"s":"BTCUSDT","b":"{bid}","B":"3.5","a":"{ask}","A":"1.5"}}}}"#
    )
}

//! The live source without its connections: it is given what happens and when, and says what to tell and what to do. Knows no
//! clock, no chance but a seed, and waits for nothing.
//!
//! Streams of followed markets are dealt to lanes, by the path that the venue serves their kind on, as many as one connection
//! may carry. A lane has one connection, and for a while two:
//! before the venue ends one the next is opened, and each market changes over when what the old one gave is not behind what the
//! new one gave.

mod connections;
mod frames;
mod rules;
mod trades;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use engine::instrument::Symbol;
use engine::time::Timestamp;

use super::clock::Now;
use super::faults::Failure;
use super::market::Market;
use super::product::{Kind, Product};
use super::route::Route;
use crate::live::{HoleCause, LastTrade, Link, LinkFault, MarketRules, News, Traffic};
use connections::{Connection, Lane};
use frames::Malformed;

/// A connection, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ConnectionId(pub(super) u64);

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Open a connection to this one of the hosts of streams, at this path.
    Connect { connection: ConnectionId, host: usize, path: &'static str },
    /// Send a message.
    Send { connection: ConnectionId, text: String },
    /// Send a ping.
    Ping { connection: ConnectionId },
    /// Close it, and drop what came from it.
    Close { connection: ConnectionId },
    /// Ask for the rules of these markets, by the venue's names, at this one of the hosts of requests.
    AskRules { host: usize, names: Vec<String> },
}

/// News of life come no closer than this.
const ALIVE_MILLIS: u64 = 1_000;

/// A wish to follow a market.
#[derive(Debug)]
struct Followed {
    known: Option<LastTrade>,
    rules: Option<MarketRules>,
}

/// The hosts that serve the same, the first one before all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hosts {
    /// Of requests.
    pub requests: Vec<String>,
    /// Of streams.
    pub streams: Vec<String>,
}

/// What is known of the venue and of the way to it.
#[derive(Debug)]
pub(super) struct Machine {
    product: Product,
    followed: BTreeMap<Symbol, Followed>,
    /// Those that the venue has, by its names.
    markets: HashMap<String, Market>,
    /// Names of those that were left.
    left: HashSet<String>,
    lanes: Vec<Lane>,
    /// The kind of stream that trades are taken from, of all markets.
    trades_as: Kind,
    /// Since when aggregates tell of trades of which none came.
    unmatched_since: Option<u64>,
    connections: BTreeMap<ConnectionId, Connection>,
    last_connection: u64,
    streams: Route,
    requests: Route,
    hosts: Hosts,
    rules: rules::Asking,
    /// Nothing is asked and opened before, and why.
    held: Option<(u64, LinkFault)>,
    /// Why the streams are not all there; what was told last.
    fault: Option<LinkFault>,
    told: Option<Link>,
    malformed: Malformed,
    traffic: Traffic,
    alive_at: u64,
    random: fastrand::Rng,
    news: VecDeque<News>,
    actions: Vec<Action>,
}

impl Machine {
    /// A source that follows nothing.
    pub(super) fn new(product: Product, hosts: Hosts, seed: u64) -> Self {
        Self {
            product,
            followed: BTreeMap::new(),
            markets: HashMap::new(),
            left: HashSet::new(),
            lanes: Vec::new(),
            trades_as: Kind::Trade,
            unmatched_since: None,
            connections: BTreeMap::new(),
            last_connection: 0,
            streams: Route::new(hosts.streams.len()),
            requests: Route::new(hosts.requests.len()),
            hosts,
            rules: rules::Asking::default(),
            held: None,
            fault: None,
            told: None,
            malformed: Malformed::default(),
            traffic: Traffic::default(),
            alive_at: 0,
            random: fastrand::Rng::with_seed(seed),
            news: VecDeque::new(),
            actions: Vec::new(),
        }
    }

    /// What is to be told, in order; empty afterwards.
    pub(super) fn take_news(&mut self) -> VecDeque<News> {
        std::mem::take(&mut self.news)
    }

    /// What is to be done, in order; empty afterwards.
    pub(super) fn take_actions(&mut self) -> Vec<Action> {
        let is_sent = |action: &&Action| matches!(action, Action::Send { .. } | Action::Ping { .. });
        let sent = self.actions.iter().filter(is_sent).count();
        self.traffic.sent = self.traffic.sent.saturating_add(sent as u64);
        std::mem::take(&mut self.actions)
    }

    /// What has passed so far.
    pub(super) fn traffic(&self, now: u64) -> Traffic {
        let ages = self.lanes.iter().filter_map(|lane| self.heard(lane));
        let frame_age = ages.map(|heard| Duration::from_millis(now.saturating_sub(heard.millis))).max();
        let banned_until = match self.holding(now) {
            Some(LinkFault::Banned { until, .. }) => until,
            Some(LinkFault::Unreachable(_) | LinkFault::Region(_)) | None => None,
        };
        Traffic { frame_age, banned_until, ..self.traffic.clone() }
    }

    /// Candles were answered.
    pub(super) fn candles_came(&mut self, count: usize) {
        self.traffic.candles = self.traffic.candles.saturating_add(count as u64);
        self.request_served();
    }

    /// From now on these markets.
    pub(super) fn follow(&mut self, wanted: BTreeMap<Symbol, Option<LastTrade>>) {
        let gone: Vec<Symbol> = self.followed.keys().filter(|symbol| !wanted.contains_key(*symbol)).cloned().collect();
        for symbol in gone {
            self.followed.remove(&symbol);
            self.leave(&symbol);
        }
        for (symbol, known) in wanted {
            self.followed.entry(symbol).or_insert(Followed { known, rules: None });
        }
    }

    /// Time goes on. Does what is due.
    pub(super) fn tick(&mut self, now: Now) {
        self.drop_stale(now.millis);
        self.hand_over(now.millis);
        if self.holding(now.millis).is_none() {
            self.look_at_quiet_markets(now.millis);
            self.look_for_trades(now.millis);
            self.ask_rules(now.millis);
            self.connect(now);
        }
        self.send_due(now.millis);
        self.tell_link();
        self.tell_alive(now.millis);
        let unquoted = self
            .markets
            .values_mut()
            .filter_map(|market| market.lacks_quotes(now.millis).then(|| market.symbol.clone()));
        self.news.extend(unquoted.map(News::Unquoted));
        self.malformed.tell(now.millis, &mut self.news);
    }

    /// Why nothing is asked now, where it is so.
    pub(super) fn holding(&self, now: u64) -> Option<LinkFault> {
        self.held.as_ref().filter(|(until, _)| now < *until).map(|(_, fault)| fault.clone())
    }

    /// The host that requests go to.
    pub(super) const fn request_host(&self) -> usize {
        self.requests.host
    }

    /// When requests may be asked again, after those that failed.
    pub(super) const fn requests_due(&self) -> u64 {
        self.requests.next_at
    }

    /// A request, of whatever kind, came to nothing. Whether no host is left to try, and what is known has to do.
    pub(super) fn request_failed(&mut self, failure: &Failure, now: u64) -> bool {
        self.hold(failure, now);
        let none_is_left = self.requests.failed(now, &mut self.random) || failure.hold_millis.is_some();
        let lacks_rules = self.followed.values().any(|followed| followed.rules.is_none());
        if none_is_left && lacks_rules {
            self.fault = Some(failure.fault.clone());
        }
        none_is_left && !lacks_rules
    }

    /// A request was answered.
    pub(super) fn request_served(&mut self) {
        let Self { requests, hosts, news, .. } = self;
        requests.settled();
        tell_host(requests.served(), "requests", &hosts.requests, news);
    }

    /// Whoever runs this was not run for so long. What lay in its connections is old, and dropped with them.
    pub(super) fn suspended(&mut self, millis: u64) {
        self.news.push_back(News::Suspended { millis });
        for connection in std::mem::take(&mut self.connections).into_keys() {
            self.actions.push(Action::Close { connection });
            Traffic::count(&mut self.traffic.reconnects, "Suspend");
        }
        for lane in &mut self.lanes {
            (lane.current, lane.successor) = (None, None);
        }
        for market in self.markets.values_mut() {
            market.lose_all();
            market.may_miss(HoleCause::Suspend);
        }
        if !self.lanes.is_empty() {
            let words = format!(
                "this process was not run for {millis} ms; what had piled up was dropped, and it connects anew"
            );
            self.fault = Some(LinkFault::Unreachable(words));
        }
    }

    /// Nothing was read from any connection on purpose: none of them is stale for that.
    pub(super) fn not_read(&mut self, now: Now) {
        for connection in self.connections.values_mut().filter(|connection| connection.is_open()) {
            connection.was_not_read(now.millis);
        }
    }

    fn hold(&mut self, failure: &Failure, now: u64) {
        if let Some(millis) = failure.hold_millis {
            let until = now.saturating_add(millis);
            if self.held.as_ref().is_none_or(|(held, _)| *held < until) {
                self.held = Some((until, failure.fault.clone()));
            }
        }
    }

    /// Whether every market that the venue has is subscribed.
    fn is_up(&self) -> bool {
        !self.followed.is_empty()
            && self.followed.values().all(|followed| followed.rules.is_some())
            && self.lanes.iter().all(|lane| self.serves(lane))
    }

    fn tell_link(&mut self) {
        let link = if self.is_up() {
            self.fault = None;
            Link::Up
        } else if let Some(fault) = &self.fault {
            Link::Down(fault.clone())
        } else {
            return;
        };
        if self.told.as_ref() != Some(&link) {
            self.told = Some(link.clone());
            self.news.push_back(News::Link(link));
        }
    }

    fn tell_alive(&mut self, now: u64) {
        let since = self.alive_at;
        if now.saturating_sub(since) < ALIVE_MILLIS {
            return;
        }
        let used = self.lanes.iter().filter(|lane| !lane.markets.is_empty());
        let heard = used.map(|lane| self.heard(lane).filter(|heard| heard.millis > since).map(|heard| heard.wall));
        let heard: Option<Vec<Timestamp>> = heard.collect();
        if let Some(at) = heard.and_then(|heard| heard.into_iter().min()) {
            self.alive_at = now;
            self.news.push_back(News::Alive { at });
        }
    }
}

/// Says which host serves from now on, where it is another one than before.
fn tell_host(changed: Option<usize>, what: &str, hosts: &[String], news: &mut VecDeque<News>) {
    if let Some((host, first)) = changed.and_then(|host| hosts.get(host)).zip(hosts.first()) {
        let other = if host == first { String::new() } else { format!(", in place of {first}, which did not serve") };
        news.push_back(News::Notice(format!("{what} are answered by {host} from now on{other}")));
    }
}

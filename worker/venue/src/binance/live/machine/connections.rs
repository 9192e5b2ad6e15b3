//! Connections of the lanes: opened, changed over before the venue ends them, and given up when nothing comes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use engine::instrument::Symbol;

use super::super::clock::Now;
use super::super::faults::Failure;
use super::super::market::Market;
use super::super::product::Kind;
use super::super::requests::Requests;
use super::{Action, ConnectionId, Machine, tell_host};
use crate::binance::symbols;
use crate::live::{HoleCause, LastTrade, LinkFault, Traffic};

/// Without a frame or a pong for so long a connection is stale.
const STALE_MILLIS: u64 = 30_000;
/// One that is quiet for so long is asked whether it is there.
const QUIET_MILLIS: u64 = 5_000;
/// The venue ends a connection after 24 hours: before that, at some moment of this span.
const RETIRE_MILLIS: std::ops::Range<u64> = (23 * 60 + 20) * 60_000..(23 * 60 + 40) * 60_000;
/// After so long on both connections nothing of a quiet market is under way on the old one any more.
const OVERLAP_MILLIS: u64 = 5_000;
/// After so long the old connection is too far behind to wait for.
const OVERLAP_MAX_MILLIS: u64 = 30_000;
/// A connection that has held for so long was no failure.
const SETTLED_MILLIS: u64 = 60_000;

/// Markets that share a connection.
#[derive(Debug)]
pub(super) struct Lane {
    /// The path of its connections.
    pub path: &'static str,
    /// By the venue's names, with the kinds of their streams.
    pub markets: BTreeMap<String, BTreeSet<Kind>>,
    pub current: Option<ConnectionId>,
    /// The one that takes over.
    pub successor: Option<ConnectionId>,
}

impl Lane {
    const fn new(path: &'static str) -> Self {
        Self { path, markets: BTreeMap::new(), current: None, successor: None }
    }

    fn streams(&self) -> usize {
        self.markets.values().map(BTreeSet::len).sum()
    }

    /// Both connections.
    fn connections(&self) -> impl Iterator<Item = ConnectionId> + use<> {
        [self.current, self.successor].into_iter().flatten()
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    lane: usize,
    /// Since when it is open.
    opened_at: Option<u64>,
    pub heard: Now,
    pinged_at: u64,
    /// Before it something was left unread on purpose.
    unread_until: u64,
    retire_at: u64,
    pub requests: Requests,
    /// Since when every stream of the lane comes on it.
    pub served_at: Option<u64>,
    /// Whether a trade came on it, and no aggregate of some.
    pub has_trades: bool,
    /// Of markets whose trades are taken from another one: the newest that came.
    pub seen: HashMap<String, u64>,
}

impl Connection {
    pub(super) const fn is_open(&self) -> bool {
        self.opened_at.is_some()
    }

    pub(super) fn was_not_read(&mut self, now: u64) {
        self.unread_until = now;
    }
}

impl Machine {
    /// The connection is open: its lane's streams are asked for.
    pub(in super::super) fn opened(&mut self, id: ConnectionId, now: Now) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.opened_at = Some(now.millis);
        (connection.heard, connection.pinged_at) = (now, now.millis);
        let life = self.random.u64(RETIRE_MILLIS);
        connection.retire_at = now.millis.saturating_add(life);
        if let Some(lane) = self.lanes.get(connection.lane) {
            for (market, kinds) in &lane.markets {
                // Quotes before trades, so that the first trade has some.
                for kind in kinds {
                    connection.requests.subscribe(market, *kind);
                }
            }
        }
        let Self { streams, hosts, news, .. } = self;
        tell_host(streams.served(), "streams", &hosts.streams, news);
    }

    /// A frame of any kind came.
    pub(in super::super) fn heard_from(&mut self, id: ConnectionId, now: Now) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.heard = now;
        }
    }

    /// The connection is gone, or never came to be.
    pub(in super::super) fn lost(&mut self, id: ConnectionId, failure: &Failure, now: u64) {
        let is_open = self.connections.get(&id).is_some_and(Connection::is_open);
        let cause = match &failure.fault {
            _ if is_open => "Disconnect",
            LinkFault::Unreachable(_) => "Unreachable",
            LinkFault::Banned { .. } => "Banned",
            LinkFault::Region(_) => "Region",
        };
        self.gone(id, (failure, cause), now);
    }

    fn gone(&mut self, id: ConnectionId, (failure, cause): (&Failure, &'static str), now: u64) {
        let Some(connection) = self.connections.remove(&id) else { return };
        Traffic::count(&mut self.traffic.reconnects, cause);
        self.hold(failure, now);
        let is_told = if connection.is_open() {
            self.streams.lost(now, &mut self.random);
            self.refresh_rules(now);
            true
        } else {
            self.streams.failed(now, &mut self.random) || failure.hold_millis.is_some()
        };
        let Some(lane) = self.lanes.get_mut(connection.lane) else { return };
        if lane.successor == Some(id) {
            lane.successor = None;
            return;
        }
        if lane.current == Some(id) {
            lane.current = lane.successor.take();
            let current = lane.current;
            for (name, kinds) in &lane.markets {
                let market = self.markets.get_mut(name);
                if let Some(market) = market.filter(|market| market.source_in(connection.lane) == Some(id)) {
                    market.take_from(connection.lane, current);
                    if kinds.contains(&self.trades_as) {
                        market.may_miss(HoleCause::Disconnect);
                    }
                }
            }
            if is_told {
                self.fault = Some(failure.fault.clone());
            }
        }
    }

    /// The venue will end this connection soon.
    pub(super) fn ends_soon(&mut self, id: ConnectionId, now: u64) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.retire_at = connection.retire_at.min(now);
        }
    }

    /// A market that the venue has: its streams are asked for.
    pub(super) fn enter(&mut self, symbol: Symbol, name: &str, known: Option<LastTrade>) {
        self.markets.insert(name.to_owned(), Market::new(symbol, known));
        for kind in [Kind::BookTicker, self.trades_as] {
            self.join(name, kind);
        }
    }

    /// Asks for a stream of a market, in a lane of its path.
    pub(super) fn join(&mut self, name: &str, kind: Kind) {
        let Some(market) = self.markets.get_mut(name) else { return };
        let path = self.product.path(kind);
        let lanes = &mut self.lanes;
        let known = market.lanes().find(|lane| lanes.get(*lane).is_some_and(|lane| lane.path == path));
        // A market has two streams in a lane at most.
        let has_room = |lane: &Lane| lane.path == path && lane.streams() + 2 <= self.product.streams_max();
        let index = known.or_else(|| lanes.iter().position(has_room)).unwrap_or_else(|| {
            lanes.push(Lane::new(path));
            lanes.len() - 1
        });
        let Some(lane) = lanes.get_mut(index) else { return };
        if known.is_none() {
            market.take_from(index, lane.current);
        }
        if !lane.markets.entry(name.to_owned()).or_default().insert(kind) {
            return;
        }
        for id in lane.connections() {
            if let Some(connection) = self.connections.get_mut(&id).filter(|connection| connection.is_open()) {
                connection.requests.subscribe(name, kind);
            }
        }
    }

    /// Asks for no more of a stream of a market.
    pub(super) fn part(&mut self, name: &str, kind: Kind) {
        let path = self.product.path(kind);
        let lanes = self.lanes.iter_mut().enumerate();
        let mut having = lanes.filter(|(_, lane)| lane.path == path && lane.markets.contains_key(name));
        let Some((index, lane)) = having.next() else { return };
        let Some(kinds) = lane.markets.get_mut(name) else { return };
        if !kinds.remove(&kind) {
            return;
        }
        if kinds.is_empty() {
            lane.markets.remove(name);
            if let Some(market) = self.markets.get_mut(name) {
                market.part(index);
            }
        }
        for id in lane.connections() {
            if let Some(connection) = self.connections.get_mut(&id).filter(|connection| connection.is_open()) {
                connection.requests.unsubscribe(name, kind);
            }
        }
    }

    /// Follows a market no more.
    pub(super) fn leave(&mut self, symbol: &Symbol) {
        let name = symbols::name(symbol);
        if self.markets.get(&name).is_none_or(|market| market.symbol != *symbol) {
            return;
        }
        for kind in [Kind::BookTicker, Kind::Trade, Kind::Aggregate] {
            self.part(&name, kind);
        }
        self.markets.remove(&name);
        self.left.insert(name);
    }

    /// Whether all streams of a lane come.
    pub(super) fn serves(&self, lane: &Lane) -> bool {
        let current = lane.current.and_then(|id| self.connections.get(&id));
        lane.markets.is_empty()
            || current.is_some_and(|connection| connection.is_open() && connection.requests.are_done())
    }

    /// When the connection of a lane was heard last.
    pub(super) fn heard(&self, lane: &Lane) -> Option<Now> {
        let connection = self.connections.get(&lane.current?)?;
        connection.is_open().then_some(connection.heard)
    }

    /// Gives up connections on which nothing comes, or an answer does not.
    pub(super) fn drop_stale(&mut self, now: u64) {
        let problem = |connection: &Connection| {
            let alive = connection.heard.millis.max(connection.unread_until);
            if now.saturating_sub(alive) > STALE_MILLIS {
                Some("nothing came for 30 s, not even an answer to a ping; it connects anew")
            } else if connection.requests.are_overdue(now) && now > connection.unread_until.saturating_add(STALE_MILLIS)
            {
                Some("a subscription was not answered for 10 s; it connects anew")
            } else {
                None
            }
        };
        let open = self.connections.iter().filter(|(_, connection)| connection.is_open());
        let stale: Vec<_> = open.filter_map(|(id, connection)| Some((*id, problem(connection)?))).collect();
        for (id, problem) in stale {
            let failure = Failure::unreachable(format!("streams of the exchange: {problem}"));
            self.close(id, (&failure, "Stale"), now);
        }
    }

    /// Closes a connection from this side.
    pub(super) fn close(&mut self, id: ConnectionId, why: (&Failure, &'static str), now: u64) {
        self.actions.push(Action::Close { connection: id });
        self.gone(id, why, now);
    }

    /// Opens what is missing: the connection of a lane, or the one after it.
    pub(super) fn connect(&mut self, now: Now) {
        if now.millis < self.streams.next_at {
            return;
        }
        for index in 0..self.lanes.len() {
            let Some(lane) = self.lanes.get(index) else { continue };
            let retires = || {
                let current = lane.current.and_then(|id| self.connections.get(&id));
                current.is_some_and(|connection| connection.is_open() && now.millis >= connection.retire_at)
            };
            let missing = lane.current.is_none();
            if lane.markets.is_empty() || !(missing || (lane.successor.is_none() && retires())) {
                continue;
            }
            self.last_connection += 1;
            let id = ConnectionId(self.last_connection);
            self.actions.push(Action::Connect { connection: id, host: self.streams.host, path: lane.path });
            let requests = Requests::default();
            let (seen, served_at, opened_at) = (HashMap::new(), None, None);
            let connection = Connection {
                lane: index,
                opened_at,
                heard: now,
                pinged_at: now.millis,
                unread_until: 0,
                retire_at: u64::MAX,
                requests,
                served_at,
                has_trades: false,
                seen,
            };
            self.connections.insert(id, connection);
            if let Some(lane) = self.lanes.get_mut(index) {
                if missing {
                    lane.current = Some(id);
                    self.take_from(index, id);
                } else {
                    lane.successor = Some(id);
                }
            }
        }
    }

    /// Markets without a source have this one.
    fn take_from(&mut self, index: usize, id: ConnectionId) {
        let Some(lane) = self.lanes.get(index) else { return };
        for name in lane.markets.keys() {
            if let Some(market) = self.markets.get_mut(name) {
                market.take_from(index, Some(id));
            }
        }
    }

    /// Changes markets over to the next connection, and closes the old one when none is left on it.
    pub(super) fn hand_over(&mut self, now: u64) {
        let lanes: Vec<_> = self.lanes.iter().filter_map(|lane| lane.current.zip(lane.successor)).collect();
        for (old, new) in lanes {
            let Some(connection) = self.connections.get_mut(&new) else { continue };
            if !connection.is_open() || !connection.requests.are_done() {
                connection.served_at = None;
                continue;
            }
            let served_at = *connection.served_at.get_or_insert(now);
            let names: Vec<String> =
                self.lane_of(new).map(|lane| lane.markets.keys().cloned().collect()).unwrap_or_default();
            let left =
                names.iter().filter(|name| !self.changes_over(name, (old, new), now.saturating_sub(served_at))).count();
            if left == 0 {
                self.actions.push(Action::Close { connection: old });
                self.connections.remove(&old);
                Traffic::count(&mut self.traffic.reconnects, "Retired");
                if let Some(index) = self.connections.get(&new).map(|connection| connection.lane)
                    && let Some(lane) = self.lanes.get_mut(index)
                {
                    (lane.current, lane.successor) = (Some(new), None);
                }
            }
        }
    }

    fn lane_of(&self, id: ConnectionId) -> Option<&Lane> {
        self.lanes.get(self.connections.get(&id)?.lane)
    }

    /// Whether the market's trades come from the new connection, from now on or already.
    pub(super) fn changes_over(&mut self, name: &str, (old, new): (ConnectionId, ConnectionId), overlap: u64) -> bool {
        let lane = self.connections.get(&new).map(|connection| connection.lane);
        let Some((market, lane)) = self.markets.get_mut(name).zip(lane) else { return true };
        if market.source_in(lane) != Some(old) {
            return true;
        }
        let seen = self.connections.get(&new).and_then(|connection| connection.seen.get(name)).copied();
        let is_level = match seen {
            // All that the new one gave, the old one gave too: what follows comes whole.
            Some(seen) => market.last_id() >= Some(seen),
            None => overlap >= OVERLAP_MILLIS,
        };
        if is_level || overlap >= OVERLAP_MAX_MILLIS {
            market.take_from(lane, Some(new));
        }
        market.source_in(lane) == Some(new)
    }

    /// Sends requests at their pace, and pings where it is quiet.
    pub(super) fn send_due(&mut self, now: u64) {
        for (id, connection) in &mut self.connections {
            let Some(opened_at) = connection.opened_at else { continue };
            if let Some(text) = connection.requests.due(now) {
                self.actions.push(Action::Send { connection: *id, text });
            }
            let quiet_since = connection.heard.millis.max(connection.pinged_at);
            if now.saturating_sub(quiet_since) >= QUIET_MILLIS {
                connection.pinged_at = now;
                self.actions.push(Action::Ping { connection: *id });
            }
            if now.saturating_sub(opened_at) >= SETTLED_MILLIS {
                self.streams.settled();
            }
        }
    }

    /// The venue did not take a request.
    pub(super) fn refused(&mut self, id: ConnectionId, said: &str, now: u64) {
        self.judge_refusal(id, said);
        let words =
            format!("streams of the exchange: it refused a subscription, and said \"{said}\"; it connects anew");
        self.close(id, (&Failure::unreachable(words), "Refused"), now);
    }
}

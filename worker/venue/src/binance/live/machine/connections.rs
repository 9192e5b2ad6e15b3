//! Connections of the lanes: opened, changed over before the venue ends them, and given up when nothing comes.

use std::collections::{BTreeSet, HashMap};

use engine::instrument::Symbol;

use super::super::clock::Now;
use super::super::faults::Failure;
use super::super::market::Market;
use super::super::requests::Requests;
use super::{Action, ConnectionId, Machine, tell_host};
use crate::live::{HoleCause, LastTrade, LinkFault};

/// A connection carries 1,024 streams, and a market has two.
pub(super) const LANE_MAX: usize = 512;
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
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// By the venue's names.
    pub markets: BTreeSet<String>,
    pub current: Option<ConnectionId>,
    /// The one that takes over.
    pub successor: Option<ConnectionId>,
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
    served_at: Option<u64>,
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
            lane.markets.iter().for_each(|market| connection.requests.subscribe(market));
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
        let Some(connection) = self.connections.remove(&id) else { return };
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
            for name in &lane.markets {
                if let Some(market) = self.markets.get_mut(name).filter(|market| market.source == Some(id)) {
                    market.source = current;
                    market.may_miss(HoleCause::Disconnect);
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

    /// Puts a market that the venue has into a lane.
    pub(super) fn enter(&mut self, symbol: Symbol, name: String, known: Option<LastTrade>) {
        let free = self.lanes.iter().position(|lane| lane.markets.len() < LANE_MAX);
        let index = free.unwrap_or_else(|| {
            self.lanes.push(Lane::default());
            self.lanes.len() - 1
        });
        let Some(lane) = self.lanes.get_mut(index) else { return };
        lane.markets.insert(name.clone());
        let mut market = Market::new(symbol, index, known);
        market.source = lane.current;
        for id in [lane.current, lane.successor].into_iter().flatten() {
            if let Some(connection) = self.connections.get_mut(&id).filter(|connection| connection.is_open()) {
                connection.requests.subscribe(&name);
            }
        }
        self.markets.insert(name, market);
    }

    /// Takes a market out of its lane.
    pub(super) fn leave(&mut self, symbol: &Symbol) {
        let name = symbol.joined();
        if self.markets.get(&name).is_none_or(|market| market.symbol != *symbol) {
            return;
        }
        let Some(market) = self.markets.remove(&name) else { return };
        let Some(lane) = self.lanes.get_mut(market.lane) else { return };
        lane.markets.remove(&name);
        self.left.insert(name.clone());
        for id in [lane.current, lane.successor].into_iter().flatten() {
            if let Some(connection) = self.connections.get_mut(&id).filter(|connection| connection.is_open()) {
                connection.requests.unsubscribe(&name);
            }
        }
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
            self.close(id, &Failure::unreachable(format!("streams of the exchange: {problem}")), now);
        }
    }

    /// Closes a connection from this side.
    pub(super) fn close(&mut self, id: ConnectionId, failure: &Failure, now: u64) {
        self.actions.push(Action::Close { connection: id });
        self.lost(id, failure, now);
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
            self.actions.push(Action::Connect { connection: id, host: self.streams.host });
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
    fn take_from(&mut self, lane: usize, id: ConnectionId) {
        let Some(lane) = self.lanes.get(lane) else { return };
        for name in &lane.markets {
            if let Some(market) = self.markets.get_mut(name) {
                market.source = Some(id);
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
                self.lane_of(new).map(|lane| lane.markets.iter().cloned().collect()).unwrap_or_default();
            let left =
                names.iter().filter(|name| !self.changes_over(name, (old, new), now.saturating_sub(served_at))).count();
            if left == 0 {
                self.actions.push(Action::Close { connection: old });
                self.connections.remove(&old);
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
        let Some(market) = self.markets.get_mut(name) else { return true };
        if market.source != Some(old) {
            return true;
        }
        let seen = self.connections.get(&new).and_then(|connection| connection.seen.get(name)).copied();
        let is_level = match seen {
            // All that the new one gave, the old one gave too: what follows comes whole.
            Some(seen) => market.last_id() >= Some(seen),
            None => overlap >= OVERLAP_MILLIS,
        };
        if is_level || overlap >= OVERLAP_MAX_MILLIS {
            market.source = Some(new);
        }
        market.source == Some(new)
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
        let words =
            format!("streams of the exchange: it refused a subscription, and said \"{said}\"; it connects anew");
        self.close(id, &Failure { fault: LinkFault::Unreachable(words), hold_millis: None }, now);
    }
}

//! Whether the venue sends trades or, where it may, only aggregates of them. A stream that it does not serve is taken and stays
//! silent, and so does one of a market that nobody trades in: only an aggregate of trades that did not come tells them apart.

use super::super::product::Kind;
use super::{ConnectionId, Machine};
use crate::live::News;

/// A connection without any trade for so long is doubted.
const SILENT_MILLIS: u64 = 10_000;
/// A trade comes before the aggregate that it is in, or this much behind at most.
const BEHIND_MILLIS: u64 = 2_000;

impl Machine {
    /// Asks for aggregates where no trade comes, and for no more of them once some do.
    pub(super) fn look_for_trades(&mut self, now: u64) {
        if !self.product.may_aggregate() || self.trades_as == Kind::Aggregate {
            return;
        }
        for connection in self.connections.values_mut() {
            let is_served = connection.is_open() && connection.requests.are_done();
            connection.served_at = is_served.then(|| connection.served_at.unwrap_or(now));
        }
        if self.trades_come() {
            self.unmatched_since = None;
            self.names_with(Kind::Aggregate).iter().for_each(|name| self.part(name, Kind::Aggregate));
        } else if self.are_silent(now) {
            self.names_with(Kind::Trade).iter().for_each(|name| self.join(name, Kind::Aggregate));
        }
        if self.unmatched_since.is_some_and(|since| now.saturating_sub(since) >= BEHIND_MILLIS) {
            self.settle("sent none");
        }
    }

    /// The markets that have a stream of this kind.
    fn names_with(&self, kind: Kind) -> Vec<String> {
        let path = self.product.path(kind);
        let markets = self.lanes.iter().filter(|lane| lane.path == path).flat_map(|lane| &lane.markets);
        markets.filter(|(_, kinds)| kinds.contains(&kind)).map(|(name, _)| name.clone()).collect()
    }

    fn trades_come(&self) -> bool {
        self.connections.values().any(|connection| connection.has_trades)
    }

    /// Whether a connection that should have trades has stood for long.
    fn are_silent(&self, now: u64) -> bool {
        let path = self.product.path(Kind::Trade);
        let currents = self.lanes.iter().filter(|lane| lane.path == path).filter_map(|lane| lane.current);
        let served = currents.filter_map(|id| self.connections.get(&id)?.served_at);
        served.min().is_some_and(|served_at| now.saturating_sub(served_at) >= SILENT_MILLIS)
    }

    /// A trade came.
    pub(super) fn have_trades(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.has_trades = true;
        }
    }

    /// An aggregate came.
    pub(super) fn judge_aggregate(&mut self, now: u64) {
        if self.trades_as == Kind::Trade && !self.trades_come() {
            self.unmatched_since.get_or_insert(now);
        }
    }

    /// The venue refused a subscription: of trades, if none ever came and it does not know a stream.
    pub(super) fn judge_refusal(&mut self, id: ConnectionId, said: &str) {
        let carries = |id| {
            let lanes = self.lanes.iter().filter(|lane| lane.current == Some(id) || lane.successor == Some(id));
            lanes.flat_map(|lane| lane.markets.values()).any(|kinds| kinds.contains(&Kind::Trade))
        };
        let is_unknown = said.to_ascii_lowercase().contains("invalid stream");
        if self.product.may_aggregate() && is_unknown && !self.trades_come() && carries(id) {
            self.settle(&format!("said \"{said}\""));
        }
    }

    /// From now on trades are taken in aggregates, of all markets.
    fn settle(&mut self, problem: &str) {
        (self.trades_as, self.unmatched_since) = (Kind::Aggregate, None);
        for name in &self.names_with(Kind::Trade) {
            self.join(name, Kind::Aggregate);
            self.part(name, Kind::Trade);
        }
        self.news.push_back(News::Notice(format!(
            "the exchange was asked for the stream of trades, @trade, and {problem}; trades are taken in aggregates, @aggTrade"
        )));
    }
}

//! One followed market: its trades with their quotes, and what of them is missing.

use std::collections::{BTreeMap, VecDeque};

use engine::instrument::Symbol;
use engine::numbers::Quantity;
use engine::time::Timestamp;

use super::machine::ConnectionId;
use crate::binance::quoted::QuotedTrades;
use crate::binance::sequence::TradeOrder;
use crate::binance::stream::{Aggregate, BookTicker, Trade};
use crate::live::{Hole, HoleCause, LastTrade, LiveTrade, News};
use crate::observation::{Observation, Quote, size};

/// What is known of it.
#[derive(Debug)]
pub(super) struct Market {
    pub symbol: Symbol,
    /// The lanes in which it is subscribed, and of each the connection whose messages are taken: one at a time, so that each
    /// trade comes once and in order.
    lanes: BTreeMap<usize, Option<ConnectionId>>,
    ticks: QuotedTrades,
    /// The last trade.
    last: Option<LastTrade>,
    /// Why trades would be missing before the next one.
    cause: Option<HoleCause>,
    quiet: Quiet,
    unquoted: Unquoted,
}

/// Trades that come before any quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unquoted {
    /// None has come.
    None,
    /// They come since then, by the clock of who runs this; nothing before it was looked first.
    Since(Option<u64>),
    /// That was told.
    Told,
}

/// Trades for so long without a quote are told of: quotes come with the first trades, or something keeps them.
const UNQUOTED_MILLIS: u64 = 5_000;

/// For how long no trade has come, and how often it was looked why.
#[derive(Debug, Clone, Copy, Default)]
struct Quiet {
    /// Since when, by the clock of who runs this; nothing before it was looked first.
    since: Option<u64>,
    looks: u32,
}

/// Without a trade for so long the market may have halted; each further look waits twice as long.
const QUIET_MILLIS: u64 = 30_000;
/// The longest of these waits is 34 minutes: then the hourly question comes.
const LOOKS_MAX: u32 = 6;

impl Market {
    /// A market that is known up to a trade, or not at all.
    pub(super) fn new(symbol: Symbol, known: Option<LastTrade>) -> Self {
        Self {
            symbol,
            lanes: BTreeMap::new(),
            ticks: known.map_or_else(QuotedTrades::default, |known| QuotedTrades::after(known.id)),
            last: known,
            cause: known.map(|_| HoleCause::Restart),
            quiet: Quiet::default(),
            unquoted: Unquoted::None,
        }
    }

    /// Whether trades have come for long without a quote; told once.
    pub(super) fn lacks_quotes(&mut self, now: u64) -> bool {
        let Unquoted::Since(since) = &mut self.unquoted else { return false };
        let is_due = now.saturating_sub(*since.get_or_insert(now)) >= UNQUOTED_MILLIS;
        if is_due {
            self.unquoted = Unquoted::Told;
        }
        is_due
    }

    /// The lanes in which it is subscribed.
    pub(super) fn lanes(&self) -> impl Iterator<Item = usize> {
        self.lanes.keys().copied()
    }

    /// From now on its messages in this lane are taken from this connection.
    pub(super) fn take_from(&mut self, lane: usize, source: Option<ConnectionId>) {
        self.lanes.insert(lane, source);
    }

    /// It is no more in this lane.
    pub(super) fn part(&mut self, lane: usize) {
        self.lanes.remove(&lane);
    }

    /// No connection is left.
    pub(super) fn lose_all(&mut self) {
        self.lanes.values_mut().for_each(|source| *source = None);
    }

    /// The connection whose messages are taken in a lane.
    pub(super) fn source_in(&self, lane: usize) -> Option<ConnectionId> {
        self.lanes.get(&lane).copied().flatten()
    }

    /// Whether messages of this connection are taken.
    pub(super) fn is_from(&self, connection: ConnectionId) -> bool {
        self.lanes.values().any(|source| *source == Some(connection))
    }

    /// From now on trades may be missing.
    pub(super) fn may_miss(&mut self, cause: HoleCause) {
        // What was dropped on purpose says more than what was lost before; else the first cause made the hole.
        if cause == HoleCause::Suspend || self.cause.is_none_or(|known| known == HoleCause::Malformed) {
            self.cause = Some(cause);
        }
    }

    /// Whether it has been without a trade for so long that it may have halted. Told at growing distances: most are only quiet.
    pub(super) fn may_have_halted(&mut self, now: u64) -> bool {
        let Quiet { since, looks } = &mut self.quiet;
        let waited = now.saturating_sub(*since.get_or_insert(now));
        let is_due = waited >= QUIET_MILLIS << *looks;
        if is_due {
            *looks = (*looks + 1).min(LOOKS_MAX);
            *since = Some(now);
        }
        is_due
    }

    /// The last trade's number.
    pub(super) fn last_id(&self) -> Option<u64> {
        self.last.map(|last| last.id)
    }

    /// Takes a trade of the source: whether it is new, and what there is to tell of it.
    pub(super) fn trade(&mut self, trade: &Trade<'_>, received: Timestamp, news: &mut VecDeque<News>) -> bool {
        let (order, observation) = self.ticks.trade(trade, Some(received));
        self.tell(order, LastTrade { id: trade.id, time: trade.time }, observation, news)
    }

    /// Takes an aggregate of the source, in the same way.
    pub(super) fn aggregate(&mut self, told: &Aggregate<'_>, received: Timestamp, news: &mut VecDeque<News>) -> bool {
        let (order, observation) = self.ticks.aggregate(told, Some(received));
        self.tell(order, LastTrade { id: told.last, time: told.trade.time }, observation, news)
    }

    fn tell(
        &mut self,
        order: TradeOrder,
        last: LastTrade,
        observation: Option<Observation>,
        news: &mut VecDeque<News>,
    ) -> bool {
        if !self.follows(order, last, news) {
            return false;
        }
        if let Some((observation, quote)) = observation.and_then(|observation| Some((observation, observation.quote?)))
        {
            self.unquoted = Unquoted::None;
            news.push_back(News::Trade(self.live_trade(last.id, &observation, &quote)));
        } else if self.unquoted == Unquoted::None {
            self.unquoted = Unquoted::Since(None);
        }
        true
    }

    /// Takes note of a trade outside the market, which has a number but no price.
    pub(super) fn off_market(&mut self, id: u64, received: Timestamp, news: &mut VecDeque<News>) -> bool {
        let time = self.last.map_or(received, |last| last.time);
        let order = self.ticks.unquoted(id);
        self.follows(order, LastTrade { id, time }, news)
    }

    /// Takes a quote; a crossed one is given back.
    pub(super) fn book(&mut self, book: &BookTicker<'_>) -> Result<(), Quote> {
        self.ticks.book(book).map(|_| ())
    }

    /// Whether the trade is new; names the hole before it.
    fn follows(&mut self, order: TradeOrder, next: LastTrade, news: &mut VecDeque<News>) -> bool {
        match order {
            TradeOrder::Duplicate | TradeOrder::Regression => return false,
            TradeOrder::Next => self.cause = None,
            TradeOrder::AfterGap { missed } => {
                let cause = self.cause.take().unwrap_or(HoleCause::Skipped);
                let from = self.last.map_or(next.time, |last| last.time);
                news.push_back(News::Hole(Hole { symbol: self.symbol.clone(), cause, from, to: next.time, missed }));
            }
        }
        self.last = Some(next);
        self.quiet = Quiet::default();
        true
    }

    fn live_trade(&self, id: u64, observation: &Observation, quote: &Quote) -> LiveTrade {
        let offered = |price, quantity| size(price, quantity).unwrap_or(Quantity::ZERO);
        LiveTrade {
            symbol: self.symbol.clone(),
            id,
            price: observation.price,
            volume: observation.volume,
            bid: quote.bid,
            ask: quote.ask,
            bid_size: offered(quote.bid, quote.bid_size),
            ask_size: offered(quote.ask, quote.ask_size),
            time: observation.time,
            received: observation.received,
        }
    }
}

//! News of orders: the books, the strategy, the counts. Money first, state second: a trade is booked once, also
//! after its order's end, and what cannot be of the news then halts. And a human's wish to pause or stop.

use super::news::{End, NEVER_ARRIVED, News};
use super::turn::Turn;
use super::{Effect, Engine};
use crate::client_order_id::ClientOrderId;
use crate::instrument::InstrumentIndex;
use crate::messages::{AlertKind, Fill, OrderStatus, OrderUpdate, PositionUpdate, Side};
use crate::numbers::{Price, Quantity};
use crate::orders::{Cause, Order, OrderAnomaly, OrderState};
use crate::report::{Decision, RecentTrade, Trade};
use crate::strategies::{DesiredState, Execution, OrderNews, Outcome};

/// How many trades a report shows.
const RECENT_TRADES: usize = 5;

/// An order of which more has traded, by the venue's word, than has been booked. Its trades may still be on their
/// way; those that never come are lost, and nothing may be traded past a lost fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingFill {
    #[expect(missing_docs, reason = "the name says it")]
    pub client_order_id: ClientOrderId,
    /// What has traded in all, by the venue's word.
    pub told: Quantity,
    /// What has been booked.
    pub booked: Quantity,
    /// Whether the venue is done with the order: nothing but the missing trades will be told of it by itself.
    pub ended: bool,
}

impl Engine {
    /// Orders with trades missing, oldest first. Each of them is among [`Engine::open_orders`].
    pub fn missing_fills(&self) -> Vec<MissingFill> {
        let lacking = self.state.orders.iter().filter(|order| order.lacks_fills());
        let missing = lacking.map(|order| MissingFill {
            client_order_id: order.client_order_id.clone(),
            told: order.cumulative,
            booked: order.filled,
            ended: order.state.is_final(),
        });
        missing.collect()
    }

    pub(super) fn on_order_update(&mut self, turn: &mut Turn, update: &OrderUpdate) {
        let id = &update.client_order_id;
        if id.ledger() != &self.config.ledger {
            self.state.anomalies = self.state.anomalies.saturating_add(u64::from(update.fill.is_some()));
            return;
        }
        let open = match self.state.orders.take(id) {
            Ok(open) => open,
            Err(error) => {
                turn.effects.push(Effect::Poison(format!("what order {id} reserves cannot be counted: {error}")));
                return;
            }
        };
        let was_open = open.is_some();
        let order = open.or_else(|| self.state.closed.get(id, update.time));
        let Some(mut order) = order else {
            self.on_unknown_order(turn, update);
            return;
        };
        self.state.as_of = self.state.as_of.max(turn.now);
        let before = order.state;
        let applied = order.apply(update);
        let mut news = Vec::new();
        if before != OrderState::Accepted && order.state == OrderState::Accepted && !order.flattens {
            news.push(News::of(&order, OrderNews::Accepted));
        }
        if let (true, Some(fill)) = (applied.trade, &update.fill) {
            // Of an order of the engine's own the strategy is told nothing.
            news.extend(self.book(turn, &order, fill).filter(|_| !order.flattens));
        }
        if let Some(anomaly) = &applied.anomaly {
            self.on_anomaly(turn, id, anomaly);
        }
        if !order.is_closed() {
            // Also a closed one that turns out to have traded more: it is open until that is booked.
            self.state.closed.forget(id);
            self.scope(turn).put(order);
        } else if was_open || applied.trade {
            news.push(self.close(turn, order));
        }
        self.tell(turn, update, news);
    }

    /// News of an order of this ledger that is neither open nor remembered. Old news is left out; a trade is not:
    /// whether it was booked cannot be known any more, so somebody has to look before anything is traded past it.
    fn on_unknown_order(&mut self, turn: &mut Turn, update: &OrderUpdate) {
        let id = &update.client_order_id;
        let never_made = id.sequence() > self.state.sequence;
        let what = if let Some(fill) = &update.fill {
            format!("trade {} ({} {} @ {})", fill.trade_id, fill.side, fill.quantity, fill.price)
        } else if never_made && !update.cumulative_quantity.is_zero() {
            format!("{} traded", update.cumulative_quantity)
        } else {
            return;
        };
        let why = if never_made {
            format!("the strategy's last order has number {}, so it never made this one", self.state.sequence)
        } else {
            "that order is not among those remembered, so whether the trade was booked cannot be known".to_owned()
        };
        turn.effects.push(Effect::Poison(format!("{what} of order {id} cannot be booked: {why}")));
    }

    fn on_anomaly(&mut self, turn: &mut Turn, id: &ClientOrderId, anomaly: &OrderAnomaly) {
        self.state.anomalies = self.state.anomalies.saturating_add(1);
        self.halt(turn, AlertKind::OrderAnomaly, &format!("order {id}: {anomaly}; what has traded is booked"));
    }

    /// Which tick among those that the strategy reads, from 0, has this number in the source: the last that was taken, or the
    /// one that comes next.
    pub fn tick_index(&self, source_sequence: u64) -> u64 {
        self.state.markets.ticks_before(source_sequence)
    }

    /// The 0-based tick, over all markets of the strategy, on which a trade happened; 0 at a venue elsewhere.
    pub fn trade_index(&self, fill: &Fill) -> u64 {
        fill.tick_sequence.map_or(0, |number| self.tick_index(number))
    }

    /// `None` where it does not fit the books.
    fn book(&mut self, turn: &mut Turn, order: &Order, fill: &Fill) -> Option<News> {
        let made_before = self.made_in(fill);
        if let Err(error) = self.state.ledger.book(fill) {
            let why = format!("trade {} does not fit the books: {error}", fill.trade_id);
            self.halt(turn, AlertKind::LedgerBroken, &why);
            return None;
        }
        self.state.trades = self.state.trades.saturating_add(1);
        self.count_sale(order, fill, made_before);
        let index = self.trade_index(fill);
        if let Some(hash) = &mut self.state.trades_hash {
            hash.update(Trade::of(fill, index).line().as_bytes());
        }
        let symbol = (self.config.instruments.len() > 1).then(|| fill.symbol.to_string());
        self.state.recent_trades.insert(0, RecentTrade { symbol, ..RecentTrade::of(fill) });
        self.state.recent_trades.truncate(RECENT_TRADES);
        let index = self.config.instruments.index_of(&fill.symbol).unwrap_or_default();
        let price = self.state.markets.tick_of(index).map_or(fill.price, |tick| tick.price);
        self.tell_position(turn, index, price);
        Some(News::of(order, OrderNews::Filled(Execution::of(fill))))
    }

    /// Tells outsiders what is held of a market's coins.
    pub(super) fn tell_position(&self, turn: &mut Turn, index: InstrumentIndex, price: Price) {
        let position = self.state.ledger.positions().nth(index.get());
        if let Some((position, profit)) = position.and_then(|one| Some((one, one.profit_at(price).ok()?))) {
            turn.effects.push(Effect::Position(PositionUpdate {
                strategy: self.config.name.clone(),
                ledger: self.config.ledger.clone(),
                symbol: position.symbol().clone(),
                quantity: position.quantity(),
                average_price: position.average_price(),
                realized_pnl: profit.realized,
                unrealized_pnl: profit.unrealized,
                fees: profit.fees,
                time: turn.now,
            }));
        }
    }

    /// Counts an order and makes its end known once; once more where nothing had traded when it was closed first.
    fn close(&mut self, turn: &mut Turn, mut order: Order) -> News {
        let before = order.closed_with.replace(order.filled);
        if before.is_none() {
            self.count_end(&order);
        }
        let newly_traded = !order.filled.is_zero() && before.is_none_or(Quantity::is_zero);
        if newly_traded {
            self.state.counts.filled = self.state.counts.filled.saturating_add(1);
        }
        let is_new = before.is_none() || newly_traded;
        if is_new {
            self.count_ended(turn, &order, order.state == OrderState::Rejected && before.is_none());
        }
        let news = if is_new { self.end_news(turn, &order) } else { News::snapshot() };
        if let Err(error) = self.state.orders.close(&order) {
            let why = format!("what its orders reserve cannot be counted: {error}");
            self.halt(turn, AlertKind::LedgerBroken, &why);
        }
        self.state.closed.remember(&order);
        news
    }

    /// An order of which a part has traded counts as filled, however it ended.
    fn count_end(&mut self, order: &Order) {
        if !order.filled.is_zero() {
            return;
        }
        let counts = &mut self.state.counts;
        match order.state {
            OrderState::Rejected => counts.rejected = counts.rejected.saturating_add(1),
            OrderState::Denied => counts.deny(if order.reason.is_empty() { "Denied" } else { &order.reason }),
            OrderState::Expired => counts.expired = counts.expired.saturating_add(1),
            OrderState::Filled
            | OrderState::Canceled
            | OrderState::Committed
            | OrderState::Sent
            | OrderState::Accepted
            | OrderState::PartiallyFilled
            | OrderState::Unknown => {}
        }
    }

    /// What is told of an order that is closed.
    fn end_news(&mut self, turn: &mut Turn, order: &Order) -> News {
        let end = self.end_of(order);
        if order.flattens {
            if let Some(End { status, decision }) = end {
                turn.outcome(&self.config, order.instrument, status, &decision);
            }
            return News::snapshot();
        }
        let outcome = match order.average_price() {
            Ok(Some(average)) => Outcome::Traded {
                quantity: order.filled,
                average: average.shown_in(self.config.instruments.at(order.instrument).tick_size),
            },
            Ok(None) => {
                let why = end.as_ref().map_or_else(String::new, |end| end.decision.reason.clone());
                Outcome::Nothing { why }
            }
            Err(error) => {
                // The strategy would go on from a price that is not that of its order.
                let why = format!("order {} has no average price: {error}", order.client_order_id);
                self.halt(turn, AlertKind::LedgerBroken, &why);
                return News::snapshot();
            }
        };
        News::closed(order, outcome, end)
    }

    /// How and why an order ended before all of it had traded; `None` where all had.
    fn end_of(&self, order: &Order) -> Option<End> {
        let (status, word, end) = match order.state {
            OrderState::Canceled => (OrderStatus::Canceled, "Canceled", "was cancelled"),
            OrderState::Expired => (OrderStatus::Expired, "Expired", "has expired"),
            OrderState::Rejected => (OrderStatus::Rejected, "Rejected", "was refused by the venue"),
            OrderState::Denied => (OrderStatus::Denied, "Denied", "was refused before it reached the venue"),
            OrderState::Filled
            | OrderState::Committed
            | OrderState::Sent
            | OrderState::Accepted
            | OrderState::PartiallyFilled
            | OrderState::Unknown => return None,
        };
        let reason = if order.reason.is_empty() { word } else { &order.reason };
        let price = order.price.map_or_else(String::new, |price| format!(" limit {price}"));
        let traded = if order.filled.is_zero() { String::new() } else { format!(" after {} had traded", order.filled) };
        let why = match self.market_of(order) {
            Some(_) if reason == NEVER_ARRIVED => format!(": the data ended before it arrived ({reason})"),
            Some(market) if status == OrderStatus::Expired => format!(": {market} ({reason})"),
            Some(_) | None if order.reason.is_empty() => String::new(),
            Some(_) | None => format!(": {reason}"),
        };
        let message = format!("{} {}{price} {end}{traded}{why}.", order.side, order.quantity);
        let status = if order.filled.is_zero() { status } else { OrderStatus::PartiallyFilled };
        Some(End { status, decision: Decision::new(reason, message) })
    }

    /// What the market was like for an order that has just met it; `None` where nobody says on which tick.
    fn market_of(&self, order: &Order) -> Option<String> {
        let tick = self.state.markets.tick_of(order.instrument);
        let tick = tick.filter(|tick| order.matched == Some(tick.source_sequence))?;
        let instrument = self.config.instruments.at(order.instrument);
        let (best, limit) = (tick.best(order.side), order.price?);
        let (is_beyond, is_empty, size) = match order.side {
            Side::Buy => (best > limit, tick.has_no_ask(), tick.ask_size),
            Side::Sell => (best < limit, tick.has_no_bid(), tick.bid_size),
        };
        let lot = instrument.lot_size;
        Some(match (is_empty, is_beyond, size) {
            (true, _, _) => "nobody was on the other side of the market".to_owned(),
            (false, true, _) => {
                format!("the market was at {}", best.shown_in(instrument.tick_size))
            }
            (false, false, Some(size)) if size < lot => {
                format!("{size} was on offer at the best price, less than one lot of {lot}")
            }
            (false, false, Some(size)) => format!("{size} was on offer at the best price"),
            (false, false, None) => "no more was on offer at the best price".to_owned(),
        })
    }

    /// Pausing cancels what would raise exposure; stopping cancels everything.
    pub(super) fn on_control(&mut self, turn: &mut Turn, desired: DesiredState) {
        self.state.desired = desired;
        self.state.holding = None;
        let cancelled = self.state.orders.iter().filter(|order| match desired {
            DesiredState::Running => false,
            DesiredState::Paused => order.side == Side::Buy,
            DesiredState::Stopped => true,
        });
        let cancelled: Vec<u64> = cancelled.map(Order::sequence).collect();
        let before_any = Cause { sequence: 0, time: turn.now };
        let cause = self.state.markets.last().map_or(before_any, Cause::of);
        for sequence in cancelled {
            self.scope(turn).cancel(sequence, cause);
        }
    }
}

//! News of orders: the books, the strategy, the counts. And a human's wish to pause or stop.

use super::state::VERSION;
use super::turn::Turn;
use super::{Effect, Engine};
use crate::messages::{AlertKind, CommandKind, Fill, OrderCommand, OrderUpdate, PositionUpdate, Side, StateSnapshot};
use crate::order::{Applied, Order, OrderState};
use crate::report::RecentTrade;
use crate::risk::Approved;
use crate::strategy::{ClosedOrder, DesiredState};
use crate::time::Timestamp;

/// How many trades a report shows.
const RECENT_TRADES: usize = 5;

impl Engine {
    pub(super) fn on_order_update(&mut self, turn: &mut Turn, update: &OrderUpdate) {
        self.state.as_of = self.state.as_of.max(turn.now);
        let Some(index) = self.state.orders.iter().position(|order| order.client_order_id == update.client_order_id)
        else {
            // News after the end of an order: doubled, or of an order of another life.
            if update.fill.is_some() {
                self.state.anomalies += 1;
            }
            return;
        };
        let applied = match self.state.orders[index].apply(update) {
            Ok(applied) => applied,
            Err(error) => {
                self.state.anomalies += 1;
                let message = format!("Order {}: {error}; the update is ignored.", update.client_order_id);
                turn.alarm(&self.config, AlertKind::OrderAnomaly, message, self.state.anomalies);
                return;
            }
        };
        if let (Applied::Trade, Some(fill)) = (applied, &update.fill) {
            self.book(turn, fill);
        }
        if self.state.orders[index].is_over() {
            let order = self.state.orders.remove(index);
            self.close(turn, &order);
        }
    }

    fn book(&mut self, turn: &mut Turn, fill: &Fill) {
        if let Err(error) = self.state.ledger.book(fill) {
            self.halt(turn, &format!("trade {} does not fit the books: {error}", fill.trade_id));
            return;
        }
        self.state.trades += 1;
        self.strategy.on_fill(fill);
        self.state.recent_trades.insert(0, RecentTrade::of(fill));
        self.state.recent_trades.truncate(RECENT_TRADES);
        let price = self.state.last_tick.as_ref().map_or(fill.price, |tick| tick.price);
        if let Ok(profit) = self.state.ledger.profit_at(price) {
            turn.effects.push(Effect::Position(PositionUpdate {
                strategy: self.config.name.clone(),
                ledger: self.config.ledger.clone(),
                symbol: self.config.instrument.symbol.clone(),
                quantity: self.state.ledger.base(),
                average_price: self.state.ledger.average_price(),
                realized_pnl: profit.realized,
                unrealized_pnl: profit.unrealized,
                fees: profit.fees,
                time: turn.now,
            }));
        }
    }

    fn close(&mut self, turn: &mut Turn, order: &Order) {
        match order.state {
            OrderState::Rejected => self.state.counts.rejected += 1,
            OrderState::Denied => self.state.counts.denied += 1,
            OrderState::Filled
            | OrderState::Canceled
            | OrderState::Expired
            | OrderState::Committed
            | OrderState::Sent
            | OrderState::Accepted
            | OrderState::PartiallyFilled
            | OrderState::Unknown => {}
        }
        if !order.filled.is_zero() {
            self.state.counts.filled += 1;
        }
        let average_price = order.average_price().unwrap_or_default();
        self.strategy.on_closed(&ClosedOrder {
            side: order.side,
            filled: order.filled,
            average_price: average_price.map(|price| price.shown_in(self.config.instrument.tick_size)),
            time: order.time,
        });
        turn.effects.push(Effect::Snapshot(StateSnapshot {
            strategy: self.config.name.clone(),
            ledger: self.config.ledger.clone(),
            version: VERSION,
            state: self.snapshot(),
            time: turn.now,
        }));
    }

    /// Pausing cancels what would raise exposure; stopping cancels everything.
    pub(super) fn on_control(&mut self, turn: &mut Turn, desired: DesiredState) {
        self.state.desired = desired;
        let cancelled = self.state.orders.iter().filter(|order| match desired {
            DesiredState::Running => false,
            DesiredState::Paused => order.side == Side::Buy,
            DesiredState::Stopped => true,
        });
        turn.effects.extend(cancelled.map(|order| {
            Effect::Command(Approved::cancel(OrderCommand {
                client_order_id: order.client_order_id.clone(),
                strategy: self.config.name.clone(),
                ledger: self.config.ledger.clone(),
                sequence: order.client_order_id.sequence(),
                kind: CommandKind::Cancel,
                symbol: self.config.instrument.symbol.clone(),
                tick: None,
                time: turn.now,
                expires_at: Timestamp::from_millis(i64::MAX),
            }))
        }));
    }
}

//! News of orders: the books, the strategy, the counts. And a human's wish to pause or stop.

use super::state::VERSION;
use super::{Effect, Engine};
use crate::messages::{
    AlertKind, CommandKind, Fill, OrderCommand, OrderUpdate, PositionUpdate, Severity, Side, StateSnapshot,
};
use crate::order::{Applied, Order, OrderState};
use crate::report::RecentTrade;
use crate::risk::Approved;
use crate::strategy::{ClosedOrder, DesiredState, Warning};
use crate::time::Timestamp;

/// How many trades a report shows.
const RECENT_TRADES: usize = 5;

impl Engine {
    pub(super) fn on_order_update(&mut self, now: Timestamp, update: &OrderUpdate, effects: &mut Vec<Effect>) {
        self.state.as_of = self.state.as_of.max(now);
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
                let warning = Warning {
                    kind: AlertKind::OrderAnomaly,
                    message: format!("Order {}: {error}; the update is ignored.", update.client_order_id),
                    current_value: self.state.anomalies.to_string(),
                    threshold: "0".to_owned(),
                };
                self.alert(now, Severity::Critical, warning, effects);
                return;
            }
        };
        if let (Applied::Trade, Some(fill)) = (applied, &update.fill) {
            self.book(now, fill, effects);
        }
        if self.state.orders[index].is_over() {
            let order = self.state.orders.remove(index);
            self.close(now, &order, effects);
        }
    }

    fn book(&mut self, now: Timestamp, fill: &Fill, effects: &mut Vec<Effect>) {
        if let Err(error) = self.state.ledger.book(fill) {
            self.halt(now, &format!("trade {} does not fit the books: {error}", fill.trade_id), effects);
            return;
        }
        self.strategy.on_fill(fill);
        self.state.recent_trades.insert(0, RecentTrade::of(fill));
        self.state.recent_trades.truncate(RECENT_TRADES);
        let price = self.state.last_tick.as_ref().map_or(fill.price, |tick| tick.price);
        if let Ok(profit) = self.state.ledger.profit_at(price) {
            effects.push(Effect::Position(PositionUpdate {
                strategy: self.config.name.clone(),
                ledger: self.config.ledger.clone(),
                symbol: self.config.instrument.symbol.clone(),
                quantity: self.state.ledger.base(),
                average_price: self.state.ledger.average_price(),
                realized_pnl: profit.realized,
                unrealized_pnl: profit.unrealized,
                fees: profit.fees,
                time: now,
            }));
        }
    }

    fn close(&mut self, now: Timestamp, order: &Order, effects: &mut Vec<Effect>) {
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
        effects.push(Effect::Snapshot(StateSnapshot {
            strategy: self.config.name.clone(),
            ledger: self.config.ledger.clone(),
            version: VERSION,
            state: self.snapshot(),
            time: now,
        }));
    }

    /// Pausing cancels what would raise exposure; stopping cancels everything.
    pub(super) fn on_control(&mut self, now: Timestamp, desired: DesiredState, effects: &mut Vec<Effect>) {
        self.state.desired = desired;
        let cancelled = self.state.orders.iter().filter(|order| match desired {
            DesiredState::Running => false,
            DesiredState::Paused => order.side == Side::Buy,
            DesiredState::Stopped => true,
        });
        effects.extend(cancelled.map(|order| {
            Effect::Command(Approved::cancel(OrderCommand {
                client_order_id: order.client_order_id.clone(),
                strategy: self.config.name.clone(),
                ledger: self.config.ledger.clone(),
                sequence: order.client_order_id.sequence(),
                kind: CommandKind::Cancel,
                symbol: self.config.instrument.symbol.clone(),
                tick: None,
                time: now,
                expires_at: Timestamp::from_millis(i64::MAX),
            }))
        }));
    }
}

//! The newest closed orders, so that a trade that is told after an order's end is booked, and one that is told
//! again is not. Bounded; saved in a short form, because it is saved with every commit.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Order, OrderState, TradeIds};
use crate::client_order_id::ClientOrderId;
use crate::messages::Side;
use crate::numbers::{Notional, Quantity};
use crate::time::Timestamp;

/// How many closed orders are remembered.
const ORDERS_MAX: usize = 64;
/// How many trades of closed orders are remembered in all; the newest order keeps its own in any case.
const TRADES_MAX: usize = 1_024;

/// Closed orders, oldest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct ClosedOrders(VecDeque<Entry>);

/// What of a closed order is needed to judge later news of it: sequence, side, what was ordered, how it ended,
/// what has traded, what that was worth, and the ids of the trades.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry(u64, Side, Quantity, OrderState, Quantity, Notional, TradeIds);

impl ClosedOrders {
    /// Remembers an order, in the place of what was known of it; forgets the oldest past the bounds.
    pub fn remember(&mut self, order: &Order) {
        self.forget(&order.client_order_id);
        self.0.push_back(Entry(
            order.client_order_id.sequence(),
            order.side,
            order.quantity,
            order.state,
            order.filled,
            order.notional,
            order.trades.clone(),
        ));
        while self.0.len() > ORDERS_MAX || (self.0.len() > 1 && self.trades() > TRADES_MAX) {
            self.0.pop_front();
        }
    }

    /// The order of this id as it was when it was closed; `None` if it is not remembered.
    pub fn get(&self, id: &ClientOrderId, now: Timestamp) -> Option<Order> {
        let Entry(_, side, quantity, state, filled, notional, trades) =
            self.0.iter().find(|entry| entry.0 == id.sequence())?;
        let mut order = Order::committed(id.clone(), *side, *quantity, None, now);
        (order.state, order.cumulative, order.filled, order.notional) = (*state, *filled, *filled, *notional);
        (order.trades, order.closed_with) = (trades.clone(), Some(*filled));
        Some(order)
    }

    /// Forgets an order: it is open again.
    pub fn forget(&mut self, id: &ClientOrderId) {
        self.0.retain(|entry| entry.0 != id.sequence());
    }

    fn trades(&self) -> usize {
        self.0.iter().map(|entry| entry.6.room()).fold(0, usize::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_order_id::LedgerId;

    fn id(sequence: u64) -> ClientOrderId {
        let ledger: LedgerId = "abc".parse().unwrap();
        ClientOrderId::new(ledger, sequence)
    }

    /// An order with so many trades, the ids of which do not count.
    fn closed(sequence: u64, trades: usize) -> Order {
        let mut order = Order::committed(id(sequence), Side::Buy, "2".parse().unwrap(), None, Timestamp::default());
        let trades: Vec<_> = (0..trades).map(|trade| format!("{sequence}-{trade}")).collect();
        order.trades = serde_json::from_value(trades.into()).unwrap();
        (order.state, order.filled) = (OrderState::Canceled, "1".parse().unwrap());
        order
    }

    fn remembers(orders: &ClosedOrders, sequence: u64) -> bool {
        orders.get(&closed(sequence, 0).client_order_id, Timestamp::default()).is_some()
    }

    #[test]
    fn the_newest_64_orders_and_1024_trades_are_remembered_in_a_short_form() {
        let mut orders = ClosedOrders::default();
        for sequence in 1..=100 {
            orders.remember(&closed(sequence, 1));
        }
        assert_eq!((orders.0.len(), remembers(&orders, 36), remembers(&orders, 37)), (64, false, true));
        let saved = serde_json::to_string(&orders).unwrap();
        assert!(saved.len() < 64 * 60, "{} bytes", saved.len());
        let restored: ClosedOrders = serde_json::from_str(&saved).unwrap();
        let order = restored.get(&closed(100, 0).client_order_id, Timestamp::default()).unwrap();
        assert_eq!((order.filled, order.closed_with, order.trades.len()), (order.cumulative, Some(order.filled), 1));
        orders.remember(&closed(101, 1_000));
        orders.remember(&closed(102, 2_000));
        assert_eq!(orders.0.len(), 1, "the newest keeps its trades, whatever their number");
    }

    #[test]
    fn an_order_is_remembered_once() {
        let mut orders = ClosedOrders::default();
        orders.remember(&closed(1, 1));
        orders.remember(&closed(1, 2));
        assert_eq!(orders.0.len(), 1);
        orders.forget(&closed(1, 0).client_order_id);
        assert!(!remembers(&orders, 1));
    }
}

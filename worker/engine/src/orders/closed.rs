//! The newest closed orders, so that a trade that is told after an order's end is booked, and one that is told
//! again is not. Bounded, and each in a short form: a record holds a field for each, and a commit writes those that are new.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Order, OrderState, TradeIds};
use crate::client_order_id::ClientOrderId;
use crate::instrument::InstrumentIndex;
use crate::messages::Side;
use crate::numbers::{Notional, Quantity};
use crate::time::Timestamp;

/// How many closed orders are remembered.
const ORDERS_MAX: usize = 64;
/// How many trades of closed orders are remembered in all; the newest order keeps its own in any case.
const TRADES_MAX: usize = 1_024;

/// Closed orders, oldest first, each with a number that counts all that were ever remembered.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClosedOrders {
    entries: VecDeque<(u64, Entry)>,
    next: u64,
    /// Numbers of those that are not in the record as they are here.
    changed: BTreeSet<u64>,
    /// Numbers of those that the record holds.
    stored: BTreeSet<u64>,
}

impl Serialize for ClosedOrders {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.entries.iter().map(|(_, entry)| entry))
    }
}

impl<'de> Deserialize<'de> for ClosedOrders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut orders = Self::default();
        Vec::deserialize(deserializer)?.into_iter().for_each(|entry| orders.push(entry));
        Ok(orders)
    }
}

/// What of a closed order is needed to judge later news of it: sequence, side, what was ordered, how it ended,
/// what has traded, what that was worth, the ids of the trades, and the market where it is not the first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry(
    u64,
    Side,
    Quantity,
    OrderState,
    Quantity,
    Notional,
    TradeIds,
    #[serde(default, skip_serializing_if = "InstrumentIndex::is_first")] InstrumentIndex,
);

impl ClosedOrders {
    /// Remembers an order, in the place of what was known of it; forgets the oldest past the bounds.
    pub fn remember(&mut self, order: &Order) {
        self.forget(&order.client_order_id);
        let (number, trades) = (order.sequence(), order.trades.clone());
        let Order { side, quantity, state, filled, notional, instrument, .. } = *order;
        self.add(Entry(number, side, quantity, state, filled, notional, trades, instrument));
    }

    /// Remembers an order of the first market, of which no more is known than this.
    pub fn remember_as(
        &mut self,
        sequence: u64,
        (side, ordered): (Side, Quantity),
        (state, filled, notional): (OrderState, Quantity, Notional),
        trades: TradeIds,
    ) {
        self.add(Entry(sequence, side, ordered, state, filled, notional, trades, InstrumentIndex::FIRST));
    }

    fn add(&mut self, entry: Entry) {
        self.push(entry);
        while self.entries.len() > ORDERS_MAX || (self.entries.len() > 1 && self.trades() > TRADES_MAX) {
            if let Some((oldest, _)) = self.entries.pop_front() {
                self.changed.insert(oldest);
            }
        }
    }

    fn push(&mut self, entry: Entry) {
        self.changed.insert(self.next);
        self.entries.push_back((self.next, entry));
        self.next = self.next.saturating_add(1);
    }

    /// How the order of this sequence ended, where it is remembered.
    pub fn state_of(&self, sequence: u64) -> Option<OrderState> {
        self.entries.iter().rev().find(|(_, entry)| entry.0 == sequence).map(|(_, entry)| entry.3)
    }

    /// Those of a record, by number.
    pub fn stored(entries: BTreeMap<u64, Entry>) -> Self {
        let next = entries.keys().next_back().map_or(0, |last| last.saturating_add(1));
        let stored = entries.keys().copied().collect();
        Self { entries: entries.into_iter().collect(), next, changed: BTreeSet::new(), stored }
    }

    /// Those that differ from the record's, by number; `None` for one that the record must not hold any more.
    pub fn changed(&self) -> impl Iterator<Item = (u64, Option<&Entry>)> {
        let changed = self.changed.iter().map(|number| (*number, self.of_number(*number)));
        changed.filter(|(number, entry)| entry.is_some() || self.stored.contains(number))
    }

    fn of_number(&self, number: u64) -> Option<&Entry> {
        let place = self.entries.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        self.entries.get(place).map(|(_, entry)| entry)
    }

    /// The record holds what [`Self::changed`] gave last.
    pub fn committed(&mut self) {
        for number in std::mem::take(&mut self.changed) {
            if self.of_number(number).is_some() {
                self.stored.insert(number);
            } else {
                self.stored.remove(&number);
            }
        }
    }

    /// The order of this id as it was when it was closed; `None` if it is not remembered.
    pub fn get(&self, id: &ClientOrderId, now: Timestamp) -> Option<Order> {
        let Entry(_, side, quantity, state, filled, notional, trades, instrument) =
            self.entries.iter().map(|(_, entry)| entry).find(|entry| entry.0 == id.sequence())?;
        let mut order = Order::committed(id.clone(), *side, *quantity, None, now);
        (order.state, order.cumulative, order.filled, order.notional) = (*state, *filled, *filled, *notional);
        (order.trades, order.closed_with) = (trades.clone(), Some(*filled));
        order.instrument = *instrument;
        Some(order)
    }

    /// Forgets an order: it is open again.
    pub fn forget(&mut self, id: &ClientOrderId) {
        let changed = &mut self.changed;
        self.entries.retain(|(number, entry)| {
            let stays = entry.0 != id.sequence();
            if !stays {
                changed.insert(*number);
            }
            stays
        });
    }

    fn trades(&self) -> usize {
        self.entries.iter().map(|(_, entry)| entry.6.room()).fold(0, usize::saturating_add)
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
        order.trades = TradeIds::of_list("", trades);
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
        assert_eq!((orders.entries.len(), remembers(&orders, 36), remembers(&orders, 37)), (64, false, true));
        let saved = serde_json::to_string(&orders).unwrap();
        assert!(saved.len() < 64 * 60, "{} bytes", saved.len());
        let restored: ClosedOrders = serde_json::from_str(&saved).unwrap();
        let order = restored.get(&closed(100, 0).client_order_id, Timestamp::default()).unwrap();
        assert_eq!((order.filled, order.closed_with, order.trades.len()), (order.cumulative, Some(order.filled), 1));
        orders.remember(&closed(101, 1_000));
        orders.remember(&closed(102, 2_000));
        assert_eq!(orders.entries.len(), 1, "the newest keeps its trades, whatever their number");
    }

    #[test]
    fn exactly_at_the_bound_no_trade_is_forgotten() {
        let mut orders = ClosedOrders::default();
        orders.remember(&closed(1, 24));
        orders.remember(&closed(2, 1_000));
        assert_eq!(orders.entries.len(), 2);
        orders.remember(&closed(3, 1));
        assert_eq!((orders.entries.len(), remembers(&orders, 1)), (2, false));
        // The trades of one order can take more room than all may: it is the newest.
        let mut largest = closed(4, 0);
        let counted = (1..2).map(|trade| format!("x-{trade}"));
        largest.trades = TradeIds::of_list("x", counted.chain((0..1_024).map(|trade| format!("y-{trade}"))).collect());
        assert!(largest.trades.room() > TRADES_MAX, "{}", largest.trades.room());
        orders.remember(&largest);
        assert_eq!((orders.entries.len(), remembers(&orders, 4)), (1, true));
    }

    #[test]
    fn a_commit_writes_what_is_new_and_takes_away_what_is_forgotten() {
        let changes =
            |orders: &ClosedOrders| orders.changed().map(|(n, entry)| (n, entry.is_some())).collect::<Vec<_>>();
        let mut orders = ClosedOrders::default();
        (1..=64).for_each(|sequence| orders.remember(&closed(sequence, 1)));
        assert_eq!(changes(&orders).len(), 64);
        assert_eq!(changes(&orders).len(), 64, "until it is told that they are stored");
        orders.committed();
        assert_eq!(changes(&orders), []);
        orders.remember(&closed(65, 1));
        orders.remember(&closed(66, 1));
        orders.forget(&id(66));
        assert_eq!(
            changes(&orders),
            [(0, false), (1, false), (64, true)],
            "what never was in the record is not taken away"
        );
        orders.committed();
        // As a record gives them.
        let entries = orders.entries.iter().cloned().collect();
        let mut read = ClosedOrders::stored(entries);
        assert_eq!((changes(&read), remembers(&read, 65), remembers(&read, 2)), (vec![], true, false));
        read.remember(&closed(67, 1));
        assert_eq!(changes(&read), [(65, true)], "numbers are never used twice for two that are remembered");
    }

    #[test]
    fn an_order_is_remembered_once() {
        let mut orders = ClosedOrders::default();
        orders.remember(&closed(1, 1));
        orders.remember(&closed(1, 2));
        assert_eq!(orders.entries.len(), 1);
        orders.forget(&closed(1, 0).client_order_id);
        assert!(!remembers(&orders, 1));
    }
}

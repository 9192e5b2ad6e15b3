//! The orders of one strategy: those that are open by sequence, the newest closed ones. No input or output.

mod closed;
mod order;
mod state;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::client_order_id::ClientOrderId;

pub(crate) use closed::ClosedOrders;
pub use order::{Applied, Cause, Order, OrderAnomaly};
pub use state::{ImpossibleTransition, OrderState};

/// Orders that are not closed, or closed ones of which more has traded, by the venue's word, than is booked. All of one
/// ledger, so the sequence names an order.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenOrders(BTreeMap<u64, Order>);

impl OpenOrders {
    /// All of them, by sequence.
    pub fn iter(&self) -> std::collections::btree_map::Values<'_, u64, Order> {
        self.0.values()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The order of this sequence.
    pub fn get(&self, sequence: u64) -> Option<&Order> {
        self.0.get(&sequence)
    }

    /// The order of this id, also by the form in which it is written.
    pub fn of(&self, id: &ClientOrderId) -> Option<&Order> {
        self.get(id.sequence()).filter(|order| order.client_order_id == *id)
    }

    /// The order of this sequence, to be changed.
    pub fn get_mut(&mut self, sequence: u64) -> Option<&mut Order> {
        self.0.get_mut(&sequence)
    }

    pub fn insert(&mut self, order: Order) {
        self.0.insert(order.sequence(), order);
    }

    pub fn remove(&mut self, id: &ClientOrderId) -> Option<Order> {
        self.of(id)?;
        self.0.remove(&id.sequence())
    }
}

impl Serialize for OpenOrders {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for OpenOrders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let orders = Vec::<Order>::deserialize(deserializer)?;
        Ok(Self(orders.into_iter().map(|order| (order.sequence(), order)).collect()))
    }
}

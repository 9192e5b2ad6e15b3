//! A strategy's inbox: what the gateway and the operator tell it.

use serde::{Deserialize, Serialize};

use crate::client_order_id::ClientOrderId;
use crate::instrument::Symbol;
use crate::numbers::Quantity;
use crate::time::Timestamp;

use super::Fill;

/// Where an order stands, as the gateway tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OrderStatus {
    /// On its way to the venue.
    Sent,
    /// The venue has it.
    Accepted,
    /// A part has traded.
    PartiallyFilled,
    /// All has traded.
    Filled,
    /// Cancelled on request.
    Canceled,
    /// The venue dropped the rest.
    Expired,
    /// The venue refused it.
    Rejected,
    /// We refused it.
    Denied,
    /// Nobody knows yet whether the venue has it.
    Unknown,
}

/// News of one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderUpdate {
    #[expect(missing_docs, reason = "the name says it")]
    pub client_order_id: ClientOrderId,
    /// Where it stands.
    pub status: OrderStatus,
    /// Why, as a stable word; empty where the status says it all.
    pub reason: String,
    /// What the venue says has traded in all.
    pub cumulative_quantity: Quantity,
    /// The trade that is the news, if one is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fill: Option<Fill>,
    /// The number at its source of the last tick the order has been matched against, where the venue is simulated.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub matched: Option<u64>,
    /// Event time.
    pub time: Timestamp,
}

/// One entry of an inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Inbox {
    /// News of an order.
    OrderUpdate(Box<OrderUpdate>),
    /// The store went back in time; order sequences up to this one are used.
    #[serde(rename_all = "camelCase")]
    Recovered {
        /// The highest sequence the gateway has seen of this ledger.
        highest_sequence: u64,
    },
    /// The venue, a simulated one, has matched this ledger's orders as far as an Advance asked: the last of its news.
    Word {
        /// Stream id of the tick.
        tick: String,
        /// The tick's market: ids of two streams can be the same. The release before names none.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        symbol: Option<Symbol>,
        /// The round of the Advance.
        round: u32,
    },
    /// A nudge: the desired register may have changed.
    Control,
}

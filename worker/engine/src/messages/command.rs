//! Topic `order.command`: what a strategy asks its account's gateway to do.

use serde::{Deserialize, Serialize};

use crate::client_order_id::{ClientOrderId, LedgerId};
use crate::instrument::Symbol;
use crate::numbers::{Price, Quantity};
use crate::time::Timestamp;

/// The side of an order or a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Side {
    /// Base for quote.
    Buy,
    /// Quote for base.
    Sell,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Buy => "Buy",
            Self::Sell => "Sell",
        })
    }
}

/// How an order names its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderType {
    /// At `price` or better.
    Limit,
    /// At the best price there is.
    Market,
}

/// How long an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeInForce {
    /// Trades at once what it can; the rest is dropped.
    ImmediateOrCancel,
}

/// An order to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewOrder {
    /// Buy or Sell.
    pub side: Side,
    /// Limit or Market.
    pub order_type: OrderType,
    /// How long it stands.
    pub time_in_force: TimeInForce,
    /// In base; a multiple of the lot size.
    pub quantity: Quantity,
    /// The instrument's lot size: what trades is a multiple of it, too. Absent in orders of the release before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lot_size: Option<Quantity>,
    /// The limit; absent for Market.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub price: Option<Price>,
    /// May only make the position smaller.
    pub reduce_only: bool,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command")]
pub enum CommandKind {
    /// Make this order.
    Create(NewOrder),
    /// Cancel the order of this id.
    Cancel,
}

/// One request to the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderCommand {
    /// The order's id.
    pub client_order_id: ClientOrderId,
    /// The strategy's name.
    pub strategy: String,
    /// The strategy's ledger.
    pub ledger: LedgerId,
    /// The order's sequence, dense within the ledger.
    pub sequence: u64,
    /// What is asked for.
    #[serde(flatten)]
    pub kind: CommandKind,
    /// The market.
    pub symbol: Symbol,
    /// Stream id of the tick that caused it; absent where no tick did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tick: Option<String>,
    /// Event time.
    pub time: Timestamp,
    /// Not to be sent to the venue after this time.
    pub expires_at: Timestamp,
}

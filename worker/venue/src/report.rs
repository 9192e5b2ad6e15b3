//! What a place to trade tells of an order.

use engine::client_order_id::ClientOrderId;
use engine::instrument::{Asset, Symbol};
use engine::messages::{Liquidity, NewOrder, OrderStatus};
use engine::numbers::{Notional, Price, Quantity};
use engine::time::Timestamp;

/// One trade as the venue tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueTrade {
    /// The venue's id of the trade; unique within (venue, account, symbol).
    pub trade_id: String,
    /// In base.
    pub quantity: Quantity,
    /// At which price.
    pub price: Price,
    /// The fee in `fee_asset`.
    pub fee: Notional,
    /// The asset the fee was taken from.
    pub fee_asset: Asset,
    /// The fee's worth in quote.
    pub fee_quote: Notional,
    /// Maker or Taker.
    pub liquidity: Liquidity,
    /// The venue's time.
    pub time: Timestamp,
}

/// What was ordered, as the venue tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// The market.
    pub symbol: Symbol,
    #[expect(missing_docs, reason = "the name says it")]
    pub order: NewOrder,
}

/// Where an order stands at the venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueReport {
    /// Our id of the order.
    pub client_order_id: ClientOrderId,
    /// The venue's id of the order.
    pub venue_order_id: String,
    /// Where it stands.
    pub status: OrderStatus,
    /// Why, as a stable word; empty where the status says it all.
    pub reason: String,
    /// What has traded in all.
    pub cumulative_quantity: Quantity,
    /// What was kept from trading with another order of the account, and never will: what is open is what was ordered, less
    /// what has traded, less this.
    pub prevented_quantity: Quantity,
    /// The trades known with this report; a trade may be told again.
    pub trades: Vec<VenueTrade>,
    /// Sequence of the last tick it was matched against, on a simulated venue.
    pub matched: Option<u64>,
    /// What was ordered; of a venue elsewhere, in answers to questions. A gateway whose record has lost the order has it
    /// from here.
    pub ordered: Option<Box<Ordered>>,
    /// The venue's time.
    pub time: Timestamp,
}

//! Topic `order.fill`: one trade of one of our orders, with all that books need.

use serde::{Deserialize, Serialize};

use crate::client_order_id::{ClientOrderId, LedgerId};
use crate::instrument::{Asset, Symbol};
use crate::numbers::{Notional, Price, Quantity};
use crate::time::Timestamp;

use super::Side;

/// Whether our order waited in the book or traded at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Liquidity {
    /// It waited.
    Maker,
    /// It traded at once.
    Taker,
}

/// One trade. Applied once per (venue, account, symbol, trade id).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fill {
    /// The strategy's name.
    pub strategy: String,
    /// The strategy's ledger.
    pub ledger: LedgerId,
    /// Our order's id.
    pub client_order_id: ClientOrderId,
    /// The venue's id of the order.
    pub venue_order_id: String,
    /// The venue's id of the trade.
    pub trade_id: String,
    /// The market.
    pub symbol: Symbol,
    /// Buy or Sell.
    pub side: Side,
    /// What was traded, in base.
    pub quantity: Quantity,
    /// At which price; with the tick size's digits.
    pub price: Price,
    /// The order's filled quantity with this trade.
    pub cumulative_quantity: Quantity,
    /// The fee in `fee_asset`, never rounded.
    pub fee: Notional,
    /// The asset the fee was taken from.
    pub fee_asset: Asset,
    /// The fee's worth in quote at this fill.
    pub fee_quote: Notional,
    /// Maker or Taker.
    pub liquidity: Liquidity,
    /// Event time.
    pub time: Timestamp,
    /// The number at its source of the tick on which it happened, where the venue is simulated.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tick_sequence: Option<u64>,
}

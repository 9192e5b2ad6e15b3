//! Topic `position.update`: what a strategy holds after a fill.

use serde::{Deserialize, Serialize};

use crate::client_order_id::LedgerId;
use crate::instrument::Symbol;
use crate::numbers::{Notional, Price, Quantity};
use crate::time::Timestamp;

/// A strategy's position in one market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PositionUpdate {
    /// The strategy's name.
    pub strategy: String,
    /// The strategy's ledger.
    pub ledger: LedgerId,
    /// The market.
    pub symbol: Symbol,
    /// Base held.
    pub quantity: Quantity,
    /// Cost per base, 8 digits, for display; absent without a position.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub average_price: Option<Price>,
    /// Profit of what was sold, before fees.
    pub realized_pnl: Notional,
    /// Worth of what is held less its cost.
    pub unrealized_pnl: Notional,
    /// Fees so far, in quote.
    pub fees: Notional,
    /// Event time.
    pub time: Timestamp,
}

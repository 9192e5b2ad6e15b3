//! Topic `strategy.signal`: what a strategy wants, or why it now wants nothing.

use serde::{Deserialize, Serialize};

use super::OrderStatus;
use crate::client_order_id::LedgerId;
use crate::instrument::Symbol;
use crate::numbers::{Price, Ratio};
use crate::time::Timestamp;

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignalSide {
    /// Buy.
    Buy,
    /// Sell.
    Sell,
    /// Nothing, for the given reason.
    Hold,
}

/// A signal, or a decision not to act. Holds are published when their reason changes, never one a tick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StrategySignal {
    /// The strategy's name.
    pub strategy: String,
    /// The strategy's ledger.
    pub ledger: LedgerId,
    /// Buy, Sell or Hold.
    pub side: SignalSide,
    /// The market.
    pub symbol: Symbol,
    /// 0 to 1; 1 where the strategy does not grade its signals.
    pub confidence: Ratio,
    /// The price it acts at.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target_price: Option<Price>,
    /// Why, as a stable word.
    pub reason: String,
    /// Why, in words.
    pub message: String,
    /// Of an order that ended before all of it had traded: how. Denied where it was not even sent, PartiallyFilled where a
    /// part had traded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<OrderStatus>,
    /// Event time.
    pub time: Timestamp,
}

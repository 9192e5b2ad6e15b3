//! Topic `state.snapshot`: a strategy's whole state, for outsiders.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::client_order_id::LedgerId;
use crate::time::Timestamp;

/// The engine's state after an order was closed, but for the closed orders that it remembers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StateSnapshot {
    /// The strategy's name.
    pub strategy: String,
    /// The strategy's ledger.
    pub ledger: LedgerId,
    /// Version of the state's form.
    pub version: u32,
    /// The state, as it is written: nobody here looks into it.
    pub state: Box<RawValue>,
    /// Event time.
    pub time: Timestamp,
}

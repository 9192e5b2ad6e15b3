//! What a strategy's worker is doing, as its record tells it to who writes the status, and to its feed.

use serde::{Deserialize, Serialize};

/// The field of the record that holds it.
pub const PHASE: &str = "phase";

/// What a strategy's worker is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Phase {
    /// In one word.
    pub state: PhaseState,
    /// Why, as a stable word.
    pub reason: String,
    /// Why, in words; empty where the reason says it all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The generation that trades.
    pub generation: u64,
}

/// What a strategy's worker is doing, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PhaseState {
    /// It trades.
    Running,
    /// It watches and sends no new order.
    Paused,
    /// It has ended.
    Stopped,
    /// It trades no more until a human decides.
    Quarantined,
}

impl Phase {
    /// The phase that a record holds; `None` before the first commit.
    pub fn of(record: &bus::Record) -> Option<Self> {
        serde_json::from_str(record.fields.get(PHASE)?).ok()
    }

    /// Whether the strategy takes ticks: a feed waits for those that do.
    pub fn takes_ticks(&self) -> bool {
        match self.state {
            PhaseState::Running | PhaseState::Paused => true,
            PhaseState::Stopped | PhaseState::Quarantined => false,
        }
    }

    /// The field's value.
    pub fn to_field(&self) -> (String, String) {
        // Two words, a text and a number: this cannot fail.
        (PHASE.to_owned(), serde_json::to_string(self).unwrap_or_default())
    }
}

//! Topic `report`: who has something new in its record.

use serde::{Deserialize, Serialize};

/// Tells only that an owner's record has changed: what it says now stands there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nudge {
    /// The owner's name in the store.
    pub owner: String,
}

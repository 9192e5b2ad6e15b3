//! What all documents have: the version of their form.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Fill, Inbox, Nudge, OrderCommand, PositionUpdate, RiskAlert, StateSnapshot, StrategySignal, Tick};

/// One document of a topic.
pub trait Document: Serialize + DeserializeOwned {
    /// The version of its form, written beside each. Counted up when a field changes its meaning, not when one is added.
    const VERSION: u32;
}

macro_rules! documents {
    ($($document:ty = $version:literal),+ $(,)?) => {
        $(impl Document for $document {
            const VERSION: u32 = $version;
        })+
    };
}

documents! {
    Fill = 1,
    Inbox = 1,
    Nudge = 1,
    OrderCommand = 1,
    PositionUpdate = 1,
    RiskAlert = 1,
    StateSnapshot = 1,
    StrategySignal = 1,
    Tick = 1,
}

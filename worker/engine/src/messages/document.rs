//! What all documents have: the version of their form.

use serde::de::DeserializeOwned;
use serde::{Serialize, ser};

use super::{Fill, Inbox, Nudge, OrderCommand, PositionUpdate, RiskAlert, StateSnapshot, StrategySignal, Tick};

/// One document of a topic.
pub trait Document: Serialize + DeserializeOwned {
    /// The version of its form, written beside each. Counted up when a field changes its meaning, not when one is added.
    const VERSION: u32;
}

/// A document as JSON. `room` is about how many bytes it has: they are taken at once, and not by and by as it is written.
pub fn text<T: Serialize>(document: &T, room: usize) -> Result<String, serde_json::Error> {
    let mut text = Vec::with_capacity(room);
    serde_json::to_writer(&mut text, document)?;
    String::from_utf8(text).map_err(ser::Error::custom)
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

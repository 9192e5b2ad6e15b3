//! How a tick follows the one before it. Numbers are dense, so what is missing is seen; and what comes under a lower
//! number either was delivered before, or shows that the numbers do not tell the truth. Never silent.

use serde::{Deserialize, Serialize};

use crate::messages::Tick;

/// Ticks that were missing when the one after them came, the first and the last of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Gap {
    pub first: u64,
    pub last: u64,
}

impl Gap {
    /// How many are missing.
    pub const fn count(self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }
}

/// How a tick follows the last one taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Follows {
    /// It is the next one.
    Next,
    /// It comes after others that are missing.
    After(Gap),
    /// It is the last one, once more.
    Same,
    /// It was delivered before the last one.
    Before,
    /// It was never taken, although a later number was: for this reason the numbers do not tell the truth.
    Contradiction(String),
}

/// Whether `tick` is the one right after `last`, as nearly all are.
pub(super) fn is_next(last: &Tick, tick: &Tick) -> bool {
    last.sequence.checked_add(1) == Some(tick.sequence)
}

/// How `tick` follows `last`, before which `gap` was missing.
pub(super) fn follows(last: &Tick, gap: Option<Gap>, tick: &Tick) -> Follows {
    let (number, before) = (tick.sequence, last.sequence);
    if number > before {
        let first = before.saturating_add(1);
        return match number.checked_sub(1) {
            Some(missing) if missing >= first => Follows::After(Gap { first, last: missing }),
            Some(_) | None => Follows::Next,
        };
    }
    if tick == last {
        return Follows::Same;
    }
    let contradiction = |why: &str| Follows::Contradiction(format!("tick {number} came after tick {before}, {why}"));
    if number == before {
        contradiction("under the same number, and is another one")
    } else if gap.is_some_and(|gap| (gap.first..=gap.last).contains(&number)) {
        contradiction("before which it was missing")
    } else if tick.event_time() > last.event_time() {
        contradiction("although it is younger")
    } else {
        Follows::Before
    }
}

//! At most so many orders in any 60 seconds.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Times of the orders of the last minute; never more than the limit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderRate(VecDeque<Timestamp>);

impl OrderRate {
    const WINDOW_MS: i64 = 60_000;

    /// Whether one more order fits under `per_minute` at `now`.
    pub fn allows(&mut self, now: Timestamp, per_minute: u32) -> bool {
        while self.0.front().is_some_and(|oldest| now.millis_since(*oldest) >= Self::WINDOW_MS) {
            self.0.pop_front();
        }
        self.0.len() < per_minute as usize
    }

    /// Counts an order made at `now`.
    pub fn count(&mut self, now: Timestamp) {
        self.0.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides() {
        let at = Timestamp::from_millis;
        let mut rate = OrderRate::default();
        for second in [0, 10] {
            assert!(rate.allows(at(second * 1000), 2));
            rate.count(at(second * 1000));
        }
        assert!(!rate.allows(at(59_999), 2));
        assert!(rate.allows(at(60_000), 2));
    }
}

//! One closed bar, and what makes a document of one that cannot be.

use serde::{Deserialize, Serialize};

use super::Interval;
use crate::numbers::{Price, Volume};
use crate::time::Timestamp;

/// What happened in one interval that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bar {
    /// When its interval begins.
    pub open_time: Timestamp,
    /// Of the first tick.
    pub open: Price,
    /// The highest.
    pub high: Price,
    /// The lowest.
    pub low: Price,
    /// Of the last tick.
    pub close: Price,
    /// In base.
    pub volume: Volume,
    /// How many ticks came in it, at least 1.
    pub ticks: u64,
}

/// Why a document is no bar of its interval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BarError {
    /// It does not open where its interval does.
    #[error("the bar at {} does not open where one of {interval} does, which is at {}", .open_time.millis(), .interval.open_of(*.open_time).millis())]
    NotAligned {
        /// When it opens.
        open_time: Timestamp,
        /// Its interval.
        interval: Interval,
    },
    /// A price lies outside of low and high.
    #[error("the bar at {}: its {name} of {price} lies outside of its low {low} and its high {high}", .open_time.millis())]
    OutsideRange {
        /// When it opens.
        open_time: Timestamp,
        /// Which price.
        name: &'static str,
        /// That price.
        price: Price,
        /// Its low.
        low: Price,
        /// Its high.
        high: Price,
    },
    /// It has no tick.
    #[error("the bar at {} has no tick; one without ticks is left out", .open_time.millis())]
    NoTicks {
        /// When it opens.
        open_time: Timestamp,
    },
}

impl Bar {
    /// Of its first tick.
    pub(super) const fn opened_by(price: Price, volume: Volume, open_time: Timestamp) -> Self {
        Self { open_time, open: price, high: price, low: price, close: price, volume, ticks: 1 }
    }

    /// One tick more in it.
    pub(super) fn add(&mut self, price: Price, volume: Volume) {
        if price > self.high {
            self.high = price;
        } else if price < self.low {
            self.low = price;
        }
        self.close = price;
        self.volume = self.volume.plus(volume);
        self.ticks = self.ticks.saturating_add(1);
    }

    /// Whether it can be a bar of this interval. One that was read may be anything.
    pub fn check(&self, interval: Interval) -> Result<(), BarError> {
        let Self { open_time, open, high, low, close, .. } = *self;
        if interval.open_of(open_time) != open_time {
            return Err(BarError::NotAligned { open_time, interval });
        }
        for (name, price) in [("open", open), ("close", close), ("high", high)] {
            if price < low || price > high {
                return Err(BarError::OutsideRange { open_time, name, price, low, high });
            }
        }
        if self.ticks == 0 {
            return Err(BarError::NoTicks { open_time });
        }
        Ok(())
    }
}

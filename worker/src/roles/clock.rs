//! The store's clock, between two looks at it: ages are told by it alone, and it goes on while the machine sleeps.

use std::time::Duration;

use engine::time::Timestamp;

use crate::roles::session::patiently;
use crate::roles::{Bus, Runtime, Stop};

/// How long an offset holds: clocks drift.
const HOLDS: Duration = Duration::from_secs(10);

/// How far the store's clock is from the time since this machine was started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoreClock {
    offset_ms: i64,
    looked: Duration,
    since_boot: fn() -> Duration,
}

impl StoreClock {
    /// Asks the store.
    pub async fn look<B: Bus>(runtime: &Runtime<B>) -> Result<Self, Stop> {
        Self::look_by(runtime, bus::since_boot).await
    }

    /// Asks the store; time passes by this clock.
    pub async fn look_by<B: Bus>(runtime: &Runtime<B>, since_boot: fn() -> Duration) -> Result<Self, Stop> {
        let before = since_boot();
        let store = patiently(runtime, || runtime.bus.now_ms()).await?;
        let looked = since_boot();
        // The answer is as of some moment between the two: by the earlier one nothing is taken for younger than it is.
        Ok(Self { offset_ms: millis(store).saturating_sub(millis(before.as_millis())), looked, since_boot })
    }

    /// Now, by the store's clock.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(millis((self.since_boot)().as_millis()).saturating_add(self.offset_ms))
    }

    /// Asks the store again, where the last answer is old.
    pub async fn refresh<B: Bus>(&mut self, runtime: &Runtime<B>) -> Result<(), Stop> {
        if (self.since_boot)().saturating_sub(self.looked) >= HOLDS {
            *self = Self::look_by(runtime, self.since_boot).await?;
        }
        Ok(())
    }
}

fn millis(of: impl TryInto<i64>) -> i64 {
    of.try_into().unwrap_or(i64::MAX)
}

//! The two clocks of a live source: one that runs on while the machine sleeps, for ages, and the wall's, for stamps.

use std::time::{SystemTime, UNIX_EPOCH};

use engine::time::Timestamp;

/// One moment by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Now {
    /// Milliseconds since some start, suspend included; never falls.
    pub millis: u64,
    /// By the wall's clock, which may jump.
    pub wall: Timestamp,
}

/// Nanoseconds since 1970 by the wall's clock.
pub(super) fn wall_nanos() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(i64::MAX)
}

/// A receive time as the engine keeps it.
pub(super) const fn timestamp(nanos: i64) -> Timestamp {
    Timestamp::from_millis(nanos / 1_000_000)
}

/// What this machine's clocks show.
pub(super) fn now() -> Now {
    #[cfg(target_os = "linux")]
    const COUNTS_SUSPEND: rustix::time::ClockId = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const COUNTS_SUSPEND: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
    let time = rustix::time::clock_gettime(COUNTS_SUSPEND);
    let parts = [u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec)].map(|part| part.unwrap_or(0));
    let millis = parts[0].saturating_mul(1_000).saturating_add(parts[1] / 1_000_000);
    Now { millis, wall: timestamp(wall_nanos()) }
}

//! How time passes: by a clock that nobody sets, and that goes on while the machine sleeps.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long this machine is up, what it slept included. Differences alone mean something.
#[cfg(target_os = "linux")]
pub fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanos) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
}

/// How long this process runs: other systems are not asked what they slept.
#[cfg(not(target_os = "linux"))]
pub fn since_boot() -> Duration {
    static STARTED: OnceLock<std::time::Instant> = OnceLock::new();
    STARTED.get_or_init(std::time::Instant::now).elapsed()
}

/// Milliseconds UTC, as of this process's first look at the machine's clock and what has passed since: setting that clock
/// makes nothing older or younger. Before 1970 counts as 1970.
pub(crate) fn millis() -> u64 {
    static ANCHOR: OnceLock<(Duration, Duration)> = OnceLock::new();
    let (wall, boot) =
        ANCHOR.get_or_init(|| (SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(), since_boot()));
    u64::try_from((*wall + since_boot().saturating_sub(*boot)).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_the_memory_bus_is_that_of_the_machine_and_never_goes_back() {
        let wall = || u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
        let (before, first, second) = (wall(), millis(), millis());
        // Who sets the clock in the midst of this may see it fail.
        assert!(first + 1 >= before && first <= wall() + 1, "{before} {first}");
        assert!(second >= first && since_boot() > Duration::ZERO);
    }
}

//! Whether this process was scheduled: by a clock that goes on while it is stopped and while the machine sleeps.

use std::time::Duration;

/// The longest wait between two beats of a process that is well.
pub(super) const BEAT: Duration = Duration::from_secs(1);
/// How much longer makes what is waiting to be read too old to be traded on.
const LATE: Duration = Duration::from_secs(2);

/// The beats of one loop.
#[derive(Debug)]
pub(super) struct Pulse {
    since_boot: fn() -> Duration,
    last: Duration,
    missed: Duration,
}

impl Pulse {
    pub fn new(since_boot: fn() -> Duration) -> Self {
        Self { since_boot, last: since_boot(), missed: Duration::ZERO }
    }

    /// It runs. Called after each wait, and none is longer than [`BEAT`].
    pub fn beat(&mut self) {
        let now = (self.since_boot)();
        let late = now.saturating_sub(self.last).saturating_sub(BEAT);
        if late > LATE {
            self.missed = self.missed.max(late);
        }
        self.last = now;
    }

    /// For how long it did not run, once.
    pub fn missed(&mut self) -> Option<Duration> {
        let missed = std::mem::take(&mut self.missed);
        (missed > Duration::ZERO).then_some(missed)
    }

    /// Waits for something, however long it takes, and beats meanwhile.
    pub async fn through<T>(&mut self, waiting: impl Future<Output = T>) -> T {
        let mut waiting = std::pin::pin!(waiting);
        loop {
            let done = tokio::time::timeout(BEAT, &mut waiting).await;
            self.beat();
            if let Ok(done) = done {
                return done;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    static MILLIS: AtomicU64 = AtomicU64::new(5_000);

    fn since_boot() -> Duration {
        Duration::from_millis(MILLIS.load(Ordering::Relaxed))
    }

    #[test]
    fn only_who_was_not_run_for_long_has_missed_something_and_it_is_told_once() {
        let mut pulse = Pulse::new(since_boot);
        for (passed, missed) in [(1_000, None), (2_999, None), (3_001, Some(2_001)), (0, None), (60_000, Some(59_000))]
        {
            MILLIS.fetch_add(passed, Ordering::Relaxed);
            pulse.beat();
            assert_eq!(pulse.missed(), missed.map(Duration::from_millis), "{passed}");
            assert_eq!(pulse.missed(), None);
        }
    }
}

//! The exchange's clock: a time of its own, at any speed, that can stand still.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Locks, also after a panic of another thread: what tests read afterwards is the panic.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Run {
    /// The exchange's time in ms since the epoch at `since`.
    base: f64,
    since: Instant,
    speed: f64,
    paused: bool,
}

impl Run {
    fn now(&self, at: Instant) -> f64 {
        if self.paused { self.base } else { self.base + (at - self.since).as_secs_f64() * 1000.0 * self.speed }
    }
}

/// The exchange's clock.
pub struct Clock {
    start: i64,
    run: Mutex<Run>,
}

impl Clock {
    /// A clock that shows `start`, in ms since the epoch, and runs `speed` times as fast as the machine's.
    #[expect(clippy::cast_precision_loss, reason = "ms since the epoch fit into 53 bits for 280,000 years")]
    pub fn new(start: i64, speed: f64, paused: bool) -> Self {
        Self { start, run: Mutex::new(Run { base: start as f64, since: Instant::now(), speed, paused }) }
    }

    /// In ms since the epoch.
    #[expect(clippy::cast_possible_truncation, reason = "the whole ms that have passed")]
    pub fn now(&self) -> i64 {
        lock(&self.run).now(Instant::now()).floor() as i64
    }

    /// What it showed first.
    pub const fn start(&self) -> i64 {
        self.start
    }

    /// How many times faster than the machine's clock it runs; the same while it stands still.
    pub fn speed(&self) -> f64 {
        lock(&self.run).speed
    }

    /// How long the machine's clock takes until this one shows `time`; `None` while it stands still.
    #[expect(clippy::cast_precision_loss, reason = "as above")]
    pub fn until(&self, time: i64) -> Option<Duration> {
        let run = lock(&self.run);
        let left = (time as f64 - run.now(Instant::now())).max(0.0) / 1000.0 / run.speed;
        (!run.paused).then(|| Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX))
    }

    /// Changes the speed or lets it stand still, from now on.
    pub fn set(&self, speed: Option<f64>, paused: Option<bool>) {
        let mut run = lock(&self.run);
        let now = Instant::now();
        run.base = run.now(now);
        run.since = now;
        run.speed = speed.unwrap_or(run.speed);
        run.paused = paused.unwrap_or(run.paused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paused_clock_stands_and_loses_nothing_when_it_runs_on() {
        let clock = Clock::new(1_000_000, 1.0, true);
        assert_eq!((clock.now(), clock.until(2_000_000)), (1_000_000, None));
        clock.set(Some(1e6), Some(false));
        while clock.now() < 2_000_000 {
            std::hint::spin_loop();
        }
        clock.set(None, Some(true));
        let stopped = clock.now();
        assert_eq!((clock.now(), clock.start()), (stopped, 1_000_000));
    }
}

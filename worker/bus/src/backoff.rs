//! How long to wait before the next attempt. Only counts; it does not sleep.

use std::time::Duration;

/// Exponential delays with jitter, capped.
///
/// Each delay lies between half and all of its step, so that many processes that lost the same
/// server do not come back in one wave.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    step: Duration,
}

impl Backoff {
    /// Delays from about `first`, doubling, up to `cap`.
    pub const fn new(first: Duration, cap: Duration) -> Self {
        Self { first, cap, step: first }
    }

    /// The next delay.
    pub fn delay(&mut self) -> Duration {
        let step = self.step.min(self.cap);
        self.step = step.saturating_mul(2).min(self.cap);
        step.mul_f64(fastrand::f64().mul_add(0.5, 0.5))
    }

    /// Starts over, after a success.
    pub fn reset(&mut self) {
        self.step = self.first;
    }
}

impl Default for Backoff {
    /// 50 ms to 5 s: quick after a blip, gentle in an outage.
    fn default() -> Self {
        Self::new(Duration::from_millis(50), Duration::from_secs(5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_within_bounds_and_start_over() {
        let mut backoff = Backoff::default();
        let mut step = Duration::from_millis(50);
        for _ in 0..20 {
            let delay = backoff.delay();
            assert!(delay >= step / 2 && delay <= step, "{delay:?} of {step:?}");
            step = (step * 2).min(Duration::from_secs(5));
        }
        backoff.reset();
        assert!(backoff.delay() <= Duration::from_millis(50));
    }

    #[test]
    fn a_cap_below_the_first_step_holds() {
        let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(1));
        for _ in 0..5 {
            assert!(backoff.delay() <= Duration::from_secs(1));
        }
    }
}

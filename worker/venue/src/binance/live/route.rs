//! Which of the venue's hosts is asked next, and when: each in turn, then after a pause that grows. Only counts.

/// The first pause, in milliseconds.
const FIRST_MILLIS: u64 = 500;
/// The longest one.
const LONGEST_MILLIS: u64 = 30_000;

/// The way to one of several hosts that serve the same.
#[derive(Debug, Clone)]
pub(super) struct Route {
    hosts: usize,
    /// The host to ask, by its place in the list.
    pub host: usize,
    /// Hosts that failed one after the other.
    failed: usize,
    /// Rounds that failed one after the other.
    rounds: u32,
    /// Nothing is tried before.
    pub next_at: u64,
    /// The host that served last.
    serving: usize,
}

impl Route {
    pub(super) const fn new(hosts: usize) -> Self {
        Self { hosts, host: 0, failed: 0, rounds: 0, next_at: 0, serving: 0 }
    }

    /// The host did not serve: the next one at once, after the last one a pause. Whether none is left to try.
    pub(super) fn failed(&mut self, now: u64, random: &mut fastrand::Rng) -> bool {
        // What several connections lost at once is one failure.
        if now < self.next_at {
            return true;
        }
        self.failed += 1;
        self.host = (self.host + 1) % self.hosts.max(1);
        if self.failed >= self.hosts {
            self.failed = 0;
            self.pause(now, random);
        }
        self.failed == 0
    }

    /// A connection that stood was lost: the same host again, after a pause.
    pub(super) fn lost(&mut self, now: u64, random: &mut fastrand::Rng) {
        if now >= self.next_at {
            self.pause(now, random);
        }
    }

    /// The host serves. Which one, if it is another than before.
    pub(super) fn served(&mut self) -> Option<usize> {
        self.failed = 0;
        let before = std::mem::replace(&mut self.serving, self.host);
        (before != self.host).then_some(self.host)
    }

    /// It has served for so long that the next loss is a new one.
    pub(super) fn settled(&mut self) {
        self.rounds = 0;
    }

    /// Half to all of the step, so that many do not come back in one wave.
    fn pause(&mut self, now: u64, random: &mut fastrand::Rng) {
        let step = FIRST_MILLIS.saturating_mul(1 << self.rounds.min(10)).min(LONGEST_MILLIS);
        self.rounds = self.rounds.saturating_add(1);
        self.next_at = now.saturating_add(random.u64(step / 2..=step));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_is_tried_before_a_pause_that_grows_to_its_bound() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let (mut random, mut route, mut now) = (fastrand::Rng::with_seed(seed), Route::new(2), 1_000);
        let mut step = FIRST_MILLIS;
        for _ in 0..20 {
            assert_eq!(route.host, 0);
            route.failed(now, &mut random);
            assert_eq!((route.host, route.next_at <= now), (1, true), "the other host at once");
            route.failed(now, &mut random);
            let pause = route.next_at - now;
            assert!(pause >= step / 2 && pause <= step, "{pause} of {step}");
            let before = route.clone().next_at;
            route.failed(now, &mut random);
            assert_eq!(route.next_at, before, "one failure however many connections had it");
            now = route.next_at;
            step = (step * 2).min(LONGEST_MILLIS);
        }
        route.settled();
        route.lost(now, &mut random);
        assert!(route.next_at - now <= FIRST_MILLIS);
    }
}

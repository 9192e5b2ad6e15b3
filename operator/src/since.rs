//! Since when something is as it is, as far as this operator has seen: what no object and no record tells.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Remembers when the store last gave no answer, and since when stops wait.
#[derive(Debug)]
pub struct Since(Mutex<State>);

#[derive(Debug)]
struct State {
    /// A new operator counts from its start: it may have come up together with the store.
    trouble: Instant,
    /// By uid: the generation that waits, and since when.
    waits: HashMap<String, (u64, Instant)>,
}

impl Default for Since {
    fn default() -> Self {
        Self(Mutex::new(State { trouble: Instant::now(), waits: HashMap::new() }))
    }
}

impl Since {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while this short lock is held leaves a whole state behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store gave no answer.
    pub fn store_was_away(&self, now: Instant) {
        self.state().trouble = now;
    }

    /// How long the store has answered without a break, in milliseconds.
    pub fn store_answers_ms(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.state().trouble).as_millis()).unwrap_or(u64::MAX)
    }

    /// How long an object has waited for what this generation asks; it counts from the first look at which it did.
    pub fn waited(&self, uid: &str, generation: u64, waits: bool, now: Instant) -> Duration {
        let mut state = self.state();
        if !waits {
            state.waits.remove(uid);
            return Duration::ZERO;
        }
        let since = state.waits.entry(uid.to_owned()).or_insert((generation, now));
        if since.0 != generation {
            *since = (generation, now);
        }
        now.saturating_duration_since(since.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_counts_from_its_first_look_and_for_its_own_generation() {
        let (since, start) = (Since::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for (uid, generation, waits, now, seconds) in [
            ("a", 1, true, 5, 0),
            ("a", 1, true, 66, 61),
            ("b", 1, true, 66, 0),
            ("a", 2, true, 70, 0),
            ("a", 2, true, 75, 5),
            ("a", 2, false, 76, 0),
            ("a", 2, true, 77, 0),
        ] {
            assert_eq!(since.waited(uid, generation, waits, at(now)), Duration::from_secs(seconds), "{uid} at {now}");
        }
    }

    #[test]
    fn the_store_answers_since_it_last_did_not() {
        let (since, later) = (Since::default(), Instant::now() + Duration::from_mins(1));
        assert!(since.store_answers_ms(later) >= 60_000);
        since.store_was_away(later);
        assert_eq!(since.store_answers_ms(later + Duration::from_secs(2)), 2_000);
    }
}

//! Since when something is as it is, as far as this operator has seen: what no object and no record tells.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An outage of the store that is shorter than this is a blink, of which nothing is told.
const BLINK: Duration = Duration::from_secs(10);

/// The store gives no answer now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// Whether it is more than a blink.
    pub lasts: bool,
}

/// Remembers when the store last gave no answer, and since when stops wait.
#[derive(Debug)]
pub struct Since(Mutex<State>);

#[derive(Debug)]
struct State {
    /// A new operator counts from its start: it may have come up together with the store.
    trouble: Instant,
    /// Since when it has given no answer.
    away: Option<Instant>,
    /// By uid: the generation that waits, and since when.
    waits: HashMap<String, (u64, Instant)>,
}

impl Default for Since {
    fn default() -> Self {
        Self(Mutex::new(State { trouble: Instant::now(), away: None, waits: HashMap::new() }))
    }
}

impl Since {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while this short lock is held leaves a whole state behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store gave no answer.
    pub fn store_was_away(&self, now: Instant) {
        let mut state = self.state();
        state.trouble = now;
        state.away.get_or_insert(now);
    }

    /// The store gave an answer.
    pub fn store_answered(&self) {
        self.state().away = None;
    }

    /// The outage of the store, if it gives no answer now.
    pub fn outage(&self, now: Instant) -> Option<Outage> {
        let since = self.state().away?;
        Some(Outage { lasts: now.saturating_duration_since(since) >= BLINK })
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
        assert_eq!(since.outage(later), None);
        since.store_was_away(later);
        since.store_was_away(later + Duration::from_secs(2));
        assert_eq!(since.store_answers_ms(later + Duration::from_secs(4)), 2_000);
        assert_eq!(since.outage(later + Duration::from_secs(9)), Some(Outage { lasts: false }));
        assert_eq!(since.outage(later + BLINK), Some(Outage { lasts: true }), "from the first call without an answer");
        since.store_answered();
        assert_eq!(since.outage(later + BLINK), None);
    }
}

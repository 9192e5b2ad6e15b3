//! When figures may be written to the API server: at once on a transition or a fill, else seldom; and when an object
//! without news is looked at again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kube::runtime::controller::Action;

use crate::looks::{Looks, What};

/// Figures that move by less than this share of capital are not worth a write: 0.5 %.
pub const WORTH_A_WRITE: (i64, u32) = (5, 3);
/// Figures of one object are written at most this often.
const EACH: Duration = Duration::from_mins(1);
/// Figures of all objects together: at most this many a second.
const ALL_PER_SECOND: u32 = 20;

/// How long until a settled object is looked at again, without any news.
pub const SETTLED: Duration = Duration::from_mins(2);
/// How long until one is looked at again that somebody else's write came in between of, or for which a cache is behind.
pub const SOON: Duration = Duration::from_millis(100);
/// How long until one on its way is looked at again.
pub const UNDER_WAY: Duration = Duration::from_secs(1);
/// How long until one is looked at again that has a silent process.
const SILENT: Duration = Duration::from_secs(2);
/// How long until what follows on a step is looked at, the first time.
const MOVED: Duration = Duration::from_millis(50);
/// How long until a pod that was refused is tried again.
pub const REFUSED: Duration = Duration::from_secs(5);

/// What a look that has ended still waits for.
#[derive(Debug, Default)]
pub struct Waits {
    /// The API server admits no pod now.
    pub refused: bool,
    /// Something was done: what comes after it is looked at at once, for a write of its own is no news to the operator.
    pub moved: bool,
    /// What is under way; absent where nothing is.
    pub waits_for: Option<What>,
    /// When the next process is tried, after those that ended.
    pub attempt: Option<Duration>,
    /// When one of its processes would be silent.
    pub silent_in_ms: Option<u64>,
}

/// When an object is looked at again. A settled one is looked at when one of its processes would be silent, and then
/// now and then until it is not; one that waits ever more seldom, as long as it waits for the same.
pub fn next_look(looks: &Looks, uid: &str, waits: &Waits) -> Action {
    let Some(waits_for) = waits.waits_for.or_else(|| waits.refused.then(|| What::of(&"a pod that is admitted"))) else {
        looks.settled(uid);
        let silent = |ms| Duration::from_millis(ms).clamp(SILENT, SETTLED);
        return Action::requeue(waits.silent_in_ms.map_or(SETTLED, silent));
    };
    if waits.moved && !waits.refused {
        return Action::requeue(looks.failed(uid, MOVED));
    }
    let pause = looks.waits(uid, waits_for, Instant::now());
    let pause = if waits.refused { pause.max(REFUSED) } else { pause };
    Action::requeue(waits.attempt.map_or(pause, |attempt| pause.min(attempt.max(UNDER_WAY))))
}

/// When an object is looked at again whose pods no watch has told yet, as after a start: its pod may be there. `None`: freshly
/// and now, for what somebody asks for does not wait for that.
pub fn until_pods_are_known(looks: &Looks, uid: &str, is_asked: bool) -> Option<Action> {
    (!is_asked).then(|| Action::requeue(looks.failed(uid, SOON)))
}

/// Remembers when figures were written.
#[derive(Debug, Default)]
pub struct Pace(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: HashMap<String, Instant>,
    second: Option<Instant>,
    in_second: u32,
}

impl Pace {
    /// Whether figures of this object may be written now; counts it if so.
    pub fn allows(&self, uid: &str, now: Instant) -> bool {
        // A panic while this short lock is held leaves a whole state behind.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.get(uid).is_some_and(|last| now.duration_since(*last) < EACH) {
            return false;
        }
        if state.second.is_none_or(|second| now.duration_since(second) >= Duration::from_secs(1)) {
            (state.second, state.in_second) = (Some(now), 0);
        }
        if state.in_second >= ALL_PER_SECOND {
            return false;
        }
        state.in_second += 1;
        state.last.insert(uid.to_owned(), now);
        true
    }

    /// Whether figures of this object could be written now; counts nothing.
    pub fn has_room(&self, uid: &str, now: Instant) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_soon = |last: &Instant, pause| now.saturating_duration_since(*last) < pause;
        let is_full = state.in_second >= ALL_PER_SECOND
            && state.second.as_ref().is_some_and(|second| is_soon(second, Duration::from_secs(1)));
        !is_full && !state.last.get(uid).is_some_and(|last| is_soon(last, EACH))
    }

    /// An object is gone.
    pub fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last.remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_object_is_written_once_a_minute_and_all_twenty_times_a_second() {
        let (pace, start) = (Pace::default(), Instant::now());
        assert!(pace.has_room("a", start) && pace.allows("a", start));
        let soon = start + Duration::from_secs(59);
        assert!(!pace.has_room("a", soon) && !pace.allows("a", soon) && pace.has_room("b", soon));
        assert!(pace.allows("a", start + EACH));
        let later = start + 2 * EACH;
        let written = (0..30).filter(|n| pace.allows(&n.to_string(), later)).count();
        assert_eq!(written, 20);
        assert!(!pace.has_room("b", later) && pace.has_room("b", later + Duration::from_secs(1)));
    }
}

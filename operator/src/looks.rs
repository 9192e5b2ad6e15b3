//! What is remembered of the looks at each object: when it was last looked at freshly, and for how long nothing has changed
//! for one that waits. Who waits without news is looked at ever more seldom; an event leads to a look at once.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// However quiet it is, what the watches told is held against the API server so often.
const FRESH: Duration = Duration::from_mins(30);
/// Who has waited for so long is looked at again after this share of it: what is waited for is seen an eighth later at most.
const SHARE: u32 = 8;
/// The first pauses.
const SHORTEST: Duration = Duration::from_secs(1);
/// No pause is longer.
const LONGEST: Duration = Duration::from_mins(1);

/// What an object waits for, told from all else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct What(u64);

impl What {
    /// Of all that it is told by.
    pub fn of(told_by: &impl Hash) -> Self {
        let mut hash = DefaultHasher::new();
        told_by.hash(&mut hash);
        Self(hash.finish())
    }
}

/// Remembers, by uid.
#[derive(Debug, Default)]
pub struct Looks(Mutex<HashMap<String, Looked>>);

#[derive(Debug, Clone, Copy)]
struct Looked {
    fresh: Instant,
    /// Looks that have ended.
    ended: u64,
    /// What it waited for at the last look, and since when.
    waits: Option<(What, Instant)>,
    /// Failures in a row.
    failed: u32,
}

impl Looks {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Looked>> {
        // A panic while this short lock is held leaves a whole state behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, uid: &str, now: Instant, change: impl FnOnce(&mut Looked) -> T) -> T {
        let mut all = self.all();
        change(all.entry(uid.to_owned()).or_insert_with(|| {
            // The watches have just told all: the first fresh looks are spread over the time that they may wait.
            let fresh = now.checked_sub(FRESH.mul_f64(share(uid))).unwrap_or(now);
            Looked { fresh, ended: 0, waits: None, failed: 0 }
        }))
    }

    /// Whether only a fresh look will do.
    pub fn is_fresh_due(&self, uid: &str, now: Instant) -> bool {
        self.with(uid, now, |looked| now.saturating_duration_since(looked.fresh) >= FRESH)
    }

    /// It is looked at freshly.
    pub fn looked_freshly(&self, uid: &str, now: Instant) {
        self.with(uid, now, |looked| looked.fresh = now);
    }

    /// A look has ended, and nothing is waited for.
    pub fn settled(&self, uid: &str) {
        self.with(uid, Instant::now(), |looked| {
            (looked.ended, looked.waits, looked.failed) = (looked.ended + 1, None, 0);
        });
    }

    /// A look has ended that found something to wait for; how long until the next. By the time that has passed, not by the
    /// looks: events of others lead to looks too.
    pub fn waits(&self, uid: &str, what: What, now: Instant) -> Duration {
        self.with(uid, now, |looked| {
            let since = match looked.waits {
                Some((before, since)) if before == what => since,
                Some(_) | None => now,
            };
            (looked.ended, looked.waits, looked.failed) = (looked.ended + 1, Some((what, since)), 0);
            spread(uid, pause(now.saturating_duration_since(since)))
        })
    }

    /// A look has failed, and the first pause after that would be so long; how long it is now.
    pub fn failed(&self, uid: &str, first: Duration) -> Duration {
        self.with(uid, Instant::now(), |looked| {
            let times = looked.failed;
            (looked.ended, looked.failed) = (looked.ended + 1, times.saturating_add(1));
            spread(uid, doubled(first, times))
        })
    }

    /// How many looks have ended.
    pub fn count(&self, uid: &str) -> u64 {
        self.all().get(uid).map_or(0, |looked| looked.ended)
    }

    /// How many objects are looked at half as often as at first, or more seldom.
    pub fn backing_off(&self, now: Instant) -> usize {
        let is_seldom = |(_, since): (What, Instant)| pause(now.saturating_duration_since(since)) >= 2 * SHORTEST;
        self.all().values().filter(|looked| looked.waits.is_some_and(is_seldom)).count()
    }

    /// An object is gone.
    pub fn forget(&self, uid: &str) {
        self.all().remove(uid);
    }
}

fn pause(waited: Duration) -> Duration {
    (waited / SHARE).clamp(SHORTEST, LONGEST)
}

fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX)).min(LONGEST)
}

/// Up to an eighth more, so that those who began to wait together are not looked at together for ever.
fn spread(uid: &str, pause: Duration) -> Duration {
    pause + pause.mul_f64(share(uid) / 8.0)
}

/// A share of one that is each object's own.
fn share(uid: &str) -> f64 {
    let What(hash) = What::of(&uid);
    f64::from(u32::try_from(hash >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_the_same_is_looked_at_ever_more_seldom_and_news_begin_anew() {
        let (looks, start) = (Looks::default(), Instant::now());
        // Without what is added so that not all are looked at together.
        let waits = |seconds: u64, what: &str| {
            let pause = looks.waits("a", What::of(&what), start + Duration::from_secs(seconds));
            (pause.as_secs_f64() / (1.0 + share("a") / 8.0) * 1000.0).round() / 1000.0
        };
        let told = [0, 1, 1, 8, 16, 80, 480, 4_800].map(|seconds| format!("{:.1}", waits(seconds, "a pod")));
        assert_eq!(told, ["1.0", "1.0", "1.0", "1.0", "2.0", "10.0", "60.0", "60.0"]);
        let later = start + Duration::from_mins(80);
        assert_eq!(looks.backing_off(later), 1);
        assert_eq!(format!("{:.1}", waits(4_800, "another pod")), "1.0");
        assert_eq!((looks.backing_off(later), looks.count("a")), (0, 9));
        waits(4_900, "another pod");
        looks.settled("a");
        assert_eq!(format!("{:.1}", waits(5_000, "another pod")), "1.0");
        let failed: Vec<Duration> = (0..12).map(|_| looks.failed("b", Duration::from_millis(100))).collect();
        assert!(failed.is_sorted() && failed[0] < Duration::from_millis(120) && failed[11] >= LONGEST, "{failed:?}");
        assert!(failed[11] <= LONGEST.mul_f64(1.125));
        looks.settled("b");
        assert!(looks.failed("b", Duration::from_millis(100)) < Duration::from_millis(120));
    }

    #[test]
    fn each_is_looked_at_freshly_in_half_an_hour_and_not_all_at_once() {
        let (looks, start) = (Looks::default(), Instant::now() + FRESH);
        let uids: Vec<String> = (0..100).map(|n| format!("uid-{n}")).collect();
        let due = |now: Instant| uids.iter().filter(|uid| looks.is_fresh_due(uid, now)).count();
        assert_eq!(due(start), 0);
        let in_half = due(start + FRESH / 2);
        assert!((25..=75).contains(&in_half), "{in_half}");
        assert_eq!(due(start + FRESH), 100);
        looks.looked_freshly("uid-7", start + FRESH);
        assert_eq!(due(start + FRESH), 99);
    }
}

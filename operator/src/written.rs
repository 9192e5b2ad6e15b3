//! What this operator wrote last into each status, so that it sees what anybody else writes there.
//!
//! A status is written only over what was observed. That keeps most of what arrives late from being written, but not a
//! write of an operator that has died: where its successor found nothing to write, what was observed then still stands.
//! Such a write is news, like an edit, and the object is looked at.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Remembers, by uid.
#[derive(Debug, Default)]
pub struct Written(Mutex<HashMap<String, Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// Writes of ours that have no answer yet. Who else writes at the same time makes them conflict, or is made to.
    under_way: u32,
    /// The version that our last write made.
    own: Option<u64>,
    /// The last version that somebody else made.
    foreign: u64,
}

/// A write on its way; dropped without an answer, nobody knows whether it arrived.
#[derive(Debug)]
pub struct Writing<'a> {
    written: &'a Written,
    uid: &'a str,
}

impl Written {
    /// To be called before each write of a status.
    pub fn begin<'a>(&'a self, uid: &'a str) -> Writing<'a> {
        self.seen().entry(uid.to_owned()).or_default().under_way += 1;
        Writing { written: self, uid }
    }

    /// What changes with each version of an object that is not this operator's work. Versions of one object grow; one
    /// that is no number counts as somebody else's, which costs a look.
    pub fn foreign(&self, uid: &str, version: &str) -> u64 {
        let mut all = self.seen();
        let seen = all.entry(uid.to_owned()).or_default();
        let version = version.parse::<u64>().ok();
        let is_own = seen.under_way > 0 || version.is_some_and(|version| Some(version) <= seen.own);
        if !is_own {
            seen.foreign = version.unwrap_or(seen.foreign.wrapping_add(1));
        }
        seen.foreign
    }

    /// An object is gone.
    pub fn forget(&self, uid: &str) {
        self.seen().remove(uid);
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        // A panic while this short lock is held leaves a whole state behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writing<'_> {
    /// It was answered with this version.
    pub fn done(self, version: Option<&str>) {
        let version = version.and_then(|version| version.parse().ok());
        if let Some(seen) = self.written.seen().get_mut(self.uid) {
            seen.own = seen.own.max(version);
        }
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if let Some(seen) = self.written.seen().get_mut(self.uid) {
            seen.under_way = seen.under_way.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_others_write_is_news() {
        let written = Written::default();
        let mut last = written.foreign("a", "7");
        let mut is_news = |version: &str| {
            let now = written.foreign("a", version);
            std::mem::replace(&mut last, now) != now
        };
        assert!(!is_news("7"));
        assert!(is_news("8"), "an edit");
        let writing = written.begin("a");
        assert!(!is_news("9"), "told before it was answered");
        writing.done(Some("9"));
        assert!(!is_news("9"), "told after it was answered");
        assert!(is_news("10"), "somebody else's, after ours");
        written.begin("a").done(Some("12"));
        written.begin("a").done(Some("13"));
        assert!(!is_news("12") && !is_news("13"), "two of ours, told late");
        drop(written.begin("a"));
        assert!(is_news("14"), "one that was given up may have arrived");
        assert!(is_news("later"), "no number");
        assert!(is_news("later"), "nobody knows whether that is the same");
    }
}

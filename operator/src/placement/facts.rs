//! What a placement is judged by. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bus::{Cursors, RegisterVersion};

use crate::names::Role;

/// A pod as it was seen.
#[allow(clippy::struct_excessive_bools, reason = "facts that do not exclude each other")]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodFacts {
    #[expect(missing_docs, reason = "the name says it")]
    pub name: String,
    /// Its uid: a deletion names it, so that a later pod of that name is safe.
    pub uid: String,
    /// Its node, once it has one.
    pub node: Option<String>,
    /// The epoch in its name.
    pub epoch: u64,
    /// Made by this operator for this resource.
    pub owned: bool,
    /// A digest of what it was made from.
    pub digest: String,
    /// The same with what is followed by a register too; absent where nothing is, and in pods of the release before.
    pub whole_digest: Option<String>,
    /// It is being deleted.
    pub deleting: bool,
    /// It has ended for good: succeeded, failed or evicted.
    pub ended: bool,
    /// The exit code of its last end.
    pub last_exit: Option<i32>,
    /// The last lines of its log at that end.
    pub last_words: String,
    /// It runs and is ready.
    pub ready: bool,
    /// For how long it has been ready, in whole seconds; absent where nobody says.
    pub ready_s: Option<u64>,
    /// Why its container waits, such as ImagePullBackOff.
    pub waiting: Option<String>,
}

/// Who has been ready for so long is well: one that ends sooner, each time, ends again and again.
const WELL_S: u64 = 60;

impl PodFacts {
    /// Whether its process does well, so that the ends of those before count no more.
    pub(super) fn is_well(&self) -> bool {
        self.ready && self.ready_s.is_none_or(|seconds| seconds >= WELL_S)
    }
}

/// Processes that ended before they had been ready for a minute, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ends {
    /// How many.
    pub count: u32,
    /// The exit code of the last one.
    pub last_exit: Option<i32>,
    /// The last lines of its log.
    pub message: String,
    /// A digest of what it was made from.
    pub digest: String,
    /// How long ago it was seen, in whole seconds.
    pub age_s: u64,
}

/// So many ends in a row, and nothing is tried again by itself.
pub const ENDS_MAX: u32 = 5;
/// No pause is longer.
const PAUSE_MAX_S: u64 = 300;

impl Ends {
    /// Whether a human must decide.
    pub const fn is_loop(&self) -> bool {
        self.count >= ENDS_MAX
    }

    /// How long the next attempt waits after the last end.
    pub(super) fn pause_s(&self) -> u64 {
        1_u64.checked_shl(self.count.saturating_sub(1)).map_or(PAUSE_MAX_S, |pause| pause.min(PAUSE_MAX_S))
    }

    /// How long until the next attempt; `None`: it is due, or a human must decide.
    pub fn next_attempt(&self) -> Option<Duration> {
        let left = self.pause_s().checked_sub(self.age_s).filter(|left| *left > 0 && !self.is_loop());
        left.map(Duration::from_secs)
    }

    /// How the last one ended, in words.
    pub(super) fn told(&self) -> String {
        let code = self.last_exit.map_or_else(|| "no exit code".to_owned(), |code| format!("exit code {code}"));
        let words = if self.message.is_empty() { "nothing" } else { self.message.as_str() };
        format!(
            "{} in a row ended before they had been ready for a minute, the last with {code} and the words: {words}",
            self.count
        )
    }
}

/// The record of an owner in the store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordFacts {
    /// Who it was made for.
    pub uid: String,
    #[expect(missing_docs, reason = "the name says it")]
    pub ledger: String,
    /// The newest epoch that took it.
    pub epoch: u64,
    /// Counts commits.
    pub version: u64,
    /// Whether it is closed for good.
    pub closed: bool,
    /// When it was opened, in milliseconds UTC.
    pub started_at: i64,
    /// When its owner last showed that it lives, by the store's clock in milliseconds UTC; 0: never, or nobody says.
    pub seen_ms: u64,
    /// The store's clock at this look.
    pub now_ms: u64,
    /// How long the store has answered at this look without a break; absent: always. While it does not, nobody can show
    /// that he lives.
    pub answered_ms: Option<u64>,
    /// What of its register the owner follows.
    pub followed: Option<RegisterVersion>,
    /// How far it has consumed each stream.
    pub cursors: Cursors,
    /// Its fields that the status shows.
    pub fields: BTreeMap<String, String>,
}

/// Who has shown no sign for so long is silent.
const SILENT_MS: u64 = 30_000;

impl RecordFacts {
    /// How long ago something was, as far as the store could be told of more.
    pub fn since_ms(&self, then_ms: u64) -> u64 {
        self.now_ms.saturating_sub(then_ms).min(self.answered_ms.unwrap_or(u64::MAX))
    }

    /// For how long the owner could have shown that it lives, and has not; `None`: nobody can say.
    fn age_ms(&self) -> Option<u64> {
        (self.seen_ms > 0).then(|| self.since_ms(self.seen_ms))
    }

    /// Whether its owner should have shown that it lives, and has not.
    pub fn is_silent(&self) -> bool {
        !self.closed && self.age_ms().is_some_and(|age| age > SILENT_MS)
    }

    /// How long until its owner is silent, if it shows nothing more.
    pub fn silent_in_ms(&self) -> Option<u64> {
        self.age_ms().filter(|_| !self.closed).map(|age| (SILENT_MS + 1).saturating_sub(age))
    }
}

/// What the store says; `Away` is not `Missing`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// The store did not answer.
    Away(String),
    /// It has no record.
    Missing,
    /// It has this record.
    Found(Arc<RecordFacts>),
}

/// A ledger as the status has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerStatus {
    #[expect(missing_docs, reason = "the name says it")]
    pub id: String,
    /// The uid of the resource when it was recorded: another one is a restored backup.
    pub accepted_by: String,
}

/// A human's answer to a lost or found ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Go on with what the store has.
    Resume,
    /// Start a new ledger.
    Discard,
}

/// All that a placement is judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    /// Which process.
    pub role: Role,
    /// The resource's name.
    pub name: String,
    /// The resource's uid: who the record must be made for.
    pub uid: String,
    #[expect(missing_docs, reason = "the name says it")]
    pub ledger: Option<LedgerStatus>,
    /// The epoch in the status; 0 before the first.
    pub epoch: u64,
    /// The pod that the status names last.
    pub known_pod: Option<String>,
    /// What the store says.
    pub stored: Stored,
    /// Pods of this resource and role, and foreign ones that hold a name of theirs.
    pub pods: Vec<PodFacts>,
    /// A digest of what a pod would be made from; `None`: there must be no pod.
    pub wanted: Option<String>,
    /// A human's answer.
    pub answer: Option<Answer>,
    /// Processes that ended before they were ready, up to now.
    pub ends: Option<Ends>,
    /// Whether a human has let it try again after those.
    pub released: bool,
}

impl Situation {
    /// The ends that count for what is wanted now.
    pub(super) fn ends_of(&self, wanted: &str) -> Option<&Ends> {
        self.ends.as_ref().filter(|ends| ends.digest == wanted && !self.released)
    }
}

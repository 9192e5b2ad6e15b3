//! The trait `StateStore`: one record per owner, changed only by a fenced atomic commit.
//!
//! `acquire` and `commit` never create a record: a lost store must answer `Missing`, not look like
//! a new ledger.

use std::{collections::BTreeMap, fmt, future::Future, str::FromStr, sync::Arc};

use engine::client_order_id::LedgerId;

use crate::{BusError, Health, Keys, Message, Owner, StreamId, StreamKey};

/// A record's fields by name.
pub type Fields = BTreeMap<String, Arc<str>>;

/// How far an owner has consumed each stream.
pub type Cursors = BTreeMap<StreamKey, StreamId>;

/// The right to commit: the newest pair of epoch and incarnation of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Whose record.
    pub owner: Owner,
    /// Which life of the record: 12 digits and consonants, given by `create`; 6 of `[a-z0-9]` by the release before.
    pub ledger: String,
    /// Counted up by who places the process.
    pub epoch: u64,
    /// Counted up by each `acquire`, across epochs: a restarted process fences its own past.
    pub incarnation: u64,
}

/// What `create` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateOutcome {
    /// A new record at version 0.
    Created {
        /// The new ledger.
        ledger: String,
    },
    /// There is an open record. Under the same uid it is the same one, e.g. after a lost answer.
    Exists {
        /// Who it was created for.
        uid: String,
        /// Its ledger.
        ledger: String,
    },
}

/// A lease and what the record held when it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acquired {
    /// The right to commit.
    pub lease: Lease,
    /// The version the next commit must expect.
    pub version: u64,
    /// Where to read on.
    pub cursors: Cursors,
    /// The state.
    pub fields: Arc<Fields>,
    /// What of its register the owner follows, as it last committed it.
    pub followed: Option<RegisterVersion>,
}

/// What `acquire` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcquireOutcome {
    /// The lease is ours; every earlier one is fenced from now on.
    Acquired(Acquired),
    /// A newer epoch has been here.
    Fenced {
        /// That epoch.
        epoch: u64,
    },
    /// No record: the store lost it, or it was never created.
    Missing,
    /// The owner has another ledger.
    OtherLedger {
        /// That ledger.
        ledger: String,
    },
    /// This ledger is closed for good.
    Closed,
}

/// One atomic change of everything an owner has.
///
/// Keep it until its outcome is known: repeated as it is after a lost answer, it is applied once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Commit {
    /// The version this change is based on; it becomes `expected_version + 1`.
    pub expected_version: u64,
    /// Tells a repetition of this commit from another one. Unique per change.
    pub commit_id: String,
    /// Cursors to set; others stay.
    pub cursors: Vec<(StreamKey, StreamId)>,
    /// Fields to remove; done before `set`.
    pub delete: Vec<String>,
    /// Fields to set; others stay.
    pub set: Vec<(String, Arc<str>)>,
    /// Messages to append, in this order.
    pub messages: Vec<Message>,
    /// Streams to trim, up to and including the id. For streams only this owner reads.
    pub trims: Vec<(StreamKey, StreamId)>,
    /// What of its register the owner follows from this commit on; absent: as before.
    pub followed: Option<RegisterVersion>,
    /// What it says was judged by the register that is followed: refused where there is another one by now.
    pub judged: bool,
    /// Streams that only this owner writes, and that go with its ledger; empty: as before. All of its scope.
    pub owned: Vec<StreamKey>,
}

/// What `commit` did. Everything but `Committed` changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitOutcome {
    /// Everything is stored.
    Committed {
        /// The new version.
        version: u64,
        /// The ids of the appended messages, in their order.
        ids: Vec<StreamId>,
        /// What the owner's register holds now.
        register: Option<RegisterVersion>,
    },
    /// This very commit was stored before; its answer was lost.
    Duplicate {
        /// What the owner's register holds now.
        register: Option<RegisterVersion>,
    },
    /// A newer lease exists: stop.
    Fenced {
        /// The newest epoch.
        epoch: u64,
        /// The newest incarnation.
        incarnation: u64,
    },
    /// The record is at another version than expected: forget everything and acquire again.
    Conflict {
        /// The record's version.
        version: u64,
    },
    /// The register is another one than the commit was judged by: forget everything, follow it and judge anew.
    RegisterNews {
        /// What the owner's register holds now.
        register: RegisterVersion,
    },
    /// A stream is at a message's bound.
    Busy {
        /// That stream.
        stream: StreamKey,
    },
    /// No record.
    Missing,
    /// The owner has another ledger.
    OtherLedger {
        /// That ledger.
        ledger: String,
    },
    /// The ledger was closed.
    Closed,
}

/// What `beat` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BeatOutcome {
    /// The owner has shown that it lives.
    Beaten {
        /// The record's version: another one than the owner's means that it must acquire again.
        version: u64,
        /// What the owner's register holds now.
        register: Option<RegisterVersion>,
        /// Whether memory is full: a commit would be refused.
        full: bool,
    },
    /// A newer lease exists: stop.
    Fenced {
        /// The newest epoch.
        epoch: u64,
        /// The newest incarnation.
        incarnation: u64,
    },
    /// No record.
    Missing,
    /// The owner has another ledger.
    OtherLedger {
        /// That ledger.
        ledger: String,
    },
    /// The ledger was closed.
    Closed,
}

/// How long a store keeps what tells of a closed ledger, tombstone and register, in milliseconds.
///
/// The tombstone tells a process that is late, and the operator after a crash, that the ledger was closed. Later such a
/// process is told that there is no record, and may do as little. The register stays so long to refuse a write that is
/// late: a register that is gone would take an older value for a newer one. No request is on its way for minutes, and
/// what is kept for longer is memory that a fleet lacks whose accounts come and go.
pub const CLOSED_KEPT_MS: u64 = 15 * 60_000;

/// What goes with a ledger when it is closed. Everything else of the record's fields and cursors goes too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Closing<'a> {
    /// Streams that are deleted with it, entries and key, beside those that its commits named as its own.
    pub drop: &'a [StreamKey],
    /// Fields that stay readable.
    pub keep: &'a [&'a str],
}

/// What `close` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseOutcome {
    /// The ledger is closed, by this call or an earlier one.
    Closed,
    /// No record.
    Missing,
    /// The owner has another ledger, which stays as it is.
    OtherLedger {
        /// That ledger.
        ledger: String,
    },
}

/// A record as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who it was created for.
    pub uid: String,
    /// Which life of the record.
    pub ledger: String,
    /// The newest epoch; 0 before the first `acquire`.
    pub epoch: u64,
    /// The newest incarnation; 0 before the first `acquire`.
    pub incarnation: u64,
    /// Counts commits.
    pub version: u64,
    /// The id of the last commit; empty before the first.
    pub commit_id: String,
    /// How far the owner has consumed each stream.
    pub cursors: Cursors,
    /// The state. Of the store in memory it is the very same, until a commit changes it.
    pub fields: Arc<Fields>,
    /// Whether the ledger is closed: no lease on it is given again.
    pub closed: bool,
    /// When the owner last committed, by the store's clock in milliseconds UTC; 0 before the first commit.
    pub at_ms: u64,
    /// When the owner last acquired the lease or beat, by the same clock; 0 before the first.
    pub beat_ms: u64,
    /// What of its register the owner follows, as it last committed it.
    pub followed: Option<RegisterVersion>,
}

impl Record {
    /// When the owner last showed that it lives, by the store's clock in milliseconds UTC; 0: never.
    pub fn seen_ms(&self) -> u64 {
        self.at_ms.max(self.beat_ms)
    }
}

/// Which value a register holds. The larger is the newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RegisterVersion {
    /// The generation of the object it comes from.
    pub generation: u64,
    /// Orders writers of one generation.
    pub token: u64,
}

impl fmt::Display for RegisterVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.generation, self.token)
    }
}

/// The text is not the version of a register.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the version of a register; it is written generation.token, like 3.1")]
pub struct ParseRegisterVersionError(String);

impl FromStr for RegisterVersion {
    type Err = ParseRegisterVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('.')
            .and_then(|(generation, token)| {
                Some(Self { generation: generation.parse().ok()?, token: token.parse().ok()? })
            })
            .ok_or_else(|| ParseRegisterVersionError(text.chars().take(64).collect()))
    }
}

/// The register of what must not wait for a new process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// The generation of the object it comes from.
    pub generation: u64,
    /// Orders writers of one generation.
    pub token: u64,
    /// One JSON document.
    pub value: Arc<str>,
}

impl Desired {
    /// Which value this is.
    pub const fn version(&self) -> RegisterVersion {
        RegisterVersion { generation: self.generation, token: self.token }
    }
}

/// What `set_desired` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DesiredOutcome {
    /// The register holds this value, by this call or an identical earlier one.
    Applied,
    /// The register holds another value that is not older, and keeps it.
    Older {
        /// Its generation.
        generation: u64,
        /// Its token.
        token: u64,
    },
}

/// Whose the prefix is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Ours, by this call or an earlier one.
    Claimed,
    /// Another installation's.
    Other {
        /// That installation.
        id: String,
    },
}

/// Records: one per owner, changed only by a fenced atomic commit.
pub trait StateStore {
    /// Makes the owner's record. The only call that does. A closed record gives way to a new
    /// ledger with nothing of the old one in it.
    fn create(
        &self,
        owner: &Owner,
        uid: &str,
        fields: &Fields,
    ) -> impl Future<Output = Result<CreateOutcome, BusError>> + Send;

    /// Takes the lease for an epoch that is not older than the newest. Passes when memory is full:
    /// the owner must come back to trim what it has consumed.
    fn acquire(
        &self,
        owner: &Owner,
        ledger: &str,
        epoch: u64,
    ) -> impl Future<Output = Result<AcquireOutcome, BusError>> + Send;

    /// Applies the whole change or nothing. Checked in this order: missing, other ledger, closed,
    /// fenced, duplicate, conflict, busy. Order of effects: trims, fields, messages. Stores when it was made, and
    /// tells what the owner's register holds: who sees a newer version than it follows reads the register, nudge or
    /// not.
    fn commit(&self, lease: &Lease, commit: &Commit) -> impl Future<Output = Result<CommitOutcome, BusError>> + Send;

    /// Shows that an owner with nothing to commit lives. Fenced as a commit is; changes nothing but the time of the
    /// beat. Passes when memory is full.
    fn beat(&self, lease: &Lease) -> impl Future<Output = Result<BeatOutcome, BusError>> + Send;

    /// Closes a ledger for good: a tombstone refuses every later acquire of it, and what only this ledger needed goes.
    /// On a server tombstone and register go too, after [`CLOSED_KEPT_MS`], unless the owner gets a new ledger. Closing
    /// it again is the same. Passes when memory is full.
    fn close(
        &self,
        owner: &Owner,
        ledger: &str,
        closing: Closing<'_>,
    ) -> impl Future<Output = Result<CloseOutcome, BusError>> + Send;

    /// The record as it stands, without a lease.
    fn record(&self, owner: &Owner) -> impl Future<Output = Result<Option<Record>, BusError>> + Send;

    /// Sets the register if `(generation, token)` is newer than what it holds. Passes when memory
    /// is full: a stop must not wait for room.
    fn set_desired(
        &self,
        owner: &Owner,
        desired: &Desired,
    ) -> impl Future<Output = Result<DesiredOutcome, BusError>> + Send;

    /// Appends to an owner's inbox outside any commit, if the owner has an open ledger: nobody else would ever read or
    /// delete it. Like every nudge it may be lost, and stand twice after a lost answer.
    fn nudge(&self, owner: &Owner, message: &Message) -> impl Future<Output = Result<(), BusError>> + Send;

    /// The register, if it was ever set.
    fn desired(&self, owner: &Owner) -> impl Future<Output = Result<Option<Desired>, BusError>> + Send;

    /// Removes entries up to and including `up_to`. Passes when memory is full; it is what frees
    /// memory then. Not fenced: only for entries below a committed cursor.
    fn trim(&self, stream: &StreamKey, up_to: StreamId) -> impl Future<Output = Result<(), BusError>> + Send;

    /// Removes the oldest entries until about `length` are left. Passes when memory is full. Not fenced: only for
    /// streams for outsiders.
    fn shorten(&self, stream: &StreamKey, length: u64) -> impl Future<Output = Result<(), BusError>> + Send;

    /// Writes the installation's id under the prefix, unless another stands there.
    fn claim_installation(&self, keys: &Keys, id: &str) -> impl Future<Output = Result<Claim, BusError>> + Send;

    /// What the store says of itself.
    fn health(&self) -> impl Future<Output = Result<Health, BusError>> + Send;
}

/// A new ledger id: of the letters and the length with which it stands in each order's id.
pub(crate) fn new_ledger() -> String {
    (0..LedgerId::LENGTH).filter_map(|_| fastrand::choice(LedgerId::ALPHABET)).map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use engine::client_order_id::ClientOrderId;

    use super::*;

    #[test]
    fn ledgers_differ_and_their_orders_have_ids_of_letters_and_digits_alone() {
        for _ in 0..1_000 {
            let ledger = new_ledger();
            let id = ClientOrderId::new(ledger.parse().unwrap(), 1).to_string();
            assert_eq!(id, format!("glm{ledger}0000000000001"));
            assert_ne!(ledger, new_ledger());
        }
    }
}

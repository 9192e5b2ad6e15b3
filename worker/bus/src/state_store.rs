//! The trait `StateStore`: one record per owner, changed only by a fenced atomic commit.
//!
//! `acquire` and `commit` never create a record: a lost store must answer `Missing`, not look like
//! a new ledger.

use std::{collections::BTreeMap, future::Future, sync::Arc};

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
    /// Which life of the record: 6 characters of `[a-z0-9]`, given by `create`.
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
    pub fields: Fields,
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
    },
    /// This very commit was stored before; its answer was lost.
    Duplicate,
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
    /// The state.
    pub fields: Fields,
    /// Whether the ledger is closed: no lease on it is given again.
    pub closed: bool,
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
    /// fenced, duplicate, conflict, busy. Order of effects: trims, fields, messages.
    fn commit(&self, lease: &Lease, commit: &Commit) -> impl Future<Output = Result<CommitOutcome, BusError>> + Send;

    /// Closes a ledger for good; the record stays readable. Passes when memory is full.
    fn close(&self, owner: &Owner, ledger: &str) -> impl Future<Output = Result<CloseOutcome, BusError>> + Send;

    /// The record as it stands, without a lease.
    fn record(&self, owner: &Owner) -> impl Future<Output = Result<Option<Record>, BusError>> + Send;

    /// Sets the register if `(generation, token)` is newer than what it holds. Passes when memory
    /// is full: a stop must not wait for room.
    fn set_desired(
        &self,
        owner: &Owner,
        desired: &Desired,
    ) -> impl Future<Output = Result<DesiredOutcome, BusError>> + Send;

    /// The register, if it was ever set.
    fn desired(&self, owner: &Owner) -> impl Future<Output = Result<Option<Desired>, BusError>> + Send;

    /// Removes entries up to and including `up_to`. Passes when memory is full; it is what frees
    /// memory then. Not fenced: only for entries below a committed cursor.
    fn trim(&self, stream: &StreamKey, up_to: StreamId) -> impl Future<Output = Result<(), BusError>> + Send;

    /// Writes the installation's id under the prefix, unless another stands there.
    fn claim_installation(&self, keys: &Keys, id: &str) -> impl Future<Output = Result<Claim, BusError>> + Send;

    /// What the store says of itself.
    fn health(&self) -> impl Future<Output = Result<Health, BusError>> + Send;
}

/// A new ledger id: 6 characters of `[a-z0-9]`, short enough to stand in each order's id.
pub(crate) fn new_ledger() -> String {
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    (0..6).filter_map(|_| fastrand::choice(ALPHABET)).map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ledgers_are_six_plain_characters_and_differ() {
        let ledger = new_ledger();
        assert_eq!(ledger.len(), 6);
        assert!(ledger.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        assert_ne!(ledger, new_ledger());
    }
}

//! A lease on a record, and the one way to change it: a fenced commit that is repeated, identical, until its
//! outcome is known. Never trades on after a lost fence; never gives up because the store is away.

use std::time::Instant;

use bus::{
    AcquireOutcome, Acquired, Backoff, BeatOutcome, BusError, Commit, CommitOutcome, Failure, Lease, Message, Owner,
    RegisterVersion, StreamId, StreamKey,
};

use crate::role::{Bus, IDLE, Runtime, Stop};
use crate::shutdown::Shutdown;

/// An owner at work.
#[derive(Debug)]
pub struct Session<B> {
    runtime: Runtime<B>,
    lease: Lease,
    version: u64,
    /// Counts the different changes that were tried at this version.
    attempt: u64,
    trims: Vec<(StreamKey, StreamId)>,
    /// What the store last said that the register holds.
    register: Option<RegisterVersion>,
    /// What this owner follows of it.
    followed: Option<RegisterVersion>,
    /// When it last gave a sign of life.
    seen: Instant,
}

/// One change of an owner's record.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Cursors to set.
    pub cursors: Vec<(StreamKey, StreamId)>,
    /// Fields to set.
    pub set: Vec<(String, String)>,
    /// Fields to remove.
    pub delete: Vec<String>,
    /// Messages to append.
    pub messages: Vec<Message>,
    /// Streams of this owner's own to trim, up to and including the id.
    pub trims: Vec<(StreamKey, StreamId)>,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It is stored.
    Stored,
    /// A stream it writes to is at its bound; nothing is stored.
    Busy,
}

impl<B: Bus> Session<B> {
    /// Takes the lease, waiting for the store as long as it takes.
    pub async fn acquire(runtime: &Runtime<B>, owner: &Owner) -> Result<(Self, Acquired), Stop> {
        let ledger = &runtime.identity.ledger;
        let mut patience = Patience::new(runtime);
        let outcome = loop {
            match runtime.bus.acquire(owner, ledger, runtime.identity.epoch).await {
                Ok(outcome) => break outcome,
                Err(error) => patience.endure(error).await?,
            }
        };
        let name = owner.name().to_owned();
        match outcome {
            AcquireOutcome::Acquired(acquired) => {
                runtime.health.leased(acquired.lease.epoch, acquired.lease.incarnation);
                let (lease, version) = (acquired.lease.clone(), acquired.version);
                let session = Self {
                    runtime: runtime.clone(),
                    lease,
                    version,
                    attempt: 0,
                    trims: Vec::new(),
                    register: None,
                    // A new process reads the register, whatever the one before it followed.
                    followed: None,
                    seen: Instant::now(),
                };
                Ok((session, acquired))
            }
            AcquireOutcome::Fenced { epoch } => Err(Stop::Fenced { newer: format!("epoch {epoch} of {name}") }),
            AcquireOutcome::Missing => Err(Stop::LedgerLost { owner: name }),
            AcquireOutcome::OtherLedger { ledger: found } => {
                Err(Stop::LedgerFound { owner: name, found, expected: ledger.clone() })
            }
            AcquireOutcome::Closed => Err(Stop::LedgerClosed { owner: name, ledger: ledger.clone() }),
        }
    }

    /// The version of the record.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Whether nothing was committed or beaten for as long as an idle owner waits at most.
    pub fn is_silent(&self) -> bool {
        self.seen.elapsed() >= IDLE
    }

    /// Whether the register holds something newer than what this owner follows. The nudge that told of it may be
    /// lost; the store tells with each commit and beat.
    pub fn register_is_newer(&self) -> bool {
        self.register > self.followed
    }

    /// The owner follows this version of its register from the next commit on; `None`: it has none.
    pub const fn follow(&mut self, version: Option<RegisterVersion>) {
        self.followed = version;
    }

    /// Stores a change, waiting for the store as long as it takes.
    pub async fn commit(&mut self, change: Change) -> Result<Done, Stop> {
        let commit = Commit {
            expected_version: self.version,
            // Names this change and no other: after a refusal for want of room another change is tried at the same
            // version, while the first may still be on its way.
            commit_id: format!("{}.{}.{}.{}", self.lease.epoch, self.lease.incarnation, self.version, self.attempt),
            cursors: change.cursors,
            delete: change.delete,
            set: change.set.into_iter().map(|(name, value)| (name, value.into())).collect(),
            messages: change.messages,
            trims: change.trims,
            followed: self.followed,
        };
        let mut patience = Patience::new(&self.runtime);
        let outcome = loop {
            match self.runtime.bus.commit(&self.lease, &commit).await {
                Ok(outcome) => break outcome,
                Err(error) => {
                    self.free_memory(&error).await;
                    patience.endure(error).await?;
                }
            }
        };
        self.judge(outcome, commit)
    }

    /// A sign of life from who has nothing to commit; it is told what a commit would be told.
    pub async fn beat(&mut self) -> Result<(), Stop> {
        let runtime = self.runtime.clone();
        let owner = self.lease.owner.name().to_owned();
        match patiently(&runtime, || runtime.bus.beat(&self.lease)).await? {
            BeatOutcome::Beaten { version, register } => {
                (self.register, self.seen) = (register, Instant::now());
                if version == self.version { Ok(()) } else { Err(Stop::Conflict) }
            }
            BeatOutcome::Fenced { epoch, incarnation } => Err(fenced(epoch, incarnation, &owner)),
            BeatOutcome::Missing => Err(Stop::LedgerLost { owner }),
            BeatOutcome::OtherLedger { ledger } => Err(self.other_ledger(owner, ledger)),
            BeatOutcome::Closed => Err(self.closed(owner)),
        }
    }

    fn other_ledger(&self, owner: String, found: String) -> Stop {
        Stop::LedgerFound { owner, found, expected: self.lease.ledger.clone() }
    }

    fn closed(&self, owner: String) -> Stop {
        Stop::LedgerClosed { owner, ledger: self.lease.ledger.clone() }
    }

    fn judge(&mut self, outcome: CommitOutcome, commit: Commit) -> Result<Done, Stop> {
        let owner = self.lease.owner.name().to_owned();
        match outcome {
            CommitOutcome::Committed { register, .. } | CommitOutcome::Duplicate { register } => {
                (self.version, self.attempt, self.register) = (commit.expected_version + 1, 0, register);
                self.seen = Instant::now();
                self.runtime.health.committed();
                self.trims = commit.trims;
                Ok(Done::Stored)
            }
            CommitOutcome::Busy { stream } => {
                tracing::warn!(%stream, "the stream is at its bound: its reader is behind");
                self.attempt += 1;
                Ok(Done::Busy)
            }
            CommitOutcome::Fenced { epoch, incarnation } => Err(fenced(epoch, incarnation, &owner)),
            CommitOutcome::Conflict { .. } => Err(Stop::Conflict),
            CommitOutcome::Missing => Err(Stop::LedgerLost { owner }),
            CommitOutcome::OtherLedger { ledger } => Err(self.other_ledger(owner, ledger)),
            CommitOutcome::Closed => Err(self.closed(owner)),
        }
    }

    /// Memory is full: commits are refused, but what this owner has consumed can go by a plain trim.
    async fn free_memory(&self, error: &BusError) {
        if error.failure() != Some(Failure::MemoryFull) {
            return;
        }
        for (stream, up_to) in &self.trims {
            if let Err(error) = self.runtime.bus.trim(stream, *up_to).await {
                tracing::warn!(%stream, %error, "cannot trim while memory is full");
            }
        }
    }
}

fn fenced(epoch: u64, incarnation: u64, owner: &str) -> Stop {
    Stop::Fenced { newer: format!("epoch {epoch}, incarnation {incarnation} of {owner}") }
}

/// Waiting for a store that is away: jittered, told in the log and by readiness, and ended by a wish to stop.
#[derive(Debug)]
pub struct Patience<B> {
    runtime: Runtime<B>,
    backoff: Backoff,
}

impl<B: Bus> Patience<B> {
    /// Patience for one call.
    pub fn new(runtime: &Runtime<B>) -> Self {
        Self { runtime: runtime.clone(), backoff: Backoff::default() }
    }

    /// Waits before the next attempt; `Err` if there must be none.
    pub async fn endure(&mut self, error: BusError) -> Result<(), Stop> {
        if !error.is_retryable() {
            self.runtime.health.not_ready(error.reason(), &error.to_string());
            return Err(error.into());
        }
        self.runtime.health.not_ready(error.reason(), &error.to_string());
        let shutdown: &mut Shutdown = &mut self.runtime.shutdown;
        shutdown.sleep(self.backoff.delay()).await;
        if shutdown.asked() {
            return Err(Stop::Interrupted { what: error.to_string() });
        }
        Ok(())
    }
}

/// `call`, repeated until the store answers.
pub async fn patiently<B: Bus, T, F>(runtime: &Runtime<B>, mut call: impl FnMut() -> F) -> Result<T, Stop>
where
    F: Future<Output = Result<T, BusError>>,
{
    let mut patience = Patience::new(runtime);
    loop {
        match call().await {
            Ok(value) => {
                runtime.health.reachable();
                return Ok(value);
            }
            Err(error) => patience.endure(error).await?,
        }
    }
}

//! The bus and store in memory of this process: the embedded default, and what tests run on.
//!
//! Same meaning as on Redis, held by the conformance suite. Copies no document: entries and
//! messages share one `Arc<str>`. May not do any I/O.

mod records;
mod state;
mod streams;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, task::coop, time::Instant};

use crate::{
    AcquireOutcome, Batch, BeatOutcome, Body, BusError, Claim, CloseOutcome, Closing, Commit, CommitOutcome,
    CreateOutcome, Desired, DesiredOutcome, Entry, Failure, Fields, Health, Keys, Lease, Message, MessageBus, Owner,
    Persistence, Published, Record, StateStore, StreamId, StreamKey, message_bus::LONGEST_BLOCK,
};
use state::{State, clock_ms};

/// A bus and store in memory. Clones share their content.
#[derive(Debug, Clone, Default)]
pub struct MemoryBus {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Held only for one change, never over an await.
    state: Mutex<State>,
    /// Told after each append. Every waiting reader looks again; there are few.
    appended: Notify,
}

impl MemoryBus {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in another holder is a failed assertion of a test; the maps are still whole.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, in turn: without it a task that always finds something to do would never let
    /// another one run.
    async fn turn(&self) -> MutexGuard<'_, State> {
        coop::consume_budget().await;
        self.lock()
    }

    /// For tests: writes are refused while more than this many bytes are held.
    pub fn limit_memory(&self, bytes: Option<u64>) {
        self.lock().limit = bytes;
    }

    /// For tests: the next commit is applied, but its answer is lost.
    pub fn tear_next_commit(&self) {
        self.lock().tear_next_commit = true;
    }

    /// For tests: an entry as somebody else could write it.
    pub fn append_body(&self, stream: &StreamKey, body: Body) -> StreamId {
        let id = self.lock().append_body(stream, body);
        self.shared.appended.notify_waiters();
        id
    }
}

fn full(action: &'static str, subject: &impl ToString) -> BusError {
    failed(action, subject, Failure::MemoryFull)
}

fn failed(action: &'static str, subject: &impl ToString, failure: Failure) -> BusError {
    BusError::Call { action, subject: subject.to_string(), failure, source: None }
}

impl MessageBus for MemoryBus {
    async fn read(
        &self,
        cursors: &[(StreamKey, StreamId)],
        count: usize,
        block: Option<Duration>,
    ) -> Result<Batch, BusError> {
        let deadline = block.map(|time| Instant::now() + time.min(LONGEST_BLOCK));
        loop {
            // Made before looking: it is woken by every append from here on, polled or not.
            let appended = self.shared.appended.notified();
            let batch = self.turn().await.read(cursors, count.max(1));
            let Some(deadline) = deadline.filter(|_| batch.is_empty()) else {
                return Ok(batch);
            };
            if tokio::time::timeout_at(deadline, appended).await.is_err() {
                return Ok(Batch::new());
            }
        }
    }

    async fn range(
        &self,
        stream: &StreamKey,
        from: StreamId,
        to: StreamId,
        count: usize,
    ) -> Result<Vec<Entry>, BusError> {
        Ok(self.turn().await.range(stream, from, to, count.max(1)))
    }

    async fn last_id(&self, stream: &StreamKey) -> Result<Option<StreamId>, BusError> {
        Ok(self.turn().await.last_id(stream))
    }

    async fn publish(&self, message: &Message) -> Result<Published, BusError> {
        let published = {
            let mut state = self.turn().await;
            if state.is_full() {
                return Err(full("publish to", &message.stream));
            }
            if state.is_at_bound(message) { Published::Busy } else { Published::Appended(state.append(message)) }
        };
        self.shared.appended.notify_waiters();
        Ok(published)
    }

    async fn now_ms(&self) -> Result<u64, BusError> {
        Ok(clock_ms())
    }
}

impl StateStore for MemoryBus {
    async fn create(&self, owner: &Owner, uid: &str, fields: &Fields) -> Result<CreateOutcome, BusError> {
        let mut state = self.turn().await;
        if state.is_full() {
            return Err(full("create the record of", owner));
        }
        Ok(state.create(owner, uid, fields))
    }

    async fn acquire(&self, owner: &Owner, ledger: &str, epoch: u64) -> Result<AcquireOutcome, BusError> {
        Ok(self.turn().await.acquire(owner, ledger, epoch))
    }

    async fn commit(&self, lease: &Lease, commit: &Commit) -> Result<CommitOutcome, BusError> {
        let (outcome, torn) = {
            let mut state = self.turn().await;
            if state.is_full() {
                return Err(full("commit for", &lease.owner));
            }
            let outcome = state.commit(lease, commit);
            (outcome, std::mem::take(&mut state.tear_next_commit))
        };
        if !commit.messages.is_empty() {
            self.shared.appended.notify_waiters();
        }
        if torn {
            return Err(failed("commit for", &lease.owner, Failure::Unavailable));
        }
        Ok(outcome)
    }

    async fn beat(&self, lease: &Lease) -> Result<BeatOutcome, BusError> {
        Ok(self.turn().await.beat(lease))
    }

    async fn nudge(&self, owner: &Owner, message: &Message) -> Result<(), BusError> {
        let open = self.turn().await.record(owner).is_some_and(|record| !record.closed);
        if open { self.publish(message).await.map(drop) } else { Ok(()) }
    }

    async fn close(&self, owner: &Owner, ledger: &str, closing: Closing<'_>) -> Result<CloseOutcome, BusError> {
        Ok(self.turn().await.close(owner, ledger, closing))
    }

    async fn record(&self, owner: &Owner) -> Result<Option<Record>, BusError> {
        Ok(self.turn().await.record(owner))
    }

    async fn set_desired(&self, owner: &Owner, desired: &Desired) -> Result<DesiredOutcome, BusError> {
        Ok(self.turn().await.set_desired(owner, desired))
    }

    async fn desired(&self, owner: &Owner) -> Result<Option<Desired>, BusError> {
        Ok(self.turn().await.desired(owner))
    }

    async fn trim(&self, stream: &StreamKey, up_to: StreamId) -> Result<(), BusError> {
        self.turn().await.trim(stream, up_to);
        Ok(())
    }

    async fn shorten(&self, stream: &StreamKey, length: u64) -> Result<(), BusError> {
        self.turn().await.shorten(stream, length);
        Ok(())
    }

    async fn claim_installation(&self, keys: &Keys, id: &str) -> Result<Claim, BusError> {
        Ok(self.turn().await.claim_installation(keys, id))
    }

    async fn health(&self) -> Result<Health, BusError> {
        let state = self.turn().await;
        Ok(Health {
            version: String::new(),
            is_master: true,
            maxmemory_policy: "noeviction".to_owned(),
            persistence: Persistence::InProcess,
            replication_id: "in-process".to_owned(),
            used_memory: state.used,
            max_memory: state.limit.unwrap_or(0),
        })
    }
}

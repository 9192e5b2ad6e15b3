//! Calls to the store, counted in one place: a store that passes each on.

use std::time::Duration;

use bus::{
    AcquireOutcome, Batch, BeatOutcome, BusError, Claim, CloseOutcome, Closing, Commit, CommitOutcome, CreateOutcome,
    Desired, DesiredOutcome, Entry, Failure, Fields, Health, Keys, Lease, Message, MessageBus, Owner, Published,
    Record, StateStore, StreamId, StreamKey,
};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use prometheus_client::encoding::EncodeLabelSet;

use super::{Metrics, Pending};

/// The labels of a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Call {
    call: &'static str,
    outcome: &'static str,
}

/// An outcome where the caller has given up.
const NO_ANSWER: &str = "no_answer";

/// A store whose calls are counted. Cheap to clone if the store is.
#[derive(Debug, Clone)]
pub struct CountedStore<S> {
    store: S,
    metrics: Metrics,
}

impl<S> CountedStore<S> {
    #[expect(missing_docs, reason = "the name says it")]
    pub const fn new(store: S, metrics: Metrics) -> Self {
        Self { store, metrics }
    }

    /// The call comes in a box: many futures hold it, and none should grow with it.
    async fn count<T>(&self, call: &'static str, answer: BoxFuture<'_, Result<T, BusError>>) -> Result<T, BusError> {
        let mut pending = Pending { counters: self.metrics.calls.clone(), label: Call { call, outcome: NO_ANSWER } };
        let answer = answer.await;
        pending.label.outcome = match &answer {
            Ok(_) => "ok",
            Err(error) => match error.failure() {
                Some(Failure::Unavailable) => "unavailable",
                Some(Failure::ReadOnly) => "read_only",
                Some(Failure::MemoryFull) => "memory_full",
                Some(Failure::WrongType) => "wrong_type",
                Some(Failure::Refused) => "refused",
                None => "unreadable",
            },
        };
        answer
    }
}

impl<S: MessageBus + Sync> MessageBus for CountedStore<S> {
    async fn read(
        &self,
        cursors: &[(StreamKey, StreamId)],
        count: usize,
        block: Option<Duration>,
    ) -> Result<Batch, BusError> {
        self.count("read", self.store.read(cursors, count, block).boxed()).await
    }

    async fn range(
        &self,
        stream: &StreamKey,
        from: StreamId,
        to: StreamId,
        count: usize,
    ) -> Result<Vec<Entry>, BusError> {
        self.count("range", self.store.range(stream, from, to, count).boxed()).await
    }

    async fn last_id(&self, stream: &StreamKey) -> Result<Option<StreamId>, BusError> {
        self.count("last_id", self.store.last_id(stream).boxed()).await
    }

    async fn publish(&self, message: &Message) -> Result<Published, BusError> {
        self.count("publish", self.store.publish(message).boxed()).await
    }

    async fn now_ms(&self) -> Result<u64, BusError> {
        self.count("now_ms", self.store.now_ms().boxed()).await
    }
}

impl<S: StateStore + Sync> StateStore for CountedStore<S> {
    async fn create(&self, owner: &Owner, uid: &str, fields: &Fields) -> Result<CreateOutcome, BusError> {
        self.count("create", self.store.create(owner, uid, fields).boxed()).await
    }

    async fn acquire(&self, owner: &Owner, ledger: &str, epoch: u64) -> Result<AcquireOutcome, BusError> {
        self.count("acquire", self.store.acquire(owner, ledger, epoch).boxed()).await
    }

    async fn commit(&self, lease: &Lease, commit: &Commit) -> Result<CommitOutcome, BusError> {
        self.count("commit", self.store.commit(lease, commit).boxed()).await
    }

    async fn beat(&self, lease: &Lease) -> Result<BeatOutcome, BusError> {
        self.count("beat", self.store.beat(lease).boxed()).await
    }

    async fn close(&self, owner: &Owner, ledger: &str, closing: Closing<'_>) -> Result<CloseOutcome, BusError> {
        self.count("close", self.store.close(owner, ledger, closing).boxed()).await
    }

    async fn record(&self, owner: &Owner) -> Result<Option<Record>, BusError> {
        self.count("record", self.store.record(owner).boxed()).await
    }

    async fn set_desired(&self, owner: &Owner, desired: &Desired) -> Result<DesiredOutcome, BusError> {
        self.count("set_desired", self.store.set_desired(owner, desired).boxed()).await
    }

    async fn nudge(&self, owner: &Owner, message: &Message) -> Result<(), BusError> {
        self.count("nudge", self.store.nudge(owner, message).boxed()).await
    }

    async fn desired(&self, owner: &Owner) -> Result<Option<Desired>, BusError> {
        self.count("desired", self.store.desired(owner).boxed()).await
    }

    async fn trim(&self, stream: &StreamKey, up_to: StreamId) -> Result<(), BusError> {
        self.count("trim", self.store.trim(stream, up_to).boxed()).await
    }

    async fn shorten(&self, stream: &StreamKey, length: u64) -> Result<(), BusError> {
        self.count("shorten", self.store.shorten(stream, length).boxed()).await
    }

    async fn claim_installation(&self, keys: &Keys, id: &str) -> Result<Claim, BusError> {
        self.count("claim_installation", self.store.claim_installation(keys, id).boxed()).await
    }

    async fn health(&self) -> Result<Health, BusError> {
        self.count("health", self.store.health().boxed()).await
    }
}

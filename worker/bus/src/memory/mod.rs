//! The bus and store in memory of this process: the embedded default, and what tests run on.
//!
//! Same meaning as on Redis, held by the conformance suite. Copies no document: entries and
//! messages share one `Arc<str>`, and all readers of a stream the entry itself. May not do any I/O.

mod records;
mod state;
mod streams;
mod waiters;

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
}

/// A reader that waits for one of its streams; dropped, it waits no longer.
struct Waiting<'a> {
    bus: &'a MemoryBus,
    cursors: &'a [(StreamKey, StreamId)],
    number: u64,
    appended: Arc<Notify>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.bus.lock().waiters.remove(self.number, self.cursors.iter().map(|(stream, _)| stream));
    }
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

    /// For tests: a record as another program left it.
    pub fn put_record(&self, owner: &Owner, record: Record) {
        self.lock().put_record(owner, record);
    }

    /// For tests: an entry where another program put it, behind all others of its stream.
    pub fn put_entry(&self, stream: &StreamKey, entry: Entry) {
        self.lock().put_entry(stream, entry);
    }

    /// For tests: an entry as somebody else could write it.
    pub fn append_body(&self, stream: &StreamKey, body: Body) -> StreamId {
        self.lock().append_body(stream, body)
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
            let (waiting, deadline) = {
                let mut state = self.turn().await;
                let batch = state.read(cursors, count.max(1));
                let Some(deadline) = deadline.filter(|_| batch.is_empty()) else {
                    return Ok(batch);
                };
                // In the same turn as the look: no append comes between.
                let (number, appended) = state.waiters.add(cursors.iter().map(|(stream, _)| stream));
                (Waiting { bus: self, cursors, number, appended }, deadline)
            };
            if tokio::time::timeout_at(deadline, waiting.appended.notified()).await.is_err() {
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
        let mut state = self.turn().await;
        if state.is_full() {
            return Err(full("publish to", &message.stream));
        }
        Ok(if state.is_at_bound(message) { Published::Busy } else { Published::Appended(state.append(message)) })
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

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::atomic::{AtomicUsize, Ordering},
        task::{Context, Wake, Waker},
    };

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn document(text: &str) -> Body {
        Body::Document { version: 1, data: text.into() }
    }

    #[tokio::test]
    async fn an_append_wakes_those_who_wait_for_its_stream_and_nobody_else() {
        let (bus, minute) = (MemoryBus::new(), Some(Duration::from_mins(1)));
        let [own, other, third] = ["own", "other", "third"].map(StreamKey::from_name);
        let cursors = [(own.clone(), StreamId::ZERO), (other.clone(), StreamId::ZERO)];
        let woken = Arc::new(Counting::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let mut reading = pin!(bus.read(&cursors, 10, minute));
        assert!(reading.as_mut().poll(&mut context).is_pending());
        for _ in 0..100 {
            bus.append_body(&third, document("1"));
        }
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        for _ in 0..100 {
            bus.append_body(&other, document("2"));
        }
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        let batch = reading.await.unwrap();
        assert_eq!((batch.len(), &batch[0].0, batch[0].1.len()), (1, &other, 10));
        assert!(bus.lock().waiters.is_empty());
    }

    /// A nudge that counts how often one is decoded.
    #[derive(Debug, serde::Serialize)]
    struct Counted;

    static DECODED: AtomicUsize = AtomicUsize::new(0);

    impl<'de> serde::Deserialize<'de> for Counted {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            DECODED.fetch_add(1, Ordering::Relaxed);
            serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
        }
    }

    impl engine::messages::Document for Counted {
        const VERSION: u32 = 1;
    }

    #[tokio::test]
    async fn all_readers_of_a_stream_decode_it_once() {
        let (bus, stream) = (MemoryBus::new(), StreamKey::from_name("market.tick"));
        for number in 0..100 {
            bus.append_body(&stream, document(&number.to_string()));
        }
        for reader in 0..50 {
            // Each in portions of its own.
            let mut cursor = StreamId::ZERO;
            while let Some((_, entries)) = bus.read(&[(stream.clone(), cursor)], 7 + reader, None).await.unwrap().pop()
            {
                for entry in entries {
                    entry.decode_once::<Counted>().unwrap();
                    cursor = entry.id;
                }
            }
        }
        assert_eq!(DECODED.load(Ordering::Relaxed), 100);
    }

    #[tokio::test]
    async fn who_stops_waiting_is_forgotten() {
        let (bus, minute) = (MemoryBus::new(), Some(Duration::from_mins(1)));
        let cursors = [(StreamKey::from_name("own"), StreamId::ZERO)];
        {
            let mut reading = Box::pin(bus.read(&cursors, 10, minute));
            assert!(reading.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            assert!(!bus.lock().waiters.is_empty());
        }
        assert!(bus.lock().waiters.is_empty());
        assert_eq!(bus.read(&cursors, 10, Some(Duration::from_millis(1))).await.unwrap(), Batch::new());
        assert!(bus.lock().waiters.is_empty());
    }
}

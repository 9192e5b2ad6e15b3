//! Full memory and lost answers: refused whole, found again, and never stuck.

use bus::{
    AcquireOutcome, BeatOutcome, CloseOutcome, Closing, CommitOutcome, Desired, DesiredOutcome, Fields, Message,
    MessageBus, StateStore, StreamId, Topic,
};

use crate::store::{Store, acquired, change, contents, created, owner, stream};

const ENTRY: usize = 64 * 1024;
const ENTRIES: u64 = 128;

/// Fills a stream and sets the limit below what is in use.
async fn fill(store: &impl Store) {
    let ballast = Message::new(stream(Topic::StrategySignal), 1, "x".repeat(ENTRY));
    for _ in 0..ENTRIES {
        store.bus().publish(&ballast).await.unwrap();
    }
    let used = store.bus().health().await.unwrap().used_memory;
    store.limit_memory(used - ENTRIES * ENTRY as u64 / 2);
}

pub async fn full_memory_refuses_whole_and_trims_free_it(store: &impl Store) {
    let bus = store.bus();
    let lease = acquired(bus, &created(bus).await, 1).await.lease;
    bus.commit(&lease, &change(0, "c1")).await.unwrap();
    fill(store).await;

    let next = change(1, "c2");
    let error = bus.commit(&lease, &next).await.expect_err("memory is full");
    assert_eq!((error.reason(), error.is_retryable()), ("RedisMemoryFull", true));
    let error = bus.publish(&next.messages[0]).await.expect_err("memory is full");
    assert_eq!(error.reason(), "RedisMemoryFull");
    let record = bus.record(&owner()).await.unwrap().unwrap();
    assert_eq!((record.version, record.fields["last"].as_ref()), (1, "c1"));
    assert_eq!(contents(bus, &stream(Topic::OrderCommand)).await, ["c1"]);

    let signals = stream(Topic::StrategySignal);
    let last = bus.last_id(&signals).await.unwrap().unwrap();
    bus.trim(&signals, last).await.unwrap();
    let outcome = bus.commit(&lease, &next).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed { version: 2, .. }), "{outcome:?}");
    assert_eq!(contents(bus, &stream(Topic::OrderCommand)).await, ["c1", "c2"]);
}

/// A process that restarts meanwhile must find its cursors, be told to stop, and be closed.
pub async fn full_memory_lets_the_owner_come_back(store: &impl Store) {
    let bus = store.bus();
    let ledger = created(bus).await;
    acquired(bus, &ledger, 1).await;
    fill(store).await;
    assert_eq!(acquired(bus, &ledger, 2).await.lease.incarnation, 2);
    let stop = Desired { generation: 1, token: 1, value: "stop".into() };
    assert_eq!(bus.set_desired(&owner(), &stop).await.unwrap(), DesiredOutcome::Applied);
    assert_eq!(bus.desired(&owner()).await.unwrap(), Some(stop));
    let signals = [(stream(Topic::StrategySignal), StreamId::ZERO)];
    assert_eq!(bus.read(&signals, 1, None).await.unwrap().len(), 1);
    assert_eq!(bus.close(&owner(), &ledger, Closing::default()).await.unwrap(), CloseOutcome::Closed);
    assert_eq!(bus.acquire(&owner(), &ledger, 3).await.unwrap(), AcquireOutcome::Closed);
    let error = bus.create(&owner(), "uid-2", &Fields::new()).await.expect_err("memory is full");
    assert_eq!(error.reason(), "RedisMemoryFull");
}

/// Who has nothing to commit lives, is told that there is no room, and can make some.
pub async fn full_memory_is_told_to_who_only_beats(store: &impl Store) {
    let bus = store.bus();
    let lease = acquired(bus, &created(bus).await, 1).await.lease;
    let told = |full| BeatOutcome::Beaten { version: 0, register: None, full };
    assert_eq!(bus.beat(&lease).await.unwrap(), told(false));
    fill(store).await;
    let before = bus.record(&owner()).await.unwrap().unwrap().beat_ms;
    assert_eq!(bus.beat(&lease).await.unwrap(), told(true));
    assert!(bus.record(&owner()).await.unwrap().unwrap().beat_ms >= before, "its sign of life is stored");
    let signals = stream(Topic::StrategySignal);
    bus.shorten(&signals, ENTRIES / 4).await.unwrap();
    assert_eq!(contents(bus, &signals).await.len() as u64, ENTRIES / 4);
    assert_eq!(bus.beat(&lease).await.unwrap(), told(false));
    assert!(matches!(bus.commit(&lease, &change(0, "c1")).await.unwrap(), CommitOutcome::Committed { .. }));
}

pub async fn a_lost_answer_is_found_as_duplicate(store: &impl Store) {
    let bus = store.bus();
    let lease = acquired(bus, &created(bus).await, 1).await.lease;
    bus.commit(&lease, &change(0, "c1")).await.unwrap();
    store.tear_next_commit();
    let next = change(1, "c2");
    let error = bus.commit(&lease, &next).await.expect_err("the answer is lost");
    assert_eq!((error.reason(), error.is_retryable()), ("RedisUnavailable", true));
    assert_eq!(bus.commit(&lease, &next).await.unwrap(), CommitOutcome::Duplicate { register: None });
    assert_eq!(contents(bus, &stream(Topic::OrderCommand)).await, ["c1", "c2"]);
    let outcome = bus.commit(&lease, &change(2, "c3")).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed { version: 3, .. }), "{outcome:?}");
}

pub async fn a_good_store_is_ready(store: &impl Store) {
    let health = store.bus().health().await.unwrap();
    assert_eq!(health.refusals(), []);
    assert_eq!(health.warnings().len(), 1, "neither outlives a power cut: {health:?}");
    assert!(!health.replication_id.is_empty());
}

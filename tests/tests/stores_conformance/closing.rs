//! What is left of a closed ledger, and who may still write for it.

use bus::{
    CLOSED_KEPT_MS, CloseOutcome, Closing, Commit, CommitOutcome, Desired, DesiredOutcome, Fields, Message, MessageBus,
    RedisBus, StateStore, Topic,
};
use tests::redis_server::RedisServer;

use crate::store::{Store, acquired, change, contents, created, keys, message, owner, stream};

/// A feed names its ticks by their symbols: only its commits can tell which streams are its own.
pub async fn streams_of_its_own_go_with_the_ledger(store: &impl Store) {
    let bus = store.bus();
    let ledger = created(bus).await;
    let lease = acquired(bus, &ledger, 1).await.lease;
    let (own, other) = (stream(Topic::OrderCommand), stream(Topic::OrderFill));
    let first = Commit { owned: vec![own.clone(), stream(Topic::Report)], ..change(0, "c1") };
    bus.commit(&lease, &first).await.unwrap();
    // Said once, it holds for every later commit.
    bus.commit(&lease, &change(1, "c2")).await.unwrap();
    bus.publish(&Message::new(other.clone(), 1, "of another")).await.unwrap();
    assert_eq!(bus.close(&owner(), &ledger, Closing::default()).await.unwrap(), CloseOutcome::Closed);
    assert_eq!(bus.last_id(&own).await.unwrap(), None);
    assert_eq!(contents(bus, &other).await, ["of another"]);

    // Nothing of that is left for the next ledger of the name.
    let next = created(bus).await;
    bus.publish(&message("new")).await.unwrap();
    bus.close(&owner(), &next, Closing::default()).await.unwrap();
    assert_eq!(contents(bus, &own).await, ["new"]);
}

pub async fn nobody_is_nudged_without_an_open_ledger(store: &impl Store) {
    let bus = store.bus();
    let nudge = Message::new(owner().inbox().clone(), 1, "look");
    bus.nudge(&owner(), &nudge).await.unwrap();
    assert_eq!(bus.last_id(owner().inbox()).await.unwrap(), None, "no record");
    let ledger = created(bus).await;
    bus.nudge(&owner(), &nudge).await.unwrap();
    assert_eq!(contents(bus, owner().inbox()).await, ["look"]);
    bus.nudge(&owner(), &nudge.clone().with_bound(1)).await.unwrap();
    assert_eq!(contents(bus, owner().inbox()).await, ["look"], "at its bound");
    bus.close(&owner(), &ledger, Closing { drop: &[owner().inbox().clone()], keep: &[] }).await.unwrap();
    bus.nudge(&owner(), &nudge).await.unwrap();
    assert_eq!(bus.last_id(owner().inbox()).await.unwrap(), None, "a closed record");
}

/// A first attempt that was held up on its way must never pass for the second one, which holds another change.
pub async fn an_attempt_is_not_taken_for_another(store: &impl Store) {
    let bus = store.bus();
    let lease = acquired(bus, &created(bus).await, 1).await.lease;
    let bounded = |id: &str| {
        let mut change = change(0, id);
        change.messages[0] = change.messages[0].clone().with_bound(1);
        change
    };
    bus.publish(&message("in the way")).await.unwrap();
    let first = bounded("1.1.0.0");
    assert!(matches!(bus.commit(&lease, &first).await.unwrap(), CommitOutcome::Busy { .. }));
    let last = bus.last_id(&stream(Topic::OrderCommand)).await.unwrap().unwrap();
    bus.trim(&stream(Topic::OrderCommand), last).await.unwrap();
    // Room appears, and now the first attempt's bytes arrive.
    assert!(matches!(bus.commit(&lease, &first).await.unwrap(), CommitOutcome::Committed { version: 1, .. }));
    let second = Commit { messages: Vec::new(), ..change(0, "1.1.0.1") };
    assert_eq!(bus.commit(&lease, &second).await.unwrap(), CommitOutcome::Conflict { version: 1 });
    assert_eq!(contents(bus, &stream(Topic::OrderCommand)).await, ["1.1.0.0"]);
}

/// Tombstone and register stay for a while, which is what refuses those that are late, and then nothing is left.
#[tokio::test]
async fn a_closed_ledger_leaves_little_and_not_for_ever() {
    let server = RedisServer::start();
    let bus = RedisBus::open(&server.url()).unwrap();
    let (record, register) = (owner().state_key().to_owned(), owner().desired_key().to_owned());
    let ledger = created(&bus).await;
    let lease = acquired(&bus, &ledger, 1).await.lease;
    let set = (0..400).map(|number| (format!("field {number}"), "x".repeat(900).into())).collect();
    bus.commit(&lease, &Commit { set, owned: vec![stream(Topic::OrderCommand)], ..change(0, "c1") }).await.unwrap();
    let desired = |generation, value: &str| Desired { generation, token: 1, value: value.into() };
    bus.set_desired(&owner(), &desired(7, "newest")).await.unwrap();
    assert_eq!(server.cli(&["PTTL", &record]), "-1");
    bus.close(&owner(), &ledger, Closing { drop: bus_streams().as_slice(), keep: &["startedAt"] }).await.unwrap();

    let mut left: Vec<_> = server.cli(&["KEYS", "*"]).lines().map(str::to_owned).collect();
    left.sort_unstable();
    assert_eq!(left, [register.clone(), record.clone()]);
    let bytes: u64 = left.iter().map(|key| memory(&server, key)).sum();
    println!("{bytes} bytes are left of a closed ledger, for a while");
    assert!(bytes < 1_024, "{bytes} bytes are left");
    for key in [&record, &register] {
        let time: u64 = server.cli(&["PTTL", key]).parse().expect("it ends");
        assert!(time > 0 && time <= CLOSED_KEPT_MS, "{key}: {time}");
    }
    // Whoever is late is refused as before, and makes nothing last.
    let late = bus.set_desired(&owner(), &desired(3, "late")).await.unwrap();
    assert_eq!(late, DesiredOutcome::Older { generation: 7, token: 1 });
    assert_ne!(server.cli(&["PTTL", &register]), "-1");

    // The next ledger of the name keeps what it has.
    bus.create(&owner(), "uid-2", &Fields::new()).await.unwrap();
    for key in [&record, &register] {
        assert_eq!(server.cli(&["PTTL", key]), "-1", "{key}");
    }
    assert_eq!(bus.set_desired(&owner(), &desired(3, "late")).await.unwrap(), late);
}

fn bus_streams() -> Vec<bus::StreamKey> {
    keys().streams_of(&owner())
}

fn memory(server: &RedisServer, key: &str) -> u64 {
    server.cli(&["MEMORY", "USAGE", key, "SAMPLES", "0"]).parse().expect("the key is there")
}

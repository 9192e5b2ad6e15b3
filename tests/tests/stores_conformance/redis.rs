//! What only a real server can do: die, be demoted, evict, hold foreign data.

use std::time::{Duration, Instant};

use bus::{
    Backoff, Body, BusError, CommitOutcome, Message, MessageBus, Persistence, RedisBus, StateStore, StreamId, Topic,
};
use tests::redis_server::RedisServer;

use crate::store::{Redis, Store, acquired, change, contents, created, message, owner, stream};

fn open(server: &RedisServer) -> RedisBus {
    RedisBus::open(&server.url()).unwrap()
}

/// Calls until it succeeds, as a role does: only retryable errors, with pauses.
async fn in_the_end<T>(mut call: impl AsyncFnMut() -> Result<T, BusError>) -> T {
    let mut backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(50));
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match call().await {
            Ok(value) => return value,
            Err(error) => {
                assert!(error.is_retryable(), "{error:?}");
                assert!(Instant::now() < deadline, "{error:?}");
                tokio::time::sleep(backoff.delay()).await;
            }
        }
    }
}

#[tokio::test]
async fn a_killed_server_comes_back_with_everything() {
    let mut server = RedisServer::start_with(&["--appendonly", "yes"]);
    let bus = open(&server);
    let lease = acquired(&bus, &created(&bus).await, 1).await.lease;
    bus.commit(&lease, &change(0, "c1")).await.unwrap();
    let cursors = [(stream(Topic::OrderCommand), StreamId::ZERO)];
    bus.read(&cursors, 1, Some(Duration::from_secs(1))).await.unwrap();

    server.kill();
    let next = change(1, "c2");
    let error = bus.commit(&lease, &next).await.expect_err("the server is dead");
    assert_eq!((error.reason(), error.is_retryable()), ("RedisUnavailable", true));
    let error = bus.read(&cursors, 1, Some(Duration::from_secs(1))).await.expect_err("the server is dead");
    assert_eq!((error.reason(), error.is_retryable()), ("RedisUnavailable", true));

    server.restart();
    let outcome = in_the_end(|| bus.commit(&lease, &next)).await;
    assert!(matches!(outcome, CommitOutcome::Committed { version: 2, .. }), "{outcome:?}");
    let batch = in_the_end(|| bus.read(&cursors, 10, Some(Duration::from_secs(1)))).await;
    assert_eq!(batch[0].1.len(), 2);
    let health = bus.health().await.unwrap();
    assert_eq!(health.persistence, Persistence::AppendOnlyFile);
    assert_eq!((health.refusals(), health.warnings()), (vec![], vec![]));
}

#[tokio::test]
async fn a_demoted_server_is_waited_for() {
    let store = Redis::start().await;
    let (bus, server) = (store.bus(), &store.server);
    let lease = acquired(bus, &created(bus).await, 1).await.lease;
    bus.commit(&lease, &change(0, "c1")).await.unwrap();
    let reader = tokio::spawn({
        let bus = bus.clone();
        async move { bus.read(&[(stream(Topic::Report), StreamId::ZERO)], 1, Some(Duration::from_mins(1))).await }
    });
    store.blocked_reader().await;

    // A primary that nobody answers for: the data stay.
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    let error = reader.await.unwrap().expect_err("the read is unblocked");
    assert_eq!((error.reason(), error.is_retryable()), ("RedisUnavailable", true));
    for _ in 0..2 {
        let error = bus.commit(&lease, &change(1, "c2")).await.expect_err("a replica takes no writes");
        assert_eq!((error.reason(), error.is_retryable()), ("RedisReadOnly", true));
    }
    let refusals = bus.health().await.unwrap().refusals();
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals[0].remedy, "give the address of the primary");

    server.cli(&["REPLICAOF", "NO", "ONE"]);
    let outcome = bus.commit(&lease, &change(1, "c2")).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed { version: 2, .. }), "{outcome:?}");
}

#[tokio::test]
async fn an_evicting_policy_and_a_missing_file_are_found() {
    let server = RedisServer::start();
    let bus = open(&server);
    server.cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let health = bus.health().await.unwrap();
    assert_eq!(health.maxmemory_policy, "allkeys-lru");
    assert_eq!(health.refusals()[0].remedy, "CONFIG SET maxmemory-policy noeviction");
    assert_eq!(health.persistence, Persistence::NoAppendOnlyFile);
    assert_eq!(health.warnings()[0].remedy, "CONFIG SET appendonly yes");
    // The remedies are the ones that help.
    server.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    server.cli(&["CONFIG", "SET", "appendonly", "yes"]);
    let health = bus.health().await.unwrap();
    assert_eq!((health.refusals(), health.warnings()), (vec![], vec![]));
}

#[tokio::test]
async fn foreign_entries_are_poison_and_stop_nothing() {
    let server = RedisServer::start();
    let bus = open(&server);
    let key = stream(Topic::OrderCommand);
    server.cli(&["XADD", key.as_str(), "*", "v", "1", "other", "x"]);
    server.cli(&["XADD", key.as_str(), "*", "data", "{}"]);
    server.cli(&["XADD", key.as_str(), "*", "v", "one", "data", "{}"]);
    server.cli(&["XADD", key.as_str(), "*", "v", "-1", "data", "{}"]);
    server.cli_with_input(&["XADD", key.as_str(), "*", "v", "1", "data"], Some(b"a\xff\xfeb"));
    server.cli_with_input(&["XADD", key.as_str(), "*", "data", "{}", "v"], Some(b"\xff"));
    server.cli(&["XADD", key.as_str(), "*", "more", "m", "data", "{}", "v", "3"]);
    let big = "y".repeat(100_000);
    server.cli(&["XADD", key.as_str(), "*", "big", &big]);

    let entries = bus.range(&key, StreamId::ZERO, StreamId::MAX, 100).await.unwrap();
    let poison = |reason: &str, raw: &str| Body::Poison { reason: reason.to_owned(), raw: raw.to_owned() };
    let bodies: Vec<Body> = entries.into_iter().map(|entry| entry.body).collect();
    assert_eq!(
        bodies[..7],
        [
            poison("it has no field data", "v=1 other=x"),
            poison("it has no field v", "data={}"),
            poison("its field v is not a version number", "v=one data={}"),
            poison("its field v is not a version number", "v=-1 data={}"),
            poison("its field data is not UTF-8", "v=1 data=a\u{fffd}\u{fffd}b"),
            poison("its field v is not a version number", "data={} v=\u{fffd}"),
            Body::Document { version: 3, data: "{}".into() },
        ]
    );
    let Body::Poison { raw, .. } = &bodies[7] else { panic!("not poison") };
    assert_eq!(raw.len(), Body::RAW_LIMIT);
    let batch = bus.read(&[(key, StreamId::ZERO)], 100, Some(Duration::from_secs(1))).await.unwrap();
    assert_eq!(batch[0].1.len(), 8);
}

#[tokio::test]
async fn a_key_of_another_type_is_permanent_and_nothing_is_written() {
    let server = RedisServer::start();
    let bus = open(&server);
    let lease = acquired(&bus, &created(&bus).await, 1).await.lease;
    server.cli(&["SET", stream(Topic::OrderCommand).as_str(), "foreign"]);
    let mut commit = change(0, "c1");
    commit.messages.insert(0, Message::new(stream(Topic::OrderFill), 1, "first"));
    let error = bus.commit(&lease, &commit).await.expect_err("it is no stream");
    assert_eq!((error.reason(), error.is_retryable()), ("RedisWrongType", false));
    assert_eq!(contents(&bus, &stream(Topic::OrderFill)).await, [""; 0]);
    assert_eq!(bus.record(&owner()).await.unwrap().unwrap().version, 0);
    for block in [None, Some(Duration::from_secs(1))] {
        let read = bus.read(&[(stream(Topic::OrderCommand), StreamId::ZERO)], 1, block).await;
        assert_eq!(read.expect_err("it is no stream").reason(), "RedisWrongType");
    }
    assert_eq!(bus.publish(&message("x")).await.expect_err("no stream").reason(), "RedisWrongType");
    server.cli(&["SET", owner().state_key(), "foreign"]);
    assert_eq!(bus.record(&owner()).await.expect_err("no record").reason(), "RedisWrongType");
    assert_eq!(bus.acquire(&owner(), "abc123", 1).await.expect_err("no record").reason(), "RedisWrongType");
}

#[tokio::test]
async fn a_damaged_record_is_told_and_not_guessed() {
    let server = RedisServer::start();
    let bus = open(&server);
    let ledger = created(&bus).await;
    server.cli(&["HSET", owner().state_key(), "_version", "many"]);
    let error = bus.acquire(&owner(), &ledger, 1).await.expect_err("no version");
    assert_eq!((error.reason(), error.is_retryable()), ("RedisContentInvalid", false));
}

#[tokio::test]
async fn a_wrong_password_is_permanent_and_not_shown() {
    let server = RedisServer::start();
    server.cli(&["CONFIG", "SET", "requirepass", "geheim"]);
    let with = |password: &str| server.url().replace("redis://", &format!("redis://:{password}@"));
    let error = RedisBus::open(&with("falsch")).unwrap().now_ms().await.expect_err("wrong password");
    assert_eq!((error.reason(), error.is_retryable()), ("RedisRefused", false));
    assert!(!format!("{error:?}").contains("falsch"), "{error:?}");
    let error = open(&server).now_ms().await.expect_err("no password");
    assert_eq!((error.reason(), error.is_retryable()), ("RedisRefused", false));
    RedisBus::open(&with("geheim")).unwrap().now_ms().await.unwrap();
}

#[tokio::test]
async fn forgotten_scripts_are_loaded_again() {
    let server = RedisServer::start();
    let bus = open(&server);
    let lease = acquired(&bus, &created(&bus).await, 1).await.lease;
    bus.commit(&lease, &change(0, "c1")).await.unwrap();
    server.cli(&["SCRIPT", "FLUSH"]);
    let outcome = bus.commit(&lease, &change(1, "c2")).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed { version: 2, .. }), "{outcome:?}");
}

/// A server that accepts and says nothing must not hold a caller for ever.
#[tokio::test]
async fn a_silent_server_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}/", listener.local_addr().unwrap());
    let bus = RedisBus::open(&url).unwrap();
    let error = bus.now_ms().await.expect_err("no answer");
    assert_eq!((error.reason(), error.is_retryable()), ("RedisUnavailable", true));
}

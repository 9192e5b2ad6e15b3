//! What only a real server can do: die, be demoted, evict, hold foreign data.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bus::{
    Backoff, Body, BusError, Commit, CommitOutcome, Message, MessageBus, Persistence, RedisBus, Retention, StateStore,
    StreamId, Topic,
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

/// No other call on the way that would drop the connections.
#[tokio::test]
async fn a_process_that_only_reads_comes_back_too() {
    let mut server = RedisServer::start_with(&["--appendonly", "yes"]);
    let bus = open(&server);
    let cursors = [(stream(Topic::OrderCommand), StreamId::ZERO)];
    let read = || bus.read(&cursors, 10, Some(Duration::from_millis(10)));
    assert_eq!(read().await.unwrap(), []);
    server.kill();
    assert!(read().await.expect_err("the server is dead").is_retryable());
    server.restart();
    server.cli(&["XADD", cursors[0].0.as_str(), "*", "v", "1", "data", "x"]);
    assert_eq!(in_the_end(read).await[0].1.len(), 1);
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
    let bodies: Vec<Body> = entries.iter().map(|entry| entry.body.clone()).collect();
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

/// A script is not undone when a command in it is refused.
#[tokio::test]
async fn missing_rights_stop_a_commit_before_its_first_write() {
    let server = RedisServer::start();
    let bus = open(&server);
    let lease = acquired(&bus, &created(&bus).await, 1).await.lease;
    bus.publish(&message("old")).await.unwrap();
    for (user, right) in [("a", "-xadd"), ("b", "-xtrim"), ("c", "-hset"), ("d", "-hdel")] {
        server.cli(&["ACL", "SETUSER", user, "on", "nopass", "~*", "+@all", right]);
        let url = server.url().replace("redis://", &format!("redis://{user}:x@"));
        let mut commit = change(0, "c1");
        commit.delete.push("gone".to_owned());
        commit.trims.push((stream(Topic::OrderCommand), StreamId::MAX));
        let error = RedisBus::open(&url).unwrap().commit(&lease, &commit).await.expect_err(right);
        assert_eq!((error.reason(), error.is_retryable()), ("RedisRefused", false), "{right}");
        assert_eq!(contents(&bus, &stream(Topic::OrderCommand)).await, ["old"], "{right}");
        let record = bus.record(&owner()).await.unwrap().unwrap();
        assert!(record.version == 0 && record.fields.is_empty(), "{right}");
    }
}

/// Numbers that Redis' own options cannot hold must not stop a commit half-way.
#[tokio::test]
async fn extreme_retention_is_no_error() {
    let server = RedisServer::start();
    let bus = open(&server);
    let lease = acquired(&bus, &created(&bus).await, 1).await.lease;
    let extreme = Retention { max_len: Some(u64::MAX), max_age_ms: Some(u64::MAX) };
    let messages = vec![message("m").with_retention(extreme).with_bound(u64::MAX)];
    let outcome = bus.commit(&lease, &Commit { messages, ..change(0, "c1") }).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed { version: 1, .. }), "{outcome:?}");
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
    server.cli(&["-a", "geheim", "ACL", "SETUSER", "named", "on", ">geheim", "~*", "+@all"]);
    let named = RedisBus::open(&format!("{}3", with("geheim").replace("redis://:", "redis://named:"))).unwrap();
    named.publish(&message("x")).await.unwrap();
    assert_eq!(server.cli(&["-a", "geheim", "-n", "3", "DBSIZE"]), "1", "the URL names the database");
}

/// With a password too: it must not look like a wrong one.
#[tokio::test]
async fn too_many_clients_pass_by_themselves() {
    let server = RedisServer::start();
    server.cli(&["CONFIG", "SET", "maxclients", "1", "requirepass", "geheim"]);
    let bus = RedisBus::open(&server.url().replace("redis://", "redis://:geheim@")).unwrap();
    bus.now_ms().await.unwrap();
    let second = RedisBus::open(&server.url().replace("redis://", "redis://:geheim@")).unwrap();
    let error = second.now_ms().await.expect_err("one client is the limit");
    assert_eq!((error.reason(), error.is_retryable()), ("RedisUnavailable", true), "{error:?}");
    drop(bus);
    in_the_end(|| second.now_ms()).await;
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
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let accepted = Arc::clone(&attempts);
    let server = tokio::spawn(async move {
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            accepted.lock().unwrap().push(connection);
        }
    });
    let bus = RedisBus::open(&url).unwrap();
    // However many call at once: they share one attempt.
    let calls = [(); 5].map(|()| {
        let bus = bus.clone();
        tokio::spawn(async move { bus.now_ms().await })
    });
    for call in calls {
        let given_up = tokio::time::timeout(Duration::from_mins(1), call).await.expect("nobody waits for ever");
        let error = given_up.unwrap().expect_err("no answer");
        assert_eq!((error.reason(), error.is_retryable()), ("RedisUnavailable", true));
    }
    server.abort();
    assert_eq!(attempts.lock().unwrap().len(), 1, "all share one attempt");
}

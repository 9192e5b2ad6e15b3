//! Streams: order, cursors, waiting, trimming.

use std::time::{Duration, Instant};

use bus::{Body, Message, MessageBus, Published, Retention, StateStore, StreamId, Topic};

use crate::store::{Store, contents, message, stream, text};

async fn publish(bus: &impl MessageBus, message: &Message) -> StreamId {
    match bus.publish(message).await.unwrap() {
        Published::Appended(id) => id,
        Published::Busy => panic!("busy"),
    }
}

pub async fn entries_keep_their_order(store: &impl Store) {
    let bus = store.bus();
    let mut ids = Vec::new();
    for number in 0..200 {
        ids.push(publish(bus, &message(&number.to_string())).await);
    }
    assert!(ids.is_sorted_by(|a, b| a < b));
    let batch = bus.read(&[(stream(Topic::OrderCommand), StreamId::ZERO)], 1000, None).await.unwrap();
    let [(key, entries)] = batch.as_slice() else { panic!("{batch:?}") };
    assert_eq!(*key, stream(Topic::OrderCommand));
    assert_eq!(entries.iter().map(|entry| entry.id).collect::<Vec<_>>(), ids);
    for (number, entry) in entries.iter().enumerate() {
        assert_eq!(entry.body, Body::Document { version: 1, data: number.to_string().into() });
    }
    assert_eq!(bus.last_id(key).await.unwrap(), ids.last().copied());
}

pub async fn reading_replays_from_a_cursor(store: &impl Store) {
    let bus = store.bus();
    for data in ["a", "b", "c", "d"] {
        publish(bus, &message(data)).await;
    }
    let key = stream(Topic::OrderCommand);
    let first = bus.read(&[(key.clone(), StreamId::ZERO)], 2, None).await.unwrap();
    let cursor = first[0].1[1].id;
    for _ in 0..2 {
        let rest = bus.read(&[(key.clone(), cursor)], 10, None).await.unwrap();
        let rest: Vec<String> = rest[0].1.iter().map(|entry| text(&entry.body)).collect();
        assert_eq!(rest, ["c", "d"]);
    }
    let end = bus.last_id(&key).await.unwrap().unwrap();
    assert_eq!(bus.read(&[(key, end)], 10, None).await.unwrap(), []);
}

pub async fn one_read_covers_several_streams(store: &impl Store) {
    let bus = store.bus();
    let (fills, quiet, alerts) = (stream(Topic::OrderFill), stream(Topic::Report), stream(Topic::RiskAlert));
    publish(bus, &Message::new(alerts.clone(), 1, "alert")).await;
    publish(bus, &Message::new(fills.clone(), 1, "fill")).await;
    let cursors = [(fills.clone(), StreamId::ZERO), (quiet, StreamId::ZERO), (alerts.clone(), StreamId::ZERO)];
    for block in [None, Some(Duration::from_secs(5))] {
        let batch = bus.read(&cursors, 10, block).await.unwrap();
        let found: Vec<_> = batch.iter().map(|(key, entries)| (key, text(&entries[0].body))).collect();
        assert_eq!(found, [(&fills, "fill".to_owned()), (&alerts, "alert".to_owned())]);
    }
}

pub async fn a_blocked_read_wakes_up(store: &impl Store) {
    let bus = store.bus();
    let reader = tokio::spawn({
        let bus = bus.clone();
        async move {
            let cursors = [(stream(Topic::RiskAlert), StreamId::ZERO), (stream(Topic::OrderCommand), StreamId::ZERO)];
            bus.read(&cursors, 10, Some(Duration::from_mins(1))).await
        }
    });
    store.blocked_reader().await;
    assert!(!reader.is_finished());
    let started = Instant::now();
    // Other calls do not wait behind the blocked read.
    bus.now_ms().await.unwrap();
    publish(bus, &message("news")).await;
    let batch = reader.await.unwrap().unwrap();
    assert_eq!(text(&batch[0].1[0].body), "news");
    assert!(started.elapsed() < Duration::from_secs(10));
}

/// Longer than the client library's own time-out of 500 ms.
pub async fn a_blocked_read_ends_empty(store: &impl Store) {
    let block = Duration::from_millis(700);
    let started = Instant::now();
    let cursors = [(stream(Topic::OrderCommand), StreamId::ZERO)];
    assert_eq!(store.bus().read(&cursors, 10, Some(block)).await.unwrap(), []);
    assert!(started.elapsed() >= block);
    let none = store.bus().read(&cursors, 10, Some(Duration::ZERO)).await.unwrap();
    assert_eq!(none, [], "no time is no wait");
    let short = store.bus().read(&cursors, 10, Some(Duration::from_micros(1))).await.unwrap();
    assert_eq!(short, [], "a very short time is not for ever");
}

pub async fn a_dropped_read_loses_nothing(store: &impl Store) {
    let bus = store.bus();
    let cursors = [(stream(Topic::OrderCommand), StreamId::ZERO)];
    for number in 0..5 {
        let read = bus.read(&cursors, 10, Some(Duration::from_mins(1)));
        let waited = tokio::time::timeout(Duration::from_millis(5), read).await;
        assert!(waited.is_err() || number > 0);
        publish(bus, &message(&number.to_string())).await;
    }
    let batch = bus.read(&cursors, 10, Some(Duration::from_mins(1))).await.unwrap();
    let found: Vec<String> = batch[0].1.iter().map(|entry| text(&entry.body)).collect();
    assert_eq!(found, ["0", "1", "2", "3", "4"]);
}

/// On one thread: a reader that always finds something must not starve the rest.
pub async fn a_busy_reader_lets_others_run(store: &impl Store) {
    let bus = store.bus();
    publish(bus, &message("x")).await;
    let other = tokio::spawn(async {});
    let cursors = [(stream(Topic::OrderCommand), StreamId::ZERO)];
    for _ in 0..10_000 {
        if other.is_finished() {
            return;
        }
        bus.read(&cursors, 1, Some(Duration::MAX)).await.unwrap();
    }
    panic!("the other task never ran");
}

pub async fn a_range_includes_both_ends(store: &impl Store) {
    let bus = store.bus();
    let key = stream(Topic::OrderCommand);
    let mut ids = Vec::new();
    for data in ["a", "b", "c", "d"] {
        ids.push(publish(bus, &message(data)).await);
    }
    let range = bus.range(&key, ids[1], ids[2], 10).await.unwrap();
    assert_eq!(range.iter().map(|entry| entry.id).collect::<Vec<_>>(), ids[1..=2]);
    assert_eq!(bus.range(&key, StreamId::ZERO, StreamId::MAX, 3).await.unwrap().len(), 3);
    assert_eq!(bus.range(&key, ids[3].next(), StreamId::MAX, 3).await.unwrap(), []);
    assert_eq!(bus.range(&key, ids[2], ids[1], 3).await.unwrap(), []);
    assert_eq!(bus.range(&stream(Topic::Report), StreamId::ZERO, StreamId::MAX, 3).await.unwrap(), []);
}

pub async fn trimming_keeps_the_last_id(store: &impl Store) {
    let bus = store.bus();
    let key = stream(Topic::OrderCommand);
    assert_eq!(bus.last_id(&key).await.unwrap(), None);
    bus.trim(&key, StreamId::MAX).await.unwrap();
    let mut ids = Vec::new();
    for data in ["a", "b", "c"] {
        ids.push(publish(bus, &message(data)).await);
    }
    bus.trim(&key, ids[1]).await.unwrap();
    assert_eq!(contents(bus, &key).await, ["c"]);
    bus.trim(&key, ids[2]).await.unwrap();
    assert_eq!(contents(bus, &key).await, [""; 0]);
    assert_eq!(bus.last_id(&key).await.unwrap(), Some(ids[2]));
    assert!(publish(bus, &message("d")).await > ids[2]);
}

/// Lengths are approximate: Redis drops whole nodes of 100 entries.
pub async fn retention_drops_the_old_end(store: &impl Store) {
    let bus = store.bus();
    let by_length = Retention { max_len: Some(100), max_age_ms: None };
    for number in 0..1000 {
        publish(bus, &message(&number.to_string()).with_retention(by_length)).await;
    }
    let kept = contents(bus, &stream(Topic::OrderCommand)).await;
    assert!((100..=300).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept.last().map(String::as_str), Some("999"));

    let by_age = Retention { max_len: None, max_age_ms: Some(20) };
    let alerts = stream(Topic::RiskAlert);
    let old: StreamId = {
        let mut last = StreamId::ZERO;
        for _ in 0..300 {
            last = publish(bus, &Message::new(alerts.clone(), 1, "old")).await;
        }
        last
    };
    while bus.now_ms().await.unwrap() <= old.ms + 21 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    publish(bus, &Message::new(alerts.clone(), 1, "new").with_retention(by_age)).await;
    let kept = contents(bus, &alerts).await;
    assert!(kept.len() <= 101, "{}", kept.len());
    assert_eq!(kept.last().map(String::as_str), Some("new"));
}

pub async fn a_bounded_publish_is_busy(store: &impl Store) {
    let bus = store.bus();
    let bounded = message("x").with_bound(2);
    publish(bus, &bounded).await;
    publish(bus, &bounded).await;
    assert_eq!(bus.publish(&bounded).await.unwrap(), Published::Busy);
    publish(bus, &message("y")).await;
    assert_eq!(contents(bus, &stream(Topic::OrderCommand)).await, ["x", "x", "y"]);
}

pub async fn the_clock_is_the_one_of_the_ids(store: &impl Store) {
    let bus = store.bus();
    let before = bus.now_ms().await.unwrap();
    let id = publish(bus, &message("now")).await;
    let after = bus.now_ms().await.unwrap();
    assert!((before..=after).contains(&id.ms), "{before} {id} {after}");
}

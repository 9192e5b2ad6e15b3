//! Each stream at its bound, full of its largest documents, takes no more than is stated.

use bus::{Bounds, Keys, Message, MessageBus, RedisBus, Retention, Scope, StreamKey, Topic};
use tests::redis_server::RedisServer;

/// More than a stream may hold is appended, so that its bound is reached and passed.
async fn filled(bus: &RedisBus, stream: &StreamKey, bounds: Bounds, bytes: u64, retention: Retention) -> u64 {
    let document = "x".repeat(usize::try_from(bytes).unwrap());
    let most = Message::new(stream.clone(), 1, document).with_retention(retention);
    for _ in 0..bounds.entries + bounds.entries / 4 + 8 {
        bus.publish(&most).await.unwrap();
    }
    bounds.memory()
}

#[tokio::test]
async fn each_stream_stays_within_its_stated_size() {
    let server = RedisServer::start();
    let bus = RedisBus::open(&server.url()).unwrap();
    let (keys, account) = (Keys::new("glm").unwrap(), Scope::account("trading", "paper").unwrap());
    // Commands and inboxes are held by their writer, not by a retention: filled to the bound all the same.
    let length = |bounds: Bounds| Retention { max_len: Some(bounds.entries), max_age_ms: None };
    let topics = Topic::ALL.map(|topic| {
        let retention = if topic == Topic::OrderCommand { length(topic.bounds()) } else { topic.retention() };
        (keys.topic(&account, topic), topic.bounds(), retention)
    });
    let others = [
        (keys.market_tick(&account, "BNB/USDT"), Bounds::TICKS, length(Bounds::TICKS)),
        (keys.bars(&account, "BNB/USDT", "4h"), Bounds::BARS, length(Bounds::BARS)),
        (keys.strategy(&account, "grid-1").inbox().clone(), Bounds::INBOX, length(Bounds::INBOX)),
    ];
    let mut sum = 0;
    for (stream, bounds, retention) in topics.into_iter().chain(others) {
        // The largest, and smaller ones: of those more fit a node, which is trimmed only whole.
        for bytes in [bounds.bytes, bounds.bytes * 2 / 3, bounds.bytes / 3] {
            server.cli(&["DEL", stream.as_str()]);
            let stated = filled(&bus, &stream, bounds, bytes, retention).await;
            let taken: u64 = server.cli(&["MEMORY", "USAGE", stream.as_str(), "SAMPLES", "0"]).parse().unwrap();
            println!("{stream} of {bytes} bytes: {taken} of {stated}");
            assert!(taken <= stated, "{stream} of {bytes} bytes takes {taken}, stated are {stated}");
            // An inbox is empty while its reader runs, and only some strategies look back on bars.
            if bytes == bounds.bytes && bounds != Bounds::INBOX && bounds != Bounds::BARS {
                sum += taken;
            }
        }
    }
    let stated = bus::account_memory(1);
    assert!(sum <= stated, "an account takes {sum}, stated are {stated}");
}

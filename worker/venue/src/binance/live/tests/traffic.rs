//! What the machine counts.

use std::time::Duration;

use engine::time::Timestamp;

use super::super::faults::Failure;
use super::stage::{Stage, book, trade};
use crate::live::{Counts, LinkFault, Traffic};

fn traffic(stage: &Stage) -> Traffic {
    stage.machine.traffic(stage.now)
}

fn counts<const N: usize>(counts: [(&'static str, u64); N]) -> Counts {
    counts.into()
}

#[test]
fn messages_are_counted_by_stream_and_those_that_do_not_read_by_what_is_wrong() {
    let mut stage = Stage::following(1, &["BTC/USDT"]);
    let connection = stage.newest();
    let before = traffic(&stage);
    assert_eq!((before.frames, before.malformed), (counts([("other", 1)]), counts([])), "one answer");
    assert!(before.sent >= 1 && before.bytes > 0);
    let texts = [
        book(1, "61837.63", "61837.64"),
        trade(1),
        trade(2),
        book(2, "61838", "61837"),
        "{".to_owned(),
        trade(3).replace("btcusdt", "xrpusdt").replace("BTCUSDT", "XRPUSDT"),
        trade(4).replace("\"p\":\"", "\"p\":\"x"),
    ];
    for text in &texts {
        stage.frame(connection, text);
    }
    let clocks = stage.clocks();
    stage.machine.binary(connection, 7, clocks);
    let now = traffic(&stage);
    assert_eq!(now.frames, counts([("bookTicker", 2), ("other", 1), ("trade", 3), ("unread", 3)]));
    assert_eq!(now.malformed, counts([("binary", 1), ("field", 1), ("json", 1), ("market", 1), ("quote", 1)]));
    let bytes: usize = texts.iter().map(String::len).sum();
    assert_eq!(now.bytes - before.bytes, bytes as u64 + 7);
}

#[test]
fn a_connection_that_ends_is_counted_by_why() {
    let mut stage = Stage::following(2, &["BTC/USDT"]);
    let connection = stage.newest();
    stage.breaks(connection);
    stage.run(5_000);
    assert_eq!(traffic(&stage).reconnects, counts([("Disconnect", 1)]));
    stage.answers = false;
    stage.run(31_000);
    assert_eq!(traffic(&stage).reconnects.get("Stale"), Some(&1));
    stage.answers = true;
    stage.run(40_000);
    let day = 24 * 3_600_000;
    stage.run(day);
    assert_eq!(traffic(&stage).reconnects.get("Retired"), Some(&1));
    stage.machine.suspended(5_000);
    stage.run(5_000);
    assert_eq!(traffic(&stage).reconnects.get("Suspend"), Some(&1));
}

#[test]
fn the_age_is_that_of_the_quietest_connection_and_a_ban_has_an_end() {
    let mut stage = Stage::new(3);
    assert_eq!((traffic(&stage).frame_age, traffic(&stage).banned_until), (None, None));
    stage.follow(&["BTC/USDT"], None);
    stage.run(2_000);
    let connection = stage.newest();
    stage.frame(connection, &trade(1));
    let heard = stage.now;
    stage.run(3_000);
    assert_eq!(traffic(&stage).frame_age, Some(Duration::from_millis(stage.now - heard)));
    let until = Timestamp::from_millis(stage.wall().millis() + 90_000);
    let banned = LinkFault::Banned { until: Some(until), message: "418".to_owned() };
    stage.machine.rules_failed(&Failure { fault: banned, hold_millis: Some(90_000) }, stage.now);
    assert_eq!(traffic(&stage).banned_until, Some(until));
    stage.run(90_000);
    assert_eq!(traffic(&stage).banned_until, None);
}

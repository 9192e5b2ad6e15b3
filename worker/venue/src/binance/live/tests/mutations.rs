//! Frames of a recording that were changed on their way, by the ten thousand: none stops the machine, each that does not read is
//! counted, and but for the count all is as if it had not come.

use engine::messages::Tick;
use engine::time::Timestamp;
use fastrand::Rng;
use serde_json::Value;

use super::recording::{Recording, SPOT, USD_MARGINED, assert_same};
use super::stage::Stage;
use crate::binance::stream::{Aggregate, StreamEvent, parse};
use crate::live::News;

/// Changed frames in a run, unless `MUTATIONS` says how many.
const MUTATIONS: u64 = 100_000;
/// Changed frames of one machine's life.
const OF_A_LIFE: u64 = 200;
/// Frames of the recording that may be changed: behind them enough trades follow that a wrong id is found to be one.
const CHANGED: usize = 150;
/// What a digit, a name, a bracket may have become.
const PARTS: [&str; 16] =
    ["", "\"", "\\", ",", ":", "{", "}", "null", "-", "0", "9", ".", "e", "\"s\":\"X\",", "币", "@trade"];

/// The text with a part of it cut out, doubled, replaced, or all of it behind some byte gone or another frame's.
fn mutated(frame: &str, other: &str, random: &mut Rng) -> String {
    let place = |text: &str, at: usize| (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let at = place(frame, random.usize(0..=frame.len()));
    let end = place(frame, (at + random.usize(1..12)).min(frame.len())).max(at);
    let (head, part, tail) = (&frame[..at], &frame[at..end], &frame[end..]);
    match random.u8(0..6) {
        0 => head.to_owned(),
        1 => [head, &other[place(other, random.usize(0..=other.len()))..]].concat(),
        2 => [head, part, part, tail].concat(),
        3 => [head, tail].concat(),
        4 => [head, PARTS[random.usize(0..PARTS.len())], tail].concat(),
        _ => {
            let digit = char::from(random.u8(b'0'..=b'9')).to_string();
            let next = frame[at..].find(|character: char| character.is_ascii_digit()).map_or(at, |next| at + next);
            [&frame[..next], &digit, frame.get(next + 1..).unwrap_or("")].concat()
        }
    }
}

/// Whether the frame says nothing that the venue says.
fn does_not_read(frame: &str) -> bool {
    let far = |event: Timestamp, time: Timestamp| event.millis().abs_diff(time.millis()) > 60_000;
    match parse(frame) {
        Err(_) | Ok(StreamEvent::Raw { .. }) => true,
        Ok(StreamEvent::Trade(trade) | StreamEvent::Aggregate(Aggregate { trade, .. })) => {
            trade.symbol != "BTCUSDT" || trade.event_time.is_some_and(|event| far(event, trade.time))
        }
        Ok(StreamEvent::BookTicker(book)) => {
            book.symbol != "BTCUSDT" || book.bid.zip(book.ask).is_some_and(|(bid, ask)| bid > ask)
        }
        Ok(StreamEvent::OffMarketTrade { .. } | StreamEvent::MarkPrice(_)) => false,
        // Of other streams nothing is wanted; snapshots of the book stand in recordings.
        Ok(StreamEvent::Other) => {
            !frame.contains("\"stream\"")
                && serde_json::from_str::<Value>(frame).is_ok_and(|said| said.get("lastUpdateId").is_none())
        }
    }
}

/// What one life is given: frames of the recording, changed ones among them or in place of them.
fn life(recording: &[(i64, String)], random: &mut Rng) -> Vec<(i64, String)> {
    let mut places: Vec<(usize, bool)> = (0..OF_A_LIFE).map(|_| (random.usize(0..CHANGED), random.bool())).collect();
    places.sort_unstable();
    let mut given = Vec::new();
    for (index, (stamp, frame)) in recording.iter().enumerate() {
        let here = places.iter().filter(|(at, _)| *at == index);
        let mut is_there = true;
        for (_, replaces) in here {
            let (_, other) = &recording[random.usize(0..CHANGED)];
            given.push((*stamp, mutated(frame, other, random)));
            is_there &= !replaces;
        }
        if is_there {
            given.push((*stamp, frame.clone()));
        }
    }
    given
}

/// A machine that was given these frames, and how many of them it has counted as malformed.
fn lived<'a>(mut stage: Stage, given: impl Iterator<Item = &'a (i64, String)>) -> (Stage, u64) {
    let connection = stage.newest();
    for (nanos, frame) in given {
        stage.machine.frame(connection, frame, Timestamp::from_millis(nanos / 1_000_000), stage.now);
    }
    stage.step();
    let counts = stage.news.iter().map(|news| if let News::Malformed { count, .. } = news { *count } else { 0 });
    let count = counts.sum();
    (stage, count)
}

/// Lives of this part of all changed frames, on machines that stand ready for them.
fn lives(recording: &[(i64, String)], ticks: &[Tick], part: u64, stage: impl Fn() -> Stage) {
    let count = std::env::var("MUTATIONS").map_or(MUTATIONS, |count| count.parse().expect("MUTATIONS: a number"));
    let count = count / part;
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("SEED: a number"));
    println!("seed {seed}");
    let (mut random, mut given, mut refused) = (Rng::with_seed(seed), 0, 0);
    while given < count {
        let frames = life(recording, &mut random);
        let read: Vec<_> = frames.iter().filter(|(_, frame)| !does_not_read(frame)).collect();
        let (with, counted) = lived(stage(), frames.iter());
        let (without, none) = lived(stage(), read.iter().copied());
        let dropped = (frames.len() - read.len()) as u64;
        assert_eq!((counted, none), (dropped, 0), "life {}", given / OF_A_LIFE);
        assert_eq!(with.trades(), without.trades(), "life {}", given / OF_A_LIFE);
        let missed = |stage: &Stage| stage.holes().into_iter().map(|(_, missed)| missed).collect::<Vec<_>>();
        assert_eq!(missed(&with), missed(&without), "life {}", given / OF_A_LIFE);
        // What did read and was wrong is caught up with.
        let trades = with.trades();
        assert_same(&trades[trades.len() - 3..], &ticks[ticks.len() - 3..]);
        given += OF_A_LIFE;
        refused += dropped;
    }
    println!("{given} changed frames, {refused} of them refused and counted");
    assert!(refused > given / 2 && refused < given, "{refused} of {given}");
}

/// The frames, and once more behind them: so many trades must follow a wrong id that it is found to be one.
fn twice(recording: Recording) -> Vec<(i64, String)> {
    const MILLIS: u64 = 10_000;
    let later = |frame: &String| {
        let mut value: Value = serde_json::from_str(frame).unwrap();
        let data = &mut value["data"];
        for (field, more) in [("t", recording.trades as u64), ("u", 1_000_000_000), ("T", MILLIS), ("E", MILLIS)] {
            if let Some(number) = data[field].as_u64() {
                data[field] = (number + more).into();
            }
        }
        // As the exchange writes it: the stream's name first.
        format!(r#"{{"stream":{},"data":{}}}"#, value["stream"], value["data"])
    };
    let frames = recording.frames();
    let of_streams = frames.iter().filter(|(_, frame)| frame.starts_with("{\"stream\""));
    let again = of_streams.map(|(nanos, frame)| (nanos + 10_000_000_000, later(frame)));
    frames.iter().cloned().chain(again).collect()
}

fn ticks_of(recording: Recording, frames: &[(i64, String)]) -> Vec<Tick> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("frames.txt");
    let lines: Vec<String> = frames.iter().map(|(nanos, frame)| format!("{nanos} {frame}")).collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    recording.replayed(file)
}

#[test]
fn mutated_frames_are_counted_and_change_nothing() {
    lives(&SPOT.frames(), &SPOT.ticks(), 1, || SPOT.stage());
}

#[test]
fn mutated_frames_of_futures_are_counted_and_change_nothing() {
    let frames = twice(USD_MARGINED);
    lives(&frames, &ticks_of(USD_MARGINED, &frames), 1, || USD_MARGINED.stage());
}

#[test]
fn mutated_frames_of_aggregates_are_counted_and_change_nothing() {
    let frames = twice(USD_MARGINED);
    // A quarter: but for what trades are taken from, they are those of futures.
    lives(&aggregated(&frames), &ticks_of(USD_MARGINED, &frames), 4, || {
        let mut stage = USD_MARGINED.stage();
        stage.settle_on_aggregates();
        stage
    });
}

/// The same with each trade as an aggregate of its own.
pub fn aggregated(frames: &[(i64, String)]) -> Vec<(i64, String)> {
    let aggregate = |frame: &String| {
        let Ok(StreamEvent::Trade(trade)) = parse(frame) else { return frame.clone() };
        let (id, time, event) = (trade.id, trade.time.millis(), trade.event_time.unwrap().millis());
        format!(
            r#"{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":{event},"s":"BTCUSDT","a":{},"p":"{}","q":"{}","f":{id},"l":{id},"T":{time},"m":{}}}}}"#,
            id - 5_000_000_000,
            trade.price,
            trade.quantity,
            trade.buyer_is_maker
        )
    };
    frames.iter().map(|(nanos, frame)| (*nanos, aggregate(frame))).collect()
}

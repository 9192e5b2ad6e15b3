//! A replay's data that are large, replaced or cut, and readers that do not read.

use std::{fs, io::Write as _, time::Duration};

use flate2::{Compression, write::GzEncoder};
use tests::roles::{DEADLINE, Stage, Wave, manifest, strategy, until, wave};

use crate::scenes::{LONG, PACED, REFUSED, prices, stage};

const SOON: Duration = Duration::from_secs(20);

/// Two hundred million ticks, packed: minutes of reading, in a few megabytes.
fn endless() -> Vec<u8> {
    let pack = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    [pack("time,price\n"), pack(&"1700000000000,600\n".repeat(10_000)).repeat(20_000)].concat()
}

#[test]
fn while_it_reads_a_large_file_it_answers_and_obeys() {
    let mut stage = stage(100);
    fs::write(stage.scene.data(), endless()).unwrap();
    for signal in ["TERM", "INT"] {
        stage.start_role("feed");
        let feed = stage.actor("feed").process.take().unwrap();
        let text = feed.not_ready("Starting: reading");
        assert!(text.contains("data.csv through"), "{text}");
        feed.signal(signal);
        assert_eq!(feed.exit_code_within(SOON), 0, "{}", feed.log());
    }
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let mut stage = stage(100);
    fs::remove_file(stage.scene.data()).unwrap();
    let made = std::process::Command::new("mkfifo").arg(stage.scene.data()).status();
    assert!(made.unwrap().success());
    feed_refuses(&mut stage, &["data.csv: is a pipe"]);
}

/// Stops every role in the middle.
fn in_the_middle(stage: &mut Stage) {
    stage.start(PACED);
    stage.wait_for_ticks(500);
    stage.stop();
    assert!(stage.progress() < stage.total, "it was in the middle");
}

fn feed_refuses(stage: &mut Stage, words: &[&str]) {
    stage.start_role("feed");
    let feed = stage.actor("feed").process.take().unwrap();
    assert_eq!(feed.exit_code_within(SOON), REFUSED, "{}", feed.log());
    for word in words {
        assert!(feed.log().contains(word), "{word:?} is said: {}", feed.log());
    }
}

#[test]
fn a_file_that_was_replaced_is_refused_until_it_is_back() {
    let mut stage = stage(LONG);
    in_the_middle(&mut stage);
    let other = wave(Wave { ticks: LONG, period: 120, noise_cents: 60, seed: 12 });
    fs::write(stage.scene.data(), other).unwrap();
    feed_refuses(&mut stage, &["data.csv: is not the file that this replay began with", "12000 ticks", "--new-ledger"]);
    fs::write(stage.scene.data(), prices(100)).unwrap();
    feed_refuses(
        &mut stage,
        &["data.csv: is not the file that this replay began with", "100 ticks", "put the file back"],
    );

    fs::write(stage.scene.data(), prices(LONG)).unwrap();
    stage.start(None);
    stage.finish();
    stage.audit().unwrap();
}

/// A record of a release that did not keep what the data were.
#[test]
fn a_position_past_the_end_is_refused_and_one_within_goes_on() {
    let mut stage = stage(LONG);
    in_the_middle(&mut stage);
    stage.store.ask(&["HDEL", &Stage::record("feed"), "field:data"]);
    fs::write(stage.scene.data(), prices(100)).unwrap();
    feed_refuses(&mut stage, &["data.csv: has 100 ticks, but the replay stands before tick ", "put the file back"]);

    fs::write(stage.scene.data(), prices(LONG)).unwrap();
    stage.start(None);
    stage.finish();
    stage.audit().unwrap();
    assert!(stage.store.field(&Stage::record("feed"), "field:data").is_some(), "it is kept from now on");
}

#[test]
fn a_position_that_does_not_read_is_no_start() {
    let mut stage = stage(LONG);
    in_the_middle(&mut stage);
    let feed = Stage::record("feed");
    let before = stage.store.field(&feed, "field:next").unwrap();
    for next in ["many", "18446744073709551615"] {
        stage.store.ask(&["HSET", &feed, "field:next", next]);
        feed_refuses(&mut stage, &["field next", next]);
    }
    stage.store.ask(&["HSET", &feed, "field:next", &before]);
    stage.start(None);
    stage.finish();
    stage.audit().unwrap();
}

/// A position is any number that stands in a record.
#[test]
fn a_reader_at_the_last_of_all_numbers_holds_nobody_up() {
    let mut stage = stage(3_000);
    stage.start_role("strategy");
    stage.actor("strategy").process().ready();
    let strategy = stage.actor("strategy").process.take().unwrap();
    strategy.kill();
    stage.store.ask(&["HSET", &Stage::record("strategy-grid-1"), "field:position", &u64::MAX.to_string()]);
    stage.start_role("feed");
    until("all ticks to be out", DEADLINE, || {
        let next = stage.store.field(&Stage::record("feed"), "field:next");
        (next.as_deref() == Some("3000")).then_some(())
    });
}

#[test]
fn it_says_whom_it_waits_for() {
    let both = manifest("data.csv", 0, &[strategy("grid-1", "1"), strategy("grid-2", "2")]);
    let mut stage = Stage::new(tests::roles::Scene::new(&both, &prices(LONG)), &[]);
    for actor in &mut stage.actors {
        actor.launch = actor.launch.with_admin();
    }
    let dead = stage.actors.iter().position(|actor| actor.launch.owner() == "strategy-grid-2").unwrap();
    let waits_for = |stage: &mut Stage| stage.store.field(&Stage::record("feed"), "field:waitsFor");

    // Before the first tick.
    for index in 0..stage.actors.len() {
        if index != dead {
            stage.actors[index].start(&stage.scene);
        }
    }
    stage.actor("feed").process().says("the feed waits for strategy-grid-2, which has stood before the first tick");
    assert_eq!(waits_for(&mut stage).as_deref(), Some("strategy-grid-2"));
    stage.actors[dead].start(&stage.scene);
    stage.actor("feed").process().says("the feed waits for strategy-grid-2 no longer");

    // In the middle.
    stage.wait_for_ticks(500);
    stage.actors[dead].process().kill();
    stage.actor("feed").process().says("the feed waits for strategy-grid-2, which has stood at tick ");
    let (ready, text) = stage.actor("feed").process().readiness();
    assert!(ready && text.starts_with("ready; waits for strategy-grid-2"), "the feed itself is well: {text}");
    assert_eq!(waits_for(&mut stage).as_deref(), Some("strategy-grid-2"));
    stage.actors[dead].start(&stage.scene);
    until("nobody is waited for", DEADLINE, || waits_for(&mut stage).is_none().then_some(()));
    stage.finish();
    stage.audit().unwrap();
}

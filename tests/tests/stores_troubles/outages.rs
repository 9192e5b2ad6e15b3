//! Redis absent, gone for a while, read-only, full, or set to evict: every role says so, waits without using the
//! processor, and goes on by itself once it is mended.

use std::{thread, time::Duration};

use tests::{
    proxy::Phase,
    roles::{DEADLINE, Stage},
};

use crate::scenes::{LONG, PACED, scene, stage};

/// How long an outage lasts.
const OUTAGE: Duration = Duration::from_secs(3);
/// What a process may compute in that time: it waits, it does not turn in circles.
const IDLE_CPU: Duration = Duration::from_millis(300);
/// How often that is measured at most: who turns in circles is never idle, but whoever was told late of the outage may
/// have something to do still.
const IDLE_WINDOWS: usize = 3;

/// Every role says the reason, nobody trades, and nobody computes.
fn all_wait_for(stage: &mut Stage, reason: &str, remedy: &str) {
    for actor in &stage.actors {
        let text = actor.process().not_ready(reason);
        assert!(text.contains(remedy), "{text}");
        // What is told goes out on a thread of its own: the log may be a moment behind.
        actor.process().says(reason);
    }
    nobody_computes(stage);
}

/// Every process lives, and waits without turning in circles.
fn nobody_computes(stage: &Stage) {
    let mut busy = Vec::new();
    for _ in 0..IDLE_WINDOWS {
        busy = busy_in_an_outage(stage);
        if busy.is_empty() {
            return;
        }
    }
    panic!("never idle in {IDLE_WINDOWS} times {OUTAGE:?}: {busy:?}");
}

/// Who computed more than one who waits, and how much.
fn busy_in_an_outage(stage: &Stage) -> Vec<(String, Duration)> {
    let before: Vec<_> = stage.actors.iter().map(|actor| actor.process().cpu_time()).collect();
    // The time itself is the subject: processor time is measured over it.
    thread::sleep(OUTAGE);
    let mut busy = Vec::new();
    for (actor, before) in stage.actors.iter().zip(before) {
        assert_eq!(actor.process().ended(), None, "{} waits", actor.launch.owner());
        let used = actor.process().cpu_time().saturating_sub(before);
        if used >= IDLE_CPU {
            busy.push((actor.launch.owner(), used));
        }
    }
    busy
}

/// As [`all_go_on`], on long data: first each by itself at its pace, then quickly to the end.
fn all_go_on_at_their_pace(stage: &mut Stage) {
    for actor in &stage.actors {
        actor.process().ready();
    }
    stage.wait_for_more_ticks(300);
    stage.hurry();
    all_go_on(stage);
}

fn all_go_on(stage: &mut Stage) {
    for actor in &stage.actors {
        actor.process().ready();
    }
    stage.finish();
    stage.audit().unwrap();
}

#[test]
fn absent_at_the_start() {
    let mut stage = stage(1_500);
    stage.redis.kill();
    stage.start(None);
    all_wait_for(&mut stage, "RedisUnavailable", "it cannot be reached");
    stage.redis.restart();
    all_go_on(&mut stage);
}

#[test]
fn gone_for_some_seconds() {
    let mut stage = stage(LONG);
    stage.start(PACED);
    stage.wait_for_ticks(500);
    stage.redis.kill();
    all_wait_for(&mut stage, "RedisUnavailable", "it cannot be reached");
    stage.redis.restart();
    assert!(stage.progress() >= 500, "Redis has kept what it had confirmed");
    all_go_on_at_their_pace(&mut stage);
}

/// Killed again and again while roles commit: no confirmed commit is lost, no repeated one is done twice.
#[test]
fn killed_ten_times() {
    let mut stage = stage(LONG);
    stage.start(PACED);
    for _ in 1..=10 {
        stage.wait_for_more_ticks(150);
        stage.redis.kill();
        stage.redis.restart();
    }
    all_go_on_at_their_pace(&mut stage);
}

/// The line is cut while the process lives: before its commit arrives, or after it is done but not yet told.
#[test]
fn answers_lost_on_the_way() {
    let mut stage = stage(LONG);
    stage.start(PACED);
    for phase in [Phase::BeforeCommit, Phase::InCommit].into_iter().cycle().take(10) {
        stage.wait_for_more_ticks(100);
        for actor in &stage.actors {
            actor.proxy.arm(phase, 1, || ());
        }
        for actor in &stage.actors {
            assert!(actor.proxy.wait_until_sprung(DEADLINE), "{} commits", actor.launch.owner());
            assert_eq!(actor.process().ended(), None, "{} lives", actor.launch.owner());
        }
    }
    all_go_on_at_their_pace(&mut stage);
}

#[test]
fn read_only_for_some_seconds() {
    let mut stage = stage(LONG);
    stage.start(PACED);
    stage.wait_for_ticks(400);
    // A replica of nobody: it answers reads and refuses writes.
    stage.store.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    // Who only reads for the moment does not meet it; the feed commits all the time.
    let feed = stage.actor("feed").process().not_ready("RedisReadOnly");
    assert!(feed.contains("it takes no writes now"), "{feed}");
    let taken = stage.progress();
    nobody_computes(&stage);
    assert_eq!(stage.progress(), taken, "nothing is stored in a replica");
    stage.store.ask(&["REPLICAOF", "NO", "ONE"]);
    all_go_on_at_their_pace(&mut stage);
}

#[test]
fn memory_full_for_some_seconds() {
    let mut stage = stage(LONG);
    stage.start(PACED);
    stage.wait_for_ticks(400);
    stage.store.ask(&["CONFIG", "SET", "maxmemory", "1mb"]);
    let feed = stage.actor("feed").process().not_ready("RedisMemoryFull");
    assert!(feed.contains("raise maxmemory"), "{feed}");
    nobody_computes(&stage);
    stage.store.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    all_go_on_at_their_pace(&mut stage);
}

#[test]
fn a_policy_that_evicts() {
    let mut stage = stage(1_500);
    stage.store.ask(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    stage.start(None);
    all_wait_for(&mut stage, "StoreUnfit", "CONFIG SET maxmemory-policy noeviction");
    assert_eq!(stage.progress(), 0, "nobody trades on a store that may forget");
    stage.store.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    all_go_on(&mut stage);
}

/// A replica at the start is refused with the remedy, and taken once it is a primary.
#[test]
fn a_replica_at_the_start() {
    let mut stage = stage(1_500);
    stage.store.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    stage.start(None);
    all_wait_for(&mut stage, "StoreUnfit", "give the address of the primary");
    stage.store.ask(&["REPLICAOF", "NO", "ONE"]);
    all_go_on(&mut stage);
}

/// No append-only file is a warning on paper, told once by each role.
#[test]
fn no_append_only_file() {
    let mut stage = Stage::new(scene(600), &[]);
    stage.start(None);
    stage.wait_for_end();
    for actor in &stage.actors {
        actor.process().says("CONFIG SET appendonly yes");
    }
    stage.finish();
    stage.audit().unwrap();
}

/// What is wrong for good is no outage: a wrong password ends the process with what to check.
#[test]
fn a_wrong_password() {
    let mut stage = Stage::new(scene(100), &[]);
    stage.store.ask(&["CONFIG", "SET", "requirepass", "right"]);
    let url = stage.redis.url().replace("redis://", "redis://:wrong@");
    for actor in &stage.actors {
        let process = stage.scene.start(&actor.launch.with("--redis", &url));
        assert_eq!(process.exit_code(), crate::scenes::REFUSED, "{}", process.log());
        assert!(process.log().contains("check password and rights in the Redis URL"), "{}", process.log());
        assert!(!process.log().contains("wrong@"), "no password in a log: {}", process.log());
    }
}

//! A strategy that is a process: worker and child are killed at any moment, and how much is told at once is another one each
//! time. The result stays that of `backtest`. Where the child alone ends, nothing more is traded.

use std::process::Command;

use engine::testkit::quoting::{Chance, Market};
use serde_json::Value;
use tests::roles::{DEADLINE, Scene, Stage, manifest, process, until};

use crate::kills::{Replay, play};

/// It depends on every tick, and places, cancels and replaces.
const QUOTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/processes/quoter.py");
/// Seeds that once failed: always run first, with few kills.
const KEPT_SEEDS: &[u64] = &[];

fn text(seed: u64, latency_ms: u32) -> String {
    manifest("data.csv", latency_ms, &[process("quoter", QUOTER, &format!("{{seed: {}}}", seed % 80_000))])
}

fn quoters(seed: u64, ticks: u64, latency_ms: u32) -> Scene {
    Scene::new(&text(seed, latency_ms), &Market::of(seed, ticks).csv())
}

fn replays(kills: usize) -> Vec<Replay> {
    vec![
        ("a process", |seed| quoters(seed, 500, 0), None, kills / 2),
        ("a process with latency", |seed| quoters(seed, 500, 1_500), None, kills - kills / 2),
    ]
}

#[test]
fn thirty_kills_change_nothing_of_a_process() {
    let (_, results) = play(KEPT_SEEDS, 4, replays, 30);
    assert!(results.iter().all(|result| trades_of(result) >= 20), "{results:?}");
}

fn trades_of(result: &str) -> usize {
    let result: Value = serde_json::from_str(result).unwrap();
    result["trades"].as_array().unwrap().len()
}

/// Ends processes at once.
fn kill(processes: &[u32]) {
    let ids: Vec<_> = processes.iter().map(ToString::to_string).collect();
    assert!(Command::new("kill").arg("-9").args(ids).status().unwrap().success());
}

fn kill_worker_and_child(stage: &mut Stage) {
    let worker = stage.actor("strategy").process();
    // It must not see how its child ends.
    worker.signal("STOP");
    let children = worker.children();
    assert_eq!(children.len(), 1);
    kill(&children);
    worker.kill();
}

/// Its child is told at most so many ticks at once.
fn start_next_worker(stage: &mut Stage, batch: u64) {
    let scene = &stage.scene;
    let actor = stage.actors.iter_mut().find(|actor| actor.launch.role() == "strategy").unwrap();
    actor.launch = actor.launch.at_epoch(actor.launch.epoch() + 1);
    actor.process = Some(scene.start_after(&format!("export GLM_PROCESS_BATCH={batch}"), &actor.launch));
}

#[test]
fn a_child_that_is_killed_with_its_worker_changes_nothing_whatever_is_told_at_once() {
    let seed = 7;
    println!("seed {seed}");
    let mut chance = Chance::of(seed);
    for latency_ms in [0, 1_500] {
        let mut stage = Stage::new(quoters(seed, 900, latency_ms), &[]);
        stage.start(Some(200));
        for _ in 0..6 {
            stage.wait_for_more_ticks(60);
            kill_worker_and_child(&mut stage);
            start_next_worker(&mut stage, 1 + chance.below(40));
        }
        stage.hurry();
        stage.finish();
        stage.audit().unwrap();
    }
}

/// Redis too is killed, and every other time worker and child with it: each hash that the store gives at the end is that of
/// `backtest`.
#[test]
fn each_hash_is_that_of_backtest_though_redis_worker_and_child_are_killed() {
    let mut stage = Stage::new(quoters(11, 900, 0), &["--appendonly", "yes", "--appendfsync", "always"]);
    stage.start(Some(200));
    for batch in [7, 1, 23, 2, 40, 3] {
        stage.wait_for_more_ticks(60);
        stage.redis.kill();
        if batch % 2 == 1 {
            kill_worker_and_child(&mut stage);
        }
        stage.redis.restart();
        if batch % 2 == 1 {
            start_next_worker(&mut stage, batch);
        }
    }
    // A feed that is asked to stop while Redis is away ends with 1.
    stage.wait_for_more_ticks(60);
    stage.hurry();
    stage.finish();
    let [shown, told] = [stage.scene.show(&stage.redis.url()).unwrap(), stage.scene.backtest()].map(|result| {
        let hashes = &serde_json::from_str::<Value>(&result).unwrap()["hashes"];
        let hashes =
            hashes.as_object().unwrap().iter().map(|(name, hash)| (name.clone(), hash.as_str().unwrap().to_owned()));
        hashes.collect::<Vec<_>>()
    });
    let names: Vec<_> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["data", "parameters", "program", "trades"]);
    assert!(
        told.iter().all(|(_, hash)| hash.len() == 64 && hash.bytes().all(|letter| letter.is_ascii_hexdigit())),
        "{told:?}"
    );
    assert_eq!(shown, told);
    stage.audit().unwrap();
}

/// A restart asks it no more; other parameters do.
#[test]
fn a_child_that_is_killed_alone_halts_until_it_is_another_one() {
    let mut stage = Stage::new(quoters(3, 4_000, 0), &[]);
    stage.start(Some(200));
    stage.wait_for_ticks(200);
    kill(&stage.actor("strategy").process().children());
    let record = Stage::record("strategy-quoter");
    let phase = |stage: &mut Stage| -> Value {
        let phase = stage.store.field(&record, "field:phase").unwrap_or_default();
        serde_json::from_str(&phase).unwrap_or_default()
    };
    until("the halt", DEADLINE, || (phase(&mut stage)["reason"] == "StrategyCrashed").then_some(()));
    let report = |stage: &mut Stage| -> Value {
        serde_json::from_str(&stage.store.field(&record, "field:report").unwrap_or_default()).unwrap_or_default()
    };
    until("all orders to be cancelled", DEADLINE, || {
        let report = report(&mut stage);
        (report["orders"]["open"] == 0 && report["risk"]["reason"] == "StrategyCrashed").then_some(())
    });
    // It goes on with its ticks, and a restart changes nothing.
    stage.wait_for_more_ticks(100);
    let restart = |stage: &mut Stage, seed: u64| {
        stage.actor("strategy").process.take().unwrap().stop();
        let scene = &stage.scene;
        let actor = stage.actors.iter_mut().find(|actor| actor.launch.role() == "strategy").unwrap();
        let mut spec: Value = serde_json::from_str(&actor.launch.option("--spec")).unwrap();
        spec["spec"]["strategy"]["process"]["parameters"]["seed"] = seed.into();
        let epoch = actor.launch.epoch() + 1;
        // Newer than its register, which else counts.
        spec["generation"] = epoch.into();
        actor.launch = actor.launch.with("--spec", &spec.to_string()).at_epoch(epoch);
        actor.start(scene);
    };
    restart(&mut stage, 3);
    stage.wait_for_more_ticks(100);
    assert_eq!(phase(&mut stage)["reason"], "StrategyCrashed");
    assert!(stage.actor("strategy").process().children().is_empty());
    restart(&mut stage, 4);
    until("it to trade again", DEADLINE, || (phase(&mut stage)["reason"] == "Trading").then_some(()));
    let filled = report(&mut stage)["orders"]["filled"].as_u64().unwrap();
    until("another trade", DEADLINE, || {
        (report(&mut stage)["orders"]["filled"].as_u64().unwrap_or_default() > filled).then_some(())
    });
    assert_eq!(report(&mut stage)["risk"]["state"], "AllowAll");
    stage.stop();
}

/// The worker that runs follows, with a child of its own; so does one whose child has failed, which is released by it.
#[test]
fn an_edit_is_followed_by_the_worker_that_runs_with_another_child() {
    const OWNER: &str = "strategy-quoter";
    let mut stage = Stage::new(quoters(3, 4_000, 0), &[]);
    stage.start(Some(200));
    stage.wait_for_ticks(200);
    let worker = stage.actor("strategy").process().id();
    let phase = |stage: &mut Stage| -> Value {
        let phase = stage.store.field(&Stage::record(OWNER), "field:phase").unwrap_or_default();
        serde_json::from_str(&phase).unwrap_or_default()
    };
    for (generation, fails) in [(2, false), (3, true)] {
        let before = stage.actor("strategy").process().children();
        assert_eq!(before.len(), 1);
        if fails {
            kill(&before);
            until("the halt", DEADLINE, || (phase(&mut stage)["reason"] == "StrategyCrashed").then_some(()));
        }
        let edited = stage.scene.other_manifest("edited.yaml", &text(3 + generation, 0));
        stage.scene.create(&edited, &stage.redis.url());
        stage.store.add(&Stage::topic(&format!("inbox:{OWNER}")), r#"{"kind":"Control"}"#);
        until("another child", DEADLINE, || {
            let now = stage.actor("strategy").process().children();
            (now.len() == 1 && now != before && phase(&mut stage)["reason"] == "Trading").then_some(())
        });
        assert_eq!(stage.actor("strategy").process().id(), worker, "it is the same process");
        stage.wait_for_more_ticks(100);
    }
    stage.stop();
    stage.audit_orders().unwrap();
}

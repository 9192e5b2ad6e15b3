//! A strategy that quotes both sides, cancels and replaces at random: its orders rest while processes are killed, frozen
//! and replaced. The result stays that of `backtest`.

use std::collections::BTreeMap;

use serde_json::Value;
use tests::roles::{Scene, Stage, manifest, quoter};

use crate::kills::{Replay, play};

use engine::testkit::quoting::Market;

/// The worker that has the quoter.
const PROGRAM: &str = env!("CARGO_BIN_EXE_testkit-worker");
/// Seeds that once failed: always run first, with few kills.
const KEPT_SEEDS: &[u64] = &[];

/// So many quoters on one account.
fn quoters(seed: u64, count: u64, ticks: u64, latency_ms: u32) -> Scene {
    // The parameter that carries the seed is bounded.
    let strategies: Vec<_> = (1..=count).map(|n| quoter(&format!("quoter-{n}"), (seed + 7 * n) % 80_000)).collect();
    Scene::new(&manifest("data.csv", latency_ms, &strategies), &Market::of(seed, ticks).csv()).run_by(PROGRAM)
}

fn replays(kills: usize) -> Vec<Replay> {
    let (most, rest) = (kills * 3 / 10, kills - 3 * (kills * 3 / 10));
    vec![
        ("a quoter", |seed| quoters(seed, 1, 500, 0), None, most),
        ("a quoter with latency", |seed| quoters(seed, 1, 500, 1_500), None, most),
        ("two quoters", |seed| quoters(seed, 2, 300, 0), None, most),
        ("three quoters with latency", |seed| quoters(seed, 3, 200, 1_500), None, rest),
    ]
}

/// What the quoters of these results met, together.
fn met(results: &[String]) -> BTreeMap<String, u64> {
    let mut met = BTreeMap::new();
    for line in results.iter().flat_map(|result| result.lines()) {
        let result: Value = serde_json::from_str(line).unwrap();
        for (name, count) in result["final"]["strategy"].as_object().unwrap() {
            *met.entry(name.clone()).or_default() += count.as_str().unwrap().parse::<u64>().unwrap();
        }
    }
    met
}

#[test]
fn two_hundred_kills_change_nothing_while_orders_rest() {
    let (_, results) = play(KEPT_SEEDS, 10, replays, 200);
    let met = met(&results);
    println!("{met:?}");
    let share = |name: &str| 100 * met[name] / met["sent"];
    assert!(share("filled") >= 30 && share("cancelled") >= 30, "{met:?}");
    for name in ["inPart", "bothOnOneTick", "tooLate", "made", "onNews"] {
        assert!(met[name] >= 100, "{name}: {met:?}");
    }
    assert!(met["raced"] > 0, "{met:?}");
}

/// As fast as it goes and not slower than that: no role is disturbed.
#[test]
fn undisturbed() {
    for latency_ms in [0, 1_500] {
        let mut stage = Stage::new(quoters(11, 1, 600, latency_ms), &[]);
        stage.start(None);
        stage.finish();
        stage.audit().unwrap();
    }
}

/// One account, one quoter that is frozen now and then, one that is not, and one that joins in the middle.
#[test]
fn quoters_at_different_positions_do_not_disturb_each_other() {
    let mut stage = Stage::new(quoters(5, 2, 1_500, 1_500), &[]);
    stage.start(Some(100));
    stage.wait_for_ticks(100);
    let three: Vec<_> = (1..=3).map(|n| quoter(&format!("quoter-{n}"), 5 + 7 * n)).collect();
    let three = stage.scene.other_manifest("three.yaml", &manifest("data.csv", 1_500, &three));
    let launches = stage.scene.create(&three, &stage.redis.url());
    stage.add(launches.into_iter().filter(|launch| launch.owner() == "strategy-quoter-3").collect());
    stage.actors.last_mut().unwrap().start(&stage.scene);
    for _ in 0..3 {
        let ahead = Stage::record("strategy-quoter-2");
        let taken = stage.store.ticks_taken(&ahead);
        stage.actor("strategy").process().signal("STOP");
        tests::roles::until("the other quoter to go on", tests::roles::DEADLINE, || {
            (stage.store.ticks_taken(&ahead) >= taken + 50).then_some(())
        });
        stage.actor("strategy").process().signal("CONT");
        stage.wait_for_more_ticks(50);
    }
    stage.hurry();
    stage.finish();
    stage.audit().unwrap();
}

/// Its successor finds the orders that rest and what is on its way; when it wakes it can do nothing more.
#[test]
fn a_gateway_is_frozen_while_orders_rest_and_replaced() {
    for latency_ms in [0, 1_500] {
        let mut stage = Stage::new(quoters(3, 2, 800, latency_ms), &[]);
        stage.start(Some(100));
        let mut older = Vec::new();
        for _ in 0..3 {
            stage.wait_for_more_ticks(60);
            stage.actor("gateway").process().signal("STOP");
            let scene = &stage.scene;
            let gateway = stage.actors.iter_mut().find(|actor| actor.launch.role() == "gateway").unwrap();
            gateway.launch = gateway.launch.at_epoch(gateway.launch.epoch() + 1);
            let newer = scene.start(&gateway.launch);
            older.extend(gateway.process.replace(newer));
        }
        stage.wait_for_more_ticks(60);
        for gateway in older {
            gateway.signal("CONT");
            assert_eq!(gateway.exit_code(), 70, "{}", gateway.log());
        }
        stage.hurry();
        stage.finish();
        stage.audit().unwrap();
    }
}

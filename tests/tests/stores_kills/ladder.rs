//! Ladders: all their orders rest while processes are killed, frozen and replaced. The result stays that of `backtest`, and so
//! do the pairs and what they have gained.

use serde_json::Value;
use tests::roles::{Scene, Stage, ladder, manifest};

use crate::kills::{Replay, play};

use engine::testkit::quoting::Market;

/// Seeds that once failed: always run first, with few kills.
const KEPT_SEEDS: &[u64] = &[];

/// So many of them on one account: a wide one, one that is moved up, one that buys all its coins first.
fn ladders(seed: u64, count: usize, ticks: u64, latency_ms: u32) -> Scene {
    let strategies = [
        ladder("wide", (597, 603), "levels: 30, quantity: \"0.1\""),
        ladder("moved", (599, 600), "levels: 3, trailingUp: true"),
        ladder("fine", (598, 602), "levels: 20, spacing: Geometric, reservePercent: 0"),
    ];
    Scene::new(&manifest("data.csv", latency_ms, &strategies[..count]), &Market::of(seed, ticks).csv())
}

fn replays(kills: usize) -> Vec<Replay> {
    let third = kills / 3;
    vec![
        ("a ladder", |seed| ladders(seed, 1, 500, 0), None, third),
        ("a ladder with latency", |seed| ladders(seed, 1, 500, 1_500), None, third),
        ("three ladders with latency", |seed| ladders(seed, 3, 200, 1_500), None, kills - 2 * third),
    ]
}

#[test]
fn sixty_kills_change_nothing_of_a_ladder() {
    let (_, results) = play(KEPT_SEEDS, 6, replays, 60);
    let lines: Vec<Value> =
        results.iter().flat_map(|result| result.lines()).map(|line| serde_json::from_str(line).unwrap()).collect();
    let matched: u64 = lines.iter().map(|line| line["final"]["strategy"]["matchedTrades"].as_u64().unwrap()).sum();
    assert!(matched >= 100, "{matched}: {lines:?}");
}

/// As fast as it goes and not slower than that: no role is disturbed.
#[test]
fn undisturbed() {
    for latency_ms in [0, 1_500] {
        let mut stage = Stage::new(ladders(11, 3, 400, latency_ms), &[]);
        stage.start(None);
        stage.finish();
        stage.audit().unwrap();
    }
}

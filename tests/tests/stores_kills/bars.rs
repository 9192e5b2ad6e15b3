//! A strategy that trades on bars: the bar that is being made survives each kill as it was, so the result stays that of
//! `backtest`.

use serde_json::Value;
use tests::roles::{Scene, Stage, crossing, manifest};

use crate::kills::{Replay, play};

use engine::testkit::quoting::Market;

/// The worker that has the strategy.
const PROGRAM: &str = env!("CARGO_BIN_EXE_testkit-worker");
/// Seeds that once failed: always run first, with few kills.
const KEPT_SEEDS: &[u64] = &[];
/// The bars that each of them looks back on.
const LOOK_BACKS: [u64; 3] = [6, 12, 30];

/// So many of them on one account.
fn crossings(seed: u64, count: usize, ticks: u64, latency_ms: u32) -> Scene {
    let look_backs = (1..).zip(LOOK_BACKS).take(count);
    let strategies: Vec<_> = look_backs.map(|(n, bars)| crossing(&format!("crossing-{n}"), bars)).collect();
    Scene::new(&manifest("data.csv", latency_ms, &strategies), &Market::of(seed, ticks).csv()).run_by(PROGRAM)
}

fn replays(kills: usize) -> Vec<Replay> {
    let third = kills / 3;
    vec![
        ("bars", |seed| crossings(seed, 1, 12_000, 0), None, third),
        ("bars with latency", |seed| crossings(seed, 1, 12_000, 1_500), None, third),
        ("three on bars with latency", |seed| crossings(seed, 3, 6_000, 1_500), None, kills - 2 * third),
    ]
}

#[test]
fn sixty_kills_change_nothing_while_bars_are_made() {
    let (_, results) = play(KEPT_SEEDS, 6, replays, 60);
    // What the results show proves something only if bars were closed, orders of them traded, and more than one interval met.
    for line in results.iter().flat_map(|result| result.lines()) {
        let result: Value = serde_json::from_str(line).unwrap();
        let met = |name: &str| result["final"]["strategy"][name].as_str().unwrap().parse::<u64>().unwrap();
        assert!(met("bars") >= 50 && met("longer") >= 10, "{line}");
        assert!(met("sent") >= 50 && met("filled") >= 20, "{line}");
    }
}

/// As fast as it goes and not slower than that: no role is disturbed.
#[test]
fn undisturbed() {
    for latency_ms in [0, 1_500] {
        let mut stage = Stage::new(crossings(11, 2, 4_000, latency_ms), &[]);
        stage.start(None);
        stage.finish();
        stage.audit().unwrap();
    }
}

//! A strategy that trades on bars: the bar that is being made survives each kill as it was, so the result stays that of
//! `backtest`.

use serde_json::Value;
use tests::roles::{Scene, Stage, in_place_of_grid, manifest};

use crate::kills::{Replay, given_seed, new_seed, print, run};

use engine::testkit::quoting::Market;

/// The worker that has the strategy.
const PROGRAM: &str = env!("CARGO_BIN_EXE_crossing-worker");
/// Seeds that once failed: always run first, with few kills.
const KEPT_SEEDS: &[u64] = &[];
/// The bars that each of them looks back on.
const LOOK_BACKS: [u64; 3] = [6, 12, 30];

/// So many of them on one account.
fn crossings(seed: u64, count: usize, ticks: u64, latency_ms: u32) -> Scene {
    let look_backs = (1..).zip(LOOK_BACKS).take(count);
    let strategies: Vec<_> = look_backs.map(|(n, bars)| in_place_of_grid(&format!("crossing-{n}"), bars)).collect();
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
    let given = given_seed();
    if given.is_none() {
        for seed in KEPT_SEEDS {
            run(*seed, replays(6));
        }
    }
    let (table, results) = run(given.unwrap_or_else(new_seed), replays(60));
    print(&table);
    assert_eq!(table.values().sum::<usize>(), 60);
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

/// The bars of who joins later are those of who was there from the first tick on, that in which it joined included; so it
/// waits for none.
#[test]
fn who_joins_later_has_the_bars_of_before() {
    let of = |name: &str| in_place_of_grid(name, LOOK_BACKS[1]);
    let first = manifest("data.csv", 0, &[of("crossing-1")]);
    let scene = Scene::new(&first, &Market::of(5, 6_000).csv()).run_by(PROGRAM);
    let mut stage = Stage::new(scene, &[]);
    stage.start(Some(2_000));
    stage.wait_for_ticks(1_500);
    let both = manifest("data.csv", 0, &["crossing-1", "crossing-2"].map(of));
    let both = stage.scene.other_manifest("both.yaml", &both);
    let launches = stage.scene.create(&both, &stage.redis.url());
    stage.add(launches.into_iter().filter(|launch| launch.owner() == "strategy-crossing-2").collect());
    stage.actors.last_mut().unwrap().start(&stage.scene);
    stage.wait_for_more_ticks(1_000);
    stage.hurry();
    stage.finish();
    stage.audit().unwrap();
    let mut bars = |owner: &str, interval: &str| {
        stage.store.field(&Stage::record(owner), &format!("field:bars:0:{interval}")).unwrap()
    };
    for interval in ["1m", "5m"] {
        assert_eq!(bars("strategy-crossing-2", interval), bars("strategy-crossing-1", interval), "{interval}");
    }
    let signals = stage.store.entries(&Stage::topic("strategy.signal"));
    let warmed_up = |name: &str| {
        let of = signals.iter().filter(|signal| signal.data["strategy"] == name);
        of.filter(|signal| signal.data["reason"] == "WarmingUp").count()
    };
    assert_eq!((warmed_up("crossing-1"), warmed_up("crossing-2")), (1, 0));
}

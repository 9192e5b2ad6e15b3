//! A strategy that trades on bars: the bar that is being made survives each kill as it was, so the result stays that of
//! `backtest`.

use engine::market::{Bar, BarSeries, Interval, LookBack};
use serde_json::Value;
use tests::proxy::Phase;
use tests::roles::{DEADLINE, Scene, Stage, crossing, manifest, until};
use venue::replay;

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

/// The bars of who has taken all ticks of the file up to this one.
fn of_the_file(stage: &Stage, interval: Interval, look_back: usize, tick: u64) -> Vec<Bar> {
    let summary = replay::Replay::scan(&[stage.scene.data().to_owned()], &"BNB/USDT".parse().unwrap()).unwrap();
    let mut series = BarSeries::new(interval, LookBack::new(look_back).unwrap());
    for one in replay::Replay::open(summary).take(usize::try_from(tick).unwrap() + 1) {
        series.take(&one.unwrap());
    }
    series.bars().to_vec()
}

fn memory_of(stage: &mut Stage, owner: &str) -> Value {
    let memory = stage.store.field(&Stage::record(owner), "field:strategy");
    memory.and_then(|memory| serde_json::from_str(&memory).ok()).unwrap_or_default()
}

/// Kills one of the roles at a moment of its work and starts its successor; `false` where the moment does not come.
fn kill(stage: &mut Stage, owner: &str, phase: Phase, nth: u32) -> bool {
    let index = stage.actors.iter().position(|actor| actor.launch.owner() == owner).unwrap();
    let actor = &stage.actors[index];
    actor.proxy.arm(phase, nth, actor.process().killer());
    let what = format!("{owner} comes to {phase:?}, the {nth}");
    until(&format!("{what}: {}", stage.logs()), DEADLINE, || {
        let is_over = stage.store.has_ended(&Stage::record("strategy-crossing-1"));
        (is_over || stage.actors[index].proxy.has_sprung()).then_some(())
    });
    if stage.actors[index].proxy.disarm() {
        return false;
    }
    assert!(stage.actors[index].proxy.wait_until_sprung(DEADLINE), "{what}, and does not end");
    let actor = &mut stage.actors[index];
    actor.launch = actor.launch.at_epoch(actor.launch.epoch() + 1);
    actor.start(&stage.scene);
    true
}

/// One that joins a replay under way finds the bars that closed before, whatever dies meanwhile: what it sees when it first
/// decides is what the file has, and it decides on the first tick that it takes.
#[test]
fn who_joins_later_has_the_bars_of_the_file_whatever_dies() {
    const LOOK_BACK: u64 = 30;
    const TICKS: u64 = 10_000;
    /// Nearly 40 minutes: as many bars as are looked back on have closed.
    const JOINS_BEHIND: u64 = 2_500;
    let late = "strategy-crossing-2";
    for (round, phase) in (0..).zip(Phase::ALL) {
        let mut stage = Stage::new(crossings(20 + round, 1, TICKS, 0), &[]);
        // At a pace that leaves the time to join on a slow machine too.
        stage.start(Some(400));
        stage.wait_for_ticks(JOINS_BEHIND);
        let both = [crossing("crossing-1", LOOK_BACKS[0]), crossing("crossing-2", LOOK_BACK)];
        let both = stage.scene.other_manifest("both.yaml", &manifest("data.csv", 0, &both));
        let launches = stage.scene.create(&both, &stage.redis.url());
        stage.add(launches.into_iter().filter(|launch| launch.owner() == late).collect());
        stage.actors.last_mut().unwrap().start(&stage.scene);
        for nth in 1..=3 {
            assert!(kill(&mut stage, late, phase, nth), "round {round}");
            assert!(kill(&mut stage, "feed", phase, 1 + nth % 2), "round {round}");
        }
        let first = until(&format!("the later one to decide: {}", stage.logs()), DEADLINE, || {
            Some(memory_of(&mut stage, late)["first"].clone()).filter(Value::is_object)
        });
        let tick = first["tick"].as_u64().unwrap();
        for (member, interval, look_back) in
            [("minutes", Interval::OneMinute, LOOK_BACK), ("longer", Interval::FiveMinutes, 2)]
        {
            let seen: Vec<Bar> = serde_json::from_value(first[member].clone()).unwrap();
            let look_back = usize::try_from(look_back).unwrap();
            assert_eq!(seen, of_the_file(&stage, interval, look_back, tick), "round {round}: {member} at tick {tick}");
            assert_eq!(seen.len(), look_back, "round {round}");
        }
        stage.hurry();
        stage.finish();
        stage.audit().unwrap();
        let engine = stage.store.field(&Stage::record(late), "field:engine").unwrap();
        let taken = serde_json::from_str::<Value>(&engine).unwrap()["ticks"].as_u64().unwrap();
        let told = memory_of(&mut stage, late)["counts"]["ticks"].as_u64().unwrap();
        assert_eq!(
            (taken, told),
            (TICKS - tick, TICKS - tick),
            "round {round}: none was taken while bars were missing"
        );
        assert!(tick > JOINS_BEHIND && tick < TICKS - 1, "round {round}: it joined at {tick}");

        // The list is what the contract says it is: the newest bars, each once, and not many more than are looked back on.
        let list = stage.store.entries("glm:{default/replay-paper}:bars:BNB/USDT:1m");
        let all = of_the_file(&stage, Interval::OneMinute, 1_000, TICKS - 1);
        let listed: Vec<Bar> = list.into_iter().map(|bar| serde_json::from_value(bar.data).unwrap()).collect();
        assert!(listed.len() >= 30 && listed.len() <= 30 + 110, "round {round}: {} bars", listed.len());
        assert_eq!(listed, all[all.len() - listed.len()..], "round {round}");
    }
}

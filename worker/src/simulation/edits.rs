//! Edits of parameters, bounds and exit: what a worker follows by its register leaves, byte for byte, what a worker leaves that
//! starts on the same tick with the edited spec, whatever dies around it.

use crds::record::{PHASE, REPORT};
use crds::roles::{StrategyDesired, StrategySpec};
use engine::messages::Tick;
use engine::strategies::Registry;
use engine::testkit::quoting::{Chance, Market};
use engine::time::Timestamp;
use serde_json::{Value, json};

use super::account::Account;
use super::bus::Trouble;
use super::quoting::Story;
use crate::outcome::hashes::{DATA, MADE};
use crate::roles::Stop;
use crate::roles::saved::ENGINE;

/// Stories of each kind.
const SEEDS: u64 = 4;
/// Ticks of a story, and before the edit at least and at most.
const TICKS: u64 = 200;
const BEFORE: (u64, u64) = (40, 120);
/// How much longer than usual the steps of a market are in which days close.
const IN_DAYS: i64 = 4_000;

/// A strategy, what becomes of it, and whether its market goes through days.
struct Kind {
    before: Value,
    after: Value,
    in_days: bool,
}

fn kinds() -> Vec<Kind> {
    let kind = |before, after| Kind { before, after, in_days: false };
    let grid = |more: &Value| {
        let mut grid = json!({"gridSizePercent": "0.2", "flipThresholdFactor": "0.1", "minTradeIntervalSeconds": 0});
        grid.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "grid": grid })
    };
    let ladder = |levels: u32, quantity: &str| json!({"ladder": {"lowerPrice": 598, "upperPrice": 602, "levels": levels, "quantity": quantity}});
    let days = |days: u32, buy: u32| json!({"positionControl": {"lookBackDays": days, "buyTargetPercent": buy}});
    vec![
        kind(grid(&json!({})), grid(&json!({"gridSizePercent": "0.05", "orderPercent": 5}))),
        kind(grid(&json!({})), grid(&json!({"basePrice": "601"}))),
        kind(ladder(20, "0.1"), ladder(20, "0.05")),
        // Laid anew: its orders are cancelled first.
        kind(ladder(20, "0.1"), ladder(10, "0.1")),
        Kind { before: days(1, 70), after: days(1, 90), in_days: true },
        // It waits for the day that it has not seen whole.
        Kind { before: days(1, 70), after: days(2, 70), in_days: true },
    ]
}

fn spec(strategy: &Value, latency_ms: u32) -> StrategySpec {
    let mut spec = Account::with_latency(latency_ms).spec;
    spec.spec.strategy = serde_json::from_value(strategy.clone()).unwrap();
    spec
}

/// The edited spec; of each second seed also its limits and its exit are others.
fn edited(of: &StrategySpec, kind: &Kind, seed: u64) -> StrategySpec {
    let mut spec = StrategySpec { generation: 2, ..of.clone() };
    spec.spec.strategy = serde_json::from_value(kind.after.clone()).unwrap();
    if seed.is_multiple_of(2) {
        spec.spec.risk = serde_json::from_value(json!({"maxOrdersPerMinute": 500, "maxDrawdownPercent": 5})).unwrap();
        spec.spec.exit = serde_json::from_value(json!({"abovePrice": "602.9", "action": "StopOpening"})).unwrap();
    }
    assert_eq!(spec.spec.validate(), []);
    spec
}

fn ticks(seed: u64, in_days: bool) -> Vec<Tick> {
    let all: Vec<Tick> = Market::of(seed, TICKS).collect();
    let first = all[0].event_time().millis();
    let stretched = |tick: Tick| {
        let time = Timestamp::from_millis(first + (tick.event_time().millis() - first) * IN_DAYS);
        Tick { time: Some(time), received: time, ..tick }
    };
    if in_days { all.into_iter().map(stretched).collect() } else { all }
}

/// How a worker hears of the edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is not edited.
    Never,
    /// A worker of the next epoch starts with it.
    Restart,
    /// Its register holds it.
    Register,
}

/// What is left of a story, in words that differ with any byte.
fn left(story: &Story) -> Vec<String> {
    let account = &story.account;
    let mut left = story.trades();
    for name in [ENGINE, "strategy", REPORT, MADE, DATA, PHASE] {
        left.push(format!("{name}: {}", account.field(&account.strategy, name).unwrap_or_default()));
    }
    left
}

fn generation(story: &Story) -> Value {
    story.account.field(&story.account.strategy, PHASE).unwrap()["generation"].clone()
}

fn told(seed: u64, kind: &Kind, way: Way) -> Vec<String> {
    let mut chance = Chance::of(seed);
    let latency_ms = if chance.one_in(2) { 0 } else { 1_500 };
    let before = usize::try_from(BEFORE.0 + chance.below(BEFORE.1 - BEFORE.0)).unwrap();
    let spec = spec(&kind.before, latency_ms);
    let edited = edited(&spec, kind, seed);
    let account = Account::trading(spec, Registry::standard());
    let mut story = Story::on(account, chance);
    let owner = story.account.strategy.clone();
    story.account.register(&owner, &StrategyDesired::of(&story.account.spec.spec.clone(), 1));
    let ticks = ticks(seed, kind.in_days);
    for tick in &ticks[..before] {
        story.account.tick(tick);
    }
    story.until(|story| story.engine_ticks() == before as u64);
    for _ in 0..200 {
        story.go_on();
    }
    match way {
        Way::Never => {}
        Way::Restart => {
            // The register is older than what it starts with.
            story.account.spec = edited;
            story.start_next_worker();
        }
        Way::Register => {
            story.account.register(&owner, &StrategyDesired::of(&edited.spec, 2));
            if story.chance.one_in(2) {
                story.account.nudge(&owner);
            }
            story.trouble();
            story.until(|story| generation(story) == 2);
        }
    }
    for tick in &ticks[before..] {
        story.account.tick(tick);
        if way == Way::Register {
            // Each that dies is followed by one that starts with the spec of before.
            story.trouble();
        }
        for _ in 0..story.chance.below(8) {
            story.go_on();
        }
    }
    story.account.bus.forget_plan();
    story.until(Story::has_ended);
    left(&story)
}

#[test]
fn an_edit_that_is_followed_leaves_what_a_start_with_it_leaves_whatever_dies() {
    for (number, kind) in kinds().iter().enumerate() {
        let mut others = 0;
        for seed in 0..SEEDS {
            let all =
                std::panic::catch_unwind(|| [Way::Register, Way::Restart, Way::Never].map(|way| told(seed, kind, way)));
            let [followed, started, unedited] = all.unwrap_or_else(|_| panic!("kind {number}, seed {seed}"));
            assert_eq!(followed, started, "kind {number}, seed {seed}");
            let trades = |left: &[String]| left.iter().filter(|line| !line.contains(": ")).cloned().collect::<Vec<_>>();
            others += u64::from(trades(&followed) != trades(&unedited));
        }
        assert!(others >= SEEDS / 2, "kind {number}: only {others} of {SEEDS} traded otherwise");
    }
}

/// Each of them is followed, a register that is older than what is followed never.
#[test]
fn an_older_edit_is_never_followed_again_and_a_state_needs_no_new_engine() {
    let kind = &kinds()[0];
    let first = spec(&kind.before, 0);
    let second = edited(&first, kind, 0);
    let mut story = Story::on(Account::trading(first.clone(), Registry::standard()), Chance::of(1));
    let owner = story.account.strategy.clone();
    let size = |story: &Story| {
        let report = story.account.field(&story.account.strategy, REPORT).unwrap();
        report["strategy"]["gridSizePercent"].clone()
    };
    for tick in Market::of(1, 40) {
        story.account.tick(&Tick { last: false, ..tick });
    }
    story.until(|story| story.engine_ticks() == 40);
    assert_eq!((generation(&story), size(&story)), (json!(1), json!("0.2")));
    story.account.register(&owner, &StrategyDesired::of(&second.spec, 2));
    story.until(|story| generation(story) == 2);
    assert_eq!(size(&story), json!("0.05"));
    let incarnation = |story: &Story| story.account.incarnation();
    let at = incarnation(&story);
    story.account.register(&owner, &StrategyDesired::of(&second.spec, 3));
    story.until(|story| generation(story) == 3);
    assert_eq!(incarnation(&story), at, "nothing of it changes how it trades");
    for older in [
        StrategyDesired::of(&first.spec, 1),
        StrategyDesired { bounds: None, parameters: None, ..StrategyDesired::of(&first.spec, 1) },
    ] {
        story.account.register(&owner, &older);
        story.account.nudge(&owner);
        for _ in 0..400 {
            story.go_on();
        }
        assert_eq!((generation(&story), size(&story)), (json!(3), json!("0.05")));
    }
}

/// What no engine can be made of is refused; what trades trades on, and the next edit is followed.
#[test]
fn an_edit_that_cannot_be_followed_is_told_and_what_trades_trades_on() {
    let kind = &kinds()[0];
    let mut story = Story::on(Account::trading(spec(&kind.before, 0), Registry::standard()), Chance::of(1));
    let owner = story.account.strategy.clone();
    let ticks: Vec<_> = Market::of(1, 200).collect();
    for tick in &ticks[..60] {
        story.account.tick(tick);
    }
    story.until(|story| story.engine_ticks() == 60);
    let mut bad = story.account.spec.spec.clone();
    bad.strategy = serde_json::from_value(json!({"custom": {"name": "nobody", "parameters": {}}})).unwrap();
    story.account.register(&owner, &StrategyDesired::of(&bad, 2));
    let phase = |story: &Story| story.account.field(&story.account.strategy, PHASE).unwrap();
    story.until(|story| phase(story)["refused"]["generation"] == 2);
    let told = phase(&story);
    assert_eq!(
        (&told["generation"], &told["state"], &told["follows"]),
        (&json!(1), &json!("Running"), &json!(["parameters"]))
    );
    assert!(told["refused"]["message"].as_str().unwrap().contains("no strategy is named \"nobody\""), "{told}");
    let trades = story.trades().len();
    for tick in &ticks[60..190] {
        story.account.tick(tick);
    }
    story.until(|story| story.engine_ticks() == 190);
    assert!(story.trades().len() > trades, "it trades on");
    story.account.register(&owner, &StrategyDesired::of(&edited(&story.account.spec, kind, 0).spec, 3));
    story.until(|story| phase(story)["generation"] == 3);
    assert_eq!(phase(&story).get("refused"), None);
}

/// One of the same epoch took over while it was frozen behind any of its commits: it ends, and does not lease the record anew
/// for the edit.
#[test]
fn who_was_replaced_does_not_take_its_place_back_for_an_edit() {
    let kind = &kinds()[0];
    let spec = spec(&kind.before, 0);
    let edited = edited(&spec, kind, 0).spec;
    for commits in 0..6 {
        let mut account = Account::trading(spec.clone(), Registry::standard());
        let owner = account.strategy.clone();
        account.register(&owner, &StrategyDesired::of(&spec.spec, 1));
        let mut replaced = account.start_paper_worker(1);
        account.bus.plan(&owner, commits, Trouble::After);
        for tick in Market::of(1, 3) {
            assert!(replaced.step().is_none());
            account.tick(&tick);
        }
        account.register(&owner, &StrategyDesired::of(&edited, 2));
        account.nudge(&owner);
        assert!((0..10).all(|_| replaced.step().is_none()));
        let Some((number, _)) = account.bus.take_stopped() else { continue };
        let mut newer = account.start_paper_worker(1);
        assert!((0..10).all(|_| newer.step().is_none()));
        account.bus.release(number);
        let ended = (0..10).find_map(|_| {
            account.bus.clock().advance(1_000);
            replaced.step()
        });
        assert!(matches!(ended, Some(Err(Stop::Fenced { .. }))), "behind commit {commits}: {ended:?}");
        assert!((0..10).all(|_| newer.step().is_none()));
        assert_eq!(account.field(&owner, PHASE).unwrap()["generation"], 2);
    }
}

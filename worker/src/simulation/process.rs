//! A strategy that is a process, edited while it is asked: between the question and the answer its register holds other
//! parameters. They act from the first tick on that it was not told yet, each tick is told once, and what is left is, byte for
//! byte, what a worker leaves that starts there with the edited spec.

use std::path::Path;
use std::time::{Duration, Instant};

use crds::record::{PHASE, REPORT};
use crds::roles::{StrategyDesired, StrategySpec};
use engine::messages::Tick;
use engine::strategies::Registry;
use engine::testkit::quoting::{Chance, Market};
use serde_json::{Value, json};

use super::account::Account;
use super::quoting::Story;
use crate::outcome::hashes::{DATA, MADE};
use crate::roles::saved::ENGINE;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/processes/held.py");
const SEEDS: u64 = 4;
const TICKS: u64 = 150;
/// Ticks that are there when it is held, and where that is at least and at most.
const THERE: usize = 100;
const HELD: (u64, u64) = (20, 90);
const DEADLINE: Duration = Duration::from_mins(1);

/// A process that is held at this tick, and where it is edited also on its first one: until then it takes none.
fn spec(latency_ms: u32, (quantity, is_edited): (&str, bool), at: u64, folder: &Path) -> StrategySpec {
    let mut spec = Account::with_latency(latency_ms).spec;
    let parameters = json!({"quantity": quantity, "hold": {"at": at, "folder": folder, "first": is_edited}});
    let process = json!({"command": ["python3", PROGRAM], "parameters": parameters, "timeoutMs": 60_000});
    spec.spec.strategy = serde_json::from_value(json!({ "process": process })).unwrap();
    assert_eq!(spec.spec.validate(), []);
    spec
}

/// Its child answers in its own time, not in that of the story.
fn until(story: &mut Story, what: &str, there: impl Fn(&Story) -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !there(story) {
        assert!(Instant::now() < deadline, "{what}: {:?}", story.account.field(&story.account.strategy, PHASE));
        story.go_on();
        std::thread::yield_now();
    }
}

fn generation(story: &Story) -> Value {
    story.account.field(&story.account.strategy, PHASE).map_or(Value::Null, |phase| phase["generation"].clone())
}

struct Case {
    seed: u64,
    folder: tempfile::TempDir,
    before: StrategySpec,
    after: StrategySpec,
    ticks: Vec<Tick>,
}

impl Case {
    fn of(seed: u64) -> Self {
        let mut chance = Chance::of(seed);
        let latency_ms = if seed.is_multiple_of(2) { 0 } else { 1_500 };
        let at = HELD.0 + chance.below(HELD.1 - HELD.0);
        let folder = tempfile::tempdir().unwrap();
        let of = |quantity, is_edited| spec(latency_ms, (quantity, is_edited), at, folder.path());
        let (before, after) = (of("0.1", false), StrategySpec { generation: 2, ..of("0.07", true) });
        Self { seed, folder, before, after, ticks: Market::of(seed, TICKS).collect() }
    }

    fn story(&self) -> Story {
        let account = Account::trading(self.before.clone(), Registry::standard());
        let mut story = Story::on(account, Chance::of(self.seed));
        let owner = story.account.strategy.clone();
        story.account.register(&owner, &StrategyDesired::of(&self.before.spec, 1));
        until(&mut story, "it trades", |story| generation(story) == 1);
        story
    }

    fn ended(&self, mut story: Story, from: usize) -> Vec<String> {
        for tick in &self.ticks[from..] {
            story.account.tick(tick);
        }
        until(&mut story, "the end", Story::has_ended);
        let mut left = story.trades();
        let account = &story.account;
        for name in [ENGINE, "strategy", REPORT, MADE, DATA, PHASE] {
            left.push(format!("{name}: {}", account.field(&account.strategy, name).unwrap_or_default()));
        }
        let told: Vec<u64> = serde_json::from_str(&story.engine().process_state().unwrap()).unwrap();
        assert_eq!(told, (0..TICKS).collect::<Vec<_>>(), "each tick is told once");
        left
    }

    /// Edits it between question and answer; gives what is left, and how many ticks it had taken before the edit acted.
    fn edited_while_asked(&self) -> (Vec<String>, usize) {
        let mut story = self.story();
        for tick in &self.ticks[..THERE] {
            story.account.tick(tick);
        }
        let asked = self.folder.path().join("asked");
        until(&mut story, "it is held", |_| asked.exists());
        let owner = story.account.strategy.clone();
        story.account.register(&owner, &StrategyDesired::of(&self.after.spec, 2));
        if story.chance.one_in(2) {
            story.account.nudge(&owner);
        }
        for _ in 0..100 {
            story.go_on();
        }
        assert_eq!(generation(&story), 1, "it has not answered");
        std::fs::write(self.folder.path().join("released"), "").unwrap();
        until(&mut story, "the edit is followed", |story| generation(story) == 2);
        let taken = usize::try_from(story.engine_ticks()).unwrap();
        std::fs::write(self.folder.path().join("first-released"), "").unwrap();
        (self.ended(story, THERE), taken)
    }

    /// The same by a worker that starts with the edited spec behind so many ticks.
    fn started_behind(&self, taken: usize) -> Vec<String> {
        let mut story = self.story();
        for tick in &self.ticks[..taken] {
            story.account.tick(tick);
        }
        until(&mut story, "all are taken", |story| story.engine_ticks() == taken as u64);
        story.account.spec = self.after.clone();
        story.start_next_worker();
        until(&mut story, "it has started", |story| generation(story) == 2);
        self.ended(story, taken)
    }
}

#[test]
fn an_edit_while_it_is_asked_acts_from_the_next_tick_on_and_each_tick_is_told_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let case = Case::of(seed);
        let (left, taken) = case.edited_while_asked();
        let held = case.before.spec.strategy.process.as_ref().unwrap().parameters["hold"]["at"].as_u64().unwrap();
        assert!(taken as u64 > held, "the tick on which it was asked is taken as before: {taken} and {held}");
        assert_eq!(left, case.started_behind(taken), "seed {seed}");
        // An order may take its time, and little may be on offer: around the edit there may be either, in part.
        let trades: Vec<Value> = left.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let has = |size: &str, within: &dyn Fn(u64) -> bool| {
            trades.iter().any(|trade| trade["quantity"] == size && within(trade["index"].as_u64().unwrap()))
        };
        let (is_before, is_after) = (|index| index <= held, |index| index >= taken as u64 + 20);
        assert!(has("0.1", &is_before) && !has("0.07", &is_before), "{trades:?}");
        assert!(has("0.07", &is_after) && !has("0.1", &is_after), "{trades:?}");
    }
}

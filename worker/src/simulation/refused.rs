//! Specs that a worker refuses: what was traded by before goes on through restarts, whichever spec they come with; a strategy
//! that never had another trades nothing, says why, and begins with the next edit.

use crds::record::{PHASE, REPORT};
use crds::roles::{StrategyDesired, StrategySpec};
use engine::messages::Tick;
use engine::strategies::Registry;
use engine::testkit::quoting::{Chance, Market};
use serde_json::{Value, json};

use super::account::Account;
use super::quoting::Story;
use crate::roles::saved::ENGINE;

/// A spec of this generation with this strategy.
fn spec(generation: u64, strategy: &Value) -> StrategySpec {
    let mut spec = StrategySpec { generation, ..Account::with_latency(0).spec };
    spec.spec.strategy = serde_json::from_value(strategy.clone()).unwrap();
    spec
}

fn grid(size: &str) -> Value {
    json!({"grid": {"gridSizePercent": size, "flipThresholdFactor": "0.1", "minTradeIntervalSeconds": 0}})
}

fn nobody() -> Value {
    json!({"custom": {"name": "nobody", "parameters": {}}})
}

fn field(story: &Story, name: &str) -> Value {
    story.account.field(&story.account.strategy, name).unwrap_or_default()
}

/// What it says: the generation that it trades by, the one that it refuses, and why it does what it does.
fn told(story: &Story) -> (Value, Value, Value) {
    let phase = field(story, PHASE);
    (phase["generation"].clone(), phase["refused"]["generation"].clone(), phase["reason"].clone())
}

fn register(story: &mut Story, spec: &StrategySpec) {
    register_silently(story, spec);
    story.account.nudge(&story.account.strategy);
}

/// The nudge is lost.
fn register_silently(story: &mut Story, spec: &StrategySpec) {
    let owner = story.account.strategy.clone();
    story.account.register(&owner, &StrategyDesired::of(&spec.spec, spec.generation));
}

fn give(story: &mut Story, ticks: &[Tick]) {
    for tick in ticks {
        story.account.tick(tick);
        story.trouble();
        for _ in 0..story.chance.below(8) {
            story.go_on();
        }
    }
    story.account.bus.forget_plan();
}

#[test]
fn what_was_traded_by_goes_on_after_a_restart_with_an_edit_that_is_refused() {
    let refused = spec(3, &nobody());
    // The pod of before the edits, and a new one that is made from the refused edit.
    for (seed, document) in [(1, spec(1, &grid("0.2"))), (2, refused.clone())] {
        let account = Account::trading(spec(1, &grid("0.2")), Registry::standard());
        let mut story = Story::on(account, Chance::of(seed));
        let ticks: Vec<_> = Market::of(seed, 300).collect();
        give(&mut story, &ticks[..40]);
        register(&mut story, &spec(2, &grid("0.05")));
        story.until(|story| told(story).0 == 2);
        register(&mut story, &refused);
        story.until(|story| told(story).1 == 3);
        let trading = (json!(2), json!(3), json!("Trading"));
        assert_eq!(told(&story), trading);
        story.account.spec = document;
        story.start_next_worker();
        let epoch = story.worker.epoch;
        give(&mut story, &ticks[40..280]);
        assert!(story.worker.epoch >= epoch);
        story.until(|story| told(story) == trading && field(story, REPORT)["strategy"]["gridSizePercent"] == "0.05");
        let message = field(&story, PHASE)["refused"]["message"].clone();
        assert!(message.as_str().unwrap().contains("no strategy is named \"nobody\""), "{message}");
        // The next edit ends it, and nothing is kept any more.
        register(&mut story, &spec(4, &grid("0.2")));
        story.until(|story| told(story) == (json!(4), Value::Null, json!("Trading")));
        assert_eq!(field(&story, "traded"), Value::Null);
        // So does a return to what is traded by.
        register(&mut story, &spec(5, &nobody()));
        story.until(|story| told(story).1 == 5 && field(story, "traded")["parameters"]["generation"] == 4);
        register(&mut story, &spec(6, &grid("0.2")));
        story.until(|story| told(story) == (json!(6), Value::Null, json!("Trading")));
        assert_eq!(field(&story, "traded"), Value::Null);
        story.account.spec = spec(6, &grid("0.2"));
        give(&mut story, &ticks[280..]);
        story.until(Story::has_ended);
        assert!(story.trades().len() > 5, "{}", story.trades().len());
    }
}

#[test]
fn a_strategy_that_never_had_another_spec_stays_says_why_and_begins_with_the_next_edit() {
    for seed in 0..4 {
        let account = Account::trading(spec(1, &nobody()), Registry::standard());
        let mut story = Story::on(account, Chance::of(seed));
        let refused = |generation: u64| (json!(0), json!(generation), json!("InvalidSpec"));
        story.until(|story| told(story) == refused(1));
        let words = "no strategy is named \"nobody\"; there is: grid, ladder, positionControl, process";
        assert_eq!(field(&story, PHASE)["refused"]["message"], words);
        assert_eq!(story.worker.health.readiness(), (false, format!("InvalidSpec: {words}")));
        let ticks: Vec<_> = Market::of(seed, 200).collect();
        give(&mut story, &ticks[..20]);
        // Neither a restart nor an edit of something else makes another thing of it.
        story.start_next_worker();
        register(&mut story, &spec(2, &nobody()));
        give(&mut story, &ticks[20..40]);
        story.until(|story| told(story) == refused(2));
        assert_eq!(field(&story, ENGINE), Value::Null);
        let mended = spec(3, &grid("0.05"));
        let edit = if seed % 2 == 0 { register } else { register_silently };
        edit(&mut story, &mended);
        story.until(|story| told(story) == (json!(3), Value::Null, json!("WaitingForMarketData")));
        story.account.spec = mended;
        give(&mut story, &ticks[40..]);
        story.until(Story::has_ended);
        assert!(!story.trades().is_empty(), "seed {seed}");
    }
}

/// A worker's image may come to know its strategy no more: the books stay as they are until it does.
#[test]
fn a_strategy_that_has_traded_waits_with_its_books_for_a_program_that_knows_it() {
    let mut story = Story::on(Account::trading(spec(1, &grid("0.05")), Registry::standard()), Chance::of(1));
    let ticks: Vec<_> = Market::of(1, 200).collect();
    give(&mut story, &ticks[..100]);
    story.until(|story| story.engine_ticks() == 100);
    let (books, trades) = (field(&story, ENGINE), story.trades().len());
    let registry = std::mem::take(&mut story.account.registry);
    story.start_next_worker();
    story.until(|story| told(story) == (json!(0), json!(1), json!("InvalidSpec")));
    assert_eq!((field(&story, ENGINE), field(&story, PHASE)["state"].clone()), (books, json!("Paused")));
    story.account.registry = registry;
    story.start_next_worker();
    give(&mut story, &ticks[100..]);
    story.until(Story::has_ended);
    assert!(story.trades().len() > trades, "{trades}");
}

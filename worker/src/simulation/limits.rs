//! Limits and exits in the roles: what they leave is what `backtest` gives, whatever dies; and a release is done once.

use std::collections::BTreeMap;

use bus::Topic;
use crds::record::REPORT;
use crds::roles::{Bounds, StrategyDesired};
use engine::messages::RiskAlert;
use engine::report::Report;
use engine::risk::Release;
use engine::testkit::quoting::Market;
use serde_json::{Value, json};

use super::quoting::Story;
use crate::outcome::hashes::MADE;

/// Seeds for each of the limits and exits.
const SEEDS: u64 = 4;

/// Each limit and each rule by itself, with each action, close enough to be met by a quoter.
fn all() -> Vec<(Value, Value)> {
    let mut all = Vec::new();
    for on_breach in ["StopOpening", "CancelOrders", "Flatten"] {
        for (name, value) in [
            ("maxDrawdownPercent", json!("0.2")),
            ("maxDailyLossPercent", json!("0.1")),
            ("maxConsecutiveLosses", json!(1)),
            ("maxExposure", json!({"USDT": 3003})),
        ] {
            all.push((json!({name: value, "onBreach": on_breach}), Value::Null));
        }
    }
    all.push((json!({"priceCollarPercent": "0.001", "cooldown": {"rejects": 1, "seconds": 20}}), Value::Null));
    for action in ["Flatten", "StopOpening"] {
        for (name, value) in [
            ("stopLossPercent", json!("0.3")),
            ("takeProfitPercent", json!("0.05")),
            ("giveBackPercent", json!(50)),
            ("belowPrice", json!(599)),
            ("abovePrice", json!(601)),
        ] {
            all.push((json!({}), json!({name: value, "action": action})));
        }
    }
    all
}

#[test]
fn what_limits_and_exits_leave_is_what_backtest_gives_whatever_dies() {
    let mut met = BTreeMap::<String, u64>::new();
    for (limits, exit) in all() {
        for seed in 0..SEEDS {
            let told = std::panic::catch_unwind(|| {
                let mut story = Story::under(seed, &limits, &exit);
                story.replay(seed);
                story.engine()
            });
            let engine = told.unwrap_or_else(|_| panic!("seed {seed} under {limits} and {exit}"));
            let latched = engine.latched_limits().iter().map(|(limit, _)| limit.as_str());
            for name in latched.chain(engine.exit_reached().map(|(rule, _)| rule.as_str())) {
                *met.entry(name.to_owned()).or_default() += 1;
            }
            for (reason, count) in &engine.report().orders.denied_reasons {
                *met.entry(reason.clone()).or_default() += count;
            }
        }
    }
    let to_be_met = [
        "maxDrawdownPercent",
        "maxDailyLossPercent",
        "maxConsecutiveLosses",
        "maxExposure",
        "stopLossPercent",
        "takeProfitPercent",
        "giveBackPercent",
        "belowPrice",
        "abovePrice",
        "LimitReached",
        "MaxExposure",
        "PriceCollar",
        "Cooldown",
    ];
    let missed: Vec<_> = to_be_met.iter().filter(|name| !met.contains_key(**name)).collect();
    assert!(missed.is_empty(), "{missed:?} of {met:?}");
}

fn report(story: &Story) -> Option<Report> {
    story.account.field(&story.account.strategy, REPORT).map(|report| serde_json::from_value(report).unwrap())
}

/// How often a release was told to outsiders, which is once for each that was done.
fn told(story: &Story) -> usize {
    let alerts = story.account.bus.committed(&story.account.topic(Topic::RiskAlert));
    let alerts = alerts.into_iter().map(|alert| serde_json::from_value::<RiskAlert>(alert).unwrap());
    alerts.filter(|alert| alert.message.contains("its measure starts anew")).count()
}

fn asks(story: &mut Story, release: Option<Release>) {
    let bounds = Some(Bounds::of(&story.account.spec.spec));
    let owner = story.account.strategy.clone();
    story.account.register(&owner, &StrategyDesired { bounds, release, ..StrategyDesired::default() });
}

/// The register holds it all the while, and the worker, its gateway or both die at any commit.
#[test]
fn a_release_is_done_once_whatever_dies() {
    for seed in 0..20 {
        let mut story = Story::under(seed, &json!({"maxExposure": {"USDT": 2900}}), &Value::Null);
        let ticks: Vec<_> = Market::of(seed, 60).collect();
        for tick in &ticks[..30] {
            story.account.tick(tick);
        }
        let latched = |story: &Story| report(story).is_some_and(|report| !report.risk.limits.is_empty());
        story.until(latched);
        let first = report(&story).unwrap().latched().remove(0);
        asks(&mut story, Some(first.clone()));
        for tick in &ticks[30..] {
            story.trouble();
            story.account.tick(tick);
            for _ in 0..4 {
                story.go_on();
            }
        }
        story.account.bus.forget_plan();
        let done = |story: &Story| report(story).is_some_and(|report| !report.latched().contains(&first));
        story.until(done);
        let once = told(&story);
        // It may be latched anew since then, by another tick: the same release does nothing about that.
        for _ in 0..200 {
            story.go_on();
        }
        assert_eq!((once, told(&story)), (1, 1), "seed {seed}");
    }
}

/// What the register says counts, also for a worker that starts with the spec of before; its measures stay.
#[test]
fn edited_limits_are_followed_without_a_new_worker_and_kept_by_the_next_one() {
    let mut story = Story::under(3, &json!({}), &Value::Null);
    let ticks: Vec<_> = Market::of(3, 60).collect();
    for tick in &ticks[..30] {
        story.account.tick(tick);
    }
    story.until(|story| story.engine_ticks() == 30);
    let mut spec = story.account.spec.spec.clone();
    spec.risk = serde_json::from_value(json!({"maxOrdersPerMinute": 600, "maxExposure": {"USDT": 1}})).unwrap();
    let owner = story.account.strategy.clone();
    story.account.register(&owner, &StrategyDesired::of(&spec, 1));
    story.account.nudge(&owner);
    for tick in &ticks[30..] {
        story.account.tick(tick);
        story.trouble();
        story.go_on();
    }
    story.account.bus.forget_plan();
    story.until(|story| story.engine_ticks() == 60);
    let made = story.account.field(&owner, MADE).unwrap();
    assert!(made.get("parameters").is_none() && made.get("program").is_some(), "not all ticks were under one: {made}");
    let latched = report(&story).unwrap().risk.limits;
    assert_eq!(
        latched.first().map(|limit| (limit.name.as_str(), limit.threshold.as_str())),
        Some(("maxExposure", "1"))
    );
}

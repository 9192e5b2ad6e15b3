//! A latched limit through every death, and its release by hand, which is done once.

use serde_json::Value;
use tests::roles::{DEADLINE, Scene, Stage, manifest, strategy, until};

use crate::scenes::{LONG, PACED, prices};

const NOT_FOUND: i32 = 3;

/// These strategies on an account, on a store that forgets nothing.
pub fn stage(manifest: &str, ticks: u64) -> Stage {
    let scene = Scene::new(manifest, &prices(ticks));
    Stage::new(scene, &["--appendonly", "yes", "--appendfsync", "always"])
}

/// A grid whose coins are worth more than it may have, from the first tick on.
fn limited_strategy() -> String {
    let limited = strategy("grid-1", "1") + "  risk: {maxExposure: {USDT: 1}}\n";
    manifest("data.csv", 0, &[limited])
}

/// Two grids on an account whose coins are worth more than it may have, from the first price on.
fn limited_account() -> String {
    let both = manifest("data.csv", 0, &[strategy("grid-1", "1"), strategy("grid-2", "1")]);
    let (account, strategies) = both.split_once("---\n").unwrap();
    format!("{account}  limits: {{maxExposure: {{USDT: 1}}}}\n---\n{strategies}")
}

/// Everything dies, and comes back.
pub fn all_die(stage: &mut Stage) {
    for actor in &stage.actors {
        actor.process().kill();
    }
    stage.redis.kill();
    stage.redis.restart();
    stage.start(PACED);
    stage.wait_for_more_ticks(100);
}

/// What `ledger release` of maxExposure since then says, and its code.
pub fn release(stage: &Stage, whose: [&str; 2], since: &str) -> (Option<i32>, String) {
    let (file, url) = (stage.scene.manifest().display().to_string(), stage.redis.url());
    let limit = format!("maxExposure@{since}");
    let command = ["ledger", "release", &file, "--redis", &url, "--limit", &limit];
    let said = stage.scene.worker(&[&command[..], &whose].concat());
    (said.status.code(), String::from_utf8_lossy(&said.stderr).into_owned())
}

/// Since when its limit is latched, as its report says.
pub fn since(stage: &mut Stage) -> String {
    until("a latched limit", DEADLINE, || {
        let report = stage.store.field(&Stage::record("strategy-grid-1"), "field:report")?;
        let report: Value = serde_json::from_str(&report).unwrap();
        report["risk"]["limits"][0]["since"].as_str().map(str::to_owned)
    })
}

/// How often outsiders were told that it was released.
fn told(stage: &mut Stage, words: &str) -> usize {
    let alerts = stage.store.entries(&Stage::topic("risk.alert"));
    alerts.iter().filter(|alert| alert.data.to_string().contains(words)).count()
}

#[test]
fn a_limit_stays_latched_whatever_dies_and_a_release_is_done_once() {
    let mut stage = stage(&limited_strategy(), LONG);
    stage.start(PACED);
    stage.wait_for_ticks(100);
    let first = since(&mut stage);
    all_die(&mut stage);
    assert_eq!(since(&mut stage), first);

    let whose = ["--strategy", "grid-1"];
    let (code, why) = release(&stage, whose, "2001-01-01T00:00:00Z");
    assert_eq!(code, Some(NOT_FOUND), "{why}");
    assert!(why.contains(&format!("there is: maxExposure@{first}")), "{why}");
    let (code, why) = release(&stage, whose, &first);
    assert_eq!(code, Some(0), "{why}");
    stage.actor("strategy").process().kill();
    stage.start_role("strategy");
    // It is latched anew, by a later tick: the same release does nothing about that.
    until("a later one", DEADLINE, || (since(&mut stage) != first).then_some(()));
    let second = since(&mut stage);
    stage.actor("strategy").process().kill();
    stage.start_role("strategy");
    stage.wait_for_more_ticks(100);
    assert_eq!((since(&mut stage), told(&mut stage, "its measure starts anew")), (second, 1));
    stage.hurry();
    stage.finish();
}

/// Since when the account's limit is latched, as its gateway's record says; none while it is not.
fn latched(stage: &mut Stage) -> Option<String> {
    let limits = stage.store.field(&Stage::record("gateway"), "field:latched")?;
    let limits: Value = serde_json::from_str(&limits).unwrap();
    limits[0]["since"].as_str().map(str::to_owned)
}

/// How many orders of the account have traded, by side.
fn trades(stage: &mut Stage, side: &str) -> usize {
    let fills = stage.store.entries(&Stage::topic("order.fill"));
    fills.iter().filter(|fill| fill.data["side"] == side).count()
}

#[test]
fn a_limit_of_the_account_holds_both_strategies_whatever_dies_and_a_release_is_done_once() {
    let mut stage = stage(&limited_account(), LONG);
    stage.start(PACED);
    stage.wait_for_ticks(100);
    let first = until("a latched limit", DEADLINE, || latched(&mut stage));
    all_die(&mut stage);
    assert_eq!(latched(&mut stage).as_ref(), Some(&first));
    // The gateway dies alone, in the middle of what it is asked.
    for _ in 0..3 {
        stage.actor("gateway").process().kill();
        stage.start_role("gateway");
        stage.wait_for_more_ticks(50);
    }
    assert_eq!(latched(&mut stage).as_ref(), Some(&first));
    until("a sale of what is held", DEADLINE, || (trades(&mut stage, "Sell") > 0).then_some(()));
    assert_eq!(trades(&mut stage, "Buy"), 0, "nothing is opened");

    let whose = ["--account", "paper"];
    let (code, why) = release(&stage, whose, "2001-01-01T00:00:00Z");
    assert_eq!(code, Some(NOT_FOUND), "{why}");
    assert!(why.contains(&format!("there is: maxExposure@{first}")), "{why}");
    stage.actor("gateway").process().kill();
    let (code, why) = release(&stage, whose, &first);
    assert_eq!(code, Some(0), "{why}");
    stage.start_role("gateway");
    // What is held is still worth more: it is latched anew, by a later price, and the same release does nothing about that.
    let second = until("a later one", DEADLINE, || latched(&mut stage).filter(|since| *since != first));
    stage.actor("gateway").process().kill();
    stage.start_role("gateway");
    stage.wait_for_more_ticks(100);
    let told = told(&mut stage, " of the account is released.");
    assert_eq!((latched(&mut stage), told, trades(&mut stage, "Buy")), (Some(second), 1, 0));
    stage.hurry();
    stage.finish();
}

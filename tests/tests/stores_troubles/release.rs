//! A latched limit through every death, and its release by hand, which is done once.

use serde_json::Value;
use tests::roles::{DEADLINE, Scene, Stage, manifest, strategy, until};

use crate::scenes::{LONG, PACED, prices};

const NOT_FOUND: i32 = 3;

/// A grid whose coins are worth more than it may have, from the first tick on.
fn stage() -> Stage {
    let limited = strategy("grid-1", "1") + "  risk: {maxExposure: {USDT: 1}}\n";
    let scene = Scene::new(&manifest("data.csv", 0, &[limited]), &prices(LONG));
    Stage::new(scene, &["--appendonly", "yes", "--appendfsync", "always"])
}

/// Since when its limit is latched, as its report says.
fn since(stage: &mut Stage) -> String {
    until("a latched limit", DEADLINE, || {
        let report = stage.store.field(&Stage::record("strategy-grid-1"), "field:report")?;
        let report: Value = serde_json::from_str(&report).unwrap();
        report["risk"]["limits"][0]["since"].as_str().map(str::to_owned)
    })
}

/// How often outsiders were told that it was released.
fn told(stage: &mut Stage) -> usize {
    let alerts = stage.store.entries(&Stage::topic("risk.alert"));
    alerts.iter().filter(|alert| alert.data.to_string().contains("its measure starts anew")).count()
}

#[test]
fn a_limit_stays_latched_whatever_dies_and_a_release_is_done_once() {
    let mut stage = stage();
    stage.start(PACED);
    stage.wait_for_ticks(100);
    let first = since(&mut stage);
    for actor in &stage.actors {
        actor.process().kill();
    }
    stage.redis.kill();
    stage.redis.restart();
    stage.start(PACED);
    stage.wait_for_more_ticks(100);
    assert_eq!(since(&mut stage), first);

    let (file, url) = (stage.scene.manifest().display().to_string(), stage.redis.url());
    let release = |stage: &Stage, since: &str| {
        let limit = format!("maxExposure@{since}");
        stage.scene.worker(&["ledger", "release", &file, "--redis", &url, "--strategy", "grid-1", "--limit", &limit])
    };
    let refused = release(&stage, "2001-01-01T00:00:00Z");
    assert_eq!(refused.status.code(), Some(NOT_FOUND), "{refused:?}");
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(why.contains(&format!("there is: maxExposure@{first}")), "{why}");
    let released = release(&stage, &first);
    assert_eq!(released.status.code(), Some(0), "{released:?}");
    stage.actor("strategy").process().kill();
    stage.start_role("strategy");
    // It is latched anew, by a later tick: the same release does nothing about that.
    until("a later one", DEADLINE, || (since(&mut stage) != first).then_some(()));
    let second = since(&mut stage);
    stage.actor("strategy").process().kill();
    stage.start_role("strategy");
    stage.wait_for_more_ticks(100);
    assert_eq!((since(&mut stage), told(&mut stage)), (second, 1));
    stage.hurry();
    stage.finish();
}

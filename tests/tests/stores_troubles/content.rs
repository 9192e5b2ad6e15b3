//! A store with somebody else's content, or with a record that this program may not take: exit 4, and why.

use serde_json::Value;
use tests::roles::Stage;

use crate::scenes::{REFUSED, scene, stage};

/// Every role started now ends with 4 and says all of this.
fn all_refuse(stage: &mut Stage, words: &[&str]) {
    for actor in &stage.actors {
        refuses(stage, &actor.launch, words);
    }
}

fn refuses(stage: &Stage, launch: &tests::roles::Launch, words: &[&str]) {
    let process = stage.scene.start(launch);
    assert_eq!(process.exit_code(), REFUSED, "{}", process.log());
    for word in words {
        assert!(process.log().contains(word), "{word:?} is said: {}", process.log());
    }
}

#[test]
fn the_prefix_of_another_installation() {
    let mut stage = Stage::new(scene(100), &[]);
    for actor in &mut stage.actors {
        actor.launch = actor.launch.with("--installation", "north");
    }
    all_refuse(&mut stage, &["glm", "belongs to installation", "north", "--prefix"]);
    let manifest = stage.scene.manifest().to_str().unwrap().to_owned();
    let url = stage.redis.url();
    let created = ["ledger", "create", &manifest, "--redis", &url, "--installation", "north"];
    assert_eq!(stage.scene.worker(&created).status.code(), Some(REFUSED));
}

#[test]
fn a_state_of_a_newer_version() {
    let mut stage = stage(600);
    stage.start(None);
    stage.finish();
    let record = Stage::record("strategy-grid-1");
    let before = stage.store.field(&record, "field:engine").unwrap();
    let mut saved: Value = serde_json::from_str(&before).unwrap();
    let version = saved["version"].as_u64().unwrap();
    saved["version"] = (version + 1).into();
    stage.store.ask(&["HSET", &record, "field:engine", &saved.to_string()]);
    let launch = stage.actor("strategy").launch.clone();
    let words = [format!("version {}", version + 1), "run the newer image".to_owned()];
    refuses(&stage, &launch, &words.each_ref().map(String::as_str));
    assert_eq!(stage.store.field(&record, "field:engine"), Some(saved.to_string()), "it is left as it is");

    stage.store.ask(&["HSET", &record, "field:engine", &before]);
    stage.start_role("strategy");
    stage.actor("strategy").process().ready();
    stage.finish();
    stage.audit().unwrap();
}

#[test]
fn a_state_that_does_not_read() {
    let mut stage = stage(300);
    stage.start(None);
    stage.finish();
    for (role, field) in [("strategy", "field:engine"), ("gateway", "field:venue")] {
        let launch = stage.actor(role).launch.clone();
        stage.store.ask(&["HSET", &Stage::record(&launch.owner()), field, "{\"version\":"]);
        refuses(&stage, &launch, &["does not read", &launch.owner()]);
    }
}

#[test]
fn another_ledger() {
    let stage = Stage::new(scene(100), &[]);
    for actor in &stage.actors {
        let ledger = actor.launch.option("--ledger");
        refuses(&stage, &actor.launch.with("--ledger", "zzzzzz"), &["LedgerFound", &ledger, "zzzzzz"]);
    }
}

#[test]
fn a_closed_ledger() {
    let mut stage = Stage::new(scene(6_000), &[]);
    for actor in &mut stage.actors {
        actor.launch = actor.launch.with_admin();
    }
    stage.start(Some(1_000));
    stage.wait_for_ticks(500);
    let manifest = stage.scene.manifest().to_str().unwrap().to_owned();
    let url = stage.redis.url();
    let closed = stage.scene.worker(&["ledger", "close", &manifest, "--redis", &url]);
    assert_eq!(closed.status.code(), Some(0));
    for actor in &stage.actors {
        if actor.launch.role() == "strategy" {
            // It stays until its pod is deleted: an end by itself would only be started again.
            assert!(actor.process().not_ready("LedgerClosed").contains("is closed for good"));
            actor.process().stop();
            let again = stage.scene.start(&actor.launch);
            again.not_ready("LedgerClosed");
            again.stop();
        } else {
            assert_eq!(actor.process().exit_code(), REFUSED, "{}", actor.process().log());
            assert!(actor.process().log().contains("is closed for good"), "{}", actor.process().log());
            refuses(&stage, &actor.launch, &["is closed for good"]);
        }
    }
}

/// The prefix is used by something else.
#[test]
fn a_key_of_another_type() {
    let mut stage = Stage::new(scene(100), &[]);
    for actor in &stage.actors {
        let record = Stage::record(&actor.launch.owner());
        stage.store.ask(&["DEL", &record]);
        stage.store.ask(&["SET", &record, "theirs"]);
    }
    all_refuse(&mut stage, &["the key holds another type"]);
}

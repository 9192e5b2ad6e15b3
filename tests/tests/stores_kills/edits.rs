//! Parameters that are edited while processes run: the worker that runs follows its register, and what it leaves is, to the
//! byte, what one leaves that is started on the same tick with the edited spec.

use std::time::Instant;

use engine::testkit::quoting::Chance;
use serde_json::Value;
use tests::roles::{DEADLINE, Scene, Stage, manifest, strategy, until};

use crate::replays::prices;
use crate::transfers::seed;

const OWNER: &str = "strategy-grid-1";
const TICKS: u64 = 6_000;

fn text(size: &str) -> String {
    manifest("data.csv", 0, &[strategy("grid-1", size)])
}

/// The grid size that the worker says it trades by.
fn size(stage: &mut Stage) -> Value {
    let report = stage.store.field(&Stage::record(OWNER), "field:report").unwrap_or_default();
    serde_json::from_str::<Value>(&report).unwrap_or_default()["strategy"]["gridSizePercent"].clone()
}

/// Lets the feed stop, and waits until the strategy has taken all that is out.
fn pause_data(stage: &mut Stage) -> u64 {
    stage.actor("feed").process.take().expect("it runs").stop();
    let out = stage.store.ever_added(&Stage::ticks("BNB/USDT"));
    stage.wait_for_ticks(out);
    assert!(out < TICKS, "the data has not ended");
    out
}

fn start_next(stage: &mut Stage, role: &str) {
    let scene = &stage.scene;
    let actor = stage.actors.iter_mut().find(|actor| actor.launch.role() == role).expect("there is one");
    actor.launch = actor.launch.at_epoch(actor.launch.epoch() + 1);
    actor.start(scene);
}

/// The result at the end of the data.
fn end(stage: &mut Stage) -> String {
    stage.wait_for_end();
    stage.stop();
    stage.audit_orders().unwrap();
    stage.scene.show(&stage.redis.url()).unwrap()
}

#[test]
fn an_edit_that_is_followed_gives_the_bytes_of_a_start_with_it_amid_kills() {
    let seed = seed();
    println!("SEED={seed}");
    let mut random = Chance::of(seed);
    let mut stage = Stage::new(Scene::new(&text("1"), &prices(TICKS, 0)), &[]);
    stage.start(Some(500));
    stage.wait_for_ticks(200 + random.below(400));
    let at = pause_data(&mut stage);
    assert_eq!(stage.redis.cli(&["SAVE"]), "OK");

    // The register says it, and the worker that runs follows.
    let edited = stage.scene.other_manifest("edited.yaml", &text("0.5"));
    let process = stage.actor("strategy").process().id();
    stage.scene.create(&edited, &stage.redis.url());
    let started = Instant::now();
    stage.store.add(&Stage::topic(&format!("inbox:{OWNER}")), r#"{"kind":"Control"}"#);
    until("the edit to be followed", DEADLINE, || (size(&mut stage) == "0.5").then_some(()));
    println!("followed after {:?}", started.elapsed());
    assert_eq!(stage.actor("strategy").process().id(), process, "it is the same process");
    stage.start_role("feed");
    for _ in 0..8 {
        // Who comes after it is told what the first one was told.
        let role = if random.one_in(2) { "strategy" } else { "gateway" };
        stage.actor(role).process().kill();
        start_next(&mut stage, role);
        stage.wait_for_more_ticks(1 + random.below(300));
    }
    let followed = end(&mut stage);

    // The store as it was before the edit, whose register is older than what the worker is started with.
    stage.redis.restart();
    assert_eq!(stage.progress(), at);
    let launch = stage.actor("strategy").launch.clone();
    let mut spec: Value = serde_json::from_str(&launch.option("--spec")).unwrap();
    spec["spec"]["strategy"]["grid"]["gridSizePercent"] = "0.5".into();
    spec["generation"] = 2.into();
    stage.actor("strategy").launch = launch.with("--spec", &spec.to_string());
    for role in ["strategy", "gateway", "feed"] {
        start_next(&mut stage, role);
    }
    let started = end(&mut stage);
    assert_eq!(followed, started);
    assert_ne!(followed, stage.expected, "the edit makes it trade otherwise");
}

//! A ladder that a human pauses, limits and edits while every process and Redis itself are killed: its orders go and come back,
//! and what its pairs have gained goes on.

use engine::numbers::Notional;
use serde_json::Value;
use tests::roles::{DEADLINE, Stage, ladder, manifest, until};

use crate::release::{all_die, release, since, stage};
use crate::scenes::PACED;

const OWNER: &str = "strategy-grid-1";
/// Ticks that at this speed last for longer than all that happens, on a slow machine too.
const TICKS: u64 = 60_000;
const WIDE: (u64, u64) = (590, 610);
const WIDER: (u64, u64) = (584, 616);

/// The ladder between these bounds, with so many levels.
fn asking(bounds: (u64, u64), levels: u32) -> String {
    manifest("data.csv", 0, &[ladder("grid-1", bounds, &format!("levels: {levels}, quantity: \"0.1\""))])
}

/// The same, wanted Paused.
fn paused() -> String {
    asking(WIDE, 10) + "  state: Paused\n"
}

/// The same, with coins that are worth more than it may have.
fn limited() -> String {
    asking(WIDE, 10).replace("maxOrdersPerMinute: 600", "maxOrdersPerMinute: 600, maxExposure: {USDT: 1}")
}

/// What it shows of itself.
#[derive(Debug)]
struct Shown {
    levels: u64,
    buys: u64,
    sells: u64,
    matched: u64,
    gained: Notional,
    phase: String,
}

fn shown(stage: &mut Stage) -> Option<Shown> {
    let mut field = |name: &str| -> Option<Value> {
        serde_json::from_str(&stage.store.field(&Stage::record(OWNER), &format!("field:{name}"))?).ok()
    };
    let (report, phase) = (field("report")?, field("phase")?);
    let figures = &report["strategy"];
    Some(Shown {
        levels: figures["levels"].as_u64()?,
        buys: figures["resting"]["buys"].as_u64()?,
        sells: figures["resting"]["sells"].as_u64()?,
        matched: figures["matchedTrades"].as_u64()?,
        gained: figures["gridProfit"].as_str()?.parse().ok()?,
        phase: phase["state"].as_str()?.to_owned(),
    })
}

fn until_it(stage: &mut Stage, what: &str, holds: impl Fn(&Shown) -> bool) -> Shown {
    until(&format!("{what}; {}", stage.logs()), DEADLINE, || shown(stage).filter(&holds))
}

/// The registers follow this manifest; where the parameters are others, so does the next worker.
fn follow(stage: &mut Stage, text: &str) {
    let file = stage.scene.other_manifest("edited.yaml", text);
    let launches = stage.scene.create(&file, &stage.redis.url());
    let edited = launches.into_iter().find(|launch| launch.role() == "strategy").expect("a strategy");
    let actor = stage.actor("strategy");
    actor.launch = actor.launch.with("--spec", &edited.option("--spec"));
}

/// No tick comes any more, and what was told is done.
fn come_to_rest(stage: &mut Stage) {
    stage.actor("feed").process.take().unwrap().stop();
    let published = stage.store.ever_added(&Stage::ticks("BNB/USDT"));
    stage.wait_for_ticks(published);
    let (record, commands) = (Stage::record(OWNER), Stage::topic("order.command"));
    until(&format!("nothing to be under way; {}", stage.logs()), DEADLINE, || {
        let advance: Value = serde_json::from_str(&stage.store.field(&record, "field:advance")?).ok()?;
        (advance["answered"] == true && stage.store.entries(&commands).is_empty()).then_some(())
    });
    stage.stop();
}

#[test]
fn what_is_cancelled_for_a_pause_a_limit_and_an_edit_comes_back_whatever_dies() {
    let mut stage = stage(&asking(WIDE, 10), TICKS);
    stage.start(PACED);
    let before = until_it(&mut stage, "some pairs", |it| it.matched > 3 && it.buys > 0);

    follow(&mut stage, &paused());
    until_it(&mut stage, "no buy to rest", |it| it.phase == "Paused" && it.buys == 0);
    all_die(&mut stage);
    let held = until_it(&mut stage, "a look", |_| true);
    assert_eq!((held.phase.as_str(), held.buys), ("Paused", 0));
    follow(&mut stage, &asking(WIDE, 10));
    all_die(&mut stage);
    let resumed = until_it(&mut stage, "buys to be back", |it| it.phase == "Running" && it.buys > 0 && it.sells > 0);
    assert!(resumed.matched >= before.matched && resumed.gained >= before.gained, "{before:?} {resumed:?}");

    follow(&mut stage, &limited());
    let first = since(&mut stage);
    until_it(&mut stage, "no buy to rest", |it| it.buys == 0);
    all_die(&mut stage);
    assert_eq!((since(&mut stage), shown(&mut stage).unwrap().buys), (first.clone(), 0));
    // Without its limit it is latched all the same.
    follow(&mut stage, &asking(WIDE, 10));
    stage.wait_for_more_ticks(200);
    assert_eq!((since(&mut stage), shown(&mut stage).unwrap().buys), (first.clone(), 0));
    let (code, why) = release(&stage, ["--strategy", "grid-1"], &first);
    assert_eq!(code, Some(0), "{why}");
    let released = until_it(&mut stage, "buys to be back", |it| it.buys > 0 && it.sells > 0);

    follow(&mut stage, &asking(WIDER, 8));
    all_die(&mut stage);
    let edited = until_it(&mut stage, "other levels", |it| it.levels == 8 && it.buys + it.sells == 8);
    all_die(&mut stage);
    let last = until_it(&mut stage, "more pairs", |it| it.matched > edited.matched + 1);
    assert!(edited.matched >= released.matched && last.gained > released.gained, "{released:?} {edited:?} {last:?}");

    come_to_rest(&mut stage);
    stage.audit_orders().unwrap();
    let report = stage.store.field(&Stage::record(OWNER), "field:report").unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let ledger = stage.store.field(&Stage::record(OWNER), "_ledger").unwrap();
    let book = stage.store.field(&Stage::record("gateway"), &format!("field:book:{ledger}")).unwrap();
    let book: Value = serde_json::from_str(&book).unwrap();
    assert_eq!(book["amounts"], report["position"], "the sub-account and the strategy's position");
}

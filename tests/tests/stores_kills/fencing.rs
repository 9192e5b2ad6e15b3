//! Two processes of one record: the older is refused at its next commit and exits 70, be it slow, frozen or idle,
//! and be the newer of a higher epoch or of the same. The trades stay those of `backtest`.

use tests::roles::{RoleProcess, Stage};

use crate::replays::one_strategy;

const FENCED: i32 = 70;

/// Puts a second process of a role beside the first, and gives the first.
fn double(stage: &mut Stage, role: &str, epochs_up: u64) -> RoleProcess {
    let scene = &stage.scene;
    let actor = stage.actors.iter_mut().find(|actor| actor.launch.role() == role).unwrap();
    actor.launch = actor.launch.at_epoch(actor.launch.epoch() + epochs_up);
    let newer = scene.start(&actor.launch);
    actor.process.replace(newer).unwrap()
}

fn is_refused(older: &RoleProcess) {
    assert_eq!(older.exit_code(), FENCED, "{}", older.log());
    assert!(older.log().contains("fenced: epoch"), "{}", older.log());
}

fn the_older_is_refused(role: &str) {
    let mut stage = Stage::new(one_strategy(12_000, 0), &[]);
    // Half a minute of data, so that all of it is in the middle on a slow machine too.
    stage.start(Some(400));
    stage.wait_for_ticks(300);

    // A higher epoch.
    is_refused(&double(&mut stage, role, 1));
    let taken = stage.progress();
    stage.wait_for_ticks(taken + 300);

    // The same epoch: the incarnation is counted up.
    is_refused(&double(&mut stage, role, 0));
    let taken = stage.progress();
    stage.wait_for_ticks(taken + 300);

    // Frozen while the newer works, and thawed.
    stage.actor(role).process().signal("STOP");
    let older = double(&mut stage, role, 1);
    let taken = stage.progress();
    stage.wait_for_ticks(taken + 600);
    assert_eq!(older.ended(), None, "it is frozen");
    older.signal("CONT");
    is_refused(&older);

    assert!(stage.progress() < stage.total * 99 / 100, "all of this was in the middle");
    stage.hurry();
    stage.finish();
    stage.audit().unwrap();
}

#[test]
fn the_older_strategy_exits_70() {
    the_older_is_refused("strategy");
}

#[test]
fn the_older_gateway_exits_70() {
    the_older_is_refused("gateway");
}

#[test]
fn the_older_feed_exits_70() {
    the_older_is_refused("feed");
}

/// At the end of the data nobody commits any more; the older learns of its successor all the same.
#[test]
fn an_idle_process_learns_that_it_was_replaced() {
    let mut stage = Stage::new(one_strategy(400, 0), &[]);
    stage.start(None);
    stage.wait_for_end();
    let older: Vec<_> = ["strategy", "gateway", "feed"].map(|role| double(&mut stage, role, 1)).into();
    for process in older {
        assert_eq!(process.exit_code(), FENCED, "{}", process.log());
    }
    stage.finish();
    stage.audit().unwrap();
}

/// An older epoch never gets the lease, and disturbs nobody.
#[test]
fn an_older_epoch_does_not_start() {
    let mut stage = Stage::new(one_strategy(2_000, 0), &[]);
    for actor in &mut stage.actors {
        actor.launch = actor.launch.at_epoch(5);
    }
    stage.start(Some(1_000));
    stage.wait_for_ticks(300);
    for actor in &stage.actors {
        let late = stage.scene.start(&actor.launch.at_epoch(4));
        assert_eq!(late.exit_code(), FENCED, "{}", late.log());
    }
    stage.finish();
    stage.audit().unwrap();
}

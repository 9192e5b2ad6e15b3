//! Redis emptied in the middle: nobody trades on, and nobody makes a new ledger by itself.

use std::time::{Duration, Instant};

use tests::{
    proxy::resp::Frame,
    roles::{Stage, until},
};

use crate::replays::{one_strategy, two_strategies};

const REFUSED: i32 = 4;
/// Far more ticks than one are due in this time.
const REST: Duration = Duration::from_secs(2);

/// Every process ends by itself, also those that had nothing to do, and the store stays empty.
fn nobody_trades_on(stage: &mut Stage) {
    stage.store.ask(&["FLUSHALL"]);
    for actor in &stage.actors {
        let process = actor.process();
        assert_eq!(process.exit_code_within(Duration::from_secs(20)), REFUSED, "{}", process.log());
        assert!(process.log().contains("LedgerLost: the store has no record of"), "{}", process.log());
    }
    assert_eq!(keys(stage), Vec::<String>::new(), "nothing was written after it");

    // Started again, as a pod would be: still nobody trades.
    for actor in &mut stage.actors {
        actor.launch = actor.launch.at_epoch(actor.launch.epoch() + 1);
        actor.start(&stage.scene);
    }
    for actor in &stage.actors {
        assert_eq!(actor.process().exit_code(), REFUSED, "{}", actor.process().log());
    }
    assert_eq!(keys(stage), ["glm:installation"]);
    let shown = stage.scene.worker(&[
        "ledger",
        "show",
        stage.scene.manifest().to_str().unwrap(),
        "--redis",
        &stage.redis.url(),
    ]);
    assert_eq!(shown.status.code(), Some(3), "there is no ledger to show");
}

fn keys(stage: &mut Stage) -> Vec<String> {
    stage.store.ask(&["KEYS", "*"]).items().iter().filter_map(Frame::text).collect()
}

#[test]
fn emptied_in_the_middle_of_a_paced_replay() {
    let mut stage = Stage::new(one_strategy(20_000, 0), &[]);
    stage.start(Some(1_000));
    stage.wait_for_ticks(1_000);
    nobody_trades_on(&mut stage);
}

#[test]
fn emptied_at_full_speed_with_two_strategies_and_orders_that_wait() {
    let mut stage = Stage::new(two_strategies(20_000, 2_500), &[]);
    stage.start(None);
    stage.wait_for_ticks(1_000);
    nobody_trades_on(&mut stage);
}

/// Everything but one record: the others go on only as far as they can without it.
#[test]
fn one_record_lost() {
    for role in ["strategy", "gateway", "feed"] {
        let mut stage = Stage::new(one_strategy(20_000, 0), &[]);
        stage.start(Some(1_000));
        stage.wait_for_ticks(500);
        let owner = stage.actor(role).launch.owner();
        stage.store.ask(&["DEL", &Stage::record(&owner)]);
        let process = stage.actor(role).process();
        assert_eq!(process.exit_code_within(Duration::from_secs(20)), REFUSED, "{}", process.log());
        assert!(process.log().contains(&format!("the store has no record of {owner}")), "{}", process.log());
        if role == "strategy" {
            continue;
        }
        // Without a gateway an order stays open, without a feed no tick comes: the strategy comes to rest.
        let (mut last, mut since) = (stage.progress(), Instant::now());
        until("the strategy to come to rest", Duration::from_secs(30), || {
            let now = stage.progress();
            if now > last {
                (last, since) = (now, Instant::now());
            }
            (since.elapsed() > REST).then_some(())
        });
        assert!(last < stage.total, "it did not trade to the end");
    }
}

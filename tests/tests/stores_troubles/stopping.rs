//! SIGTERM: each role finishes its batch, commits and ends with 0; started again it goes on as if nothing was.

use std::time::Duration;

use tests::roles::{Stage, until};

use crate::scenes::{LONG, PACED, stage};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn each_role_ends_soon_and_goes_on_later() {
    let mut stage = stage(LONG);
    stage.start(PACED);
    for role in ["strategy", "gateway", "feed", "strategy", "gateway", "feed"] {
        stage.wait_for_more_ticks(200);
        let process = stage.actor(role).process.take().unwrap();
        process.signal("TERM");
        assert_eq!(process.exit_code_within(SOON), 0, "{}", process.log());
        stage.start_role(role);
        stage.actor(role).process().ready();
    }
    stage.hurry();
    stage.finish();
    stage.audit().unwrap();
}

#[test]
fn all_at_once_in_the_middle() {
    let mut stage = stage(LONG);
    stage.start(None);
    stage.wait_for_ticks(500);
    stage.stop();
    let taken = stage.progress();
    assert!(taken < stage.total, "it was in the middle");
    stage.start(None);
    stage.finish();
    stage.audit().unwrap();
}

/// Asked while it waits for others, or for anything to do.
#[test]
fn each_role_ends_soon_when_idle() {
    let mut stage = stage(300);
    for role in ["strategy", "gateway", "feed"] {
        stage.start_role(role);
        stage.actor(role).process().ready();
        let process = stage.actor(role).process.take().unwrap();
        process.signal("TERM");
        assert_eq!(process.exit_code_within(SOON), 0, "{}", process.log());
    }
    stage.start(None);
    stage.wait_for_end();
    stage.stop();
    stage.audit().unwrap();
}

/// Asked while Redis is away: it cannot finish, but it ends, and says that nothing is half done.
#[test]
fn each_role_ends_soon_while_redis_is_away() {
    let mut stage = stage(LONG);
    stage.start(PACED);
    stage.wait_for_ticks(500);
    stage.redis.kill();
    for actor in &mut stage.actors {
        let process = actor.process.take().unwrap();
        process.not_ready("RedisUnavailable");
        process.signal("TERM");
        let code = until("its end", SOON, || process.ended());
        assert!(code == 0 || code == 1, "{code}: {}", process.log());
        assert!(code == 0 || process.log().contains("nothing half-done was stored"), "{}", process.log());
    }
    stage.redis.restart();
    stage.start(None);
    stage.finish();
    stage.audit().unwrap();
}

/// The result can be asked for again, and a role of a finished replay starts and stops like any other.
#[test]
fn a_finished_replay_stays_finished() {
    let mut stage = stage(600);
    stage.start(None);
    stage.finish();
    let added = |stage: &mut Stage| stage.store.ever_added(&Stage::topic("order.fill"));
    let fills = added(&mut stage);
    for actor in &mut stage.actors {
        actor.launch = actor.launch.at_epoch(2);
    }
    stage.start(None);
    for actor in &stage.actors {
        actor.process().ready();
    }
    stage.finish();
    assert_eq!(added(&mut stage), fills);
    stage.audit().unwrap();
}

//! What surrounds a process: a stderr that takes no word, those who reach its admin address, and a store whose
//! settings change under it.

use std::{io::Write as _, net::TcpStream};

use tests::roles::Stage;

use crate::scenes::{LONG, PACED, scene, stage};

/// A pipe that is full and that nobody reads, although the process itself holds its other end.
const STUCK: &str = "mkfifo stuck-$$; exec 3<>stuck-$$; \
                     dd if=/dev/zero of=stuck-$$ oflag=nonblock bs=4096 2>/dev/null; exec 2>stuck-$$";

#[test]
fn roles_that_nobody_hears_trade_on() {
    for deaf in ["exec 2>/dev/full", "exec 2>&-", STUCK] {
        let mut stage = Stage::new(scene(1_000), &[]);
        for actor in &mut stage.actors {
            actor.launch = actor.launch.at_speed(None);
            actor.process = Some(stage.scene.start_after(&format!("export GLM_LOG=debug; {deaf}"), &actor.launch));
        }
        stage.finish();
        stage.audit().unwrap();
    }
}

#[test]
fn half_requests_take_neither_the_store_nor_a_probe_away() {
    let mut stage = stage(LONG);
    for actor in &mut stage.actors {
        actor.launch = actor.launch.at_speed(PACED);
        actor.process = Some(stage.scene.start_after("ulimit -n 64", &actor.launch));
    }
    stage.wait_for_ticks(300);
    let mut halves = Vec::new();
    for actor in &stage.actors {
        let address = actor.process().admin();
        for _ in 0..200 {
            let mut half = TcpStream::connect(address).unwrap();
            half.write_all(b"GET /healthz HTTP/1.1\r\nHost: te").unwrap();
            halves.push(half);
        }
    }
    // Every connection to the store is lost, and new ones need descriptors.
    stage.redis.restart();
    for actor in &stage.actors {
        actor.process().ready();
    }
    stage.wait_for_more_ticks(300);
    drop(halves);
    stage.hurry();
    stage.finish();
    stage.audit().unwrap();
}

#[test]
fn a_store_that_becomes_unfit_is_told_by_everybody() {
    let mut stage = stage(LONG);
    stage.start(PACED);
    stage.wait_for_ticks(300);
    stage.redis.cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    for actor in &stage.actors {
        let text = actor.process().not_ready("StoreUnfit");
        assert!(text.contains("CONFIG SET maxmemory-policy noeviction"), "{text}");
    }
    stage.redis.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    for actor in &stage.actors {
        actor.process().ready();
    }
    stage.hurry();
    stage.finish();
    stage.audit().unwrap();
}

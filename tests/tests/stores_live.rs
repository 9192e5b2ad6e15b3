//! Live paper on a market server, recorded by `worker record` meanwhile, and replayed by `backtest`: what differs has a cause
//! that stands in a closed list, and is counted.
//!
//! `session` runs the processes, `parity` compares and knows the causes; `week` is what long ones hold in memory; `futures` are
//! recorded, and not traded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "stores_live/futures.rs"]
mod futures;
#[path = "stores_live/parity.rs"]
mod parity;
#[path = "stores_live/session.rs"]
mod session;
#[path = "stores_live/week.rs"]
mod week;

use std::collections::BTreeMap;

use market_server::process::Server;
use serde_json::Value;
use tests::redis_server::RedisServer;
use tests::roles::{DEADLINE, Scene, Store, until};

use session::{Session, Taped};

const STRATEGIES: [&str; 2] = ["ladder", "grid"];

/// What was compared proves something: orders traded, several times in part, and rested to the end.
fn is_eventful(taped: &Taped) {
    let trades: usize = STRATEGIES.iter().map(|name| taped.live.trades(name).len()).sum();
    assert!(trades >= 50, "{trades} trades");
    assert!(taped.partial_fills >= 5, "{} partial fills", taped.partial_fills);
    let resting = taped.live.of_strategy("ladder")["openOrders"].as_array().expect("orders that are open");
    assert!(resting.iter().any(|order| order["status"] == "Accepted"), "{resting:?}");
    for name in STRATEGIES {
        assert_eq!(taped.live.of_strategy(name)["tradesMissing"], Value::Null, "{name}: all trades are kept");
    }
}

#[test]
fn a_recorded_session_is_the_backtest_of_its_recording() {
    let mut session = Session::start();
    session.plays();
    let taped = session.ends();
    is_eventful(&taped);
    assert_eq!(taped.gaps, []);
    let causes = parity::of_ticks(&taped.ticks, &taped.recorded, &taped.gaps).unwrap();
    assert_eq!(causes, BTreeMap::new());
    for name in STRATEGIES {
        let (live, replay) = (taped.live.without_own(name), taped.replay.without_own(name));
        assert_eq!(live, replay, "{name}, to the byte");
        let causes = parity::of_trades(taped.live.trades(name), taped.replay.trades(name), &taped.gaps).unwrap();
        assert_eq!(causes, BTreeMap::new(), "{name}");
    }
}

#[test]
fn the_roles_of_a_live_account_trade_as_processes_of_their_own_by_their_printed_commands() {
    let market = session::recorded_market().display().to_string();
    let server = Server::spawn(&session::program(), &["--recording", &market]).unwrap();
    let redis = RedisServer::start_with(&["--appendonly", "yes"]);
    let (scene, mut store) = (Scene::without_data(session::MANIFEST), Store::of(&redis));
    let hosts = format!("local={},{}", server.endpoints.rest, server.endpoints.stream);
    let launches = scene.create_with(scene.manifest(), &["--redis", &redis.url(), "--endpoint", &hosts]);
    let roles: Vec<_> = launches.iter().map(|launch| launch.role().to_owned()).collect();
    assert_eq!(roles, ["strategy", "strategy", "gateway", "feed"]);
    let processes: Vec<_> = launches.iter().map(|launch| scene.start(launch)).collect();
    for name in STRATEGIES {
        until(&format!("ticks of {name}"), DEADLINE, || {
            for process in &processes {
                assert_eq!(process.ended(), None, "{}", process.log());
            }
            (store.ticks_taken(&session::record_of(name)) > 10).then_some(())
        });
    }
    processes.iter().for_each(tests::roles::RoleProcess::stop);
    // A host that is not named is asked for.
    let refused = scene.worker(&["ledger", "create", scene.manifest().to_str().unwrap(), "--redis", &redis.url()]);
    assert_eq!(refused.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--endpoint local=URL"), "{refused:?}");
}

//! Live paper on a market server, recorded by `worker record` meanwhile, and replayed by `backtest`: what differs has a cause
//! that stands in a closed list, and is counted.
//!
//! `session` runs the processes, `parity` compares and knows the causes; `week` is what long ones hold in memory,
//! `screen` what a person sees in a `terminal`, `recorder` what is on the disk once it has ended; `futures` are recorded, and
//! not traded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "stores_live/futures.rs"]
mod futures;
#[path = "stores_live/parity.rs"]
mod parity;
#[path = "stores_live/recorder.rs"]
mod recorder;
#[path = "stores_live/screen.rs"]
mod screen;
#[path = "stores_live/session.rs"]
mod session;
#[path = "stores_live/terminal.rs"]
mod terminal;
#[path = "stores_live/week.rs"]
mod week;

use std::collections::BTreeMap;

use market_server::process::Server;
use serde_json::Value;
use tests::redis_server::RedisServer;
use tests::roles::{DEADLINE, Scene, Store, until};

use parity::Cause;
use session::{Cut, Session, Taped};

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

/// Nothing differs from the replay of its recording.
fn is_its_backtest(taped: &Taped) {
    for name in STRATEGIES {
        let (live, replay) = (taped.live.without_own(name), taped.replay.without_own(name));
        assert_eq!(live, replay, "{name}, to the byte");
        let causes = taped.causes_of_trades(name).unwrap();
        assert_eq!(causes, BTreeMap::new(), "{name}");
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
    is_its_backtest(&taped);
}

#[test]
fn a_hole_of_a_session_stands_in_its_recording_and_the_backtest_has_it_too() {
    let mut session = Session::start();
    session.skips(7, 1_500);
    session.is_cut_off(Cut::Both, 400, 3_000);
    session.plays();
    let taped = session.ends();
    is_eventful(&taped);
    let causes: Vec<_> = taped.gaps.iter().map(|gap| (gap.cause.as_str(), gap.missed)).collect();
    let [("Skipped", 7), ("Disconnect", missed @ 400..)] = causes[..] else { panic!("{:?}", taped.gaps) };
    let told: Vec<_> = taped.gaps.iter().map(|gap| (gap.from, gap.to, gap.missed)).collect();
    assert_eq!(told, parity::holes(&taped.recorded), "each hole of the session, with both ends");
    let causes = parity::of_ticks(&taped.ticks, &taped.recorded, &taped.gaps).unwrap();
    println!("{:?}, {causes:?}", taped.gaps);
    assert_eq!(causes, BTreeMap::from([(Cause::HoleOfBoth, 7 + missed)]));
    is_its_backtest(&taped);
}

#[test]
fn a_hole_of_the_session_alone_is_the_cause_of_all_that_differs_from_the_backtest() {
    let mut session = Session::start();
    session.is_cut_off(Cut::Session, 400, 3_000);
    session.plays();
    let taped = session.ends();
    let [gap] = &taped.gaps[..] else { panic!("one hole is told: {:?}", taped.gaps) };
    assert_eq!((gap.cause.as_str(), parity::holes(&taped.recorded)), ("Disconnect", vec![]));
    let ends = [gap.from, gap.to].map(|end| taped.recorded.iter().any(|tick| tick.event_time().millis() == end));
    assert_eq!(ends, [true, true], "the recording has both ends of the hole, and all trades within");
    let mut causes = parity::of_ticks(&taped.ticks, &taped.recorded, &taped.gaps).unwrap();
    assert_eq!(causes.get(&Cause::Hole), Some(&gap.missed));
    for name in STRATEGIES {
        for (cause, count) in taped.causes_of_trades(name).unwrap() {
            *causes.entry(cause).or_default() += count;
        }
    }
    println!("{gap:?}, {causes:?}");
    let known = [Cause::Hole, Cause::QuoteBehindHole, Cause::TradeBehindHole];
    assert!(causes.keys().all(|cause| known.contains(cause)), "{causes:?}");
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

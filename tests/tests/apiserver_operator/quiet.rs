//! When an operator must not write: once a fleet has settled, and before it has seen all of it.

use std::time::{Duration, Instant};

use operator::names::Role;
use serde_json::json;
use tests::apiserver::{Behaviour, Kind, World, await_that, pause_after};
use tests::figures;

use super::scenarios::{ACCOUNT, STRATEGY, account_spec, create, strategy_spec};
use super::settled::quiet;

#[tokio::test]
async fn a_settled_fleet_writes_nothing() {
    let world = World::alone().await;
    let strategies: Vec<(String, String)> = (0..4)
        .flat_map(|account| (0..3).map(move |n| (format!("account-{account}"), format!("grid-{account}-{n}"))))
        .collect();
    for account in 0..4 {
        world.create(Kind::Account, &format!("account-{account}"), account_spec()).await;
    }
    for (account, name) in &strategies {
        let mut spec = strategy_spec();
        spec["accountRef"]["name"] = json!(account);
        world.create(Kind::Strategy, name, spec).await;
    }
    for (account, name) in &strategies {
        world.until_reason(Kind::Strategy, name, "Trading").await;
        world.until_reason(Kind::Account, account, "Available").await;
    }
    quiet(&world).await;
    world.tap.arm(None);
    let count = || (world.counted("reconciles_total", &[])[&vec![]], figures::writes(&world.metrics.text().unwrap()));
    let (looks, writes) = count();
    // What concerns nobody is written to one of them.
    let annotated = json!({"metadata": {"annotations": {"example.com/note": "nobody asks for it"}}});
    world.patch(Kind::Strategy, &strategies[0].1, annotated).await;
    for _ in 0..3 {
        for (_, name) in &strategies {
            world.nudge(name);
        }
        world.look_at_all().await.unwrap();
    }
    let (done, written) = count();
    println!("12 strategies and 4 accounts, {} looks: {} writes", done - looks, world.tap.writes().len());
    assert_eq!(world.tap.writes(), Vec::<String>::new());
    // Nor does it ask: what it is to decide by, its watches have told it.
    assert_eq!(world.tap.reads(), Vec::<String>::new());
    assert_eq!(written - writes, 0, "it counts what it sends");
    assert_eq!(world.audited().0, Vec::<String>::new());
}

/// Pods that no node has room for, for longer than anybody looks: nothing but their events leads to more than a look now and then.
#[tokio::test]
async fn pods_that_nobody_places_are_looked_at_ever_more_seldom() {
    let world = World::alone().await;
    world.kubelet.behave(Role::Strategy, Behaviour::NeverStarts);
    world.create(Kind::Account, ACCOUNT, account_spec()).await;
    let names: Vec<String> = (0..10).map(|n| format!("grid-{n}")).collect();
    for name in &names {
        let mut spec = strategy_spec();
        spec["capital"] = json!({"USDT": "100"});
        world.create(Kind::Strategy, name, spec).await;
    }
    for name in &names {
        world.until_reason(Kind::Strategy, name, "PodBlocked").await;
    }
    // What is under way is looked at each second at first.
    let seldom = || async { (world.backing_off() >= names.len()).then_some(()) };
    await_that("all are looked at more seldom", seldom).await;
    world.tap.arm(None);
    let looks = || world.counted("reconciles_total", &[])[&vec![]];
    let (begun, before) = (Instant::now(), looks());
    let more = || looks() - before;
    // Pauses of 2 s and more, where each second would be three.
    await_that("three more looks at each", || async { (more() >= 3 * 10).then_some(()) }).await;
    println!("10 strategies that wait: {} looks in {:.0} s", more(), begun.elapsed().as_secs_f64());
    assert!(begun.elapsed() > Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!((world.tap.reads(), world.tap.writes()), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn nothing_is_decided_before_all_strategies_have_been_seen() {
    let world = World::alone().await;
    create(&world).await;
    quiet(&world).await;
    let before = world.get(Kind::Account, ACCOUNT).await["status"].clone();
    assert!(world.look_unprepared(ACCOUNT).await.is_none(), "it takes the strategy for gone");
    assert_eq!(world.get(Kind::Account, ACCOUNT).await["status"], before);
    assert!(world.pods().get_opt("feed-paper-1").await.unwrap().is_some());
}

/// A write of an operator that has died may arrive after its successor has looked and found nothing to write.
#[tokio::test]
async fn what_somebody_else_writes_into_a_status_is_put_right_at_once() {
    let world = World::alone().await;
    create(&world).await;
    quiet(&world).await;
    for (kind, name, wrong) in [
        (Kind::Account, ACCOUNT, json!({"strategies": {"Running": 2}})),
        (Kind::Strategy, STRATEGY, json!({"state": "Starting"})),
    ] {
        let right = world.get(kind, name).await["status"].clone();
        world.patch_status(kind, name, json!({ "status": wrong })).await;
        let deadline = Instant::now() + Duration::from_secs(30);
        while world.get(kind, name).await["status"] != right {
            // What is looked at without any news is looked at after two minutes.
            assert!(Instant::now() < deadline, "{kind:?}: {}", world.get(kind, name).await["status"]);
            tokio::time::sleep(pause_after(Duration::ZERO)).await;
        }
    }
}

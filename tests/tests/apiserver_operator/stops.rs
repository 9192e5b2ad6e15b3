//! Stops and deletions, with each of those that they need broken; and neighbours of one account.

use bus::{MessageBus as _, StateStore as _};
use crds::roles::{GatewayDesired, Stance};
use futures::future::join_all;
use kube::ResourceExt;
use kube::api::ListParams;
use operator::names::Role;
use serde_json::{Value, json};
use tests::apiserver::{Behaviour, Kind, World, await_that, await_told, condition, kubectl};

use super::scenarios::{ACCOUNT, STRATEGY, account_spec, create, strategy_spec};
use super::settled::quiet;

fn owners(world: &World) -> (bus::Owner, bus::Owner) {
    let scope = bus::Scope::account(&world.namespace, ACCOUNT).unwrap();
    (world.keys.strategy(&scope, STRATEGY), world.keys.gateway(&scope))
}

async fn set(world: &World, spec: Value) {
    world.patch(Kind::Strategy, STRATEGY, json!({ "spec": spec })).await;
}

/// Where the strategy's register says it should be.
async fn told_state(world: &World) -> Value {
    let register = world.bus.desired(&owners(world).0).await.unwrap().unwrap();
    serde_json::from_str::<Value>(&register.value).unwrap()["state"].clone()
}

/// The stance of the one book in the gateway's register.
async fn stance(world: &World) -> Option<Stance> {
    let register = world.bus.desired(&owners(world).1).await.unwrap()?;
    let books: GatewayDesired = serde_json::from_str(&register.value).unwrap();
    books.books.first().map(crds::roles::BookSpec::stance)
}

/// Waits until the gateway's register asks for a stance.
async fn until_stance(world: &World, wanted: Stance) {
    await_that(&format!("the gateway is told {wanted:?}"), || async {
        (stance(world).await == Some(wanted)).then_some(())
    })
    .await;
}

/// Waits until Ready's message holds some words.
async fn until_said(world: &World, kind: Kind, name: &str, words: &str) {
    world
        .until(words, kind, name, |object| {
            condition(object, "Ready")["message"].as_str().unwrap_or_default().contains(words)
        })
        .await;
}

async fn no_gateway(world: &World) -> Result<(), String> {
    let pods = world.pods().list(&ListParams::default()).await.map_err(|error| error.to_string())?;
    let gateway = pods.iter().map(ResourceExt::name_any).find(|name| name.starts_with("gateway-"));
    gateway.map_or(Ok(()), Err)
}

#[tokio::test]
async fn a_stop_passes_whatever_is_broken() {
    let world = World::alone().await;
    create(&world).await;
    // The balance is lowered under it: it was admitted once, and trades on.
    let poor = json!({"spec": {"venue": {"paper": {"balances": {"USDT": 2000}}}}});
    world.patch(Kind::Account, ACCOUNT, poor).await;
    world
        .until("has seen its edit", Kind::Account, ACCOUNT, |object| {
            object["status"]["observedGeneration"] == object["metadata"]["generation"]
        })
        .await;
    world.look_at_all().await.unwrap();
    let now = world.get(Kind::Strategy, STRATEGY).await;
    assert_eq!(condition(&now, "Accepted")["status"], "True", "{now}");
    // A spec that cannot be run: a pause passes.
    set(&world, json!({"instruments": [{"symbol": "BNB/USDT"}], "state": "Paused"})).await;
    world
        .until("it is paused", Kind::Strategy, STRATEGY, |object| {
            object["status"]["state"] == "Paused" && condition(object, "Ready")["reason"] == "NoInstrumentRules"
        })
        .await;
    assert_eq!((told_state(&world).await, stance(&world).await), (json!("Paused"), Some(Stance::StopOpening)));
    set(&world, json!({"instruments": strategy_spec()["instruments"], "state": "Running"})).await;
    world.until_reason(Kind::Strategy, STRATEGY, "Trading").await;
    // A worker that hangs: what stops is the gateway.
    world.kubelet.behave(Role::Strategy, Behaviour::Silent);
    set(&world, json!({"state": "Stopped"})).await;
    world.until_reason(Kind::Strategy, STRATEGY, "Stopped").await;
    let stopped = world.get(Kind::Strategy, STRATEGY).await;
    assert_eq!(stopped["status"]["state"], "Stopped");
    assert_eq!(stopped["status"]["appliedGeneration"], stopped["metadata"]["generation"]);
}

#[tokio::test]
async fn a_stop_waits_for_the_gateway_and_reaches_it_without_its_account() {
    let world = World::alone().await;
    create(&world).await;
    world.kubelet.behave(Role::Gateway, Behaviour::Silent);
    set(&world, json!({"state": "Stopped"})).await;
    until_said(&world, Kind::Strategy, STRATEGY, "has not acknowledged CancelOrders").await;
    world.look_at_all().await.unwrap();
    assert_eq!(world.get(Kind::Strategy, STRATEGY).await["status"]["state"], "Stopping");
    world.kubelet.behave(Role::Gateway, Behaviour::Obeys);
    world.until_reason(Kind::Strategy, STRATEGY, "Stopped").await;
    set(&world, json!({"state": "Running"})).await;
    world.until_reason(Kind::Strategy, STRATEGY, "Trading").await;
    // Somebody takes the account away by force: nobody but the strategy itself can tell its gateway now.
    world.delete(Kind::Account, ACCOUNT).await;
    world.patch(Kind::Account, ACCOUNT, json!({"metadata": {"finalizers": null}})).await;
    world.until_reason(Kind::Strategy, STRATEGY, "AccountNotFound").await;
    // The gateway goes with its account. One that is still there would acknowledge all that follows.
    await_told("the gateway's pod is gone", || no_gateway(&world)).await;
    set(&world, json!({"state": "Stopped"})).await;
    until_stance(&world, Stance::CancelOrders).await;
    assert_eq!(told_state(&world).await, json!("Stopped"));
    world.delete(Kind::Strategy, STRATEGY).await;
    until_stance(&world, Stance::Closed).await;
    world.look_at_all().await.unwrap();
    // What is open nobody knows; a human may let go.
    let force = json!({"metadata": {"annotations": {"glm.trading/force-delete": "now"}}});
    world.patch(Kind::Strategy, STRATEGY, force).await;
    world.until("it is gone", Kind::Strategy, STRATEGY, Value::is_null).await;
}

#[tokio::test]
async fn a_deletion_waits_for_a_gateway_that_hangs() {
    let world = World::alone().await;
    create(&world).await;
    quiet(&world).await;
    let (owner, _) = owners(&world);
    world.kubelet.behave(Role::Gateway, Behaviour::Silent);
    world.delete(Kind::Strategy, STRATEGY).await;
    until_said(&world, Kind::Strategy, STRATEGY, "has not acknowledged Closed").await;
    // No order is open, and that says nothing.
    for _ in 0..3 {
        world.look_at_all().await.unwrap();
        assert!(!world.bus.record(&owner).await.unwrap().unwrap().closed, "the ledger is closed");
        assert!(world.pods().get("strategy-grid-1").await.unwrap().metadata.deletion_timestamp.is_none());
    }
    world
        .until("a human is asked", Kind::Strategy, STRATEGY, |object| {
            let ready = condition(object, "Ready");
            ready["reason"] == "DeadlineExceeded"
                && ready["message"].as_str().unwrap().contains("glm.trading/force-delete: now")
                && condition(object, "Stalled")["status"] == "True"
        })
        .await;
    world.kubelet.behave(Role::Gateway, Behaviour::Obeys);
    world.until("it is gone", Kind::Strategy, STRATEGY, Value::is_null).await;
    assert!(world.bus.record(&owner).await.unwrap().unwrap().closed);
    assert_eq!(world.bus.last_id(owner.inbox()).await.unwrap(), None, "its inbox went with it");
}

#[tokio::test]
async fn a_worker_that_hangs_delays_a_deletion_by_ten_seconds_at_most() {
    let world = World::alone().await;
    create(&world).await;
    let (owner, gateway) = owners(&world);
    world.kubelet.behave(Role::Strategy, Behaviour::Silent);
    world.delete(Kind::Strategy, STRATEGY).await;
    // An operator that is slow itself finds the ten seconds over with its first look after the acknowledgement.
    world
        .until("the worker takes the last news, or has had its time", Kind::Strategy, STRATEGY, |object| {
            let message = condition(object, "Ready")["message"].as_str().unwrap_or_default();
            object.is_null() || message.contains("the worker takes the last news")
        })
        .await;
    // The gateway's record first: what it says was so while the ledger was open.
    let gateway = world.bus.record(&gateway).await.unwrap().unwrap();
    let record = world.bus.record(&owner).await.unwrap().unwrap();
    if !record.closed {
        let stance = gateway.fields.get(&format!("stance:{}", record.ledger));
        assert_eq!(stance.map(|stance| &**stance), Some("\"Closed\""), "the gateway comes first");
    }
    world.until("it is gone", Kind::Strategy, STRATEGY, Value::is_null).await;
    let closed = world.bus.record(&owner).await.unwrap().unwrap();
    assert!(closed.closed);
}

#[tokio::test]
async fn of_two_that_ask_for_more_than_half_one_trades() {
    let world = World::alone().await;
    world.create(Kind::Account, ACCOUNT, account_spec()).await;
    let mut spec = strategy_spec();
    spec["capital"]["USDT"] = json!(6000);
    for round in 0..5 {
        let names = [format!("one-{round}"), format!("two-{round}"), format!("three-{round}")];
        join_all(names.iter().map(|name| world.create(Kind::Strategy, name, spec.clone()))).await;
        let reasons = await_that("one trades and the others are refused", || async {
            let mut reasons = Vec::new();
            for name in &names {
                let object = world.get(Kind::Strategy, name).await;
                reasons.push(condition(&object, "Ready")["reason"].as_str().unwrap_or_default().to_owned());
            }
            let of = |word: &str| reasons.iter().filter(|reason| *reason == word).count();
            (of("Trading") == 1 && of("CapitalExceedsAccount") == 2).then_some(reasons)
        })
        .await;
        world.look_at_all().await.unwrap();
        for (name, reason) in names.iter().zip(&reasons) {
            let object = world.get(Kind::Strategy, name).await;
            assert_eq!(condition(&object, "Ready")["reason"], reason.as_str(), "{name} does not stay so");
            assert_eq!(object["status"]["ledger"].is_null(), reason != "Trading", "{name}");
        }
        // The refused one first, and not the other way round: the capital that comes free is not theirs then.
        for (name, _) in names.iter().zip(&reasons).filter(|(_, reason)| *reason != "Trading") {
            world.delete(Kind::Strategy, name).await;
            world.until("it is gone", Kind::Strategy, name, Value::is_null).await;
        }
        for (name, _) in names.iter().zip(&reasons).filter(|(_, reason)| *reason == "Trading") {
            world.delete(Kind::Strategy, name).await;
            world.until("it is gone", Kind::Strategy, name, Value::is_null).await;
        }
    }
}

/// What was opened for it is closed, whether its status says so already or not: no ledger is found under its name later.
#[tokio::test]
async fn a_strategy_that_is_deleted_while_it_is_made_leaves_its_name_free() {
    let world = World::alone().await;
    world.create(Kind::Account, ACCOUNT, account_spec()).await;
    for _ in 0..5 {
        world.create(Kind::Strategy, STRATEGY, strategy_spec()).await;
        world.until("it is held", Kind::Strategy, STRATEGY, |object| !object["metadata"]["finalizers"].is_null()).await;
        world.delete(Kind::Strategy, STRATEGY).await;
        world.until("it is gone", Kind::Strategy, STRATEGY, Value::is_null).await;
        let record = world.bus.record(&owners(&world).0).await.unwrap();
        assert!(record.is_none_or(|record| record.closed), "an open ledger is left");
    }
    world.create(Kind::Strategy, STRATEGY, strategy_spec()).await;
    world.until_reason(Kind::Strategy, STRATEGY, "Trading").await;
}

#[tokio::test]
async fn another_symbol_is_refused_and_the_feed_stays() {
    let world = World::alone().await;
    create(&world).await;
    quiet(&world).await;
    let feed = world.pods().get("feed-paper-1").await.unwrap().metadata.uid;
    let mut other = strategy_spec();
    other["instruments"][0]["symbol"] = json!("ETH/USDT");
    // By its name it comes first.
    world.create(Kind::Strategy, "aaa", other.clone()).await;
    world.until_reason(Kind::Strategy, "aaa", "SymbolMismatch").await;
    let refused = world.get(Kind::Strategy, "aaa").await;
    assert_eq!(condition(&refused, "Accepted")["status"], "False");
    let message = condition(&refused, "Accepted")["message"].as_str().unwrap();
    assert!(message.contains("BNB/USDT of \"grid\"") && message.contains("create a second account"), "{message}");
    assert!(refused["status"]["ledger"].is_null());
    world.look_at_all().await.unwrap();
    assert_eq!(world.pods().get("feed-paper-1").await.unwrap().metadata.uid, feed);
    world.until_reason(Kind::Strategy, STRATEGY, "Trading").await;
    // On an account of its own it trades.
    world.create(Kind::Account, "second", account_spec()).await;
    other["accountRef"]["name"] = json!("second");
    world.create(Kind::Strategy, "bbb", other).await;
    world.until_reason(Kind::Strategy, "bbb", "Trading").await;
}

#[tokio::test]
async fn who_is_silent_is_named() {
    let silent = async |role: Role, word: &str| {
        let world = World::alone().await;
        create(&world).await;
        world.kubelet.behave(role, Behaviour::Silent);
        world.until_reason(Kind::Strategy, STRATEGY, word).await;
        let object = world.get(Kind::Strategy, STRATEGY).await;
        assert_eq!(
            (&object["status"]["state"], &condition(&object, "Ready")["status"]),
            (&json!("Degraded"), &json!("Unknown"))
        );
        assert_eq!(object["status"]["epoch"], 1, "silence replaces no pod");
        if role != Role::Strategy {
            world.until_reason(Kind::Account, ACCOUNT, word).await;
        }
        world.kubelet.behave(role, Behaviour::Obeys);
        world.until_reason(Kind::Strategy, STRATEGY, "Trading").await;
        world.until_reason(Kind::Account, ACCOUNT, "Available").await;
    };
    futures::join!(
        silent(Role::Strategy, "WorkerSilent"),
        silent(Role::Gateway, "GatewaySilent"),
        silent(Role::Feed, "FeedSilent")
    );
}

#[tokio::test]
async fn a_process_that_never_gets_ready_is_tried_five_times() {
    let world = World::alone().await;
    world.kubelet.behave(Role::Feed, Behaviour::ExitsAlways(4));
    world.create(Kind::Account, ACCOUNT, account_spec()).await;
    world.create(Kind::Strategy, STRATEGY, strategy_spec()).await;
    world.until_reason(Kind::Account, ACCOUNT, "CrashLoop").await;
    let object = world.get(Kind::Account, ACCOUNT).await;
    assert_eq!(
        (&object["status"]["state"], &condition(&object, "Stalled")["status"]),
        (&json!("Quarantined"), &json!("True"))
    );
    let message = condition(&object, "Ready")["message"].as_str().unwrap();
    assert!(message.contains("the last line of its log: it ends with 4"), "{message}");
    let restarts = &object["status"]["feed"]["restarts"];
    assert_eq!((&restarts["count"], &restarts["lastExit"]), (&json!(5), &json!(4)));
    // One of the gateway, one of the strategy, five of the feed; and no more.
    world.look_at_all().await.unwrap();
    assert_eq!(world.audited(), (Vec::new(), 7));
    // The wrong word is taken off, and an Event says the right one.
    let release = |text: &str| json!({"metadata": {"annotations": {"glm.trading/release": text}}});
    world.patch(Kind::Account, ACCOUNT, release("CrashLoop 3")).await;
    world
        .until("it is taken off", Kind::Account, ACCOUNT, |object| {
            object["metadata"]["annotations"]["glm.trading/release"].is_null()
        })
        .await;
    await_that("an Event says what to write", || async {
        let said = kubectl(&["--namespace", &world.namespace, "get", "events", "-o", "json"], "");
        said.stdout.contains("write \\\"CrashLoop 5\\\"").then_some(())
    })
    .await;
    world.until_reason(Kind::Account, ACCOUNT, "CrashLoop").await;
    assert_eq!(world.audited().1, 7);
    world.kubelet.behave(Role::Feed, Behaviour::Obeys);
    world.patch(Kind::Account, ACCOUNT, release("CrashLoop 5")).await;
    world.until_reason(Kind::Account, ACCOUNT, "Available").await;
    world
        .until("nothing counts any more", Kind::Account, ACCOUNT, |object| {
            object["status"]["feed"]["restarts"].is_null()
                && object["metadata"]["annotations"]["glm.trading/release"].is_null()
        })
        .await;
    world.until_reason(Kind::Strategy, STRATEGY, "Trading").await;
    assert_eq!(world.audited(), (Vec::new(), 8));
}

#[tokio::test]
async fn a_crash_loop_of_a_worker_is_left_by_an_edit() {
    let world = World::alone().await;
    world.kubelet.behave(Role::Strategy, Behaviour::ExitsAlways(4));
    world.create(Kind::Account, ACCOUNT, account_spec()).await;
    world.create(Kind::Strategy, STRATEGY, strategy_spec()).await;
    world.until_reason(Kind::Strategy, STRATEGY, "CrashLoop").await;
    let object = world.get(Kind::Strategy, STRATEGY).await;
    assert_eq!(
        (&object["status"]["state"], &object["status"]["restarts"]["count"]),
        (&json!("Quarantined"), &json!(5))
    );
    world.kubelet.behave(Role::Strategy, Behaviour::Obeys);
    set(&world, json!({"strategy": {"grid": {"gridSizePercent": 3}}})).await;
    world.until_reason(Kind::Strategy, STRATEGY, "Trading").await;
    let object = world.get(Kind::Strategy, STRATEGY).await;
    assert!(object["status"]["restarts"].is_null(), "{object}");
    assert_eq!(world.audited().0, Vec::<String>::new());
}

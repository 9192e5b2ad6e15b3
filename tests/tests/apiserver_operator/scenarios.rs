//! What a user, a node or a store does to the operator, and how each ends.

use std::pin::Pin;

use serde_json::{Value, json};
use tests::apiserver::{Kind, World, await_that, condition};

use super::live;

/// What happens, up to the end that must be reached.
type Act = for<'a> fn(&'a World) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// One thing that happens.
pub struct Scenario {
    pub name: &'static str,
    /// What has come about before it begins.
    pub begun: Option<Act>,
    pub act: Act,
}

pub const STRATEGY: &str = "grid";
pub const ACCOUNT: &str = "paper";

/// The account's and the strategy's, in USDT.
pub const BALANCE: u64 = 10_000;
pub const CAPITAL: u64 = 3_000;

/// A strategy trades.
const TRADING: Option<Act> = Some(|world| Box::pin(create(world)));

pub const SCENARIOS: &[Scenario] = &[
    Scenario { name: "an account and its strategy are created", begun: None, act: |world| Box::pin(create(world)) },
    Scenario { name: "a parameter is edited", begun: TRADING, act: |world| Box::pin(edit(world)) },
    Scenario { name: "a rule is edited", begun: TRADING, act: |world| Box::pin(edit_to(world, 3, 2)) },
    Scenario {
        name: "it is paused, stopped and resumed",
        begun: TRADING,
        act: |world| Box::pin(pause_stop_resume(world)),
    },
    Scenario { name: "the strategy is deleted", begun: TRADING, act: |world| Box::pin(delete(world)) },
    Scenario {
        name: "an account in use is deleted, then its strategy",
        begun: TRADING,
        act: |world| Box::pin(delete_account_in_use(world)),
    },
    Scenario { name: "its ledger is lost and discarded", begun: TRADING, act: |world| Box::pin(ledger_lost(world)) },
    Scenario {
        name: "a ledger of another uid is found and resumed",
        begun: TRADING,
        act: |world| Box::pin(ledger_found(world)),
    },
    Scenario { name: "a foreign pod has the next name", begun: TRADING, act: |world| Box::pin(foreign_pod(world)) },
    Scenario { name: "a pod is deleted", begun: TRADING, act: |world| Box::pin(pod_deleted(world)) },
    Scenario {
        name: "a pod is relabelled, then replaced",
        begun: TRADING,
        act: |world| Box::pin(pod_relabelled(world)),
    },
    Scenario {
        name: "a program ends with 70, its gateway with 4",
        begun: TRADING,
        act: |world| Box::pin(exits(world)),
    },
    Scenario { name: "an edit that cannot be run", begun: TRADING, act: |world| Box::pin(invalid_edit(world)) },
    Scenario {
        name: "it is stopped with an edit that cannot be run",
        begun: TRADING,
        act: |world| Box::pin(stopped_while_invalid(world)),
    },
    Scenario {
        name: "two accounts share a live feed, one leaves",
        begun: Some(|world| Box::pin(live::create_two(world))),
        act: |world| Box::pin(live::one_leaves(world)),
    },
    Scenario {
        name: "two accounts share a live feed, both leave",
        begun: Some(|world| Box::pin(live::create_two(world))),
        act: |world| Box::pin(live::both_leave(world)),
    },
];

pub fn strategy_spec() -> Value {
    json!({
        "accountRef": {"name": ACCOUNT},
        "instruments": [{"symbol": "BNB/USDT", "rules": {"tickSize": "0.01", "lotSize": "0.001"}}],
        "capital": {"USDT": CAPITAL},
        "strategy": {"grid": {}},
    })
}

pub fn account_spec() -> Value {
    json!({
        "venue": {"paper": {"balances": {"USDT": BALANCE}}},
        "marketData": {"replay": {"file": "prices.csv"}},
    })
}

/// One whose prices are live.
pub fn live_spec() -> Value {
    let mut spec = account_spec();
    spec["marketData"] = json!({"binance": {"market": "Spot"}});
    spec
}

/// An account and a strategy that trades.
pub async fn create(world: &World) {
    world.create(Kind::Account, ACCOUNT, account_spec()).await;
    world.create(Kind::Strategy, STRATEGY, strategy_spec()).await;
    trades(world, 1).await;
    world.until_reason(Kind::Account, ACCOUNT, "Available").await;
}

/// Waits until the strategy trades under an epoch, in a pod of it.
pub async fn trades(world: &World, epoch: u64) {
    world
        .until(&format!("trades under epoch {epoch}"), Kind::Strategy, STRATEGY, |object| {
            let (status, generation) = (&object["status"], &object["metadata"]["generation"]);
            condition(object, "Ready")["reason"] == "Trading"
                && status["epoch"] == epoch
                && status["worker"]["pod"] == format!("strategy-grid-{epoch}")
                && status["observedGeneration"] == *generation
                && status["appliedGeneration"] == *generation
        })
        .await;
}

pub async fn set(world: &World, spec: Value) {
    world.patch(Kind::Strategy, STRATEGY, json!({ "spec": spec })).await;
}

/// Answers for a resource whose ledger is in question.
pub async fn annotate(world: &World, kind: Kind, name: &str, answer: &str) {
    let annotations = json!({"metadata": {"annotations": {"glm.trading/ledger": answer}}});
    world.patch(kind, name, annotations).await;
}

async fn edit(world: &World) {
    set(world, json!({"strategy": {"grid": {"gridSizePercent": 3}}})).await;
    trades(world, 1).await;
}

async fn pause_stop_resume(world: &World) {
    set(world, json!({"state": "Paused"})).await;
    world.until_reason(Kind::Strategy, STRATEGY, "Paused").await;
    set(world, json!({"state": "Stopped"})).await;
    world.until_reason(Kind::Strategy, STRATEGY, "Stopped").await;
    // Resumed before that, it would go on with the old feed.
    world
        .until("its feed has ended", Kind::Account, ACCOUNT, |object| {
            let said = condition(object, "Ready")["message"].as_str().unwrap_or_default();
            said.contains("no strategy reads prices")
        })
        .await;
    set(world, json!({"state": "Running"})).await;
    trades(world, 2).await;
}

async fn delete(world: &World) {
    world.delete(Kind::Strategy, STRATEGY).await;
    world.until("it is gone", Kind::Strategy, STRATEGY, Value::is_null).await;
    // Nobody reads the feed any more.
    world.until("it is free", Kind::Account, ACCOUNT, |object| object["status"]["summary"]["strategies"] == 0).await;
}

async fn delete_account_in_use(world: &World) {
    world.delete(Kind::Account, ACCOUNT).await;
    world.until_reason(Kind::Account, ACCOUNT, "InUse").await;
    let held = world.get(Kind::Account, ACCOUNT).await;
    assert!(condition(&held, "Ready")["message"].as_str().unwrap().contains("grid"), "{held}");
    // It serves on while it is held.
    world.delete_pod("gateway-paper-1").await;
    world
        .until("has a new gateway", Kind::Account, ACCOUNT, |object| {
            object["status"]["gateway"] == json!({"pod": "gateway-paper-2", "node": "node1"})
        })
        .await;
    world.delete(Kind::Strategy, STRATEGY).await;
    world.until("it is gone", Kind::Strategy, STRATEGY, Value::is_null).await;
    world.until("it is gone", Kind::Account, ACCOUNT, Value::is_null).await;
}

fn owner(world: &World) -> bus::Owner {
    world.keys.strategy(&bus::Scope::account(&world.namespace, ACCOUNT).unwrap(), STRATEGY)
}

async fn ledger_lost(world: &World) {
    world.lose(&owner(world));
    world.nudge(STRATEGY);
    until_nudged(world, "LedgerLost").await;
    annotate(world, Kind::Strategy, STRATEGY, "discard").await;
    trades(world, 2).await;
}

async fn ledger_found(world: &World) {
    // As after a restored backup: the resource of the status is another.
    let ledger = world.get(Kind::Strategy, STRATEGY).await["status"]["ledger"]["id"].as_str().unwrap().to_owned();
    world.claim(&owner(world), "another-uid");
    world.patch_status(Kind::Strategy, STRATEGY, json!({"status": {"ledger": {"resourceUid": "another-uid"}}})).await;
    world.nudge(STRATEGY);
    until_nudged(world, "LedgerFound").await;
    annotate(world, Kind::Strategy, STRATEGY, "resume").await;
    trades(world, 2).await;
    let now = world.get(Kind::Strategy, STRATEGY).await;
    assert_eq!(now["status"]["ledger"]["id"], ledger.as_str());
}

/// Waits for a reason that only a look into the store can tell. The worker tells something all the time.
async fn until_nudged(world: &World, reason: &str) {
    await_that(reason, || async {
        world.nudge(STRATEGY);
        let object = world.get(Kind::Strategy, STRATEGY).await;
        (condition(&object, "Ready")["reason"] == reason).then_some(())
    })
    .await;
}

async fn foreign_pod(world: &World) {
    world.create_foreign_pod("strategy-grid-2").await;
    edit_to(world, 4, 3).await;
    assert_eq!(world.pods().get("strategy-grid-2").await.unwrap().metadata.owner_references, None);
}

/// Edits what a worker is told when it starts alone.
pub async fn edit_to(world: &World, min_notional: u32, epoch: u64) {
    let mut instruments = strategy_spec()["instruments"].clone();
    instruments[0]["rules"]["minNotional"] = json!(min_notional);
    set(world, json!({ "instruments": instruments })).await;
    trades(world, epoch).await;
}

async fn pod_deleted(world: &World) {
    world.delete_pod("strategy-grid-1").await;
    trades(world, 2).await;
    world.delete_pod("gateway-paper-1").await;
    world
        .until("has a new gateway", Kind::Account, ACCOUNT, |object| {
            object["status"]["gateway"]["pod"] == "gateway-paper-2"
                && condition(object, "Ready")["reason"] == "Available"
        })
        .await;
}

async fn pod_relabelled(world: &World) {
    let labels = json!({"metadata": {"labels": {
        "app.kubernetes.io/managed-by": null, "glm.trading/owner-uid": "x", "glm.trading/epoch": null,
    }}});
    world.patch_pod("strategy-grid-1", labels).await;
    // It is still known, and so replaced and not doubled.
    edit_to(world, 5, 2).await;
}

async fn exits(world: &World) {
    let ended = |container: &str, code: u32| {
        json!({"status": {"conditions": [{"type": "Ready", "status": "False"}], "containerStatuses": [{
            "name": container, "ready": false, "restartCount": 1, "image": "glm", "imageID": "glm",
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": code}},
        }]}})
    };
    world.patch_pod("strategy-grid-1", ended("strategy", 70)).await;
    trades(world, 2).await;
    world.patch_pod("gateway-paper-1", ended("gateway", 4)).await;
    world
        .until("has a new gateway", Kind::Account, ACCOUNT, |object| {
            object["status"]["gateway"]["pod"] == "gateway-paper-2"
                && condition(object, "Ready")["reason"] == "Available"
        })
        .await;
}

/// A human's stop passes whatever is wrong with the rest.
async fn stopped_while_invalid(world: &World) {
    set(world, json!({"instruments": [{"symbol": "BNB/USDT"}], "state": "Stopped"})).await;
    world
        .until("it has stopped", Kind::Strategy, STRATEGY, |object| {
            object["status"]["state"] == "Stopped"
                && condition(object, "Ready")["reason"] == "NoInstrumentRules"
                && object["status"]["worker"].is_null()
        })
        .await;
    assert!(
        world
            .pods()
            .get_opt("strategy-grid-1")
            .await
            .unwrap()
            .is_none_or(|pod| { pod.metadata.deletion_timestamp.is_some() })
    );
    set(world, json!({"instruments": strategy_spec()["instruments"]})).await;
    world.until_reason(Kind::Strategy, STRATEGY, "Stopped").await;
}

/// The API server lets rules go, but a replay gives none: what runs goes on.
async fn invalid_edit(world: &World) {
    set(world, json!({"instruments": [{"symbol": "BNB/USDT"}], "strategy": {"grid": {"gridSizePercent": 9}}})).await;
    world.until_reason(Kind::Strategy, STRATEGY, "NoInstrumentRules").await;
    let now = world.get(Kind::Strategy, STRATEGY).await;
    assert_eq!(condition(&now, "Accepted")["status"], "False");
    assert_eq!(condition(&now, "Stalled")["status"], "True");
    assert!(condition(&now, "Ready")["message"].as_str().unwrap().starts_with("generation 1 keeps trading"), "{now}");
    assert_eq!((&now["status"]["appliedGeneration"], &now["status"]["state"]), (&json!(1), &json!("Running")));
    assert_eq!(now["status"]["worker"]["pod"], "strategy-grid-1");
    assert!(world.pods().get("strategy-grid-1").await.unwrap().metadata.deletion_timestamp.is_none());
    set(world, json!({"instruments": strategy_spec()["instruments"]})).await;
    trades(world, 1).await;
}

//! Stored objects that do not read: made under definitions without rules, as an older version or a restored backup
//! may have left them. Alone in its program, because it changes the definitions that others rely on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use bus::StateStore as _;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tests::apiserver::{Clients, Kind, World, await_that, condition, install};
use tests::redis_server::RedisServer;

/// Replaces the definitions by ones that take anything.
async fn install_lax(client: &Client) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for mut definition in crds::crd::definitions() {
        let name = definition["metadata"]["name"].as_str().unwrap().to_owned();
        let version = &mut definition["spec"]["versions"][0];
        version["schema"] =
            json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
        version.as_object_mut().unwrap().remove("selectableFields");
        api.patch(&name, &PatchParams::apply("tests").force(), &Patch::Apply(&definition)).await.unwrap();
    }
}

/// Creates an object once the API server takes it: changed definitions need a moment.
async fn create_broken(world: &World, kind: Kind, name: &str, spec: Value) {
    await_that("the definitions take anything", || async { world.try_create(kind, name, spec.clone()).await.ok() })
        .await;
}

fn strategy() -> Value {
    json!({
        "accountRef": {"name": "paper"},
        "instruments": [{"symbol": "BNB/USDT", "rules": {"tickSize": "0.01", "lotSize": "0.001"}}],
        "capital": {"USDT": 3000},
        "strategy": {"grid": {}},
    })
}

async fn trades(world: &World, epoch: u64) {
    world
        .until("trades", Kind::Strategy, "good", |object| {
            condition(object, "Ready")["reason"] == "Trading" && object["status"]["epoch"] == epoch
        })
        .await;
}

/// A strategy that trades and does not read any more keeps its book, its feed and its capital, and holds its account.
async fn keeps_its_book(world: &World) {
    let scope = bus::Scope::account(&world.namespace, "paper").unwrap();
    let gateway = world.keys.gateway(&scope);
    let feed = world.keys.feed(&bus::Scope::source(&world.namespace, "replay-paper").unwrap());
    let registers = || async {
        let of = async |owner| world.bus.desired(owner).await.unwrap().map(|register| register.value);
        (of(&gateway).await, of(&feed).await)
    };
    let before = registers().await;
    let book = before.0.as_deref().unwrap();
    assert!(book.contains(r#""strategy":"good""#), "{book}");
    world.patch(Kind::Strategy, "good", json!({"spec": {"accountRef": 7}})).await;
    world
        .until("Unreadable", Kind::Strategy, "good", |object| condition(object, "Accepted")["reason"] == "Unreadable")
        .await;
    world.patch(Kind::Account, "paper", json!({"spec": {"venue": {"paper": {"balances": {"USDT": 9999}}}}})).await;
    world
        .until("has seen its edit", Kind::Account, "paper", |object| {
            object["status"]["observedGeneration"] == object["metadata"]["generation"]
                && object["status"]["unassigned"]["USDT"] == "6999"
        })
        .await;
    assert_eq!(registers().await, before);
    assert!(world.pods().get("feed-paper-1").await.unwrap().metadata.deletion_timestamp.is_none());
    let mut greedy = strategy();
    greedy["capital"]["USDT"] = json!(7000);
    world.create(Kind::Strategy, "greedy", greedy).await;
    world.until_reason(Kind::Strategy, "greedy", "CapitalExceedsAccount").await;
    world.delete(Kind::Strategy, "greedy").await;
    world.until("it is gone", Kind::Strategy, "greedy", Value::is_null).await;
    world.delete(Kind::Account, "paper").await;
    world.until_reason(Kind::Account, "paper", "InUse").await;
    let held = world.get(Kind::Account, "paper").await;
    assert_eq!(condition(&held, "Ready")["message"], "Held by its strategies: good, range. Delete them first.");
    assert_eq!(registers().await, before);
    assert_eq!(held["status"]["strategies"]["Unreadable"], 1, "{held}");
    world.patch(Kind::Strategy, "good", json!({"spec": {"accountRef": {"name": "paper"}}})).await;
    world
        .until("reads again", Kind::Strategy, "good", |object| condition(object, "Accepted")["reason"] == "InvalidSpec")
        .await;
}

/// A human's stop passes with a spec that cannot be run, and with an account that does not read.
async fn stops_without_its_account(world: &World) {
    world.patch(Kind::Account, "paper", json!({"spec": {"marketData": 7}})).await;
    world
        .until("Unreadable", Kind::Account, "paper", |object| condition(object, "Accepted")["reason"] == "Unreadable")
        .await;
    world.patch(Kind::Strategy, "good", json!({"spec": {"state": "Stopped"}})).await;
    world
        .until("it has stopped", Kind::Strategy, "good", |object| {
            object["status"]["state"] == "Stopped" && condition(object, "Accepted")["status"] == "False"
        })
        .await;
    let gateway = world.keys.gateway(&bus::Scope::account(&world.namespace, "paper").unwrap());
    let register = world.bus.desired(&gateway).await.unwrap().unwrap().value;
    assert!(register.contains(r#""stance":"CancelOrders""#), "{register}");
    world.patch(Kind::Account, "paper", json!({"spec": {"marketData": {"replay": {"file": "a.csv"}}}})).await;
    world.patch(Kind::Strategy, "good", json!({"spec": {"state": "Running"}})).await;
}

#[tokio::test]
async fn an_object_that_does_not_read_never_stops_the_others() {
    let clients = Clients::new().await;
    install(&clients.administrator).await;
    install_lax(&clients.administrator).await;
    let redis = Arc::new(RedisServer::start());
    let world = World::start(&clients, &redis, None).await;
    for (name, spec) in [
        ("empty", json!({})),
        ("number", json!({"accountRef": 7})),
        ("float", {
            let mut spec = strategy();
            spec["capital"]["USDT"] = json!(1.5);
            spec
        }),
    ] {
        create_broken(&world, Kind::Strategy, name, spec).await;
    }
    create_broken(&world, Kind::Account, "broken", json!({"venue": []})).await;
    // Valid as data, and refused only by the operator's own look.
    let mut out_of_range = strategy();
    out_of_range["strategy"]["grid"]["gridSizePercent"] = json!("51");
    create_broken(&world, Kind::Strategy, "range", out_of_range).await;
    let account =
        json!({"venue": {"paper": {"balances": {"USDT": 10000}}}, "marketData": {"replay": {"file": "a.csv"}}});
    world.create(Kind::Account, "paper", account).await;
    world.create(Kind::Strategy, "good", strategy()).await;
    trades(&world, 1).await;
    world.until_reason(Kind::Account, "paper", "Available").await;
    world
        .until("has its feed", Kind::Account, "paper", |object| {
            condition(object, "Ready")["message"] == "The gateway and the feed are up."
        })
        .await;
    for (name, reason) in
        [("empty", "Unreadable"), ("number", "Unreadable"), ("float", "Unreadable"), ("range", "InvalidSpec")]
    {
        world.until(reason, Kind::Strategy, name, |object| condition(object, "Accepted")["reason"] == reason).await;
    }
    world
        .until("Unreadable", Kind::Account, "broken", |object| condition(object, "Accepted")["reason"] == "Unreadable")
        .await;
    let objects = world.counted("objects", &["kind", "state"]);
    let unreadable = |kind: &str| objects.get(&vec![kind.to_owned(), "Unreadable".to_owned()]).copied();
    assert_eq!((unreadable("TradingStrategy"), unreadable("TradingAccount")), (Some(3), Some(1)), "{objects:?}");

    // An edit that the definitions let through: what runs goes on, and the status says which generation that is.
    world.patch(Kind::Strategy, "good", json!({"spec": {"strategy": {"grid": {"gridSizePercent": "51"}}}})).await;
    world.until_reason(Kind::Strategy, "good", "InvalidSpec").await;
    let now = world.get(Kind::Strategy, "good").await;
    let message = condition(&now, "Ready")["message"].as_str().unwrap();
    assert!(message.starts_with("generation 1 keeps trading; spec.strategy.grid.gridSizePercent: 51 "), "{message}");
    assert!(world.pods().get("strategy-good-1").await.unwrap().metadata.deletion_timestamp.is_none());

    keeps_its_book(&world).await;

    stops_without_its_account(&world).await;

    // One that the operator holds and that nobody can mend is let go when a human says so.
    let finalizers = json!({"metadata": {"finalizers": [operator::names::FINALIZER]}});
    world.patch(Kind::Strategy, "float", finalizers).await;
    world.delete(Kind::Strategy, "float").await;
    let release = json!({"metadata": {"annotations": {operator::names::RELEASE_ANNOTATION: "now"}}});
    world.patch(Kind::Strategy, "float", release).await;
    world.until("it is gone", Kind::Strategy, "float", Value::is_null).await;

    // The rules are back: what was stored before them can still be looked at, mended and deleted.
    install(&clients.administrator).await;
    world.patch(Kind::Strategy, "good", json!({"spec": {"strategy": {"grid": {"gridSizePercent": 3}}}})).await;
    trades(&world, 2).await;
    for name in ["empty", "number", "range"] {
        world.delete(Kind::Strategy, name).await;
        world.until("it is gone", Kind::Strategy, name, Value::is_null).await;
    }
    assert_eq!(world.audited().0, Vec::<String>::new());
}

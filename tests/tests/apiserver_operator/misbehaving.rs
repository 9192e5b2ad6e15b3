//! Pods that do not do what they should, and what is told of them.

use std::time::Duration;

use bus::StateStore as _;
use engine::client_order_id::ClientOrderId;
use operator::names::Role;
use serde_json::{Value, json};
use tests::apiserver::{Behaviour, Kind, World, condition};
use tests::cluster::PodHistory;

use super::scenarios::{ACCOUNT, STRATEGY, account_spec, create, edit_to, strategy_spec};
use super::settled::quiet;

#[tokio::test]
async fn a_pod_that_cannot_start_blocks_and_one_that_says_nothing_is_not_ready() {
    let world = World::alone().await;
    world.kubelet.behave(Role::Strategy, Behaviour::NeverStarts);
    world.create(Kind::Account, ACCOUNT, account_spec()).await;
    world.create(Kind::Strategy, STRATEGY, strategy_spec()).await;
    world
        .until("its image is missing", Kind::Strategy, STRATEGY, |object| {
            let ready = condition(object, "Ready");
            ready["reason"] == "PodBlocked" && ready["message"].to_string().contains("there is no such image")
        })
        .await;
    world.kubelet.behave(Role::Strategy, Behaviour::Silent);
    world
        .until("it has not reported", Kind::Strategy, STRATEGY, |object| {
            condition(object, "Ready")["message"].to_string().contains("has not reported yet")
        })
        .await;
    world.kubelet.behave(Role::Strategy, Behaviour::Obeys);
    world.until_reason(Kind::Strategy, STRATEGY, "Trading").await;
}

#[tokio::test]
async fn a_container_that_ends_is_not_ready_until_it_is_started_again() {
    let world = World::alone().await;
    create(&world).await;
    // No code after which its pod is replaced.
    world.kubelet.behave(Role::Strategy, Behaviour::ExitsAlways(1));
    world
        .until("it is not ready", Kind::Strategy, STRATEGY, |object| condition(object, "Ready")["status"] == "False")
        .await;
    world.kubelet.behave(Role::Strategy, Behaviour::Obeys);
    world.until_reason(Kind::Strategy, STRATEGY, "Trading").await;
    let worker = world.get(Kind::Strategy, STRATEGY).await["status"]["worker"].clone();
    assert_eq!(worker, json!({"pod": "strategy-grid-1", "node": "node1"}));
}

#[tokio::test]
async fn a_pod_that_starts_late_is_waited_for() {
    let world = World::alone().await;
    let mut history = PodHistory::begin(&world.namespace);
    create(&world).await;
    world.kubelet.behave(Role::Strategy, Behaviour::Late(Duration::from_secs(3)));
    edit_to(&world, 3, 2).await;
    quiet(&world).await;
    assert_eq!(world.audited(), (Vec::new(), 4), "the gateway, the feed, and two of the strategy");
    // A watch from outside has seen the same.
    history.expect_one_at_a_time();
    assert_eq!(["strategy-grid", "gateway-paper", "feed-paper"].map(|process| history.pods_of(process)), [2, 1, 1]);
}

#[tokio::test]
async fn an_order_that_may_be_open_holds_a_deletion_while_the_gateway_hangs() {
    let world = World::alone().await;
    create(&world).await;
    quiet(&world).await;
    let scope = bus::Scope::account(&world.namespace, ACCOUNT).unwrap();
    let (gateway, owner) = (world.keys.gateway(&scope), world.keys.strategy(&scope, STRATEGY));
    let ledger = world.get(Kind::Strategy, STRATEGY).await["status"]["ledger"]["id"].as_str().unwrap().to_owned();
    let order = format!("order:{}", ClientOrderId::new(ledger.parse().unwrap(), 1));
    world.kubelet.behave(Role::Gateway, Behaviour::Silent);
    for stage in ["sending", "unknown", "live"] {
        world.set_field(&gateway, &order, &json!({"stage": {"at": stage}}).to_string());
        world.delete(Kind::Strategy, STRATEGY).await;
        world.until_reason(Kind::Strategy, STRATEGY, "Stopping").await;
        world.look_at_all().await.unwrap();
        assert!(!world.bus.record(&owner).await.unwrap().unwrap().closed, "{stage}: the ledger is closed");
        assert_eq!(world.get(Kind::Strategy, STRATEGY).await["status"]["state"], "Deleting", "{stage}: it is let go");
    }
    world.set_field(&gateway, &order, &json!({"stage": {"at": "over"}}).to_string());
    world.kubelet.behave(Role::Gateway, Behaviour::Obeys);
    world.until("it is gone", Kind::Strategy, STRATEGY, Value::is_null).await;
    assert!(world.bus.record(&owner).await.unwrap().unwrap().closed, "the ledger is open");
}

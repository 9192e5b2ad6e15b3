//! Pods that do not do what they should, and what is told of them.

use std::time::Duration;

use operator::names::Role;
use serde_json::json;
use tests::apiserver::{Behaviour, Kind, World, condition};

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
    create(&world).await;
    world.kubelet.behave(Role::Strategy, Behaviour::Late(Duration::from_secs(3)));
    edit_to(&world, 3, 2).await;
    quiet(&world).await;
    assert_eq!(world.audited(), (Vec::new(), 4), "the gateway, the feed, and two of the strategy");
}

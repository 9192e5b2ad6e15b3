//! Edited parameters: followed by the pod that runs, where its worker can, and told; by a new one where it cannot.

use std::time::Instant;

use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use operator::names::Role;
use serde_json::{Value, json};
use tests::apiserver::{Behaviour, Crash, Kind, REFUSAL, World, await_that, condition};

use super::scenarios::{ACCOUNT, STRATEGY, account_spec, create, set, strategy_spec, trades};
use super::settled::quiet;

async fn uid(world: &World, epoch: u64) -> Option<String> {
    world.pods().get(&format!("strategy-{STRATEGY}-{epoch}")).await.unwrap().metadata.uid
}

fn size(size: u32) -> Value {
    json!({"strategy": {"grid": {"gridSizePercent": size}}})
}

/// The notes of these Events of the strategy.
async fn followed(world: &World) -> Vec<String> {
    let events: Api<Event> = Api::namespaced(world.client.clone(), &world.namespace);
    let events = events.list(&ListParams::default()).await.unwrap().items.into_iter();
    let told = events.filter(|event| event.reason.as_deref() == Some("EditFollowed"));
    told.filter_map(|event| event.message).collect()
}

#[tokio::test]
async fn an_edited_parameter_is_followed_by_the_pod_that_runs_and_told_once() {
    let world = World::alone().await;
    create(&world).await;
    let before = uid(&world, 1).await;
    let edited = Instant::now();
    set(&world, size(3)).await;
    trades(&world, 1).await;
    println!("applied after {:?}", edited.elapsed());
    assert_eq!(uid(&world, 1).await, before, "it is the same pod");
    let told = await_that("the Event", || async { Some(followed(&world).await).filter(|told| !told.is_empty()) }).await;
    assert_eq!(told, ["generation 2 is followed without a new pod"]);
    quiet(&world).await;
    assert_eq!((followed(&world).await, world.audited().0), (told, Vec::<String>::new()));
}

/// A strategy of one's own whose program refuses its parameters: said where it is looked for, through restarts of the pod and
/// of the operator, and mended by an edit in the same pod.
#[tokio::test]
async fn a_spec_that_the_worker_refuses_is_not_accepted_until_it_is_edited() {
    let world = World::alone().await;
    world.kubelet.behave(Role::Strategy, Behaviour::Refuses);
    world.create(Kind::Account, ACCOUNT, account_spec()).await;
    let mut spec = strategy_spec();
    spec["strategy"] = json!({"custom": {"name": "dips", "parameters": {"fallPercent": 51}}});
    world.create(Kind::Strategy, STRATEGY, spec).await;
    let words = format!("spec.strategy: the worker cannot follow it: {REFUSAL}");
    let refused = |object: &Value, epoch: u64| {
        let [accepted, ready] = ["Accepted", "Ready"].map(|name| condition(object, name));
        let is_told = |condition: &Value| condition["reason"] == "InvalidSpec" && condition["message"] == words;
        is_told(accepted) && accepted["status"] == "False" && is_told(ready) && object["status"]["epoch"] == epoch
    };
    world.until("it is refused", Kind::Strategy, STRATEGY, |object| refused(object, 1)).await;
    assert_eq!(world.get(Kind::Strategy, STRATEGY).await["status"]["state"], "Pending");
    // The next operator finds it all again.
    world.tap.arm(Some(Crash::After(1)));
    world.pods().delete(&format!("strategy-{STRATEGY}-1"), &DeleteParams::default()).await.unwrap();
    world.until("it is refused again", Kind::Strategy, STRATEGY, |object| refused(object, 2)).await;
    quiet(&world).await;
    assert!(refused(&world.get(Kind::Strategy, STRATEGY).await, 2));
    let before = uid(&world, 2).await;
    world.kubelet.behave(Role::Strategy, Behaviour::Obeys);
    set(&world, json!({"strategy": {"custom": {"name": "dips", "parameters": {"fallPercent": 5}}}})).await;
    trades(&world, 2).await;
    assert_eq!(uid(&world, 2).await, before, "it is the same pod");
    let object = world.get(Kind::Strategy, STRATEGY).await;
    assert_eq!(condition(&object, "Accepted")["status"], "True");
    assert_eq!(world.audited().0, Vec::<String>::new());
}

#[tokio::test]
async fn a_worker_of_the_release_before_is_replaced_for_an_edited_parameter() {
    let world = World::alone().await;
    world.kubelet.behave(Role::Strategy, Behaviour::ReleaseBefore);
    create(&world).await;
    set(&world, size(3)).await;
    trades(&world, 2).await;
    // The next one follows them.
    world.kubelet.behave(Role::Strategy, Behaviour::Obeys);
    super::scenarios::edit_to(&world, 3, 3).await;
    set(&world, size(4)).await;
    trades(&world, 3).await;
    assert_eq!(world.audited().0, Vec::<String>::new());
}

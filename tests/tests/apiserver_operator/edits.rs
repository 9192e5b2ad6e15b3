//! Edited parameters: followed by the pod that runs, where its worker can, and told; by a new one where it cannot.

use std::time::Instant;

use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::ListParams;
use operator::names::Role;
use serde_json::{Value, json};
use tests::apiserver::{Behaviour, World, await_that};

use super::scenarios::{STRATEGY, create, set, trades};
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

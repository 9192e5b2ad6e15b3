//! Limits of an account: told by the register alone, shown in its status, released by its annotation.

use bus::StateStore as _;
use crds::roles::GatewayDesired;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::{Value, json};
use tests::apiserver::{Kind, World, await_that, condition, kubectl};

use super::scenarios::{ACCOUNT, STRATEGY, create};

const SINCE: &str = "2026-01-31T12:00:00.250Z";

async fn register(world: &World, gateway: &bus::Owner) -> GatewayDesired {
    let register = world.bus.desired(gateway).await.unwrap().unwrap();
    serde_json::from_str(&register.value).unwrap()
}

/// Waits until the gateway's register holds what it must.
async fn until_told(world: &World, gateway: &bus::Owner, what: &str, holds: impl Fn(&GatewayDesired) -> bool) {
    await_that(what, || async { holds(&register(world, gateway).await).then_some(()) }).await;
}

async fn pods(world: &World) -> Vec<String> {
    world.pods().list(&ListParams::default()).await.unwrap().iter().map(ResourceExt::name_any).collect()
}

fn release(text: &str) -> Value {
    json!({"metadata": {"annotations": {"glm.trading/release": text}}})
}

/// Waits until no annotation asks for a release any more.
async fn until_taken_off(world: &World) {
    world
        .until("the annotation is taken off", Kind::Account, ACCOUNT, |object| {
            object["metadata"]["annotations"]["glm.trading/release"].is_null()
        })
        .await;
}

#[tokio::test]
async fn they_travel_in_the_register_stand_in_the_status_and_are_released_by_the_annotation() {
    let world = World::alone().await;
    create(&world).await;
    world.until_reason(Kind::Strategy, STRATEGY, "Trading").await;
    world.until_reason(Kind::Account, ACCOUNT, "Available").await;
    let before = pods(&world).await;
    let gateway = world.keys.gateway(&bus::Scope::account(&world.namespace, ACCOUNT).unwrap());

    world.patch(Kind::Account, ACCOUNT, json!({"spec": {"limits": {"maxExposure": {"USDT": 5000}}}})).await;
    until_told(&world, &gateway, "the gateway is told", |register| register.limits.is_some()).await;
    world.until_reason(Kind::Account, ACCOUNT, "Available").await;
    assert_eq!(pods(&world).await, before, "no pod is made anew");

    let limit = json!([{"name": "maxExposure", "since": SINCE, "figure": "5100", "threshold": "5000"}]);
    world.set_field(&gateway, "latched", &limit.to_string());
    world.nudge_account(ACCOUNT);
    world.until_reason(Kind::Account, ACCOUNT, "LimitReached").await;
    let object = world.get(Kind::Account, ACCOUNT).await;
    assert_eq!(object["status"]["risk"]["limits"], limit);
    assert_eq!(
        (&condition(&object, "Ready")["status"], &object["status"]["state"]),
        (&json!("True"), &json!("Running"))
    );
    let shown = kubectl(&["--namespace", &world.namespace, "get", "tacct", ACCOUNT], "").stdout;
    assert!(shown.contains("HALTED") && shown.contains("MaxExposure"), "{shown}");

    // Another since: an Event says what to write.
    world.patch(Kind::Account, ACCOUNT, release("maxExposure 2026-01-01T00:00:00Z")).await;
    until_taken_off(&world).await;
    await_that("an Event says what to write", || async {
        let said = kubectl(&["--namespace", &world.namespace, "get", "events", "-o", "json"], "").stdout;
        let told = said.contains(&format!("write \\\"maxExposure {SINCE}\\\"")) && said.contains("\"LimitReached\"");
        told.then_some(())
    })
    .await;
    assert_eq!(register(&world, &gateway).await.release, None);

    let text = format!("maxExposure {SINCE}");
    world.patch(Kind::Account, ACCOUNT, release(&text)).await;
    let is_asked = |register: &GatewayDesired| register.release == Some(text.parse().unwrap());
    until_told(&world, &gateway, "the gateway is asked", is_asked).await;
    let object = world.get(Kind::Account, ACCOUNT).await;
    assert_eq!(object["metadata"]["annotations"]["glm.trading/release"], text, "it stays until that is done");
    world.set_field(&gateway, "latched", "[]");
    world.nudge_account(ACCOUNT);
    until_taken_off(&world).await;
    world.until_reason(Kind::Account, ACCOUNT, "Available").await;
    until_told(&world, &gateway, "nothing is asked any more", |register| register.release.is_none()).await;
    let object = world.get(Kind::Account, ACCOUNT).await;
    assert_eq!((&object["status"]["risk"], &object["status"]["summary"]["halted"]), (&Value::Null, &json!("")));
    assert_eq!(pods(&world).await, before);
}

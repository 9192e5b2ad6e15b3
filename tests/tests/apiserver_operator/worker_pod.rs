//! What a manifest says of its worker's pod: a new pod has it, and what the API server does not take is told in its words.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tests::apiserver::{Kind, World, await_told, condition};

use super::scenarios::{STRATEGY, create};

async fn want(world: &World, worker: Value) {
    world.patch(Kind::Strategy, STRATEGY, json!({"spec": {"worker": worker}})).await;
}

/// The one pod of the strategy's worker, once it is that of this epoch.
async fn pod(world: &World, epoch: u64) -> Pod {
    await_told(&format!("the pod of epoch {epoch}"), || async {
        let found = world.pods().get_opt(&format!("{STRATEGY_POD}-{epoch}")).await.expect("the API server answers");
        found.ok_or_else(String::new)
    })
    .await
}

const STRATEGY_POD: &str = "strategy-grid";

#[tokio::test]
async fn a_pod_is_as_its_manifest_wants_it() {
    let world = World::alone().await;
    create(&world).await;
    world.until_reason(Kind::Strategy, STRATEGY, "Trading").await;
    want(
        &world,
        json!({
            "image": "mine:1", "imagePullSecrets": [{"name": "pull"}], "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "batch", "operator": "Exists", "effect": "NoSchedule"}],
            "resources": {"requests": {"cpu": 1, "memory": "128Mi"}},
        }),
    )
    .await;
    let made = json!(pod(&world, 2).await.spec);
    let container = &made["containers"][0];
    assert_eq!((&container["image"], &made["imagePullSecrets"]), (&json!("mine:1"), &json!([{"name": "pull"}])));
    assert_eq!(made["nodeSelector"], json!({"disk": "ssd"}));
    assert!(made["tolerations"].to_string().contains("batch"), "{made}");
    assert_eq!(container["resources"]["limits"], json!({"memory": "128Mi"}), "no less than is asked for");
    world.until_reason(Kind::Strategy, STRATEGY, "Trading").await;
    let gateway = world.pods().get("gateway-paper-1").await.expect("the gateway's pod is that of before");
    assert_eq!(json!(gateway.spec)["containers"][0]["image"], "glm:test");

    want(&world, json!({"priorityClassName": "nowhere"})).await;
    world
        .until("what is wrong with its pod", Kind::Strategy, STRATEGY, |object| {
            let ready = condition(object, "Ready");
            ready["reason"] == "PodBlocked" && ready["message"].to_string().contains("nowhere")
        })
        .await;
    want(&world, json!({"priorityClassName": null})).await;
    world.until_reason(Kind::Strategy, STRATEGY, "Trading").await;
}

//! In place of kwok and a scheduler, where neither is there: binds pods to fake nodes and says that they run.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::sync::{Mutex, Semaphore};

/// Requests at once.
const CONCURRENCY: usize = 32;

/// A step of a pod's life that was done: the watch may tell the pod as it was before once more.
type Done = Arc<Mutex<HashSet<(String, &'static str)>>>;

/// Plays so many nodes until it is killed.
pub async fn run(namespace: &str, nodes: &str) -> Result<(), String> {
    let nodes: usize = nodes.parse().map_err(|error| format!("{nodes}: {error}; write a number"))?;
    let client = Client::try_default().await.map_err(|error| error.to_string())?;
    let api: Api<Pod> = Api::namespaced(client, namespace);
    let (places, done) = (Arc::new(Semaphore::new(CONCURRENCY)), Done::default());
    let mut events = pin!(watcher(api.clone(), watcher::Config::default()).default_backoff());
    let mut bound = 0;
    while let Some(event) = events.next().await {
        let Ok(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod)) = event else { continue };
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let (api, done) = (api.clone(), Arc::clone(&done));
        bound += 1;
        let node = format!("fake-{}", bound % nodes.max(1));
        tokio::spawn(async move {
            step(&api, &pod, &node, &done).await;
            drop(place);
        });
    }
    Ok(())
}

/// The next step of a pod's life. Each makes an event, and so the one after it.
async fn step(api: &Api<Pod>, pod: &Pod, node: &str, done: &Done) {
    let (name, uid) = (pod.name_any(), pod.uid().unwrap_or_default());
    let is_bound = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
    let is_pending = pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Pending");
    let next = match (pod.metadata.deletion_timestamp.is_some(), is_bound, is_pending) {
        (true, _, _) => "end",
        (false, false, _) => "bind",
        (false, true, true) => "run",
        (false, true, false) => return,
    };
    if !done.lock().await.insert((uid.clone(), next)) {
        return;
    }
    let failed = match next {
        "end" => {
            let preconditions = Some(Preconditions { uid: Some(uid.clone()), resource_version: None });
            let now = DeleteParams { grace_period_seconds: Some(0), preconditions, ..DeleteParams::default() };
            api.delete(&name, &now).await.err()
        }
        "bind" => {
            let target = json!({"apiVersion": "v1", "kind": "Node", "name": node});
            let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target});
            api.create_subresource::<_, Value>("binding", &name, &PostParams::default(), &binding).await.err()
        }
        _ => api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&running(pod))).await.err(),
    };
    if let Some(error) = failed {
        eprintln!("fleet: {next} {name}: {error}");
        done.lock().await.remove(&(uid, next));
    }
}

fn running(pod: &Pod) -> Value {
    let now = Timestamp::now();
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let told = containers.map(|container| {
        json!({
            "name": container.name, "ready": true, "image": "glm", "imageID": "glm", "restartCount": 0,
            "state": {"running": {"startedAt": now}},
        })
    });
    let ready = json!({"type": "Ready", "status": "True", "lastTransitionTime": now});
    json!({"status": {"phase": "Running", "conditions": [ready], "containerStatuses": told.collect::<Vec<_>>()}})
}

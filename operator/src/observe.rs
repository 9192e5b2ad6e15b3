//! Reading objects and pods from the API server, whatever a cache or labels say. Needs a client.

use k8s_openapi::api::core::v1::{ContainerStatus, Namespace, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DynamicObject, ListParams};
use kube::core::{ApiResource, object::HasSpec};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::names::{DIGEST_ANNOTATION, OWNER_LABEL, Role};
use crate::placement::PodFacts;
use crate::{Error, unknown};

/// An object as it is stored now, and the paths of fields in its spec that are not known here. `None` if it is
/// gone. One whose deletion the cache has not seen yet is looked at again once it has: whether its namespace goes
/// too was asked of what the cache holds.
pub async fn read<K>(client: &Client, seen: &K) -> Result<Option<(K, Vec<String>)>, Error>
where
    K: Resource<DynamicType = ()> + HasSpec<Spec: Serialize> + DeserializeOwned,
{
    let (namespace, name) = (&seen.namespace().unwrap_or_default(), &seen.name_any());
    let kind = ApiResource::erase::<K>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind);
    let Some(stored) = api.get_opt(name).await.map_err(Error::api("get", name))? else { return Ok(None) };
    let json = |source| Error::Json { subject: name.to_owned(), source };
    let raw = serde_json::to_value(&stored).map_err(json)?;
    let object = K::deserialize(&raw).map_err(json)?;
    if object.meta().deletion_timestamp.is_some() && seen.meta().deletion_timestamp.is_none() {
        return Err(Error::Changed { subject: name.to_owned() });
    }
    let unknown_fields = unknown::fields(&raw["spec"], object.spec(), "spec");
    Ok(Some((object, unknown_fields)))
}

/// Whose pods are looked for.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// The resource's namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its uid.
    pub uid: &'a str,
}

/// All pods of a resource in a role, and foreign ones that hold the names of its present and next epoch.
pub async fn pods(client: &Client, owner: Owner<'_>, role: Role, epoch: u64) -> Result<Vec<PodFacts>, Error> {
    let Owner { namespace, name, uid } = owner;
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().labels(&format!("{OWNER_LABEL}={uid}"));
    let mut pods = api.list(&params).await.map_err(Error::api("list pods of", name))?.items;
    // A pod whose labels were edited is still ours: its name and its owner reference tell.
    for epoch in [epoch, epoch + 1] {
        let wanted = role.pod(name, epoch);
        if !pods.iter().any(|pod| pod.name_any() == wanted) {
            pods.extend(api.get_opt(&wanted).await.map_err(Error::api("get pod", wanted.clone()))?);
        }
    }
    Ok(pods.iter().filter_map(|pod| facts(pod, name, uid, role)).collect())
}

/// A controller reference that never blocks its owner's deletion.
pub fn owner_reference<K: Resource<DynamicType = ()>>(object: &K) -> OwnerReference {
    OwnerReference { block_owner_deletion: Some(false), ..object.controller_owner_ref(&()).unwrap_or_default() }
}

/// Whether a namespace is being deleted: nothing can be made in it any more.
pub async fn is_terminating(client: &Client, namespace: &str) -> Result<bool, Error> {
    let api: Api<Namespace> = Api::all(client.clone());
    let found = api.get_opt(namespace).await.map_err(Error::api("get namespace", namespace))?;
    Ok(found.is_none_or(|namespace| namespace.metadata.deletion_timestamp.is_some()))
}

/// What a placement needs of a pod; `None` for pods of other names.
fn facts(pod: &Pod, name: &str, uid: &str, role: Role) -> Option<PodFacts> {
    let pod_name = pod.name_any();
    let epoch = pod_name.strip_prefix(&format!("{}-{name}-", role.name()))?.parse().ok()?;
    let owned = pod.owner_references().iter().any(|owner| owner.uid == uid && owner.controller == Some(true));
    let status = pod.status.as_ref();
    let container = status.and_then(|status| status.container_statuses.as_ref()?.first());
    let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or("Pending");
    Some(PodFacts {
        uid: pod.uid().unwrap_or_default(),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        epoch,
        owned,
        digest: pod.annotations().get(DIGEST_ANNOTATION).cloned().unwrap_or_default(),
        deleting: pod.metadata.deletion_timestamp.is_some(),
        ended: matches!(phase, "Succeeded" | "Failed"),
        last_exit: container.and_then(last_exit),
        ready: phase == "Running" && container.is_some_and(|container| container.ready),
        waiting: container.and_then(waiting),
        name: pod_name,
    })
}

fn last_exit(container: &ContainerStatus) -> Option<i32> {
    let ended = |state: &Option<k8s_openapi::api::core::v1::ContainerState>| {
        state.as_ref()?.terminated.as_ref().map(|ended| ended.exit_code)
    };
    ended(&container.state).or_else(|| ended(&container.last_state))
}

/// Why a container cannot start; a container that is only being made is no reason.
fn waiting(container: &ContainerStatus) -> Option<String> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.clone().unwrap_or_default();
    if matches!(reason.as_str(), "" | "ContainerCreating" | "PodInitializing") {
        return None;
    }
    let message = waiting.message.clone().unwrap_or_default();
    Some(format!("{reason}: {message}").trim_end_matches([':', ' ']).to_owned())
}

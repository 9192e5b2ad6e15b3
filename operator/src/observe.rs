//! Reading objects and pods from the API server, whatever a cache or labels say. Needs a client.

use std::collections::BTreeSet;

use crds::strategy::status::Restarts;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Namespace, Pod, PodSpec, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::core::object::HasSpec;
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::context::Context;
use crate::groups::Places;
use crate::names::{
    COMPONENT_LABEL, DIGEST_ANNOTATION, INSTANCE_LABEL, OPERATOR, OWNER_LABEL, Role, WHOLE_DIGEST_ANNOTATION,
};
use crate::placement::{Ends, PodFacts};
use crate::seen::Seen;

/// The longest end of a log that a status shows, in bytes.
const WORDS_MAX: usize = 1_000;

/// An object as it is stored now. `None` if it is gone. One whose deletion the cache has not seen yet is looked at again
/// once it has: whether its namespace goes too was asked of what the cache holds.
pub async fn read<K>(client: &Client, seen: &Seen<K>) -> Result<Option<Seen<K>>, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + HasSpec<Spec: Serialize> + DeserializeOwned,
    K: Clone + std::fmt::Debug,
{
    let (namespace, name) = (&seen.namespace().unwrap_or_default(), &seen.name_any());
    let api: Api<Seen<K>> = Api::namespaced(client.clone(), namespace);
    let Some(stored) = api.get_opt(name).await.map_err(Error::api("get", name))? else { return Ok(None) };
    if stored.meta().deletion_timestamp.is_some() && seen.meta().deletion_timestamp.is_none() {
        return Err(Error::Changed { subject: name.to_owned() });
    }
    Ok(Some(stored))
}

/// Where a pod is found: by each of its owners; that of a live source's feed by its source too.
pub fn places(pod: &Pod) -> Places<String> {
    let owners = pod.owner_references().iter().map(|owner| owned_by(&owner.uid));
    let label = |name: &str| pod.labels().get(name).map(String::as_str);
    let source = label(INSTANCE_LABEL).filter(|_| label(COMPONENT_LABEL) == Some(Role::Feed.name()));
    let source = source.map(|source| feeds_of(&pod.namespace().unwrap_or_default(), source));
    owners.chain(source).map(|group| (group, pod.name_any())).collect()
}

fn owned_by(uid: &str) -> String {
    format!("owner {uid}")
}

fn feeds_of(namespace: &str, source: &str) -> String {
    format!("feed {namespace}/{source}")
}

/// Takes off a pod what is never looked at: thousands are remembered.
pub fn lean(pod: &mut Pod) {
    pod.metadata.managed_fields = None;
    pod.spec = pod.spec.take().map(|spec| PodSpec { node_name: spec.node_name, ..PodSpec::default() });
    if let Some(status) = &mut pod.status {
        *status = PodStatus {
            phase: status.phase.take(),
            conditions: status.conditions.take(),
            container_statuses: status.container_statuses.take(),
            ..PodStatus::default()
        };
    }
}

/// What a look goes by. One that finds something to do by what is remembered is followed by a fresh one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// What the watches last told.
    Remembered,
    /// What the API server says now.
    Fresh,
}

/// Whose pods are looked for.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the names of these fields say it")]
pub struct Owner<'a> {
    /// The resource's namespace.
    pub namespace: &'a str,
    pub name: &'a str,
    pub uid: &'a str,
}

/// All pods of a resource, whatever their role. Of remembered ones whose labels were edited nothing is seen.
pub async fn pods(context: &Context, look: Look, owner: Owner<'_>) -> Result<Vec<Pod>, Error> {
    match look {
        Look::Remembered => Ok(context.pods.of(&owned_by(owner.uid))),
        Look::Fresh => {
            let api: Api<Pod> = Api::namespaced(context.client.clone(), owner.namespace);
            let params = ListParams::default().labels(&format!("{OWNER_LABEL}={}", owner.uid));
            Ok(api.list(&params).await.map_err(Error::api("list pods of", owner.name))?.items)
        }
    }
}

/// Of those pods the ones in a role, and, where the next one may be made after a fresh look, others that hold the names of its
/// present and next epoch.
pub async fn in_role(
    context: &Context,
    look: Look,
    owner: Owner<'_>,
    pods: &[Pod],
    (role, epoch): (Role, u64),
) -> Result<Vec<PodFacts>, Error> {
    let now = Timestamp::now();
    let is_own = |reference: &OwnerReference| reference.uid == owner.uid && reference.controller == Some(true);
    let in_it = |pod: &Pod| facts(pod, (role, owner.name), pod.owner_references().iter().any(is_own), now);
    let mut found: Vec<PodFacts> = pods.iter().filter_map(in_it).collect();
    // No name is needed while the present one is there, and it is looked at again once it is not.
    if look == Look::Fresh && !found.iter().any(|pod| runs_on(pod, epoch)) {
        let api: Api<Pod> = Api::namespaced(context.client.clone(), owner.namespace);
        found.extend(others(&api, pods, (role, owner.name), epoch).await?.iter().filter_map(in_it));
    }
    Ok(found)
}

/// A pod that several resources own, none of which controls it.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedPod {
    /// As it was seen.
    pub facts: PodFacts,
    /// Who owns it.
    pub owners: Vec<OwnerReference>,
    /// As it was read.
    pub resource_version: String,
}

/// All pods of a live source's feed, and, where the next one may be made, others that hold the names of its present and next
/// epoch. Its own are those that an account with one of these uids owns and does not control.
pub async fn shared_pods(
    context: &Context,
    look: Look,
    (namespace, source): (&str, &str),
    accounts: &BTreeSet<String>,
    epoch: u64,
) -> Result<Vec<SharedPod>, Error> {
    let role = Role::Feed;
    let api: Api<Pod> = Api::namespaced(context.client.clone(), namespace);
    let pods = match look {
        Look::Remembered => context.pods.of(&feeds_of(namespace, source)),
        Look::Fresh => {
            let labels = format!("{},{COMPONENT_LABEL}={},{INSTANCE_LABEL}={source}", managed(), role.name());
            let listed = api.list(&ListParams::default().labels(&labels)).await;
            listed.map_err(Error::api("list pods of", source))?.items
        }
    };
    let now = Timestamp::now();
    let is_own = |owner: &OwnerReference| accounts.contains(&owner.uid) && owner.controller != Some(true);
    let shared = |pod: &Pod| {
        let owners = pod.owner_references().to_vec();
        let resource_version = pod.resource_version().unwrap_or_default();
        Some(SharedPod { facts: facts(pod, (role, source), owners.iter().any(is_own), now)?, owners, resource_version })
    };
    let mut found: Vec<SharedPod> = pods.iter().filter_map(shared).collect();
    if look == Look::Fresh && !found.iter().any(|pod| runs_on(&pod.facts, epoch)) {
        found.extend(others(&api, &pods, (role, source), epoch).await?.iter().filter_map(shared));
    }
    Ok(found)
}

/// What holds the names of the present and the next epoch beside these pods. A pod whose labels were edited is still ours: its
/// name and its owner reference tell.
async fn others(api: &Api<Pod>, pods: &[Pod], (role, name): (Role, &str), epoch: u64) -> Result<Vec<Pod>, Error> {
    let mut found = Vec::new();
    for epoch in [epoch, epoch.saturating_add(1)] {
        let wanted = role.pod(name, epoch);
        if !pods.iter().any(|pod| pod.name_any() == wanted) {
            found.extend(api.get_opt(&wanted).await.map_err(Error::api("get pod", wanted.clone()))?);
        }
    }
    Ok(found)
}

/// Whether a pod is the present one and goes on unless it is deleted: no other is made in the same look.
fn runs_on(pod: &PodFacts, epoch: u64) -> bool {
    pod.owned && pod.epoch == epoch && !pod.deleting && !pod.ended && pod.last_exit.is_none()
}

/// The selector of this operator's pods.
pub fn managed() -> String {
    format!("app.kubernetes.io/managed-by={OPERATOR}")
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
fn facts(pod: &Pod, (role, name): (Role, &str), owned: bool, now: Timestamp) -> Option<PodFacts> {
    let pod_name = pod.name_any();
    let epoch = pod_name.strip_prefix(&format!("{}-{name}-", role.name()))?.parse().ok()?;
    let status = pod.status.as_ref();
    // By its name: what others put beside it stands in the same list.
    let container = status
        .and_then(|status| status.container_statuses.as_ref())
        .and_then(|all| all.iter().find(|container| container.name == role.name()));
    let ready = status
        .and_then(|status| status.conditions.as_ref())
        .and_then(|all| all.iter().find(|condition| condition.type_ == "Ready" && condition.status == "True"));
    let ready_since = ready.and_then(|condition| condition.last_transition_time.as_ref());
    let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or("Pending");
    Some(PodFacts {
        uid: pod.uid().unwrap_or_default(),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        epoch,
        owned,
        digest: pod.annotations().get(DIGEST_ANNOTATION).cloned().unwrap_or_default(),
        whole_digest: pod.annotations().get(WHOLE_DIGEST_ANNOTATION).cloned(),
        deleting: pod.metadata.deletion_timestamp.is_some(),
        ended: matches!(phase, "Succeeded" | "Failed"),
        last_exit: container.and_then(last_end).map(|end| end.exit_code),
        last_words: container.and_then(last_end).map(last_words).unwrap_or_default(),
        ready: phase == "Running" && ready.is_some(),
        ready_s: ready_since.map(|since| u64::try_from(now.duration_since(since.0).as_secs()).unwrap_or(0)),
        waiting: container.and_then(waiting),
        name: pod_name,
    })
}

/// How a container ended that does not run now. One that was started again and runs keeps its last end for ever, which
/// says nothing of how it does today.
fn last_end(container: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    if container.state.as_ref().is_some_and(|state| state.running.is_some()) {
        return None;
    }
    [&container.state, &container.last_state].into_iter().find_map(|state| state.as_ref()?.terminated.as_ref())
}

/// The end of what it said, without what no terminal shows.
fn last_words(end: &ContainerStateTerminated) -> String {
    let said = end.message.as_deref().unwrap_or_default().trim();
    let start = said.char_indices().map(|(at, _)| at).find(|at| said.len() - at <= WORDS_MAX).unwrap_or(said.len());
    said[start..].chars().filter(|character| !character.is_control() || *character == '\n').collect()
}

/// Why a container cannot start, and how it ended if it did; a container that is only being made is no reason.
fn waiting(container: &ContainerStatus) -> Option<String> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.clone().unwrap_or_default();
    if matches!(reason.as_str(), "" | "ContainerCreating" | "PodInitializing") {
        return None;
    }
    let message = waiting.message.clone().unwrap_or_default();
    let told = format!("{reason}: {message}").trim_end_matches([':', ' ']).to_owned();
    Some(match last_end(container) {
        // Kubernetes' own message counts pauses and so changes all the time.
        Some(end) => format!("{reason}: it ended with exit code {} and the words: {}", end.exit_code, last_words(end)),
        None => told,
    })
}

/// Ends before readiness as the status tells them; an end in the future was just now.
pub fn ends(restarts: Option<&Restarts>, now: Timestamp) -> Option<Ends> {
    let restarts = restarts?;
    let age = restarts.at.parse().map_or(0, |at: Timestamp| now.duration_since(at).as_secs());
    Some(Ends {
        count: restarts.count,
        last_exit: restarts.last_exit,
        message: restarts.message.clone(),
        digest: restarts.digest.clone(),
        age_s: u64::try_from(age).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(containers: &serde_json::Value, ready: &str) -> PodFacts {
        let pod = json!({
            "metadata": {"name": "strategy-grid-3", "uid": "p"},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z"}],
                "containerStatuses": containers,
            },
        });
        let now = "2026-01-01T00:01:00Z".parse().unwrap();
        facts(&serde_json::from_value(pod).unwrap(), (Role::Strategy, "grid"), true, now).unwrap()
    }

    fn container(name: &str, ready: bool, state: &serde_json::Value, last: &serde_json::Value) -> serde_json::Value {
        json!({
            "name": name, "ready": ready, "restartCount": 0, "image": "i", "imageID": "i", "state": state, "lastState": last,
        })
    }

    #[test]
    fn what_stands_beside_a_process_is_not_taken_for_it() {
        let beside = container("istio-proxy", true, &json!({"running": {}}), &json!({"terminated": {"exitCode": 4}}));
        let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}});
        let facts = pod(&json!([beside, container("strategy", false, &waiting, &json!({}))]), "False");
        assert_eq!((facts.last_exit, facts.ready), (None, false));
        assert_eq!(facts.waiting.unwrap(), "ImagePullBackOff: no such image");
        // Ready is what the pod says: all that is in it, and its gates.
        let own = container("strategy", true, &json!({"running": {}}), &json!({}));
        let ready = pod(&json!([beside, own]), "True");
        assert_eq!((ready.ready, ready.ready_s), (true, Some(60)));
        let facts = pod(&json!([beside, own]), "False");
        assert_eq!((facts.last_exit, facts.ready), (None, false));
    }

    /// Only where `placement` makes no other pod in the same look may others' names stay unread.
    #[test]
    fn names_are_not_asked_for_while_the_present_pod_goes_on_and_only_then() {
        let running = json!([container("strategy", true, &json!({"running": {}}), &json!({}))]);
        let of_it = PodFacts { owned: true, ..pod(&running, "True") };
        assert!(runs_on(&of_it, 3));
        assert!(runs_on(&PodFacts { ready: false, ..of_it.clone() }, 3), "it starts");
        assert!(!runs_on(&of_it, 2) && !runs_on(&of_it, 4), "of another epoch");
        for other in [
            PodFacts { owned: false, ..of_it.clone() },
            PodFacts { deleting: true, ..of_it.clone() },
            PodFacts { ended: true, ..of_it.clone() },
            PodFacts { last_exit: Some(70), ..of_it },
        ] {
            assert!(!runs_on(&other, 3), "{other:?}");
        }
    }

    #[test]
    fn an_end_counts_until_its_container_runs_again() {
        let (none, ended) = (json!({}), json!({"terminated": {"exitCode": 70, "message": "fenced"}}));
        for (state, last, exit) in [
            (&json!({"running": {}}), &ended, None),
            (&json!({"waiting": {"reason": "CrashLoopBackOff"}}), &ended, Some(70)),
            (&json!({"waiting": {"reason": "ContainerCreating"}}), &ended, Some(70)),
            (&ended, &json!({"terminated": {"exitCode": 4}}), Some(70)),
            (&none, &ended, Some(70)),
            (&json!({"running": {}}), &none, None),
        ] {
            let facts = pod(&json!([container("strategy", false, state, last)]), "False");
            assert_eq!((facts.last_exit, facts.last_words.is_empty()), (exit, exit.is_none()), "{state} {last}");
        }
    }

    #[test]
    fn the_last_words_are_the_end_of_the_log_and_bounded() {
        let message = format!("{}\u{1b}[31mdas Ende: \u{e4}\n", "\u{20ac}".repeat(2_000));
        let last = json!({"terminated": {"exitCode": 4, "message": message}});
        let waiting = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}});
        let facts = pod(&json!([container("strategy", false, &waiting, &last)]), "False");
        assert!(facts.last_words.len() <= WORDS_MAX && facts.last_words.ends_with("[31mdas Ende: \u{e4}"));
        let told = facts.waiting.unwrap();
        assert!(told.starts_with("CrashLoopBackOff: it ended with exit code 4 and the words: \u{20ac}"), "{told}");
    }

    #[test]
    fn an_end_is_as_old_as_the_clock_says_and_never_in_the_future() {
        let restarts = Restarts { count: 2, at: "2026-01-01T00:00:10Z".to_owned(), ..Restarts::default() };
        for (now, age) in [("2026-01-01T00:00:10Z", 0), ("2026-01-01T00:00:13.9Z", 3), ("2025-01-01T00:00:00Z", 0)] {
            assert_eq!(ends(Some(&restarts), now.parse().unwrap()).unwrap().age_s, age);
        }
        assert_eq!(ends(None, Timestamp::UNIX_EPOCH), None);
    }
}

//! Objects that do not read as their kind: each tells so in its own status, and what runs for it runs on. One
//! broken object never stops a watch.

use crds::condition::{Condition, ConditionStatus};
use kube::api::{DynamicObject, ObjectMeta, Patch, PatchParams};
use kube::core::ApiResource;
use kube::{Api, Resource};
use serde_json::json;

use crate::condition::Verdict;
use crate::context::Context;
use crate::names::STATUS_MANAGER;
use crate::reason::Reason;
use crate::{Error, moment};

/// Writes into an object's status why it does not read.
pub async fn tell<K: Resource<DynamicType = ()>>(context: &Context, meta: &ObjectMeta, why: &str) -> Result<(), Error> {
    let kind = ApiResource::erase::<K>(&());
    let (name, namespace) = (meta.name.clone().unwrap_or_default(), meta.namespace.clone().unwrap_or_default());
    tracing::error!(kind = kind.kind, namespace, name, why, "the object does not read");
    let api: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), &namespace, &kind);
    let Some(object) = api.get_opt(&name).await.map_err(Error::api("get", name.clone()))? else { return Ok(()) };
    let before: Vec<Condition> =
        serde_json::from_value(object.data["status"]["conditions"].clone()).unwrap_or_default();
    let message = format!("The object does not read: {why}. Apply it again; what runs for it runs on.");
    let verdict = Verdict {
        accepted: (ConditionStatus::False, Reason::Unreadable, message.clone()),
        ready: (ConditionStatus::False, Reason::Unreadable, message),
        reconciling: false,
        stalled: true,
    };
    let now = moment::written(k8s_openapi::jiff::Timestamp::now());
    let conditions = verdict.conditions(&before, meta.generation, &now);
    if conditions == before {
        return Ok(());
    }
    let body = json!({
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": { "name": name, "resourceVersion": object.metadata.resource_version },
        "status": { "conditions": conditions },
    });
    // Its own manager: the figures of the readable past stay.
    let params = PatchParams::apply(&format!("{STATUS_MANAGER}-unreadable")).force();
    match api.patch_status(&name, &params, &Patch::Apply(&body)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(Error::api("write the status of", name)(error)),
    }
}

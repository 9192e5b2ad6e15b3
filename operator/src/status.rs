//! The write of a status, of either kind. Needs a client.

use kube::api::{Patch, PatchParams};
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Error;
use crate::context::Context;
use crate::names::STATUS_MANAGER;

/// An object as it stands after a look's own writes.
#[derive(Debug, Clone, Copy)]
pub struct ObjectVersion<'a> {
    pub namespace: &'a str,
    pub name: &'a str,
    pub uid: &'a str,
    /// Nothing is written over another.
    pub resource_version: &'a str,
}

/// How long a stop, a pause or a deletion that nothing holds may take before a human is asked.
pub const DEADLINE_SECONDS: u64 = 60;

/// A status without its epoch, its ledger and its restarts: they have their own manager, and are not touched here.
pub fn body(name: &str, status: &impl Serialize) -> Result<Value, Error> {
    let mut body = serde_json::to_value(status).map_err(|source| Error::Json { subject: name.to_owned(), source })?;
    if let Some(fields) = body.as_object_mut() {
        fields.remove("epoch");
        fields.remove("ledger");
        fields.remove("restarts");
    }
    Ok(body)
}

/// Writes it under its own manager, and only over what was observed: a write that arrives late, of a look that was
/// given up or of an operator that has died, would stand until it is looked at.
pub async fn write<K>(context: &Context, object: ObjectVersion<'_>, body: Value) -> Result<(), Error>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned,
{
    let ObjectVersion { namespace, name, uid, resource_version } = object;
    let body = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": { "name": name, "resourceVersion": resource_version },
        "status": body,
    });
    let api: Api<K> = Api::namespaced(context.client.clone(), namespace);
    let params = PatchParams::apply(STATUS_MANAGER).force();
    let writing = context.written.begin(uid);
    match api.patch_status(name, &params, &Patch::Apply(&body)).await {
        Ok(written) => {
            writing.done(written.meta().resource_version.as_deref());
            Ok(())
        }
        // Gone meanwhile: there is nothing to tell.
        Err(kube::Error::Api(answer)) if answer.code == 404 => Ok(()),
        Err(error) => Err(Error::api("write the status of", name)(error)),
    }
}

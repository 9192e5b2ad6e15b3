//! Carrying out a placement's steps, in order: server-side apply for what the status intends, the store for
//! ledgers, the API server for pods. Needs a client. A crash after any step leaves a state that the next plan
//! goes on from.

use std::collections::BTreeMap;
use std::sync::Arc;

use bus::{
    CloseOutcome, Closing, CreateOutcome, Desired, DesiredOutcome, Fields, Message, MessageBus, Owner, Retention,
    StateStore,
};
use crds::record::{KEPT, STARTED_AT};
use crds::strategy::status::Ledger;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams, Preconditions};
use kube::core::ApiResource;
use kube::{Api, Resource, ResourceExt};
use serde_json::{Value, json};

use crate::build::{PodRequest, pod};
use crate::context::Context;
use crate::names::{LEDGER_ANNOTATION, OPERATOR, PLACEMENT_MANAGER, Role};
use crate::placement::Step;
use crate::status::ObjectVersion;
use crate::{Error, finalizer, observe};

/// Epoch and ledger of one process, as they stand in the status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placed {
    /// The ledger.
    pub ledger: Option<Ledger>,
    /// The epoch.
    pub epoch: u64,
}

/// A resource whose processes are being placed.
pub struct Target<'a> {
    /// What every reconcile works with.
    pub context: &'a Context,
    /// Its kind in the API.
    pub kind: ApiResource,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// As it was observed; moves with each write, so that a stale look writes nothing.
    pub resource_version: String,
    /// Its processes.
    pub placed: BTreeMap<Role, Placed>,
    /// The name of the feed's source; only accounts have one.
    pub source: Option<String>,
}

/// A process to place: whose record, and what its pod is made from.
pub struct Process {
    /// Which.
    pub role: Role,
    /// The owner of its record.
    pub owner: Owner,
    /// What its pod is made from, but for the ledger, which may be made meanwhile.
    pub request: PodRequest,
}

impl Target<'_> {
    fn api(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.context.client.clone(), &self.namespace, &self.kind)
    }

    /// The resource as it stands after the writes so far.
    pub fn version(&self) -> ObjectVersion<'_> {
        ObjectVersion { namespace: &self.namespace, name: &self.name, resource_version: &self.resource_version }
    }

    fn subject(&self) -> String {
        format!("{} {}/{}", self.kind.kind, self.namespace, self.name)
    }

    /// Carries out steps. Stops after a ledger was made: what comes next is planned from a fresh look.
    pub async fn apply(&mut self, process: &Process, steps: &[Step]) -> Result<(), Error> {
        for step in steps {
            match step {
                Step::CreateLedger => self.create_ledger(process).await?,
                Step::RecordLedger { id, started_at } => self.record_ledger(process.role, id, *started_at).await?,
                Step::CloseLedger { id } => self.close_ledger(&process.owner, id).await?,
                Step::RecordEpoch(epoch) => {
                    self.placed.entry(process.role).or_default().epoch = *epoch;
                    self.write_placement().await?;
                }
                Step::CreatePod(epoch) => self.create_pod(process, *epoch).await?,
                Step::DeletePod { name, uid } => self.delete_pod(name, uid).await?,
                Step::ClearAnswer => self.clear_answer().await?,
            }
        }
        Ok(())
    }

    async fn create_ledger(&mut self, process: &Process) -> Result<(), Error> {
        let failed =
            |why: String| Error::Store { action: "open the ledger of", subject: process.owner.name().to_owned(), why };
        let now = self.context.within(self.context.bus.now_ms()).await.map_err(failed)?;
        let fields = Fields::from([(STARTED_AT.to_owned(), Arc::from(now.to_string()))]);
        let created = self.context.within(self.context.bus.create(&process.owner, &self.uid, &fields)).await;
        match created.map_err(failed)? {
            CreateOutcome::Created { ledger } => {
                tracing::info!(resource = self.subject(), ledger, "a ledger was opened");
                self.record_ledger(process.role, &ledger, i64::try_from(now).unwrap_or_default()).await
            }
            // Made before a crash, or somebody else's: the next look tells which.
            CreateOutcome::Exists { .. } => Ok(()),
        }
    }

    async fn record_ledger(&mut self, role: Role, id: &str, started_at: i64) -> Result<(), Error> {
        let started_at = k8s_openapi::jiff::Timestamp::from_millisecond(started_at).unwrap_or_default();
        self.placed.entry(role).or_default().ledger = Some(Ledger {
            id: id.to_owned(),
            resource_uid: self.uid.clone(),
            started_at: started_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        });
        self.write_placement().await
    }

    /// Closes a ledger for good; one that is gone is closed.
    pub async fn close_ledger(&self, owner: &Owner, id: &str) -> Result<(), Error> {
        let closing = Closing { drop: &self.context.keys.streams_of(owner), keep: &KEPT };
        let closed = self.context.within(self.context.bus.close(owner, id, closing)).await;
        match closed {
            Ok(CloseOutcome::Closed | CloseOutcome::Missing | CloseOutcome::OtherLedger { .. }) => Ok(()),
            Err(why) => Err(Error::Store { action: "close the ledger of", subject: owner.name().to_owned(), why }),
        }
    }

    /// Writes epochs and ledgers, all of them, under their own manager and only over what was observed.
    async fn write_placement(&mut self) -> Result<(), Error> {
        let mut status = serde_json::Map::new();
        for (role, placed) in &self.placed {
            match role {
                Role::Strategy | Role::Gateway => {
                    status.insert("epoch".to_owned(), json!(placed.epoch));
                    if let Some(ledger) = &placed.ledger {
                        status.insert("ledger".to_owned(), json!(ledger));
                    }
                }
                Role::Feed => {
                    let mut feed = json!({ "source": self.source, "epoch": placed.epoch });
                    if let Some(ledger) = &placed.ledger {
                        feed["ledger"] = json!(ledger);
                    }
                    status.insert("feed".to_owned(), feed);
                }
            }
        }
        let body = json!({
            "apiVersion": self.kind.api_version,
            "kind": self.kind.kind,
            "metadata": { "name": self.name, "resourceVersion": self.resource_version },
            "status": status,
        });
        let params = PatchParams::apply(PLACEMENT_MANAGER).force();
        let written = self.api().patch_status(&self.name, &params, &Patch::Apply(&body)).await;
        self.context.metrics.writes.inc();
        let written = written.map_err(Error::api("write the placement of", self.subject()))?;
        self.resource_version = written.resource_version().unwrap_or_default();
        Ok(())
    }

    async fn create_pod(&self, process: &Process, epoch: u64) -> Result<(), Error> {
        let ledger = self.placed.get(&process.role).and_then(|placed| placed.ledger.as_ref());
        let request = PodRequest {
            ledger: ledger.map(|ledger| ledger.id.clone()).unwrap_or_default(),
            ..process.request.clone()
        };
        let pod: Pod = pod(&request, &self.context.image, epoch);
        let name = pod.name_any();
        let api: Api<Pod> = Api::namespaced(self.context.client.clone(), &self.namespace);
        let params = PostParams { field_manager: Some(OPERATOR.to_owned()), ..PostParams::default() };
        self.context.metrics.writes.inc();
        match api.create(&params, &pod).await {
            Ok(_) => {
                tracing::info!(resource = self.subject(), pod = name, epoch, "a pod was made");
                Ok(())
            }
            // Made before a crash, or a foreign one: the next look tells which.
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 403 => {
                tracing::warn!(resource = self.subject(), pod = name, why = status.message, "the pod is refused");
                Err(Error::PodRefused { role: process.role, why: status.message })
            }
            Err(error) => Err(Error::api("make pod", name)(error)),
        }
    }

    async fn delete_pod(&self, name: &str, uid: &str) -> Result<(), Error> {
        let api: Api<Pod> = Api::namespaced(self.context.client.clone(), &self.namespace);
        let preconditions = Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None });
        self.context.metrics.writes.inc();
        match api.delete(name, &DeleteParams { preconditions, ..DeleteParams::default() }).await {
            Ok(_) => {
                tracing::info!(resource = self.subject(), pod = name, "a pod was deleted");
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
            Err(error) => Err(Error::api("delete pod", name)(error)),
        }
    }

    async fn clear_answer(&mut self) -> Result<(), Error> {
        // The answer that was acted on, and no later one.
        let annotations = json!({ LEDGER_ANNOTATION: null });
        let patch = json!({ "metadata": { "annotations": annotations, "resourceVersion": self.resource_version } });
        self.patch(&patch).await
    }

    /// Puts the finalizer on, or takes it off.
    pub async fn set_finalizer(&mut self, finalizers: &[String]) -> Result<(), Error> {
        let patch = json!({ "metadata": { "finalizers": finalizers, "resourceVersion": self.resource_version } });
        self.patch(&patch).await
    }

    async fn patch(&mut self, patch: &Value) -> Result<(), Error> {
        self.context.metrics.writes.inc();
        let params = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
        match self.api().patch(&self.name, &params, &Patch::Merge(patch)).await {
            Ok(written) => {
                self.resource_version = written.resource_version().unwrap_or_default();
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(Error::api("change", self.subject())(error)),
        }
    }

    /// Sets a register if it holds something else, and nudges its reader.
    pub async fn set_register(&self, owner: &Owner, generation: u64, value: &Value) -> Result<(), Error> {
        let failed =
            |why: String| Error::Store { action: "set the register of", subject: owner.name().to_owned(), why };
        let context = self.context;
        let present = context.within(context.bus.desired(owner)).await.map_err(failed)?;
        let text = value.to_string();
        if present.as_ref().is_some_and(|present| *present.value == *text) {
            return Ok(());
        }
        let newest = present.as_ref().map_or(0, |present| present.generation);
        let token = present.as_ref().map_or(0, |present| present.token) + 1;
        let desired = Desired { generation: generation.max(newest), token, value: text.into() };
        match context.within(context.bus.set_desired(owner, &desired)).await.map_err(failed)? {
            DesiredOutcome::Applied => {}
            DesiredOutcome::Older { .. } => return Err(Error::Changed { subject: owner.name().to_owned() }),
        }
        let mut nudge = Message::new(owner.inbox().clone(), 1, r#"{"kind":"Control"}"#);
        if !owner.name().starts_with("strategy-") {
            // Only nudges come this way; a strategy's inbox also holds fills and is trimmed by its reader alone.
            nudge = nudge.with_retention(Retention { max_len: Some(100), max_age_ms: None });
        }
        context.within(context.bus.nudge(owner, &nudge)).await.map_err(failed)?;
        Ok(())
    }
}

/// A resource in a namespace that is being deleted is let go at once, whether it reads or not: nothing can be made
/// there any more, not even an Event, and what the chart granted there may be gone already.
pub async fn release_with_namespace<K: Resource<DynamicType = ()>>(
    context: &Context,
    meta: &ObjectMeta,
) -> Result<bool, Error> {
    if !is_held(meta)
        || !observe::is_terminating(&context.client, meta.namespace.as_deref().unwrap_or_default()).await?
    {
        return Ok(false);
    }
    if release::<K>(context, meta).await? {
        context.metrics.released.inc();
        let (kind, namespace, name) = (K::kind(&()), meta.namespace.as_deref(), meta.name.as_deref());
        tracing::warn!(%kind, namespace, name, "released at once: its namespace is being deleted");
    }
    Ok(true)
}

/// A resource that does not read is let go when a human says so: nobody can tell what it still holds.
pub async fn release_on_demand<K: Resource<DynamicType = ()>>(
    context: &Context,
    meta: &ObjectMeta,
) -> Result<bool, Error> {
    if !is_held(meta) || !meta.annotations.as_ref().is_some_and(finalizer::is_waived) {
        return Ok(false);
    }
    release::<K>(context, meta).await?;
    Ok(true)
}

/// Whether it is being deleted and only this operator still holds it.
fn is_held(meta: &ObjectMeta) -> bool {
    meta.deletion_timestamp.is_some() && finalizer::is_set(meta.finalizers.as_deref().unwrap_or_default())
}

/// Takes this operator's finalizer off; `false`: it is gone already.
async fn release<K: Resource<DynamicType = ()>>(context: &Context, meta: &ObjectMeta) -> Result<bool, Error> {
    let (namespace, name) = (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
    let rest = finalizer::without(meta.finalizers.as_deref().unwrap_or_default());
    // This very object: not one made anew under its name, nor over what others have put into the list since.
    let patch = json!({ "metadata": { "finalizers": rest, "resourceVersion": meta.resource_version } });
    let kind = ApiResource::erase::<K>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), namespace, &kind);
    context.metrics.writes.inc();
    match api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(Error::api("release", name)(error)),
    }
}

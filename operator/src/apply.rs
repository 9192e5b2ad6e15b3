//! Carrying out a placement's steps, in order: server-side apply for what the status intends, the store for
//! ledgers, the API server for pods. Needs a client. A crash after any step leaves a state that the next plan
//! goes on from.

use std::collections::BTreeMap;
use std::sync::Arc;

use bus::{
    CloseOutcome, Closing, CreateOutcome, Desired, DesiredOutcome, Fields, Message, MessageBus, Owner, Retention,
    Scope, StateStore, StreamKey,
};
use crds::account::status::FeedStatus;
use crds::record::{KEPT, STARTED_AT};
use crds::roles::{BookSpec, GatewayDesired};
use crds::strategy::status::{Ledger, Restarts};
use engine::instrument::Symbol;
use engine::market::Interval;
use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::core::ApiResource;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::build::{PodRequest, pod};
use crate::context::Context;
use crate::names::{LEDGER_ANNOTATION, OPERATOR, PLACEMENT_MANAGER, RELEASE_ANNOTATION, Role};
use crate::placement::{Ends, Step};
use crate::reason::Reason;
use crate::status::ObjectVersion;
use crate::{Error, event, kept, moment};

/// Epoch, ledger and restarts of one process, as they stand in the status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of these fields say it")]
pub struct Placed {
    pub ledger: Option<Ledger>,
    pub epoch: u64,
    /// Ends before readiness.
    pub restarts: Option<Restarts>,
}

impl Placed {
    /// As an account's status tells of its feed.
    pub fn of_feed(feed: &FeedStatus) -> Self {
        Self { ledger: feed.ledger.clone(), epoch: feed.epoch, restarts: feed.restarts.clone() }
    }
}

/// A resource whose processes are being placed.
#[expect(missing_docs, reason = "the names of these fields say it")]
pub struct Target<'a> {
    /// What every reconcile works with.
    pub context: &'a Context,
    pub kind: ApiResource,
    pub namespace: String,
    pub name: String,
    pub uid: String,
    /// As it was observed; moves with each write, so that a stale look writes nothing.
    pub resource_version: String,
    /// Its processes.
    pub placed: BTreeMap<Role, Placed>,
    /// The name of the feed's source, as the status has it; only accounts have one.
    pub source: Option<String>,
    /// A reference for Events.
    pub reference: &'a ObjectReference,
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
        ObjectVersion {
            namespace: &self.namespace,
            name: &self.name,
            uid: &self.uid,
            resource_version: &self.resource_version,
        }
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
                Step::RecordEnd(epoch, ends) => {
                    let placed = self.placed.entry(process.role).or_default();
                    (placed.epoch, placed.restarts) = (*epoch, Some(restarts(ends, Timestamp::now())));
                    self.write_placement().await?;
                }
                Step::ForgetEnds => {
                    self.placed.entry(process.role).or_default().restarts = None;
                    self.write_placement().await?;
                }
                Step::CreatePod(epoch) => self.create_pod(process, *epoch).await?,
                Step::DeletePod { name, uid } => delete_pod(self.context, &self.namespace, name, uid).await?,
                Step::ClearAnswer => self.clear_answer().await?,
            }
        }
        Ok(())
    }

    async fn create_ledger(&mut self, process: &Process) -> Result<(), Error> {
        match open_ledger(self.context, &process.owner, &self.uid).await? {
            Some((ledger, started_at)) => self.record_ledger(process.role, &ledger, started_at).await,
            None => Ok(()),
        }
    }

    async fn record_ledger(&mut self, role: Role, id: &str, started_at: i64) -> Result<(), Error> {
        let started_at = Timestamp::from_millisecond(started_at).unwrap_or_default();
        self.placed.entry(role).or_default().ledger =
            Some(Ledger { id: id.to_owned(), resource_uid: self.uid.clone(), started_at: moment::written(started_at) });
        self.write_placement().await
    }

    /// Writes where a feed stands that others share: its source's own reconcile has placed it.
    pub async fn record_feed(&mut self, source: &str, placed: &Placed) -> Result<(), Error> {
        self.source = Some(source.to_owned());
        self.placed.insert(Role::Feed, placed.clone());
        self.write_placement().await
    }

    async fn close_ledger(&self, owner: &Owner, id: &str) -> Result<(), Error> {
        close_ledger(self.context, owner, id, Vec::new()).await
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
                    if let Some(restarts) = &placed.restarts {
                        status.insert("restarts".to_owned(), json!(restarts));
                    }
                }
                Role::Feed => {
                    let mut feed = json!({ "source": self.source, "epoch": placed.epoch });
                    if let Some(ledger) = &placed.ledger {
                        feed["ledger"] = json!(ledger);
                    }
                    if let Some(restarts) = &placed.restarts {
                        feed["restarts"] = json!(restarts);
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
        let writing = self.context.written.begin(&self.uid);
        let written = self.api().patch_status(&self.name, &params, &Patch::Apply(&body)).await;
        let written = written.map_err(Error::api("write the placement of", self.subject()))?;
        writing.done(written.metadata.resource_version.as_deref());
        self.resource_version = written.resource_version().unwrap_or_default();
        Ok(())
    }

    async fn create_pod(&self, process: &Process, epoch: u64) -> Result<(), Error> {
        let ledger = self.placed.get(&process.role).and_then(|placed| placed.ledger.as_ref());
        let request = PodRequest {
            ledger: ledger.map(|ledger| ledger.id.clone()).unwrap_or_default(),
            ..process.request.clone()
        };
        create_pod(self.context, &request, epoch).await
    }

    async fn clear_answer(&mut self) -> Result<(), Error> {
        // The answer that was acted on, and no later one.
        let annotations = json!({ LEDGER_ANNOTATION: null });
        let patch = json!({ "metadata": { "annotations": annotations, "resourceVersion": self.resource_version } });
        self.patch(&patch).await
    }

    /// Takes a human's release off; `refused` tells why it was not acted on.
    pub async fn clear_release(&mut self, refused: Option<(Reason, &str)>) -> Result<(), Error> {
        if let Some((reason, why)) = refused {
            event::refuse(self.context, self.reference, reason, why.to_owned()).await;
        }
        // The one that was looked at, and no later one.
        let annotations = json!({ RELEASE_ANNOTATION: null });
        let patch = json!({ "metadata": { "annotations": annotations, "resourceVersion": self.resource_version } });
        self.patch(&patch).await
    }

    /// Puts the finalizer on, or takes it off.
    pub async fn set_finalizer(&mut self, finalizers: &[String]) -> Result<(), Error> {
        let patch = json!({ "metadata": { "finalizers": finalizers, "resourceVersion": self.resource_version } });
        self.patch(&patch).await
    }

    async fn patch(&mut self, patch: &Value) -> Result<(), Error> {
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
}

/// Makes the record of an owner. Gives its ledger and when it was opened, in milliseconds UTC; `None` where there is one:
/// made before a crash, or somebody else's, the next look tells which.
pub async fn open_ledger(context: &Context, owner: &Owner, uid: &str) -> Result<Option<(String, i64)>, Error> {
    let failed = |why: String| Error::Store { action: "open the ledger of", subject: owner.name().to_owned(), why };
    let now = context.within(context.bus.now_ms()).await.map_err(failed)?;
    let fields = Fields::from([(STARTED_AT.to_owned(), Arc::from(now.to_string()))]);
    let created = context.within(context.bus.create(owner, uid, &fields)).await;
    match created.map_err(failed)? {
        CreateOutcome::Created { ledger } => {
            tracing::info!(owner = owner.name(), uid, ledger, "a ledger was opened");
            Ok(Some((ledger, i64::try_from(now).unwrap_or_default())))
        }
        CreateOutcome::Exists { .. } => Ok(None),
    }
}

/// Makes the pod of an epoch; one of its name that is there was made before a crash, or is a foreign one: the next look tells.
pub async fn create_pod(context: &Context, request: &PodRequest, epoch: u64) -> Result<(), Error> {
    let pod: Pod = pod(request, &context.image, epoch);
    let (name, role) = (pod.name_any(), request.role);
    let api: Api<Pod> = Api::namespaced(context.client.clone(), &request.namespace);
    let params = PostParams { field_manager: Some(OPERATOR.to_owned()), ..PostParams::default() };
    match api.create(&params, &pod).await {
        Ok(_) => {
            tracing::info!(namespace = request.namespace, pod = name, epoch, "a pod was made");
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(()),
        // Not allowed, or not a pod: with a priority class that is not there, or an amount of nothing.
        Err(kube::Error::Api(status)) if status.code == 403 || status.code == 422 => {
            tracing::warn!(namespace = request.namespace, pod = name, why = status.message, "the pod is refused");
            Err(Error::PodRefused { role, why: status.message })
        }
        Err(error) => Err(Error::api("make pod", name)(error)),
    }
}

/// Deletes a pod; one that is gone, or another of its name, is left.
pub async fn delete_pod(context: &Context, namespace: &str, name: &str, uid: &str) -> Result<(), Error> {
    let api: Api<Pod> = Api::namespaced(context.client.clone(), namespace);
    let preconditions = Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None });
    match api.delete(name, &DeleteParams { preconditions, ..DeleteParams::default() }).await {
        Ok(_) => {
            tracing::info!(namespace, pod = name, "a pod was deleted");
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
        Err(error) => Err(Error::api("delete pod", name)(error)),
    }
}

/// What is kept of ends before readiness, the last one seen now.
pub fn restarts(ends: &Ends, now: Timestamp) -> Restarts {
    Restarts {
        count: ends.count,
        last_exit: ends.last_exit,
        at: moment::written(now),
        message: ends.message.clone(),
        digest: ends.digest.clone(),
    }
}

/// Closes a ledger for good, and deletes its streams and one more; a ledger that is gone is closed.
pub async fn close_ledger(context: &Context, owner: &Owner, id: &str, more: Vec<StreamKey>) -> Result<(), Error> {
    let streams: Vec<StreamKey> = context.keys.streams_of(owner).into_iter().chain(more).collect();
    let closed = context.within(context.bus.close(owner, id, Closing { drop: &streams, keep: &KEPT })).await;
    match closed {
        Ok(CloseOutcome::Closed | CloseOutcome::Missing | CloseOutcome::OtherLedger { .. }) => Ok(()),
        Err(why) => Err(Error::Store { action: "close the ledger of", subject: owner.name().to_owned(), why }),
    }
}

/// The streams that end with a source's feed: of each of these markets ticks and bars, and what is missing among them.
pub fn streams_of_source<'a>(
    context: &Context,
    source: &Scope,
    markets: impl IntoIterator<Item = &'a Symbol>,
) -> Vec<StreamKey> {
    let keys = &context.keys;
    let of_market = |symbol: &Symbol| {
        let bars = Interval::ALL.map(|interval| keys.bars(source, symbol.as_str(), interval.as_str()));
        bars.into_iter().chain([keys.market_tick(source, symbol.as_str())]).collect::<Vec<_>>()
    };
    markets.into_iter().flat_map(of_market).chain([keys.market_gap(source)]).collect()
}

/// Sets a register if it holds something else, and nudges its reader.
pub async fn set_register(context: &Context, owner: &Owner, generation: u64, value: &Value) -> Result<(), Error> {
    let failed = |why: String| Error::Store { action: "set the register of", subject: owner.name().to_owned(), why };
    let present = context.within(context.bus.desired(owner)).await.map_err(failed)?;
    change_register(context, owner, present.as_ref(), generation, value).await.map(drop)
}

/// The same, over what was read: who wrote meanwhile is not overwritten. Gives what it holds now.
pub async fn change_register(
    context: &Context,
    owner: &Owner,
    present: Option<&Desired>,
    generation: u64,
    value: &Value,
) -> Result<Desired, Error> {
    let failed = |why: String| Error::Store { action: "set the register of", subject: owner.name().to_owned(), why };
    let text = value.to_string();
    if let Some(present) = present.filter(|present| *present.value == *text) {
        return Ok(present.clone());
    }
    let newest = present.map_or(0, |present| present.generation);
    let token = present.map_or(0, |present| present.token) + 1;
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
    Ok(desired)
}

/// Puts one strategy's book into its gateway's register, where the account's own reconcile cannot: nobody else writes it
/// then. Without a register there is no gateway to be told.
pub async fn set_book(context: &Context, gateway: &Owner, book: &BookSpec) -> Result<(), Error> {
    let failed = |why: String| Error::Store { action: "set the register of", subject: gateway.name().to_owned(), why };
    let Some(present) = context.within(context.bus.desired(gateway)).await.map_err(failed)? else { return Ok(()) };
    let mut desired: GatewayDesired = kept::parse(gateway, &present).map_err(failed)?;
    desired.books.retain(|other| other.strategy != book.strategy);
    desired.books.push(book.clone());
    desired.books.sort_by(|one, other| one.strategy.cmp(&other.strategy));
    let json = |source| Error::Json { subject: gateway.name().to_owned(), source };
    let value = serde_json::to_value(&desired).map_err(json)?;
    change_register(context, gateway, Some(&present), present.generation, &value).await.map(drop)
}

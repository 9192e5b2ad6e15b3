//! In place of nodes: binds pods, makes them ready, ends them when they are deleted; and in place of their programs:
//! takes the record under the pod's epoch and beats; a strategy tells the phase that its register asks for, a gateway
//! keeps the books that its register names and acknowledges their stances. A test can make the pods of a role behave
//! otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bus::{
    AcquireOutcome, Acquired, BeatOutcome, Commit, CommitOutcome, Desired, Keys, Lease, MessageBus as _, Owner,
    RedisBus, RegisterVersion, Scope, StateStore,
};
use crds::account::balances::BOOK;
use crds::record::{INVALID_SPEC, PARAMETERS, PHASE, POSITION, Phase, PhaseState, REPORT, RefusedEdit, STANCE};
use crds::roles::{GatewayDesired, StrategyDesired};
use engine::strategies::DesiredState;
use engine::transfers::{WantedTransfer, WantedTransfers};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use operator::controller::Told;
use operator::names::{OPERATOR, Role};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::time::timeout;

use super::audit::Audit;
use super::behaviour::{Behaviour, Behaviours};

/// How often programs beat, by which they hear of what is new in their registers.
const TURN: Duration = Duration::from_millis(250);
/// How long one request to the API server may take: one that is never answered must not hold all pods up.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How long one watch lasts. A busy API server can leave a watch without its events for minutes; the next one begins
/// where it stood, so nothing is told out of order, as it would be by a list beside it.
pub(super) const WATCH_SECONDS: u32 = 15;
/// What a program says of a spec of which it can make nothing.
pub const REFUSAL: &str =
    "the parameters of dips do not read: fallPercent: 51 is out of range; write more than 0, at most 50";
/// How long a container that has ended waits until it is started again.
const RESTART: Duration = Duration::from_secs(1);

/// The node, and all programs on it.
pub struct Kubelet {
    /// The API server.
    pub client: Client,
    /// Whose pods.
    pub namespace: String,
    /// The store.
    pub bus: RedisBus,
    pub keys: Keys,
    /// Told when a strategy's program has told something.
    pub nudges: broadcast::Sender<Told>,
    /// Told of each pod.
    pub audit: Arc<Mutex<Audit>>,
    /// What its pods do.
    pub behaviours: Behaviours,
    /// Counts its turns.
    pub turns: Arc<AtomicUsize>,
}

/// The container of a pod, as its node knows it.
#[derive(Clone, Copy)]
struct Container {
    /// When the node has seen the pod.
    seen: Instant,
    /// When and with which code it has ended last, if it does not run.
    ended: Option<(Instant, i32)>,
    starts: u32,
    /// Whether the API server has taken its pod's binding; the watch tells so later.
    is_bound: bool,
    /// The same of its pod's end.
    is_deleted: bool,
}

impl Container {
    fn new() -> Self {
        Self { seen: Instant::now(), ended: None, starts: 0, is_bound: false, is_deleted: false }
    }
}

/// A program that has its lease.
struct Program {
    lease: Lease,
    version: u64,
    uid: String,
    told: Option<PhaseState>,
    /// What of its register it follows.
    followed: Option<RegisterVersion>,
    /// The fields of a gateway's books and of what it acknowledges.
    books: BTreeSet<String>,
    /// What a strategy has decided of its transfers: what is booked stays so.
    transfers: BTreeMap<String, Value>,
}

impl Program {
    fn new(uid: &str, acquired: Acquired) -> Self {
        let kept = |name: &&String| name.starts_with(BOOK) || name.starts_with(STANCE);
        let books = acquired.fields.keys().filter(kept).cloned().collect();
        let (lease, version) = (acquired.lease, acquired.version);
        Self { lease, version, uid: uid.to_owned(), told: None, followed: None, books, transfers: BTreeMap::new() }
    }
}

impl Kubelet {
    /// Runs until dropped.
    pub async fn run(self) {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let mut events =
            std::pin::pin!(watcher(api.clone(), watcher::Config::default().timeout(WATCH_SECONDS)).default_backoff());
        let mut pods: BTreeMap<String, Pod> = BTreeMap::new();
        let mut containers: BTreeMap<String, Container> = BTreeMap::new();
        let mut programs: BTreeMap<String, Program> = BTreeMap::new();
        let mut turn = tokio::time::interval(TURN);
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(watcher::Event::Apply(mut pod) | watcher::Event::InitApply(mut pod))) => {
                        let container = containers.entry(pod.uid().unwrap_or_default()).or_insert_with(Container::new);
                        timeout(PATIENCE, self.handle(&api, &mut pod, container)).await.ok();
                        pods.insert(pod.name_any(), pod);
                    }
                    Some(Ok(watcher::Event::Delete(pod))) => {
                        self.audit().gone(&pod.name_any());
                        containers.remove(&pod.uid().unwrap_or_default());
                        programs.remove(&pod.uid().unwrap_or_default());
                        pods.remove(&pod.name_any());
                    }
                    Some(Ok(watcher::Event::Init | watcher::Event::InitDone) | Err(_)) => {}
                    None => return,
                },
                _ = turn.tick() => {
                    for pod in pods.values_mut() {
                        let uid = pod.uid().unwrap_or_default();
                        let Some(container) = containers.get_mut(&uid) else { continue };
                        // What failed before is tried again.
                        timeout(PATIENCE, self.handle(&api, pod, container)).await.ok();
                        if container.ended.is_some() {
                            programs.remove(&uid);
                        } else if is_running(pod) && self.behaviour(pod) != Behaviour::Silent {
                            self.work(pod, &mut programs).await;
                        }
                    }
                    self.turns.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// What a pod does; one that is not the operator's obeys.
    fn behaviour(&self, pod: &Pod) -> Behaviour {
        let name = pod.name_any();
        let roles = [Role::Strategy, Role::Gateway, Role::Feed].into_iter();
        let role = roles.filter(|_| is_ours(pod)).find(|role| name.starts_with(&format!("{}-", role.name())));
        role.map_or(Behaviour::Obeys, |role| self.behaviours.of(role))
    }

    fn audit(&self) -> std::sync::MutexGuard<'_, Audit> {
        self.audit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One step of a pod's life. What fails is tried again at the next turn, and what is gone needs nothing.
    async fn handle(&self, api: &Api<Pod>, pod: &mut Pod, container: &mut Container) {
        let name = pod.name_any();
        if is_ours(pod) {
            self.audit().seen(&name, &pod.uid().unwrap_or_default());
        }
        if pod.metadata.deletion_timestamp.is_some() {
            if container.is_deleted {
                return;
            }
            let preconditions = Some(Preconditions { uid: pod.uid(), resource_version: None });
            let now = DeleteParams { grace_period_seconds: Some(0), preconditions, ..DeleteParams::default() };
            container.is_deleted = api.delete(&name, &now).await.is_ok();
        } else if pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_none()) {
            if container.is_bound {
                return;
            }
            let target = json!({"apiVersion": "v1", "kind": "Node", "name": "node1"});
            let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target});
            let bound = api.create_subresource::<_, Value>("binding", &name, &PostParams::default(), &binding).await;
            container.is_bound = bound.is_ok();
        } else {
            // It is so once it is told: what a busy API server did not take is told again.
            let mut next = *container;
            let Some(status) = next_status(pod, &mut next, self.behaviour(pod)) else { return };
            if let Ok(told) = api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status)).await {
                // Not told again until the watch has it.
                (*container, *pod) = (next, told);
            }
        }
    }

    async fn work(&self, pod: &Pod, programs: &mut BTreeMap<String, Program>) {
        let uid = pod.uid().unwrap_or_default();
        let Some((owner, ledger, epoch)) = self.told(pod) else { return };
        if !programs.contains_key(&uid) {
            let Ok(AcquireOutcome::Acquired(acquired)) = self.bus.acquire(&owner, &ledger, epoch).await else { return };
            programs.insert(uid.clone(), Program::new(&uid, acquired));
        }
        let Some(program) = programs.get_mut(&uid) else { return };
        let Ok(BeatOutcome::Beaten { register, .. }) = self.bus.beat(&program.lease).await else { return };
        if register.is_none() || register == program.followed {
            return;
        }
        let Ok(Some(desired)) = self.bus.desired(&owner).await else { return };
        // Who has become silent since this turn began has not read this.
        if self.behaviour(pod) == Behaviour::Silent {
            return;
        }
        if let Some(strategy) = owner.name().strip_prefix("strategy-") {
            self.trade(strategy, program, (&desired, self.behaviour(pod))).await;
        } else if owner.name() == "gateway" {
            self.keep_books(program, &desired).await;
        }
    }

    /// A strategy's step: it tells the phase that its register asks for.
    async fn trade(&self, strategy: &str, program: &mut Program, (register, behaviour): (&Desired, Behaviour)) {
        let Ok(desired) = serde_json::from_str::<StrategyDesired>(&register.value) else { return };
        let (state, reason) = match desired.state {
            DesiredState::Running => (PhaseState::Running, "Trading"),
            DesiredState::Paused => (PhaseState::Paused, "Paused"),
            DesiredState::Stopped => (PhaseState::Stopped, "Stopped"),
        };
        let (state, reason) = match behaviour {
            Behaviour::Refuses => (PhaseState::Paused, INVALID_SPEC),
            Behaviour::Obeys
            | Behaviour::ExitsAlways(_)
            | Behaviour::Silent
            | Behaviour::Late(_)
            | Behaviour::ReleaseBefore
            | Behaviour::NeverStarts => (state, reason),
        };
        if program.told == Some(state) && program.followed == Some(register.version()) {
            return;
        }
        let edit = desired.parameters.as_ref().filter(|_| behaviour != Behaviour::ReleaseBefore);
        let generation = edit.map_or(0, |parameters| parameters.generation);
        let is_refused = behaviour == Behaviour::Refuses;
        let refused = is_refused.then(|| RefusedEdit { generation, message: REFUSAL.to_owned() });
        let phase = Phase {
            state,
            reason: reason.to_owned(),
            message: refused.as_ref().map_or_else(String::new, |refused| refused.message.clone()),
            generation: if is_refused { 0 } else { generation },
            follows: edit.map(|_| PARAMETERS.to_owned()).into_iter().collect(),
            refused,
        };
        let mut set = vec![(PHASE.to_owned(), phase.to_field().1.into()), (POSITION.to_owned(), "0".into())];
        if let Some(transfers) = &desired.transfers {
            set.push((REPORT.to_owned(), report(&mut program.transfers, transfers).into()));
        }
        let inbox = program.lease.owner.inbox().clone();
        let news = self.bus.last_id(&inbox).await.ok().flatten();
        let cursors = news.into_iter().map(|last| (inbox.clone(), last)).collect();
        let followed = Some(register.version());
        if self.commit(program, Commit { set, cursors, followed, ..Commit::default() }).await {
            (program.told, program.followed) = (Some(state), followed);
            // Nobody listens while the operator is dead; it looks when it is back.
            let (namespace, name) = (self.namespace.clone(), strategy.to_owned());
            self.nudges.send(Told::Strategy { namespace, name }).ok();
        }
    }

    /// A gateway's step: it opens a book for each registered ledger, acknowledges its stance, and drops what it has of
    /// others.
    async fn keep_books(&self, program: &mut Program, register: &Desired) {
        if program.followed == Some(register.version()) {
            return;
        }
        let Ok(desired) = serde_json::from_str::<GatewayDesired>(&register.value) else { return };
        let registered: BTreeMap<String, String> = desired
            .books
            .iter()
            .flat_map(|book| {
                let stance = (format!("{STANCE}{}", book.ledger), json!(book.stance()).to_string());
                [(format!("{BOOK}{}", book.ledger), json!({"amounts": book.capital}).to_string()), stance]
            })
            .collect();
        let is_new = |name: &String| name.starts_with(STANCE) || !program.books.contains(name);
        let opened = registered.iter().filter(|(name, _)| is_new(name));
        let set: Vec<_> = opened.map(|(name, book)| (name.clone(), book.as_str().into())).collect();
        let delete: Vec<_> = program.books.iter().filter(|name| !registered.contains_key(*name)).cloned().collect();
        let followed = Some(register.version());
        if self.commit(program, Commit { set, delete, followed, ..Commit::default() }).await {
            (program.books, program.followed) = (registered.into_keys().collect(), followed);
        }
    }

    async fn commit(&self, program: &mut Program, commit: Commit) -> bool {
        let expected_version = program.version;
        let commit_id = format!("{}-{expected_version}", program.uid);
        let commit = Commit { expected_version, commit_id, ..commit };
        let Ok(CommitOutcome::Committed { version, .. }) = self.bus.commit(&program.lease, &commit).await else {
            return false;
        };
        program.version = version;
        true
    }

    /// What a pod's program is told by its environment: whose record, which ledger, which epoch.
    fn told(&self, pod: &Pod) -> Option<(Owner, String, u64)> {
        let container = pod.spec.as_ref()?.containers.first()?;
        let environment = container.env.as_ref()?;
        let of = |name: &str| environment.iter().find(|variable| variable.name == name)?.value.clone();
        let spec: Value = serde_json::from_str(&of("GLM_SPEC")?).ok()?;
        let scope = match spec["source"].as_str() {
            Some(source) => Scope::source(&self.namespace, source),
            None => Scope::account(&self.namespace, spec["account"]["name"].as_str()?),
        };
        Some((self.keys.owner(&scope.ok()?, &of("GLM_OWNER")?), of("GLM_LEDGER")?, of("GLM_EPOCH")?.parse().ok()?))
    }
}

/// The report of a strategy that has decided its transfers: what is put in is booked, and nothing is free to be taken out.
fn report(known: &mut BTreeMap<String, Value>, wanted: &WantedTransfers) -> String {
    let decided = |WantedTransfer { id, asset, amount }: &WantedTransfer| {
        let is_out = amount.to_string().starts_with('-');
        let (state, message) = if is_out { ("Refused", "0 USDT is free") } else { ("Booked", "") };
        json!({
            "id": id, "asset": asset, "amount": amount, "state": state, "time": "2026-01-01T00:00:00Z", "message": message,
        })
    };
    known.retain(|id, one| one["state"] == "Booked" || wanted.list.iter().any(|wanted| wanted.id == *id));
    for one in &wanted.list {
        known.entry(one.id.clone()).or_insert_with(|| decided(one));
    }
    let transfers: Vec<_> = known.values().collect();
    let report = json!({
        "asOf": "2026-01-01T00:00:00Z", "position": {}, "recentTrades": [], "strategy": {}, "transfers": transfers,
        "orders": {"open": 0, "unknown": 0, "filled": 0, "denied": 0, "rejected": 0},
        "risk": {"state": "AllowAll", "reason": ""}, "decision": {"reason": "PriceBetweenBands", "message": "Waits."},
        "summary": {"symbol": "BNB/USDT", "position": "", "netPnl": "", "lastTrade": "", "alert": ""},
    });
    report.to_string()
}

/// Whether the operator made it, whatever its labels say now.
fn is_ours(pod: &Pod) -> bool {
    pod.managed_fields().iter().any(|entry| entry.manager.as_deref() == Some(OPERATOR))
}

fn is_running(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none()
        && pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running")
}

/// Whether what is told of a pod's readiness is not what this node would tell. A pod whose container was told to have ended,
/// as a test does, is left as it is; the cluster's controllers take a node without a heartbeat for away and tell otherwise.
fn is_mistold(pod: &Pod, is_ready: bool) -> bool {
    let Some(status) = &pod.status else { return false };
    let containers = || status.container_statuses.iter().flatten();
    let has_ended = containers().any(|one| one.last_state.as_ref().is_some_and(|last| last.terminated.is_some()));
    let runs = containers().all(|one| one.ready);
    let condition = status.conditions.iter().flatten().find(|condition| condition.type_ == "Ready");
    let is_told_ready = runs && condition.is_some_and(|condition| condition.status == "True");
    is_told_ready != is_ready && (runs || !has_ended)
}

/// What the node tells next of a pod that it has; `None`: nothing new.
fn next_status(pod: &Pod, container: &mut Container, behaviour: Behaviour) -> Option<Value> {
    let is_pending = pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Pending");
    let is_due = container.ended.is_none_or(|(ended, _)| ended.elapsed() >= RESTART);
    match behaviour {
        Behaviour::ExitsAlways(code) => is_due.then(|| {
            container.starts += 1;
            container.ended = Some((Instant::now(), code));
            status(pod, container, "Running")
        }),
        Behaviour::NeverStarts => {
            let is_told = pod.status.as_ref().is_some_and(|status| status.container_statuses.is_some());
            (is_pending && !is_told).then(|| status(pod, container, "Pending"))
        }
        Behaviour::Late(pause) if container.seen.elapsed() < pause => None,
        Behaviour::Refuses | Behaviour::Obeys | Behaviour::Silent | Behaviour::Late(_) | Behaviour::ReleaseBefore => {
            let starts = (is_pending || container.ended.is_some()) && is_due;
            let turns =
                is_running(pod) && container.ended.is_none() && is_mistold(pod, behaviour != Behaviour::Refuses);
            (starts || turns).then(|| {
                container.starts += u32::from(container.starts == 0 || container.ended.take().is_some());
                let mut told = status(pod, container, "Running");
                if behaviour == Behaviour::Refuses {
                    told["status"]["conditions"][0]["status"] = json!("False");
                    told["status"]["containerStatuses"][0]["ready"] = json!(false);
                }
                told
            })
        }
    }
}

/// A pod's status in a phase: its container runs, or waits after its end, or for its image.
fn status(pod: &Pod, container: &Container, phase: &str) -> Value {
    let name = pod.spec.as_ref().and_then(|spec| spec.containers.first()).map(|container| container.name.clone());
    let mut told = json!({
        "name": name, "ready": false, "image": "glm", "imageID": "glm", "restartCount": container.starts.saturating_sub(1),
    });
    match container.ended {
        Some((_, code)) => {
            let message = format!("the last line of its log: it ends with {code}");
            told["state"] = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "it is started again soon"}});
            told["lastState"] = json!({"terminated": {"exitCode": code, "reason": "Error", "message": message}});
        }
        None if phase == "Running" => {
            told["ready"] = json!(true);
            told["state"] = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
        }
        None => told["state"] = json!({"waiting": {"reason": "ImagePullBackOff", "message": "there is no such image"}}),
    }
    let ready = if told["ready"] == true { "True" } else { "False" };
    json!({"status": {
        "phase": phase, "conditions": [{"type": "Ready", "status": ready}], "containerStatuses": [told],
    }})
}

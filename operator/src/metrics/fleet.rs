//! How the fleet stands when it is asked for: objects as the caches have them, and of each what its last reconcile saw.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::runtime::reflector::{ObjectRef, Store};
use prometheus_client::encoding::EncodeLabelSet;

use super::{Kind, Metrics};
use crate::life::is_of;
use crate::names::Role;
use crate::placement::{PodFacts, Stored};
use crate::reason::Reason;
use crate::{GuardedAccount, GuardedStrategy, known};
use crds::strategy::status::StrategyState;

/// The labels of objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ObjectState {
    kind: &'static str,
    state: String,
}

/// The labels of pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct PodState {
    role: &'static str,
    state: &'static str,
}

/// The label of silent processes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Silent {
    role: &'static str,
}

/// The label of who waits after a failure.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct BackingOff {
    kind: &'static str,
}

/// A process as a reconcile saw it: its pods, and its record.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Process<'a> {
    pub role: Role,
    pub pods: Vec<&'a PodFacts>,
    pub stored: &'a Stored,
}

impl<'a> Process<'a> {
    #[expect(missing_docs, reason = "the name says it")]
    pub fn new(role: Role, pods: impl IntoIterator<Item = &'a PodFacts>, stored: &'a Stored) -> Self {
        Self { role, pods: pods.into_iter().collect(), stored }
    }

    fn own(&self) -> impl Iterator<Item = &PodFacts> {
        self.pods.iter().copied().filter(|pod| pod.owned)
    }

    /// Whether its present pod is ready and should have shown that it lives, and has not.
    fn is_silent(&self) -> bool {
        match self.stored {
            Stored::Found(record) => record.is_silent() && self.own().any(|pod| pod.ready && is_of(record, pod.epoch)),
            Stored::Away(_) | Stored::Missing => false,
        }
    }
}

/// What the last reconcile of an object saw of its processes, and whether it failed.
#[derive(Debug, Default)]
struct Seen {
    pods: Vec<PodState>,
    silent: Vec<Role>,
    fails: bool,
}

/// Whose reconcile: kind, namespace, name.
type Whose = (Kind, String, String);

/// What the operator keeps of a namespace.
#[derive(Debug)]
struct Caches {
    strategies: Store<GuardedStrategy>,
    accounts: Store<GuardedAccount>,
    known: known::Caches,
}

#[derive(Debug, Default)]
struct State {
    seen: HashMap<Whose, Seen>,
    /// By namespace.
    caches: BTreeMap<String, Caches>,
    /// The last error of each watch, by namespace and resource.
    failures: BTreeMap<(String, String), String>,
}

/// What each reconcile saw last.
#[derive(Debug, Default)]
pub(super) struct Fleet(Mutex<State>);

impl Fleet {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while this short lock is held leaves a whole state behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn reconciled(&self, kind: Kind, namespace: &str, name: &str, fails: bool) {
        self.state().seen.entry((kind, namespace.to_owned(), name.to_owned())).or_default().fails = fails;
    }

    pub(super) fn watch_failed(&self, resource: &str, namespace: &str, why: String) {
        self.state().failures.insert((namespace.to_owned(), resource.to_owned()), why);
    }
}

impl Metrics {
    /// The caches of a namespace.
    pub fn keep(
        &self,
        namespace: &str,
        (strategies, accounts): (Store<GuardedStrategy>, Store<GuardedAccount>),
        known: known::Caches,
    ) {
        self.fleet.state().caches.insert(namespace.to_owned(), Caches { strategies, accounts, known });
    }

    /// A reconcile has seen these processes, each with its pods.
    pub fn saw<'a>(
        &self,
        (kind, namespace, name): (Kind, &str, &str),
        processes: impl IntoIterator<Item = Process<'a>>,
    ) {
        let (mut pods, mut silent) = (Vec::new(), Vec::new());
        for process in processes {
            let role = process.role.name();
            pods.extend(process.own().map(|pod| PodState { role, state: state(pod) }));
            silent.extend(process.is_silent().then_some(process.role));
        }
        let mut fleet = self.fleet.state();
        let seen = fleet.seen.entry((kind, namespace.to_owned(), name.to_owned())).or_default();
        (seen.pods, seen.silent) = (pods, silent);
    }

    /// An object or a live source is gone.
    pub fn forget(&self, kind: Kind, namespace: &str, name: &str) {
        self.fleet.state().seen.remove(&(kind, namespace.to_owned(), name.to_owned()));
    }

    /// What is not read yet of what must be known before anything is decided; `None`: all is.
    pub fn unread(&self) -> Option<String> {
        let fleet = self.fleet.state();
        if fleet.caches.is_empty() {
            return Some("no namespace is watched yet".to_owned());
        }
        let mut unread = Vec::new();
        for (namespace, caches) in &fleet.caches {
            for (resource, is_read) in [
                ("tradingstrategies", caches.known.strategies.is_told()),
                ("tradingaccounts", caches.known.accounts.is_told()),
            ] {
                let failure = fleet.failures.get(&(namespace.clone(), resource.to_owned()));
                let why = failure.map(|why| format!(": {why}")).unwrap_or_default();
                unread.extend((!is_read).then(|| format!("{resource} of {namespace} are not read yet{why}")));
            }
        }
        (!unread.is_empty()).then(|| unread.join("; "))
    }

    /// Counts the fleet anew: what has gone leaves no figure behind.
    pub(super) fn count_fleet(&self) {
        self.objects.clear();
        self.pods.clear();
        let mut fleet = self.fleet.state();
        let State { seen, caches, .. } = &mut *fleet;
        // A deletion that no watch has told of.
        seen.retain(|(kind, namespace, name), _| {
            *kind == Kind::Feed || caches.get(namespace).is_none_or(|caches| caches.hold(*kind, namespace, name))
        });
        for one in caches.values().flat_map(Caches::states) {
            self.objects.get_or_create(&one).inc();
        }
        for pod in seen.values().flat_map(|seen| &seen.pods) {
            self.pods.get_or_create(pod).inc();
        }
        for role in [Role::Strategy, Role::Gateway, Role::Feed] {
            let count = seen.values().flat_map(|seen| &seen.silent).filter(|one| **one == role).count();
            set(&self.silent.get_or_create(&Silent { role: role.name() }), count);
        }
        for kind in Kind::ALL {
            let count = seen.iter().filter(|((one, ..), seen)| *one == kind && seen.fails).count();
            set(&self.backing_off.get_or_create(&BackingOff { kind: kind.as_str() }), count);
        }
    }
}

fn set(gauge: &prometheus_client::metrics::gauge::Gauge, count: usize) {
    gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
}

impl Caches {
    fn hold(&self, kind: Kind, namespace: &str, name: &str) -> bool {
        match kind {
            Kind::Strategy => self.strategies.get(&ObjectRef::new(name).within(namespace)).is_some(),
            Kind::Account => self.accounts.get(&ObjectRef::new(name).within(namespace)).is_some(),
            Kind::Feed => true,
        }
    }

    /// The labels of each object.
    fn states(&self) -> Vec<ObjectState> {
        let strategies = self.strategies.state().into_iter().map(|object| {
            let state = object.0.as_ref().map(|read| read.status.as_ref().and_then(|status| status.state));
            labels(Kind::Strategy, state.ok().map(|state| state.unwrap_or(StrategyState::Pending)))
        });
        let accounts = self.accounts.state().into_iter().map(|object| {
            let state = object.0.as_ref().map(|read| read.status.as_ref().and_then(|status| status.state));
            labels(Kind::Account, state.ok().map(|state| state.unwrap_or(StrategyState::Pending)))
        });
        strategies.chain(accounts).collect()
    }
}

/// The labels of an object with this state, or of one that does not read.
fn labels(kind: Kind, state: Option<StrategyState>) -> ObjectState {
    let unreadable = || Reason::Unreadable.as_str().to_owned();
    ObjectState { kind: kind.as_str(), state: state.map_or_else(unreadable, |state| format!("{state:?}")) }
}

/// How a pod is, by the first of these that it is.
fn state(pod: &PodFacts) -> &'static str {
    let states =
        [(pod.deleting, "Deleting"), (pod.ended, "Ended"), (pod.ready, "Ready"), (pod.waiting.is_some(), "Waiting")];
    states.into_iter().find_map(|(is, state)| is.then_some(state)).unwrap_or("Starting")
}

//! The wiring: watches, queues, and who wakes whom. No decisions here.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt, stream};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{self, Action, Config};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::reflector::store::Writer;
use kube::runtime::{Controller, Predicate as _, PredicateConfig, WatchStreamExt, predicates, reflector, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use crate::context::Shared;
use crate::known::Known;
use crate::metrics::{self, Kind};
use crate::pace::SOON;
use crate::wake::{Followers, Wake, accounts_of, owners_of, strategy_of};
use crate::{Error, GuardedAccount, GuardedStrategy, account, feed, observe, outage, strategy};

/// Reconciles at once, each kind. There is no debounce: each new trigger would put the reconcile off again, so that
/// a strategy that reports all the time, or an account of many, would never be looked at.
const CONCURRENCY: u16 = 16;
/// How long a watch is open, in seconds, before it goes on by another request: one that hangs hides what people ask for no longer.
const WATCHED: u32 = 60;
/// How long one reconcile may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a failed reconcile waits, the first time.
const RETRY: Duration = Duration::from_secs(2);

/// A resource of which something is told that its status shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names of these fields say it")]
pub enum Told {
    /// By a strategy's worker.
    Strategy { namespace: String, name: String },
    /// By an account's gateway, of the account itself: a limit was latched or released.
    Account { namespace: String, name: String },
}

/// What the controllers of one namespace read from.
pub struct Sources<R> {
    /// The API server.
    pub client: Client,
    #[expect(missing_docs, reason = "the name says it")]
    pub namespace: String,
    /// Where strategies are kept as last seen.
    pub strategies: Writer<GuardedStrategy>,
    /// Where accounts are kept as last seen.
    pub accounts: Writer<GuardedAccount>,
    /// Of whom something was told.
    pub reports: R,
}

/// Runs the controllers of both kinds, and of live sources, until asked to stop.
pub async fn run<R>(
    sources: Sources<R>,
    context: Shared,
    stop: impl Future<Output = ()> + Send + Sync + Clone + 'static,
) where
    R: Stream<Item = Told> + Send + 'static,
{
    let Sources { client, namespace, strategies, accounts, reports } = sources;
    let (wake, woken_strategies, woken_accounts) = Wake::new();
    let told = {
        let wake = wake.clone();
        reports.filter_map(move |told| std::future::ready(strategy_of(told, &wake)))
    };
    let woken = stream::select_all([
        woken_strategies.boxed(),
        stream::iter(context.admission.woken()).flatten().boxed(),
        told.boxed(),
    ]);
    let namespaced =
        Namespaced { client, namespace: namespace.clone(), context: Arc::clone(&context), wake: wake.clone() };
    let work = async {
        let strategies = namespaced.strategies(strategies, woken, stop.clone());
        let accounts = namespaced.accounts(accounts, woken_accounts, stop.clone());
        let pods = namespaced.pods(stop.clone());
        let feeds = feed::run(Arc::clone(&context), namespace, stop);
        futures::future::join4(pin!(strategies), pin!(accounts), pin!(feeds), pin!(pods)).await;
    };
    let outages = outage::watch(Arc::clone(&context), || wake.all(&context.strategies, &context.accounts));
    tokio::select! {
        () = work => {}
        () = outages => {}
    }
}

/// What the watches and controllers of one namespace have in common.
struct Namespaced {
    client: Client,
    namespace: String,
    context: Shared,
    wake: Wake,
}

impl Namespaced {
    fn api<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// What a watch of all of a kind tells, without what is never read.
    fn all<K>(&self) -> impl Stream<Item = Result<watcher::Event<K>, watcher::Error>> + Send + use<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned,
        K: std::fmt::Debug + Send + 'static,
    {
        lean(self.api::<K>(), watcher::Config::default().timeout(WATCHED), (&self.namespace, &self.context))
    }

    async fn strategies(
        &self,
        writer: Writer<GuardedStrategy>,
        woken: impl Stream<Item = ObjectRef<GuardedStrategy>> + Send + 'static,
        stop: impl Future<Output = ()> + Send + Sync + 'static,
    ) {
        let (context, store) = (&self.context, writer.as_reader());
        // From the very watch that fills the store: an account that is woken finds there what woke it.
        let wake_accounts = {
            let (wake, context) = (self.wake.clone(), Arc::clone(context));
            move |event: &watcher::Event<GuardedStrategy>| {
                context.by_account.take(event);
                if matches!(event, watcher::Event::InitDone) {
                    wake.strategies(&context.strategies);
                }
                for account in accounts_of(event, &context.accounts) {
                    wake.account(account);
                }
            }
        };
        let own = reflector(writer, self.all()).inspect_ok(wake_accounts);
        let controller = Controller::for_stream(
            news(own, Arc::clone(context), (Kind::Strategy, context.known.strategies.clone())),
            store.clone(),
        )
        .with_config(Config::default().concurrency(CONCURRENCY));
        // Where processes are switched off, so is the right to look.
        let controller = if context.image.processes {
            let of_files = move |changed| strategy::source::dependents(&store.state(), &changed);
            controller.watches_stream(self.all::<PartialObjectMeta<ConfigMap>>().touched_objects(), of_files)
        } else {
            controller
        };
        let reconcile = |object, context| bounded(Kind::Strategy, object, context, strategy::reconcile);
        let controller = controller.reconcile_on(woken).graceful_shutdown_on(stop);
        let turns = controller.run(reconcile, retry_strategy, Arc::clone(context));
        turns.for_each(async |turn| tell(Kind::Strategy, turn)).await;
    }

    async fn accounts(
        &self,
        writer: Writer<GuardedAccount>,
        woken: impl Stream<Item = ObjectRef<GuardedAccount>> + Send + 'static,
        stop: impl Future<Output = ()> + Send + Sync + 'static,
    ) {
        let (context, store) = (&self.context, writer.as_reader());
        let wake_followers = {
            let (wake, context, mut followers) = (self.wake.clone(), Arc::clone(context), Followers::default());
            move |event: &watcher::Event<GuardedAccount>| {
                if matches!(event, watcher::Event::InitDone) {
                    wake.all(&context.strategies, &context.accounts);
                }
                if let watcher::Event::Apply(account) | watcher::Event::Delete(account) = event {
                    context.partners.forget(&account.namespace().unwrap_or_default(), &account.name_any());
                }
                for strategy in followers.of(event, || context.strategies.state()) {
                    wake.strategy(strategy);
                }
            }
        };
        let own = reflector(writer, self.all()).inspect_ok(wake_followers);
        let controller = Controller::for_stream(
            news(own, Arc::clone(context), (Kind::Account, context.known.accounts.clone())),
            store,
        )
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_on(woken)
        .graceful_shutdown_on(stop);
        let reconcile = |object, context| bounded(Kind::Account, object, context, account::reconcile);
        let turns = controller.run(reconcile, retry_account, Arc::clone(context));
        turns.for_each(async |turn| tell(Kind::Account, turn)).await;
    }

    /// Remembers the pods of this operator and wakes who owns them, until asked to stop.
    async fn pods(&self, stop: impl Future<Output = ()>) {
        let pods = lean(self.api::<Pod>(), managed(), (&self.namespace, &self.context));
        let told = pods.modify(observe::lean).for_each(async |event| {
            // What fails is told, and opened again.
            let Ok(event) = event else { return };
            self.context.pods.take(&event);
            if matches!(event, watcher::Event::InitDone) {
                self.wake.all(&self.context.strategies, &self.context.accounts);
            }
            let (strategies, accounts) = owners_of(&event);
            for strategy in strategies {
                self.wake.strategy(strategy);
            }
            for account in accounts {
                self.wake.account(account);
            }
        });
        tokio::select! {
            () = told => {}
            () = stop => {}
        }
    }
}

/// Objects that somebody else than this operator has changed. What fills the cache tells here when all of it is there.
fn news<K>(
    stream: impl Stream<Item = Result<watcher::Event<K>, watcher::Error>>,
    context: Shared,
    (kind, known): (Kind, Known),
) -> impl Stream<Item = Result<K, watcher::Error>>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + 'static,
{
    let deleted = Arc::clone(&context);
    let forget = move |event: &watcher::Event<K>| {
        if let watcher::Event::Delete(object) = event {
            let meta = object.meta();
            let uid = meta.uid.as_deref().unwrap_or_default();
            deleted.written.forget(uid);
            deleted.looks.forget(uid);
            deleted.pace.forget(uid);
            let [namespace, name] = [&meta.namespace, &meta.name].map(|text| text.as_deref().unwrap_or_default());
            deleted.metrics.forget(kind, namespace, name);
        }
        if let watcher::Event::InitDone = event {
            known.tell();
        }
    };
    let foreign = move |object: &K| {
        let meta = object.meta();
        Some(context.written.foreign(meta.uid.as_deref()?, meta.resource_version.as_deref()?))
    };
    stream.inspect_ok(forget).applied_objects().predicate_filter(
        predicates::generation.combine(predicates::finalizers).combine(predicates::annotations).combine(foreign),
        PredicateConfig::default(),
    )
}

/// One reconcile, counted and bounded: an API server that hangs must not hold a place for ever.
async fn bounded<K, F>(
    kind: Kind,
    object: Arc<K>,
    context: Shared,
    reconcile: impl FnOnce(Arc<K>, Shared) -> F,
) -> Result<Action, Error>
where
    K: Resource<DynamicType = ()>,
    F: Future<Output = Result<Action, Error>>,
{
    let (counts, meta) = (context.metrics.clone(), object.meta().clone());
    // In a box: what it is made of is too much for one type.
    let reconcile = Box::pin(reconcile(object, context));
    let patient = async {
        match tokio::time::timeout(PATIENCE, reconcile).await {
            Ok(done) => done,
            Err(_) => Err(Error::TimedOut { seconds: PATIENCE.as_secs() }),
        }
    };
    metrics::counted(&counts, kind, &meta, patient).await
}

/// What became of a turn of a controller. A reconcile that failed has been told by its retry, a watch by itself.
fn tell<K>(kind: Kind, turn: Result<K, controller::Error<Error, watcher::Error>>) {
    match turn {
        Ok(_) | Err(controller::Error::ReconcilerFailed(..) | controller::Error::QueueError(_)) => {}
        Err(error @ controller::Error::ObjectNotFound(_)) => {
            tracing::debug!(kind = kind.as_str(), %error, "what was woken has gone");
        }
        Err(error @ controller::Error::RunnerError(_)) => {
            tracing::error!(kind = kind.as_str(), %error, "a controller failed");
        }
    }
}

/// Pods of this operator.
fn managed() -> watcher::Config {
    watcher::Config::default().timeout(WATCHED).labels(&observe::managed())
}

/// A watch without what fills memory and is never read, and with a back-off: a watch without one spins on errors. Each error is
/// told: a definition that is missing or a right that is not granted shows nowhere else.
fn lean<K>(
    api: Api<K>,
    config: watcher::Config,
    (namespace, context): (&str, &Shared),
) -> impl Stream<Item = Result<watcher::Event<K>, watcher::Error>> + Send + use<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let (namespace, counts) = (namespace.to_owned(), context.metrics.clone());
    let failed = move |error: &watcher::Error| {
        let resource = K::plural(&());
        counts.watch_failed(&resource, &namespace, error.to_string());
        tracing::warn!(%resource, namespace, %error, "a watch failed; it is opened again within half a minute");
    };
    watcher(api, config).inspect_err(failed).default_backoff().modify(|object| object.managed_fields_mut().clear())
}

#[allow(clippy::needless_pass_by_value, reason = "the controller's signature")]
fn retry_strategy(object: Arc<GuardedStrategy>, error: &Error, context: Shared) -> Action {
    retry(Kind::Strategy, object.meta(), error, &context)
}

#[allow(clippy::needless_pass_by_value, reason = "the controller's signature")]
fn retry_account(object: Arc<GuardedAccount>, error: &Error, context: Shared) -> Action {
    retry(Kind::Account, object.meta(), error, &context)
}

fn retry(kind: Kind, meta: &ObjectMeta, error: &Error, context: &Shared) -> Action {
    let uid = meta.uid.as_deref().unwrap_or_default();
    if matches!(error, Error::Changed { .. }) {
        // Somebody else wrote first, or a cache is behind: look again at once, at first.
        return Action::requeue(context.looks.failed(uid, SOON));
    }
    metrics::span(kind, meta).in_scope(|| {
        tracing::warn!(reason = error.reason(), %error, "a reconcile failed; it is tried again");
    });
    Action::requeue(context.looks.failed(uid, RETRY))
}

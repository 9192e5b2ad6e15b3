//! The wiring: watches, queues, and who wakes whom. No decisions here.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::ObjectMeta;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{self, Action, Config};
use kube::runtime::reflector::store::Writer;
use kube::runtime::{Controller, Predicate as _, PredicateConfig, WatchStreamExt, predicates, reflector, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use crate::context::Shared;
use crate::known::Known;
use crate::metrics::{self, Kind};
use crate::wake::{Followers, accounts_of, strategy_of};
use crate::{Error, GuardedAccount, GuardedStrategy, account, feed, observe, strategy};

/// Reconciles at once, each kind. There is no debounce: each new trigger would put the reconcile off again, so that
/// a strategy that reports all the time, or an account of many, would never be looked at.
const CONCURRENCY: u16 = 16;
/// How long one reconcile may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a failed reconcile waits.
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
    let strategy_store = strategies.as_reader();
    let account_store = accounts.as_reader();
    let pods = Api::<PartialObjectMeta<Pod>>::namespaced(client.clone(), &namespace);

    // From the very watch that fills the store: an account that is woken finds there what woke it.
    let (woken, wake) = mpsc::unbounded();
    let told = {
        let woken = woken.clone();
        move |told| std::future::ready(strategy_of(told, &woken))
    };
    let wake_accounts = {
        let accounts = account_store.clone();
        move |event: &watcher::Event<GuardedStrategy>| {
            for account in accounts_of(event, &accounts) {
                // The accounts' controller has stopped: nobody is left to be woken.
                woken.unbounded_send(account).ok();
            }
        }
    };
    let all = Api::<GuardedStrategy>::namespaced(client.clone(), &namespace);
    let at = (namespace.as_str(), &context);
    let own = reflector(strategies, lean(all, watcher::Config::default(), at)).inspect_ok(wake_accounts);
    let (woken_by_accounts, wake_strategies) = mpsc::unbounded();
    let wake_followers = {
        let (strategies, mut followers) = (strategy_store.clone(), Followers::default());
        move |event: &watcher::Event<GuardedAccount>| {
            for strategy in followers.of(event, || strategies.state()) {
                // The strategies' controller has stopped: nobody is left to be woken.
                woken_by_accounts.unbounded_send(strategy).ok();
            }
        }
    };
    let strategies = Controller::for_stream(
        news(own, Arc::clone(&context), (Kind::Strategy, context.known.strategies.clone())),
        strategy_store.clone(),
    )
    .with_config(Config::default().concurrency(CONCURRENCY));
    // Where processes are switched off, so is the right to look.
    let strategies = if context.image.processes {
        let files = Api::<PartialObjectMeta<ConfigMap>>::namespaced(client.clone(), &namespace);
        let of_files = move |changed| strategy::source::dependents(&strategy_store.state(), &changed);
        strategies.watches_stream(lean(files, watcher::Config::default(), at).touched_objects(), of_files)
    } else {
        strategies
    };
    let look = |object, context| bounded(Kind::Strategy, object, context, strategy::reconcile);
    let strategies = strategies
        .owns_stream(lean(pods.clone(), managed(), at).touched_objects())
        .reconcile_on(wake_strategies)
        .reconcile_on(reports.filter_map(told))
        .graceful_shutdown_on(stop.clone())
        .run(look, retry_strategy, Arc::clone(&context))
        .for_each(async |turn| tell(Kind::Strategy, turn));

    let all = Api::<GuardedAccount>::namespaced(client.clone(), &namespace);
    let own = reflector(accounts, lean(all, watcher::Config::default(), at)).inspect_ok(wake_followers);
    let look = |object, context| bounded(Kind::Account, object, context, account::reconcile);
    let accounts = Controller::for_stream(
        news(own, Arc::clone(&context), (Kind::Account, context.known.accounts.clone())),
        account_store,
    )
    .with_config(Config::default().concurrency(CONCURRENCY))
    .owns_stream(lean(pods, managed(), at).touched_objects())
    .reconcile_on(wake)
    .graceful_shutdown_on(stop.clone())
    .run(look, retry_account, Arc::clone(&context))
    .for_each(async |turn| tell(Kind::Account, turn));

    let feeds = feed::run(context, namespace.clone(), stop);
    futures::future::join3(pin!(strategies), pin!(accounts), pin!(feeds)).await;
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
            deleted.written.forget(meta.uid.as_deref().unwrap_or_default());
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
    watcher::Config::default().labels(&observe::managed())
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
fn retry_strategy(object: Arc<GuardedStrategy>, error: &Error, _: Shared) -> Action {
    retry(Kind::Strategy, object.meta(), error)
}

#[allow(clippy::needless_pass_by_value, reason = "the controller's signature")]
fn retry_account(object: Arc<GuardedAccount>, error: &Error, _: Shared) -> Action {
    retry(Kind::Account, object.meta(), error)
}

fn retry(kind: Kind, meta: &ObjectMeta, error: &Error) -> Action {
    if matches!(error, Error::Changed { .. }) {
        // Somebody else wrote first: look again at once.
        return Action::requeue(Duration::from_millis(100));
    }
    metrics::span(kind, meta).in_scope(|| {
        tracing::warn!(reason = error.reason(), %error, "a reconcile failed; it is tried again");
    });
    Action::requeue(RETRY)
}

//! The wiring: watches, queues, and who wakes whom. No decisions here.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use crds::{TradingAccount, TradingStrategy};
use futures::channel::mpsc;
use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Action, Config};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::reflector::store::Writer;
use kube::runtime::{Controller, Predicate as _, PredicateConfig, WatchStreamExt, predicates, reflector, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use crate::context::Shared;
use crate::wake::{Followers, accounts_of, owners_of, strategy_of};
use crate::{Error, GuardedAccount, GuardedStrategy, account, feed, observe, outage, strategy};

/// Reconciles at once, each kind. There is no debounce: each new trigger would put the reconcile off again, so that
/// a strategy that reports all the time, or an account of many, would never be looked at.
const CONCURRENCY: u16 = 16;
/// How long one reconcile may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a failed reconcile waits, the first time.
const RETRY: Duration = Duration::from_secs(2);
/// How long one waits that somebody else's write came in between of, the first time.
const CHANGED: Duration = Duration::from_millis(100);

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
    // From the very watch that fills the store: an account that is woken finds there what woke it.
    let (woken, wake) = mpsc::unbounded();
    let told = {
        let woken = woken.clone();
        move |told| std::future::ready(strategy_of(told, &woken))
    };
    let pods_woken = woken.clone();
    let wake_accounts = {
        let (accounts, context) = (account_store.clone(), Arc::clone(&context));
        move |event: &watcher::Event<GuardedStrategy>| {
            context.by_account.take(event);
            for account in accounts_of(event, &accounts) {
                // The accounts' controller has stopped: nobody is left to be woken.
                woken.unbounded_send(account).ok();
            }
        }
    };
    let all = Api::<GuardedStrategy>::namespaced(client.clone(), &namespace);
    let own = reflector(strategies, lean(watcher(all, watcher::Config::default()))).inspect_ok(wake_accounts);
    let (woken_by_others, wake_strategies) = mpsc::unbounded();
    let woken_by_accounts = woken_by_others.clone();
    let wake_followers = {
        let (strategies, mut followers) = (strategy_store.clone(), Followers::default());
        let context = Arc::clone(&context);
        move |event: &watcher::Event<GuardedAccount>| {
            if let watcher::Event::Apply(account) | watcher::Event::Delete(account) = event {
                context.partners.forget(&account.namespace().unwrap_or_default(), &account.name_any());
            }
            for strategy in followers.of(event, || strategies.state()) {
                // The strategies' controller has stopped: nobody is left to be woken.
                woken_by_accounts.unbounded_send(strategy).ok();
            }
        }
    };
    let strategies = Controller::for_stream(news(own, Arc::clone(&context)), strategy_store.clone())
        .with_config(Config::default().concurrency(CONCURRENCY));
    // Where processes are switched off, so is the right to look.
    let strategies = if context.image.processes {
        let files = Api::<PartialObjectMeta<ConfigMap>>::namespaced(client.clone(), &namespace);
        let of_files = move |changed| strategy::source::dependents(&strategy_store.state(), &changed);
        strategies.watches_stream(lean(watcher(files, watcher::Config::default())).touched_objects(), of_files)
    } else {
        strategies
    };
    let strategies = strategies
        .reconcile_on(wake_strategies)
        .reconcile_on(futures::stream::iter(context.admission.woken()).flatten())
        .reconcile_on(reports.filter_map(told))
        .graceful_shutdown_on(stop.clone())
        .run(|object, context| bounded(strategy::reconcile(object, context)), retry_strategy, Arc::clone(&context))
        .for_each(|_| std::future::ready(()));

    let all = Api::<GuardedAccount>::namespaced(client.clone(), &namespace);
    let own = reflector(accounts, lean(watcher(all, watcher::Config::default()))).inspect_ok(wake_followers);
    let accounts = Controller::for_stream(news(own, Arc::clone(&context)), account_store)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_on(wake)
        .graceful_shutdown_on(stop.clone())
        .run(|object, context| bounded(account::reconcile(object, context)), retry_account, Arc::clone(&context))
        .for_each(|_| std::future::ready(()));

    let (woken_by_outages, accounts_woken_by_outages) = (woken_by_others.clone(), pods_woken.clone());
    let pods = Api::<Pod>::namespaced(client.clone(), &namespace);
    let owners = {
        let context = Arc::clone(&context);
        move |event: &watcher::Event<Pod>| {
            context.pods.take(event);
            let (strategies, accounts) = owners_of(event);
            // The controllers have stopped: nobody is left to be woken.
            strategies.into_iter().for_each(|strategy| drop(woken_by_others.unbounded_send(strategy)));
            accounts.into_iter().for_each(|account| drop(pods_woken.unbounded_send(account)));
        }
    };
    let pods = watcher(pods, managed()).default_backoff().modify(observe::lean).inspect_ok(owners);
    let pods = pods.take_until(stop.clone()).for_each(|_| std::future::ready(()));
    let feeds = feed::run(Arc::clone(&context), namespace.clone(), stop);
    let outages = outage::watch(Arc::clone(&context), move || {
        for strategy in context.strategies.state() {
            woken_by_outages.unbounded_send(ObjectRef::from_obj(&*strategy)).ok();
        }
        for account in context.accounts.state() {
            accounts_woken_by_outages.unbounded_send(ObjectRef::from_obj(&*account)).ok();
        }
    });
    let work = async move {
        futures::future::join4(pin!(strategies), pin!(accounts), pin!(feeds), pin!(pods)).await;
    };
    tokio::select! {
        () = work => {}
        () = outages => {}
    }
}

/// Objects that somebody else than this operator has changed.
fn news<K>(
    stream: impl Stream<Item = Result<watcher::Event<K>, watcher::Error>>,
    context: Shared,
) -> impl Stream<Item = Result<K, watcher::Error>>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + 'static,
{
    let deleted = Arc::clone(&context);
    let forget = move |event: &watcher::Event<K>| {
        if let watcher::Event::Delete(object) = event {
            let uid = object.meta().uid.as_deref().unwrap_or_default();
            deleted.written.forget(uid);
            deleted.looks.forget(uid);
            deleted.pace.forget(uid);
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

/// One reconcile, bounded: an API server that hangs must not hold a place for ever.
async fn bounded(reconcile: impl Future<Output = Result<Action, Error>>) -> Result<Action, Error> {
    match tokio::time::timeout(PATIENCE, reconcile).await {
        Ok(done) => done,
        Err(_) => Err(Error::TimedOut { seconds: PATIENCE.as_secs() }),
    }
}

/// Pods of this operator.
fn managed() -> watcher::Config {
    watcher::Config::default().labels(&observe::managed())
}

/// Without what fills memory and is never read, and with a back-off: a watch without one spins on errors.
fn lean<K>(
    stream: impl Stream<Item = Result<watcher::Event<K>, watcher::Error>> + Send,
) -> impl Stream<Item = Result<watcher::Event<K>, watcher::Error>> + Send
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    stream.default_backoff().modify(|object| object.managed_fields_mut().clear())
}

#[allow(clippy::needless_pass_by_value, reason = "the controller's signature")]
fn retry_strategy(object: Arc<GuardedStrategy>, error: &Error, context: Shared) -> Action {
    retry::<TradingStrategy>(object.meta(), error, &context)
}

#[allow(clippy::needless_pass_by_value, reason = "the controller's signature")]
fn retry_account(object: Arc<GuardedAccount>, error: &Error, context: Shared) -> Action {
    retry::<TradingAccount>(object.meta(), error, &context)
}

fn retry<K: Resource<DynamicType = ()>>(meta: &ObjectMeta, error: &Error, context: &Shared) -> Action {
    let uid = meta.uid.as_deref().unwrap_or_default();
    if matches!(error, Error::Changed { .. }) {
        // Somebody else wrote first, or a cache is behind: look again at once, at first.
        return Action::requeue(context.looks.failed(uid, CHANGED));
    }
    context.metrics.errors.inc();
    let (namespace, name) = (&meta.namespace, &meta.name);
    tracing::warn!(kind = %K::kind(&()), namespace, name, reason = error.reason(), %error, "a reconcile failed; it is tried again");
    Action::requeue(context.looks.failed(uid, RETRY))
}

//! Letting go of a resource without the orderly end: because its namespace goes, or because a human says so. Needs a
//! client.

use std::time::Duration;

use bus::{Owner, Scope, StreamKey};
use crds::roles::{AccountSpec, BookSpec, FeedDesired, GatewayDesired, Stance, StrategyDesired};
use crds::strategy::status::Ledger;
use crds::{TradingAccount, TradingStrategy};
use engine::client_order_id::LedgerId;
use engine::strategies::DesiredState;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DynamicObject, ObjectMeta, Patch, PatchParams};
use kube::core::ApiResource;
use kube::runtime::controller::Action;
use kube::{Api, Resource, ResourceExt as _};
use serde_json::json;

use crate::context::Context;
use crate::placement::Stored;
use crate::{Error, GuardedAccount, GuardedStrategy, apply, finalizer, observe, stop};

/// How long a strategy's end in a namespace that goes waits for its gateway, which goes too, and for the store.
const STRATEGY_PATIENCE_S: i64 = 10;
/// How long its account's waits for it.
const ACCOUNT_PATIENCE_S: i64 = 15;
/// How long until the next look.
const SOON: Duration = Duration::from_millis(500);

/// The end of a strategy whose namespace is being deleted; `None`: it is not. Nothing can be made there any more, not
/// even an Event, and what the chart granted there may be gone already, so this reads nothing there. No later order
/// passes, and the ledger is closed, unless the store is away; whether what is open was cancelled, its gateway can only
/// say while it still runs.
pub async fn strategy_with_namespace(context: &Context, seen: &GuardedStrategy) -> Result<Option<Action>, Error> {
    let meta = seen.meta();
    if !goes_with_namespace(context, meta).await? {
        return Ok(None);
    }
    if let Ok(strategy) = &seen.0
        && !meta.annotations.as_ref().is_some_and(finalizer::is_waived)
        && let Err(why) = end_strategy(context, strategy).await
    {
        if age_s(meta) < STRATEGY_PATIENCE_S {
            return Ok(Some(Action::requeue(SOON)));
        }
        tracing::warn!(namespace = meta.namespace, name = meta.name, why, "released without an orderly end");
        if let Err(why) = close_strategy(context, strategy).await {
            tracing::warn!(namespace = meta.namespace, name = meta.name, why, "its ledger stays open");
        }
    }
    release_counted::<TradingStrategy>(context, meta).await
}

/// The same for an account: after its strategies.
pub async fn account_with_namespace(context: &Context, seen: &GuardedAccount) -> Result<Option<Action>, Error> {
    let meta = seen.meta();
    if !goes_with_namespace(context, meta).await? {
        return Ok(None);
    }
    if let Ok(account) = &seen.0
        && !meta.annotations.as_ref().is_some_and(finalizer::is_waived)
    {
        let is_patient = age_s(meta) < ACCOUNT_PATIENCE_S;
        let users = context.strategies_of(&account.namespace().unwrap_or_default(), &account.name_any()).await?;
        if is_patient && !users.read.is_empty() {
            return Ok(Some(Action::requeue(SOON)));
        }
        if let Err(why) = close_account(context, account).await {
            if is_patient {
                return Ok(Some(Action::requeue(SOON)));
            }
            tracing::warn!(namespace = meta.namespace, name = meta.name, why, "its ledgers stay open");
        }
    }
    release_counted::<TradingAccount>(context, meta).await
}

async fn goes_with_namespace(context: &Context, meta: &ObjectMeta) -> Result<bool, Error> {
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    Ok(is_held(meta) && observe::is_terminating(&context.client, namespace).await?)
}

fn age_s(meta: &ObjectMeta) -> i64 {
    meta.deletion_timestamp.as_ref().map_or(0, |since| Timestamp::now().duration_since(since.0).as_secs())
}

/// Whose record a strategy's is, and its gateway.
fn places(context: &Context, strategy: &TradingStrategy) -> Result<(Owner, Owner), Error> {
    let scope = Scope::account(&strategy.namespace().unwrap_or_default(), strategy.spec.account_ref.name.as_str())?;
    Ok((context.keys.strategy(&scope, &strategy.name_any()), context.keys.gateway(&scope)))
}

/// The ledger that ends with a resource: the one that bears its uid, though no status may name it yet; else the one that
/// its status has taken up.
fn ledger_of(recorded: Option<&Ledger>, stored: &Stored, meta: &ObjectMeta) -> Result<Option<String>, String> {
    let recorded = recorded.filter(|ledger| is_own(ledger, meta)).map(|ledger| ledger.id.clone());
    match stored {
        Stored::Found(record) if !record.closed && meta.uid.as_ref() == Some(&record.uid) => {
            Ok(Some(record.ledger.clone()))
        }
        Stored::Away(why) if recorded.is_none() => Err(format!("Redis does not answer: {why}")),
        Stored::Found(_) | Stored::Missing | Stored::Away(_) => Ok(recorded),
    }
}

/// Asks for its end, and closes its ledger once the gateway has acknowledged; an error says what is waited for.
async fn end_strategy(context: &Context, strategy: &TradingStrategy) -> Result<(), String> {
    let told = |error: Error| error.to_string();
    let (owner, gateway) = places(context, strategy).map_err(told)?;
    let recorded = strategy.status.as_ref().and_then(|status| status.ledger.as_ref());
    let stored = context.stored(&owner).await;
    let Some(ledger) = ledger_of(recorded, &stored, &strategy.metadata)? else { return Ok(()) };
    if recorded.is_none() && matches!(&stored, Stored::Found(record) if record.epoch == 0) {
        // Opened a moment ago: no worker was made for it, and no gateway was told of it.
        return apply::close_ledger(context, &owner, &ledger, Vec::new()).await.map_err(told);
    }
    let id: LedgerId = ledger.parse().map_err(|error| format!("status.ledger.id: {error}"))?;
    let book = BookSpec::of(strategy.name_any(), id, &strategy.spec, Stance::Closed);
    apply::set_book(context, &gateway, &book).await.map_err(told)?;
    let stopped = json!(StrategyDesired { state: DesiredState::Stopped, ..StrategyDesired::default() });
    apply::set_register(context, &owner, 0, &stopped).await.map_err(told)?;
    let (register, record) = context.register_and_record::<GatewayDesired>(&gateway).await;
    let registered = register.books.iter().find(|book| book.ledger.as_str() == ledger).map(BookSpec::stance);
    match stop::at_gateway(&record, &ledger, Stance::Closed, registered) {
        Some(wait) => Err(wait.to_string()),
        None => close_strategy(context, strategy).await,
    }
}

async fn close_strategy(context: &Context, strategy: &TradingStrategy) -> Result<(), String> {
    let (owner, _) = places(context, strategy).map_err(|error| error.to_string())?;
    let recorded = strategy.status.as_ref().and_then(|status| status.ledger.as_ref());
    close(context, &owner, recorded, &strategy.metadata, Vec::new()).await
}

async fn close_account(context: &Context, account: &TradingAccount) -> Result<(), String> {
    let (namespace, name) = (account.namespace().unwrap_or_default(), account.name_any());
    let scope = |scope: Result<Scope, bus::KeyError>| scope.map_err(|error| error.to_string());
    let status = account.status.as_ref();
    let gateway = context.keys.gateway(&scope(Scope::account(&namespace, &name))?);
    close(context, &gateway, status.and_then(|status| status.ledger.as_ref()), &account.metadata, Vec::new()).await?;
    let feed_status = status.and_then(|status| status.feed.as_ref());
    let spec = AccountSpec { name, spec: account.spec.clone() };
    if spec.is_live() {
        // Its feed is others' too, and ends after the last of them.
        return Ok(());
    }
    let source = spec.source();
    let source = scope(Scope::source(&namespace, feed_status.map_or(&source, |feed| &feed.source)))?;
    let feed = context.keys.feed(&source);
    let register: FeedDesired = crate::kept::register(context, &feed).await?;
    let ticks = register.markets().iter().map(|symbol| context.keys.market_tick(&source, symbol.as_str())).collect();
    close(context, &feed, feed_status.and_then(|feed| feed.ledger.as_ref()), &account.metadata, ticks).await
}

/// Closes an owner's ledger, if it is this resource's.
async fn close(
    context: &Context,
    owner: &Owner,
    recorded: Option<&Ledger>,
    meta: &ObjectMeta,
    more: Vec<StreamKey>,
) -> Result<(), String> {
    let Some(ledger) = ledger_of(recorded, &context.stored(owner).await, meta)? else { return Ok(()) };
    apply::close_ledger(context, owner, &ledger, more).await.map_err(|error| error.to_string())
}

/// One of a restored backup, which nobody has answered for yet, is not ours to close.
fn is_own(ledger: &Ledger, meta: &ObjectMeta) -> bool {
    meta.uid.as_ref() == Some(&ledger.resource_uid)
}

async fn release_counted<K: Resource<DynamicType = ()>>(
    context: &Context,
    meta: &ObjectMeta,
) -> Result<Option<Action>, Error> {
    if release::<K>(context, meta).await? {
        context.metrics.released.inc();
        let (kind, namespace, name) = (K::kind(&()), meta.namespace.as_deref(), meta.name.as_deref());
        tracing::warn!(%kind, namespace, name, "released: its namespace is being deleted");
    }
    Ok(Some(Action::await_change()))
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
    match api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(Error::api("release", name)(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::placement::RecordFacts;

    #[test]
    fn what_bears_the_uid_of_a_resource_ends_with_it_though_no_status_names_it() {
        let meta = ObjectMeta { uid: Some("u1".to_owned()), ..ObjectMeta::default() };
        let named = |id: &str, uid: &str| {
            Some(Ledger { id: id.to_owned(), resource_uid: uid.to_owned(), started_at: String::new() })
        };
        let record = |uid: &str, closed| {
            let (uid, ledger) = (uid.to_owned(), "new".to_owned());
            Stored::Found(Arc::new(RecordFacts { uid, ledger, closed, ..RecordFacts::default() }))
        };
        let away = Stored::Away("no".to_owned());
        for (recorded, stored, ledger) in [
            (None, record("u1", false), Ok(Some("new"))),
            (None, record("u1", true), Ok(None)),
            (None, record("u0", false), Ok(None)),
            (None, Stored::Missing, Ok(None)),
            (None, away.clone(), Err(())),
            (named("old", "u1"), record("u1", false), Ok(Some("new"))),
            // A human has answered for one of another resource.
            (named("new", "u1"), record("u0", false), Ok(Some("new"))),
            (named("old", "u1"), away.clone(), Ok(Some("old"))),
            (named("old", "u0"), record("u0", false), Ok(None)),
            (named("old", "u0"), away, Err(())),
        ] {
            let found = ledger_of(recorded.as_ref(), &stored, &meta).map_err(drop);
            assert_eq!(found.as_ref().map(Option::as_deref), ledger.as_ref().copied(), "{recorded:?} {stored:?}");
        }
    }
}

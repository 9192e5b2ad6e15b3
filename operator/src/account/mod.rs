//! The reconcile of a TradingAccount: `observe → validate → plan → apply → status`. It places the account's
//! gateway and feed and tells them which strategies they serve.

pub mod observe;
pub mod plan;
pub mod status;
#[cfg(test)]
mod tests;
pub mod validate;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use bus::{Scope, StreamKey};
use crds::TradingAccount;
use crds::roles::{AccountSpec, FeedDesired};
use kube::ResourceExt as _;
use kube::core::{ApiResource, DeserializeGuard};
use kube::runtime::controller::Action;

use crate::apply::{self, Placed, Process, Target};
use crate::context::{Context, Shared};
use crate::looks::What;
use crate::metrics::{self, Kind};
use crate::names::Role;
use crate::observe::Look;
use crate::outage::is_blink;
use crate::pace::{self, UNDER_WAY, Waits};
use crate::placement::{Ends, Standing};
use crate::seen::Seen;
use crate::{Error, GuardedAccount, event, kept, release, unreadable};

use observe::Observed;
use plan::Move;

/// One look at one account.
pub async fn reconcile(object: Arc<GuardedAccount>, context: Shared) -> Result<Action, Error> {
    object.0.iter().flat_map(|account| sources(account)).for_each(|source| context.feeds.wake(&source));
    // client: needed
    if let Some(action) = release::account_with_namespace(&context, &object).await? {
        return Ok(action);
    }
    let seen = match &*object {
        DeserializeGuard(Ok(account)) => account,
        DeserializeGuard(Err(invalid)) => {
            if release::release_on_demand::<TradingAccount>(&context, &invalid.metadata).await? {
                return Ok(Action::await_change());
            }
            unreadable::tell::<TradingAccount>(&context, &invalid.metadata, &invalid.error).await?;
            return Ok(Action::await_change());
        }
    };
    if let Some(action) = glance(&context, seen).await? {
        return Ok(action);
    }
    context.looks.looked_freshly(&seen.uid().unwrap_or_default(), Instant::now());
    let Some(observed) = observe::observe(&context, Look::Fresh, seen).await? else {
        return Ok(Action::await_change());
    };
    context.metrics.saw((Kind::Account, &observed.namespace, &observed.name), processes(&observed));
    // client: not needed
    let accepted = validate::validate(&observed);
    let mut plan = plan::plan(&observed, accepted.as_ref(), &context.image)?;
    let mut target = target(&context, &observed);
    // client: needed
    let refused = match carry_out(&mut target, &observed, &plan).await {
        // Nothing tells when a quota has room again: it is tried now and then, and the status says why it waits.
        Err(Error::PodRefused { role, why }) => {
            let standing = if role == Role::Feed { &mut plan.feed } else { &mut plan.gateway };
            *standing = Standing::Blocked { why };
            true
        }
        done => done.map(|()| false)?,
    };
    if plan.is_release() {
        return Ok(Action::await_change());
    }
    // client: not needed
    let now = k8s_openapi::jiff::Timestamp::now();
    let holdings = status::holdings(&observed);
    let status = status::status(&observed, accepted.as_ref().err(), &plan, &holdings, now);
    // client: needed
    let is_away = [&plan.gateway, &plan.feed].iter().any(|standing| matches!(standing, Standing::StoreAway { .. }));
    if !(is_away && is_blink(&context)) && status::is_due(&observed.status, &status) {
        status::write(&context, target.version(), &status).await?;
        event::tell(&context, &observed.reference, &observed.status.conditions, &status.conditions).await;
    }
    Ok(next_look(&context, &observed, (&plan, &holdings), refused))
}

/// A look by what the watches have told, which asks the API server nothing. `None`: there is something to do, and a fresh look
/// decides what.
async fn glance(context: &Context, seen: &Seen<TradingAccount>) -> Result<Option<Action>, Error> {
    if context.looks.is_fresh_due(&seen.uid().unwrap_or_default(), Instant::now()) {
        return Ok(None);
    }
    let Some(observed) = observe::observe(context, Look::Remembered, seen).await? else { return Ok(None) };
    if !context.pods.is_whole() {
        let is_asked = observed.status.observed_generation != seen.metadata.generation;
        return Ok(pace::until_pods_are_known(&context.looks, &observed.uid, is_asked));
    }
    context.metrics.saw((Kind::Account, &observed.namespace, &observed.name), processes(&observed));
    if is_blink(context) {
        return Ok(Some(Action::requeue(context.looks.failed(&observed.uid, UNDER_WAY))));
    }
    let accepted = validate::validate(&observed);
    let plan = plan::plan(&observed, accepted.as_ref(), &context.image)?;
    if !plan.is_done(&observed) {
        return Ok(None);
    }
    let holdings = status::holdings(&observed);
    let now = k8s_openapi::jiff::Timestamp::now();
    let status = status::status(&observed, accepted.as_ref().err(), &plan, &holdings, now);
    let is_due = status::is_due(&observed.status, &status);
    Ok((!is_due).then(|| next_look(context, &observed, (&plan, &holdings), false)))
}

fn next_look(
    context: &Context,
    observed: &Observed,
    (plan, holdings): (&plan::Plan, &status::Holdings),
    refused: bool,
) -> Action {
    let awaits_books = status::awaits_books(observed, plan, holdings);
    let waits_for = (!plan.is_settled() || awaits_books)
        .then(|| What::of(&(&plan.gateway, &plan.feed, awaits_books, observed.generation)));
    let ends = [&observed.gateway_ends, &observed.feed_ends].into_iter().flatten();
    let attempt = ends.filter_map(Ends::next_attempt).min();
    let silent_in_ms = status::silent_in_ms(observed, plan);
    pace::next_look(
        &context.looks,
        &observed.uid,
        &Waits { refused, moved: !plan.is_quiet(), waits_for, attempt, silent_in_ms },
    )
}

/// Its own processes. A feed that it shares is its source's.
fn processes(observed: &Observed) -> impl Iterator<Item = metrics::Process<'_>> {
    let gateway = metrics::Process::new(Role::Gateway, &observed.gateway_pods, &observed.gateway_stored);
    let feed = || metrics::Process::new(Role::Feed, &observed.feed_pods, &observed.feed_stored);
    [gateway].into_iter().chain(observed.shared.is_none().then(feed))
}

fn target<'a>(context: &'a Context, observed: &'a Observed) -> Target<'a> {
    let status = &observed.status;
    let gateway =
        Placed { ledger: status.ledger.clone(), epoch: status.epoch.unwrap_or(0), restarts: status.restarts.clone() };
    let mut placed = BTreeMap::from([(Role::Gateway, gateway)]);
    if let Some(feed) = &status.feed {
        placed.insert(Role::Feed, Placed::of_feed(feed));
    }
    Target {
        context,
        kind: ApiResource::erase::<TradingAccount>(&()),
        namespace: observed.namespace.clone(),
        name: observed.name.clone(),
        uid: observed.uid.clone(),
        resource_version: observed.resource_version.clone(),
        placed,
        source: Some(status.feed.as_ref().map_or(&observed.source, |feed| &feed.source).clone()),
        reference: &observed.reference,
    }
}

async fn carry_out(target: &mut Target<'_>, observed: &Observed, plan: &plan::Plan) -> Result<(), Error> {
    for next in &plan.moves {
        match next {
            Move::Finalizers(finalizers) => target.set_finalizer(finalizers).await?,
            Move::Register(role, value) => {
                apply::set_register(target.context, observed.owner(*role), observed.generation, value).await?;
            }
            Move::Place(request, steps) => {
                let role = request.role;
                let process = Process { role, owner: observed.owner(role).clone(), request: (**request).clone() };
                target.apply(&process, steps).await?;
            }
            Move::CloseLedger(role, id) => {
                let streams = if *role == Role::Feed { streams(target.context, observed)? } else { Vec::new() };
                apply::close_ledger(target.context, observed.owner(*role), id, streams).await?;
            }
            Move::RecordFeed(placed) => target.record_feed(&observed.source, placed).await?,
            Move::ForgetFeedEnds => forget_feed_ends(target.context, observed).await?,
            Move::ClearRelease(release) => target.clear_release(release.refused()).await?,
        }
    }
    Ok(())
}

/// Takes the ends of a shared feed out of its register, which stands in the place of a status.
async fn forget_feed_ends(context: &Context, observed: &Observed) -> Result<(), Error> {
    let failed = |why: String| Error::Store { action: "read the register of", subject: observed.source.clone(), why };
    let (present, register) = kept::read::<FeedDesired>(context, &observed.feed).await.map_err(failed)?;
    let Some(present) = present else { return Ok(()) };
    let json = |source| Error::Json { subject: observed.source.clone(), source };
    let value = serde_json::to_value(FeedDesired { restarts: None, ..register }).map_err(json)?;
    apply::change_register(context, &observed.feed, Some(&present), present.generation, &value).await.map(drop)
}

/// The live sources that a look at an account concerns: that of its prices, and that which its status names still.
fn sources(account: &TradingAccount) -> BTreeSet<String> {
    let spec = AccountSpec { name: account.name_any(), spec: account.spec.clone() };
    let now = spec.is_live().then(|| spec.source());
    let before = account.status.as_ref().and_then(|status| status.feed.as_ref()).map(|feed| feed.source.clone());
    // A replay is its account's own.
    let own = AccountSpec::replay_source(&account.name_any());
    now.into_iter().chain(before.filter(|source| *source != own)).collect()
}

/// The streams of the feed, which are named by their symbols.
fn streams(context: &Context, observed: &Observed) -> Result<Vec<StreamKey>, Error> {
    let source = Scope::source(&observed.namespace, &observed.source)?;
    Ok(apply::streams_of_source(context, &source, &observed.kept_markets))
}

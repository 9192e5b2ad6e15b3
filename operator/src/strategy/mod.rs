//! The reconcile of a TradingStrategy: `observe → validate → plan → apply → status`.

#[cfg(test)]
#[path = "tests/fixture.rs"]
pub(crate) mod fixture;
mod granted;
mod judge;
pub mod observe;
pub mod plan;
pub mod source;
pub mod status;
pub mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use crds::TradingStrategy;
use kube::ResourceExt;
use kube::core::{ApiResource, DeserializeGuard};
use kube::runtime::controller::Action;

use crate::apply::{self, Placed, Process, Target};
use crate::context::{Context, Shared};
use crate::metrics::{self, Kind};
use crate::names::Role;
use crate::pace::next_look;
use crate::placement::Standing;
use crate::{Error, GuardedStrategy, event, life, release, unreadable};

use judge::Moment;
use observe::Observed;
use plan::Move;

/// One look at one strategy.
pub async fn reconcile(object: Arc<GuardedStrategy>, context: Shared) -> Result<Action, Error> {
    // client: needed
    if let Some(action) = release::strategy_with_namespace(&context, &object).await? {
        return Ok(action);
    }
    let seen = match &*object {
        DeserializeGuard(Ok(strategy)) => strategy,
        DeserializeGuard(Err(invalid)) => {
            if release::release_on_demand::<TradingStrategy>(&context, &invalid.metadata).await? {
                return Ok(Action::await_change());
            }
            unreadable::tell::<TradingStrategy>(&context, &invalid.metadata, &invalid.error).await?;
            return Ok(Action::await_change());
        }
    };
    let turn = match (account_of(&object), waits_for_account(seen)) {
        (Some((namespace, account)), true) => Some(context.admission.turn(&namespace, &account).await),
        (Some(_) | None, _) => None,
    };
    let Some(observed) = observe::observe(&context, seen, turn.as_ref()).await? else {
        return Ok(Action::await_change());
    };
    let worker = metrics::Process::new(Role::Strategy, &observed.pods, &observed.stored);
    context.metrics.saw((Kind::Strategy, &observed.namespace, &observed.name), [worker]);
    // client: not needed
    let accepted = validate::validate(&observed);
    let mut plan = plan::plan(&observed, accepted.as_ref(), &context.image)?;
    let mut target = target(&context, &observed);
    // client: needed
    let refused = match carry_out(&mut target, &observed, &plan).await {
        // Nothing tells when a quota has room again: it is tried now and then, and the status says why it waits.
        Err(Error::PodRefused { why, .. }) => {
            plan.standing = Standing::Blocked { why };
            true
        }
        done => done.map(|()| false)?,
    };
    drop(turn);
    if plan.is_release() {
        context.pace.forget(&observed.uid);
        context.since.waited(&observed.uid, observed.generation, false, Instant::now());
        return Ok(Action::await_change());
    }
    // client: not needed
    let now = k8s_openapi::jiff::Timestamp::now();
    let waited = context.since.waited(&observed.uid, observed.generation, plan.waits.is_some(), Instant::now());
    let moment = Moment { now, waited_s: waited.as_secs() };
    let refusal = judge::refusal(&observed);
    let status = status::status(&observed, accepted.as_ref().err().or(refusal.as_ref()), &plan, moment);
    // client: needed
    if status::is_due(&observed, &status, &context.pace) {
        status::write(&context, target.version(), &status).await?;
        event::tell(&context, &observed.reference, &observed.status.conditions, &status.conditions).await;
        let [before, after] = [&observed.status, &status].map(|status| status.report.as_ref());
        event::tell_refused_transfers(&context, &observed.reference, before, after).await;
        if let Some(generation) = status::followed_without_a_new_pod(&observed.status, &status) {
            event::tell_followed(&context, &observed.reference, generation).await;
        }
    }
    let silent_in_ms = life::silent_in_ms([&observed.stored, &observed.gateway, &observed.feed])
        .filter(|_| matches!(plan.standing, Standing::Ready { .. }));
    Ok(next_look(refused, plan.is_settled(), silent_in_ms))
}

fn target<'a>(context: &'a Context, observed: &'a Observed) -> Target<'a> {
    let placed = Placed {
        ledger: observed.status.ledger.clone(),
        epoch: observed.status.epoch.unwrap_or(0),
        restarts: observed.status.restarts.clone(),
    };
    Target {
        context,
        kind: ApiResource::erase::<TradingStrategy>(&()),
        namespace: observed.namespace.clone(),
        name: observed.name.clone(),
        uid: observed.uid.clone(),
        resource_version: observed.resource_version.clone(),
        placed: BTreeMap::from([(Role::Strategy, placed)]),
        source: None,
        reference: &observed.reference,
    }
}

async fn carry_out(target: &mut Target<'_>, observed: &Observed, plan: &plan::Plan) -> Result<(), Error> {
    for next in &plan.moves {
        match next {
            Move::Finalizers(finalizers) => target.set_finalizer(finalizers).await?,
            Move::Register(value) => {
                apply::set_register(target.context, &observed.owner, observed.generation, value).await?;
            }
            Move::Book(book) => apply::set_book(target.context, &observed.gateway_owner, book).await?,
            Move::Place(request, steps) => {
                let process =
                    Process { role: Role::Strategy, owner: observed.owner.clone(), request: (**request).clone() };
                target.apply(&process, steps).await?;
            }
            Move::CloseLedger(id) => apply::close_ledger(target.context, &observed.owner, id, Vec::new()).await?,
            Move::ClearRelease(release) => target.clear_release(release.refused()).await?,
        }
    }
    Ok(())
}

/// The names of a strategy's account and of itself, for who looks for it.
pub fn account_of(object: &GuardedStrategy) -> Option<(String, String)> {
    let strategy = object.0.as_ref().ok()?;
    Some((strategy.namespace()?, strategy.spec.account_ref.name.to_string()))
}

/// Whether a strategy's status names its ledger.
pub fn has_ledger(strategy: &TradingStrategy) -> bool {
    strategy.status.as_ref().is_some_and(|status| status.ledger.is_some())
}

/// Whether a strategy waits for what its account has: to begin, or for more money.
pub fn waits_for_account(strategy: &TradingStrategy) -> bool {
    !has_ledger(strategy) || granted::asks_for_money(strategy)
}

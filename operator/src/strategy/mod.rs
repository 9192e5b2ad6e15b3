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
use std::time::{Duration, Instant};

use crds::{TradingStrategy, TradingStrategyStatus};
use kube::ResourceExt;
use kube::core::{ApiResource, DeserializeGuard};
use kube::runtime::controller::Action;

use crate::apply::{self, Placed, Process, Target};
use crate::context::{Context, Shared};
use crate::groups::Places;
use crate::looks::What;
use crate::metrics::{self, Kind};
use crate::names::Role;
use crate::outage::is_blink;
use crate::pace::{self, SOON, UNDER_WAY, Waits};
use crate::placement::{Ends, Standing};
use crate::seen::Seen;
use crate::{Error, GuardedStrategy, event, life, release, unreadable};

use judge::Moment;
use observe::Observed;
use plan::Move;
use status::Due;
use validate::Invalid;

/// Whose turn it is not is woken when it comes; and looks by itself after this, should that be lost.
const NO_TURN: Duration = Duration::from_secs(5);

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
    if let Some(action) = glance(&context, seen).await? {
        return Ok(action);
    }
    let mut turn = None;
    if let (Some((namespace, account)), true) = (account_of(&object), waits_for_account(seen)) {
        let Some(now) = context.admission.turn(&namespace, &account, &seen.name_any()) else {
            return Ok(Action::requeue(NO_TURN));
        };
        if now.before().is_some_and(|written| !context.has_seen(&namespace, written)) {
            return Ok(Action::requeue(SOON));
        }
        turn = Some(now);
    }
    context.looks.looked_freshly(&seen.uid().unwrap_or_default(), Instant::now());
    let Some(observed) = observe::observe(&context, seen, turn.as_ref()).await? else {
        return Ok(Action::await_change());
    };
    tell_metrics(&context, &observed);
    // client: not needed
    let accepted = validate::validate(&observed);
    let mut plan = plan::plan(&observed, accepted.as_ref(), &context.image)?;
    let mut target = target(&context, &observed);
    // client: needed
    let done = carry_out(&mut target, &observed, &plan).await;
    if let Some(mut turn) = turn {
        // Also of one that failed half-way.
        turn.wrote(&observed.name, &target.resource_version);
    }
    let refused = match done {
        // Nothing tells when a quota has room again: it is tried now and then, and the status says why it waits.
        Err(Error::PodRefused { why, .. }) => {
            plan.standing = Standing::Blocked { why };
            true
        }
        done => done.map(|()| false)?,
    };
    if plan.is_release() {
        context.since.waited(&observed.uid, observed.generation, false, Instant::now());
        return Ok(Action::await_change());
    }
    // client: not needed
    let status = status(&context, &observed, accepted.as_ref().err(), &plan);
    // client: needed
    let is_away = matches!(plan.standing, Standing::StoreAway { .. });
    let may_write = |uid: &str, now| context.pace.allows(uid, now);
    if !(is_away && is_blink(&context)) && is_due(&observed, &status, may_write) {
        status::write(&context, target.version(), &status).await?;
        event::tell(&context, &observed.reference, &observed.status.conditions, &status.conditions).await;
        let [before, after] = [&observed.status, &status].map(|status| status.report.as_ref());
        event::tell_refused_transfers(&context, &observed.reference, before, after).await;
        if let Some(generation) = status::followed_without_a_new_pod(&observed.status, &status) {
            event::tell_followed(&context, &observed.reference, generation).await;
        }
    }
    Ok(next_look(&context, &observed, &plan, refused))
}

/// A look by what the watches have told, which asks the API server nothing. `None`: there is something to do, and a fresh look
/// decides what.
async fn glance(context: &Context, seen: &Seen<TradingStrategy>) -> Result<Option<Action>, Error> {
    if context.looks.is_fresh_due(&seen.uid().unwrap_or_default(), Instant::now()) {
        return Ok(None);
    }
    let Some(observed) = observe::remembered(context, seen).await? else { return Ok(None) };
    if !context.pods.is_whole() {
        let is_asked = observed.status.observed_generation != seen.metadata.generation;
        return Ok(pace::until_pods_are_known(&context.looks, &observed.uid, is_asked));
    }
    tell_metrics(context, &observed);
    if is_blink(context) {
        return Ok(Some(Action::requeue(context.looks.failed(&observed.uid, UNDER_WAY))));
    }
    let accepted = validate::validate(&observed);
    let plan = plan::plan(&observed, accepted.as_ref(), &context.image)?;
    if !plan.is_done(&observed) {
        return Ok(None);
    }
    let status = status(context, &observed, accepted.as_ref().err(), &plan);
    let is_due = is_due(&observed, &status, |uid, now| context.pace.has_room(uid, now));
    Ok((!is_due).then(|| next_look(context, &observed, &plan, false)))
}

fn status(
    context: &Context,
    observed: &Observed,
    invalid: Option<&Invalid>,
    plan: &plan::Plan,
) -> TradingStrategyStatus {
    let now = k8s_openapi::jiff::Timestamp::now();
    let waited = context.since.waited(&observed.uid, observed.generation, plan.waits.is_some(), Instant::now());
    let moment = Moment { now, waited_s: waited.as_secs() };
    let refusal = judge::refusal(observed);
    status::status(observed, invalid.or(refusal.as_ref()), plan, moment)
}

/// Whether a status is written now; `pace` says it of figures.
fn is_due(observed: &Observed, status: &TradingStrategyStatus, pace: impl FnOnce(&str, Instant) -> bool) -> bool {
    match status::due(observed, status) {
        Due::No => false,
        Due::Figures => pace(&observed.uid, Instant::now()),
        Due::Now => true,
    }
}

/// Tells the metrics of its pods, and whether its worker is silent.
fn tell_metrics(context: &Context, observed: &Observed) {
    let worker = metrics::Process::new(Role::Strategy, &observed.pods, &observed.stored);
    context.metrics.saw((Kind::Strategy, &observed.namespace, &observed.name), [worker]);
}

fn next_look(context: &Context, observed: &Observed, plan: &plan::Plan, refused: bool) -> Action {
    let silent_in_ms = life::silent_in_ms([&observed.stored, &observed.gateway, &observed.feed])
        .filter(|_| matches!(plan.standing, Standing::Ready { .. }));
    let waits_for = (!plan.is_settled()).then(|| What::of(&(&plan.standing, &plan.waits, observed.generation)));
    let attempt = observed.ends.as_ref().and_then(Ends::next_attempt);
    pace::next_look(
        &context.looks,
        &observed.uid,
        &Waits { refused, moved: !plan.is_quiet(), waits_for, attempt, silent_in_ms },
    )
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

/// A strategy's place among those of its account: who says which symbol that replays comes first.
pub type Place = (bool, Option<validate::Age>, String);

/// Where a strategy is found: by its account, there once more while no status tells its ledger; and by its namespace where it
/// does not read.
pub fn places(object: &GuardedStrategy) -> Places<Place> {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let Ok(strategy) = &object.0 else { return vec![(unreadable_of(&namespace), (true, None, name))] };
    let account = strategy.spec.account_ref.name.as_str();
    let claim = validate::claim(strategy);
    let place = claim.as_ref().map_or((true, None, name.clone()), |claim| {
        let (is_unopened, age, name) = claim.rank();
        (is_unopened, Some(*age), name.to_owned())
    });
    let mut places = vec![(of_account(&namespace, account), place.clone())];
    if !has_ledger(strategy) {
        places.push((unrecorded_of(&namespace, account), place));
    }
    places
}

/// The strategies of an account.
pub fn of_account(namespace: &str, account: &str) -> String {
    format!("{namespace}/{account}")
}

/// Those of them whose ledger no status tells.
pub fn unrecorded_of(namespace: &str, account: &str) -> String {
    format!("{namespace}/{account} unrecorded")
}

/// The strategies of a namespace that do not read.
pub fn unreadable_of(namespace: &str) -> String {
    format!("{namespace} unreadable")
}

/// Whether a strategy's status names its ledger.
pub fn has_ledger(strategy: &TradingStrategy) -> bool {
    strategy.status.as_ref().is_some_and(|status| status.ledger.is_some())
}

/// Whether a strategy waits for what its account has: to begin, or for more money.
pub fn waits_for_account(strategy: &TradingStrategy) -> bool {
    !has_ledger(strategy) || granted::asks_for_money(strategy)
}

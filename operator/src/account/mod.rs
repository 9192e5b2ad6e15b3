//! The reconcile of a TradingAccount: `observe → validate → plan → apply → status`. It places the account's
//! gateway and feed and tells them which strategies they serve.

pub mod observe;
pub mod plan;
pub mod status;
pub mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::TradingAccount;
use kube::Resource as _;
use kube::core::{ApiResource, DeserializeGuard};
use kube::runtime::controller::Action;

use crate::apply::{self, Placed, Process, Target};
use crate::context::{Context, Shared};
use crate::names::Role;
use crate::pace::next_look;
use crate::placement::Standing;
use crate::{Error, GuardedAccount, event, unreadable};

use observe::Observed;
use plan::Move;

/// One look at one account.
pub async fn reconcile(object: Arc<GuardedAccount>, context: Shared) -> Result<Action, Error> {
    context.metrics.reconciles.inc();
    // client: needed
    if apply::release_with_namespace::<TradingAccount>(&context, object.meta()).await? {
        return Ok(Action::await_change());
    }
    let seen = match &*object {
        DeserializeGuard(Ok(account)) => account,
        DeserializeGuard(Err(invalid)) => {
            if apply::release_on_demand::<TradingAccount>(&context, &invalid.metadata).await? {
                return Ok(Action::await_change());
            }
            unreadable::tell::<TradingAccount>(&context, &invalid.metadata, &invalid.error).await?;
            return Ok(Action::await_change());
        }
    };
    let Some(observed) = observe::observe(&context, seen).await? else { return Ok(Action::await_change()) };
    // client: not needed
    let accepted = validate::validate(&observed);
    let mut plan = plan::plan(&observed, accepted.as_ref(), &context.image);
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
    if status::is_due(&observed.status, &status) {
        status::write(&context, target.version(), &status).await?;
        event::tell(&context, &observed.reference, &observed.status.conditions, &status.conditions).await;
    }
    Ok(next_look(refused, plan.is_settled() && !status::awaits_books(&observed, &plan, &holdings)))
}

fn target<'a>(context: &'a Context, observed: &Observed) -> Target<'a> {
    let gateway = Placed { ledger: observed.status.ledger.clone(), epoch: observed.status.epoch.unwrap_or(0) };
    let mut placed = BTreeMap::from([(Role::Gateway, gateway)]);
    if let Some(feed) = &observed.status.feed {
        placed.insert(Role::Feed, Placed { ledger: feed.ledger.clone(), epoch: feed.epoch });
    }
    Target {
        context,
        kind: ApiResource::erase::<TradingAccount>(&()),
        namespace: observed.namespace.clone(),
        name: observed.name.clone(),
        uid: observed.uid.clone(),
        resource_version: observed.resource_version.clone(),
        placed,
        source: Some(observed.source.clone()),
    }
}

async fn carry_out(target: &mut Target<'_>, observed: &Observed, plan: &plan::Plan) -> Result<(), Error> {
    for next in &plan.moves {
        match next {
            Move::Finalizers(finalizers) => target.set_finalizer(finalizers).await?,
            Move::Register(role, value) => {
                target.set_register(observed.owner(*role), observed.generation, value).await?;
            }
            Move::Place(request, steps) => {
                let role = request.role;
                let process = Process { role, owner: observed.owner(role).clone(), request: (**request).clone() };
                target.apply(&process, steps).await?;
            }
            Move::CloseLedger(role, id) => target.close_ledger(observed.owner(*role), id).await?,
        }
    }
    Ok(())
}

//! What must happen next for a strategy. Pure: no client, no clock.

use crds::roles::{StrategyDesired, StrategySpec};
use engine::strategy::DesiredState;
use serde_json::Value;

use super::observe::Observed;
use super::validate::{Invalid, pod_document};
use crate::build::{Image, PodRequest};
use crate::finalizer;
use crate::names::{LEDGER_ANNOTATION, Role};
use crate::placement::{Answer, LedgerStatus, Situation, Standing, Step, Stored, place};
use crate::report;

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Move {
    /// Set the list of finalizers.
    Finalizers(Vec<String>),
    /// Set the strategy's register.
    Register(Value),
    /// Steps of the worker's placement.
    Place(Box<PodRequest>, Vec<Step>),
    /// Close the ledger for good.
    CloseLedger(String),
}

/// What to do, in order, and where the worker stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What to do, in order.
    pub moves: Vec<Move>,
    /// Where the worker stands.
    pub standing: Standing,
}

impl Plan {
    /// Whether the strategy is let go.
    pub fn is_release(&self) -> bool {
        self.moves.iter().any(|next| matches!(next, Move::Finalizers(finalizers) if !finalizer::is_set(finalizers)))
    }

    /// Whether nothing is under way.
    pub fn is_settled(&self) -> bool {
        self.moves.iter().all(|next| matches!(next, Move::Register(_) | Move::Place(_, _)) && !has_steps(next))
            && matches!(
                self.standing,
                Standing::Ready { .. } | Standing::Absent | Standing::LedgerLost | Standing::LedgerFound { .. }
            )
    }
}

fn has_steps(next: &Move) -> bool {
    matches!(next, Move::Place(_, steps) if !steps.is_empty())
}

/// The next moves.
pub fn plan(observed: &Observed, accepted: Result<&StrategySpec, &Invalid>, image: &Image) -> Plan {
    if observed.deleting_since.is_some() {
        return ending(observed);
    }
    if !finalizer::is_set(&observed.finalizers) {
        let finalizers = finalizer::with(&observed.finalizers);
        let standing = Standing::Starting { why: "the finalizer is being set".to_owned() };
        return Plan { moves: vec![Move::Finalizers(finalizers)], standing };
    }
    match accepted {
        Ok(spec) => running(observed, spec, image),
        // A bad spec changes nothing that runs.
        Err(_) => Plan { moves: Vec::new(), standing: as_it_stands(observed) },
    }
}

fn running(observed: &Observed, spec: &StrategySpec, image: &Image) -> Plan {
    let desired = spec.spec.state;
    let mut moves = Vec::new();
    if matches!(observed.stored, Stored::Found(_)) {
        moves.push(register(desired));
    }
    let request = request(observed, pod_document(spec).unwrap_or_default());
    // Stopped: the worker cancels what is open before its pod goes.
    let stopped = desired == DesiredState::Stopped && orders_are_over(observed);
    let wanted = (!stopped).then(|| request.digest(image));
    let (steps, standing) = place(&situation(observed, wanted));
    moves.push(Move::Place(Box::new(request), steps));
    Plan { moves, standing }
}

fn register(state: DesiredState) -> Move {
    // One word: this cannot fail.
    Move::Register(serde_json::to_value(StrategyDesired { state }).unwrap_or_default())
}

/// Whether the worker has told that it stopped and no order of it is open.
fn orders_are_over(observed: &Observed) -> bool {
    let Stored::Found(record) = &observed.stored else { return true };
    match report::word(record) {
        Some(word) => {
            word.phase.state == crds::record::PhaseState::Stopped
                && word.report.is_none_or(|report| report.orders.open == 0)
        }
        None => true,
    }
}

/// Where the worker stands, with no wish for another.
fn as_it_stands(observed: &Observed) -> Standing {
    let current = observed.pods.iter().find(|pod| pod.owned && Some(pod.epoch) == observed.status.epoch);
    let wanted = current.map(|pod| pod.digest.clone());
    match (&observed.stored, wanted) {
        (Stored::Found(_), Some(wanted)) => place(&situation(observed, Some(wanted))).1,
        (Stored::Away(why), _) => Standing::StoreAway { why: why.clone() },
        _ => Standing::Absent,
    }
}

fn situation(observed: &Observed, wanted: Option<String>) -> Situation {
    Situation {
        role: Role::Strategy,
        name: observed.name.clone(),
        uid: observed.uid.clone(),
        ledger: observed
            .status
            .ledger
            .as_ref()
            .map(|ledger| LedgerStatus { id: ledger.id.clone(), accepted_by: ledger.resource_uid.clone() }),
        epoch: observed.status.epoch.unwrap_or(0),
        known_pod: observed.status.worker.as_ref().map(|worker| worker.pod.clone()),
        stored: observed.stored.clone(),
        pods: observed.pods.clone(),
        wanted,
        answer: answer(observed.annotations.get(LEDGER_ANNOTATION).map(String::as_str)),
    }
}

/// A human's answer, as the annotation gives it.
pub fn answer(annotation: Option<&str>) -> Option<Answer> {
    match annotation {
        Some("resume") => Some(Answer::Resume),
        Some("discard") => Some(Answer::Discard),
        Some(_) | None => None,
    }
}

fn request(observed: &Observed, spec: String) -> PodRequest {
    PodRequest {
        role: Role::Strategy,
        name: observed.name.clone(),
        namespace: observed.namespace.clone(),
        owner: observed.owner_reference.clone(),
        record: observed.owner.name().to_owned(),
        ledger: observed.status.ledger.as_ref().map(|ledger| ledger.id.clone()).unwrap_or_default(),
        spec,
    }
}

/// The orderly end: stop, let the gateway cancel, close the ledger, let go. With a dead worker the gateway
/// alone suffices; a closed ledger refuses every later order.
fn ending(observed: &Observed) -> Plan {
    let standing = Standing::Stopping;
    if !finalizer::is_set(&observed.finalizers) {
        return Plan { moves: Vec::new(), standing };
    }
    let release = Move::Finalizers(finalizer::without(&observed.finalizers));
    if finalizer::is_waived(&observed.annotations) {
        return Plan { moves: vec![release], standing };
    }
    let delete_pods = || {
        let steps: Vec<_> = observed
            .pods
            .iter()
            .filter(|pod| pod.owned && !pod.deleting)
            .map(|pod| Step::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() })
            .collect();
        Move::Place(Box::new(request(observed, String::new())), steps)
    };
    let Some(ledger) = observed.status.ledger.as_ref() else {
        return Plan { moves: vec![delete_pods(), release], standing };
    };
    let moves = match &observed.stored {
        // Nobody can say whether an order is open: wait, and say so.
        Stored::Away(_) => vec![delete_pods()],
        Stored::Missing => vec![delete_pods(), release],
        Stored::Found(record) if record.ledger != ledger.id => vec![delete_pods(), release],
        Stored::Found(record) => {
            let quiet = report::open_orders(&observed.gateway, &ledger.id) == Some(0);
            match (quiet, record.closed) {
                // The gateway cancels: the account's reconcile marks the book as closing.
                (false, _) => vec![register(DesiredState::Stopped), delete_pods()],
                (true, false) => vec![delete_pods(), Move::CloseLedger(ledger.id.clone())],
                (true, true) => vec![delete_pods(), release],
            }
        }
    };
    Plan { moves, standing }
}

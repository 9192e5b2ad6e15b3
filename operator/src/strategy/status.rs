//! What a strategy's status says. Pure but for the write itself.

use crds::condition::{Condition, ConditionStatus};
use crds::record::PhaseState;
use crds::strategy::status::{Mode, StrategyState, Worker};
use crds::{TradingStrategy, TradingStrategyStatus};
use engine::report::Report;
use k8s_openapi::jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::observe::Observed;
use super::plan::{Move, Plan};
use super::validate::Invalid;
use crate::condition::{Verdict, accepted};
use crate::context::Context;
use crate::pace::{Pace, WORTH_A_WRITE};
use crate::placement::{Standing, Stored};
use crate::reason::Reason;
use crate::report::{Word, word};
use crate::status::{DEADLINE_SECONDS, ObjectVersion};
use crate::{Error, status};

/// The status that a reader should see now.
pub fn status(observed: &Observed, invalid: Option<&Invalid>, plan: &Plan, now: Timestamp) -> TradingStrategyStatus {
    let word = match &observed.stored {
        Stored::Found(record) => word(record),
        Stored::Away(_) | Stored::Missing => None,
    };
    let (state, verdict) = judge(observed, invalid, plan, word.as_ref(), now);
    let generation = i64::try_from(observed.generation).ok();
    let before = &observed.status;
    let mut report = word.and_then(|word| word.report).or_else(|| before.report.clone());
    if let Some(report) = &mut report {
        report.summary.alert = alert(report, verdict.ready.1, verdict.stalled);
    }
    let now = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    TradingStrategyStatus {
        observed_generation: generation,
        applied_generation: if is_applied(observed, plan) { generation } else { before.applied_generation },
        state: Some(state),
        mode: Some(Mode::Paper),
        epoch: before.epoch,
        ledger: before.ledger.clone(),
        worker: worker(observed, plan),
        conditions: verdict.conditions(&before.conditions, generation, &now),
        report,
    }
}

/// What a human should know: the worker's own warnings, then what keeps it from trading.
fn alert(report: &Report, reason: Reason, stalled: bool) -> String {
    let own = &report.summary.alert;
    let mut alerts: Vec<&str> = own.split(", ").filter(|text| !text.is_empty()).collect();
    alerts.retain(|text| !Reason::ALL.iter().any(|reason| reason.as_str() == *text));
    let told = stalled || matches!(reason, Reason::MarketDataEnded | Reason::RedisUnavailable | Reason::PodBlocked);
    if told {
        alerts.push(reason.as_str());
    }
    alerts.join(", ")
}

/// Whether the pod that runs was made from this generation.
fn is_applied(observed: &Observed, plan: &Plan) -> bool {
    let settled = plan.moves.iter().all(|next| match next {
        Move::Place(_, steps) => steps.is_empty(),
        Move::Register(_) => true,
        Move::Finalizers(_) | Move::CloseLedger(_) => false,
    });
    let placed = plan.moves.iter().any(|next| matches!(next, Move::Place(_, _)));
    settled
        && placed
        && observed.deleting_since.is_none()
        && matches!(plan.standing, Standing::Ready { .. } | Standing::Absent)
}

fn worker(observed: &Observed, plan: &Plan) -> Option<Worker> {
    match &plan.standing {
        Standing::Ready { pod, node } => Some(Worker { pod: pod.clone(), node: node.clone() }),
        Standing::Absent => None,
        Standing::Starting { .. }
        | Standing::Blocked { .. }
        | Standing::Stopping
        | Standing::LedgerLost
        | Standing::LedgerFound { .. }
        | Standing::StoreAway { .. } => {
            // The pod of this epoch is known from the moment it is seen, so that its name is used once.
            let seen = observed.pods.iter().find(|pod| pod.owned && Some(pod.epoch) == observed.status.epoch);
            seen.map(|pod| Worker { pod: pod.name.clone(), node: pod.node.clone() })
                .or_else(|| observed.status.worker.clone())
        }
    }
}

type Ready = (ConditionStatus, Reason, String);

fn judge(
    observed: &Observed,
    invalid: Option<&Invalid>,
    plan: &Plan,
    word: Option<&Word>,
    now: Timestamp,
) -> (StrategyState, Verdict) {
    let valid = accepted(&observed.unknown_fields);
    if let Some(since) = observed.deleting_since {
        let late = now.duration_since(since).as_secs() > DEADLINE_SECONDS;
        let ready = if late {
            let message = "The deletion waits: orders may be open and the store or the gateway does not answer. Mend \
                           them, or annotate glm.trading/release: now to let go without certainty.";
            (ConditionStatus::False, Reason::DeadlineExceeded, message.to_owned())
        } else {
            (ConditionStatus::False, Reason::Stopping, "Orders are cancelled, then the ledger is closed.".to_owned())
        };
        return (StrategyState::Deleting, Verdict { accepted: valid, ready, reconciling: true, stalled: late });
    }
    if let Some(invalid) = invalid {
        return refused(observed, invalid, plan);
    }
    let (state, ready, reconciling, stalled) = standing(observed, plan, word);
    (state, Verdict { accepted: valid, ready, reconciling, stalled })
}

/// A bad spec: what runs goes on, and the status says which generation that is.
fn refused(observed: &Observed, invalid: &Invalid, plan: &Plan) -> (StrategyState, Verdict) {
    let accepted = (ConditionStatus::False, invalid.reason, invalid.message.clone());
    let (state, message) = match (&plan.standing, observed.status.applied_generation) {
        (Standing::Ready { .. } | Standing::Starting { .. }, Some(generation)) => {
            (StrategyState::Running, format!("generation {generation} keeps trading; {}", invalid.message))
        }
        (Standing::StoreAway { .. }, Some(_)) => (StrategyState::Degraded, invalid.message.clone()),
        _ => (StrategyState::Pending, invalid.message.clone()),
    };
    let ready = (ConditionStatus::False, invalid.reason, message);
    (state, Verdict { accepted, ready, reconciling: false, stalled: true })
}

fn standing(observed: &Observed, plan: &Plan, word: Option<&Word>) -> (StrategyState, Ready, bool, bool) {
    let not_ready = |reason, message: String| (ConditionStatus::False, reason, message);
    match &plan.standing {
        Standing::Ready { pod, .. } => working(word, pod),
        Standing::Starting { why } => {
            let state = if observed.status.ledger.is_some() { StrategyState::Starting } else { StrategyState::Pending };
            (state, not_ready(Reason::Starting, format!("On its way: {why}.")), true, false)
        }
        Standing::Blocked { why } => {
            let message = format!("The pod cannot start: {why}.");
            (StrategyState::Starting, not_ready(Reason::PodBlocked, message), true, false)
        }
        Standing::Absent => (
            StrategyState::Stopped,
            (ConditionStatus::True, Reason::Stopped, "Stopped on request.".to_owned()),
            false,
            false,
        ),
        Standing::Stopping => {
            (StrategyState::Stopping, not_ready(Reason::Stopping, "The pod is ending.".to_owned()), true, false)
        }
        Standing::LedgerLost => {
            let message = "Redis has no record of the ledger. Nothing trades on the declared capital by itself: restore \
                           Redis from its backup, or annotate glm.trading/ledger: discard to start a new ledger.";
            (StrategyState::Quarantined, not_ready(Reason::LedgerLost, message.to_owned()), false, true)
        }
        Standing::LedgerFound { found, uid } => {
            let message = format!(
                "Redis has ledger {found}, made for resource {uid}. Annotate glm.trading/ledger: resume to go on with it, \
                 or discard to close it and start a new one."
            );
            (StrategyState::Quarantined, not_ready(Reason::LedgerFound, message), false, true)
        }
        Standing::StoreAway { why } => {
            let message = format!("The worker trades on by itself if it can; its report cannot be read: {why}.");
            (StrategyState::Degraded, (ConditionStatus::Unknown, Reason::RedisUnavailable, message), false, false)
        }
    }
}

/// What the worker itself says, once its pod is ready.
fn working(word: Option<&Word>, pod: &str) -> (StrategyState, Ready, bool, bool) {
    let Some(word) = word else {
        let ready = (ConditionStatus::False, Reason::Starting, format!("Pod {pod} is ready and has not reported yet."));
        return (StrategyState::Starting, ready, true, false);
    };
    let decision = word.report.as_ref().map(|report| report.decision.message.clone()).unwrap_or_default();
    match (word.phase.state, word.phase.reason.as_str()) {
        (PhaseState::Running, _) => {
            (StrategyState::Running, (ConditionStatus::True, Reason::Trading, decision), false, false)
        }
        (PhaseState::Paused, _) => {
            let message = "Paused on request: it watches and sends no new order.".to_owned();
            (StrategyState::Paused, (ConditionStatus::True, Reason::Paused, message), false, false)
        }
        (PhaseState::Stopped, "MarketDataEnded") => {
            let message = "The replay has ended; its result stays here.".to_owned();
            (StrategyState::Stopped, (ConditionStatus::False, Reason::MarketDataEnded, message), false, false)
        }
        (PhaseState::Stopped, _) => (
            StrategyState::Stopping,
            (ConditionStatus::False, Reason::Stopping, "The pod is ending.".to_owned()),
            true,
            false,
        ),
        (PhaseState::Quarantined, _) => {
            let ready = (ConditionStatus::False, Reason::PoisonInbox, word.phase.message.clone());
            (StrategyState::Quarantined, ready, false, true)
        }
    }
}

/// Whether a status must be written: at once on a transition or a trade, else when figures have moved enough
/// and the pace allows.
pub fn is_due(observed: &Observed, next: &TradingStrategyStatus, pace: &Pace) -> bool {
    let before = &observed.status;
    if hard(before) != hard(next) {
        return true;
    }
    let net_of = |status: &TradingStrategyStatus| status.report.as_ref()?.pnl.as_ref().map(|pnl| pnl.net.get());
    let moved = match (net_of(before), net_of(next)) {
        (Some(before), Some(after)) => {
            (after - before).abs() >= capital(next) * Decimal::new(WORTH_A_WRITE.0, WORTH_A_WRITE.1)
        }
        (None, Some(_)) => true,
        (_, None) => false,
    };
    moved && pace.allows(&observed.uid, std::time::Instant::now())
}

/// What the position is worth in all: near enough to capital to judge half a percent.
fn capital(status: &TradingStrategyStatus) -> Decimal {
    let Some(report) = &status.report else { return Decimal::ZERO };
    let price = report.price.map(engine::numbers::Price::get).unwrap_or_default();
    let quote = report.pnl.as_ref().map(|pnl| pnl.currency.clone()).unwrap_or_default();
    report
        .position
        .iter()
        .map(|(asset, amount)| if *asset == quote { amount.get() } else { amount.get() * price })
        .sum()
}

/// The part whose every change is written at once.
fn hard(status: &TradingStrategyStatus) -> Value {
    let conditions: Vec<_> = status.conditions.iter().map(steady).collect();
    let report = status.report.as_ref();
    json!({
        "generations": [status.observed_generation, status.applied_generation],
        "state": status.state,
        "worker": status.worker,
        "conditions": conditions,
        "orders": report.map(|report| (report.orders.filled, report.orders.unknown, report.orders.rejected)),
        "trades": report.map(|report| report.recent_trades.clone()),
        "risk": report.map(|report| report.risk.clone()),
        "alert": report.map(|report| report.summary.alert.clone()),
    })
}

/// A condition without the words that move with prices.
fn steady(condition: &Condition) -> Value {
    let message = if condition.reason == Reason::Trading.as_str() { "" } else { &condition.message };
    json!([condition.type_, condition.status, condition.reason, message, condition.observed_generation])
}

/// Writes figures and conditions under their own manager; epoch and ledger are not touched.
pub async fn write(context: &Context, object: ObjectVersion<'_>, status: &TradingStrategyStatus) -> Result<(), Error> {
    let body = status::body(object.name, status)?;
    status::write::<TradingStrategy>(context, object, body).await
}

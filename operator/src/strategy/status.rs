//! What a strategy's status says. Pure but for the write itself.

use crds::condition::Condition;
use crds::strategy::status::{Mode, Worker};
use crds::{TradingStrategy, TradingStrategyStatus};
use engine::messages::AlertKind;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::judge::{self, Moment};
use super::observe::Observed;
use super::plan::{Move, Plan};
use super::validate::Invalid;
use crate::context::Context;
use crate::moment::written;
use crate::pace::WORTH_A_WRITE;
use crate::placement::{Standing, Stored};
use crate::reason::Reason;
use crate::report::word;
use crate::status::ObjectVersion;
use crate::{Error, status};

/// The status that a reader should see now.
pub fn status(observed: &Observed, invalid: Option<&Invalid>, plan: &Plan, moment: Moment) -> TradingStrategyStatus {
    let word = match &observed.stored {
        Stored::Found(record) => word(record),
        Stored::Away(_) | Stored::Missing => None,
    };
    let (state, verdict) = judge::judge(observed, invalid, plan, word.as_ref(), moment);
    let generation = i64::try_from(observed.generation).ok();
    let before = &observed.status;
    let mut report = word.and_then(|word| word.report).or_else(|| before.report.clone());
    if let Some(report) = &mut report {
        report.summary.alert = alert(&report.summary.alert, verdict.ready.1, verdict.stalled);
    }
    let applied = if is_applied(observed, invalid, plan) { generation } else { traded(observed, plan) };
    let now = written(moment.now);
    TradingStrategyStatus {
        observed_generation: generation,
        applied_generation: applied.or(before.applied_generation),
        state: Some(state),
        mode: Some(Mode::Paper),
        epoch: before.epoch,
        ledger: before.ledger.clone(),
        worker: worker(observed, plan),
        restarts: before.restarts.clone(),
        conditions: verdict.conditions(&before.conditions, generation, &now),
        report,
    }
}

/// What a human should know: the worker's own warnings, then what keeps it from trading.
fn alert(own: &str, reason: Reason, stalled: bool) -> String {
    let mut alerts: Vec<&str> = own.split(", ").filter(|text| !text.is_empty()).collect();
    // What was put there before; the worker's own words stay.
    let is_own = |text: &str| AlertKind::ALL.iter().any(|kind| kind.as_str() == text);
    alerts.retain(|text| is_own(text) || !Reason::ALL.iter().any(|reason| reason.as_str() == *text));
    let told = matches!(
        reason,
        Reason::MarketDataEnded
            | Reason::RedisUnavailable
            | Reason::PodBlocked
            | Reason::WorkerSilent
            | Reason::GatewaySilent
            | Reason::FeedSilent
            | Reason::BehindFeed
            | Reason::FeedUnreachable
            | Reason::FeedBanned
            | Reason::FeedRegion
            | Reason::MarketDataStale
            | Reason::SymbolHalted
    );
    if (stalled || told) && !alerts.contains(&reason.as_str()) {
        alerts.push(reason.as_str());
    }
    alerts.join(", ")
}

/// Whether what this generation asks for is done: the pod that runs was made from it, and its worker follows the
/// register; or it has stopped.
fn is_applied(observed: &Observed, invalid: Option<&Invalid>, plan: &Plan) -> bool {
    let done = match &plan.standing {
        Standing::Ready { .. } => plan.followed,
        Standing::Absent => plan.waits.is_none(),
        Standing::Starting { .. }
        | Standing::Blocked { .. }
        | Standing::CrashLoop { .. }
        | Standing::Stopping
        | Standing::LedgerLost
        | Standing::LedgerFound { .. }
        | Standing::StoreAway { .. } => false,
    };
    let placed = plan.moves.iter().any(|next| matches!(next, Move::Place(_, _)));
    done && placed && plan.is_quiet() && invalid.is_none() && observed.deleting_since.is_none()
}

/// The generation that the worker itself says it trades by; `None` where it does not, as one of the release before, or is to
/// be replaced.
fn traded(observed: &Observed, plan: &Plan) -> Option<i64> {
    let is_present = matches!(plan.standing, Standing::Ready { .. }) && plan.is_quiet();
    let phase = judge::own_word(observed).filter(|_| is_present)?.phase;
    let told = phase.follows_parameters().then_some(phase.generation)?;
    i64::try_from(told.min(observed.generation)).ok()
}

fn worker(observed: &Observed, plan: &Plan) -> Option<Worker> {
    match &plan.standing {
        Standing::Ready { pod, node } => Some(Worker { pod: pod.clone(), node: node.clone() }),
        Standing::Absent => None,
        Standing::Starting { .. }
        | Standing::Blocked { .. }
        | Standing::CrashLoop { .. }
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

/// The generation that is followed from now on by the pod that followed one before.
pub fn followed_without_a_new_pod(before: &TradingStrategyStatus, after: &TradingStrategyStatus) -> Option<i64> {
    let pod = |status: &TradingStrategyStatus| status.worker.as_ref().map(|worker| worker.pod.clone());
    let is_later = before.applied_generation.is_some() && after.applied_generation > before.applied_generation;
    after.applied_generation.filter(|_| is_later && pod(after).is_some() && pod(before) == pod(after))
}

/// When a status is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing of it is worth a write.
    No,
    /// Figures have moved enough, or the strategy acts or waits for another reason: as the pace allows.
    Figures,
    /// At once: a transition or a trade.
    Now,
}

/// When a status is to be written over the one that was observed.
pub fn due(observed: &Observed, next: &TradingStrategyStatus) -> Due {
    let before = &observed.status;
    if hard(before) != hard(next) {
        return Due::Now;
    }
    let net_of = |status: &TradingStrategyStatus| status.report.as_ref()?.pnl.as_ref().map(|pnl| pnl.net.get());
    let moved = match (net_of(before), net_of(next)) {
        (Some(before), Some(after)) => {
            (after - before).abs() >= capital(next) * Decimal::new(WORTH_A_WRITE.0, WORTH_A_WRITE.1)
        }
        (None, Some(_)) => true,
        (_, None) => false,
    };
    let reason_of = |status: &TradingStrategyStatus| Some(status.report.as_ref()?.decision.reason.clone());
    let has_another_reason = reason_of(next).is_some() && reason_of(before) != reason_of(next);
    if moved || has_another_reason { Due::Figures } else { Due::No }
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
        "stopped": report.map(|report| report.stopped.clone()),
        "transfers": report.map(|report| report.transfers.clone()),
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

#[cfg(test)]
mod tests {
    use bus::{Desired, RegisterVersion};
    use crds::record::{INVALID_SPEC, RefusedEdit};
    use crds::strategy::status::StrategyState;

    use super::*;
    use crate::strategy::fixture::*;
    use crate::strategy::{plan, validate};

    fn told(observed: &Observed) -> TradingStrategyStatus {
        let accepted = validate::validate(observed);
        let plan = plan::plan(observed, accepted.as_ref(), &image()).unwrap();
        let refused = judge::refusal(observed);
        let moment = Moment { now: "2026-01-01T00:00:10Z".parse().unwrap(), waited_s: 0 };
        status(observed, accepted.as_ref().err().or(refused.as_ref()), &plan, moment)
    }

    fn condition(status: &TradingStrategyStatus, type_: &str) -> (String, String) {
        let found = status.conditions.iter().find(|condition| condition.type_ == type_).unwrap();
        (found.reason.clone(), found.message.clone())
    }

    /// An edit that the register holds, and of which the worker has read.
    fn registered() -> Observed {
        let mut observed = edited();
        let Move::Register(value) =
            plan::plan(&observed, validate::validate(&observed).as_ref(), &image()).unwrap().moves.remove(0)
        else {
            panic!("the register comes first")
        };
        observed.register = Some(Desired { token: 2, value: value.to_string().into(), ..held("Running") });
        edit(&mut observed.stored, |record| record.followed = Some(RegisterVersion { generation: 1, token: 2 }));
        observed
    }

    #[test]
    fn the_applied_generation_is_the_one_that_the_worker_says_it_trades_by() {
        let mut observed = registered();
        for (generation, reason) in [(5, "Starting"), (6, "Trading")] {
            following(&mut observed, generation, None);
            let status = told(&observed);
            assert_eq!(status.applied_generation, Some(i64::try_from(generation).unwrap()));
            assert_eq!(condition(&status, "Ready").0, reason);
        }
        let (before, after) = (&observed.status.clone(), told(&observed));
        let known = TradingStrategyStatus { worker: after.worker.clone(), ..before.clone() };
        assert_eq!(followed_without_a_new_pod(&known, &after), Some(6));
        assert_eq!(followed_without_a_new_pod(before, &after), None, "the pod was not known before");
        assert_eq!(followed_without_a_new_pod(&after, &after), None, "it is told once");
        // One that is to be replaced has not done all that was asked.
        observed.pods[0].digest = "other".to_owned();
        assert_eq!(told(&observed).applied_generation, observed.status.applied_generation);
    }

    #[test]
    fn an_edit_that_the_worker_refuses_is_not_accepted_and_the_one_before_trades_on() {
        let mut observed = registered();
        observed.status.applied_generation = Some(5);
        let refused = RefusedEdit { generation: 6, message: "no strategy is named \"nobody\"".to_owned() };
        following(&mut observed, 5, Some(refused));
        let status = told(&observed);
        let message = "spec.strategy: the worker cannot follow it: no strategy is named \"nobody\"";
        assert_eq!(condition(&status, "Accepted"), ("InvalidSpec".to_owned(), message.to_owned()));
        assert_eq!(condition(&status, "Ready").1, format!("generation 5 keeps trading; {message}"));
        assert_eq!((status.applied_generation, status.state), (Some(5), Some(StrategyState::Running)));
        // The next edit is another one.
        observed.generation = 7;
        assert_eq!(condition(&told(&observed), "Accepted").0, "Valid");
    }

    /// Its pod runs and is not ready: it has nothing to trade by.
    #[test]
    fn a_spec_of_which_the_worker_can_make_nothing_is_not_accepted_and_nothing_is_said_to_trade() {
        let mut observed = registered();
        let message =
            "the parameters of dips do not read: fallPercent: 51 is out of range; write more than 0, at most 50";
        let refused = RefusedEdit { generation: 6, message: message.to_owned() };
        following(&mut observed, 0, Some(refused));
        edit(&mut observed.stored, |record| {
            let mut phase = word(record).unwrap().phase;
            (phase.reason, phase.message) = (INVALID_SPEC.to_owned(), message.to_owned());
            record.fields.extend([phase.to_field()]);
        });
        observed.pods[0].ready = false;
        for (applied, state) in [(Some(5), StrategyState::Degraded), (None, StrategyState::Pending)] {
            observed.status.applied_generation = applied;
            let status = told(&observed);
            let told = format!("spec.strategy: the worker cannot follow it: {message}");
            assert_eq!(condition(&status, "Accepted"), ("InvalidSpec".to_owned(), told.clone()));
            assert_eq!(condition(&status, "Ready"), ("InvalidSpec".to_owned(), told.clone()), "no word of trading");
            assert_eq!((status.applied_generation, status.state), (applied, Some(state)));
            assert_eq!(condition(&status, "Stalled"), ("InvalidSpec".to_owned(), told));
        }
    }

    /// A strategy that never trades is told of by its reasons alone.
    #[test]
    fn another_reason_is_told_at_the_pace_of_figures_and_other_words_of_one_are_not() {
        let mut observed = trading();
        edit(&mut observed.stored, |record| record.fields.extend([reporting(&json!([]), &Value::Null)]));
        observed.status = told(&observed);
        assert_eq!(due(&observed, &observed.status), Due::No, "nothing is new");
        let says = |reason: &str, message: &str| {
            let mut status = observed.status.clone();
            let decision = &mut status.report.as_mut().expect("it trades").decision;
            (decision.reason, decision.message) = (reason.to_owned(), message.to_owned());
            status
        };
        assert_eq!(due(&observed, &says("PriceBetweenBands", "Waits on.")), Due::No);
        assert_eq!(due(&observed, &says("Reach", "Says.")), Due::Figures);
    }

    #[test]
    fn an_alert_is_the_workers_own_words_and_what_keeps_it_from_trading_now() {
        for (own, reason, stalled, told) in [
            ("", Reason::Trading, false, ""),
            ("PositionLimit, CrashLoop", Reason::Trading, false, "PositionLimit"),
            ("PositionLimit", Reason::FeedSilent, false, "PositionLimit, FeedSilent"),
            ("AccountMismatch", Reason::Trading, false, "AccountMismatch"),
            ("AccountMismatch", Reason::AccountMismatch, true, "AccountMismatch"),
        ] {
            assert_eq!(alert(own, reason, stalled), told, "{own} {reason:?}");
        }
    }
}

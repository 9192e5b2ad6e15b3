//! What an account's status says. Pure but for the write itself.

use std::collections::BTreeMap;

use crds::account::balances::{BOOK, Balances, BookReport, balances};
use crds::account::status::{AccountOrders, AccountRisk, AccountSummary, FeedStatus};
use crds::condition::ConditionStatus;
use crds::record::ORDER;
use crds::strategy::status::{Mode, StrategyState, Worker};
use crds::{TradingAccount, TradingAccountStatus};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::observe::Observed;
use super::plan::Plan;
use super::validate;
use crate::condition::{Verdict, accepted, limit_reached};
use crate::context::Context;
use crate::feed::price_fault;
use crate::names::Role;
use crate::placement::{PodFacts, Standing, Stored};
use crate::reason::Reason;
use crate::status::{DEADLINE_SECONDS, ObjectVersion};
use crate::strategy::validate::Invalid;
use crate::{Error, life, moment, status};

/// The status that a reader should see now.
pub fn status(
    observed: &Observed,
    invalid: Option<&Invalid>,
    plan: &Plan,
    holdings: &Holdings,
    now: Timestamp,
) -> TradingAccountStatus {
    let before = &observed.status;
    let (state, verdict) = judge(observed, invalid, plan, now);
    let generation = i64::try_from(observed.generation).ok();
    let written = moment::written(now);
    let held = holdings.balances.as_ref();
    let mut strategies: BTreeMap<String, u32> = BTreeMap::new();
    for strategy in &observed.strategies {
        let state = strategy.status.as_ref().and_then(|status| status.state).unwrap_or(StrategyState::Pending);
        *strategies.entry(format!("{state:?}")).or_default() += 1;
    }
    // As before while nobody can say.
    let risk = observed.latched().map_or_else(|| before.risk.clone(), AccountRisk::of);
    let unreadable = u32::try_from(observed.unreadable_users().count()).unwrap_or(u32::MAX);
    if unreadable > 0 {
        strategies.insert(format!("{:?}", Reason::Unreadable), unreadable);
    }
    TradingAccountStatus {
        observed_generation: generation,
        state: Some(state),
        epoch: before.epoch,
        ledger: before.ledger.clone(),
        restarts: before.restarts.clone(),
        gateway: worker(&plan.gateway, &observed.gateway_pods, before.epoch).or_else(|| before.gateway.clone()),
        feed: feed(observed, plan),
        conditions: verdict.conditions(&before.conditions, generation, &written),
        balances: held.map(|held| held.total.clone()).or_else(|| before.balances.clone()),
        unassigned: held.map(|held| held.unassigned.clone()).or_else(|| before.unassigned.clone()),
        orders: holdings.orders.or(before.orders),
        // An empty map where there was one would be merged to null, which the definition refuses.
        strategies: (!strategies.is_empty()).then_some(strategies),
        summary: Some(AccountSummary {
            venue: "paper".to_owned(),
            mode: Mode::Paper,
            strategies: u32::try_from(observed.strategies.len()).unwrap_or(u32::MAX).saturating_add(unreadable),
            halted: AccountRisk::halted(risk.as_ref()),
        }),
        risk,
    }
}

fn worker(standing: &Standing, pods: &[PodFacts], epoch: Option<u64>) -> Option<Worker> {
    if let Standing::Ready { pod, node } = standing {
        return Some(Worker { pod: pod.clone(), node: node.clone() });
    }
    let seen = pods.iter().find(|pod| pod.owned && Some(pod.epoch) == epoch)?;
    Some(Worker { pod: seen.name.clone(), node: seen.node.clone() })
}

fn feed(observed: &Observed, plan: &Plan) -> Option<FeedStatus> {
    let before = observed.status.feed.clone()?;
    let seen = worker(&plan.feed, &observed.feed_pods, Some(before.epoch));
    Some(FeedStatus { pod: seen.map_or(before.pod.clone(), |worker| worker.pod), ..before })
}

/// What a gateway's record says of orders and money.
#[derive(Default)]
pub struct Holdings {
    /// As before while the store is away.
    orders: Option<AccountOrders>,
    /// As before until each registered strategy has its book, and nobody else has one: in between, capitals and
    /// books are not of the same ledgers, and their sum would lie.
    balances: Option<Balances>,
}

/// Reads them from the gateway's record.
pub fn holdings(observed: &Observed) -> Holdings {
    let Stored::Found(record) = &observed.gateway_stored else { return Holdings::default() };
    let held = |prefix: &'static str| {
        record.fields.iter().filter_map(move |(name, text)| Some((name.strip_prefix(prefix)?, text.as_str())))
    };
    let books: BTreeMap<&str, BookReport> =
        held(BOOK).filter_map(|(ledger, text)| Some((ledger, serde_json::from_str(text).ok()?))).collect();
    let registered = validate::books(observed).books;
    let capitals: BTreeMap<&str, _> = registered.iter().map(|book| (book.ledger.as_str(), &book.capital)).collect();
    let paper = observed.spec.venue.paper.as_ref().filter(|_| books.keys().eq(capitals.keys()));
    Holdings {
        orders: Some(AccountOrders::of(held(ORDER).map(|(_, text)| text))),
        balances: paper.map(|paper| {
            let (capitals, books): (Vec<_>, Vec<_>) = (capitals.into_values().collect(), books.into_values().collect());
            balances(&paper.balances, &capitals, &books)
        }),
    }
}

/// Whether a gateway that works has yet to open or close a book: nothing that is watched here tells when it has.
pub fn awaits_books(observed: &Observed, plan: &Plan, holdings: &Holdings) -> bool {
    matches!(plan.gateway, Standing::Ready { .. }) && observed.spec.venue.paper.is_some() && holdings.balances.is_none()
}

fn judge(observed: &Observed, invalid: Option<&Invalid>, plan: &Plan, now: Timestamp) -> (StrategyState, Verdict) {
    let valid = accepted(&observed.unknown_fields);
    if let Some(since) = observed.deleting_since {
        return deleting(plan, u64::try_from(now.duration_since(since).as_secs()).unwrap_or(0), valid);
    }
    let (state, ready, reconciling, stalled) = standing(observed, plan);
    if let Some(invalid) = invalid {
        let refused = (ConditionStatus::False, invalid.reason, invalid.message.clone());
        // What serves goes on.
        let serves = matches!(plan.gateway, Standing::Ready { .. });
        let verdict = Verdict { ready: refused.clone(), accepted: refused, reconciling: false, stalled: true };
        return (if serves { state } else { StrategyState::Pending }, verdict);
    }
    (state, Verdict { accepted: valid, ready, reconciling, stalled })
}

fn deleting(plan: &Plan, seconds: u64, accepted: (ConditionStatus, Reason, String)) -> (StrategyState, Verdict) {
    let (reason, message, late) = if plan.in_use_by.is_empty() {
        let late = seconds > DEADLINE_SECONDS;
        let reason = if late { Reason::DeadlineExceeded } else { Reason::Stopping };
        let message = if late && plan.feed == Standing::Stopping {
            "The deletion waits for the feed's pod to end. Mend its node, or annotate glm.trading/force-delete: now to let go."
                .to_owned()
        } else if late {
            "The deletion waits for Redis. Mend it, or annotate glm.trading/force-delete: now to let go.".to_owned()
        } else {
            "The gateway and the feed end, then their ledgers are closed.".to_owned()
        };
        (reason, message, late)
    } else {
        let message = format!("Held by its strategies: {}. Delete them first.", plan.in_use_by.join(", "));
        (Reason::InUse, message, false)
    };
    let ready = (ConditionStatus::False, reason, message);
    (StrategyState::Deleting, Verdict { accepted, ready, reconciling: true, stalled: late })
}

type Ready = (ConditionStatus, Reason, String);

fn standing(observed: &Observed, plan: &Plan) -> (StrategyState, Ready, bool, bool) {
    let no = |reason, message: String| (ConditionStatus::False, reason, message);
    for (what, standing) in [("gateway", &plan.gateway), ("feed", &plan.feed)] {
        match standing {
            Standing::Ready { .. } => {}
            Standing::Absent if what == "feed" => {}
            Standing::Absent | Standing::Stopping => {
                return (
                    StrategyState::Stopping,
                    no(Reason::Stopping, format!("The {what}'s pod is ending.")),
                    true,
                    false,
                );
            }
            Standing::Starting { why } => {
                if let Some((reason, message)) = silence(observed, plan) {
                    return (StrategyState::Degraded, (ConditionStatus::Unknown, reason, message), false, false);
                }
                if let Some(faulty) = without_prices(observed, plan).filter(|_| what == "feed") {
                    return faulty;
                }
                return (
                    StrategyState::Starting,
                    no(Reason::Starting, format!("The {what} is on its way: {why}.")),
                    true,
                    false,
                );
            }
            Standing::Blocked { why } => {
                let message = format!("The {what}'s pod cannot start: {why}.");
                return (StrategyState::Starting, no(Reason::PodBlocked, message), true, false);
            }
            Standing::CrashLoop { count, why } => {
                let message = format!(
                    "Nothing is tried any more for the {what}: {why}. Change the spec or the image, or annotate \
                     glm.trading/release: \"CrashLoop {count}\" to try again."
                );
                return (StrategyState::Quarantined, no(Reason::CrashLoop, message), false, true);
            }
            Standing::LedgerLost => {
                let message = format!(
                    "Redis has no record of the {what}'s ledger. Restore Redis from its backup, or annotate \
                     glm.trading/ledger: discard to start a new one."
                );
                return (StrategyState::Quarantined, no(Reason::LedgerLost, message), false, true);
            }
            Standing::LedgerFound { found, uid } => {
                let message = format!(
                    "Redis has ledger {found} of the {what}, made for resource {uid}. Annotate glm.trading/ledger: \
                     resume to go on with it, or discard to start a new one."
                );
                return (StrategyState::Quarantined, no(Reason::LedgerFound, message), false, true);
            }
            Standing::StoreAway { why } => {
                let ready = (
                    ConditionStatus::Unknown,
                    Reason::RedisUnavailable,
                    format!("The {what}'s record cannot be read: {why}."),
                );
                return (StrategyState::Degraded, ready, false, false);
            }
        }
    }
    serving(observed, plan)
}

/// What an account says whose processes are there.
fn serving(observed: &Observed, plan: &Plan) -> (StrategyState, Ready, bool, bool) {
    if let Some((reason, message)) = silence(observed, plan) {
        return (StrategyState::Degraded, (ConditionStatus::Unknown, reason, message), false, false);
    }
    if let Some(faulty) = without_prices(observed, plan) {
        return faulty;
    }
    if let Some(message) = observed.latched().and_then(|limits| limit_reached(&limits)) {
        let ready = (ConditionStatus::True, Reason::LimitReached, message);
        return (StrategyState::Running, ready, false, false);
    }
    let message = match (&plan.feed, &observed.kept_readers[..]) {
        (Standing::Absent, []) => "The gateway is up; no strategy reads prices yet.".to_owned(),
        (Standing::Absent, readers) => {
            format!("The gateway is up; its readers of prices are not known yet: {}.", readers.join(", "))
        }
        _ => "The gateway and the feed are up.".to_owned(),
    };
    (StrategyState::Running, (ConditionStatus::True, Reason::Available, message), false, false)
}

/// What an account says whose feed is there and has no way to the venue, in the feed's own words.
fn without_prices(observed: &Observed, plan: &Plan) -> Option<(StrategyState, Ready, bool, bool)> {
    observed.shared.as_ref()?;
    let fault = price_fault(live_record(observed, plan, Role::Feed)?, [])?;
    let ready = (ConditionStatus::False, Reason::of_source(&fault.reason), fault.message);
    Some((StrategyState::Degraded, ready, false, false))
}

/// A process whose pod is there and which had its lease, and shows no sign of life.
fn silence(observed: &Observed, plan: &Plan) -> Option<(Reason, String)> {
    let processes = [(Role::Gateway, Reason::GatewaySilent), (Role::Feed, Reason::FeedSilent)];
    processes.into_iter().find_map(|(role, reason)| {
        live_record(observed, plan, role).and_then(|stored| life::silence(stored, reason, role.name()))
    })
}

/// The record of a process whose pod is there.
fn live_record<'a>(observed: &'a Observed, plan: &Plan, role: Role) -> Option<&'a Stored> {
    let (standing, pods, epoch) = match role {
        Role::Gateway | Role::Strategy => (&plan.gateway, &observed.gateway_pods, observed.status.epoch),
        Role::Feed => (&plan.feed, &observed.feed_pods, observed.status.feed.as_ref().map(|feed| feed.epoch)),
    };
    let epoch = epoch.unwrap_or(0);
    let is_there = pods.iter().any(|pod| pod.owned && pod.epoch == epoch && !pod.deleting);
    let stored = observed.stored(role);
    let is_its = matches!(stored, Stored::Found(record) if life::is_of(record, epoch));
    (is_there && is_its && matches!(standing, Standing::Ready { .. } | Standing::Starting { .. })).then_some(stored)
}

/// How long until the first of them would be silent.
pub fn silent_in_ms(observed: &Observed, plan: &Plan) -> Option<u64> {
    let all = [Role::Gateway, Role::Feed].into_iter().filter_map(|role| live_record(observed, plan, role));
    life::silent_in_ms(all)
}

/// Whether a status must be written: it has no figures that move with prices.
pub fn is_due(before: &TradingAccountStatus, next: &TradingAccountStatus) -> bool {
    before != next
}

/// Writes it under its own manager; epochs and ledgers are not touched.
pub async fn write(context: &Context, object: ObjectVersion<'_>, status: &TradingAccountStatus) -> Result<(), Error> {
    let mut body = status::body(object.name, status)?;
    if let Some(feed) = body.get_mut("feed").and_then(Value::as_object_mut) {
        feed.retain(|name, _| name == "pod");
    }
    status::write::<TradingAccount>(context, object, body).await
}

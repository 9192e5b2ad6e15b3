//! What a strategy's state and conditions are: the table of contracts, row by row. Pure.

use crds::condition::ConditionStatus;
use crds::record::{POSITION, Phase, PhaseState};
use crds::source::Fault;
use crds::strategy::status::StrategyState;
use engine::report::Stopped;
use engine::strategies::DesiredState;
use k8s_openapi::jiff::Timestamp;

use super::observe::Observed;
use super::plan::Plan;
use super::validate::Invalid;
use crate::condition::{Verdict, accepted, limit_reached};
use crate::feed::price_fault;
use crate::life;
use crate::placement::{RecordFacts, Standing, Stored};
use crate::reason::Reason;
use crate::report::{Word, word};
use crate::status::DEADLINE_SECONDS;

/// What Ready says.
type Ready = (ConditionStatus, Reason, String);

/// State, Ready, and whether something is under way or a human is needed.
struct Judged {
    state: StrategyState,
    ready: Ready,
    reconciling: bool,
    stalled: bool,
}

impl Judged {
    fn of(state: StrategyState, status: ConditionStatus, reason: Reason, message: impl Into<String>) -> Self {
        Self { state, ready: (status, reason, message.into()), reconciling: false, stalled: false }
    }

    fn under_way(state: StrategyState, reason: Reason, message: impl Into<String>) -> Self {
        Self { reconciling: true, ..Self::of(state, ConditionStatus::False, reason, message) }
    }

    fn stuck(reason: Reason, message: impl Into<String>) -> Self {
        Self { stalled: true, ..Self::of(StrategyState::Quarantined, ConditionStatus::False, reason, message) }
    }

    /// A stop or a pause past its deadline needs a human, as a deletion does.
    fn or_late(self, observed: &Observed, plan: &Plan, moment: Moment) -> Self {
        let Some(waits) = plan.waits.as_ref().filter(|_| self.reconciling && moment.waited_s > DEADLINE_SECONDS) else {
            return self;
        };
        let message =
            format!("State {:?} waits for more than {DEADLINE_SECONDS} s: {waits}. Mend it.", observed.spec.state);
        Self { ready: (ConditionStatus::False, Reason::DeadlineExceeded, message), stalled: true, ..self }
    }

    /// It may be trading, but nobody can say.
    fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self::of(StrategyState::Degraded, ConditionStatus::Unknown, reason, message)
    }
}

/// When a strategy is judged.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The time.
    pub now: Timestamp,
    /// How long a stop or a pause has waited, in seconds.
    pub waited_s: u64,
}

/// The state and what the conditions say.
pub fn judge(
    observed: &Observed,
    invalid: Option<&Invalid>,
    plan: &Plan,
    word: Option<&Word>,
    moment: Moment,
) -> (StrategyState, Verdict) {
    let valid = accepted(&observed.unknown_fields);
    let judged = match observed.deleting_since {
        Some(since) => deleting(plan, u64::try_from(moment.now.duration_since(since).as_secs()).unwrap_or(0)),
        None => standing(observed, plan, word).or_late(observed, plan, moment),
    };
    let Judged { state, ready, reconciling, stalled } = judged;
    match invalid.filter(|_| observed.deleting_since.is_none()) {
        Some(invalid) => refused(observed, invalid, plan, (state, &ready.2)),
        None => (state, Verdict { accepted: valid, ready, reconciling, stalled }),
    }
}

fn deleting(plan: &Plan, seconds: u64) -> Judged {
    let waits = plan.waits.as_ref().map(ToString::to_string);
    if seconds > DEADLINE_SECONDS
        && let Some(waits) = &waits
    {
        let message = format!(
            "The deletion waits: {waits}. Mend it, or annotate glm.trading/force-delete: now to let go without certainty."
        );
        let late = Judged::under_way(StrategyState::Deleting, Reason::DeadlineExceeded, message);
        return Judged { stalled: true, ..late };
    }
    let message = match waits {
        Some(waits) => format!("Orders are cancelled, then the ledger is closed. Now {waits}."),
        None => "The ledger is closed.".to_owned(),
    };
    Judged::under_way(StrategyState::Deleting, Reason::Stopping, message)
}

/// A bad spec: what runs goes on, and the status says which generation that is and what it does.
fn refused(
    observed: &Observed,
    invalid: &Invalid,
    plan: &Plan,
    (state, done): (StrategyState, &str),
) -> (StrategyState, Verdict) {
    let accepted = (ConditionStatus::False, invalid.reason, invalid.message.clone());
    let told = |does: &str| match observed.status.applied_generation {
        Some(generation) => format!("generation {generation} {does}; {}", invalid.message),
        None => invalid.message.clone(),
    };
    let (state, message) = match (&plan.standing, state) {
        // Nothing of it runs, and that is its spec's fault.
        (Standing::Absent, _) if observed.spec.state != DesiredState::Stopped => {
            (StrategyState::Pending, invalid.message.clone())
        }
        (_, StrategyState::Running | StrategyState::Starting) => (state, told("keeps trading")),
        (_, StrategyState::Paused) => (state, told("is paused")),
        (_, StrategyState::Stopping) => (state, format!("{done} {}", told("is stopping"))),
        (_, StrategyState::Stopped) => (state, told("has stopped")),
        (
            _,
            StrategyState::Pending | StrategyState::Degraded | StrategyState::Quarantined | StrategyState::Deleting,
        ) => (state, invalid.message.clone()),
    };
    let ready = (ConditionStatus::False, invalid.reason, message);
    (state, Verdict { accepted, ready, reconciling: false, stalled: true })
}

fn standing(observed: &Observed, plan: &Plan, word: Option<&Word>) -> Judged {
    match &plan.standing {
        Standing::LedgerLost => Judged::stuck(
            Reason::LedgerLost,
            "Redis has no record of the ledger. Nothing trades on the declared capital by itself: restore Redis from its \
             backup, or annotate glm.trading/ledger: discard to start a new ledger.",
        ),
        Standing::LedgerFound { found, uid } => Judged::stuck(
            Reason::LedgerFound,
            format!(
                "Redis has ledger {found}, made for resource {uid}. Annotate glm.trading/ledger: resume to go on with it, \
                 or discard to close it and start a new one."
            ),
        ),
        Standing::StoreAway { why } => Judged::unknown(
            Reason::RedisUnavailable,
            format!("The worker trades on by itself if it can; its report cannot be read: {why}."),
        ),
        Standing::Ready { .. }
        | Standing::Starting { .. }
        | Standing::Blocked { .. }
        | Standing::CrashLoop { .. }
        | Standing::Absent
        | Standing::Stopping => match &plan.waits {
            Some(waits) if observed.spec.state == DesiredState::Stopped => {
                Judged::under_way(StrategyState::Stopping, Reason::Stopping, format!("It stops: {waits}."))
            }
            Some(_) | None => placed(observed, plan, word),
        },
    }
}

fn placed(observed: &Observed, plan: &Plan, word: Option<&Word>) -> Judged {
    match &plan.standing {
        Standing::Ready { pod, .. } => working(observed, plan, word, pod),
        Standing::Starting { why } => {
            if let Some(phase) = quarantine(observed, word) {
                return quarantined(phase);
            }
            if let Some(idle) = trades_nothing(observed, word) {
                return idle;
            }
            if let Some((reason, message)) = silent_worker(observed) {
                return Judged::unknown(reason, message);
            }
            if let Some(faulty) = without_prices(observed).filter(|_| has_pod(observed)) {
                return faulty;
            }
            let state = if observed.status.ledger.is_some() { StrategyState::Starting } else { StrategyState::Pending };
            Judged::under_way(state, Reason::Starting, format!("On its way: {why}."))
        }
        Standing::Blocked { why } => {
            let blocked = || {
                let message = format!("The pod cannot start: {why}.");
                Judged::under_way(StrategyState::Starting, Reason::PodBlocked, message)
            };
            quarantine(observed, word).map_or_else(blocked, quarantined)
        }
        Standing::CrashLoop { count, why } => Judged::stuck(
            Reason::CrashLoop,
            format!(
                "Nothing is tried any more: {why}. Change the spec or the image, or annotate glm.trading/release: \
                 \"CrashLoop {count}\" to try again."
            ),
        ),
        Standing::Absent => {
            Judged::of(StrategyState::Stopped, ConditionStatus::True, Reason::Stopped, "Stopped on request.")
        }
        Standing::Stopping | Standing::LedgerLost | Standing::LedgerFound { .. } | Standing::StoreAway { .. } => {
            Judged::under_way(StrategyState::Stopping, Reason::Stopping, "The pod is ending.")
        }
    }
}

/// The record, if it is the one of the worker that runs now.
fn own_record(observed: &Observed) -> Option<&RecordFacts> {
    let Stored::Found(record) = &observed.stored else { return None };
    life::is_of(record, observed.status.epoch.unwrap_or(0)).then_some(record)
}

/// The word of the worker that runs now.
pub fn own_word(observed: &Observed) -> Option<Word> {
    own_record(observed).and_then(word)
}

/// The worker's word that it cannot follow the present edit; or its source's, that the venue lacks one of its markets. Who
/// reads goes on: a market can be listed later.
pub fn refusal(observed: &Observed) -> Option<Invalid> {
    if let Some(fault) = price_fault_of(observed).filter(|fault| fault.reason == Reason::SymbolUnknown.as_str()) {
        let message = format!("spec.instruments: {}", fault.message);
        return Some(Invalid { reason: Reason::SymbolUnknown, message });
    }
    let refused = own_word(observed)?.phase.refused?;
    let message = format!("spec.strategy: the worker cannot follow it: {}", refused.message);
    (refused.generation == observed.generation).then_some(Invalid { reason: Reason::InvalidSpec, message })
}

/// Whether the worker had its lease, and its pod is there.
fn is_there(observed: &Observed) -> bool {
    own_record(observed).is_some() && has_pod(observed)
}

/// Whether the pod of this epoch is there.
fn has_pod(observed: &Observed) -> bool {
    let mut pods = observed.pods.iter().filter(|pod| pod.owned && Some(pod.epoch) == observed.status.epoch);
    pods.any(|pod| !pod.deleting)
}

/// The worker's own word that it trades nothing, because of its spec: it is not ready then.
fn trades_nothing(observed: &Observed, word: Option<&Word>) -> Option<Judged> {
    let phase = word.map(|word| &word.phase).filter(|phase| phase.is_of_invalid_spec() && is_there(observed))?;
    let state = match observed.status.applied_generation {
        Some(_) => StrategyState::Degraded,
        None => StrategyState::Pending,
    };
    Some(Judged::of(state, ConditionStatus::False, Reason::InvalidSpec, phase.message.clone()))
}

/// The worker had its lease, and says nothing more.
fn silent_worker(observed: &Observed) -> Option<(Reason, String)> {
    is_there(observed).then(|| life::silence(&observed.stored, Reason::WorkerSilent, "worker")).flatten()
}

/// The worker's own word that it goes no further. It is not ready then, so its pod looks as one that only starts.
fn quarantine<'a>(observed: &Observed, word: Option<&'a Word>) -> Option<&'a Phase> {
    word.map(|word| &word.phase).filter(|phase| phase.state == PhaseState::Quarantined && is_there(observed))
}

fn quarantined(phase: &Phase) -> Judged {
    match [Reason::PoisonInbox, Reason::AccountMismatch].into_iter().find(|reason| reason.as_str() == phase.reason) {
        Some(reason) => Judged::stuck(reason, phase.message.clone()),
        // A later worker's word.
        None => Judged::stuck(Reason::PoisonInbox, format!("{}: {}", phase.reason, phase.message)),
    }
}

/// What the worker itself says, once its pod is ready; and whether those that it trades with live.
fn working(observed: &Observed, plan: &Plan, word: Option<&Word>, pod: &str) -> Judged {
    let (Some(word), Some(record)) = (word, own_record(observed)) else {
        let message = format!("Pod {pod} is ready and has not reported yet.");
        return Judged::under_way(StrategyState::Starting, Reason::Starting, message);
    };
    if let Some(failed) = failed(&word.phase) {
        return failed;
    }
    match (word.phase.state, word.phase.reason.as_str()) {
        (PhaseState::Running | PhaseState::Paused, _) => {
            if let Some(silent) = silence(observed) {
                return silent;
            }
            if let Some(faulty) = without_prices(observed).filter(|_| observed.spec.state == DesiredState::Running) {
                return faulty;
            }
            if is_behind(observed, record) {
                let message = "The worker has not taken the prices that its feed gave out more than 30 s ago; look at the \
                               worker's pod and log.";
                return Judged::of(StrategyState::Degraded, ConditionStatus::False, Reason::BehindFeed, message);
            }
            at_work(observed, plan, word, record)
        }
        (PhaseState::Stopped, "MarketDataEnded") => Judged::of(
            StrategyState::Stopped,
            ConditionStatus::True,
            Reason::MarketDataEnded,
            "The replay has ended; its result stays here.",
        ),
        (PhaseState::Stopped, "ExitReached") => exited(word),
        (PhaseState::Stopped, _) => Judged::under_way(StrategyState::Stopping, Reason::Stopping, "The pod is ending."),
        (PhaseState::Quarantined, _) => quarantined(&word.phase),
    }
}

/// The worker's own word that its process has failed: it runs, and trades no more.
fn failed(phase: &Phase) -> Option<Judged> {
    let reasons = [Reason::StrategyCrashed, Reason::StrategyTimeout, Reason::BadAction];
    let reason = reasons.into_iter().find(|reason| reason.as_str() == phase.reason)?;
    let message = format!(
        "Nothing more is traded: {}. Mend the program: other files, another command or other parameters start it again.",
        phase.message
    );
    Some(Judged { stalled: true, ..Judged::of(StrategyState::Degraded, ConditionStatus::False, reason, message) })
}

fn at_work(observed: &Observed, plan: &Plan, word: &Word, record: &RecordFacts) -> Judged {
    let is_paused = word.phase.state == PhaseState::Paused;
    let state = if is_paused { StrategyState::Paused } else { StrategyState::Running };
    if observed.spec.state == DesiredState::Paused {
        // What trades on is not what was asked for, whatever the gateway lets pass of it.
        let missing = plan.waits.as_ref().map(ToString::to_string).or_else(|| {
            (!is_paused || !plan.followed).then(|| "the worker has not said yet that it follows that".to_owned())
        });
        return match missing {
            Some(missing) => {
                let message = format!("It is to send no new order, but {missing}.");
                Judged::under_way(state, Reason::Paused, message)
            }
            None => Judged::of(
                StrategyState::Paused,
                ConditionStatus::True,
                Reason::Paused,
                "Paused on request: it watches and sends no new order.",
            ),
        };
    }
    if is_paused || !plan.followed {
        let message = "It is to trade, but the worker has not said yet that it follows that.";
        return Judged::under_way(state, Reason::Starting, message);
    }
    if !record.fields.contains_key(POSITION) {
        let message = "No tick has arrived yet. If it stays: is the account's feed up?";
        return Judged::under_way(StrategyState::Running, Reason::WaitingForMarketData, message);
    }
    // One of several markets, or of which a worker knows why there is none.
    if word.phase.reason == Reason::WaitingForMarketData.as_str() {
        return Judged::under_way(StrategyState::Running, Reason::WaitingForMarketData, word.phase.message.clone());
    }
    if word.phase.reason == Reason::WarmingUp.as_str() {
        return Judged::under_way(StrategyState::Running, Reason::WarmingUp, word.phase.message.clone());
    }
    if let Some(held) = held_back(word) {
        return held;
    }
    let decision = word.report.as_ref().map(|report| report.decision.message.clone()).unwrap_or_default();
    Judged::of(StrategyState::Running, ConditionStatus::True, Reason::Trading, decision)
}

/// An exit has ended it, or is about to; or a limit is latched.
fn held_back(word: &Word) -> Option<Judged> {
    let report = word.report.as_ref()?;
    if word.phase.reason == Reason::ExitReached.as_str() {
        return Some(exited(word));
    }
    if let Some(stopped) = &report.stopped {
        let message =
            format!("{} was reached; its orders are cancelled, and what its action says is sold.", stopped.rule);
        return Some(Judged::under_way(StrategyState::Stopping, Reason::ExitReached, message));
    }
    let message = limit_reached(&report.risk.limits)?;
    Some(Judged::of(StrategyState::Running, ConditionStatus::True, Reason::LimitReached, message))
}

fn exited(word: &Word) -> Judged {
    let stopped = word.report.as_ref().and_then(|report| report.stopped.as_ref());
    let message = stopped.map_or_else(String::new, |Stopped { rule, since, figure, threshold, .. }| {
        let release = format!("{rule} {}", engine::time::rfc3339::text(*since));
        format!(
            "{rule} was reached at {figure}, held against {threshold}. Nothing more is sent; annotate \
             glm.trading/release: \"{release}\" to go on."
        )
    });
    Judged::of(StrategyState::Stopped, ConditionStatus::True, Reason::ExitReached, message)
}

/// The first of those it takes for a strategy to trade that shows no sign of life.
fn silence(observed: &Observed) -> Option<Judged> {
    if let Some((reason, message)) = life::silence(&observed.stored, Reason::WorkerSilent, "worker") {
        return Some(Judged::unknown(reason, message));
    }
    let account = observed.account.as_ref().ok().and_then(Option::as_ref).and_then(|account| account.status.as_ref());
    let gateway = account.and_then(|status| status.epoch);
    let feed = account.and_then(|status| status.feed.as_ref()).map(|feed| feed.epoch);
    partner(&observed.gateway, gateway, (Reason::GatewaySilent, "account's gateway"))
        .or_else(|| partner(&observed.feed, feed, (Reason::FeedSilent, "account's feed")))
}

/// Why the source of live prices has none for the strategy; `None` where it has, or they are not live.
fn price_fault_of(observed: &Observed) -> Option<Fault> {
    let account = observed.account.as_ref().ok()?.as_ref()?;
    account.spec.market_data.binance.as_ref()?;
    price_fault(&observed.feed, observed.spec.instruments.iter().map(|instrument| &instrument.symbol))
}

/// The same as Ready says it, in the feed's own words.
fn without_prices(observed: &Observed) -> Option<Judged> {
    let fault = price_fault_of(observed)?;
    let reason = Reason::of_source(&fault.reason);
    Some(Judged::of(StrategyState::Degraded, ConditionStatus::False, reason, fault.message))
}

/// What a silent gateway or feed means. The signs of the one before say nothing of one that starts in its place; nothing
/// trades until that is there.
fn partner(stored: &Stored, epoch: Option<u64>, (reason, what): (Reason, &str)) -> Option<Judged> {
    let (reason, message) = life::silence(stored, reason, what)?;
    let is_earlier = matches!(stored, Stored::Found(record) if epoch.is_some_and(|epoch| record.epoch < epoch));
    Some(if is_earlier {
        let message = format!("The {what} is on its way; what keeps it, its account says.");
        Judged::under_way(StrategyState::Starting, Reason::Starting, message)
    } else {
        Judged::unknown(reason, message)
    })
}

/// A tick older than this is to be taken.
const BEHIND_MS: u64 = 30_000;

fn is_behind(observed: &Observed, record: &RecordFacts) -> bool {
    let Some((stream, last)) = &observed.ticks else { return false };
    let is_taken = record.cursors.get(stream).is_some_and(|cursor| cursor >= last);
    !is_taken && record.since_ms(last.ms) > BEHIND_MS
}

#[cfg(test)]
mod tests;

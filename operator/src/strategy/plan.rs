//! What must happen next for a strategy. Pure: no client, no clock.

use crds::record::Phase;
use crds::roles::{self, BookSpec, Bounds, Parameters, Stance, StrategyDesired, StrategySpec};
use engine::strategies::DesiredState;
use engine::transfers::WantedTransfers;
use serde_json::{Value, json};

use super::observe::Observed;
use super::validate::{Invalid, PodDocuments};
use crate::build::{Image, PodRequest, ProcessFiles};
use crate::names::{LEDGER_ANNOTATION, RELEASE_ANNOTATION, Role};
use crate::placement::{Answer, LedgerStatus, PodFacts, RecordFacts, Situation, Standing, Step, Stored, place};
use crate::release_request::{LimitRelease, Release, asked_limit_release, asked_release};
use crate::report::word;
use crate::stop::{self, Wait};
use crate::{Error, finalizer};

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Move {
    /// Set the list of finalizers.
    Finalizers(Vec<String>),
    /// Set the strategy's register.
    Register(Value),
    /// Put its book into the gateway's register, in the place of its account.
    Book(Box<BookSpec>),
    /// Steps of the worker's placement.
    Place(Box<PodRequest>, Vec<Step>),
    /// Close the ledger for good.
    CloseLedger(String),
    /// Take a human's release off.
    ClearRelease(Release),
}

/// What to do, in order, and where the worker stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What to do, in order.
    pub moves: Vec<Move>,
    /// Where the worker stands.
    pub standing: Standing,
    /// What a pause, a stop or a deletion still waits for.
    pub waits: Option<Wait>,
    /// Whether the worker follows what its register must hold.
    pub followed: bool,
}

impl Plan {
    const fn new(moves: Vec<Move>, standing: Standing) -> Self {
        Self { moves, standing, waits: None, followed: false }
    }

    /// Whether the strategy is let go.
    pub fn is_release(&self) -> bool {
        self.moves.iter().any(|next| matches!(next, Move::Finalizers(finalizers) if !finalizer::is_set(finalizers)))
    }

    /// Whether nothing is under way.
    pub fn is_settled(&self) -> bool {
        self.is_quiet()
            && self.waits.is_none()
            && match self.standing {
                Standing::Ready { .. } => self.followed,
                Standing::Absent | Standing::CrashLoop { .. } | Standing::LedgerLost | Standing::LedgerFound { .. } => {
                    true
                }
                Standing::Starting { .. }
                | Standing::Blocked { .. }
                | Standing::Stopping
                | Standing::StoreAway { .. } => false,
            }
    }

    /// Whether all that was planned is done: what the registers are to hold they hold.
    pub fn is_done(&self, observed: &Observed) -> bool {
        let holds =
            |value: &Value| observed.register.as_ref().is_some_and(|present| *present.value == *value.to_string());
        let is_open = |next: &Move| {
            matches!(next, Move::Register(value) if !holds(value))
                || matches!(next, Move::Book(book) if observed.book.as_ref() != Some(book))
        };
        self.is_quiet() && !self.moves.iter().any(is_open)
    }

    /// Whether nothing changes but what a register holds.
    pub fn is_quiet(&self) -> bool {
        self.moves.iter().all(|next| match next {
            Move::Register(_) | Move::Book(_) => true,
            Move::Place(_, steps) => steps.is_empty(),
            Move::Finalizers(_) | Move::CloseLedger(_) | Move::ClearRelease(_) => false,
        })
    }
}

/// The next moves.
pub fn plan(observed: &Observed, accepted: Result<&StrategySpec, &Invalid>, image: &Image) -> Result<Plan, Error> {
    if observed.deleting_since.is_some() {
        return Ok(ending(observed));
    }
    if !finalizer::is_set(&observed.finalizers) {
        let finalizers = finalizer::with(&observed.finalizers);
        let standing = Standing::Starting { why: "the finalizer is being set".to_owned() };
        return Ok(Plan::new(vec![Move::Finalizers(finalizers)], standing));
    }
    // A human's stop is read apart from the rest: it passes whatever is wrong with the spec, the image or the account.
    let desired = observed.spec.state;
    let LimitRelease { register: released, annotation } = limit_release(observed);
    let wish = StrategyDesired {
        state: desired,
        bounds: bounds(observed, accepted),
        parameters: parameters(observed, accepted),
        transfers: transfers(observed, accepted),
        release: released,
    };
    let mut moves = Vec::new();
    if is_own(observed) {
        moves.push(register(&wish));
    }
    moves.extend(book(observed, Stance::of_state(desired)));
    let waits = waits(observed, desired);
    let request = match accepted {
        Ok(spec) => {
            let json = |source| Error::Json { subject: observed.name.clone(), source };
            Some(request(observed, PodDocuments::of(spec).map_err(json)?))
        }
        // A bad spec changes nothing that runs.
        Err(_) => None,
    };
    let present = current(observed).map(whole_digest);
    let wanted = match (desired, &request) {
        // What cancels is the gateway: a dead worker is not made anew for that, and one that lives stays until then.
        (DesiredState::Stopped, _) => present.filter(|_| waits.is_some()),
        (DesiredState::Running | DesiredState::Paused, Some(request)) => Some(request.whole_digest(image)),
        (DesiredState::Running | DesiredState::Paused, None) => present,
    };
    let kept = request.as_ref().filter(|_| desired != DesiredState::Stopped);
    let kept = kept.map(|request| Kept::of(observed, request, image));
    let is_valid = request.is_some();
    let request = request.unwrap_or_else(|| self::request(observed, PodDocuments::default()));
    let mut situation = situation(observed, wanted, kept.as_ref());
    let asked = observed.annotations.get(RELEASE_ANNOTATION).map(String::as_str);
    let release = asked_release(asked, [situation.ends.as_ref()]);
    situation.released = release == Release::Now;
    let release = if release.is_asked() { release } else { annotation };
    let (mut steps, standing) = place(&situation);
    if !is_valid {
        // What runs stays as it is, up to its stop. A human's release is acted on, for its annotation goes.
        steps.retain(|step| match step {
            Step::ForgetEnds => true,
            Step::DeletePod { .. } => desired == DesiredState::Stopped,
            Step::CreateLedger
            | Step::RecordLedger { .. }
            | Step::CloseLedger { .. }
            | Step::RecordEpoch(_)
            | Step::RecordEnd(_, _)
            | Step::CreatePod(_)
            | Step::ClearAnswer => false,
        });
    }
    let standing = if is_valid || situation.wanted.is_some() { standing } else { without_pod(standing) };
    moves.push(Move::Place(Box::new(request), steps));
    if release.is_asked() {
        moves.push(Move::ClearRelease(release));
    }
    Ok(Plan { moves, standing, waits, followed: follows(observed, &wish) })
}

/// Where a worker stands that is not wanted now: what would be opened for it is not.
fn without_pod(standing: Standing) -> Standing {
    if matches!(standing, Standing::Starting { .. }) { Standing::Absent } else { standing }
}

/// Whether the record is that of the ledger in the status, and open. Another's register is not written.
fn is_own(observed: &Observed) -> bool {
    matches!(&observed.stored, Stored::Found(record) if !record.closed && is_of_ledger(observed, record))
}

/// The ledger that this resource trades in, or has just opened.
fn ledger(observed: &Observed) -> Option<&str> {
    match (&observed.status.ledger, &observed.stored) {
        (Some(ledger), _) if ledger.resource_uid == observed.uid => Some(&ledger.id),
        (None, Stored::Found(record)) if record.uid == observed.uid && !record.ledger.is_empty() => {
            Some(&record.ledger)
        }
        (_, Stored::Away(_) | Stored::Missing | Stored::Found(_)) => None,
    }
}

fn register(desired: &StrategyDesired) -> Move {
    Move::Register(json!(desired))
}

/// What the register holds.
fn registered(observed: &Observed) -> Option<StrategyDesired> {
    serde_json::from_str(&observed.register.as_ref()?.value).ok()
}

/// The bounds to trade under. A bad spec changes none.
fn bounds(observed: &Observed, accepted: Result<&StrategySpec, &Invalid>) -> Option<Bounds> {
    match accepted {
        Ok(spec) => Some(Bounds::of(&spec.spec)),
        Err(_) => registered(observed)?.bounds,
    }
}

/// The parameters to trade by. A bad spec changes none.
fn parameters(observed: &Observed, accepted: Result<&StrategySpec, &Invalid>) -> Option<Parameters> {
    match accepted {
        Ok(spec) => Some(Parameters::of(&spec.spec, spec.generation)),
        Err(_) => registered(observed)?.parameters,
    }
}

/// The transfers that are asked for. A bad spec changes none; a register that never had any stays without.
fn transfers(observed: &Observed, accepted: Result<&StrategySpec, &Invalid>) -> Option<WantedTransfers> {
    let before = registered(observed).and_then(|desired| desired.transfers);
    let Ok(spec) = accepted else { return before };
    let wanted = roles::transfers(&spec.spec, spec.generation);
    (before.is_some() || !wanted.list.is_empty()).then_some(wanted)
}

/// What a human releases of what is latched. Before the worker follows the register, its word is older than that.
fn limit_release(observed: &Observed) -> LimitRelease {
    let latched = match &observed.stored {
        Stored::Found(record) if is_of_ledger(observed, record) => word(record).and_then(|word| word.report),
        Stored::Found(_) | Stored::Away(_) | Stored::Missing => None,
    };
    let latched = latched.map(|report| report.latched());
    let asked = registered(observed).and_then(|desired| desired.release);
    let annotation = observed.annotations.get(RELEASE_ANNOTATION).map(String::as_str);
    asked_limit_release(annotation, latched.as_deref(), asked.as_ref())
}

/// The book, where the account's own reconcile cannot write it: it does not read, or is gone.
fn book(observed: &Observed, stance: Stance) -> Option<Move> {
    if matches!(observed.account, Ok(Some(_))) {
        return None;
    }
    let ledger = ledger(observed)?.parse().ok()?;
    let book = BookSpec::of(observed.name.clone(), ledger, &observed.spec, stance);
    (observed.book.as_ref() != Some(&book)).then(|| Move::Book(Box::new(book)))
}

/// What a human's wish still waits for.
fn waits(observed: &Observed, desired: DesiredState) -> Option<Wait> {
    let wanted = Stance::of_state(desired);
    if wanted == Stance::Open {
        return None;
    }
    let ledger = ledger(observed)?;
    if wanted >= Stance::CancelOrders && never_traded(observed) {
        return None;
    }
    at_gateway(observed, ledger, wanted).or_else(|| at_inbox(observed).filter(|_| wanted >= Stance::CancelOrders))
}

/// Whether no worker ever had the lease, so that there is no order.
fn never_traded(observed: &Observed) -> bool {
    matches!(&observed.stored, Stored::Found(record) if record.epoch == 0 && is_of_ledger(observed, record))
}

fn is_of_ledger(observed: &Observed, record: &RecordFacts) -> bool {
    ledger(observed).is_some_and(|ledger| ledger == record.ledger)
}

fn at_gateway(observed: &Observed, ledger: &str, wanted: Stance) -> Option<Wait> {
    let book = observed.book.as_ref().filter(|book| book.ledger.as_str() == ledger);
    stop::at_gateway(&observed.gateway, ledger, wanted, book.map(BookSpec::stance))
}

fn at_inbox(observed: &Observed) -> Option<Wait> {
    let Stored::Found(record) = &observed.stored else { return None };
    let is_live = current(observed).is_some_and(|pod| pod.ready && !pod.deleting);
    stop::at_inbox(record, &observed.inbox, is_live)
}

/// Whether the worker has committed that it follows the register, and that holds what it must.
fn follows(observed: &Observed, desired: &StrategyDesired) -> bool {
    let Stored::Found(record) = &observed.stored else { return false };
    let Some(register) = &observed.register else { return false };
    let asked = desired.parameters.as_ref().map_or(0, |parameters| parameters.generation);
    let word = word(record).map(|word| word.phase).filter(Phase::follows_parameters);
    word.is_none_or(|phase| phase.generation >= asked)
        && *register.value == *json!(desired).to_string()
        // One of the release before tells neither when it was seen nor what it follows.
        && (record.seen_ms == 0 || record.followed.is_some_and(|followed| followed >= register.version()))
}

/// Whether the worker follows edited parameters by its register, as far as is known: it says so with its first commit, and one
/// of the release before does not.
fn may_follow_parameters(observed: &Observed) -> bool {
    let Stored::Found(record) = &observed.stored else { return true };
    let has_spoken = current(observed).is_some_and(|pod| pod.ready && pod.epoch == record.epoch);
    !has_spoken || word(record).is_none_or(|word| word.phase.follows_parameters())
}

/// What a pod must have been made from to be kept.
struct Kept {
    steady: String,
    whole: String,
    /// Whether its worker follows the rest.
    follows: bool,
}

impl Kept {
    fn of(observed: &Observed, request: &PodRequest, image: &Image) -> Self {
        let (steady, whole) = (request.digest(image), request.whole_digest(image));
        Self { steady, whole, follows: may_follow_parameters(observed) }
    }

    /// The digest of a pod as it is judged: that of all which is wanted, where it is kept.
    fn digest_of(&self, pod: &PodFacts) -> String {
        let is_kept = match &pod.whole_digest {
            Some(whole) => pod.digest == self.steady && (self.follows || *whole == self.whole),
            None => pod.digest == self.whole,
        };
        if is_kept { self.whole.clone() } else { pod.digest.clone() }
    }
}

/// Of all that a pod was made from.
fn whole_digest(pod: &PodFacts) -> String {
    pod.whole_digest.as_ref().unwrap_or(&pod.digest).clone()
}

/// The pod of this epoch.
fn current(observed: &Observed) -> Option<&PodFacts> {
    observed.pods.iter().find(|pod| pod.owned && Some(pod.epoch) == observed.status.epoch)
}

fn situation(observed: &Observed, wanted: Option<String>, kept: Option<&Kept>) -> Situation {
    let judged = |pod: &PodFacts| {
        let digest = kept.map_or_else(|| whole_digest(pod), |kept| kept.digest_of(pod));
        PodFacts { digest, ..pod.clone() }
    };
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
        pods: observed.pods.iter().map(judged).collect(),
        wanted,
        answer: answer(observed.annotations.get(LEDGER_ANNOTATION).map(String::as_str)),
        ends: observed.ends.clone(),
        released: false,
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

fn request(observed: &Observed, documents: PodDocuments) -> PodRequest {
    let PodDocuments { told, steady, whole } = documents;
    PodRequest {
        role: Role::Strategy,
        name: observed.name.clone(),
        namespace: observed.namespace.clone(),
        owners: vec![observed.owner_reference.clone()],
        record: observed.owner.name().to_owned(),
        ledger: observed.status.ledger.as_ref().map(|ledger| ledger.id.clone()).unwrap_or_default(),
        spec: told,
        steady,
        worker: observed.spec.worker.clone(),
        whole,
        process: observed.spec.strategy.process.as_ref().map(|process| ProcessFiles {
            config_map: process.source.as_ref().map(|source| source.config_map.to_string()),
            // Where they are unknown no pod is made.
            digest: observed.files.as_ref().ok().and_then(|files| files.as_ref()).map(|files| files.digest.clone()),
        }),
        proxy_secret: None,
    }
}

/// The orderly end. The gateway acknowledges that no later order passes, and cancels what is open from its own record,
/// so neither a dead worker nor a foreground deletion can prevent it; then a worker that lives takes its last news; then
/// the ledger is closed, with its streams; then the resource is let go.
fn ending(observed: &Observed) -> Plan {
    let standing = Standing::Stopping;
    if !finalizer::is_set(&observed.finalizers) {
        return Plan::new(Vec::new(), standing);
    }
    let release = Move::Finalizers(finalizer::without(&observed.finalizers));
    if finalizer::is_waived(&observed.annotations) {
        return Plan::new(vec![release], standing);
    }
    let delete_pods = delete_pods(observed);
    let Some(ledger) = ledger(observed) else {
        if let (Stored::Away(why), None) = (&observed.stored, &observed.status.ledger) {
            // It may have been opened a moment ago.
            let waits = Some(Wait::Store(why.clone()));
            return Plan { waits, ..Plan::new(vec![delete_pods], standing) };
        }
        return Plan::new(vec![delete_pods, release], standing);
    };
    let mut moves = Vec::new();
    if is_own(observed) {
        let present = registered(observed).unwrap_or_default();
        moves.push(register(&StrategyDesired { state: DesiredState::Stopped, release: None, ..present }));
    }
    moves.extend(book(observed, Stance::Closed));
    let waits = match &observed.stored {
        Stored::Away(why) => Some(Wait::Store(why.clone())),
        Stored::Found(_) | Stored::Missing if never_traded(observed) => {
            if is_own(observed) {
                // Looked at again once it is closed: a worker may have come before that.
                moves.push(Move::CloseLedger(ledger.to_owned()));
                return Plan::new(moves, standing);
            }
            None
        }
        Stored::Found(_) | Stored::Missing => {
            at_gateway(observed, ledger, Stance::Closed).or_else(|| at_inbox(observed).filter(|_| is_own(observed)))
        }
    };
    if waits.is_some() {
        return Plan { waits, ..Plan::new(moves, standing) };
    }
    if is_own(observed) {
        moves.push(Move::CloseLedger(ledger.to_owned()));
    }
    moves.extend([delete_pods, release]);
    Plan::new(moves, standing)
}

fn delete_pods(observed: &Observed) -> Move {
    let steps = observed
        .pods
        .iter()
        .filter(|pod| pod.owned && !pod.deleting)
        .map(|pod| Step::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() })
        .collect();
    Move::Place(Box::new(request(observed, PodDocuments::default())), steps)
}

#[cfg(test)]
mod tests;

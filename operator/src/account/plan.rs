//! What must happen next for an account. Pure: no client, no clock.

use crds::account::AccountLimits;
use crds::roles::{FeedDesired, GatewayDesired};
use crds::strategy::WorkerSpec;
use engine::report::LatchedLimit;
use serde::Serialize;
use serde_json::Value;

use super::observe::Observed;
use super::validate::{self, Accepted};
use crate::apply::Placed;
use crate::build::{Image, PodRequest};
use crate::feed::Shared;
use crate::names::{LEDGER_ANNOTATION, RELEASE_ANNOTATION, Role};
use crate::placement::{Ends, LedgerStatus, PodFacts, Situation, Standing, Step, Stored, place};
use crate::release_request::{LimitRelease, Release, asked_limit_release, asked_release};
use crate::strategy::plan::answer;
use crate::strategy::validate::Invalid;
use crate::{Error, finalizer};

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Move {
    /// Set the list of finalizers.
    Finalizers(Vec<String>),
    /// Set a process's register.
    Register(Role, Value),
    /// Steps of a process's placement.
    Place(Box<PodRequest>, Vec<Step>),
    /// Close a ledger for good.
    CloseLedger(Role, String),
    /// Tell in the status where the feed stands that others share.
    RecordFeed(Placed),
    /// Let that feed try again after a crash loop.
    ForgetFeedEnds,
    /// Take a human's release off.
    ClearRelease(Release),
}

/// What to do, in order, and where the processes stand.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What to do, in order.
    pub moves: Vec<Move>,
    /// Where the gateway stands.
    pub gateway: Standing,
    /// Where the feed stands.
    pub feed: Standing,
    /// Strategies that hold back a deletion.
    pub in_use_by: Vec<String>,
}

impl Plan {
    fn new(moves: Vec<Move>, gateway: Standing, feed: Standing) -> Self {
        Self { moves, gateway, feed, in_use_by: Vec::new() }
    }

    /// Whether the account is let go.
    pub fn is_release(&self) -> bool {
        self.moves.iter().any(|next| matches!(next, Move::Finalizers(finalizers) if !finalizer::is_set(finalizers)))
    }

    /// Whether all that was planned is done: what the registers are to hold they hold.
    pub fn is_done(&self, observed: &Observed) -> bool {
        let is_open = |next: &Move| matches!(next, Move::Register(role, value) if !holds(observed, *role, value));
        self.is_quiet() && !self.moves.iter().any(is_open)
    }

    /// Whether nothing is under way.
    pub fn is_settled(&self) -> bool {
        self.is_quiet() && self.gateway.is_resting() && self.feed.is_resting()
    }

    /// Whether nothing changes but what a register holds.
    pub fn is_quiet(&self) -> bool {
        self.moves.iter().all(|next| match next {
            Move::Register(_, _) => true,
            Move::Place(_, steps) => steps.is_empty(),
            Move::Finalizers(_)
            | Move::CloseLedger(_, _)
            | Move::RecordFeed(_)
            | Move::ForgetFeedEnds
            | Move::ClearRelease(_) => false,
        })
    }
}

/// Whether a register holds what it is to hold.
fn holds(observed: &Observed, role: Role, value: &Value) -> bool {
    let present = match role {
        Role::Gateway | Role::Strategy => &observed.gateway_register,
        Role::Feed => &observed.feed_register,
    };
    present.as_ref().is_some_and(|present| *present.value == *value.to_string())
}

/// The next moves.
pub fn plan(observed: &Observed, accepted: Result<&Accepted, &Invalid>, image: &Image) -> Result<Plan, Error> {
    if observed.deleting_since.is_some() {
        let in_use_by: Vec<String> = observed.users().into_iter().collect();
        if in_use_by.is_empty() || is_let_go(observed) {
            return Ok(ending(observed));
        }
        // It serves until the last of them has gone: they may have orders to cancel.
        return Ok(Plan { in_use_by, ..serving(observed, accepted, image)? });
    }
    let setting = || Standing::Starting { why: "the finalizer is being set".to_owned() };
    if !finalizer::is_set(&observed.finalizers) {
        let finalizers = finalizer::with(&observed.finalizers);
        return Ok(Plan::new(vec![Move::Finalizers(finalizers)], setting(), Standing::Absent));
    }
    serving(observed, accepted, image)
}

fn serving(observed: &Observed, accepted: Result<&Accepted, &Invalid>, image: &Image) -> Result<Plan, Error> {
    let mut moves = Vec::new();
    let LimitRelease { register: released, annotation } = limit_release(observed);
    if observed.is_own(Role::Gateway) {
        let limits = limits(observed, accepted);
        let told = GatewayDesired { limits, release: released, ..validate::books(observed) };
        moves.push(register(Role::Gateway, &told));
    }
    // A bad spec changes nothing that runs, and its strategies come and go.
    let Ok(accepted) = accepted else {
        moves.extend(annotation.is_asked().then_some(Move::ClearRelease(annotation)));
        let feed = match &observed.shared {
            Some(shared) => shared_feed(observed, shared, false, &mut moves),
            None => standing_of(&observed.feed_pods),
        };
        return Ok(Plan::new(moves, standing_of(&observed.gateway_pods), feed));
    };
    let all_ends = [Role::Gateway, Role::Feed].map(|role| observed.ends(role));
    let release = asked_release(observed.annotations.get(RELEASE_ANNOTATION).map(String::as_str), all_ends);
    let placed = |role, wanted| {
        let mut situation = situation(observed, role, wanted);
        // Whichever of them waits in a crash loop, or both.
        situation.released = release == Release::Now && situation.ends.as_ref().is_some_and(Ends::is_loop);
        place(&situation)
    };
    let json = |source| Error::Json { subject: observed.name.clone(), source };
    let request = request(observed, Role::Gateway, serde_json::to_string(&accepted.gateway).map_err(json)?);
    let (steps, gateway) = placed(Role::Gateway, Some(request.digest(image)));
    moves.push(Move::Place(Box::new(request), steps));
    let feed = match &observed.shared {
        Some(shared) => shared_feed(observed, shared, release == Release::Now, &mut moves),
        None => own_feed(observed, accepted, (image, &placed), &mut moves)?,
    };
    let release = if release.is_asked() { release } else { annotation };
    if release.is_asked() {
        moves.push(Move::ClearRelease(release));
    }
    Ok(Plan::new(moves, gateway, feed))
}

/// The feed of an account that shares it: placed by its source's own reconcile, told here.
fn shared_feed(observed: &Observed, shared: &Shared, is_released: bool, moves: &mut Vec<Move>) -> Standing {
    moves.extend(record_feed(observed));
    if is_released && shared.ends.as_ref().is_some_and(Ends::is_loop) {
        // Before its annotation goes.
        moves.push(Move::ForgetFeedEnds);
    }
    shared.standing.clone()
}

/// What the status is to say of a shared feed, where it says something else.
fn record_feed(observed: &Observed) -> Option<Move> {
    let shared = observed.shared.as_ref().filter(|shared| !matches!(shared.stored, Stored::Away(_)))?;
    let told = Placed { ledger: shared.ledger.clone(), epoch: shared.epoch, restarts: shared.restarts.clone() };
    let before = observed.status.feed.as_ref().filter(|feed| feed.source == observed.source);
    let known = before.map(Placed::of_feed);
    let is_nothing = known.is_none() && told == Placed::default();
    (!is_nothing && known.as_ref() != Some(&told)).then_some(Move::RecordFeed(told))
}

/// Places one process: what to do and where it stands, for what is wanted.
type Placing<'a> = &'a dyn Fn(Role, Option<String>) -> (Vec<Step>, Standing);

/// The feed of an account that has its own.
fn own_feed(
    observed: &Observed,
    accepted: &Accepted,
    (image, placed): (&Image, Placing<'_>),
    moves: &mut Vec<Move>,
) -> Result<Standing, Error> {
    let json = |source| Error::Json { subject: observed.name.clone(), source };
    if observed.is_own(Role::Feed) {
        moves.push(register(Role::Feed, &accepted.readers));
    }
    let spec = accepted.feed.as_ref().map(serde_json::to_string).transpose().map_err(json)?;
    let request = request(observed, Role::Feed, spec.clone().unwrap_or_default());
    let (steps, feed) = if spec.is_none() && !observed.kept_readers.is_empty() {
        // Only strategies that are not known now read prices: what their feed is made from is not known either.
        of_ledger(placed(Role::Feed, None), &observed.feed_pods)
    } else {
        placed(Role::Feed, spec.map(|_| request.digest(image)))
    };
    moves.push(Move::Place(Box::new(request), steps));
    Ok(feed)
}

/// The limits to hold the account to. A bad spec changes none.
fn limits(observed: &Observed, accepted: Result<&Accepted, &Invalid>) -> Option<AccountLimits> {
    match accepted {
        Ok(_) => observed.spec.limits.clone(),
        Err(_) => observed.registered.limits.clone(),
    }
}

/// What a human releases of what the gateway has latched.
fn limit_release(observed: &Observed) -> LimitRelease {
    let latched: Option<Vec<_>> = observed.latched().map(|limits| limits.iter().map(LatchedLimit::release).collect());
    let annotation = observed.annotations.get(RELEASE_ANNOTATION).map(String::as_str);
    asked_limit_release(annotation, latched.as_deref(), observed.registered.release.as_ref())
}

/// What concerns a process's ledger alone, such as a human's answer, which is given once for gateway and feed; its pods stay
/// as they are.
pub fn of_ledger((mut steps, standing): (Vec<Step>, Standing), pods: &[PodFacts]) -> (Vec<Step>, Standing) {
    steps.retain(|step| !matches!(step, Step::DeletePod { .. }));
    let is_lost = matches!(standing, Standing::LedgerLost | Standing::LedgerFound { .. });
    (steps, if is_lost { standing } else { standing_of(pods) })
}

/// Plain data: this cannot fail.
fn register(role: Role, value: &impl Serialize) -> Move {
    Move::Register(role, serde_json::to_value(value).unwrap_or_default())
}

fn pods(observed: &Observed, role: Role) -> &[PodFacts] {
    if role == Role::Feed { &observed.feed_pods } else { &observed.gateway_pods }
}

fn standing_of(pods: &[PodFacts]) -> Standing {
    match pods.iter().find(|pod| pod.owned && pod.ready) {
        Some(pod) => Standing::Ready { pod: pod.name.clone(), node: pod.node.clone() },
        None => Standing::Absent,
    }
}

fn situation(observed: &Observed, role: Role, wanted: Option<String>) -> Situation {
    let status = &observed.status;
    let feed = status.feed.as_ref();
    let (ledger, epoch, known_pod, stored) = match role {
        Role::Feed => (
            feed.and_then(|feed| feed.ledger.as_ref()),
            feed.map_or(0, |feed| feed.epoch),
            feed.map(|feed| feed.pod.clone()).filter(|pod| !pod.is_empty()),
            &observed.feed_stored,
        ),
        Role::Gateway | Role::Strategy => (
            status.ledger.as_ref(),
            status.epoch.unwrap_or(0),
            status.gateway.as_ref().map(|gateway| gateway.pod.clone()),
            &observed.gateway_stored,
        ),
    };
    Situation {
        role,
        name: observed.name.clone(),
        uid: observed.uid.clone(),
        ledger: ledger.map(|ledger| LedgerStatus { id: ledger.id.clone(), accepted_by: ledger.resource_uid.clone() }),
        epoch,
        known_pod,
        stored: stored.clone(),
        pods: pods(observed, role).to_vec(),
        wanted,
        answer: answer(observed.annotations.get(LEDGER_ANNOTATION).map(String::as_str)),
        ends: observed.ends(role).cloned(),
        released: false,
    }
}

fn request(observed: &Observed, role: Role, spec: String) -> PodRequest {
    let ledger = match role {
        Role::Feed => observed.status.feed.as_ref().and_then(|feed| feed.ledger.as_ref()),
        Role::Gateway | Role::Strategy => observed.status.ledger.as_ref(),
    };
    PodRequest {
        role,
        name: observed.name.clone(),
        namespace: observed.namespace.clone(),
        owners: vec![observed.owner_reference.clone()],
        record: observed.owner(role).name().to_owned(),
        ledger: ledger.map(|ledger| ledger.id.clone()).unwrap_or_default(),
        steady: spec.clone(),
        worker: WorkerSpec::default(),
        whole: spec.clone(),
        spec,
        process: None,
        proxy_secret: None,
    }
}

/// Whether nothing holds the account any more, or a human has said so.
fn is_let_go(observed: &Observed) -> bool {
    !finalizer::is_set(&observed.finalizers) || finalizer::is_waived(&observed.annotations)
}

/// The end of an account that nobody uses: its processes end, their ledgers are closed, and it is let go.
fn ending(observed: &Observed) -> Plan {
    let (gateway, feed) = (standing_of(&observed.gateway_pods), standing_of(&observed.feed_pods));
    if !finalizer::is_set(&observed.finalizers) {
        return Plan::new(Vec::new(), gateway, feed);
    }
    let release = Move::Finalizers(finalizer::without(&observed.finalizers));
    if is_let_go(observed) {
        return Plan::new(vec![release], gateway, feed);
    }
    // The last one's book goes with it.
    let mut moves = Vec::new();
    if observed.is_own(Role::Gateway) {
        moves.push(register(Role::Gateway, &GatewayDesired::default()));
    }
    if observed.is_own(Role::Feed) {
        moves.push(register(Role::Feed, &FeedDesired::of(&observed.kept_markets, [])));
    }
    // A feed that others share goes by its source's own reconcile, and the last account waits for that.
    let mut open = observed.shared.as_ref().is_some_and(|shared| !shared.lets_go);
    let own = [Role::Gateway, Role::Feed].into_iter().take(if observed.shared.is_some() { 1 } else { 2 });
    for role in own {
        let situation = situation(observed, role, None);
        let steps = situation
            .pods
            .iter()
            .filter(|pod| pod.owned && !pod.deleting)
            .map(|pod| Step::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() })
            .collect();
        moves.push(Move::Place(Box::new(request(observed, role, String::new())), steps));
        match (&situation.stored, situation.ledger) {
            // Without a ledger in the status, one may have been opened a moment ago.
            (Stored::Away(_), _) => open = true,
            (Stored::Found(record), Some(ledger)) if record.ledger == ledger.id && !record.closed => {
                moves.push(Move::CloseLedger(role, ledger.id));
            }
            (Stored::Found(record), None) if record.uid == observed.uid && !record.closed => {
                moves.push(Move::CloseLedger(role, record.ledger.clone()));
            }
            (Stored::Found(_) | Stored::Missing, _) => {}
        }
    }
    if !open {
        moves.push(release);
    }
    Plan::new(moves, gateway, feed)
}

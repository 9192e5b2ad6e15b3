//! One program of a pod: it takes the record under the pod's epoch, follows its register, beats and reports.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bus::{
    AcquireOutcome, BeatOutcome, Commit, CommitOutcome, Desired, Keys, Lease, Message, MessageBus as _, Owner,
    RedisBus, RegisterVersion, Retention, Scope, StateStore as _, StreamId, Topic,
};
use crds::account::balances::BOOK;
use crds::record::{PARAMETERS, PHASE, POSITION, Phase, PhaseState, REPORT, STANCE};
use crds::roles::{GatewayDesired, StrategyDesired};
use engine::strategies::DesiredState;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::play::World;

/// How often each beats and reports.
const TURN: Duration = Duration::from_secs(10);
/// How often who waits for its register or its lease looks.
const SOON: Duration = Duration::from_secs(1);
/// How often a gateway looks while a fleet starts: each new strategy is a new book.
const BOOKS: Duration = Duration::from_secs(2);
/// Nudges that a stream of reports keeps.
const REPORTS_KEPT: u64 = 1_000;

/// What all do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A fleet starts.
    Start,
    /// Everything is at rest, and all beat.
    Beat,
    /// The same, and strategies report.
    Report,
}

impl Mode {
    /// By its word.
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "start" => Some(Self::Start),
            "beat" => Some(Self::Beat),
            "report" => Some(Self::Report),
            _ => None,
        }
    }
}

/// What a pod's environment tells: whose record, which ledger, which epoch.
pub struct Identity {
    uid: String,
    owner: Owner,
    ledger: String,
    epoch: u64,
}

impl Identity {
    /// `None`: it is not a pod of this operator.
    pub fn of(pod: &Pod, namespace: &str, keys: &Keys) -> Option<Self> {
        let container = pod.spec.as_ref()?.containers.first()?;
        let environment = container.env.as_ref()?;
        let of = |name: &str| environment.iter().find(|variable| variable.name == name)?.value.clone();
        let spec: Value = serde_json::from_str(&of("GLM_SPEC")?).ok()?;
        let scope = match spec["source"].as_str() {
            Some(source) => Scope::source(namespace, source),
            None => Scope::account(namespace, spec["account"]["name"].as_str()?),
        };
        let owner = keys.owner(&scope.ok()?, &of("GLM_OWNER")?);
        Some(Self { uid: pod.uid()?, owner, ledger: of("GLM_LEDGER")?, epoch: of("GLM_EPOCH")?.parse().ok()? })
    }

    fn is_strategy(&self) -> bool {
        self.owner.name().starts_with("strategy-")
    }

    fn is_gateway(&self) -> bool {
        self.owner.name() == "gateway"
    }
}

/// A program.
pub struct Program {
    identity: Identity,
    world: Arc<World>,
    modes: watch::Receiver<Mode>,
    bus: RedisBus,
    /// Whether it has a connection on which it waits for its inbox.
    listens: bool,
    version: u64,
    followed: Option<RegisterVersion>,
    /// The fields of a gateway's books and of what it acknowledges.
    books: BTreeSet<String>,
    reports: u64,
    is_settled: bool,
}

/// A counter goes up.
fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Program {
    /// Nothing is done before it runs.
    pub fn new(identity: Identity, world: Arc<World>, modes: watch::Receiver<Mode>) -> Self {
        let own = world.takes_connection().then(|| RedisBus::open(&world.redis).ok()).flatten();
        let listens = own.is_some() && world.takes_connection();
        Self {
            bus: own.unwrap_or_else(|| world.bus.clone()),
            listens,
            identity,
            world,
            modes,
            version: 0,
            followed: None,
            books: BTreeSet::new(),
            reports: 0,
            is_settled: false,
        }
    }

    /// Runs until it is aborted, or fenced.
    pub async fn run(mut self) {
        let Some(lease) = self.acquire().await else { return };
        let mut cursor = self.bus.last_id(lease.owner.inbox()).await.ok().flatten().unwrap_or(StreamId::ZERO);
        let mut due = Instant::now();
        loop {
            let late = usize::try_from(due.elapsed().as_millis()).unwrap_or(usize::MAX);
            self.world.counts.late_ms.fetch_max(late, Ordering::Relaxed);
            if !self.turn(&lease).await {
                return;
            }
            due += self.pause();
            due = due.max(Instant::now());
            self.wait(&lease, &mut cursor, due).await;
        }
    }

    /// Until its next turn, or there is something new for it.
    async fn wait(&mut self, lease: &Lease, cursor: &mut StreamId, due: Instant) {
        if !self.listens {
            sleep_until(due).await;
            return;
        }
        while Instant::now() < due {
            let streams = [(lease.owner.inbox().clone(), *cursor)];
            let left = due.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            let found = self.bus.read(&streams, 100, Some(left)).await;
            let news = found.ok().into_iter().flatten().flat_map(|(_, entries)| entries).map(|entry| entry.id).last();
            if let Some(last) = news {
                *cursor = last;
                self.follow(lease).await;
            }
        }
    }

    fn pause(&self) -> Duration {
        match *self.modes.borrow() {
            Mode::Start if self.listens => TURN,
            Mode::Start if self.identity.is_strategy() && self.followed.is_none() => SOON,
            Mode::Start if self.identity.is_gateway() => BOOKS,
            Mode::Start | Mode::Beat | Mode::Report => TURN,
        }
    }

    async fn acquire(&mut self) -> Option<Lease> {
        loop {
            let Identity { owner, ledger, epoch, .. } = &self.identity;
            match self.bus.acquire(owner, ledger, *epoch).await {
                Ok(AcquireOutcome::Acquired(acquired)) => {
                    self.version = acquired.version;
                    let kept = |name: &&String| name.starts_with(BOOK) || name.starts_with(STANCE);
                    self.books = acquired.fields.keys().filter(kept).cloned().collect();
                    return Some(acquired.lease);
                }
                Ok(AcquireOutcome::Fenced { .. } | AcquireOutcome::Closed) => return None,
                Ok(AcquireOutcome::Missing | AcquireOutcome::OtherLedger { .. }) | Err(_) => {
                    count(&self.world.counts.failures);
                    tokio::time::sleep(SOON).await;
                }
            }
        }
    }

    /// One beat and, where it is due, one report. False: it is fenced.
    async fn turn(&mut self, lease: &Lease) -> bool {
        match self.bus.beat(lease).await {
            Ok(BeatOutcome::Beaten { register, .. }) => {
                count(&self.world.counts.beats);
                if register.is_some() && register != self.followed {
                    self.follow(lease).await;
                }
            }
            Ok(BeatOutcome::Fenced { .. } | BeatOutcome::Closed) => return false,
            Ok(BeatOutcome::Missing | BeatOutcome::OtherLedger { .. }) | Err(_) => count(&self.world.counts.failures),
        }
        if !self.is_settled && (self.followed.is_some() || !self.identity.is_strategy()) {
            self.is_settled = true;
            count(&self.world.counts.settled);
        }
        if self.identity.is_strategy() && *self.modes.borrow() == Mode::Report {
            self.report(lease).await;
        }
        true
    }

    async fn follow(&mut self, lease: &Lease) {
        let Ok(Some(desired)) = self.bus.desired(&lease.owner).await else { return };
        if self.followed == Some(desired.version()) {
            return;
        }
        if self.identity.is_strategy() {
            self.trade(lease, &desired).await;
        } else if self.identity.is_gateway() {
            self.keep_books(lease, &desired).await;
        }
    }

    /// A strategy's step: it tells the phase that its register asks for.
    async fn trade(&mut self, lease: &Lease, register: &Desired) {
        let Ok(desired) = serde_json::from_str::<StrategyDesired>(&register.value) else { return };
        let (state, reason) = match desired.state {
            DesiredState::Running => (PhaseState::Running, "Trading"),
            DesiredState::Paused => (PhaseState::Paused, "Paused"),
            DesiredState::Stopped => (PhaseState::Stopped, "Stopped"),
        };
        let edit = desired.parameters.as_ref();
        let phase = Phase {
            state,
            reason: reason.to_owned(),
            message: String::new(),
            generation: edit.map_or(0, |parameters| parameters.generation),
            follows: edit.map(|_| PARAMETERS.to_owned()).into_iter().collect(),
            refused: None,
        };
        let inbox = lease.owner.inbox().clone();
        let cursors = self.bus.last_id(&inbox).await.ok().flatten().map(|last| (inbox, last)).into_iter().collect();
        let set = vec![
            (PHASE.to_owned(), phase.to_field().1.into()),
            (POSITION.to_owned(), "0".into()),
            (REPORT.to_owned(), report(self.reports).into()),
        ];
        let messages = vec![nudge(&self.world.keys, &lease.owner)];
        let followed = Some(register.version());
        self.commit(lease, Commit { set, cursors, messages, followed, ..Commit::default() }).await;
    }

    /// A gateway's step: it opens a book for each registered ledger, acknowledges its stance, and drops what it has of
    /// others.
    async fn keep_books(&mut self, lease: &Lease, register: &Desired) {
        let Ok(desired) = serde_json::from_str::<GatewayDesired>(&register.value) else { return };
        let mut set = Vec::new();
        let mut names = BTreeSet::new();
        for book in &desired.books {
            let (field, stance) = (format!("{BOOK}{}", book.ledger), format!("{STANCE}{}", book.ledger));
            if !self.books.contains(&field) {
                set.push((field.clone(), json!({"amounts": book.capital}).to_string().into()));
                set.push((stance.clone(), json!(book.stance()).to_string().into()));
            }
            names.extend([field, stance]);
        }
        let delete = self.books.difference(&names).cloned().collect();
        let followed = Some(register.version());
        let messages = vec![nudge(&self.world.keys, &lease.owner)];
        if self.commit(lease, Commit { set, delete, messages, followed, ..Commit::default() }).await {
            self.books = names;
        }
    }

    async fn report(&mut self, lease: &Lease) {
        self.reports += 1;
        let set = vec![(REPORT.to_owned(), report(self.reports).into())];
        let messages = vec![nudge(&self.world.keys, &lease.owner)];
        if self.commit(lease, Commit { set, messages, ..Commit::default() }).await {
            count(&self.world.counts.reports);
        }
    }

    async fn commit(&mut self, lease: &Lease, commit: Commit) -> bool {
        let expected_version = self.version;
        let commit_id = format!("{}-{expected_version}", self.identity.uid);
        let followed = commit.followed;
        let commit = Commit { expected_version, commit_id, ..commit };
        let Ok(Ok(CommitOutcome::Committed { version, .. })) = timeout(TURN, self.bus.commit(lease, &commit)).await
        else {
            count(&self.world.counts.failures);
            return false;
        };
        self.version = version;
        self.followed = followed.or(self.followed);
        true
    }
}

fn nudge(keys: &Keys, owner: &Owner) -> Message {
    let stream = keys.topic(owner.scope(), Topic::Report);
    let kept = Retention { max_len: Some(REPORTS_KEPT), max_age_ms: None };
    Message::new(stream, 1, json!({"owner": owner.name()}).to_string()).with_retention(kept)
}

/// The report of a strategy that holds what it began with, with figures that move by less than is worth a write.
fn report(number: u64) -> String {
    let net = format!("0.{}", number % 10);
    let pnl = json!({
        "currency": "USDT", "realized": "0", "unrealized": net, "fees": "0", "funding": "0", "net": net,
    });
    let report = json!({
        "asOf": "2026-01-01T00:00:00Z", "price": "60000", "position": {"USDT": "1000"}, "pnl": pnl, "recentTrades": [],
        "orders": {"open": 0, "unknown": 0, "filled": 0, "denied": 0, "rejected": 0}, "strategy": {},
        "risk": {"state": "AllowAll", "reason": ""}, "decision": {"reason": "PriceBetweenBands", "message": "Waits."},
        "summary": {"symbol": "BTC/USDT", "position": "", "netPnl": net, "lastTrade": "", "alert": ""},
    });
    report.to_string()
}

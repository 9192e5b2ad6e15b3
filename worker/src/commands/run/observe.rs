//! Who reads along: signals and trades for the screen, reports for the end. An outsider on the bus, as the
//! operator is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use bus::{Entry, Owner, Record, Scope, StreamId, StreamKey, Topic};
use engine::client_order_id::LedgerId;
use engine::messages::{Document, Fill, Nudge, OrderStatus, RiskAlert, SignalSide, StrategySignal};
use engine::report::Report;
use engine::time::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::board::Board;
use super::ended::{End, has_ended};
use super::screen::Screen;
use crate::fleet::provision::Places;
use crate::process::exit::Failure;
use crate::roles::saved::ENGINE;
use crate::roles::session::patiently;
use crate::roles::{Bus, IDLE, Runtime};
use crds::record::{PHASE, Phase, REPORT};

/// How long a signal takes to be told.
const UNDER_WAY: Duration = Duration::from_millis(5);

/// The number of SIGCONT.
const GOES_ON: i32 = if cfg!(target_os = "linux") { 18 } else { 19 };

/// Entries at most in one read.
const ENTRIES_MAX: usize = 1_000;

/// How long a lost nudge can stay unnoticed.
const LOOK_AROUND: Duration = Duration::from_secs(IDLE.as_secs() / 5);

/// Reads along. A nudge names whose record has changed, and only that one is read; now and then all are.
pub(super) struct Observer<B> {
    pub runtime: Runtime<B>,
    pub screen: Screen,
    board: Board,
    /// Tells when this process goes on, after it was stopped.
    goes_on: Option<Signal>,
    cursors: BTreeMap<StreamKey, (Topic, StreamId)>,
    strategies: Vec<Followed>,
    /// Where each strategy stands in the list, by the stream of its nudges and its owner's name.
    places: HashMap<(StreamKey, String), usize>,
    /// Those that nudged since.
    nudged: BTreeSet<usize>,
    /// When all were last looked at.
    looked: Option<Instant>,
}

/// A strategy, and what its record said when it was last read.
struct Followed {
    name: String,
    owner: Owner,
    /// The epoch of this run.
    epoch: u64,
    ticks: u64,
    phase: Option<Phase>,
}

/// How far an engine has come, by its state. Its position in the source counts the ticks of other markets too.
#[derive(Deserialize)]
struct Taken {
    ticks: u64,
}

impl<B: Bus> Observer<B> {
    /// Starts at the present end of each topic.
    pub async fn new(runtime: Runtime<B>, accounts: &[Places], screen: Screen, board: Board) -> Result<Self, Failure> {
        let mut cursors = BTreeMap::new();
        for places in accounts {
            let scope: &Scope = places.gateway.owner.scope();
            for topic in [Topic::StrategySignal, Topic::OrderFill, Topic::RiskAlert, Topic::Report] {
                let stream = runtime.identity.keys.topic(scope, topic);
                let last = patiently(&runtime, || runtime.bus.last_id(&stream)).await?;
                cursors.insert(stream, (topic, last.unwrap_or(StreamId::ZERO)));
            }
        }
        let strategies = accounts.iter().flat_map(|places| &places.strategies);
        let strategies = strategies.map(|place| (place.spec.name.clone(), place.owner.clone(), place.epoch)).collect();
        // Nobody listens to it but who draws.
        let goes_on = screen.drawn_width().and_then(|_| signal(SignalKind::from_raw(GOES_ON)).ok());
        Ok(Self { board, goes_on, ..Self::of(runtime, screen, cursors, strategies) })
    }

    /// Of names, owners, and the epochs of this run.
    fn of(
        runtime: Runtime<B>,
        screen: Screen,
        cursors: BTreeMap<StreamKey, (Topic, StreamId)>,
        strategies: Vec<(String, Owner, u64)>,
    ) -> Self {
        let keys = runtime.identity.keys.clone();
        let place = |(index, (_, owner, _)): (usize, &(String, Owner, u64))| {
            ((keys.topic(owner.scope(), Topic::Report), owner.name().to_owned()), index)
        };
        let places = strategies.iter().enumerate().map(place).collect();
        let followed = |(name, owner, epoch)| Followed { name, owner, epoch, ticks: 0, phase: None };
        let strategies = strategies.into_iter().map(followed).collect();
        let (board, nudged) = (Board::default(), BTreeSet::new());
        Self { runtime, screen, board, goes_on: None, cursors, strategies, places, nudged, looked: None }
    }

    /// Shows what happens until every strategy's data has ended.
    pub async fn until_ended(&mut self) -> Result<(), Failure> {
        loop {
            self.look().await?;
            if self.board.is_due() {
                if self.went_on().await {
                    self.screen.goes_on();
                }
                self.board.look(&self.runtime, &mut self.screen).await?;
            }
            if self.strategies.iter().all(|strategy| strategy.phase.as_ref().is_some_and(has_ended)) {
                return Ok(());
            }
            self.read(Some(LOOK_AROUND)).await?;
        }
    }

    /// Whether this process was stopped since, and goes on.
    async fn went_on(&mut self) -> bool {
        let Some(goes_on) = &mut self.goes_on else { return false };
        // Where it has just been woken, the signal is under way.
        tokio::time::timeout(UNDER_WAY, goes_on.recv()).await.is_ok_and(|went_on| went_on.is_some())
    }

    /// Shows what is still unread, and how it ended.
    pub async fn catch_up(&mut self) -> Result<End, Failure> {
        while self.read(None).await? {}
        let end = End::of(self.phases().await?);
        let reports = self.reports().await?;
        self.screen.end(&end, &reports);
        Ok(end)
    }

    /// What each strategy reported last, in the order of the manifests. A report that does not read is told with the
    /// result.
    async fn reports(&self) -> Result<Vec<(LedgerId, Report)>, Failure> {
        let mut reports = Vec::new();
        for strategy in &self.strategies {
            let Some(record) = self.record(&strategy.owner).await? else { continue };
            let report = record.fields.get(REPORT).and_then(|text| serde_json::from_str(text).ok());
            reports.extend(record.ledger.parse().ok().zip(report));
        }
        Ok(reports)
    }

    /// A strategy's record.
    pub async fn record(&self, owner: &Owner) -> Result<Option<Record>, Failure> {
        Ok(patiently(&self.runtime, || self.runtime.bus.record(owner)).await?)
    }

    /// What each strategy is doing now.
    async fn phases(&mut self) -> Result<Vec<(String, Option<Phase>)>, Failure> {
        self.looked = None;
        self.look().await?;
        Ok(self.strategies.iter().map(|strategy| (strategy.name.clone(), strategy.phase.clone())).collect())
    }

    /// Reads the records of those that nudged, now and then of all. A record that is lost with the store says nothing, and
    /// its role says what it is.
    async fn look(&mut self) -> Result<(), Failure> {
        let mut due = std::mem::take(&mut self.nudged);
        if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_AROUND) {
            due = (0..self.strategies.len()).collect();
            self.looked = Some(Instant::now());
        }
        for index in due {
            let record = self.record(&self.strategies[index].owner).await?;
            let fields = record.as_ref().map(|record| &record.fields);
            let taken = fields.and_then(|fields| serde_json::from_str::<Taken>(fields.get(ENGINE)?).ok());
            let strategy = &mut self.strategies[index];
            strategy.ticks = taken.map_or(0, |taken| taken.ticks);
            // Before this run's worker has committed, the phase is the word of the one before it.
            let own = |record: &Record| record.commit_id.starts_with(&format!("{}.", strategy.epoch));
            let own = record.as_ref().is_some_and(own);
            strategy.phase = Phase::of(fields.and_then(|fields| fields.get(PHASE))).filter(|_| own);
        }
        self.screen.progress(self.strategies.iter().map(|strategy| strategy.ticks).sum());
        Ok(())
    }

    fn note(&mut self, stream: &StreamKey, entry: &Entry) {
        let Ok(nudge) = entry.decode::<Nudge>() else { return };
        self.nudged.extend(self.places.get(&(stream.clone(), nudge.owner)));
    }

    async fn read(&mut self, block: Option<Duration>) -> Result<bool, Failure> {
        let cursors: Vec<_> = self.cursors.iter().map(|(stream, (_, id))| (stream.clone(), *id)).collect();
        let found = patiently(&self.runtime, || self.runtime.bus.read(&cursors, ENTRIES_MAX, block)).await?;
        let any = !found.is_empty();
        let mut news = Vec::new();
        for (stream, entries) in found {
            let Some((topic, cursor)) = self.cursors.get_mut(&stream) else { continue };
            let topic = *topic;
            *cursor = entries.last().map_or(*cursor, |entry| entry.id);
            let is_shown =
                |entry: &&Entry| topic != Topic::StrategySignal || self.screen.is_verbose() || !is_hold(entry);
            news.extend(entries.iter().filter(is_shown).filter_map(|entry| News::read(topic, entry)));
            if topic == Topic::Report {
                for entry in &entries {
                    self.note(&stream, entry);
                }
            }
        }
        // In the order of events; a signal comes before the trade that it causes.
        news.sort_by_key(|news| (news.time(), news.rank()));
        for news in news {
            match news {
                News::Alert(alert) => self.screen.alert(&alert),
                News::Signal(signal) => self.screen.signal(signal),
                News::Fill(fill) => self.screen.fill(&fill),
            }
        }
        Ok(any)
    }
}

/// What tells whether a signal is shown without `-v`.
#[derive(Serialize, Deserialize)]
struct Hold {
    side: SignalSide,
    #[serde(default)]
    outcome: Option<OrderStatus>,
}

impl Document for Hold {
    const VERSION: u32 = StrategySignal::VERSION;
}

/// Whether it is a hold that tells of no order: nearly every signal is, and then the rest of it is not read.
fn is_hold(entry: &Entry) -> bool {
    entry.decode::<Hold>().is_ok_and(|signal| signal.side == SignalSide::Hold && signal.outcome.is_none())
}

/// One thing to show.
enum News {
    Alert(RiskAlert),
    Signal(StrategySignal),
    Fill(Box<Fill>),
}

impl News {
    /// What does not read is somebody else's: outsiders' topics are ours to write, not to judge.
    fn read(topic: Topic, entry: &Entry) -> Option<Self> {
        match topic {
            Topic::StrategySignal => entry.decode().map(Self::Signal).ok(),
            Topic::OrderFill => entry.decode().map(|fill| Self::Fill(Box::new(fill))).ok(),
            Topic::RiskAlert => entry.decode().map(Self::Alert).ok(),
            Topic::OrderCommand | Topic::PositionUpdate | Topic::StateSnapshot | Topic::Report | Topic::DeadLetter => {
                None
            }
        }
    }

    const fn time(&self) -> Timestamp {
        match self {
            Self::Alert(alert) => alert.time,
            Self::Signal(signal) => signal.time,
            Self::Fill(fill) => fill.time,
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Alert(_) => 0,
            Self::Signal(_) => 1,
            Self::Fill(_) => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use bus::{AcquireOutcome, Commit, CreateOutcome, Fields, Keys, MemoryBus, MessageBus as _, StateStore as _};
    use crds::record::PhaseState;

    use super::*;
    use crate::process::admin::Health;
    use crate::process::shutdown::Shutdown;
    use crate::roles::Identity;
    use crate::roles::document::message;
    use crate::simulation::bus::VirtualBus;

    #[tokio::test]
    async fn a_lost_record_is_no_end_of_its_data() {
        let keys = Keys::new("glm").unwrap();
        let owner = keys.strategy(&Scope::account("default", "paper").unwrap(), "grid-1");
        let identity = Identity { keys, namespace: "default".to_owned(), ledger: String::new(), epoch: 0 };
        let (_stop, shutdown) = Shutdown::channel();
        let runtime = Runtime { bus: MemoryBus::new(), identity, health: Health::new("run"), shutdown };
        let screen = Screen::new(false, false, None);
        let mut observer = Observer::of(runtime, screen, BTreeMap::new(), vec![("grid-1".to_owned(), owner, 1)]);
        let phases = observer.phases().await.unwrap();
        assert!(!phases[0].1.as_ref().is_some_and(has_ended));
        assert!(matches!(End::of(phases), End::Stopped));
    }

    /// A run that goes on after one that had ended: the end in the record is that of the one before.
    #[tokio::test]
    async fn the_end_of_the_run_before_is_no_end_of_this_one() {
        let keys = Keys::new("glm").unwrap();
        let owner = keys.strategy(&Scope::account("default", "paper").unwrap(), "grid-1");
        let bus = MemoryBus::new();
        let CreateOutcome::Created { ledger } = bus.create(&owner, "run", &Fields::new()).await.unwrap() else {
            panic!("the bus is new");
        };
        let AcquireOutcome::Acquired(acquired) = bus.acquire(&owner, &ledger, 1).await.unwrap() else {
            panic!("nobody else takes it");
        };
        let (state, reason) = (PhaseState::Stopped, "MarketDataEnded".to_owned());
        let (name, value) =
            Phase { state, reason, message: String::new(), generation: 0, follows: Vec::new(), refused: None }
                .to_field();
        let set = vec![(name, value.into())];
        let commit = Commit { commit_id: "1.1.0.0".to_owned(), set, ..Commit::default() };
        bus.commit(&acquired.lease, &commit).await.unwrap();
        let identity = Identity { keys, namespace: "default".to_owned(), ledger, epoch: 0 };
        let (_stop, shutdown) = Shutdown::channel();
        for (epoch, ended) in [(1, true), (2, false)] {
            let runtime = Runtime {
                bus: bus.clone(),
                identity: identity.clone(),
                health: Health::new("run"),
                shutdown: shutdown.clone(),
            };
            let strategies = vec![("grid-1".to_owned(), owner.clone(), epoch)];
            let screen = Screen::new(false, false, None);
            let mut observer = Observer::of(runtime, screen, BTreeMap::new(), strategies);
            let phases = observer.phases().await.unwrap();
            assert_eq!(phases[0].1.as_ref().is_some_and(has_ended), ended, "epoch {epoch}");
        }
    }

    /// With many strategies each commit of one would else cost a look at all.
    #[tokio::test]
    async fn a_nudge_has_one_record_read() {
        let keys = Keys::new("glm").unwrap();
        let account = Scope::account("default", "paper").unwrap();
        let bus = VirtualBus::starting_at(0);
        let identity =
            Identity { keys: keys.clone(), namespace: "default".to_owned(), ledger: String::new(), epoch: 0 };
        let (_stop, shutdown) = Shutdown::channel();
        let runtime = Runtime { bus: bus.clone(), identity, health: Health::new("run"), shutdown };
        let names = (0..50).map(|number| format!("grid-{number}"));
        let strategies = names.map(|name| (name.clone(), keys.strategy(&account, &name), 1)).collect();
        let reports = keys.topic(&account, Topic::Report);
        let cursors = BTreeMap::from([(reports.clone(), (Topic::Report, StreamId::ZERO))]);
        let mut observer = Observer::of(runtime, Screen::new(false, false, None), cursors, strategies);
        observer.look().await.unwrap();
        assert_eq!(bus.take_records_read(), 50, "nothing is known yet");
        let nudge = |owner: &str| message(reports.clone(), &Nudge { owner: owner.to_owned() });
        for owner in ["strategy-grid-7", "gateway", "strategy-grid-9", "strategy-grid-7", "strategy-of-others"] {
            bus.publish(&nudge(owner)).await.unwrap();
        }
        assert!(observer.read(None).await.unwrap());
        // A slow machine may be due for a look at all.
        observer.looked = Some(Instant::now());
        observer.look().await.unwrap();
        assert_eq!(bus.take_records_read(), 2);
        observer.phases().await.unwrap();
        assert_eq!(bus.take_records_read(), 50, "at the end all are looked at");
    }
}

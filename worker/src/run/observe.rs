//! Who reads along: signals and trades for the screen, reports for the end. An outsider on the bus, as the
//! operator is.

use std::collections::BTreeMap;

use bus::{Entry, Owner, Record, Scope, StreamId, StreamKey, Topic};
use engine::client_order_id::LedgerId;
use engine::messages::{Fill, RiskAlert, StrategySignal};
use engine::report::Report;
use engine::time::Timestamp;

use super::ended::{End, has_ended};
use super::screen::Screen;
use crate::exit::Failure;
use crate::provision::Places;
use crate::role::{Bus, IDLE, Runtime};
use crate::session::patiently;
use crds::record::{PHASE, POSITION, Phase, REPORT};

/// Entries at most in one read.
const ENTRIES_MAX: usize = 1_000;

/// Reads along.
pub(super) struct Observer<B> {
    pub runtime: Runtime<B>,
    pub screen: Screen,
    cursors: BTreeMap<StreamKey, (Topic, StreamId)>,
    /// Names, owners, and the epochs of this run.
    strategies: Vec<(String, Owner, u64)>,
}

impl<B: Bus> Observer<B> {
    /// Starts at the present end of each topic.
    pub async fn new(runtime: Runtime<B>, accounts: &[Places], screen: Screen) -> Result<Self, Failure> {
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
        Ok(Self { runtime, screen, cursors, strategies })
    }

    /// Shows what happens until every strategy's data has ended.
    pub async fn until_ended(&mut self) -> Result<(), Failure> {
        loop {
            if self.phases().await?.iter().all(|(_, phase)| phase.as_ref().is_some_and(has_ended)) {
                return Ok(());
            }
            self.read(Some(IDLE)).await?;
        }
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
        for (_, owner, _) in &self.strategies {
            let Some(record) = self.record(owner).await? else { continue };
            let report = record.fields.get(REPORT).and_then(|text| serde_json::from_str(text).ok());
            reports.extend(record.ledger.parse().ok().zip(report));
        }
        Ok(reports)
    }

    /// A strategy's record.
    pub async fn record(&self, owner: &Owner) -> Result<Option<Record>, Failure> {
        Ok(patiently(&self.runtime, || self.runtime.bus.record(owner)).await?)
    }

    /// What each strategy is doing; a record that is lost with the store says nothing, and its role says what it is.
    async fn phases(&mut self) -> Result<Vec<(String, Option<Phase>)>, Failure> {
        let mut ticks = 0;
        let mut phases = Vec::new();
        for (name, owner, epoch) in &self.strategies {
            let record = self.record(owner).await?;
            let fields = record.as_ref().map(|record| &record.fields);
            let position = fields.and_then(|fields| fields.get(POSITION)?.parse::<u64>().ok());
            ticks += position.map_or(0, |position| position.saturating_add(1));
            // Before this run's worker has committed, the phase is the word of the one before it.
            let own = record.as_ref().is_some_and(|record| record.commit_id.starts_with(&format!("{epoch}.")));
            phases.push((name.clone(), Phase::of(fields.and_then(|fields| fields.get(PHASE))).filter(|_| own)));
        }
        self.screen.progress(ticks);
        Ok(phases)
    }

    async fn read(&mut self, block: Option<std::time::Duration>) -> Result<bool, Failure> {
        let cursors: Vec<_> = self.cursors.iter().map(|(stream, (_, id))| (stream.clone(), *id)).collect();
        let found = patiently(&self.runtime, || self.runtime.bus.read(&cursors, ENTRIES_MAX, block)).await?;
        let any = !found.is_empty();
        let mut news = Vec::new();
        for (stream, entries) in found {
            let Some((topic, cursor)) = self.cursors.get_mut(&stream) else { continue };
            *cursor = entries.last().map_or(*cursor, |entry| entry.id);
            news.extend(entries.iter().filter_map(|entry| News::read(*topic, entry)));
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
    use bus::{AcquireOutcome, Commit, CreateOutcome, Fields, Keys, MemoryBus, StateStore as _};
    use crds::record::PhaseState;

    use super::*;
    use crate::admin::Health;
    use crate::role::Identity;
    use crate::shutdown::Shutdown;

    #[tokio::test]
    async fn a_lost_record_is_no_end_of_its_data() {
        let keys = Keys::new("glm").unwrap();
        let owner = keys.strategy(&Scope::account("default", "paper").unwrap(), "grid-1");
        let identity = Identity { keys, namespace: "default".to_owned(), ledger: String::new(), epoch: 0 };
        let (_stop, shutdown) = Shutdown::channel();
        let runtime = Runtime { bus: MemoryBus::new(), identity, health: Health::new("run"), shutdown };
        let screen = Screen::new(false, false, None);
        let mut observer =
            Observer { runtime, screen, cursors: BTreeMap::new(), strategies: vec![("grid-1".to_owned(), owner, 1)] };
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
        let (name, value) = Phase { state, reason, message: String::new(), generation: 0 }.to_field();
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
            let mut observer = Observer { runtime, screen, cursors: BTreeMap::new(), strategies };
            let phases = observer.phases().await.unwrap();
            assert_eq!(phases[0].1.as_ref().is_some_and(has_ended), ended, "epoch {epoch}");
        }
    }
}

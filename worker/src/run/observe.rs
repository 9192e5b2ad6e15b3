//! Who reads along: signals and trades for the screen, reports for the end. An outsider on the bus, as the
//! operator is.

use std::collections::BTreeMap;

use bus::{Body, Owner, Record, Scope, StreamId, StreamKey, Topic};
use engine::messages::{Fill, RiskAlert, StrategySignal};

use super::screen::Screen;
use crate::exit::Failure;
use crate::provision::Places;
use crate::role::{Bus, IDLE, Runtime};
use crate::session::patiently;
use crds::record::{PHASE, POSITION, Phase};

/// Entries at most in one read.
const ENTRIES_MAX: usize = 1_000;

/// Reads along.
pub(super) struct Observer<B> {
    pub runtime: Runtime<B>,
    pub screen: Screen,
    cursors: BTreeMap<StreamKey, (Topic, StreamId)>,
    strategies: Vec<Owner>,
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
        let strategies =
            accounts.iter().flat_map(|places| &places.strategies).map(|place| place.owner.clone()).collect();
        Ok(Self { runtime, screen, cursors, strategies })
    }

    /// Shows what happens until every strategy's data has ended.
    pub async fn until_ended(&mut self) -> Result<(), Failure> {
        loop {
            if self.all_ended().await? {
                return Ok(());
            }
            self.read(Some(IDLE)).await?;
        }
    }

    /// Shows what is still unread.
    pub async fn catch_up(&mut self) -> Result<(), Failure> {
        while self.read(None).await? {}
        self.screen.end();
        Ok(())
    }

    /// A strategy's record.
    pub async fn record(&self, owner: &Owner) -> Result<Option<Record>, Failure> {
        Ok(patiently(&self.runtime, || self.runtime.bus.record(owner)).await?)
    }

    async fn all_ended(&mut self) -> Result<bool, Failure> {
        let mut ticks = 0;
        let mut ended = true;
        for owner in &self.strategies {
            let Some(record) = self.record(owner).await? else { continue };
            let position = record.fields.get(POSITION).and_then(|text| text.parse::<u64>().ok());
            ticks += position.map_or(0, |position| position + 1);
            ended &= Phase::of(record.fields.get(PHASE)).is_some_and(|phase| !phase.takes_ticks());
        }
        self.screen.progress(ticks);
        Ok(ended)
    }

    async fn read(&mut self, block: Option<std::time::Duration>) -> Result<bool, Failure> {
        let cursors: Vec<_> = self.cursors.iter().map(|(stream, (_, id))| (stream.clone(), *id)).collect();
        let found = patiently(&self.runtime, || self.runtime.bus.read(&cursors, ENTRIES_MAX, block)).await?;
        let any = !found.is_empty();
        let mut news = Vec::new();
        for (stream, entries) in found {
            let Some((topic, cursor)) = self.cursors.get_mut(&stream) else { continue };
            *cursor = entries.last().map_or(*cursor, |entry| entry.id);
            news.extend(entries.into_iter().map(|entry| (*topic, entry)));
        }
        // A signal comes before the trade that it causes.
        news.sort_by_key(|(topic, entry)| (*topic != Topic::StrategySignal, entry.id.ms));
        for (topic, entry) in news {
            if let Body::Document { data, .. } = &entry.body {
                show(&mut self.screen, topic, data);
            }
        }
        Ok(any)
    }
}

/// What does not read is somebody else's: outsiders' topics are ours to write, not to judge.
fn show(screen: &mut Screen, topic: Topic, data: &str) {
    match topic {
        Topic::StrategySignal => {
            if let Ok(signal) = serde_json::from_str::<StrategySignal>(data) {
                screen.signal(signal);
            }
        }
        Topic::OrderFill => {
            if let Ok(fill) = serde_json::from_str::<Fill>(data) {
                screen.fill(&fill);
            }
        }
        Topic::RiskAlert => {
            if let Ok(alert) = serde_json::from_str::<RiskAlert>(data) {
                screen.alert(&alert);
            }
        }
        Topic::OrderCommand | Topic::PositionUpdate | Topic::StateSnapshot | Topic::Report | Topic::DeadLetter => {}
    }
}

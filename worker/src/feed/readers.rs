//! Who reads a replay, where each stands, and for whom the feed waits.

use std::time::{Duration, Instant};

use bus::{Fields, Record, StreamId, StreamKey};
use engine::messages::Tick;
use venue::MarketData;

use super::Feed;
use crate::role::{Bus, IDLE, Runtime, Stop};
use crate::session::{Change, patiently};
use crds::record::{PHASE, POSITION, Phase, WAITS_FOR};
use crds::roles::FeedDesired;

/// How long a wait for the same reader at the same tick is nobody's concern.
const WAIT_TOLD: Duration = Duration::from_secs(10);

/// For whom the feed waits, and where they stand.
pub(super) struct Waiting {
    since: Instant,
    /// The readers that are furthest behind, and what they have taken.
    behind: (Vec<String>, Option<u64>),
    /// What the record says of it.
    told: String,
}

impl Waiting {
    pub(super) fn of(fields: &Fields) -> Self {
        let told = fields.get(WAITS_FOR).map(ToString::to_string).unwrap_or_default();
        Self { since: Instant::now(), behind: (Vec::new(), None), told }
    }
}

impl<B: Bus, D: MarketData> Feed<B, D> {
    /// Waits until every registered reader has committed once, before the first tick, and at any tick for a register:
    /// without one nobody is known to read, and the ticks of those who do would go by. `false` if asked to stop first.
    pub(super) async fn wait_for_readers(&mut self) -> Result<bool, Stop> {
        loop {
            self.follow_register().await?;
            if self.next > 0 && self.is_registered {
                // Who comes later joins at the feed's position, and is not waited for.
                return Ok(true);
            }
            let mut absent = Vec::new();
            for reader in &self.readers {
                let record = patiently(&self.runtime, || self.runtime.bus.record(reader)).await?;
                if record.is_none_or(|record| record.version == 0) {
                    absent.push(reader.name().to_owned());
                }
            }
            let complete = self.next == 0 && absent.is_empty() && !self.readers.is_empty();
            self.wait_for(absent, None).await?;
            if complete {
                return Ok(true);
            }
            self.wait_for_news().await?;
            if self.runtime.shutdown.asked() {
                return Ok(false);
            }
        }
    }

    async fn follow_register(&mut self) -> Result<(), Stop> {
        let Some(desired) = patiently(&self.runtime, || self.runtime.bus.desired(&self.owner)).await? else {
            return Ok(());
        };
        self.session.follow(Some(desired.version()));
        let desired: FeedDesired = serde_json::from_str(&desired.value).map_err(|error| Stop::Record {
            owner: self.owner.name().to_owned(),
            problem: format!("the register: {error}"),
        })?;
        let account = self.runtime.account_scope(&self.spec.account)?;
        let keys = &self.runtime.identity.keys;
        self.is_registered = true;
        self.readers = desired.readers.iter().map(|name| keys.strategy(&account, name)).collect();
        Ok(())
    }

    /// Waits for a reader's nudge, or for a while: a lost nudge costs time, never truth.
    async fn wait_for_news(&mut self) -> Result<(), Stop> {
        let cursors = [(self.reports.clone(), self.report_cursor)];
        let (bus, runtime) = (self.runtime.bus.clone(), self.runtime.clone());
        let reading = patiently(&runtime, || bus.read(&cursors, 1_000, Some(IDLE / 5)));
        if let Some(found) = self.runtime.shutdown.or(reading).await {
            let found = found?;
            // Its readers' nudges may come all the time while it waits for one that is dead.
            if found.is_empty() || self.session.is_silent() {
                self.session.beat().await?;
            }
            for (_, entries) in found {
                self.report_cursor = entries.last().map_or(self.report_cursor, |entry| entry.id);
            }
        }
        Ok(())
    }

    pub(super) async fn wait_for_slowest(&mut self) -> Result<(), Stop> {
        self.wait_for_news().await?;
        self.follow_register().await?;
        let mut slowest = None;
        let mut behind = Vec::new();
        for reader in &self.readers {
            let Some(record) = patiently(&self.runtime, || self.runtime.bus.record(reader)).await? else { continue };
            let stopped =
                record.closed || Phase::of(record.fields.get(PHASE)).is_some_and(|phase| !phase.takes_ticks());
            // At version 0 it has not joined yet; when it does, it is at the feed's position.
            if !stopped && record.version > 0 {
                let position = match place(&self.runtime, &self.ticks, &record).await? {
                    Place::First => None,
                    Place::After(sequence) => Some(sequence),
                    Place::Gone => self.next.checked_sub(1),
                };
                if slowest.is_none_or(|slowest| position < slowest) {
                    behind.clear();
                }
                if slowest.is_none_or(|slowest| position <= slowest) {
                    behind.push(reader.name().to_owned());
                    slowest = Some(position);
                }
            }
        }
        self.wait_for(behind, slowest.flatten()).await?;
        self.slowest = match slowest {
            Some(position) => position,
            // Nobody reads: nobody is waited for.
            None => self.next.checked_sub(1),
        };
        while self.ahead.front().is_some_and(|(sequence, _)| self.slowest.is_some_and(|slowest| *sequence <= slowest)) {
            self.ahead.pop_front();
        }
        Ok(())
    }

    /// Notes for whom it waits, and where they stand; after a while it says so, as all others stand still meanwhile.
    pub(super) async fn wait_for(&mut self, readers: Vec<String>, taken: Option<u64>) -> Result<(), Stop> {
        let now = (readers, taken);
        if self.waiting.behind != now {
            self.waiting.behind = now;
            self.waiting.since = Instant::now();
        }
        let long = self.waiting.since.elapsed() >= WAIT_TOLD;
        let names = if long { self.waiting.behind.0.join(",") } else { String::new() };
        if names == self.waiting.told {
            return Ok(());
        }
        let change = if names.is_empty() {
            tracing::info!("the feed waits for {} no longer", self.waiting.told);
            self.runtime.health.remark("");
            Change { delete: vec![WAITS_FOR.to_owned()], ..Change::default() }
        } else {
            let place = taken.map_or_else(|| "before the first tick".to_owned(), |taken| format!("at tick {taken}"));
            let remark = format!("waits for {names}, which has stood {place} for {} s", WAIT_TOLD.as_secs());
            tracing::warn!("the feed {remark}; nobody else of this replay gets a tick meanwhile: look at its pod");
            self.runtime.health.remark(&remark);
            Change { set: vec![(WAITS_FOR.to_owned(), names.clone())], ..Change::default() }
        };
        self.waiting.told = names;
        self.commit(change).await
    }
}

/// Where a reader stands.
enum Place {
    /// Before the first tick.
    First,
    /// It has taken the tick of this sequence, or joined right after it.
    After(u64),
    /// The tick it joined at is long gone: it was not waited for, and is not now.
    Gone,
}

async fn place<B: Bus>(runtime: &Runtime<B>, ticks: &StreamKey, record: &Record) -> Result<Place, Stop> {
    if let Some(position) = record.fields.get(POSITION).and_then(|position| position.parse().ok()) {
        return Ok(Place::After(position));
    }
    let joined = record.cursors.get(ticks).copied().filter(|cursor| *cursor != StreamId::ZERO);
    let Some(id) = joined else { return Ok(Place::First) };
    let found = patiently(runtime, || runtime.bus.range(ticks, id, id, 1)).await?;
    let tick = found.first().and_then(|entry| entry.decode::<Tick>().ok());
    Ok(tick.map_or(Place::Gone, |tick| Place::After(tick.sequence)))
}

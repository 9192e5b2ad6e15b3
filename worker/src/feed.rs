//! The role `feed`: a replay of recorded data for one account.
//!
//! It waits until each reader in its register has committed once, starts them all at the first tick, and
//! stays a bounded way ahead of the slowest that is not stopped. Its position and its ticks are one commit.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Bounds, Owner, Record, Retention, StreamId, StreamKey, Topic};
use engine::messages::Tick;
use engine::time::Timestamp;
use tracing::Instrument;
use venue::MarketData;
use venue::replay::{Replay, Summary};

use crate::document::message;
use crate::role::{Bus, IDLE, Runtime, Stop};
use crate::session::{Change, Done, Session, again_after_conflicts, patiently};
use crds::record::{PHASE, POSITION, Phase};
use crds::roles::{FeedDesired, FeedSpec};

/// The field that holds the sequence of the next tick.
const NEXT: &str = "next";
/// The field that is set once the last tick is out.
const ENDED: &str = "ended";
/// Where the image keeps recorded data.
const IMAGE_FOLDER: &str = "/replay";
/// How many ticks the feed may be ahead of the slowest reader, whatever the latency.
const AHEAD_MAX: u64 = Bounds::TICKS_AHEAD.entries;
/// Ticks at most in one commit.
const BATCH_MAX: usize = 250;

/// A replay at work.
struct Feed<B, D> {
    runtime: Runtime<B>,
    spec: FeedSpec,
    owner: Owner,
    ticks: StreamKey,
    reports: StreamKey,
    report_cursor: StreamId,
    readers: Vec<Owner>,
    session: Session<B>,
    data: D,
    round: Round,
    next: u64,
    /// A tick that was read but may not go out yet.
    held: Option<Tick>,
    /// Sequence and time of ticks that not every reader has taken.
    ahead: VecDeque<(u64, Timestamp)>,
    slowest: Option<u64>,
    pace: Option<Pace>,
}

/// How a repeated replay goes on: sequences and times never go back.
#[derive(Debug, Clone, Copy)]
struct Round {
    ticks: u64,
    span_ms: i64,
}

/// When a tick is due, at a speed.
#[derive(Debug, Clone, Copy)]
struct Pace {
    started: Instant,
    first: Timestamp,
}

/// The file of a replay: as given, or in the image's folder.
pub fn file_of(spec: &FeedSpec) -> PathBuf {
    let in_image = Path::new(IMAGE_FOLDER).join(&spec.file);
    if spec.file.exists() || !in_image.exists() { spec.file.clone() } else { in_image }
}

/// Reads a replay's file once, so that what is wrong with it comes out before anything trades.
pub fn scan(spec: &FeedSpec) -> Result<Summary, Stop> {
    Ok(Replay::scan(&[file_of(spec)], &spec.symbol)?)
}

/// Runs until asked to stop, also after the end of the data. After a conflict it starts again from the record.
pub async fn run<B: Bus>(runtime: Runtime<B>, spec: FeedSpec) -> Result<(), Stop> {
    let epoch = runtime.identity.epoch;
    let span = tracing::error_span!("feed", source = spec.source, epoch, cursor = tracing::field::Empty);
    live(runtime, spec).instrument(span).await
}

async fn live<B: Bus>(runtime: Runtime<B>, spec: FeedSpec) -> Result<(), Stop> {
    let summary = Arc::new(scan(&spec)?);
    again_after_conflicts(&runtime, || async {
        let replay = Replay::open(Arc::clone(&summary));
        Feed::start(&runtime, &spec, replay, &summary).await?.work().await
    })
    .await
}

impl<B: Bus, D: MarketData> Feed<B, D> {
    async fn start(runtime: &Runtime<B>, spec: &FeedSpec, data: D, summary: &Summary) -> Result<Self, Stop> {
        let source = runtime.source_scope(&spec.source)?;
        let account = runtime.account_scope(&spec.account)?;
        let keys = &runtime.identity.keys;
        let owner = keys.feed(&source);
        let (session, acquired) = Session::acquire(runtime, &owner).await?;
        let next = acquired.fields.get(NEXT).and_then(|next| next.parse().ok()).unwrap_or(0);
        let interval = summary.files.iter().find_map(|file| file.interval_ms).unwrap_or(1);
        let mut feed = Self {
            ticks: keys.market_tick(&source, &spec.symbol.to_string()),
            reports: keys.topic(&account, Topic::Report),
            report_cursor: StreamId::ZERO,
            readers: Vec::new(),
            runtime: runtime.clone(),
            spec: spec.clone(),
            owner,
            session,
            data,
            round: Round { ticks: summary.ticks, span_ms: summary.last.millis_since(summary.first) + interval },
            next,
            held: None,
            ahead: VecDeque::new(),
            slowest: None,
            pace: None,
        };
        feed.session.own([feed.ticks.clone()]);
        feed.session.shortens(keys, &account);
        feed.seek().await?;
        feed.store(Vec::new()).await?;
        runtime.health.ready();
        tracing::info!("the feed replays");
        Ok(feed)
    }

    async fn work(&mut self) -> Result<(), Stop> {
        if !self.wait_for_readers().await? {
            return Ok(());
        }
        while !self.runtime.shutdown.asked() {
            let batch = self.batch().await?;
            if !batch.is_empty() {
                self.store(batch).await?;
                continue;
            }
            let wait = self.wait_for_pace();
            match (&self.held, wait) {
                (None, _) => self.rest().await?,
                (Some(_), Some(wait)) => {
                    self.runtime.shutdown.sleep(wait.min(IDLE)).await;
                    if wait > IDLE {
                        self.session.beat().await?;
                    }
                }
                (Some(_), None) => self.wait_for_slowest().await?,
            }
        }
        Ok(())
    }

    /// After the last tick: nothing is left but to hear of a successor, or of the end of the ledger.
    async fn rest(&mut self) -> Result<(), Stop> {
        tracing::info!(ticks = self.next, "the market data has ended");
        loop {
            self.runtime.shutdown.sleep(IDLE).await;
            if self.runtime.shutdown.asked() {
                return Ok(());
            }
            self.session.beat().await?;
        }
    }

    async fn seek(&mut self) -> Result<(), Stop> {
        let within = if self.spec.repeat { self.next % self.round.ticks.max(1) } else { self.next };
        self.data.seek(within).await.map_err(|error| Stop::MarketData(error.to_string()))
    }

    /// Waits until every registered reader has committed once, before the first tick. `false` if asked to stop first.
    async fn wait_for_readers(&mut self) -> Result<bool, Stop> {
        loop {
            self.follow_register().await?;
            if self.next > 0 {
                // Who comes later joins at the feed's position, and is not waited for.
                return Ok(true);
            }
            let mut waiting = self.readers.is_empty();
            for reader in &self.readers {
                let record = patiently(&self.runtime, || self.runtime.bus.record(reader)).await?;
                waiting |= record.is_none_or(|record| record.version == 0);
            }
            if !waiting {
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
            if found.is_empty() {
                self.session.beat().await?;
            }
            for (_, entries) in found {
                self.report_cursor = entries.last().map_or(self.report_cursor, |entry| entry.id);
            }
        }
        Ok(())
    }

    async fn wait_for_slowest(&mut self) -> Result<(), Stop> {
        self.wait_for_news().await?;
        self.follow_register().await?;
        let mut slowest = None;
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
                slowest = Some(slowest.map_or(position, |slowest: Option<u64>| slowest.min(position)));
            }
        }
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

    /// The next ticks that may go out now.
    async fn batch(&mut self) -> Result<Vec<Tick>, Stop> {
        let mut batch = Vec::new();
        while batch.len() < BATCH_MAX {
            let tick = match self.held.take() {
                Some(tick) => tick,
                None => match self.next_tick().await? {
                    Some(tick) => tick,
                    None => break,
                },
            };
            let time = tick.event_time();
            if !self.may_go(&tick) || self.wait_until_due(time).is_some() {
                self.held = Some(tick);
                break;
            }
            self.ahead.push_back((tick.sequence, time));
            self.next = tick.sequence + 1;
            batch.push(tick);
        }
        Ok(batch)
    }

    async fn next_tick(&mut self) -> Result<Option<Tick>, Stop> {
        let failed = |error: D::Error| Stop::MarketData(error.to_string());
        let mut tick = self.data.next().await.map_err(failed)?;
        if tick.is_none() && self.spec.repeat {
            self.data.seek(0).await.map_err(failed)?;
            tick = self.data.next().await.map_err(failed)?;
        }
        Ok(tick.map(|tick| self.in_round(tick)))
    }

    /// The tick of a later round: its sequence and its times go on where the last round ended.
    fn in_round(&self, tick: Tick) -> Tick {
        if !self.spec.repeat {
            return tick;
        }
        let round = self.next / self.round.ticks.max(1);
        let shift = i64::try_from(round).unwrap_or(0).saturating_mul(self.round.span_ms);
        Tick {
            sequence: round * self.round.ticks + tick.sequence,
            time: tick.time.map(|time| time.plus_millis(shift)),
            received: tick.received.plus_millis(shift),
            last: false,
            ..tick
        }
    }

    /// Whether the slowest reader is near enough: within so many ticks, or within twice the latency.
    fn may_go(&self, tick: &Tick) -> bool {
        let taken = self.slowest.map_or(0, |slowest| slowest + 1);
        let reach = self
            .ahead
            .front()
            .map_or(tick.event_time(), |(_, time)| *time)
            .plus_millis(2 * i64::from(self.spec.latency_ms));
        tick.sequence < taken + AHEAD_MAX || tick.event_time() <= reach
    }

    fn wait_for_pace(&mut self) -> Option<Duration> {
        let time = self.held.as_ref()?.event_time();
        self.wait_until_due(time)
    }

    /// How long until a tick of this time is due; `None` if it is.
    fn wait_until_due(&mut self, time: Timestamp) -> Option<Duration> {
        let speed = self.spec.speed?.get();
        let pace = self.pace.get_or_insert(Pace { started: Instant::now(), first: time });
        let offset = rust_decimal::Decimal::from(time.millis_since(pace.first)) / speed;
        let due = Duration::from_millis(u64::try_from(offset.trunc().mantissa()).unwrap_or(0));
        due.checked_sub(pace.started.elapsed()).filter(|wait| !wait.is_zero())
    }

    async fn store(&mut self, batch: Vec<Tick>) -> Result<(), Stop> {
        tracing::Span::current().record("cursor", self.next);
        let ended = batch.last().is_some_and(|tick| tick.last);
        let mut set = vec![(NEXT.to_owned(), self.next.to_string())];
        if ended {
            set.push((ENDED.to_owned(), "true".to_owned()));
        }
        self.runtime.health.ticks(batch.len() as u64);
        // More than what is ahead: a gateway finds the tick of each command it has not taken yet.
        let ahead = (self.ahead.len() as u64).max(AHEAD_MAX);
        let retention = Retention { max_len: Some(ahead + Bounds::TICKS.entries), max_age_ms: None };
        let messages = batch.iter().map(|tick| message(self.ticks.clone(), tick).with_retention(retention)).collect();
        match self.session.commit(Change { set, messages, ..Change::default() }).await? {
            Done::Stored | Done::Busy => Ok(()),
        }
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

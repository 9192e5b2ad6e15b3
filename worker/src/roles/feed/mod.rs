//! The role `feed`: a replay of recorded data for one account.
//!
//! It waits until each reader in its register has committed once, starts them all at the first tick, and
//! stays a bounded way ahead of the slowest that is not stopped. Its position and its ticks are one commit.

mod data;
mod readers;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Bounds, Fields, Owner, Retention, StreamId, StreamKey, Topic};
use engine::messages::Tick;
use engine::numbers::Price;
use engine::time::Timestamp;
use tracing::Instrument;
use venue::MarketData;
use venue::replay::{Replay, Summary};

use crate::roles::document::message;
use crate::roles::session::{Change, Done, Session, again_after_conflicts};
use crate::roles::{Bus, IDLE, Runtime, Stop};
use crds::roles::FeedSpec;

use data::{Data, ReadAhead};
use readers::{Readers, Waiting};

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
    readers: Readers,
    session: Session<B>,
    data: D,
    round: Round,
    next: u64,
    /// A tick that was read but may not go out yet.
    held: Option<Tick>,
    /// Sequence and time of ticks that not every reader has taken.
    ahead: VecDeque<(u64, Timestamp)>,
    slowest: Option<u64>,
    waiting: Waiting,
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

/// The same, with the prices held against the tick size of those who trade on them.
pub fn scan_for(spec: &FeedSpec, tick_size: Price) -> Result<Summary, Stop> {
    Ok(Replay::scan_for(&[file_of(spec)], &spec.symbol, tick_size)?)
}

/// Runs until asked to stop, also after the end of the data. After a conflict it starts again from the record.
pub async fn run<B: Bus>(mut runtime: Runtime<B>, spec: FeedSpec) -> Result<(), Stop> {
    runtime.health.starting(&format!("reading {} through", file_of(&spec).display()));
    // Asked to stop meanwhile it ends at once: the thread that reads has nothing to finish.
    let Some(scanned) = runtime.shutdown.or(data::scan(spec.clone())).await else { return Ok(()) };
    replay(runtime, spec, Arc::new(scanned?)).await
}

/// The same, for who has scanned the file already.
pub async fn replay<B: Bus>(runtime: Runtime<B>, spec: FeedSpec, summary: Arc<Summary>) -> Result<(), Stop> {
    let epoch = runtime.identity.epoch;
    let span = tracing::error_span!("feed", source = spec.source, epoch, cursor = tracing::field::Empty);
    live(runtime, spec, summary).instrument(span).await
}

async fn live<B: Bus>(runtime: Runtime<B>, spec: FeedSpec, summary: Arc<Summary>) -> Result<(), Stop> {
    again_after_conflicts(&runtime, || async {
        let replay = ReadAhead::open(Arc::clone(&summary));
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
        let next = position(&acquired.fields)?;
        data::check(&acquired.fields, next, acquired.fields.contains_key(ENDED), spec, summary)?;
        let interval = summary.files.iter().find_map(|file| file.interval_ms).unwrap_or(1);
        let mut feed = Self {
            ticks: keys.market_tick(&source, &spec.symbol.to_string()),
            reports: keys.topic(&account, Topic::Report),
            report_cursor: StreamId::ZERO,
            readers: Readers::default(),
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
            waiting: Waiting::of(&acquired.fields),
            pace: None,
        };
        feed.session.own([feed.ticks.clone()]);
        feed.session.shortens(keys, &account);
        feed.seek().await?;
        let mut change = feed.at(&[]);
        change.set.push(Data::of(summary).to_field()?);
        feed.commit(change).await?;
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
            if self.runtime.shutdown.asked() {
                break;
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
        self.tell_waiting(String::new(), None).await?;
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
        let seeking = self.data.seek(within);
        // Asked to stop first, nothing is read any more.
        self.runtime.shutdown.or(seeking).await.transpose().map_err(failed)?;
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

    /// The next tick; none at the end, or when asked to stop while it is read.
    async fn next_tick(&mut self) -> Result<Option<Tick>, Stop> {
        let (data, repeat) = (&mut self.data, self.spec.repeat);
        let reading = async {
            match data.next().await? {
                None if repeat => {
                    data.seek(0).await?;
                    data.next().await
                }
                tick => Ok(tick),
            }
        };
        // The tick first: nearly always it is there, and then the other side costs nothing.
        let tick = tokio::select! {
            biased;
            tick = reading => tick.map_err(failed)?,
            () = self.runtime.shutdown.wait() => None,
        };
        Ok(tick.map(|tick| self.in_round(tick)))
    }

    /// The tick of a later round: its sequence and its times go on where the last round ended.
    fn in_round(&self, tick: Tick) -> Tick {
        if !self.spec.repeat {
            return tick;
        }
        let round = self.next / self.round.ticks.max(1);
        let shift = i64::try_from(round).unwrap_or(0).saturating_mul(self.round.span_ms);
        let before = round * self.round.ticks;
        Tick {
            source_sequence: before + tick.source_sequence,
            sequence: before + tick.sequence,
            time: tick.time.map(|time| time.plus_millis(shift)),
            received: tick.received.plus_millis(shift),
            last: false,
            ..tick
        }
    }

    /// Whether the slowest reader is near enough: within so many ticks, or within twice the latency.
    fn may_go(&self, tick: &Tick) -> bool {
        // A position out of a record can be any number.
        let taken = self.slowest.map_or(0, |slowest| slowest.saturating_add(1));
        let reach = self
            .ahead
            .front()
            .map_or(tick.event_time(), |(_, time)| *time)
            .plus_millis(2 * i64::from(self.spec.latency_ms));
        tick.sequence < taken.saturating_add(AHEAD_MAX) || tick.event_time() <= reach
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
        self.runtime.health.ticks(batch.len() as u64);
        let change = self.at(&batch);
        self.commit(change).await
    }

    /// The position, and the ticks that lead to it.
    fn at(&self, batch: &[Tick]) -> Change {
        let mut set = vec![(NEXT.to_owned(), self.next.to_string())];
        if batch.last().is_some_and(|tick| tick.last) {
            set.push((ENDED.to_owned(), "true".to_owned()));
        }
        // More than what is ahead: a gateway finds the tick of each command it has not taken yet.
        let ahead = (self.ahead.len() as u64).max(AHEAD_MAX);
        let retention = Retention { max_len: Some(ahead + Bounds::TICKS.entries), max_age_ms: None };
        let messages = batch.iter().map(|tick| message(self.ticks.clone(), tick).with_retention(retention)).collect();
        Change { set, messages, ..Change::default() }
    }

    async fn commit(&mut self, change: Change) -> Result<(), Stop> {
        match self.session.commit(change).await? {
            Done::Stored => Ok(()),
            // Ticks are trimmed, never bounded; were they taken for stored, they would be lost.
            Done::Busy => Err(Stop::Store(format!("{} is said to be at a bound, which a feed never sets", self.ticks))),
        }
    }
}

/// The sequence of the next tick. What does not read is no 0: every tick would go out again.
fn position(fields: &Fields) -> Result<u64, Stop> {
    /// No replay comes so far, and sums stay in range.
    const MAX: u64 = u64::MAX / 4;
    let Some(text) = fields.get(NEXT) else { return Ok(0) };
    let next = text.parse().ok().filter(|next| *next <= MAX);
    next.ok_or_else(|| Stop::Record { owner: "feed".to_owned(), problem: format!("its field {NEXT} is {text:?}") })
}

fn failed(error: impl std::fmt::Display) -> Stop {
    Stop::MarketData(error.to_string())
}

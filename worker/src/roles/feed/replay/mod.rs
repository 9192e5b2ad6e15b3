//! A replay of recorded data, for one account.
//!
//! It waits until each reader in its register has committed once, starts them all at the first tick, and
//! stays a bounded way ahead of the slowest that is not stopped. Its position, its ticks and the bars that they close are one
//! commit.

mod bars;
mod data;
mod markets;
mod readers;
mod whole;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Bounds, Owner, Retention, StreamId, StreamKey, Topic};
use engine::messages::Tick;
use engine::numbers::Price;
use engine::time::Timestamp;
use tracing::Instrument;
use venue::MarketData;
use venue::replay::{Replay, Summary, Tape};

use crate::roles::document::message;
use crate::roles::feed::bars::{Bars, Of, take_up};
use crate::roles::session::{Change, Done, Session, again_after_conflicts, patiently};
use crate::roles::source::{ENDED, NEXT, RecordedBars, WHOLE, position};
use crate::roles::whole::WholeBars;
use crate::roles::{Bus, IDLE, Runtime, Stop};
use crds::roles::{FeedMarket, ReplaySpec};

use data::{Data, ReadAhead};
use markets::Markets;
use readers::{LOOK_AROUND, Readers, Waiting};

/// Where the image keeps recorded data.
const IMAGE_FOLDER: &str = "/replay";
/// How many ticks the feed may be ahead of the slowest reader, whatever the latency.
const AHEAD_MAX: u64 = Bounds::TICKS_AHEAD.entries;
/// Ticks at most in one commit.
const BATCH_MAX: usize = 250;

/// A replay at work.
struct Feed<B, D> {
    runtime: Runtime<B>,
    spec: ReplaySpec,
    owner: Owner,
    markets: Markets,
    /// What is replayed, by symbol.
    scanned: Vec<Arc<Summary>>,
    bars: Bars,
    /// What its recordings hold whole.
    whole: WholeBars<Of>,
    reports: StreamKey,
    report_cursor: StreamId,
    readers: Readers,
    session: Session<B>,
    data: D,
    next: u64,
    /// A tick that was read but may not go out yet.
    held: Option<Tick>,
    /// Sequence and time of ticks that not every reader has taken.
    ahead: VecDeque<(u64, Timestamp)>,
    slowest: Option<u64>,
    waiting: Waiting,
    pace: Option<Pace>,
}

/// When a tick is due, at a speed.
#[derive(Debug, Clone, Copy)]
struct Pace {
    started: Instant,
    first: Timestamp,
}

/// The file of a market: as given, or in the image's folder.
pub fn file_of(market: &FeedMarket) -> PathBuf {
    let in_image = Path::new(IMAGE_FOLDER).join(&market.file);
    if market.file.exists() || !in_image.exists() { market.file.clone() } else { in_image }
}

/// Reads a market's file once, so that what is wrong with it comes out before anything trades; where the tick size of those
/// who trade on it is given, its prices are held against that.
pub fn scan(market: &FeedMarket, tick_size: Option<Price>) -> Result<Summary, Stop> {
    let files = [file_of(market)];
    Ok(match tick_size {
        Some(tick_size) => Replay::scan_for(&files, &market.symbol, tick_size)?,
        None => Replay::scan(&files, &market.symbol)?,
    })
}

/// Runs until asked to stop, also after the end of the data. After a conflict it starts again from the record.
pub async fn run<B: Bus>(mut runtime: Runtime<B>, spec: ReplaySpec) -> Result<(), Stop> {
    let files: Vec<_> = spec.markets().iter().map(|market| file_of(market).display().to_string()).collect();
    runtime.health.starting(&format!("reading {} through", files.join(", ")));
    // Asked to stop meanwhile it ends at once: the thread that reads has nothing to finish.
    let Some(scanned) = runtime.shutdown.or(data::scan(spec.clone())).await else { return Ok(()) };
    replay(runtime, spec, scanned?).await
}

/// The same, for who has scanned the files already; by symbol.
pub async fn replay<B: Bus>(runtime: Runtime<B>, spec: ReplaySpec, markets: Vec<Arc<Summary>>) -> Result<(), Stop> {
    let epoch = runtime.identity.epoch;
    let span = tracing::error_span!("feed", source = spec.source, epoch, cursor = tracing::field::Empty);
    lasting(runtime, spec, markets).instrument(span).await
}

async fn lasting<B: Bus>(runtime: Runtime<B>, spec: ReplaySpec, markets: Vec<Arc<Summary>>) -> Result<(), Stop> {
    // Asked to stop meanwhile it ends at once, as while the files were read through.
    let Some(recorded) = runtime.shutdown.clone().or(whole::read(&markets)).await else { return Ok(()) };
    let recorded = recorded?;
    again_after_conflicts(&runtime, || async {
        let tape = ReadAhead::open(Tape::open(markets.iter().cloned()));
        Feed::start(&runtime, &spec, tape, (&markets, &recorded)).await?.work().await
    })
    .await
}

impl<B: Bus, D: MarketData> Feed<B, D> {
    async fn start(
        runtime: &Runtime<B>,
        spec: &ReplaySpec,
        data: D,
        (markets, recorded): (&[Arc<Summary>], &[RecordedBars]),
    ) -> Result<Self, Stop> {
        let source = runtime.source_scope(&spec.source)?;
        let account = runtime.account_scope(&spec.account)?;
        let keys = &runtime.identity.keys;
        let owner = keys.feed(&source);
        let (session, acquired) = Session::acquire(runtime, &owner).await?;
        let unread = |problem| Stop::Record { owner: owner.name().to_owned(), problem };
        let next = position(&acquired.fields).map_err(unread)?;
        data::check(&acquired.fields, next, acquired.fields.contains_key(ENDED), spec, markets)?;
        let begins = markets.iter().map(|market| (market.symbol.clone(), market.first)).collect();
        let mut bars = Bars::new(keys.clone(), source.clone(), begins);
        take_up(runtime, &mut bars, &acquired.fields).await?;
        let mut feed = Self {
            scanned: markets.to_vec(),
            bars,
            whole: whole::of(recorded),
            markets: Markets::of(keys, &source, markets, &acquired.fields)?,
            reports: keys.topic(&account, Topic::Report),
            report_cursor: StreamId::ZERO,
            readers: Readers::default(),
            runtime: runtime.clone(),
            spec: spec.clone(),
            owner,
            session,
            data,
            next,
            held: None,
            ahead: VecDeque::new(),
            slowest: None,
            waiting: Waiting::of(&acquired.fields),
            pace: None,
        };
        feed.session.own(feed.markets.streams().into_iter().chain(feed.bars.streams()));
        feed.session.shortens(keys, &account);
        feed.seek().await?;
        let mut change = feed.at(&[]);
        change.set.push(Data::of(markets).to_field()?);
        if !recorded.is_empty() {
            let text = serde_json::to_string(recorded).map_err(|error| Stop::MarketData(error.to_string()))?;
            change.set.push((WHOLE.to_owned(), text));
        }
        feed.know_last().await?;
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
            self.look_for_joiners().await?;
            self.make_bars().await?;
            if self.runtime.shutdown.asked() {
                break;
            }
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
                    self.runtime.shutdown.sleep(wait.min(LOOK_AROUND)).await;
                    if self.session.is_silent() {
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

    /// The ticks that went out last tell whether some are missing before the next ones.
    async fn know_last(&mut self) -> Result<(), Stop> {
        for stream in self.markets.streams() {
            let last = patiently(&self.runtime, || self.runtime.bus.last_id(&stream)).await?;
            let Some(last) = last.filter(|last| *last != StreamId::ZERO) else { continue };
            let found = patiently(&self.runtime, || self.runtime.bus.range(&stream, last, last, 1)).await?;
            if let Some(tick) = found.first().and_then(|entry| entry.decode::<Tick>().ok()) {
                self.bars.last.insert(tick.symbol, tick.sequence);
            }
        }
        Ok(())
    }

    async fn seek(&mut self) -> Result<(), Stop> {
        let within = if self.spec.repeat { self.next % self.markets.ticks() } else { self.next };
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
            if self.whole.has_any_before(&tick) {
                if !batch.is_empty() {
                    self.held = Some(tick);
                    break;
                }
                self.put_in_whole_bars(&tick).await?;
            }
            self.ahead.push_back((tick.source_sequence, time));
            self.next = tick.source_sequence + 1;
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
        let round = self.next / self.markets.ticks();
        Ok(tick.map(|tick| if repeat { self.markets.in_round(round, tick) } else { tick }))
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
        tick.source_sequence < taken.saturating_add(AHEAD_MAX) || tick.event_time() <= reach
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

    /// The position, the ticks that lead to it, and the bars that these close.
    fn at(&mut self, batch: &[Tick]) -> Change {
        let mut set = vec![(NEXT.to_owned(), self.next.to_string())];
        set.extend(self.markets.went_out(batch));
        if self.markets.have_ended(self.next) && !self.spec.repeat {
            set.push((ENDED.to_owned(), "true".to_owned()));
        }
        // More than what is ahead: a gateway finds the tick of each command it has not taken yet.
        let ahead = (self.ahead.len() as u64).max(AHEAD_MAX);
        let retention = Retention { max_len: Some(ahead + Bounds::TICKS.entries), max_age_ms: None };
        let stream = |tick: &Tick| self.markets.stream(&tick.symbol);
        let messages = batch.iter().filter_map(|tick| Some(message(stream(tick)?, tick).with_retention(retention)));
        let mut messages: Vec<_> = messages.collect();
        let (closed, kept) = self.bars.take(batch);
        messages.extend(closed);
        set.extend(kept);
        Change { set, messages, ..Change::default() }
    }

    async fn commit(&mut self, change: Change) -> Result<(), Stop> {
        match self.session.commit(change).await? {
            Done::Stored => Ok(()),
            // Ticks are trimmed, never bounded; were they taken for stored, they would be lost.
            Done::Busy(_) => {
                Err(Stop::Store(format!("{} is said to be at a bound, which a feed never sets", self.spec.source)))
            }
        }
    }
}

fn failed(error: impl std::fmt::Display) -> Stop {
    Stop::MarketData(error.to_string())
}

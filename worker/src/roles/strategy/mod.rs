//! The role `strategy`: one engine on the bus. Takes what can be read, steps the engine through it, commits
//! once: state, cursors and messages together.
//!
//! At a simulated venue it waits for the gateway where one of its orders can trade or arrive, and nowhere else: so a
//! replay gives the trades of `backtest`, whatever the speed and whatever dies on the way.

mod barrier;
mod batch;
mod consult;
mod doubt;
mod edits;
mod holes;
mod inbox;
mod joining;
mod markets;
mod prices;
mod publish;
mod refused;
mod rounds;
#[cfg(test)]
mod tests;
mod ticks;
mod transfers;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bus::{Acquired, Entry, Fields, Owner, StreamId, StreamKey};
use engine::Engine;
use engine::client_order_id::{IdError, LedgerId};
use engine::instrument::Symbol;
use engine::messages::Tick;
use engine::strategies::{BarsOf, DesiredState, Registry};
use tracing::Instrument;

use crate::child::{Child, Opened};
use crate::outcome::hashes::{DATA, DataHash, MADE, Made};
use crate::roles::session::{Session, again_after_conflicts, patiently};
use crate::roles::whole::WholeBars;
use crate::roles::{Bus, IDLE, Runtime, Stop};
use crds::roles::{AccountSpec, StrategySpec};

pub(crate) use barrier::ADVANCE;
use barrier::{Advance, Barrier};
use batch::Batch;
use doubt::Doubt;
use edits::Edits;
use inbox::Pending;
use joining::Joining;
use markets::{Markets, Unread};
use prices::Prices;
use refused::{Begun, Refused, TRADED};
use transfers::{FOLLOWED, Followed};

/// Fields that hold the command of each open order, so that it can be asked again.
pub const COMMAND: &str = "command:";

/// Ticks at most in one read, and at most uncommitted.
const TICKS_MAX: usize = 500;
/// How long ticks without output may stay uncommitted.
const UNCOMMITTED_MAX: Duration = Duration::from_secs(1);
/// How long an order may be without any news before its command is published again.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// A strategy's worker.
pub(crate) struct Worker<'a, B> {
    runtime: Runtime<B>,
    /// What it follows: of what it was started with and its register the newer one.
    spec: StrategySpec,
    registry: &'a Registry,
    owner: Owner,
    ledger: LedgerId,
    markets: Markets,
    session: Session<B>,
    engine: Engine,
    /// What is asked, where the strategy is a process that has not failed.
    child: Option<Child>,
    /// The tick that was just taken, while its process has not said what it does on it: nothing arrives before.
    unjudged: Option<Tick>,
    /// The hash of the ticks taken; none where the release before took some.
    data: Option<DataHash>,
    pending: Pending,
    barrier: Barrier,
    /// What the record holds of the barrier.
    stored: Option<Advance>,
    /// When the Advance that is waited for was last published.
    asked: Instant,
    /// Ticks that were read but not taken.
    ahead: VecDeque<Unread>,
    /// The report was left out of the last commit, or there was none yet.
    owes_report: bool,
    /// A commit has found no room in the stream of commands.
    waits_for_room: bool,
    /// The entry of the inbox that tells of a trade which cannot be booked, and why.
    poison: Option<(StreamId, String)>,
    inbox_cursor: StreamId,
    batch: Batch,
    doubt: Doubt,
    /// What of its register it does not follow, or not yet.
    edits: Edits,
    /// It waits for the bars that closed before its first tick.
    joining: Option<Joining>,
    /// How far the gateway has followed the transfers.
    followed: Followed,
    /// The gateway does not read what says as of which tick orders are to be matched.
    gateway_is_older: bool,
    /// Live prices have ages; those of a replay have none.
    prices: Option<Prices>,
    /// Bars that the recording of a replay holds whole; `None` before it was looked.
    recorded: Option<WholeBars<BarsOf>>,
}

/// Runs until asked to stop. Every line it logs carries strategy, epoch and cursor.
pub async fn run<B: Bus>(runtime: Runtime<B>, spec: StrategySpec, registry: Registry) -> Result<(), Stop> {
    // The one venue of a manifest is the simulated one.
    run_at(Place::Simulated, runtime, spec, registry).await
}

/// Who begins: a worker that trades, or one that has nothing to trade by.
enum Start<'a, B> {
    Worker(Box<Worker<'a, B>>),
    Refused(Box<Refused<B>>),
}

impl<B: Bus> Start<'_, B> {
    fn refused(
        (runtime, told): (&Runtime<B>, &StrategySpec),
        owner: Owner,
        session: Session<B>,
        (spec, message): (StrategySpec, String),
    ) -> Self {
        let (runtime, told) = (runtime.clone(), told.clone());
        Self::Refused(Box::new(Refused { runtime, owner, told, spec, message, session }))
    }
}

/// Where an account's orders trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In its gateway's record: the worker waits for its word.
    Simulated,
    /// At a venue, which tells what it will when it will.
    #[cfg_attr(not(test), expect(dead_code, reason = "no manifest names such a venue yet; the simulations do"))]
    Elsewhere,
}

/// Runs at a venue of either kind.
pub(crate) async fn run_at<B: Bus>(
    place: Place,
    runtime: Runtime<B>,
    spec: StrategySpec,
    registry: Registry,
) -> Result<(), Stop> {
    let epoch = runtime.identity.epoch;
    let span = tracing::error_span!("strategy", strategy = spec.name, epoch, cursor = tracing::field::Empty);
    live(place, &runtime, &spec, &registry).instrument(span).await
}

/// After a conflict it starts again from the record. Once its ledger is closed it has nothing left to do but to be there
/// until it is asked to stop: an end by itself would only be started again.
async fn live<B: Bus>(
    place: Place,
    runtime: &Runtime<B>,
    spec: &StrategySpec,
    registry: &Registry,
) -> Result<(), Stop> {
    let working = || async {
        loop {
            let Some(ruled) = prices::ruled(runtime, spec).await? else { return Ok(()) };
            let ended = match Worker::start(place, runtime, &ruled, registry).await? {
                Start::Worker(mut worker) => {
                    worker.follows_rules_beyond(spec);
                    worker.work().await
                }
                Start::Refused(refused) => refused.stay().await,
            };
            match ended {
                Err(Stop::RegisterNews) => tracing::info!("{}", Stop::RegisterNews),
                ended => return ended,
            }
        }
    };
    match again_after_conflicts(runtime, working).await {
        Err(closed @ Stop::LedgerClosed { .. }) => {
            runtime.health.not_ready("LedgerClosed", &closed.to_string());
            runtime.shutdown.clone().wait().await;
            Ok(())
        }
        ended => ended,
    }
}

impl<'a, B: Bus> Worker<'a, B> {
    async fn start(
        place: Place,
        runtime: &Runtime<B>,
        told: &StrategySpec,
        registry: &'a Registry,
    ) -> Result<Start<'a, B>, Stop> {
        let account = runtime.account_scope(&told.account.name)?;
        let owner = runtime.identity.keys.strategy(&account, &told.name);
        let (mut session, acquired) = Session::acquire(runtime, &owner).await?;
        let newest = edits::newest(runtime, &owner, told).await?;
        let field = |name: &str| acquired.fields.get(name).map(|saved| &**saved);
        let begun = refused::open(runtime, (told, newest), registry, (&mut session, &acquired)).await?;
        let (spec, Opened { engine, child, fault }, refused) = match begun {
            Begun::Opened(spec, opened, refused) => (spec, opened, refused),
            Begun::Refused(spec, message) => {
                return Ok(Start::refused((runtime, told), owner, session, (spec, message)));
            }
        };
        let stored = stored_advance(&owner, field(ADVANCE))?;
        let barrier = match place {
            Place::Simulated => Barrier::simulated(&spec.account, stored.clone()),
            Place::Elsewhere => Barrier::default(),
        };
        let (data, made) = match engine.ticks() {
            0 => (Some(DataHash::default()), None),
            _ => (DataHash::saved(field(DATA), &engine), Some(Made::saved(field(MADE)))),
        };
        runtime.health.ended(engine.ended_orders());
        let broken = |error: IdError| Stop::Record { owner: owner.name().to_owned(), problem: error.to_string() };
        let ledger = runtime.identity.ledger.parse().map_err(broken)?;
        let symbols: Vec<_> = engine.instruments().iter().map(|(_, instrument)| instrument.symbol.clone()).collect();
        let last = engine.last_tick().map(|tick| tick.symbol.clone());
        let streams = streams_of(runtime, &spec.account, symbols, &acquired).await?;
        let joining = Joining::of(runtime, &spec.account, &engine, &streams, &acquired)?;
        let prices = Prices::of(runtime, told).await?;
        let markets = Markets::of(streams, last.as_ref());
        let inbox_cursor = acquired.cursors.get(owner.inbox()).copied().unwrap_or(StreamId::ZERO);
        let mut worker = Self {
            followed: Followed::saved(&owner, field(FOLLOWED))?,
            runtime: runtime.clone(),
            spec,
            registry,
            owner,
            ledger,
            markets,
            session,
            engine,
            child,
            unjudged: None,
            data,
            pending: Pending::default(),
            barrier,
            stored,
            asked: Instant::now(),
            ahead: VecDeque::new(),
            owes_report: true,
            waits_for_room: false,
            poison: None,
            inbox_cursor,
            batch: Batch::default(),
            doubt: Doubt::default(),
            edits: Edits { refused, ..Edits::default() },
            joining,
            gateway_is_older: false,
            prices,
            recorded: None,
        };
        if let Some(fault) = &fault {
            worker.has_failed(fault);
        }
        worker.begin(&acquired.fields, made).await?;
        Ok(Start::Worker(Box::new(worker)))
    }

    /// Follows what was said meanwhile, and stores as what it goes on, before it takes anything.
    async fn begin(&mut self, saved: &Fields, made: Option<Made>) -> Result<(), Stop> {
        self.follow_register().await?;
        self.is_made_of(made)?;
        self.keep_traded(saved.contains_key(TRADED))?;
        self.tell_needs(saved)?;
        self.batch.touch();
        self.tell_what_is_owed().await?;
        self.store().await?;
        self.tell_readiness();
        tracing::info!(version = self.session.version(), "the strategy trades");
        Ok(())
    }

    async fn work(&mut self) -> Result<(), Stop> {
        while !self.runtime.shutdown.asked() {
            if self.edits.is_due && self.poison.is_none() {
                return self.start_anew().await;
            }
            let Some(read) = self.read().await? else { break };
            let is_idle = read.inbox.is_empty() && read.ticks.is_empty() && !self.batch.is_dirty();
            if is_idle && self.owes_report {
                self.store().await?;
            } else if is_idle || self.session.is_silent() {
                // With nothing to commit, or no room for it, nobody else would say that this process is replaced, or its
                // record gone.
                self.session.beat().await?;
            }
            if self.session.register_is_news() {
                // Its nudge is lost or still on its way: the store has told.
                self.follow_register().await?;
            }
            self.look_at_source().await?;
            if !read.ticks.is_empty() {
                self.look_for_recorded_bars().await?;
            }
            self.take_inbox(read.inbox).await?;
            self.consult_and_take().await?;
            if self.must_ask() {
                break;
            }
            if self.edits.is_due && self.poison.is_none() {
                // No tick is taken any more as before the edit.
                continue;
            }
            self.join().await?;
            if self.runtime.shutdown.asked() {
                // Asked while an inbox entry did not read: nothing is traded past it, not even on the way out.
                break;
            }
            self.ahead.extend(read.ticks);
            self.take_ticks();
            self.consult_and_take().await?;
            if self.must_ask() {
                break;
            }
            if let Some((id, problem)) = self.poison.clone() {
                return self.quarantine(id, &problem, inbox::UNKNOWN_ORDER).await;
            }
            if self.batch.is_due(TICKS_MAX, UNCOMMITTED_MAX) {
                self.store().await?;
            }
            self.settle_doubt().await?;
        }
        // What its process has not answered is not stored: it is asked again.
        if !self.must_ask() && (self.batch.is_dirty() || self.owes_report) {
            self.store().await?;
        }
        Ok(())
    }

    /// Whether ticks may be taken now.
    fn may_take_ticks(&self) -> bool {
        self.barrier.waits_for().is_none() && self.follows_ticks()
    }

    /// Whether ticks are of use now, though the gateway may have to be waited for first.
    fn follows_ticks(&self) -> bool {
        let is_stopped = self.engine.desired() == DesiredState::Stopped && self.engine.open_orders().len() == 0;
        let is_free = self.poison.is_none() && self.joining.is_none() && !self.doubt.is_open();
        is_free && !is_stopped && !self.engine.is_mismatched()
    }

    async fn read(&mut self) -> Result<Option<Read>, Stop> {
        let mut cursors = vec![(self.owner.inbox().clone(), self.inbox_read_cursor())];
        if self.ahead.is_empty() && self.follows_ticks() && !self.engine.data_ended() {
            self.pace().await;
            cursors.extend(self.markets.cursors());
        }
        let block = match &self.joining {
            Some(_) => joining::LOOK,
            None if self.batch.is_dirty() || self.owes_report => UNCOMMITTED_MAX,
            None => IDLE,
        };
        let bus = self.runtime.bus.clone();
        let runtime = self.runtime.clone();
        let reading = patiently(&runtime, || bus.read(&cursors, TICKS_MAX, Some(block)));
        let Some(found) = self.runtime.shutdown.or(reading).await else { return Ok(None) };
        let mut found = found?;
        if self.markets.are_several() && found.iter().any(|(stream, _)| self.markets.of_stream(stream).is_some()) {
            // Who was waiting is woken by the first of the streams and told of that one alone; read without waiting, all
            // are as of one moment.
            found = patiently(&runtime, || bus.read(&cursors, TICKS_MAX, None)).await?;
        }
        let (mut inbox, mut ticks) = (Vec::new(), Vec::new());
        for (stream, entries) in found {
            match self.markets.of_stream(&stream) {
                Some(market) => ticks.push((market, entries)),
                None => inbox = entries,
            }
        }
        if !ticks.is_empty() {
            self.has_read();
        }
        Ok(Some(Read { inbox, ticks: self.markets.merge(ticks, TICKS_MAX) }))
    }
}

/// The Advance in a record's field.
fn stored_advance(owner: &Owner, field: Option<&str>) -> Result<Option<Advance>, Stop> {
    field.map(serde_json::from_str).transpose().map_err(|error| Stop::Record {
        owner: owner.name().to_owned(),
        problem: format!("its field {ADVANCE}: {error}"),
    })
}

/// The stream of each of these markets, and where a strategy stands in it.
async fn streams_of<B: Bus>(
    runtime: &Runtime<B>,
    account: &AccountSpec,
    symbols: Vec<Symbol>,
    acquired: &Acquired,
) -> Result<Vec<(Symbol, StreamKey, StreamId)>, Stop> {
    let source = runtime.source_scope(&account.source())?;
    let mut streams = Vec::new();
    for symbol in symbols {
        let stream = runtime.identity.keys.market_tick(&source, symbol.as_str());
        let cursor = match acquired.cursors.get(&stream) {
            Some(cursor) => *cursor,
            None => joins_after(runtime, &stream).await?,
        };
        streams.push((symbol, stream, cursor));
    }
    Ok(streams)
}

/// Where a strategy that comes later joins: at the feed's position. Behind the last tick of the data nothing would ever come;
/// it takes that one, and has seen the end.
async fn joins_after<B: Bus>(runtime: &Runtime<B>, ticks: &StreamKey) -> Result<StreamId, Stop> {
    let Some(last) = patiently(runtime, || runtime.bus.last_id(ticks)).await? else { return Ok(StreamId::ZERO) };
    let found = patiently(runtime, || runtime.bus.range(ticks, last, last, 1)).await?;
    let has_ended = found.first().and_then(|entry| entry.decode::<Tick>().ok()).is_some_and(|tick| tick.last);
    Ok(if has_ended { last.previous() } else { last })
}

/// What one read gave.
#[derive(Debug)]
struct Read {
    inbox: Vec<Entry>,
    ticks: VecDeque<Unread>,
}

//! Live prices of one source, for all accounts of a namespace that take them.
//!
//! Nobody is waited for: a reader joins at the position, and one that is behind sees a gap. What is missing is named in the
//! commit of the tick behind it, and the bars that it touches are the venue's own.

mod bars;
mod news;
mod numbers;
mod pulse;
mod readers;
#[cfg(test)]
pub(crate) mod tests;
mod venue;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use ::venue::live::{HoleCause, Live, MarketRules, News, Traffic};
use bus::{Bounds, Fields, Message, Owner, Retention, Scope, StreamKey};
use crds::roles::LiveSpec;
use crds::source::{ALIVE, LINK, Link, MARKETS, SourceMarket, UNQUOTED};
use engine::instrument::Symbol;
use tracing::Instrument;

use crate::roles::clock::StoreClock;
use crate::roles::document::message;
use crate::roles::feed::bars::{Bars, take_up};
use crate::roles::session::{Change, Done, Session, again_after_conflicts};
use crate::roles::{Bus, Runtime, Stop};

use bars::Filling;
use news::{Market, Told};
pub(crate) use numbers::Gap;
use numbers::{Numbered, Numbers};
use pulse::{BEAT, Pulse};
use readers::Readers;
pub(crate) use venue::{open, way};

/// Ticks at most in one commit.
const BATCH_MAX: usize = 250;
/// How long after a commit the next one waits for more: a store that serves many readers is read in batches.
const PACE: Duration = Duration::from_millis(20);
/// How long ticks and gaps stay in their streams, in milliseconds.
const KEPT_MS: u64 = 3_600_000;
/// Entries of `market.gap` at most, and for how long, in milliseconds.
const GAPS_KEPT: Retention = Retention { max_len: Some(10_000), max_age_ms: Some(24 * 3_600_000) };

/// A live feed at work.
struct LiveFeed<B> {
    runtime: Runtime<B>,
    owner: Owner,
    source: Scope,
    session: Session<B>,
    live: Live,
    /// News that were read but not taken.
    waiting: VecDeque<News>,
    numbers: Numbers,
    /// The markets that are followed, each with its stream.
    streams: BTreeMap<Symbol, StreamKey>,
    markets: BTreeMap<Symbol, SourceMarket>,
    link: Option<Link>,
    /// Markets of which trades come, and no quote.
    unquoted: BTreeSet<Symbol>,
    bars: Bars,
    filling: Filling,
    readers: Readers,
    clock: StoreClock,
    pulse: Pulse,
    told: Metered,
}

/// What the metrics have told.
#[derive(Debug, Default)]
struct Metered {
    traffic: Traffic,
    ages_of: BTreeSet<String>,
}

/// Runs until asked to stop, on the source that `open` makes. After a conflict it starts again from the record, on another.
pub(crate) async fn run<B: Bus>(
    runtime: Runtime<B>,
    spec: LiveSpec,
    open: impl Fn(&LiveSpec) -> Result<Live, Stop>,
) -> Result<(), Stop> {
    run_by(runtime, spec, open, bus::since_boot).await
}

/// The same; time passes by this clock.
async fn run_by<B: Bus>(
    runtime: Runtime<B>,
    spec: LiveSpec,
    open: impl Fn(&LiveSpec) -> Result<Live, Stop>,
    since_boot: fn() -> Duration,
) -> Result<(), Stop> {
    let epoch = runtime.identity.epoch;
    let span = tracing::error_span!("feed", source = spec.source, epoch, cursor = tracing::field::Empty);
    let running = again_after_conflicts(&runtime, || async {
        LiveFeed::start(&runtime, &spec.source, open(&spec)?, since_boot).await?.work().await
    });
    running.instrument(span).await
}

impl<B: Bus> LiveFeed<B> {
    async fn start(runtime: &Runtime<B>, source: &str, live: Live, since_boot: fn() -> Duration) -> Result<Self, Stop> {
        let source = runtime.source_scope(source)?;
        let keys = &runtime.identity.keys;
        let owner = keys.feed(&source);
        let (session, acquired) = Session::acquire(runtime, &owner).await?;
        let unread = |problem| Stop::Record { owner: owner.name().to_owned(), problem };
        let mut numbers = Numbers::restore(&acquired.fields).map_err(unread)?;
        numbers.are_missing(HoleCause::Restart);
        let mut bars = Bars::new(keys.clone(), source.clone(), BTreeMap::new());
        take_up(runtime, &mut bars, &acquired.fields).await?;
        let clock = StoreClock::look_by(runtime, since_boot).await?;
        let filling = Filling::restore(&bars, clock.now(), &acquired.fields).map_err(unread)?;
        let mut feed = Self {
            runtime: runtime.clone(),
            owner,
            source,
            session,
            live,
            waiting: VecDeque::new(),
            numbers,
            streams: BTreeMap::new(),
            markets: saved_markets(&acquired.fields),
            link: None,
            unquoted: BTreeSet::new(),
            filling,
            bars,
            readers: Readers::default(),
            clock,
            pulse: Pulse::new(since_boot),
            told: Metered::default(),
        };
        feed.follow_register().await?;
        // What the process before knew of the way is not known.
        let mut change = feed.position()?;
        change.delete.extend([LINK, UNQUOTED].map(str::to_owned));
        feed.commit(change).await?;
        runtime.health.starting("connecting to the venue");
        Ok(feed)
    }

    async fn work(&mut self) -> Result<(), Stop> {
        let mut shutdown = self.runtime.shutdown.clone();
        loop {
            let has_more = !self.waiting.is_empty();
            let woken = tokio::select! {
                biased;
                () = shutdown.wait() => Woken::Stop,
                answer = self.filling.answered() => Woken::Candles(answer),
                () = std::future::ready(()), if has_more => Woken::Look,
                news = self.live.news.recv() => Woken::News(news),
                () = tokio::time::sleep(BEAT) => Woken::Look,
            };
            self.pulse.beat();
            match woken {
                Woken::Stop => return Ok(()),
                Woken::News(None) => return Err(Stop::MarketData("the source of live prices has ended".to_owned())),
                Woken::News(Some(first)) => self.waiting.push_back(first),
                Woken::Candles(answer) => self.fill(answer).await?,
                Woken::Look => {}
            }
            self.take().await?;
            self.look().await?;
        }
    }

    /// What is due: the store's clock, the readers, bars that are to be asked for, a sign of life.
    async fn look(&mut self) -> Result<(), Stop> {
        self.clock.refresh(&self.runtime).await?;
        if self.readers.are_due() {
            self.follow_register().await?;
            self.hear_readers().await?;
        }
        self.ask_for_candles();
        self.meter();
        if self.session.is_silent() {
            self.session.beat().await?;
        }
        Ok(())
    }

    /// Tells the metrics what has passed.
    fn meter(&mut self) {
        let traffic = self.live.traffic();
        self.runtime.health.passed(&self.told.traffic, &traffic);
        self.told.traffic = traffic;
        let (now, numbers) = (self.clock.now(), &self.numbers);
        let last = |symbol| Some(now.millis_since(numbers.last(symbol)?.time));
        let ages = self.streams.keys().filter_map(|symbol| Some((symbol.as_str(), last(symbol)?)));
        self.runtime.health.tick_ages(&mut self.told.ages_of, ages);
    }

    /// Stores what was told, in one commit; then waits a little, so that more comes into the next one.
    async fn store(&mut self, told: Told) -> Result<(), Stop> {
        let mut change = Change::default();
        let Told { market, link, markets, unquoted, alive } = told;
        let (mut ticks, mut quoted) = (0, false);
        for told in market {
            let trade = match told {
                Market::Trade(trade) => trade,
                Market::Hole(symbol, cause) => {
                    self.numbers.is_missing(&symbol, cause);
                    continue;
                }
            };
            let Some(stream) = self.streams.get(&trade.symbol).cloned() else { continue };
            let Some(Numbered { tick, gap }) = self.numbers.take(trade) else { continue };
            if let Some(gap) = gap {
                change.messages.push(self.gap(&gap));
                let unfilled = self.breaks(gap)?;
                // Of several in one commit the last one tells of all.
                change.set.retain(|(name, _)| unfilled.as_ref().is_none_or(|(unfilled, _)| name != unfilled));
                change.set.extend(unfilled);
            }
            quoted |= self.unquoted.remove(&tick.symbol);
            change.messages.push(message(stream, &tick).with_retention(kept()));
            change.messages.extend(self.bars.closed_by(&tick));
            ticks += 1;
        }
        if ticks > 0 {
            change.set.extend(self.position()?.set);
            change.set.extend((!self.bars.kept.is_empty()).then(|| self.bars.field()));
            self.runtime.health.ticks(ticks);
        }
        if quoted || !unquoted.is_empty() {
            self.unquoted.extend(unquoted);
            if self.unquoted.is_empty() {
                change.delete.push(UNQUOTED.to_owned());
            } else {
                change.set.push((UNQUOTED.to_owned(), text(&self.unquoted)?));
            }
        }
        if alive {
            change.set.push((ALIVE.to_owned(), self.clock.now().millis().to_string()));
        }
        if let Some(link) = link {
            change.set.push(self.follow_link(link)?);
        }
        if !markets.is_empty() {
            change.set.push(self.follow_rules(markets)?);
        }
        self.commit(change).await?;
        if ticks > 0 {
            tracing::Span::current().record("cursor", self.numbers.next());
            self.pulse.through(tokio::time::sleep(PACE)).await;
        }
        Ok(())
    }

    /// The way to the venue is another one. Gives the field that tells so.
    fn follow_link(&mut self, link: ::venue::live::Link) -> Result<(String, String), Stop> {
        let (reason, message) = news::reason(link);
        let health = &self.runtime.health;
        if reason.is_empty() {
            health.ready();
        } else {
            health.not_ready(reason, &message);
        }
        let link = Link { reason: reason.to_owned(), message, since: self.clock.now() };
        let field = (LINK.to_owned(), text(&link)?);
        self.link = Some(link);
        Ok(field)
    }

    /// The venue tells of markets. Gives the field with all of them.
    fn follow_rules(&mut self, markets: BTreeMap<Symbol, MarketRules>) -> Result<(String, String), Stop> {
        for (symbol, rules) in markets {
            match news::market(rules) {
                Ok(market) => {
                    self.markets.insert(symbol, market);
                }
                // What was known before, or is written in a manifest, goes on.
                Err(problem) => tracing::error!(%symbol, "the venue's rules are not taken: {problem}"),
            }
        }
        Ok((MARKETS.to_owned(), text(&self.markets)?))
    }

    /// Whether the venue is there.
    fn is_up(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.reason.is_empty())
    }

    /// Ticks are missing, as outsiders are told.
    fn gap(&self, gap: &Gap) -> Message {
        self.runtime.health.gap(&gap.cause);
        tracing::warn!(symbol = %gap.symbol, cause = gap.cause, missed = gap.missed, "ticks are missing");
        self.told(gap)
    }

    fn told(&self, gap: &Gap) -> Message {
        message(self.runtime.identity.keys.market_gap(&self.source), gap).with_retention(GAPS_KEPT)
    }

    /// How far the ticks are out.
    fn position(&self) -> Result<Change, Stop> {
        Ok(Change { set: self.numbers.to_fields().map_err(unsaved)?.to_vec(), ..Change::default() })
    }

    async fn commit(&mut self, change: Change) -> Result<(), Stop> {
        match self.pulse.through(self.session.commit(change)).await? {
            Done::Stored => Ok(()),
            // Ticks are trimmed, never bounded; were they taken for stored, they would be lost.
            Done::Busy(stream) => {
                Err(Stop::Store(format!("{stream} is said to be at a bound, which a feed never sets")))
            }
        }
    }
}

/// Why the loop goes on.
enum Woken {
    Stop,
    News(Option<News>),
    Candles(bars::Answer),
    Look,
}

/// What the process before knew of the markets; the venue tells them anew.
fn saved_markets(fields: &Fields) -> BTreeMap<Symbol, SourceMarket> {
    match crds::source::markets(|name| fields.get(name).map(|text| &**text)) {
        Ok(markets) => markets,
        Err(problem) => {
            tracing::error!("{problem}; the venue is asked for them");
            BTreeMap::new()
        }
    }
}

/// What a stream of ticks keeps: as many as a gateway may look for, and none that is of no use to anybody.
const fn kept() -> Retention {
    let entries = Bounds::TICKS.entries + Bounds::TICKS_AHEAD.entries;
    Retention { max_len: Some(entries), max_age_ms: Some(KEPT_MS) }
}

fn text(document: &impl serde::Serialize) -> Result<String, Stop> {
    serde_json::to_string(document).map_err(unsaved)
}

fn unsaved(error: impl std::fmt::Display) -> Stop {
    Stop::Unsaved { owner: "feed".to_owned(), problem: error.to_string() }
}

//! What lives on the screen while prices are live: each strategy with its price and that price's age, its orders, its position
//! and its profit, and how the way to each venue is. On a terminal it is drawn anew each second; off one it is a line a minute.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bus::{Entry, Owner, StreamId, StreamKey};
use crds::record::{PHASE, Phase, REPORT};
use crds::source::{self, ALIVE, Fault, LINK};
use engine::instrument::Symbol;
use engine::messages::Tick;
use engine::numbers::Price;
use engine::report::Report;
use engine::time::Timestamp;

use crate::fleet::provision::{LivePlace, Places};
use crate::outcome::clock::Clock;
use crate::process::exit::Failure;
use crate::roles::clock::StoreClock;
use crate::roles::feed::live::Gap;
use crate::roles::session::patiently;
use crate::roles::{Bus, Runtime};

use super::rows::{Row, age, line, lines};
use super::screen::Screen;

/// How often it is drawn.
const LOOK: Duration = Duration::from_secs(1);
/// How often a line is said where nothing is drawn.
const SAY: Duration = Duration::from_mins(1);
/// Holes at most that are told in one look.
const GAPS_MAX: usize = 100;

/// All that is shown.
#[derive(Debug, Default)]
pub(super) struct Board {
    feeds: Vec<Feed>,
    markets: Vec<Market>,
    clock: Option<StoreClock>,
    looked: Option<Instant>,
    said: Option<Instant>,
}

/// A feed.
#[derive(Debug)]
struct Feed {
    owner: Owner,
    source: String,
    symbols: Vec<Symbol>,
    /// Where its holes are told, and the last one that was read.
    gaps: (StreamKey, StreamId),
    /// What was said of it last: why there are no prices, or nothing where there are.
    told: Option<String>,
}

/// A strategy in one of its markets.
#[derive(Debug)]
struct Market {
    name: String,
    owner: Owner,
    feed: Owner,
    symbol: Symbol,
    ticks: StreamKey,
}

/// What a feed says of its markets.
#[derive(Debug, Default)]
struct Told {
    /// How it is, in words.
    words: Vec<String>,
    /// The steps of the prices.
    steps: BTreeMap<Symbol, Price>,
}

impl Board {
    /// Of live feeds, and of the strategies that read them. What they told before is not told again.
    pub async fn of<B: Bus>(runtime: &Runtime<B>, lives: &[LivePlace], accounts: &[Places]) -> Result<Self, Failure> {
        let keys = &runtime.identity.keys;
        let mut board = Self::default();
        for LivePlace { feed, .. } in lives {
            let (owner, source) = (feed.owner.clone(), feed.spec.source.clone());
            let gaps = keys.market_gap(owner.scope());
            let last = patiently(runtime, || runtime.bus.last_id(&gaps)).await?.unwrap_or(StreamId::ZERO);
            board.feeds.push(Feed { owner, source, symbols: Vec::new(), gaps: (gaps, last), told: None });
        }
        for places in accounts.iter().filter(|places| places.gateway.spec.account.is_live()) {
            let source = places.source()?;
            let strategies = places.strategies.iter();
            let markets = strategies.flat_map(|place| {
                place.spec.spec.instruments.iter().map(|instrument| Market {
                    name: place.spec.name.clone(),
                    owner: place.owner.clone(),
                    feed: keys.feed(&source),
                    ticks: keys.market_tick(&source, instrument.symbol.as_str()),
                    symbol: instrument.symbol.clone(),
                })
            });
            let markets: Vec<_> = markets.collect();
            if let Some(feed) = board.feeds.iter_mut().find(|feed| *feed.owner.scope() == source) {
                feed.symbols.extend(markets.iter().map(|market| market.symbol.clone()));
            }
            board.markets.extend(markets);
        }
        Ok(board)
    }

    /// Whether it is to be drawn.
    pub fn is_due(&self) -> bool {
        !self.feeds.is_empty() && self.looked.is_none_or(|looked| looked.elapsed() >= LOOK)
    }

    /// Draws, or says what is due.
    pub async fn look<B: Bus>(&mut self, runtime: &Runtime<B>, screen: &mut Screen) -> Result<(), Failure> {
        self.looked = Some(Instant::now());
        let mut clock = match self.clock {
            Some(clock) => clock,
            None => StoreClock::look(runtime).await?,
        };
        clock.refresh(runtime).await?;
        self.clock = Some(clock);
        let now = clock.now();
        let mut ticks = BTreeMap::new();
        for market in &self.markets {
            if !ticks.contains_key(&market.ticks) {
                ticks.insert(market.ticks.clone(), last(runtime, &market.ticks).await?);
            }
        }
        let (mut feeds, mut steps) = (Vec::new(), BTreeMap::new());
        for feed in &mut self.feeds {
            let priced = self.markets.iter().filter(|market| market.feed == feed.owner);
            let has_price = priced.filter_map(|market| ticks.get(&market.ticks)).any(Option::is_some);
            let told = feed.look(runtime, now, has_price, screen).await?;
            feeds.push(told.words);
            steps.insert(feed.owner.clone(), told.steps);
        }
        let mut rows = Vec::new();
        for market in &self.markets {
            let tick = ticks.get(&market.ticks).and_then(Option::as_ref);
            let step = steps.get(&market.feed).and_then(|steps| steps.get(&market.symbol));
            rows.push(market.look(runtime, now, tick, step.copied()).await?);
        }
        if let Some(width) = screen.drawn_width() {
            screen.draw(&lines(&feeds, &rows, width));
        } else if self.said.is_none_or(|said| said.elapsed() >= SAY) {
            // The first one after a minute: before that there is nothing to say that was not said.
            if self.said.replace(Instant::now()).is_some() {
                screen.line(&line(&feeds, &rows));
            }
        }
        Ok(())
    }
}

/// Strategies whose rules are the source's are valued by them.
pub(super) async fn know_rules<B: Bus>(runtime: &Runtime<B>, accounts: &mut [Places]) -> Result<(), Failure> {
    for places in accounts.iter_mut().filter(|places| places.gateway.spec.account.is_live()) {
        let feed = runtime.identity.keys.feed(&places.source()?);
        let record = patiently(runtime, || runtime.bus.record(&feed)).await?;
        let field = |name: &str| record.as_ref()?.fields.get(name).map(|text| &**text);
        let markets =
            source::markets(field).map_err(|problem| Failure::error(format!("the record of the feed: {problem}")))?;
        for place in &mut places.strategies {
            place.spec = place.spec.clone().with_rules(&markets);
        }
    }
    Ok(())
}

/// The last tick of a stream.
async fn last<B: Bus>(runtime: &Runtime<B>, ticks: &StreamKey) -> Result<Option<Entry>, Failure> {
    let Some(last) = patiently(runtime, || runtime.bus.last_id(ticks)).await? else { return Ok(None) };
    let found = patiently(runtime, || runtime.bus.range(ticks, last, last, 1)).await?;
    Ok(found.into_iter().next())
}

impl Feed {
    /// How it is. What has changed of it is said at once, and each hole.
    async fn look<B: Bus>(
        &mut self,
        runtime: &Runtime<B>,
        now: Timestamp,
        has_price: bool,
        screen: &Screen,
    ) -> Result<Told, Failure> {
        let record = patiently(runtime, || runtime.bus.record(&self.owner)).await?;
        let field = |name: &str| record.as_ref()?.fields.get(name).map(|text| &**text);
        if field(LINK).is_none() {
            return Ok(Told { words: vec![format!("feed {}: connecting", self.source)], ..Told::default() });
        }
        let fault = source::fault(field, &self.symbols, now);
        let unquoted = source::unquoted(field);
        let unquoted = self.symbols.iter().find(|symbol| unquoted.contains(symbol));
        let words = match (&fault, unquoted) {
            (Some(Fault { reason, message }), _) => format!("{reason}: {message}"),
            (None, Some(symbol)) => source::without_quotes(symbol),
            (None, None) if has_price => "prices come".to_owned(),
            (None, None) => "connected; no price has come yet".to_owned(),
        };
        if self.told.as_ref() != Some(&words) {
            screen.line(&format!("feed {}: {words}", self.source));
            self.told = Some(words);
        }
        self.tell_holes(runtime, screen).await?;
        let state = fault.map_or_else(|| "up".to_owned(), |fault| fault.reason);
        let alive = field(ALIVE).and_then(|text| text.parse().ok()).map(Timestamp::from_millis);
        let heard = alive.map(|alive| format!("heard of {} ago", age(now, alive)));
        let words = std::iter::once(format!("feed {}: {state}", self.source)).chain(heard).collect();
        let markets = source::markets(field).unwrap_or_default();
        let step = |(symbol, market): (Symbol, source::SourceMarket)| {
            Some((symbol, Price::new(market.rules?.tick_size.get()).ok()?))
        };
        Ok(Told { words, steps: markets.into_iter().filter_map(step).collect() })
    }

    async fn tell_holes<B: Bus>(&mut self, runtime: &Runtime<B>, screen: &Screen) -> Result<(), Failure> {
        let cursor = [self.gaps.clone()];
        let found = patiently(runtime, || runtime.bus.read(&cursor, GAPS_MAX, None)).await?;
        for entry in found.into_iter().flat_map(|(_, entries)| entries) {
            self.gaps.1 = entry.id;
            // It is told again once its bars are whole; that changes nothing on the screen.
            let Some(gap) = entry.decode::<Gap>().ok().filter(|gap| !gap.filled) else { continue };
            if self.symbols.contains(&gap.symbol) {
                let Gap { symbol, cause, from, to, missed, .. } = gap;
                let [from, to] = [from, to].map(|at| Clock::default().write(at.millis()));
                screen.line(&format!(
                    "feed {}: {missed} trades of {symbol} are missing, {cause}, from {from} to {to}",
                    self.source
                ));
            }
        }
        Ok(())
    }
}

impl Market {
    async fn look<B: Bus>(
        &self,
        runtime: &Runtime<B>,
        now: Timestamp,
        last: Option<&Entry>,
        step: Option<Price>,
    ) -> Result<Row, Failure> {
        let tick = last.and_then(|entry| Some((entry.id, entry.decode::<Tick>().ok()?)));
        // Of the venue's word and of when it was stored the older one counts, as for the strategy.
        let age = tick.as_ref().map(|(id, tick)| {
            let stored = Timestamp::from_millis(i64::try_from(id.ms).unwrap_or(i64::MAX));
            age(now, stored.min(tick.event_time()))
        });
        let record = patiently(runtime, || runtime.bus.record(&self.owner)).await?;
        let field = |name: &str| record.as_ref()?.fields.get(name);
        let report: Option<Report> = field(REPORT).and_then(|text| serde_json::from_str(text).ok());
        let price = tick
            .map(|(_, tick)| step.map_or_else(|| tick.price.to_string(), |step| tick.price.shown_in(step).to_string()));
        let position = |report: &Report| {
            let (base, quote) = (self.symbol.base(), self.symbol.quote());
            let of = |asset: &str| report.position.get(asset).map(|held| format!("{held} {asset}"));
            [of(base.as_str()), of(quote.as_str())].into_iter().flatten().collect::<Vec<_>>().join(" + ")
        };
        Ok(Row {
            name: self.name.clone(),
            symbol: self.symbol.to_string(),
            price,
            age,
            orders: report.as_ref().map(|report| report.orders.open),
            position: report.as_ref().map(position).filter(|position| !position.is_empty()),
            net: report.map(|report| report.summary.net_pnl).filter(|net| !net.is_empty()),
            state: Phase::of(field(PHASE)).map_or_else(|| "Starting".to_owned(), |phase| phase.reason),
        })
    }
}

//! What a strategy on live prices knows of time and of its source. On a replay time is the ticks', and there is nothing to know.
//!
//! A price has an age by the store's clock: of the venue's word and of when the feed stored it the older one counts, so a venue
//! whose clock is ahead makes nothing younger than it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bus::{Owner, Record};
use crds::roles::StrategySpec;
use crds::source::{self, Fault};
use engine::instrument::Symbol;
use engine::market::Bar;
use engine::orders::{Order, OrderState};
use engine::strategies::BarsOf;
use engine::time::Timestamp;

use super::Worker;
use super::barrier::At;
use crate::roles::clock::StoreClock;
use crate::roles::session::patiently;
use crate::roles::{Bus, Runtime, Stop};

/// How often the feed's record is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How often it is while the rules of a market are awaited.
const LOOK_FOR_RULES: Duration = Duration::from_millis(200);
/// How long after ticks were read the next ones are: a store that serves many readers is read in batches. A tick that comes
/// alone is read at once.
const PACE: Duration = Duration::from_millis(30);

/// Live prices.
#[derive(Debug)]
pub(super) struct Prices {
    clock: StoreClock,
    /// How far the venue's clock is before the store's, by the last tick.
    ahead_ms: i64,
    feed: Owner,
    looked: Option<Instant>,
    pace: Pace,
    /// Why there are none.
    fault: Option<Fault>,
    /// Markets of which trades come, and no quote yet.
    unquoted: BTreeSet<Symbol>,
    /// Markets whose rules are the source's.
    ruled: BTreeSet<Symbol>,
    /// Bars that the feed knows whole and the engine does not, until the next tick of their market.
    pub(super) whole: BTreeMap<BarsOf, Vec<Bar>>,
}

/// When live ticks were read last.
#[derive(Debug, Default)]
struct Pace {
    read: Option<Instant>,
}

impl Pace {
    /// For how long the next ticks are left to gather; `None` where they are due.
    fn rest(&self, now: Instant) -> Option<Duration> {
        let rest = PACE.saturating_sub(now.saturating_duration_since(self.read?));
        (rest > Duration::ZERO).then_some(rest)
    }
}

impl Prices {
    /// Of a strategy that was told this; none on a replay.
    pub async fn of<B: Bus>(runtime: &Runtime<B>, told: &StrategySpec) -> Result<Option<Self>, Stop> {
        if !told.account.is_live() {
            return Ok(None);
        }
        Ok(Some(Self {
            clock: StoreClock::look(runtime).await?,
            ahead_ms: 0,
            feed: feed(runtime, told)?,
            looked: None,
            pace: Pace::default(),
            fault: None,
            unquoted: BTreeSet::new(),
            ruled: BTreeSet::new(),
            whole: BTreeMap::new(),
        }))
    }

    fn now(&self) -> Timestamp {
        self.clock.now().plus_millis(self.ahead_ms)
    }
}

/// The same spec with the rules that its source tells where it has none; `None` if it is asked to stop before there are any.
pub(super) async fn ruled<B: Bus>(runtime: &Runtime<B>, told: &StrategySpec) -> Result<Option<StrategySpec>, Stop> {
    let mut shutdown = runtime.shutdown.clone();
    loop {
        if !told.account.is_live() || told.has_rules() {
            return Ok(Some(told.clone()));
        }
        let feed = feed(runtime, told)?;
        let record = patiently(runtime, || runtime.bus.record(&feed)).await?;
        let mut fault = None;
        if let Some(record) = &record {
            let unread = |problem| Stop::Record { owner: "feed".to_owned(), problem };
            let spec = told.clone().with_rules(&source::markets(field(record)).map_err(unread)?);
            if spec.has_rules() {
                return Ok(Some(spec));
            }
            let now = patiently(runtime, || runtime.bus.now_ms()).await?;
            fault = source::fault(
                field(record),
                symbols(told),
                Timestamp::from_millis(i64::try_from(now).unwrap_or(i64::MAX)),
            );
        }
        match fault {
            Some(Fault { reason, message }) => runtime.health.not_ready(&reason, &message),
            None => runtime.health.starting("waiting for the venue's rules of the markets"),
        }
        shutdown.sleep(LOOK_FOR_RULES).await;
        if shutdown.asked() {
            return Ok(None);
        }
    }
}

fn feed<B: Bus>(runtime: &Runtime<B>, spec: &StrategySpec) -> Result<Owner, Stop> {
    Ok(runtime.identity.keys.feed(&runtime.source_scope(&spec.account.source())?))
}

fn field<'a>(record: &'a Record) -> impl Fn(&str) -> Option<&'a str> + Copy {
    move |name| record.fields.get(name).map(|text| &**text)
}

fn symbols(spec: &StrategySpec) -> impl Iterator<Item = &Symbol> {
    spec.spec.instruments.iter().map(|instrument| &instrument.symbol)
}

impl<B: Bus> Worker<'_, B> {
    /// Rules that this spec does not write are the source's.
    pub(super) fn follows_rules_beyond(&mut self, told: &StrategySpec) {
        let without = told.spec.instruments.iter().filter(|instrument| instrument.rules.is_none());
        if let Some(prices) = &mut self.prices {
            prices.ruled = without.map(|instrument| instrument.symbol.clone()).collect();
        }
    }

    /// Now, for what happens at an event: on a replay the event's own time.
    pub(super) fn now(&self, event: Timestamp) -> Timestamp {
        self.prices.as_ref().map_or(event, |prices| prices.now().max(event))
    }

    /// Now, for a tick: on a replay its own time, and no tick is stale.
    pub(super) fn now_at(&mut self, at: &At<'_>) -> Timestamp {
        let event = at.tick.event_time();
        if let Some(prices) = &mut self.prices {
            let stored = Timestamp::from_millis(i64::try_from(at.id.ms).unwrap_or(i64::MAX));
            prices.ahead_ms = event.millis_since(stored).max(0);
        }
        self.now(event)
    }

    /// Waits until live ticks are to be read again. Not while an order of its own is on its way: its news is wanted at once. On
    /// a replay nothing is waited for.
    pub(super) async fn pace(&mut self) {
        let is_on_its_way = |order: &Order| matches!(order.state, OrderState::Committed | OrderState::Sent);
        let rest = self.prices.as_ref().and_then(|prices| prices.pace.rest(Instant::now()));
        if let Some(rest) = rest
            && !self.engine.open_orders().any(is_on_its_way)
        {
            self.runtime.shutdown.sleep(rest).await;
        }
    }

    /// Live ticks were read.
    pub(super) fn has_read(&mut self) {
        if let Some(prices) = &mut self.prices {
            prices.pace.read = Some(Instant::now());
        }
    }

    /// Why there are no live prices.
    pub(super) fn price_fault(&self) -> Option<&Fault> {
        self.prices.as_ref()?.fault.as_ref()
    }

    /// Why no tick of one of its markets comes, though its trades do.
    pub(super) fn unquoted(&self) -> Option<String> {
        let unquoted = &self.prices.as_ref()?.unquoted;
        symbols(&self.spec).find(|symbol| unquoted.contains(symbol)).map(source::without_quotes)
    }

    /// Looks now and then how its source is. Rules of the venue that have changed are followed by an engine that is made anew.
    pub(super) async fn look_at_source(&mut self) -> Result<(), Stop> {
        let Some(prices) = self.prices.as_mut().filter(|prices| prices.looked.is_none_or(|at| at.elapsed() >= LOOK))
        else {
            return Ok(());
        };
        prices.looked = Some(Instant::now());
        prices.clock.refresh(&self.runtime).await?;
        let Some(record) = patiently(&self.runtime, || self.runtime.bus.record(&prices.feed)).await? else {
            return Ok(());
        };
        let fault = source::fault(field(&record), symbols(&self.spec), prices.clock.now());
        let markets = source::markets(field(&record)).unwrap_or_default();
        let has_changed = |instrument: &&crds::strategy::InstrumentSpec| {
            let rules = markets.get(&instrument.symbol).and_then(|market| market.rules.as_ref());
            prices.ruled.contains(&instrument.symbol) && rules.is_some() && rules != instrument.rules.as_ref()
        };
        if let Some(instrument) = self.spec.spec.instruments.iter().find(has_changed) {
            tracing::info!(symbol = %instrument.symbol, "the venue's rules have changed");
            self.edits.is_due = true;
        }
        let unquoted = source::unquoted(field(&record));
        if prices.unquoted != unquoted {
            prices.unquoted = unquoted;
            self.batch.touch();
        }
        if prices.fault != fault {
            if let Some(Fault { reason, message }) = &fault {
                tracing::warn!(reason, "no live prices: {message}");
            }
            prices.fault = fault;
            self.batch.touch();
            self.tell_readiness();
        }
        self.look_for_whole_bars(&record.fields).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_that_follow_others_are_read_in_batches_and_one_alone_at_once() {
        let now = Instant::now();
        let of = |millis| Pace { read: Some(now) }.rest(now + Duration::from_millis(millis));
        assert_eq!(Pace::default().rest(now), None);
        assert_eq!(of(0), Some(PACE));
        assert_eq!(of(29), Some(Duration::from_millis(1)));
        assert_eq!([of(30), of(5_000)], [None, None]);
    }
}

//! Bars of which a strategy has missed ticks. On live prices its feed takes them from the venue and keeps them whole, on a replay
//! its feed tells those that the recording holds; from there the engine gets them, right before a tick, so in the commit of that
//! tick.

use bus::{Fields, StreamId};
use engine::Event;
use engine::market::Bar;
use engine::messages::Tick;
use engine::strategies::BarsOf;
use engine::time::Timestamp;

use super::Worker;
use super::barrier::At;
use crate::roles::session::patiently;
use crate::roles::source::{KeptBars, LIST_MAX, RecordedBars, kept, recorded};
use crate::roles::whole::WholeBars;
use crate::roles::{Bus, Stop};

impl<B: Bus> Worker<'_, B> {
    /// Looks in the feed's lists for the bars that are not whole here, and keeps those that are whole there.
    pub(super) async fn look_for_whole_bars(&mut self, of_feed: &Fields) -> Result<(), Stop> {
        let Some(prices) = &self.prices else { return Ok(()) };
        let is_found = |of: &BarsOf, hole: Timestamp| {
            prices.whole.get(of).and_then(|whole| whole.last()).is_some_and(|bar| bar.open_time >= hole)
        };
        let holes = self.engine.bars_with_hole().filter(|(of, hole)| !is_found(of, *hole));
        let holes: Vec<(BarsOf, Timestamp)> = holes.collect();
        if holes.is_empty() {
            return Ok(());
        }
        let kept = match kept(of_feed) {
            Ok(kept) => kept,
            Err(problem) => {
                tracing::error!("the feed's record does not read: {problem}");
                return Ok(());
            }
        };
        for (of, hole) in holes {
            let Some(bars) = self.whole_bars(of, hole, &kept).await? else { continue };
            tracing::info!(%of, bars = bars.len(), "bars of which ticks are missing are taken from the feed");
            if let Some(prices) = &mut self.prices {
                prices.whole.insert(of, bars);
            }
        }
        Ok(())
    }

    /// The feed's bars up to the one that opens at `hole`, if it has that one. Until then it asks the venue.
    async fn whole_bars(&mut self, of: BarsOf, hole: Timestamp, kept: &[KeptBars]) -> Result<Option<Vec<Bar>>, Stop> {
        let Some(symbol) = self.engine.instruments().get(of.instrument).map(|one| one.symbol.clone()) else {
            return Ok(None);
        };
        let Some(kept) = kept.iter().find(|kept| kept.symbol == symbol && kept.interval == of.interval) else {
            return Ok(None);
        };
        let source = self.runtime.source_scope(&self.spec.account.source())?;
        let stream = self.runtime.identity.keys.bars(&source, symbol.as_str(), of.interval.as_str());
        let runtime = self.runtime.clone();
        let list = patiently(&runtime, || runtime.bus.range(&stream, StreamId::ZERO, StreamId::MAX, LIST_MAX)).await?;
        // One that was read while it changed is looked at again soon.
        let Ok(series) = kept.series(&stream, &list) else { return Ok(None) };
        let bars: Vec<Bar> = series.bars().iter().filter(|bar| bar.open_time <= hole).copied().collect();
        Ok(bars.last().is_some_and(|bar| bar.open_time == hole).then_some(bars))
    }

    /// Whether bars are put in before a tick that comes next: a process cannot be told of that one ahead.
    pub(super) fn has_whole_bars(&self) -> bool {
        self.prices.as_ref().is_some_and(|prices| !prices.whole.is_empty())
    }

    /// Reads which bars the recording of its replay holds whole, once: the feed has told them before its first tick.
    pub(super) async fn look_for_recorded_bars(&mut self) -> Result<(), Stop> {
        if self.prices.is_some() || self.recorded.is_some() {
            return Ok(());
        }
        let mut found = Vec::new();
        if self.engine.needed_bars().next().is_some() {
            let feed = self.runtime.identity.keys.feed(&self.runtime.source_scope(&self.spec.account.source())?);
            let record = patiently(&self.runtime, || self.runtime.bus.record(&feed)).await?;
            let unread = |problem| Stop::Record { owner: feed.name().to_owned(), problem };
            found = record.map_or(Ok(Vec::new()), |record| recorded(&record.fields)).map_err(unread)?;
        }
        let of = |recorded: &RecordedBars| {
            let is_it = |of: &BarsOf| {
                let instrument = self.engine.instruments().get(of.instrument);
                instrument.is_some_and(|one| one.symbol == recorded.symbol) && of.interval == recorded.interval
            };
            self.engine.needed_bars().map(|(of, _)| of).find(is_it)
        };
        let series = found.iter().filter_map(|recorded| Some((of(recorded)?, recorded.interval, &recorded.bars[..])));
        self.recorded = Some(WholeBars::of(series));
        Ok(())
    }

    /// Whether bars of the recording are put in before this tick: a process cannot be told of it ahead.
    pub(super) fn puts_in_recorded_bars(&self, tick: &Tick) -> bool {
        self.recorded.as_ref().is_some_and(|recorded| recorded.has_any_before(tick))
    }

    /// Gives the engine the bars of the recording that are over by this tick. Those that it has already change nothing.
    fn put_in_recorded_bars(&mut self, tick: &Tick) {
        let now = tick.event_time();
        let due = self.recorded.as_mut().map(|recorded| recorded.take(now)).unwrap_or_default();
        for (of, bars) in due {
            let effects = self.engine.step(now, Event::WholeBars { of, bars });
            self.absorb(effects);
        }
    }

    /// Gives the engine the whole bars of the market of the tick that comes next.
    pub(super) fn put_in_whole_bars(&mut self, at: &At<'_>) {
        if self.puts_in_recorded_bars(at.tick) {
            self.put_in_recorded_bars(at.tick);
        }
        let Some(prices) = self.prices.as_mut().filter(|prices| !prices.whole.is_empty()) else { return };
        let is_of_market = |of: &BarsOf| of.instrument.get() == at.market;
        let whole: Vec<_> = prices.whole.extract_if(.., |of, _| is_of_market(of)).collect();
        for (of, bars) in whole {
            let now = self.engine.report().as_of;
            let effects = self.engine.step(now, Event::WholeBars { of, bars });
            self.absorb(effects);
        }
    }
}

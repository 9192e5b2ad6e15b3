//! Bars of which a strategy on live prices has missed ticks: its feed takes them from the venue and keeps them whole, and from
//! there the engine gets them, right before a tick, so in the commit of that tick.

use bus::{Fields, StreamId};
use engine::Event;
use engine::market::Bar;
use engine::strategies::BarsOf;
use engine::time::Timestamp;

use super::Worker;
use super::barrier::At;
use crate::roles::session::patiently;
use crate::roles::source::{KeptBars, LIST_MAX, kept};
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

    /// Gives the engine the whole bars of the market of the tick that comes next.
    pub(super) fn put_in_whole_bars(&mut self, at: &At<'_>) {
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

//! The venue's own bars that a recording holds of intervals with a hole: a strategy gets each one when it closes, as one on live
//! prices gets it from its feed.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::market::Bar;
use engine::messages::Tick;
use engine::strategies::BarsOf;
use engine::time::Timestamp;

/// Bars of one strategy, in the order in which they close.
#[derive(Debug, Clone, Default)]
pub struct WholeBars {
    all: Arc<[(Timestamp, BarsOf, Bar)]>,
    /// How many are put in.
    taken: usize,
}

impl WholeBars {
    /// These bars, none of them put in.
    pub fn of<'a>(series: impl IntoIterator<Item = (BarsOf, &'a [Bar])>) -> Self {
        let closes = |of: BarsOf, bar: &Bar| bar.open_time.plus_millis(of.interval.millis());
        let bars = series.into_iter().flat_map(|(of, bars)| bars.iter().map(move |bar| (closes(of, bar), of, *bar)));
        let mut all: Vec<_> = bars.collect();
        all.sort_by_key(|(closes, of, bar)| (*closes, *of, bar.open_time));
        Self { all: all.into(), taken: 0 }
    }

    /// The same, none of them put in.
    pub fn afresh(&self) -> Self {
        Self { all: Arc::clone(&self.all), taken: 0 }
    }

    /// Whether one is put in before this tick.
    pub fn has_any_before(&self, tick: &Tick) -> bool {
        self.all.get(self.taken).is_some_and(|(closes, ..)| *closes <= tick.event_time())
    }

    /// Those that are over by now, by their series.
    pub fn take(&mut self, now: Timestamp) -> BTreeMap<BarsOf, Vec<Bar>> {
        let due = self.all.iter().skip(self.taken).take_while(|(closes, ..)| *closes <= now);
        let mut by_series: BTreeMap<BarsOf, Vec<Bar>> = BTreeMap::new();
        for (_, of, bar) in due {
            by_series.entry(*of).or_default().push(*bar);
            self.taken += 1;
        }
        by_series
    }
}

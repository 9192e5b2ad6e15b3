//! The venue's own bars that a recording holds of intervals with a hole: each is put in when it closes, as one on live prices
//! comes from the venue.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::market::{Bar, Interval};
use engine::messages::Tick;
use engine::time::Timestamp;

/// Bars of several series, in the order in which they close. `K` says of which series one is.
#[derive(Debug, Clone)]
pub struct WholeBars<K> {
    all: Arc<[(Timestamp, K, Bar)]>,
    /// How many are put in.
    taken: usize,
}

impl<K> Default for WholeBars<K> {
    fn default() -> Self {
        Self { all: Arc::new([]), taken: 0 }
    }
}

impl<K: Ord + Clone> WholeBars<K> {
    /// These bars, none of them put in.
    pub fn of<'a>(series: impl IntoIterator<Item = (K, Interval, &'a [Bar])>) -> Self {
        let mut all = Vec::new();
        for (of, interval, bars) in series {
            let closes = |bar: &Bar| bar.open_time.plus_millis(interval.millis());
            all.extend(bars.iter().map(|bar| (closes(bar), of.clone(), *bar)));
        }
        all.sort_by(|one, other| (one.0, &one.1, one.2.open_time).cmp(&(other.0, &other.1, other.2.open_time)));
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
    pub fn take(&mut self, now: Timestamp) -> BTreeMap<K, Vec<Bar>> {
        let due = self.all.iter().skip(self.taken).take_while(|(closes, ..)| *closes <= now);
        let mut by_series: BTreeMap<K, Vec<Bar>> = BTreeMap::new();
        for (_, of, bar) in due {
            by_series.entry(of.clone()).or_default().push(*bar);
            self.taken += 1;
        }
        by_series
    }
}

//! The venue's own bars that recordings hold of intervals with a hole: the record tells them, so that strategies put each one in
//! when it closes, and the bars that the feed keeps have them too.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::market::{Bar, BarSeries};
use engine::messages::Tick;
use engine::time::Timestamp;
use tokio::task::spawn_blocking;
use venue::MarketData;
use venue::replay::{DataError, Format, Replay, Summary};

use super::Feed;
use crate::roles::feed::bars::{Of, put};
use crate::roles::session::Change;
use crate::roles::source::RecordedBars;
use crate::roles::{Bus, Stop};

/// Those of all markets, in the order in which they close. Of a replay that repeats they are the first round's.
#[derive(Debug, Clone, Default)]
pub(super) struct Whole {
    all: Arc<[(Timestamp, Of, Bar)]>,
    taken: usize,
}

/// Reads them, on a thread of its own.
pub(super) async fn read(markets: &[Arc<Summary>]) -> Result<Vec<RecordedBars>, Stop> {
    let markets = markets.to_vec();
    let reading = spawn_blocking(move || {
        let mut all = Vec::new();
        for market in markets {
            if market.files.iter().all(|file| file.format != Format::BinanceStream) {
                continue;
            }
            let files: Vec<_> = market.files.iter().map(|file| file.path.clone()).collect();
            let found = Replay::whole_bars(&files, &market.symbol)?;
            let of = |(interval, bars)| RecordedBars { symbol: market.symbol.clone(), interval, bars };
            all.extend(found.into_iter().map(of));
        }
        Ok::<_, DataError>(all)
    });
    Ok(reading.await.map_err(|error| Stop::MarketData(error.to_string()))??)
}

impl Whole {
    pub fn of(recorded: &[RecordedBars]) -> Self {
        let bars = |recorded: &RecordedBars| {
            let (symbol, interval) = (recorded.symbol.clone(), recorded.interval);
            let closes = move |bar: &Bar| bar.open_time.plus_millis(interval.millis());
            recorded.bars.iter().map(move |bar| (closes(bar), (symbol.clone(), interval), *bar)).collect::<Vec<_>>()
        };
        let mut all: Vec<_> = recorded.iter().flat_map(bars).collect();
        all.sort_by(|one, other| (one.0, &one.1, one.2.open_time).cmp(&(other.0, &other.1, other.2.open_time)));
        Self { all: all.into(), taken: 0 }
    }

    /// The same, none of them taken.
    pub fn afresh(&self) -> Self {
        Self { all: Arc::clone(&self.all), taken: 0 }
    }

    /// Whether one is over by this tick and was not taken.
    pub fn has_any_before(&self, tick: &Tick) -> bool {
        self.all.get(self.taken).is_some_and(|(closes, ..)| *closes <= tick.event_time())
    }

    /// Those that are over by this tick, by their series.
    pub fn take(&mut self, tick: &Tick) -> BTreeMap<Of, Vec<Bar>> {
        let mut by_series: BTreeMap<Of, Vec<Bar>> = BTreeMap::new();
        while let Some((_, of, bar)) = self.all.get(self.taken).filter(|(closes, ..)| *closes <= tick.event_time()) {
            by_series.entry(of.clone()).or_default().push(*bar);
            self.taken += 1;
        }
        by_series
    }
}

/// Puts bars into a series. Those that do not fit it are told and left out.
pub(super) fn put_into(series: &mut BarSeries, of: &Of, bars: &[Bar]) {
    if let Err(problem) = series.put_whole(bars) {
        tracing::error!(symbol = %of.0, interval = %of.1, "bars of the recording are left out: {problem}");
    }
}

impl<B: Bus, D: MarketData> Feed<B, D> {
    /// Puts the bars that are over by this tick into what is kept, before it goes out.
    pub(super) async fn put_in_whole_bars(&mut self, tick: &Tick) -> Result<(), Stop> {
        for (of, bars) in self.whole.take(tick) {
            let Some(kept) = self.bars.kept.get(&of) else { continue };
            let mut series = kept.series.clone();
            put_into(&mut series, &of, &bars);
            let change: Change = put(&self.runtime, &mut self.bars, of.0, series).await?;
            self.commit(change).await?;
        }
        Ok(())
    }
}

//! The venue's own bars that recordings hold of intervals with a hole: the record tells them, so that strategies put each one in
//! when it closes, and the bars that the feed keeps have them too.

use std::sync::Arc;

use engine::market::{Bar, BarSeries};
use engine::messages::Tick;
use tokio::task::spawn_blocking;
use venue::MarketData;
use venue::replay::{DataError, Format, Replay, Summary};

use super::Feed;
use crate::roles::feed::bars::{Of, put};
use crate::roles::session::Change;
use crate::roles::source::RecordedBars;
use crate::roles::whole::WholeBars;
use crate::roles::{Bus, Stop};

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

/// Those of all markets, none of them put in. Of a replay that repeats they are the first round's.
pub(super) fn of(recorded: &[RecordedBars]) -> WholeBars<Of> {
    let of = |recorded: &RecordedBars| (recorded.symbol.clone(), recorded.interval);
    WholeBars::of(recorded.iter().map(|recorded| (of(recorded), recorded.interval, &recorded.bars[..])))
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
        for (of, bars) in self.whole.take(tick.event_time()) {
            let Some(kept) = self.bars.kept.get(&of) else { continue };
            let mut series = kept.series.clone();
            put_into(&mut series, &of, &bars);
            let change: Change = put(&self.runtime, &mut self.bars, of.0, series).await?;
            self.commit(change).await?;
        }
        Ok(())
    }
}

//! The bars that closed before somebody needed them: the data of a replay tell what they were.

use std::sync::Arc;

use engine::instrument::Symbol;
use engine::market::{BarSeries, LookBack};
use tokio::task::spawn_blocking;
use venue::MarketData;
use venue::replay::{DataError, Summary, Tape};

use super::Feed;
use super::markets::Markets;
use crate::roles::feed::bars::{Of, put};
use crate::roles::{Bus, IDLE, Stop};

impl<B: Bus, D: MarketData> Feed<B, D> {
    /// Makes what readers lack, as of the feed's position, and puts it into its list in place of what is there. Asked to stop
    /// first, nothing is made.
    pub(super) async fn make_bars(&mut self) -> Result<(), Stop> {
        let markets = &self.markets;
        self.bars.lacking.retain(|(symbol, _), _| markets.stream(symbol).is_some());
        if self.bars.lacking.is_empty() {
            return Ok(());
        }
        let new = |((_, interval), look_back): (&Of, &LookBack)| BarSeries::new(*interval, *look_back);
        let series: Vec<_> = self.bars.lacking.iter().map(|lacking| (lacking.0.0.clone(), new(lacking))).collect();
        let past = Past {
            markets: self.markets.clone(),
            data: self.scanned.clone(),
            next: self.next,
            repeats: self.spec.repeat,
        };
        let mut making = spawn_blocking(move || past.make(&series));
        let made = loop {
            match tokio::time::timeout(IDLE, self.runtime.shutdown.or(&mut making)).await {
                Ok(None) => return Ok(()),
                Ok(Some(made)) => break made.map_err(|error| Stop::MarketData(error.to_string()))??,
                // A long file is read on, and meanwhile the feed is seen to live.
                Err(_) => self.session.beat().await?,
            }
        };
        for (symbol, series) in made {
            let change = put(&self.runtime, &mut self.bars, symbol, series).await?;
            self.session.own(self.markets.streams().into_iter().chain(self.bars.streams()));
            self.commit(change).await?;
        }
        Ok(())
    }
}

/// The ticks that are out.
struct Past {
    markets: Markets,
    data: Vec<Arc<Summary>>,
    next: u64,
    repeats: bool,
}

impl Past {
    /// Lets these series take them. Of a replay that repeats as many rounds as it takes to fill them all: what is before
    /// changes nothing of them.
    fn make(&self, series: &[(Symbol, BarSeries)]) -> Result<Vec<(Symbol, BarSeries)>, DataError> {
        let round = if self.repeats { self.next / self.markets.ticks() } else { 0 };
        let mut back = 1;
        loop {
            let first = round.saturating_sub(back);
            let mut made = series.to_vec();
            if first > 0 {
                for (_, series) in &mut made {
                    series.on_gap();
                }
            }
            for round in first..=round {
                self.play(round, &mut made)?;
            }
            if first == 0 || made.iter().all(|(_, series)| series.is_complete()) {
                return Ok(made);
            }
            back = back.saturating_mul(2);
        }
    }

    fn play(&self, round: u64, series: &mut [(Symbol, BarSeries)]) -> Result<(), DataError> {
        if self.next == 0 {
            return Ok(());
        }
        for tick in Tape::open(self.data.iter().cloned()) {
            let tick = self.markets.in_round(round, tick?);
            if tick.source_sequence >= self.next {
                break;
            }
            for (_, series) in series.iter_mut().filter(|(symbol, _)| *symbol == tick.symbol) {
                series.take(&tick);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bus::{Fields, Keys, Scope};
    use engine::market::Interval;

    use super::*;
    use crate::roles::feed::bars::tests::{BTC, ETH, data, need};
    use crate::roles::source::NeededBars;

    fn past(data: &[Arc<Summary>], repeats: bool) -> Past {
        let (keys, source) = (Keys::new("glm").unwrap(), Scope::source("n", "replay-paper").unwrap());
        let markets = Markets::of(&keys, &source, data, &Fields::new()).unwrap();
        Past { markets, data: data.to_vec(), next: 0, repeats }
    }

    fn new(needs: &[NeededBars]) -> Vec<(Symbol, BarSeries)> {
        needs.iter().map(|need| (need.symbol.clone(), BarSeries::new(need.interval, need.look_back))).collect()
    }

    /// Whoever comes later finds what who has made bars from the first tick on has, at any tick of any round.
    #[test]
    fn the_past_is_what_who_saw_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let data = [data(&folder, BTC, 11, 40), data(&folder, ETH, 50, 9)];
        let needs =
            [need(BTC, Interval::OneMinute, 5), need(BTC, Interval::FiveMinutes, 3), need(ETH, Interval::OneMinute, 7)];
        for repeats in [false, true] {
            let mut past = past(&data, repeats);
            let mut watched = new(&needs);
            for round in 0..if repeats { 6 } else { 1 } {
                for tick in Tape::open(data.iter().cloned()) {
                    let tick = past.markets.in_round(round, tick.unwrap());
                    past.next = tick.source_sequence;
                    for ((symbol, made), (_, seen)) in past.make(&new(&needs)).unwrap().iter().zip(&watched) {
                        assert_eq!(made.bars(), seen.bars(), "{symbol} before {}", past.next);
                        assert_eq!(made.unfinished(), seen.unfinished(), "{symbol} before {}", past.next);
                    }
                    for (_, series) in watched.iter_mut().filter(|(symbol, _)| *symbol == tick.symbol) {
                        series.take(&tick);
                    }
                }
            }
            assert!(!repeats || watched.iter().all(|(_, series)| series.is_complete()));
        }
    }
}

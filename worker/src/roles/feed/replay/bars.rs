//! The bars that closed before somebody needed them: the data of a replay tell what they were.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::instrument::Symbol;
use engine::market::{BarSeries, LookBack};
use tokio::task::spawn_blocking;
use venue::MarketData;
use venue::replay::{DataError, Summary, Tape};

use super::Feed;
use super::markets::Markets;
use super::whole::put_into;
use crate::roles::feed::bars::{Of, is_behind_hole, put};
use crate::roles::whole::WholeBars;
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
            whole: self.whole.afresh(),
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
    whole: WholeBars<Of>,
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
        let (mut last, mut whole) = (BTreeMap::new(), self.whole.afresh());
        for tick in Tape::open(self.data.iter().cloned()) {
            let tick = self.markets.in_round(round, tick?);
            if tick.source_sequence >= self.next {
                break;
            }
            if round == 0 && whole.has_any_before(&tick) {
                for (of, bars) in whole.take(tick.event_time()) {
                    let found = series.iter_mut().find(|(symbol, series)| (symbol, series.interval()) == (&of.0, of.1));
                    if let Some((_, series)) = found {
                        put_into(series, &of, &bars);
                    }
                }
            }
            let is_behind_hole = is_behind_hole(&mut last, &tick);
            for (_, series) in series.iter_mut().filter(|(symbol, _)| *symbol == tick.symbol) {
                if is_behind_hole {
                    series.on_gap();
                }
                series.take(&tick);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use bus::{Fields, Keys, Scope};
    use engine::market::Interval;
    use venue::replay::Replay;

    use super::*;
    use crate::roles::feed::bars::tests::{BTC, ETH, data, need};
    use crate::roles::feed::bars::{Bars, Kept};
    use crate::roles::feed::replay::whole;
    use crate::roles::source::{NeededBars, RecordedBars};

    fn past(data: &[Arc<Summary>], repeats: bool) -> Past {
        let (keys, source) = (Keys::new("glm").unwrap(), Scope::source("n", "replay-paper").unwrap());
        let markets = Markets::of(&keys, &source, data, &Fields::new()).unwrap();
        Past { markets, data: data.to_vec(), next: 0, repeats, whole: WholeBars::default() }
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

    /// A trade each 20 seconds but these, with the whole bars of the minutes that they leave.
    fn recording(folder: &tempfile::TempDir, missing: std::ops::Range<i64>) -> Arc<Summary> {
        let mut text = String::new();
        for id in (0..60).filter(|id| !missing.contains(id)) {
            let (time, price) = (1_700_000_040_000 + 20_000 * id, 600 + (id * 7) % 31);
            let _ = writeln!(
                text,
                r#"{{"stream":"btcusdt@bookTicker","data":{{"u":{id},"s":"BTCUSDT","b":"{price}","B":"2","a":"{price}","A":"3"}}}}
{{"stream":"btcusdt@trade","data":{{"e":"trade","E":{time},"s":"BTCUSDT","t":{id},"p":"{price}","q":"1","T":{time},"m":true,"M":true}}}}"#
            );
        }
        let file = folder.path().join(format!("recording-{}", missing.start));
        std::fs::write(&file, text).unwrap();
        Arc::new(Replay::scan(&[file], &BTC.parse().unwrap()).unwrap())
    }

    #[test]
    fn the_past_of_a_recording_with_a_hole_has_the_bars_that_it_holds_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (data, need) = ([recording(&folder, 7..16)], [need(BTC, Interval::OneMinute, 100)]);
        let mut full = new(&need);
        for tick in Tape::open([recording(&folder, 0..0)]) {
            full[0].1.take(&tick.unwrap());
        }
        let full = full.remove(0).1;
        let touched = full.bars()[2..=5].to_vec();
        let of = (need[0].symbol.clone(), Interval::OneMinute);
        let recorded = [RecordedBars { symbol: of.0.clone(), interval: of.1, bars: touched }];
        let mut past = Past { whole: whole::of(&recorded), ..past(&data, false) };
        // Who makes bars of each tick that goes out.
        let (keys, source) = (Keys::new("glm").unwrap(), Scope::source("n", "replay-paper").unwrap());
        let mut bars = Bars::new(keys, source, BTreeMap::new());
        let stream = bars.stream(&of);
        bars.kept.insert(of.clone(), Kept { stream, series: new(&need).remove(0).1 });
        let mut whole = past.whole.afresh();
        for tick in Tape::open(data.iter().cloned()) {
            let tick = tick.unwrap();
            past.next = tick.source_sequence;
            let (made, kept) =
                (past.make(&new(&need)).unwrap().remove(0).1, &mut bars.kept.get_mut(&of).unwrap().series);
            assert_eq!((made.bars(), made.unfinished()), (kept.bars(), kept.unfinished()), "before {}", past.next);
            whole.take(tick.event_time()).iter().for_each(|(of, bars)| put_into(kept, of, bars));
            bars.take(&[tick]);
        }
        assert_eq!(bars.kept[&of].series.bars(), full.bars());
        let without = Past { whole: WholeBars::default(), ..past };
        assert_ne!(without.make(&new(&need)).unwrap()[0].1.bars(), full.bars());
    }
}

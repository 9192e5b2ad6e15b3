//! The bars that the ticks of a live source cannot make: those that closed before its first one, and those of which ticks are
//! missing. They are taken whole from the venue's candles, once they are closed.

use std::collections::BTreeMap;
use std::pin::Pin;

use bus::{Fields, excerpt};
use engine::instrument::Symbol;
use engine::market::{Bar, BarSeries, LookBack};
use engine::time::Timestamp;
use venue::live::{CandlesWanted, LinkFault};

use super::numbers::Gap;
use super::{LiveFeed, text};
use crate::roles::feed::bars::{Bars, Of, put};
use crate::roles::{Bus, Stop};

/// How long after its end a bar is asked for, in milliseconds, and after which it is asked for again.
const AGAIN_MS: i64 = 2_000;
/// How often a candle is asked for that the venue does not have: of an interval without a trade there is none.
const TRIES: u32 = 3;

type Candles = Pin<Box<dyn Future<Output = Result<Vec<Bar>, LinkFault>> + Send>>;

/// The series of which bars are missing.
pub(super) struct Filling {
    broken: BTreeMap<Of, Broken>,
    asked: Option<(Of, Timestamp, Candles)>,
    /// Gaps whose bars are not whole yet.
    gaps: Vec<Gap>,
}

/// When the venue is to be asked, and how often the newest bar was not there yet.
#[derive(Debug, Clone, Copy)]
struct Broken {
    due: Timestamp,
    tries: u32,
}

/// The venue's answer: of which series, up to when, and what.
pub(super) struct Answer(Of, Timestamp, Result<Vec<Bar>, LinkFault>);

/// The field of the record with the gaps whose bars are not whole yet: a successor tells them anew once they are.
const UNFILLED: &str = "unfilled";
/// Gaps that wait at most; past that the oldest are told no second time.
const UNFILLED_MAX: usize = 1_000;

impl Filling {
    /// Of a feed that starts: what was missed before its first tick, nobody knows. `Err` says what of its record does not read.
    pub fn restore(bars: &Bars, now: Timestamp, fields: &Fields) -> Result<Self, String> {
        let broken = bars.kept.keys().map(|of| (of.clone(), Broken { due: now, tries: 0 })).collect();
        let gaps = fields.get(UNFILLED).map(|text| {
            serde_json::from_str(text).map_err(|error| {
                let text = excerpt(text);
                format!("its field {UNFILLED} is \"{text}\": {error}; stop the feed, remove the field with HDEL and start it")
            })
        });
        Ok(Self { broken, asked: None, gaps: gaps.transpose()?.unwrap_or_default() })
    }

    /// The field of the record.
    fn field(&self) -> Result<(String, String), Stop> {
        Ok((UNFILLED.to_owned(), text(&self.gaps)?))
    }

    /// The venue's answer, when it comes; never while nothing is asked.
    pub async fn answered(&mut self) -> Answer {
        let Some((of, to, candles)) = &mut self.asked else { return std::future::pending().await };
        let answer = Answer(of.clone(), *to, candles.await);
        self.asked = None;
        answer
    }

    /// A series of which bars are missing that can be asked for now.
    fn due(&self, now: Timestamp) -> Option<Of> {
        let due = self.broken.iter().filter(|(_, broken)| broken.due <= now);
        due.min_by_key(|(_, broken)| broken.due).map(|(of, _)| of.clone())
    }

    fn of_market<'a>(&'a self, symbol: &'a Symbol) -> impl Iterator<Item = &'a Of> {
        self.broken.keys().filter(move |(of, _)| of == symbol)
    }
}

impl<B: Bus> LiveFeed<B> {
    /// Ticks are missing before the next one of this market: the bars that they are in are not made of ticks.
    ///
    /// Gives the field of the record that has changed.
    pub(super) fn breaks(&mut self, gap: Gap) -> Result<Option<(String, String)>, Stop> {
        let now = self.clock.now();
        let of_market = self.bars.kept.iter_mut().filter(|((symbol, _), _)| *symbol == gap.symbol);
        let mut any = false;
        for (of, kept) in of_market {
            kept.series.on_gap();
            self.filling.broken.insert(of.clone(), Broken { due: now, tries: 0 });
            any = true;
        }
        if !any {
            return Ok(None);
        }
        let gaps = &mut self.filling.gaps;
        gaps.push(gap);
        gaps.drain(..gaps.len().saturating_sub(UNFILLED_MAX));
        self.filling.field().map(Some)
    }

    /// Asks for one series at a time: the venue counts requests.
    pub(super) fn ask_for_candles(&mut self) {
        let now = self.clock.now();
        let streams = &self.streams;
        self.bars.lacking.retain(|(symbol, _), _| streams.contains_key(symbol));
        for of in self.bars.lacking.keys() {
            self.filling.broken.entry(of.clone()).or_insert(Broken { due: now, tries: 0 });
        }
        if self.filling.asked.is_some() || !self.is_up() {
            return;
        }
        let Some(of) = self.filling.due(now) else { return };
        let (symbol, interval) = of.clone();
        let Some(look_back) = self.look_back(&of) else {
            self.filling.broken.remove(&of);
            return;
        };
        let to = interval.open_of(now);
        let count = i64::try_from(look_back.get()).unwrap_or(i64::MAX);
        let from = to.plus_millis(interval.millis().saturating_mul(count).saturating_neg());
        let candles = self.live.candles(CandlesWanted { symbol, interval, from, to });
        self.filling.asked = Some((of, to, Box::pin(candles)));
    }

    /// The longest look-back that is kept or asked for of a series.
    fn look_back(&self, of: &Of) -> Option<LookBack> {
        let kept = self.bars.kept.get(of).map(|kept| kept.series.look_back());
        kept.max(self.bars.lacking.get(of).copied())
    }

    /// Puts the venue's candles in place of what is missing.
    pub(super) async fn fill(&mut self, Answer(of, to, answer): Answer) -> Result<(), Stop> {
        let again = self.clock.now().plus_millis(AGAIN_MS);
        let candles = match answer {
            Ok(candles) => candles,
            Err(fault) => {
                tracing::warn!(symbol = %of.0, interval = %of.1, "no candles of the venue: {fault}");
                self.filling.broken.entry(of).and_modify(|broken| broken.due = again);
                return Ok(());
            }
        };
        let Some(look_back) = self.look_back(&of) else { return Ok(()) };
        let newest = candles.last().map(|bar| bar.open_time.plus_millis(of.1.millis()));
        let series = match filled(self.bars.kept.get(&of).map(|kept| &kept.series), (&of, look_back), to, candles) {
            Ok(series) => series,
            Err(problem) => {
                tracing::error!(symbol = %of.0, interval = %of.1, "the venue's candles are not taken: {problem}");
                self.filling.broken.entry(of).and_modify(|broken| broken.due = again);
                return Ok(());
            }
        };
        let is_whole = series.has_begun();
        let change = put(&self.runtime, &mut self.bars, of.0.clone(), series).await?;
        self.session.own(self.bars.streams());
        self.commit(change).await?;
        let tries = self.filling.broken.remove(&of).map_or(0, |broken| broken.tries);
        if newest < Some(to) && tries < TRIES {
            self.filling.broken.insert(of, Broken { due: again, tries: tries + 1 });
        } else if is_whole {
            self.tell_filled(&of.0).await?;
        } else {
            // Of the interval that is open ticks are missing: its bar is asked for once it is over.
            let open = of.1.open_of(self.clock.now());
            let due = open.plus_millis(of.1.millis()).plus_millis(AGAIN_MS);
            self.filling.broken.insert(of, Broken { due, tries: 0 });
        }
        Ok(())
    }

    /// Tells the gaps of a market anew whose bars are whole by now.
    async fn tell_filled(&mut self, symbol: &Symbol) -> Result<(), Stop> {
        if self.filling.of_market(symbol).next().is_some() {
            return Ok(());
        }
        let (filled, waiting) =
            std::mem::take(&mut self.filling.gaps).into_iter().partition(|gap: &Gap| gap.symbol == *symbol);
        self.filling.gaps = waiting;
        let filled: Vec<Gap> = filled;
        if filled.is_empty() {
            return Ok(());
        }
        let mut change = self.position()?;
        change.set.push(self.filling.field()?);
        change.messages = filled.into_iter().map(|gap| self.told(&Gap { filled: true, ..gap })).collect();
        self.commit(change).await
    }
}

/// A series with the candles that close up to `to`, and behind them what ticks have made.
fn filled(
    kept: Option<&BarSeries>,
    (of, look_back): (&Of, LookBack),
    to: Timestamp,
    candles: Vec<Bar>,
) -> Result<BarSeries, String> {
    let mut base = BarSeries::new(of.1, look_back);
    // The first tick that it takes is not the first one of its interval.
    base.on_gap();
    let base = kept.unwrap_or(&base);
    let open = base.unfinished().open_time();
    let is_closed = |bar: &Bar| bar.open_time < to && bar.ticks > 0 && open.is_none_or(|open| bar.open_time < open);
    let mut bars: Vec<_> = candles.into_iter().filter(is_closed).collect();
    bars.extend(base.bars().iter().filter(|bar| bar.open_time >= to));
    BarSeries::saved(of.1, look_back, bars, base.unfinished().clone()).map_err(|error| error.to_string())
}

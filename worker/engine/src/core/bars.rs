//! The bars that a strategy needs: made from its ticks, kept beside the state, and whether there are enough of them.
//!
//! The record holds the closed bars of each series in a field of its own, written by a commit in which one closed; what is
//! unfinished moves with each tick, is small, and lies in the engine's own field, which each commit writes.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::Engine;
use super::context::{Context, Ended};
use super::scope::Scope;
use super::turn::Turn;
use crate::instrument::{InstrumentIndex, Instruments};
use crate::market::{Bar, BarSeries, History, HistoryError, LookBack, Unfinished};
use crate::messages::{AlertKind, Tick};
use crate::report::Decision;
use crate::strategies::{BarsOf, Definition, DesiredState, Needs, NeedsError, Strategy, StrategyError};
use crate::time::{Timestamp, rfc3339};

/// Why nothing is traded while bars are missing.
pub(super) static WARMING_UP: &str = "WarmingUp";
/// Why nothing is traded on the tick that completed them, where the strategy does not say.
static WARMED_UP: &str = "WarmedUp";

/// One series.
#[derive(Debug, Clone)]
struct Series {
    of: BarsOf,
    bars: BarSeries,
    /// Whether the record holds its closed bars as they are.
    is_stored: bool,
    /// How many of the newest bars the tick that is being taken closed, or found put in, and that were not told yet.
    untold: usize,
    /// How many of the newest bars the strategy is not shown yet: it is told of each one as if it were the last.
    hidden: usize,
    /// How many of the newest bars were put in since the last tick of its market.
    put_in: usize,
    /// Whether only those of its bars count that follow one another up to now.
    unbroken: bool,
}

impl Series {
    /// How many of its bars count.
    fn found(&self) -> usize {
        if self.unbroken { self.bars.unbroken() } else { self.bars.bars().len() }
    }

    fn is_complete(&self) -> bool {
        self.found() >= self.bars.look_back().get()
    }

    /// When the last of the bars that are missing will be there, if no other is missed.
    fn complete_at(&self) -> Option<Timestamp> {
        let missing = self.bars.look_back().get().saturating_sub(self.found());
        // An interval that is not whole brings none.
        let lost = usize::from(!self.bars.has_begun());
        let intervals = i64::try_from(missing.saturating_add(lost)).ok()?;
        let wait = intervals.saturating_mul(self.of.interval.millis());
        Some(self.bars.newest_open()?.plus_millis(wait))
    }
}

/// All series of a strategy, in the order in which it named them.
#[derive(Debug, Clone, Default)]
pub(super) struct Bars {
    all: Vec<Series>,
    /// Nothing is traded before all are complete, and one is not.
    is_warming_up: bool,
    trades_while_warming_up: bool,
    first_is_whole: bool,
    /// Series of the record that nobody needs any more.
    unneeded: Vec<String>,
}

/// Bars of a saved state, by the text of their [`BarsOf`].
#[derive(Debug, Default)]
pub(super) struct SavedBars {
    pub closed: BTreeMap<String, Vec<Bar>>,
    pub unfinished: BTreeMap<String, Unfinished>,
}

/// Why saved bars could not be taken up.
#[derive(Debug, thiserror::Error)]
#[error("the saved bars {name}: {source}")]
pub struct SavedBarsError {
    name: String,
    source: HistoryError,
}

/// What is unfinished, by the series: that is small, and moves with each tick.
impl Serialize for Bars {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.all.iter().map(|series| (series.of.to_string(), series.bars.unfinished())))
    }
}

/// The closed ones, by the series.
pub(super) struct ClosedBars<'a>(pub &'a Bars);

impl Serialize for ClosedBars<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.all.iter().map(|series| (series.of.to_string(), series.bars.bars())))
    }
}

impl Bars {
    /// Those that a strategy of these markets needs, none made yet.
    pub fn needed_by(
        strategy: &dyn Strategy,
        definition: &Definition,
        instruments: &Instruments,
    ) -> Result<Self, StrategyError> {
        let name = definition.name;
        let needs = strategy.needs_of(instruments);
        needs.and_then(|needs| Self::of(&needs, instruments)).map_err(|source| StrategyError::Needs { name, source })
    }

    fn of(needs: &Needs, instruments: &Instruments) -> Result<Self, NeedsError> {
        let series = |(of, look_back): (BarsOf, _)| Series {
            of,
            bars: BarSeries::new(of.interval, look_back),
            is_stored: false,
            untold: 0,
            hidden: 0,
            put_in: 0,
            unbroken: needs.unbroken,
        };
        let all = needs.checked(instruments.len())?.into_iter().map(series).collect();
        let Needs { trades_while_warming_up, first_is_whole, .. } = *needs;
        let mut bars =
            Self { all, is_warming_up: false, trades_while_warming_up, first_is_whole, unneeded: Vec::new() };
        bars.judge();
        Ok(bars)
    }

    /// Those that a strategy needs now, of which `saved` are made already. Of a market of which `has_ticks` says that ticks
    /// were taken, a series that is not among them begins behind a hole.
    pub fn take_up(
        mut self,
        mut saved: SavedBars,
        has_ticks: impl Fn(InstrumentIndex) -> bool,
    ) -> Result<Self, SavedBarsError> {
        for series in &mut self.all {
            let name = series.of.to_string();
            let (closed, unfinished) = (saved.closed.remove(&name), saved.unfinished.remove(&name));
            let (interval, look_back) = (series.of.interval, series.bars.look_back());
            if closed.is_none() && unfinished.is_none() {
                if has_ticks(series.of.instrument) {
                    series.bars.on_gap();
                }
                continue;
            }
            let taken =
                BarSeries::saved(interval, look_back, closed.unwrap_or_default(), unfinished.unwrap_or_default());
            series.bars = taken.map_err(|source| SavedBarsError { name, source })?;
        }
        self.unneeded = saved.closed.into_keys().collect();
        self.judge();
        Ok(self)
    }

    /// Each series and on how many of its bars is looked back.
    pub fn needed(&self) -> impl Iterator<Item = (BarsOf, LookBack)> {
        self.all.iter().map(|series| (series.of, series.bars.look_back()))
    }

    pub const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether nothing is traded for want of bars.
    pub const fn is_warming_up(&self) -> bool {
        self.is_warming_up
    }

    fn judge(&mut self) {
        let is_complete = self.all.iter().all(Series::is_complete);
        self.is_warming_up = !is_complete && !self.trades_while_warming_up;
    }

    /// The closed ones, the oldest first; none of a series that the strategy does not need.
    pub fn closed(&self, of: BarsOf) -> &[Bar] {
        self.all.iter().find(|series| series.of == of).map_or(&[], |series| series.bars.bars_before(series.hidden))
    }

    /// How many there are of how many, of the first series that lacks some.
    fn missing(&self) -> Option<(BarsOf, usize, usize)> {
        let lacking = self.all.iter().find(|series| !series.is_complete())?;
        Some((lacking.of, lacking.found(), lacking.bars.look_back().get()))
    }

    /// When all bars will be there, if none is missed from now on; `None` where they are, or nothing waits for them.
    pub fn warm_until(&self) -> Option<Timestamp> {
        let lacking = self.all.iter().filter(|series| self.is_warming_up && !series.is_complete());
        lacking.map(Series::complete_at).max().flatten()
    }

    /// Ticks of this market are missing before the next one.
    pub fn on_gap(&mut self, instrument: InstrumentIndex) {
        for series in self.all.iter_mut().filter(|series| series.of.instrument == instrument) {
            series.bars.on_gap();
        }
    }

    /// The first tick of this market comes: where others were before it of which nothing tells, or may have been, its
    /// interval is not whole.
    pub fn on_join(&mut self, instrument: InstrumentIndex, first: &Tick) {
        let (time, first_is_whole) = (first.event_time(), self.first_is_whole);
        let begins_within = |series: &Series| first_is_whole && series.of.interval.open_of(time) != time;
        let of_market = self.all.iter_mut().filter(|series| series.of.instrument == instrument);
        of_market
            .filter(|series| series.bars.newest_open().is_none() && (first.sequence > 0 || begins_within(series)))
            .for_each(|series| series.bars.on_gap());
    }

    /// Takes a tick; whether it closed a bar, or found some put in.
    pub fn take(&mut self, instrument: InstrumentIndex, tick: &Tick) -> bool {
        let (mut any, mut has_moved) = (false, false);
        for series in &mut self.all {
            // What closed while the strategy was not called is not told later.
            (series.untold, series.hidden) = (0, 0);
            if series.of.instrument != instrument {
                continue;
            }
            let before = series.bars.newest_open();
            let has_closed = series.bars.take(tick).is_some();
            series.is_stored &= !has_closed;
            series.untold = std::mem::take(&mut series.put_in).saturating_add(usize::from(has_closed));
            series.hidden = series.untold.saturating_sub(1);
            any |= series.untold > 0;
            has_moved |= series.bars.newest_open() != before;
        }
        if has_moved {
            self.judge();
        }
        any
    }

    /// The bars that the last tick closed behind a hole, each with how many are missing before it.
    fn holes(&self) -> Vec<(BarsOf, Timestamp, u64)> {
        let hole = |series: &Series| {
            let [.., before, last] = series.bars.bars() else { return None };
            let apart = last.open_time.millis_since(before.open_time).checked_div(series.of.interval.millis())?;
            let missing = u64::try_from(apart).ok()?.checked_sub(1).filter(|missing| *missing > 0)?;
            Some((series.of, before.open_time.plus_millis(series.of.interval.millis()), missing))
        };
        self.all.iter().filter(|series| series.untold > 0).filter_map(hole).collect()
    }

    /// A bar that the last tick closed or found, each once, the oldest of a series first.
    fn next_closed(&mut self) -> Option<(BarsOf, Bar)> {
        let series = self.all.iter_mut().find(|series| series.untold > 0)?;
        let bar = series.bars.bars().iter().rev().nth(series.untold.saturating_sub(1)).copied();
        series.untold = series.untold.saturating_sub(1);
        series.hidden = series.untold;
        bar.map(|bar| (series.of, bar))
    }

    /// The series with an interval of which ticks are missing, and when the newest of these opens.
    fn with_hole(&self) -> impl Iterator<Item = (BarsOf, Timestamp)> {
        self.all.iter().filter_map(|series| Some((series.of, series.bars.hole()?)))
    }

    /// Puts in bars that are known whole.
    fn put_whole(&mut self, of: BarsOf, bars: &[Bar]) -> Result<(), HistoryError> {
        let Some(series) = self.all.iter_mut().find(|series| series.of == of) else { return Ok(()) };
        let new = series.bars.put_whole(bars)?;
        series.put_in = series.put_in.saturating_add(new);
        series.is_stored = false;
        self.judge();
        Ok(())
    }

    /// Takes up bars that closed before the first tick.
    fn take_history(&mut self, of: BarsOf, history: History) -> Result<(), HistoryError> {
        let is_empty = |series: &&mut Series| series.bars.bars().is_empty() && !series.bars.has_begun();
        let Some(series) = self.all.iter_mut().find(|series| series.of == of).filter(is_empty) else { return Ok(()) };
        let History { bars, unfinished, .. } = if self.first_is_whole { history.of_whole_intervals() } else { history };
        series.bars = BarSeries::saved(of.interval, series.bars.look_back(), bars, unfinished)?;
        series.is_stored = false;
        self.judge();
        Ok(())
    }

    /// The fields of the record that have changed: each by its series, with its bars; without them it goes.
    pub fn changed(&self) -> impl Iterator<Item = (String, Option<&[Bar]>)> {
        let changed = self.all.iter().filter(|series| !series.is_stored && !series.bars.bars().is_empty());
        let set = changed.map(|series| (series.of.to_string(), Some(series.bars.bars())));
        set.chain(self.unneeded.iter().map(|name| (name.clone(), None)))
    }

    /// What [`Self::changed`] gave is stored.
    pub fn committed(&mut self) {
        self.unneeded.clear();
        for series in &mut self.all {
            series.is_stored = true;
        }
    }
}

impl Engine {
    /// Makes bars of the tick and calls the strategy with those that it closed, unless it waits for more of them. Whether
    /// the strategy may have the tick too.
    pub(super) fn on_bars(&mut self, turn: &mut Turn, instrument: InstrumentIndex, tick: &Tick) -> bool {
        let was_warming_up = self.state.bars.is_warming_up();
        let has_closed = self.state.bars.take(instrument, tick);
        if has_closed {
            self.tell_holes(turn);
        }
        if self.state.bars.is_warming_up() {
            if !was_warming_up {
                self.strategy.on_warming_up();
            }
            if has_closed && self.state.decision.reason == WARMING_UP {
                // Shown, not told: the reason is the same.
                self.state.decision.message = self.bars_missing();
            }
            return false;
        }
        if has_closed {
            self.tell_bars(turn, tick);
        }
        true
    }

    /// What is not there is passed over, and named.
    fn tell_holes(&self, turn: &mut Turn) {
        for (of, first, missing) in self.state.bars.holes() {
            let symbol = &self.config.instruments.at(of.instrument).symbol;
            let (noun, first) = (if missing == 1 { "bar" } else { "bars" }, rfc3339::text(first));
            let message = format!("{missing} {noun} of {} of {symbol} from {first} on are missing.", of.interval);
            turn.alarm(&self.config, AlertKind::MarketDataGap, message, missing);
        }
    }

    fn tell_bars(&mut self, turn: &mut Turn, tick: &Tick) {
        while let Some((of, bar)) = self.state.bars.next_closed() {
            let scope = Scope { config: &self.config, state: &mut self.state, turn };
            let mut context = Context::new(scope, tick, 0);
            self.strategy.on_bar(&bar, of, &mut context);
            match context.end() {
                Ended::Held(reason) => self.hold(turn, reason),
                Ended::Acted | Ended::Silent => {}
            }
        }
    }

    /// The words for why nothing is traded while bars are missing.
    pub(super) fn bars_missing(&self) -> String {
        let Some((of, found, wanted)) = self.state.bars.missing() else { return String::new() };
        let symbol = self.config.instruments.get(of.instrument).map_or_else(String::new, |one| one.symbol.to_string());
        format!("{found} of {wanted} bars of {} of {symbol} are there; nothing is traded before all are.", of.interval)
    }

    /// A strategy that says nothing on the tick that completed its bars does not wait for them any more.
    pub(super) fn end_of_warming_up(&mut self) {
        if self.state.decision.reason == WARMING_UP && self.state.desired == DesiredState::Running {
            self.state.decide(Decision::new(WARMED_UP, "All bars that it looks back on are there."));
        }
    }

    /// Series of which an interval is not whole because ticks of it are missing, each with when the newest of these opens: a
    /// bar of it is to come by [`Event::WholeBars`](super::Event::WholeBars), if anybody knows it.
    pub fn bars_with_hole(&self) -> impl Iterator<Item = (BarsOf, Timestamp)> {
        self.state.bars.with_hole()
    }

    /// Bars that somebody else knows whole. Those that are newer than all that the strategy knows are told with the next tick.
    pub(super) fn on_whole_bars(&mut self, turn: &mut Turn, of: BarsOf, bars: &[Bar]) {
        if let Err(error) = self.state.bars.put_whole(of, bars) {
            let message = format!("Bars {of} that are said to be whole are left out: {error}.");
            turn.alarm(&self.config, AlertKind::MarketDataGap, message, 1);
        }
    }

    /// Bars that closed before the first tick.
    pub(super) fn on_history(&mut self, turn: &mut Turn, of: BarsOf, history: History) {
        if let Err(error) = self.state.bars.take_history(of, history) {
            let message = format!("The history of bars {of} is left out, and they are made from ticks: {error}.");
            turn.alarm(&self.config, AlertKind::MarketDataGap, message, 1);
        }
    }
}

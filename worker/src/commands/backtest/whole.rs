//! The venue's own bars that a recording holds of intervals with a hole: a strategy gets each one when it closes, as one on live
//! prices gets it from its feed.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::instrument::Symbol;
use engine::market::{Bar, Interval};
use engine::messages::Tick;
use engine::strategies::BarsOf;
use engine::time::Timestamp;
use engine::{Effect, Event};
use venue::replay::{DataError, Replay};

use super::Simulation;
use super::data::{Data, files_of};
use crate::process::exit::Failure;
use crate::roles::Stop;

/// Bars of one strategy, in the order in which they close.
#[derive(Debug, Clone, Default)]
pub(super) struct WholeBars {
    all: Arc<[(Timestamp, BarsOf, Bar)]>,
    /// How many are put in.
    taken: usize,
}

impl WholeBars {
    /// The same, none of them put in.
    pub fn afresh(&self) -> Self {
        Self { all: Arc::clone(&self.all), taken: 0 }
    }

    /// Whether one is put in before this tick.
    pub fn has_any_before(&self, tick: &Tick) -> bool {
        self.all.get(self.taken).is_some_and(|(closes, ..)| *closes <= tick.event_time())
    }

    fn take(&mut self, now: Timestamp) -> Vec<(BarsOf, Bar)> {
        let due = self.all.iter().skip(self.taken).take_while(|(closes, ..)| *closes <= now);
        let due: Vec<_> = due.map(|(_, of, bar)| (*of, *bar)).collect();
        self.taken += due.len();
        due
    }
}

/// Gives each strategy that needs bars those of the data. What else is wrong with a file is told where its ticks are read.
pub(super) fn give(simulations: &mut [Simulation], data: &[Data]) -> Result<(), Failure> {
    let mut found: BTreeMap<Symbol, BTreeMap<Interval, Vec<Bar>>> = BTreeMap::new();
    for simulation in simulations {
        let mut all = Vec::new();
        for (of, _) in simulation.engine.needed_bars() {
            let Some(instrument) = simulation.engine.instruments().get(of.instrument) else { continue };
            let symbol = &instrument.symbol;
            if !found.contains_key(symbol) {
                let files = files_of(symbol, data).unwrap_or_default();
                let bars = match Replay::whole_bars(&files, symbol) {
                    Ok(bars) => bars,
                    Err(error @ DataError::Message { .. }) => return Err(Stop::from(error).into()),
                    Err(_) => BTreeMap::new(),
                };
                found.insert(symbol.clone(), bars);
            }
            let bars = found.get(symbol).and_then(|bars| bars.get(&of.interval)).into_iter().flatten();
            all.extend(bars.map(|bar| (bar.open_time.plus_millis(of.interval.millis()), of, *bar)));
        }
        all.sort_by_key(|(closes, of, bar)| (*closes, *of, bar.open_time));
        simulation.whole = WholeBars { all: all.into(), taken: 0 };
    }
    Ok(())
}

impl Simulation {
    /// Puts in the bars that are over by this tick.
    pub(super) fn put_in_whole_bars(&mut self, tick: &Tick) -> Vec<Effect> {
        let now = tick.event_time();
        let mut by_series: BTreeMap<BarsOf, Vec<Bar>> = BTreeMap::new();
        for (of, bar) in self.whole.take(now) {
            by_series.entry(of).or_default().push(bar);
        }
        let step = |(of, bars)| self.engine.step(now, Event::WholeBars { of, bars });
        by_series.into_iter().flat_map(step).collect()
    }
}

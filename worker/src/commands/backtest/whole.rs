//! The venue's own bars that recordings hold of intervals with a hole, for strategies in a backtest.

use std::collections::BTreeMap;

use engine::instrument::Symbol;
use engine::market::{Bar, Interval};
use engine::messages::Tick;
use engine::strategies::BarsOf;
use engine::{Effect, Event};
use venue::replay::{DataError, Replay};

use super::Simulation;
use super::data::{Data, files_of};
use crate::process::exit::Failure;
use crate::roles::Stop;
use crate::roles::whole::WholeBars;

/// Gives each strategy that needs bars those of the data. What else is wrong with a file is told where its ticks are read.
pub(super) fn give(simulations: &mut [Simulation], data: &[Data]) -> Result<(), Failure> {
    let mut found: BTreeMap<Symbol, BTreeMap<Interval, Vec<Bar>>> = BTreeMap::new();
    for simulation in simulations {
        let mut all: Vec<(BarsOf, Vec<Bar>)> = Vec::new();
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
            let bars = found.get(symbol).and_then(|bars| bars.get(&of.interval)).cloned().unwrap_or_default();
            all.push((of, bars));
        }
        simulation.whole = WholeBars::of(all.iter().map(|(of, bars)| (*of, of.interval, &bars[..])));
    }
    Ok(())
}

impl Simulation {
    /// Puts in the bars that are over by this tick.
    pub(super) fn put_in_whole_bars(&mut self, tick: &Tick) -> Vec<Effect> {
        let now = tick.event_time();
        let step = |(of, bars)| self.engine.step(now, Event::WholeBars { of, bars });
        self.whole.take(now).into_iter().flat_map(step).collect()
    }
}

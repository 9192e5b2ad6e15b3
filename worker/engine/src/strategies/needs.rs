//! What a strategy needs beside ticks: bars, each series with its look-back.

use std::fmt;

use crate::instrument::InstrumentIndex;
use crate::market::{Interval, LookBack, LookBackError};

/// Bars of one of the strategy's markets and of one interval. Written as `0:4h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BarsOf {
    /// Of which market.
    pub instrument: InstrumentIndex,
    /// How long they are.
    pub interval: Interval,
}

impl BarsOf {
    /// Those of the first market.
    pub const fn first(interval: Interval) -> Self {
        Self { instrument: InstrumentIndex::FIRST, interval }
    }
}

impl fmt::Display for BarsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.instrument.get(), self.interval)
    }
}

/// What a strategy needs. It follows from its parameters alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// Bars, each series once, with how many closed ones it looks back on: 1 to
    /// [`LOOK_BACK_MAX`](crate::market::LOOK_BACK_MAX). They are told in this order where one tick closes several.
    pub bars: Vec<(BarsOf, usize)>,
    /// Whether it trades before all of these bars are there. Otherwise it is called only once they are.
    pub trades_while_warming_up: bool,
    /// Whether the first bar counts only if the first tick of all is at its very start: else nobody knows what of the
    /// interval came before.
    pub first_is_whole: bool,
    /// Whether the bars must follow one another up to the interval that goes on: where one is missing, those before it do
    /// not count.
    pub unbroken: bool,
}

/// Why a strategy cannot have the bars that it needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NeedsError {
    /// It looks back on none, or on more than are kept.
    #[error("bars {of}: {source}")]
    LookBack {
        /// Which bars.
        of: BarsOf,
        /// Why.
        source: LookBackError,
    },
    /// A series is named twice.
    #[error("bars {0} are asked for twice; ask once, for the longer look-back")]
    Twice(BarsOf),
    /// They are of no market of the strategy, which it names.
    #[error("bars of {symbol} are of a market that it does not trade; ask for bars of one of its instruments")]
    UnknownSymbol {
        #[expect(missing_docs, reason = "the name says it")]
        symbol: String,
    },
    /// They are of no market of the strategy.
    #[error("bars {of} are of a market that it does not trade: it has {count}, counted from 0")]
    NoInstrument {
        /// Which bars.
        of: BarsOf,
        /// How many markets it has.
        count: usize,
    },
}

impl Needs {
    /// The series with their look-backs, where a strategy of so many markets can have them.
    pub(crate) fn checked(&self, instruments: usize) -> Result<Vec<(BarsOf, LookBack)>, NeedsError> {
        let mut checked = Vec::with_capacity(self.bars.len());
        for (of, look_back) in &self.bars {
            let of = *of;
            let look_back = LookBack::new(*look_back).map_err(|source| NeedsError::LookBack { of, source })?;
            if of.instrument.get() >= instruments {
                return Err(NeedsError::NoInstrument { of, count: instruments });
            }
            if checked.iter().any(|(before, _)| *before == of) {
                return Err(NeedsError::Twice(of));
            }
            checked.push((of, look_back));
        }
        Ok(checked)
    }
}

//! What each format has in common: one observation of the market, which becomes one tick.

use engine::instrument::Symbol;
use engine::messages::Tick;
use engine::numbers::{Price, Quantity};
use engine::time::Timestamp;

/// The best prices and what is on offer at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quote {
    pub bid: Price,
    pub ask: Price,
    pub bid_size: Option<Quantity>,
    pub ask_size: Option<Quantity>,
}

/// A tick that does not know its symbol and its number yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Observation {
    pub time: Timestamp,
    pub received: Timestamp,
    pub price: Price,
    pub volume: Quantity,
    pub quote: Option<Quote>,
}

impl Observation {
    /// The tick with number `sequence`.
    pub(crate) fn into_tick(self, symbol: &Symbol, sequence: u64, last: bool) -> Tick {
        Tick {
            symbol: symbol.clone(),
            price: self.price,
            volume: self.volume,
            bid: self.quote.map(|quote| quote.bid),
            ask: self.quote.map(|quote| quote.ask),
            bid_size: self.quote.and_then(|quote| quote.bid_size),
            ask_size: self.quote.and_then(|quote| quote.ask_size),
            time: Some(self.time),
            received: self.received,
            sequence,
            last,
        }
    }
}

//! What each format has in common: one observation of the market, which becomes one tick.

use engine::instrument::Symbol;
use engine::messages::Tick;
use engine::numbers::{Price, Quantity, Volume};
use engine::time::Timestamp;

/// The best prices and what is on offer at them; no price where a side is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quote {
    pub bid: Option<Price>,
    pub ask: Option<Price>,
    pub bid_size: Option<Quantity>,
    pub ask_size: Option<Quantity>,
}

/// A tick that does not know its symbol and its number yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Observation {
    pub time: Timestamp,
    pub received: Timestamp,
    pub price: Price,
    pub volume: Volume,
    pub quote: Option<Quote>,
    /// Trades that are missing between the observation before it and this one.
    pub missed: u64,
}

/// The numbers of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Numbers {
    /// Of the tick among all ticks: dense.
    pub position: u64,
    /// The same, and what is missing before it.
    pub sequence: u64,
}

impl Numbers {
    /// Those of this observation; afterwards they are the next one's.
    pub(crate) const fn take(&mut self, observation: &Observation) -> Self {
        let sequence = self.sequence.saturating_add(observation.missed);
        let taken = Self { position: self.position, sequence };
        *self = Self { position: self.position.saturating_add(1), sequence: sequence.saturating_add(1) };
        taken
    }
}

impl Quote {
    /// The bid and the ask, where both are there and the bid is above the ask: anyone would earn.
    pub(crate) fn crossed(&self) -> Option<(Price, Price)> {
        self.bid.zip(self.ask).filter(|(bid, ask)| bid > ask)
    }

    /// Whether nobody is on one of the sides.
    pub(crate) const fn has_empty_side(&self) -> bool {
        self.bid.is_none() || self.ask.is_none()
    }
}

/// The size on a side: of an empty one it is 0 whatever the source says, so that nothing trades there.
pub(crate) fn size(price: Option<Price>, size: Option<Quantity>) -> Option<Quantity> {
    if price.is_some() { size } else { Some(Quantity::ZERO) }
}

impl Observation {
    /// All its prices.
    pub(crate) fn prices(&self) -> impl Iterator<Item = Price> + use<> {
        let quoted = self.quote.map(|quote| [quote.bid, quote.ask]).into_iter().flatten().flatten();
        std::iter::once(self.price).chain(quoted)
    }

    /// The tick with these numbers.
    pub(crate) fn into_tick(self, symbol: &Symbol, Numbers { position, sequence }: Numbers, last: bool) -> Tick {
        Tick {
            symbol: symbol.clone(),
            price: self.price,
            volume: self.volume,
            bid: self.quote.and_then(|quote| quote.bid),
            ask: self.quote.and_then(|quote| quote.ask),
            bid_size: self.quote.and_then(|quote| size(quote.bid, quote.bid_size)),
            ask_size: self.quote.and_then(|quote| size(quote.ask, quote.ask_size)),
            time: Some(self.time),
            received: self.received,
            source_sequence: position,
            sequence,
            last,
        }
    }
}

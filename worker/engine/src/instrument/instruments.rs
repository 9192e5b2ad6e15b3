//! The markets of one strategy, in the order of its manifest.

use serde::{Deserialize, Serialize};

use super::{Asset, Instrument, Symbol};
use crate::non_empty::NonEmpty;

/// The place of a market among those of its strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstrumentIndex(u8);

impl InstrumentIndex {
    /// The first of them.
    pub const FIRST: Self = Self(0);

    /// The market at this place, counted from 0.
    pub const fn of_place(place: u8) -> Self {
        Self(place)
    }

    /// Whether it is the first.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub(crate) const fn is_first(&self) -> bool {
        self.0 == 0
    }

    /// Counted from 0.
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

/// The markets of one strategy: at least one, each once, all priced in one asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruments(NonEmpty<Instrument>);

/// Why markets cannot be those of one strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstrumentsError {
    /// There is none, or there are more than a strategy may have.
    #[error("{0} instruments; write 1 to {max}", max = Instruments::MAX)]
    Count(usize),
    /// One is there twice.
    #[error("{0} is written twice; keep one entry for each symbol")]
    Twice(Symbol),
    /// They have no one currency.
    #[error(
        "{first} is priced in {quote} and {other} in {}, so there is no one profit; give one of them a strategy of its own",
        .other.quote(), quote = .first.quote()
    )]
    Currencies {
        /// The first.
        first: Symbol,
        /// One that is priced in another asset.
        other: Symbol,
    },
}

impl Instruments {
    /// The most markets of one strategy.
    pub const MAX: usize = 16;

    /// The markets in this order.
    pub fn new(instruments: Vec<Instrument>) -> Result<Self, InstrumentsError> {
        let count = instruments.len();
        let all = NonEmpty::all_of(instruments).filter(|_| count <= Self::MAX);
        let all = all.ok_or(InstrumentsError::Count(count))?;
        let first = &all.first().symbol;
        for (place, symbol) in all.iter().map(|instrument| &instrument.symbol).enumerate() {
            if all.iter().take(place).any(|before| before.symbol == *symbol) {
                return Err(InstrumentsError::Twice(symbol.clone()));
            }
            if symbol.quote() != first.quote() {
                return Err(InstrumentsError::Currencies { first: first.clone(), other: symbol.clone() });
            }
        }
        Ok(Self(all))
    }

    /// The first of them.
    pub const fn first(&self) -> &Instrument {
        self.0.first()
    }

    /// The one at this place.
    pub fn get(&self, index: InstrumentIndex) -> Option<&Instrument> {
        self.0.get(index.get())
    }

    /// The same, of a place that is known to be one of them: those of an engine's own state and of its contexts are.
    pub(crate) fn at(&self, index: InstrumentIndex) -> &Instrument {
        self.get(index).unwrap_or(self.first())
    }

    /// The same markets in this order; `None` where they are others.
    pub(crate) fn in_order_of(&self, symbols: &[&Symbol]) -> Option<Self> {
        let same = symbols.iter().map(|symbol| self.get(self.index_of(symbol)?).cloned());
        let all = same.collect::<Option<Vec<_>>>().filter(|all| all.len() == self.len())?;
        NonEmpty::all_of(all).map(Self)
    }

    /// The place of the one with this symbol.
    pub fn index_of(&self, symbol: &Symbol) -> Option<InstrumentIndex> {
        self.iter().find(|(_, instrument)| instrument.symbol == *symbol).map(|(index, _)| index)
    }

    /// Each with its place, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (InstrumentIndex, &Instrument)> {
        (0_u8..).map(InstrumentIndex).zip(self.0.iter())
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The asset that all of them are priced in.
    pub fn quote(&self) -> &Asset {
        self.first().symbol.quote()
    }
}

impl From<Instrument> for Instruments {
    fn from(only: Instrument) -> Self {
        Self(NonEmpty::of(only))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Market;

    fn of(symbols: &[&'static str]) -> Result<Instruments, InstrumentsError> {
        Instruments::new(symbols.iter().map(|symbol| Market { symbol, ..Market::USUAL }.instrument()).collect())
    }

    #[test]
    fn each_market_has_its_place_in_the_order_of_the_manifest() {
        let markets = of(&["BTC/USDT", "ETH/USDT", "BTC/USDT:USDT"]).unwrap();
        let symbols: Vec<_> = markets.iter().map(|(index, one)| (index.get(), one.symbol.as_str())).collect();
        assert_eq!(symbols, [(0, "BTC/USDT"), (1, "ETH/USDT"), (2, "BTC/USDT:USDT")]);
        for (index, instrument) in markets.iter() {
            assert_eq!(markets.index_of(&instrument.symbol), Some(index));
            assert_eq!(markets.get(index), Some(instrument));
        }
        assert_eq!((markets.len(), markets.quote().as_str()), (3, "USDT"));
        assert_eq!(markets.index_of(&"SOL/USDT".parse().unwrap()), None);
        assert_eq!(markets.get(InstrumentIndex(3)), None);
    }

    #[test]
    fn what_one_strategy_cannot_trade_is_refused_with_the_remedy() {
        let many = vec![Market::USUAL.instrument(); 17];
        assert_eq!(Instruments::new(many).unwrap_err().to_string(), "17 instruments; write 1 to 16");
        for (symbols, told) in [
            (&[][..], "0 instruments; write 1 to 16"),
            (&["A/U", "B/U", "A/U"], "A/U is written twice; keep one entry for each symbol"),
            (
                &["A/U", "B/V"],
                "A/U is priced in U and B/V in V, so there is no one profit; give one of them a strategy of its own",
            ),
        ] {
            assert_eq!(of(symbols).unwrap_err().to_string(), told);
        }
    }
}

//! What is traded: the unified symbol, the contract that follows from it, and the venue's rules for orders.

mod asset;
mod contract;
mod instruments;
mod rules;
mod symbol;

pub use asset::{Asset, AssetError};
pub use contract::{Contract, Date, Right, Settlement};
pub use instruments::{InstrumentIndex, Instruments, InstrumentsError};
pub use rules::Rules;
pub use symbol::{Symbol, SymbolError};

use crate::numbers::shown::Digits;
use crate::numbers::{Notional, NumberError, Price, Quantity};

/// As much of a refused text as an error shows.
fn start_of(text: &str) -> String {
    text.chars().take(60).collect()
}

/// A market with its rules, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instrument {
    /// Its name, which says the contract.
    pub symbol: Symbol,
    /// Prices of orders are multiples of this.
    pub tick_size: Price,
    /// Quantities of orders are multiples of this.
    pub lot_size: Quantity,
    /// The least worth of an order.
    pub min_notional: Notional,
}

impl Instrument {
    /// An instrument under `rules`, which have been validated.
    pub fn new(symbol: Symbol, rules: &Rules) -> Result<Self, NumberError> {
        Ok(Self {
            symbol,
            tick_size: Price::new(rules.tick_size.get().normalize())?,
            lot_size: Quantity::new(rules.lot_size.get())?,
            min_notional: Notional::new(rules.min_notional.get())?,
        })
    }

    /// The digits that people read of this market's money, for an account worth `equity`.
    pub fn digits(&self, equity: Notional) -> Digits {
        Digits::of(self.tick_size, self.lot_size, equity)
    }
}

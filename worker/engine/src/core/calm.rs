//! The prices between which a tick changes nothing of what an engine stands at. Worth and the position limits follow
//! the price in one direction only, so what holds at two prices holds between them: most ticks are two comparisons.

use super::state::State;
use crate::numbers::{Notional, Price, Quantity};
use crate::risk::RiskState;

/// All that the ledger's worth, its peak and the limits follow from, but the price and the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    base: Quantity,
    quote: Notional,
    peak: Notional,
    risk: RiskState,
}

impl Standing {
    pub const fn of(state: &State) -> Self {
        Self { base: state.ledger.base(), quote: state.ledger.quote(), peak: state.peak, risk: state.risk }
    }
}

/// A standing, and the lowest and the highest price at which it was found to stay as it is: no peak above it, no
/// deeper fall, the same sides allowed. It holds by itself: another standing makes it void, and it is never saved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Calm {
    standing: Standing,
    min: Price,
    max: Price,
}

impl Calm {
    /// Whether at `price` all stays as it is.
    pub fn covers(&self, standing: &Standing, price: Price) -> bool {
        self.min <= price && price <= self.max && self.standing == *standing
    }

    /// What is known after a tick at `price` was valued and led to `standing`: that it stays so there, and where it
    /// stood so before, at all prices from there to here.
    pub fn with(known: Option<Self>, standing: Standing, price: Price) -> Self {
        match known {
            Some(known) if known.standing == standing => {
                Self { standing, min: known.min.min(price), max: known.max.max(price) }
            }
            Some(_) | None => Self { standing, min: price, max: price },
        }
    }
}

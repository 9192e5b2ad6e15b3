//! What the coins of all markets are worth, and between which worths a tick changes nothing of what an engine stands at.
//! The position limits and the fall from the peak follow that worth in one direction only, so what holds at two worths
//! holds between them: on most ticks one product is made and two numbers are compared. With one market the worth follows its
//! price, and on most ticks not even a product is made.

use super::state::State;
use crate::ledger::Position;
use crate::numbers::{Notional, NumberError, Price, Quantity};
use crate::risk::RiskState;

/// The coins of one market at a price.
#[derive(Debug, Clone, Copy)]
struct Worth {
    price: Price,
    quantity: Quantity,
    amount: Notional,
}

impl Worth {
    fn of(position: &Position, price: Price) -> Result<Self, NumberError> {
        Ok(Self { price, quantity: position.quantity(), amount: position.worth_at(price)? })
    }
}

/// All that peak, fall and limits follow from, but prices and the manifest: what is held changes with a trade only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    trades: u64,
    quote: Notional,
    peak: Notional,
    risk: RiskState,
}

impl Standing {
    const fn of(state: &State) -> Self {
        Self { trades: state.trades, quote: state.ledger.quote(), peak: state.peak, risk: state.risk }
    }
}

/// A standing, and the least and the largest value, a worth or a price, at which it was found to stay as it is: no peak above
/// it, no deeper fall, the same sides allowed.
#[derive(Debug, Clone, Copy)]
struct Calm<T> {
    standing: Standing,
    min: T,
    max: T,
}

impl<T: Ord + Copy> Calm<T> {
    /// Whether at `value` all stays as it is.
    fn covers(&self, standing: &Standing, value: T) -> bool {
        self.min <= value && value <= self.max && self.standing == *standing
    }

    /// What is known after `value` led to `standing`: that it stays so there, and where it stood so before, at all values from
    /// there to here.
    fn with(known: Option<Self>, standing: Standing, value: T) -> Self {
        match known {
            Some(known) if known.standing == standing => {
                Self { standing, min: known.min.min(value), max: known.max.max(value) }
            }
            Some(_) | None => Self { standing, min: value, max: value },
        }
    }
}

/// What is known of the last valuation. It holds by itself: what it was made from is compared, and it is never saved.
#[derive(Debug, Clone, Default)]
pub(super) struct Valuation {
    worths: Vec<Worth>,
    worth: Option<Calm<Notional>>,
    /// The same of a strategy that has one market, by its price.
    price: Option<Calm<Price>>,
}

impl Valuation {
    /// What all coins are worth at the last prices; `None` where a market has none yet.
    pub fn position(&mut self, state: &State) -> Result<Option<Notional>, NumberError> {
        let mut sum = Notional::ZERO;
        for (place, (position, price)) in state.ledger.positions().zip(state.markets.prices()).enumerate() {
            let Some(price) = price else { return Ok(None) };
            let worth = match self.worths.get_mut(place) {
                Some(known) if known.price == price && known.quantity == position.quantity() => known.amount,
                Some(known) => {
                    *known = Worth::of(position, price)?;
                    known.amount
                }
                None => {
                    let made = Worth::of(position, price)?;
                    self.worths.push(made);
                    made.amount
                }
            };
            sum = sum.plus(worth)?;
        }
        Ok(Some(sum))
    }

    /// Whether all stays as it is at the last price, where there is one market and nothing needs to be valued to know it.
    pub fn is_calm_at_price(&self, state: &State) -> bool {
        let known = self.price.zip(state.markets.only_price());
        known.is_some_and(|(calm, price)| calm.covers(&Standing::of(state), price))
    }

    /// Whether with coins worth `position` all stays as it is.
    pub fn is_calm(&self, state: &State, position: Notional) -> bool {
        self.worth.is_some_and(|calm| calm.covers(&Standing::of(state), position))
    }

    /// Coins worth `position` led to where all stands now.
    pub fn is_known(&mut self, state: &State, position: Notional) {
        let standing = Standing::of(state);
        self.worth = Some(Calm::with(self.worth, standing, position));
        self.price = state.markets.only_price().map(|price| Calm::with(self.price, standing, price));
    }

    /// Nothing is known any more.
    pub fn forget(&mut self) {
        (self.worth, self.price) = (None, None);
    }
}

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

/// All that peak, fall and limits follow from, but the worth of the coins and the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    quote: Notional,
    peak: Notional,
    risk: RiskState,
}

impl Standing {
    pub const fn of(state: &State) -> Self {
        Self { quote: state.ledger.quote(), peak: state.peak, risk: state.risk }
    }
}

/// A standing, and the least and the largest worth at which it was found to stay as it is: no peak above it, no deeper
/// fall, the same sides allowed.
#[derive(Debug, Clone, Copy)]
struct Calm {
    standing: Standing,
    min: Notional,
    max: Notional,
}

/// Of one market, the same by its price: with so many coins their worth lies where the price does.
#[derive(Debug, Clone, Copy)]
struct CalmPrices {
    standing: Standing,
    quantity: Quantity,
    min: Price,
    max: Price,
}

/// What is known of the last valuation. It holds by itself: what it was made from is compared, and it is never saved.
#[derive(Debug, Default)]
pub(super) struct Valuation {
    worths: Vec<Worth>,
    calm: Option<Calm>,
    prices: Option<CalmPrices>,
}

/// The one market of a strategy that has no other: its coins, and its last price.
fn only_market(state: &State) -> Option<(Quantity, Price)> {
    let mut positions = state.ledger.positions();
    let only = positions.next().filter(|_| positions.next().is_none())?;
    Some((only.quantity(), state.markets.prices().next()??))
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
        let Some(calm) = &self.prices else { return false };
        only_market(state).is_some_and(|(quantity, price)| {
            calm.min <= price && price <= calm.max && calm.quantity == quantity && calm.standing == Standing::of(state)
        })
    }

    /// Whether with coins worth `position` all stays as it is.
    pub fn is_calm(&self, standing: &Standing, position: Notional) -> bool {
        self.calm.is_some_and(|calm| calm.min <= position && position <= calm.max && calm.standing == *standing)
    }

    /// Coins worth `position` led to `standing`: it stays so there, and where it stood so before, at all worths from there
    /// to here.
    pub fn is_known(&mut self, state: &State, position: Notional) {
        let standing = Standing::of(state);
        self.prices = only_market(state).map(|(quantity, price)| match self.prices {
            Some(known) if known.standing == standing && known.quantity == quantity => {
                CalmPrices { min: known.min.min(price), max: known.max.max(price), ..known }
            }
            Some(_) | None => CalmPrices { standing, quantity, min: price, max: price },
        });
        self.calm = Some(match self.calm {
            Some(known) if known.standing == standing => {
                Calm { standing, min: known.min.min(position), max: known.max.max(position) }
            }
            Some(_) | None => Calm { standing, min: position, max: position },
        });
    }

    /// Nothing is known any more.
    pub fn forget(&mut self) {
        (self.calm, self.prices) = (None, None);
    }
}

//! Money put into books and taken out of them. What it is worth counts as given, so profit stays as it was: coins put in
//! cost their worth, and coins taken out relieve cost as a sale does.

use super::{Ledger, LedgerError, Position};
use crate::instrument::Asset;
use crate::numbers::{Notional, Price, Quantity};

impl Ledger {
    /// Puts an amount of an asset in, or, where it is below 0, takes it out; coins at their market's price among `prices`, one
    /// for each market in their order. Gives its worth in quote, with its sign. On `Err` nothing has changed. What is free
    /// is not judged here, but no coins are taken that are not held.
    pub fn transfer(&mut self, asset: &Asset, amount: Notional, prices: &[Price]) -> Result<Notional, LedgerError> {
        if let Some(cash) = self.cash.iter_mut().find(|cash| cash.asset == *asset) {
            let (held, given) = (cash.amount.plus(amount)?, cash.transferred.plus(amount)?);
            (cash.amount, cash.transferred) = (held, given);
            return Ok(amount);
        }
        let place = self.positions.iter().position(|position| position.symbol().base() == asset);
        let foreign = || LedgerError::ForeignTransfer { asset: asset.clone(), markets: self.markets() };
        let place = place.ok_or_else(foreign)?;
        let lacking = LedgerError::Prices { given: prices.len(), needed: self.positions.len() };
        let (Some(position), Some(price)) = (self.positions.iter_mut().nth(place), prices.get(place)) else {
            return Err(lacking);
        };
        let (next, worth) = position.transferred(amount, *price)?;
        // Each market's currency has cash.
        let mut cash = self.cash.iter_mut().filter(|cash| cash.asset == *position.symbol().quote());
        let cash = cash.next().ok_or(lacking)?;
        cash.transferred = cash.transferred.plus(worth)?;
        *position = next;
        Ok(worth)
    }

    /// What all transfers of `currency`, and of coins priced in it, were worth when they were booked.
    pub fn transferred_in(&self, currency: &Asset) -> Result<Notional, LedgerError> {
        Ok(self.cash_of(currency)?.transferred)
    }
}

impl Position {
    /// The position after so many coins were put in or taken out at `price`, and their worth.
    fn transferred(&self, amount: Notional, price: Price) -> Result<(Self, Notional), LedgerError> {
        let mut next = self.clone();
        next.open_at(price)?;
        if amount >= Notional::ZERO {
            let coins = Quantity::try_from(amount)?;
            let worth = price.times(coins)?;
            next.quantity = next.quantity.plus(coins)?;
            next.cost = next.cost.plus(worth)?;
            return Ok((next, worth));
        }
        let coins = Quantity::try_from(Notional::ZERO.minus(amount)?)?;
        let worth = price.times(coins)?;
        next.relieve(coins, worth)?;
        Ok((next, Notional::ZERO.minus(worth)?))
    }
}

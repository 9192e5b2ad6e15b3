//! The coins of one spot market: what is held, what it cost in all, and what was made of it.

use serde::{Deserialize, Serialize};

use super::{LedgerError, Profit};
use crate::instrument::Symbol;
use crate::messages::{Fill, Side};
use crate::numbers::{Notional, NumberError, Price, Quantity};

/// Coins that were there before any trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OpeningCoins {
    /// The first price: that of the first tick.
    pub price: Price,
    /// So many.
    pub quantity: Quantity,
}

impl OpeningCoins {
    pub fn worth(&self) -> Result<Notional, NumberError> {
        self.price.times(self.quantity)
    }
}

/// What is held of one market's base, and its result in the market's quote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    symbol: Symbol,
    pub(super) quantity: Quantity,
    /// In all, not for each coin.
    pub(super) cost: Notional,
    realized: Notional,
    fees: Notional,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opening: Option<OpeningCoins>,
}

impl Position {
    pub(super) const fn new(symbol: Symbol, quantity: Quantity) -> Self {
        let (cost, realized, fees) = (Notional::ZERO, Notional::ZERO, Notional::ZERO);
        Self { symbol, quantity, cost, realized, fees, opening: None }
    }

    /// As the release before saved it.
    pub(super) fn restored(saved: super::v1::Ledger) -> Self {
        let opening = saved.opening.map(|opening| OpeningCoins { price: opening.price, quantity: opening.base });
        let (quantity, cost, realized, fees) = (saved.base, saved.cost, saved.realized, saved.fees);
        Self { symbol: saved.symbol, quantity, cost, realized, fees, opening }
    }

    /// Its market.
    pub const fn symbol(&self) -> &Symbol {
        &self.symbol
    }

    /// Coins held.
    pub const fn quantity(&self) -> Quantity {
        self.quantity
    }

    /// What they cost in all.
    pub(crate) const fn cost(&self) -> Notional {
        self.cost
    }

    /// What was made so far without what is held: realized less fees.
    pub(crate) fn made(&self) -> Result<Notional, NumberError> {
        self.realized.minus(self.fees)
    }

    pub(super) const fn opening(&self) -> Option<OpeningCoins> {
        self.opening
    }

    /// Values the opening coins at the first price. Later calls change nothing.
    #[inline]
    pub(super) fn open_at(&mut self, price: Price) -> Result<(), NumberError> {
        if self.opening.is_none() {
            let coins = OpeningCoins { price, quantity: self.quantity };
            self.cost = coins.worth()?;
            self.opening = Some(coins);
        }
        Ok(())
    }

    /// Cost per coin, 8 digits, for display; `None` without coins.
    pub fn average_price(&self) -> Option<Price> {
        if self.quantity.is_zero() { None } else { Price::average(self.cost, self.quantity, 0).ok() }
    }

    /// What the coins are worth at `price`.
    pub fn worth_at(&self, price: Price) -> Result<Notional, NumberError> {
        price.times(self.quantity)
    }

    /// Its profit at `price`.
    pub fn profit_at(&self, price: Price) -> Result<Profit, NumberError> {
        let unrealized = self.worth_at(price)?.minus(self.cost)?;
        let net = self.realized.plus(unrealized)?.minus(self.fees)?;
        Ok(Profit { realized: self.realized, unrealized, fees: self.fees, net })
    }

    /// Gives the realized profit what rounding took from `net = equity − opening equity`, where `cash` of `opening_cash` is
    /// left.
    pub(super) fn settle_rounding(&mut self, cash: Notional, opening_cash: Notional) -> Result<(), NumberError> {
        if let Some(opening) = self.opening {
            let given = opening.worth()?.plus(opening_cash)?;
            self.realized = cash.plus(self.cost)?.plus(self.fees)?.minus(given)?;
        }
        Ok(())
    }

    /// Lets coins go, which were worth `proceeds`: their share of the cost goes with them, and the rest is realized.
    pub(super) fn relieve(&mut self, quantity: Quantity, proceeds: Notional) -> Result<(), LedgerError> {
        if quantity > self.quantity {
            let asset = self.symbol.base().clone();
            return Err(LedgerError::Short { asset, taken: quantity, held: self.quantity });
        }
        let relieved = if quantity.is_zero() { Notional::ZERO } else { self.cost.relieved(quantity, self.quantity)? };
        self.quantity = self.quantity.minus(quantity)?;
        self.cost = self.cost.minus(relieved)?;
        self.realized = self.realized.plus(proceeds.minus(relieved)?)?;
        Ok(())
    }

    /// The position and its cash after a trade in its market. A trade before the first tick has the first price.
    pub(super) fn after(&self, fill: &Fill, cash: Notional) -> Result<(Self, Notional), LedgerError> {
        let mut next = Booking { position: self.clone(), cash };
        next.position.open_at(fill.price)?;
        let notional = fill.price.times(fill.quantity)?;
        match fill.side {
            Side::Buy => next.buy(fill.quantity, notional)?,
            Side::Sell => next.sell(fill.quantity, notional)?,
        }
        next.pay_fee(fill)?;
        Ok((next.position, next.cash))
    }
}

/// A position and its cash while a trade is booked.
struct Booking {
    position: Position,
    cash: Notional,
}

impl Booking {
    fn buy(&mut self, quantity: Quantity, notional: Notional) -> Result<(), LedgerError> {
        self.position.quantity = self.position.quantity.plus(quantity)?;
        self.position.cost = self.position.cost.plus(notional)?;
        self.cash = self.cash.minus(notional)?;
        Ok(())
    }

    fn sell(&mut self, quantity: Quantity, proceeds: Notional) -> Result<(), LedgerError> {
        self.position.relieve(quantity, proceeds)?;
        self.cash = self.cash.plus(proceeds)?;
        Ok(())
    }

    /// A fee in quote, or in a third asset (which the account paid and the strategy owes in quote), leaves
    /// the cash; a fee in base is a sale of that base at the fill's price whose proceeds are the fee. What the
    /// base cannot pay, as after a sale of all of it, the account paid, and it is owed in quote too.
    fn pay_fee(&mut self, fill: &Fill) -> Result<(), LedgerError> {
        self.position.fees = self.position.fees.plus(fill.fee_quote)?;
        if fill.fee_asset == *self.position.symbol.base() {
            let coins = Quantity::try_from(fill.fee)?;
            if fill.side == Side::Buy && coins <= fill.quantity {
                // Coins that never arrive are not sold: their share of this trade's worth leaves the cost.
                self.position.quantity = self.position.quantity.minus(coins)?;
                self.position.cost = self.position.cost.minus(fill.fee_quote)?;
                return Ok(());
            }
            let held = self.position.quantity;
            if coins <= held {
                self.sell(coins, fill.fee_quote)?;
            } else {
                self.sell(held, fill.price.times(held)?.min(fill.fee_quote))?;
            }
        }
        self.cash = self.cash.minus(fill.fee_quote)?;
        Ok(())
    }
}

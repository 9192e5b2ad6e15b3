//! What open orders may still take, which is not available to the next one.

use crate::fees::{Fees, PaidIn};
use crate::messages::{Side, TimeInForce};
use crate::numbers::{Notional, NumberError, Price, Quantity, Ratio};

/// Amounts of a market's two assets: what is held, what orders may take of it, what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Funds {
    /// Coins.
    pub base: Quantity,
    /// Cash; less than nothing where it is owed.
    pub quote: Notional,
}

impl Funds {
    /// Nothing.
    pub const NONE: Self = Self { base: Quantity::ZERO, quote: Notional::ZERO };

    /// Both together.
    pub fn plus(self, other: Self) -> Result<Self, NumberError> {
        Ok(Self { base: self.base.plus(other.base)?, quote: self.quote.plus(other.quote)? })
    }

    /// What is left of it once `other` is taken. Coins are never owed.
    pub fn minus(self, other: Self) -> Result<Self, NumberError> {
        Ok(Self { base: self.base.minus(other.base.min(self.base))?, quote: self.quote.minus(other.quote)? })
    }

    /// How much more it is than `other`, of each asset at least nothing.
    pub fn beyond(self, other: Self) -> Result<Self, NumberError> {
        Ok(Self {
            base: self.base.minus(other.base.min(self.base))?,
            quote: self.quote.minus(other.quote.min(self.quote))?,
        })
    }
}

/// What the account's venue takes of a trade, as orders reserve it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    resting: Ratio,
    taking: Ratio,
    paid_in: PaidIn,
}

impl Terms {
    /// Those of these fees.
    pub fn of(fees: &Fees) -> Self {
        let (maker, taking) = (fees.maker(), fees.taker());
        Self { resting: maker.max(taking), taking, paid_in: fees.paid_in }
    }

    /// What an order of this kind may take. One that may rest pays the larger of both fees at most; a fee that is taken
    /// from the coins that it buys takes nothing else.
    pub fn reserve(
        &self,
        side: Side,
        time_in_force: TimeInForce,
        quantity: Quantity,
        price: Price,
    ) -> Result<Funds, NumberError> {
        match side {
            Side::Sell => Ok(Funds { base: quantity, ..Funds::NONE }),
            Side::Buy => {
                let worth = price.times(quantity)?;
                let quote = match self.paid_in {
                    PaidIn::Quote => worth.plus(worth.share(self.share(time_in_force))?)?,
                    PaidIn::Received => worth,
                };
                Ok(Funds { quote, ..Funds::NONE })
            }
        }
    }

    const fn share(&self, time_in_force: TimeInForce) -> Ratio {
        match time_in_force {
            TimeInForce::GoodTillCanceled => self.resting,
            TimeInForce::ImmediateOrCancel | TimeInForce::FillOrKill => self.taking,
        }
    }
}

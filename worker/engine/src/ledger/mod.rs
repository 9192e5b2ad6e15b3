//! A strategy's own books: declared capital plus fills minus fees, with profit exact by construction.
//!
//! `net = realized + unrealized − fees = equity − opening equity − transfers`, to the last digit: every step books the
//! same numbers on both sides, and the only rounding, that of relieved cost, moves money between realized
//! and unrealized without making any.
//!
//! Cash is kept by asset, coins as a position of their market. Profit is counted in each currency apart, that of the
//! markets that are priced in it: the books know no rate between two. So an asset has one role: books in which it would be
//! cash of one market and the coins of another, or coins with two prices, are refused.

mod markets;
mod position;
mod saved;
#[cfg(test)]
mod tests;
mod transfers;

use serde::{Deserialize, Serialize};

use crate::instrument::{Asset, Symbol};
use crate::messages::Fill;
use crate::non_empty::NonEmpty;
use crate::numbers::{Notional, NumberError, Price, Quantity};
use crate::orders::Funds;

pub use position::Position;
pub(crate) use saved::v1;

/// Why books could not be made, or a fill not be booked. A ledger is then unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// More base was sold than is held.
    #[error("the fill takes {taken} {asset} but the ledger holds {held}")]
    Short {
        /// The asset.
        asset: Asset,
        /// What the fill takes.
        taken: Quantity,
        /// What is held.
        held: Quantity,
    },
    /// The fill is of another market.
    #[error("the fill is in {found}, the ledger in {expected}")]
    OtherSymbol {
        /// The fill's market.
        found: Symbol,
        /// The ledger's, in words.
        expected: String,
    },
    /// There is no market to keep books of.
    #[error("a ledger needs a market; name one such as BTC/USDT")]
    NoMarket,
    /// Two markets give an asset two roles.
    #[error(
        "{asset} is in both {one} and {other}, as cash and as coins or with two prices, so there is no one profit; give one of \
         them a strategy of its own"
    )]
    TwoRoles {
        /// The asset.
        asset: Asset,
        /// A market.
        one: Symbol,
        /// The other.
        other: Symbol,
    },
    /// Capital in an asset that no market trades.
    #[error("the capital has {asset}, but the ledger trades {markets}; leave it out")]
    ForeignCapital {
        /// The asset.
        asset: Asset,
        /// The ledger's markets, in words.
        markets: String,
    },
    /// A transfer of an asset that no market trades.
    #[error("the transfer is of {asset}, but the ledger trades {markets}; leave it out")]
    ForeignTransfer {
        /// The asset.
        asset: Asset,
        /// The ledger's markets, in words.
        markets: String,
    },
    /// No market is priced in this asset.
    #[error("no market of the ledger is priced in {asset}; it trades {markets}")]
    NoCurrency {
        /// The asset.
        asset: Asset,
        /// The ledger's markets, in words.
        markets: String,
    },
    /// There must be one price for each market.
    #[error("{given} prices for the {needed} markets of the ledger; give one for each, in their order")]
    Prices {
        /// How many were given.
        given: usize,
        /// How many markets there are.
        needed: usize,
    },
    /// A sum cannot be exact.
    #[error(transparent)]
    Number(#[from] NumberError),
}

/// What the opening coins were worth, of a ledger with one market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Opening {
    /// The first tick's price.
    pub price: Price,
    /// The opening amount of base.
    pub base: Quantity,
    /// The opening amount of quote.
    pub quote: Notional,
}

impl Opening {
    /// What the opening amounts are worth at `price`: the result of only holding.
    pub fn equity_at(&self, price: Price) -> Result<Notional, NumberError> {
        price.times(self.base)?.plus(self.quote)
    }
}

/// Profit so far, all in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profit {
    /// Proceeds of what was sold less its cost, before fees.
    pub realized: Notional,
    /// Worth of what is held less its cost.
    pub unrealized: Notional,
    /// Fees, valued at each fill.
    pub fees: Notional,
    /// `realized + unrealized − fees`.
    pub net: Notional,
}

impl Profit {
    const NONE: Self =
        Self { realized: Notional::ZERO, unrealized: Notional::ZERO, fees: Notional::ZERO, net: Notional::ZERO };

    fn plus(self, other: Self) -> Result<Self, NumberError> {
        Ok(Self {
            realized: self.realized.plus(other.realized)?,
            unrealized: self.unrealized.plus(other.unrealized)?,
            fees: self.fees.plus(other.fees)?,
            net: self.net.plus(other.net)?,
        })
    }
}

/// Cash of one asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cash {
    asset: Asset,
    amount: Notional,
    /// What was declared.
    opening: Notional,
    /// What was put in since less what was taken out, of the cash and of the coins priced in it, each at its worth then.
    #[serde(default, skip_serializing_if = "is_nothing")]
    transferred: Notional,
}

fn is_nothing(amount: &Notional) -> bool {
    *amount == Notional::ZERO
}

impl Cash {
    /// What was declared of an asset.
    const fn declared(asset: Asset, amount: Notional) -> Self {
        Self { asset, amount, opening: amount, transferred: Notional::ZERO }
    }
}

/// One strategy's books in spot markets. The first market and its cash lie in the value itself: they are read on each
/// tick.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "saved::Parts")]
pub struct Ledger {
    cash: NonEmpty<Cash>,
    positions: NonEmpty<Position>,
}

impl Ledger {
    /// Books of one market that open with the declared capital.
    pub fn new(symbol: Symbol, base: Quantity, quote: Notional) -> Self {
        let cash = Cash::declared(symbol.quote().clone(), quote);
        Self { cash: NonEmpty::of(cash), positions: NonEmpty::of(Position::new(symbol, base)) }
    }

    /// Values the opening coins of the first market at its first tick's price. Later calls change nothing.
    pub fn open_at(&mut self, price: Price) -> Result<(), NumberError> {
        self.positions.first_mut().open_at(price)
    }

    /// The asset that the first market is priced in.
    pub const fn currency(&self) -> &Asset {
        &self.cash.first().asset
    }

    /// What is held of the two assets of the market at `place`, in the order of the markets.
    pub fn held(&self, place: usize) -> Funds {
        let coins = self.positions.get(place).map_or(Quantity::ZERO, Position::quantity);
        Funds { base: coins, quote: self.quote() }
    }

    /// What the opening coins of the first market were worth; `None` before its first tick.
    pub fn opening(&self) -> Option<Opening> {
        let coins = self.positions.first().opening()?;
        Some(Opening { price: coins.price, base: coins.quantity, quote: self.cash.first().opening })
    }

    /// Base of the first market that is held.
    pub const fn base(&self) -> Quantity {
        self.positions.first().quantity()
    }

    /// Cash of the first market's quote.
    pub const fn quote(&self) -> Notional {
        self.cash.first().amount
    }

    /// What the first market's coins and its cash are worth at `price`: all there is, where it is the only market. See
    /// [`Self::equity_in`].
    pub fn equity_at(&self, price: Price) -> Result<Notional, NumberError> {
        price.times(self.base())?.plus(self.quote())
    }

    /// Cost per base of the first market, for display. See [`Position::average_price`].
    pub fn average_price(&self) -> Option<Price> {
        self.positions.first().average_price()
    }

    /// Profit of the first market at `price`. See [`Self::profit_in`].
    pub fn profit_at(&self, price: Price) -> Result<Profit, NumberError> {
        self.positions.first().profit_at(price)
    }

    /// Books one trade. On `Err` nothing has changed.
    pub fn book(&mut self, fill: &Fill) -> Result<(), LedgerError> {
        let position = self.positions.iter_mut().find(|position| *position.symbol() == fill.symbol);
        let cash = self.cash.iter_mut().find(|cash| cash.asset == *fill.symbol.quote());
        let (Some(position), Some(cash)) = (position, cash) else {
            return Err(LedgerError::OtherSymbol { found: fill.symbol.clone(), expected: self.markets() });
        };
        (*position, cash.amount) = position.after(fill, cash.amount)?;
        Ok(())
    }
}

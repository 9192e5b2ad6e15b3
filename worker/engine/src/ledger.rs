//! A strategy's own books: declared capital plus fills minus fees, with profit exact by construction.
//!
//! `net = realized + unrealized − fees = equity − opening equity`, to the last digit: every step books the
//! same numbers on both sides, and the only rounding, that of relieved cost, moves money between realized
//! and unrealized without making any.

use serde::{Deserialize, Serialize};

use crate::instrument::{Asset, Symbol};
use crate::messages::{Fill, Side};
use crate::numbers::{Notional, NumberError, Price, Quantity};

/// Why a fill could not be booked. The ledger is then unchanged.
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
        /// The ledger's.
        expected: Symbol,
    },
    /// A sum cannot be exact.
    #[error(transparent)]
    Number(#[from] NumberError),
}

/// What the opening coins were worth.
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

/// Profit so far, all in quote.
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

/// One strategy's books in one spot market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    symbol: Symbol,
    base: Quantity,
    quote: Notional,
    cost: Notional,
    realized: Notional,
    fees: Notional,
    opening: Option<Opening>,
}

impl Ledger {
    /// Books that open with the declared capital.
    pub const fn new(symbol: Symbol, base: Quantity, quote: Notional) -> Self {
        let (cost, realized, fees) = (Notional::ZERO, Notional::ZERO, Notional::ZERO);
        Self { symbol, base, quote, cost, realized, fees, opening: None }
    }

    /// Values the opening coins at the first tick's price. Later calls change nothing.
    pub fn open_at(&mut self, price: Price) -> Result<(), NumberError> {
        if self.opening.is_none() {
            self.cost = price.times(self.base)?;
            self.opening = Some(Opening { price, base: self.base, quote: self.quote });
        }
        Ok(())
    }

    /// Takes up amounts of a release that kept 28 digits, each of which was rounded to 18 by itself: the realized profit
    /// takes what is then missing from `net = equity − opening equity`, at most a few units of the last digit.
    pub(crate) fn settle_rounding(&mut self) -> Result<(), NumberError> {
        if let Some(opening) = self.opening {
            let given = opening.equity_at(opening.price)?;
            self.realized = self.quote.plus(self.cost)?.plus(self.fees)?.minus(given)?;
        }
        Ok(())
    }

    /// What the opening coins were worth; `None` before the first tick.
    pub const fn opening(&self) -> Option<&Opening> {
        self.opening.as_ref()
    }

    /// Base held.
    pub const fn base(&self) -> Quantity {
        self.base
    }

    /// What is held of each asset.
    pub fn holdings(&self) -> impl Iterator<Item = (&Asset, Notional)> {
        [(self.symbol.base(), Notional::from(self.base)), (self.symbol.quote(), self.quote)].into_iter()
    }

    /// Quote held.
    pub const fn quote(&self) -> Notional {
        self.quote
    }

    /// What all is worth at `price`.
    pub fn equity_at(&self, price: Price) -> Result<Notional, NumberError> {
        price.times(self.base)?.plus(self.quote)
    }

    /// Cost per base, 8 digits, for display; `None` without a position.
    pub fn average_price(&self) -> Option<Price> {
        if self.base.is_zero() { None } else { Price::average(self.cost, self.base, 0).ok() }
    }

    /// Profit at `price`.
    pub fn profit_at(&self, price: Price) -> Result<Profit, NumberError> {
        let unrealized = price.times(self.base)?.minus(self.cost)?;
        let net = self.realized.plus(unrealized)?.minus(self.fees)?;
        Ok(Profit { realized: self.realized, unrealized, fees: self.fees, net })
    }

    /// Books one trade. On `Err` nothing has changed.
    pub fn book(&mut self, fill: &Fill) -> Result<(), LedgerError> {
        if fill.symbol != self.symbol {
            return Err(LedgerError::OtherSymbol { found: fill.symbol.clone(), expected: self.symbol.clone() });
        }
        let mut next = self.clone();
        let notional = fill.price.times(fill.quantity)?;
        match fill.side {
            Side::Buy => next.buy(fill.quantity, notional)?,
            Side::Sell => next.sell(fill.quantity, notional)?,
        }
        next.pay_fee(fill)?;
        *self = next;
        Ok(())
    }

    fn buy(&mut self, quantity: Quantity, notional: Notional) -> Result<(), LedgerError> {
        self.base = self.base.plus(quantity)?;
        self.quote = self.quote.minus(notional)?;
        self.cost = self.cost.plus(notional)?;
        Ok(())
    }

    fn sell(&mut self, quantity: Quantity, proceeds: Notional) -> Result<(), LedgerError> {
        if quantity > self.base {
            return Err(LedgerError::Short { asset: self.symbol.base().clone(), taken: quantity, held: self.base });
        }
        if quantity.is_zero() {
            return Ok(());
        }
        let relieved = self.cost.relieved(quantity, self.base)?;
        self.base = self.base.minus(quantity)?;
        self.quote = self.quote.plus(proceeds)?;
        self.cost = self.cost.minus(relieved)?;
        self.realized = self.realized.plus(proceeds.minus(relieved)?)?;
        Ok(())
    }

    /// A fee in quote, or in a third asset (which the account paid and the strategy owes in quote), leaves
    /// the quote; a fee in base is a sale of that base at the fill's price whose proceeds are the fee. What the
    /// base cannot pay, as after a sale of all of it, the account paid, and it is owed in quote too.
    fn pay_fee(&mut self, fill: &Fill) -> Result<(), LedgerError> {
        self.fees = self.fees.plus(fill.fee_quote)?;
        if fill.fee_asset == *self.symbol.base() {
            let coins = Quantity::try_from(fill.fee)?;
            if fill.side == Side::Buy && coins <= fill.quantity {
                // Coins that never arrive are not sold: their share of this trade's worth leaves the cost.
                self.base = self.base.minus(coins)?;
                self.cost = self.cost.minus(fill.fee_quote)?;
                return Ok(());
            }
            if coins <= self.base {
                self.sell(coins, fill.fee_quote)?;
            } else {
                self.sell(self.base, fill.price.times(self.base)?.min(fill.fee_quote))?;
            }
        }
        self.quote = self.quote.minus(fill.fee_quote)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Liquidity;
    use crate::time::Timestamp;

    fn fill(side: Side, quantity: &str, price: &str, fee: (&str, &str, &str)) -> Fill {
        Fill {
            strategy: "s".into(),
            ledger: "abc".parse().unwrap(),
            client_order_id: "glm-abc-1".parse().unwrap(),
            venue_order_id: "1".into(),
            trade_id: "1".into(),
            symbol: "BNB/USDT".parse().unwrap(),
            side,
            quantity: quantity.parse().unwrap(),
            price: price.parse().unwrap(),
            cumulative_quantity: quantity.parse().unwrap(),
            fee: fee.0.parse().unwrap(),
            fee_asset: fee.1.parse().unwrap(),
            fee_quote: fee.2.parse().unwrap(),
            liquidity: Liquidity::Taker,
            time: Timestamp::from_millis(0),
            tick_sequence: None,
        }
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::new("BNB/USDT".parse().unwrap(), "5".parse().unwrap(), "3000".parse().unwrap());
        ledger.open_at("600".parse().unwrap()).unwrap();
        ledger
    }

    /// The identity every test ends with.
    fn net_is_change_of_equity(ledger: &Ledger, price: &str) {
        let price = price.parse().unwrap();
        let opening = ledger.opening().unwrap();
        let change = ledger.equity_at(price).unwrap().minus(opening.equity_at(opening.price).unwrap()).unwrap();
        assert_eq!(ledger.profit_at(price).unwrap().net, change);
    }

    #[test]
    fn a_sale_relieves_its_share_of_the_cost() {
        let mut ledger = ledger();
        ledger.book(&fill(Side::Sell, "0.989", "612.50", ("0", "USDT", "0"))).unwrap();
        assert_eq!(ledger.quote().to_string(), "3605.7625");
        assert_eq!(ledger.profit_at("612.50".parse().unwrap()).unwrap().realized.to_string(), "12.3625");
        net_is_change_of_equity(&ledger, "592");
    }

    #[test]
    fn the_identity_holds_for_fees_in_each_asset() {
        let fees =
            [("0.6057625", "USDT", "0.6057625"), ("0.000989", "BNB", "0.6057625"), ("0.001", "ETH", "0.6057625")];
        for side in [Side::Buy, Side::Sell] {
            for fee in fees {
                let mut ledger = ledger();
                ledger.book(&fill(side, "0.989", "612.50", fee)).unwrap();
                ledger.book(&fill(Side::Sell, "1.333", "601.01", fee)).unwrap();
                net_is_change_of_equity(&ledger, "592");
            }
        }
    }

    /// Binance takes the fee in BNB, and all the BNB was sold: the account paid, the strategy owes.
    #[test]
    fn a_fee_that_the_base_cannot_pay_is_owed_in_quote() {
        let none = ("0.005", "BNB", "3.0625");
        let mut ledger = ledger();
        ledger.book(&fill(Side::Sell, "5", "612.50", none)).unwrap();
        assert_eq!((ledger.base().to_string(), ledger.quote().to_string()), ("0".into(), "6059.4375".into()));
        net_is_change_of_equity(&ledger, "592");
        // 0.002 are left for a fee of 0.005: they are sold for 1.225, and 1.8375 are owed.
        let mut ledger = self::ledger();
        ledger.book(&fill(Side::Sell, "4.998", "612.50", none)).unwrap();
        assert_eq!((ledger.base().to_string(), ledger.quote().to_string()), ("0".into(), "6059.4375".into()));
        assert_eq!(ledger.profit_at("592".parse().unwrap()).unwrap().fees.to_string(), "3.0625");
        net_is_change_of_equity(&ledger, "592");
        // A fee above what was bought takes of what was held before.
        let mut ledger = self::ledger();
        ledger.book(&fill(Side::Buy, "0.001", "612.50", none)).unwrap();
        assert_eq!((ledger.base().to_string(), ledger.quote().to_string()), ("4.996".into(), "2999.3875".into()));
        net_is_change_of_equity(&ledger, "592");
    }

    #[test]
    fn what_is_not_held_cannot_be_sold_and_nothing_changes() {
        let mut books = ledger();
        let before = books.clone();
        assert!(matches!(
            books.book(&fill(Side::Sell, "5.001", "600", ("0", "USDT", "0"))),
            Err(LedgerError::Short { .. })
        ));
        assert_eq!(books, before);
    }
}

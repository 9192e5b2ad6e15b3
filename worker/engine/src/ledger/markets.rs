//! Books of several markets: who may stand beside whom, and profit in each currency.

use std::collections::BTreeMap;

use super::{Cash, Ledger, LedgerError, Position, Profit};
use crate::instrument::{Asset, Symbol};
use crate::non_empty::NonEmpty;
use crate::numbers::{Notional, Price, Quantity};

impl Ledger {
    /// Books of these markets, in their order, that open with the declared capital.
    pub fn of(markets: &[Symbol], capital: &BTreeMap<Asset, Notional>) -> Result<Self, LedgerError> {
        let declared = |asset: &Asset| capital.get(asset).copied().unwrap_or_default();
        let mut cash: Vec<Cash> = Vec::new();
        let mut positions = Vec::new();
        for symbol in markets {
            if cash.iter().all(|cash| cash.asset != *symbol.quote()) {
                cash.push(Cash::declared(symbol.quote().clone(), declared(symbol.quote())));
            }
            positions.push(Position::new(symbol.clone(), Quantity::try_from(declared(symbol.base()))?));
        }
        let ledger = Self::made_of(cash, positions)?;
        let foreign = capital.keys().find(|asset| ledger.holdings().all(|(held, _)| held != *asset));
        match foreign.cloned() {
            Some(asset) => Err(LedgerError::ForeignCapital { asset, markets: ledger.markets() }),
            None => Ok(ledger),
        }
    }

    /// Books of these parts, if each asset has one role in them.
    pub(super) fn made_of(cash: Vec<Cash>, positions: Vec<Position>) -> Result<Self, LedgerError> {
        let mut before: Vec<&Symbol> = Vec::new();
        for symbol in positions.iter().map(Position::symbol) {
            if cash.iter().all(|cash| cash.asset != *symbol.quote()) {
                return Err(LedgerError::NoCurrency { asset: symbol.quote().clone(), markets: symbol.to_string() });
            }
            for other in &before {
                let both =
                    [(symbol.base(), other.base()), (symbol.base(), other.quote()), (symbol.quote(), other.base())];
                if let Some((asset, _)) = both.into_iter().find(|(one, other)| one == other) {
                    let (asset, one, other) = (asset.clone(), (*other).clone(), symbol.clone());
                    return Err(LedgerError::TwoRoles { asset, one, other });
                }
            }
            before.push(symbol);
        }
        let (cash, positions) = (NonEmpty::all_of(cash), NonEmpty::all_of(positions));
        let (Some(cash), Some(positions)) = (cash, positions) else { return Err(LedgerError::NoMarket) };
        // So that the first market's cash is found without a search.
        if cash.first().asset != *positions.first().symbol().quote() {
            let asset = cash.first().asset.clone();
            return Err(LedgerError::NoCurrency { asset, markets: positions.first().symbol().to_string() });
        }
        Ok(Self { cash, positions })
    }

    /// The positions, one for each market, in the order of the markets.
    pub fn positions(&self) -> impl Iterator<Item = &Position> {
        self.positions.iter()
    }

    /// What is held, each asset once: first the coins of the markets, in their order, then the cash.
    pub fn holdings(&self) -> impl Iterator<Item = (&Asset, Notional)> {
        let coins = self.positions.iter().map(|position| (position.symbol().base(), position.quantity().into()));
        coins.chain(self.cash.iter().map(|cash| (&cash.asset, cash.amount)))
    }

    /// Values the opening coins of the market at `place` at its first tick's price. Later calls change nothing.
    pub fn open_market_at(&mut self, place: usize, price: Price) -> Result<(), LedgerError> {
        let needed = self.positions.len();
        let position = self.positions.get_mut(place).ok_or(LedgerError::Prices { given: place, needed })?;
        Ok(position.open_at(price)?)
    }

    /// What the cash of `currency` and all coins that are priced in it are worth, at one price for each market in their
    /// order.
    pub fn equity_in(&self, currency: &Asset, prices: &[Price]) -> Result<Notional, LedgerError> {
        let cash = self.cash_of(currency)?.amount;
        self.priced_in(currency, prices)?
            .try_fold(cash, |sum, (position, price)| Ok(sum.plus(position.worth_at(price)?)?))
    }

    /// Profit in `currency`, at one price for each market in their order.
    pub fn profit_in(&self, currency: &Asset, prices: &[Price]) -> Result<Profit, LedgerError> {
        self.cash_of(currency)?;
        let mut markets = self.priced_in(currency, prices)?;
        markets.try_fold(Profit::NONE, |sum, (position, price)| Ok(sum.plus(position.profit_at(price)?)?))
    }

    /// What the opening amounts of `currency` and of all coins priced in it were worth, each at its market's first price;
    /// `None` while one of these markets had no tick.
    pub fn opening_equity_in(&self, currency: &Asset) -> Result<Option<Notional>, LedgerError> {
        let mut sum = self.cash_of(currency)?.opening;
        for position in self.positions.iter().filter(|position| position.symbol().quote() == currency) {
            let Some(opening) = position.opening() else { return Ok(None) };
            sum = sum.plus(opening.worth()?)?;
        }
        Ok(Some(sum))
    }

    /// What the opening amounts are worth at one price for each market in their order: the result of only holding.
    pub fn opening_worth_at(&self, prices: &[Price]) -> Result<Notional, LedgerError> {
        let currency = self.currency();
        let cash = self.cash_of(currency)?.opening;
        self.priced_in(currency, prices)?.try_fold(cash, |sum, (position, price)| match position.opening() {
            Some(opening) => Ok(sum.plus(price.times(opening.quantity)?)?),
            None => Ok(sum),
        })
    }

    pub(super) fn cash_of(&self, currency: &Asset) -> Result<&Cash, LedgerError> {
        let cash = self.cash.iter().find(|cash| cash.asset == *currency);
        cash.ok_or_else(|| LedgerError::NoCurrency { asset: currency.clone(), markets: self.markets() })
    }

    fn priced_in<'a>(
        &'a self,
        currency: &'a Asset,
        prices: &'a [Price],
    ) -> Result<impl Iterator<Item = (&'a Position, Price)>, LedgerError> {
        let (given, needed) = (prices.len(), self.positions.len());
        if given != needed {
            return Err(LedgerError::Prices { given, needed });
        }
        let markets = self.positions.iter().zip(prices.iter().copied());
        Ok(markets.filter(move |(position, _)| position.symbol().quote() == currency))
    }

    /// The markets, in words.
    pub(super) fn markets(&self) -> String {
        let symbols: Vec<_> = self.positions.iter().map(|position| position.symbol().to_string()).collect();
        symbols.join(", ")
    }
}

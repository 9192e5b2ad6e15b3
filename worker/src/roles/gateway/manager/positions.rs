//! What the sub-accounts of the account hold in each market, together, and at which price it is worth what. Kept with each
//! change; what is summed is bounded by the markets, not by orders or strategies. Pure.

use std::collections::{BTreeMap, BTreeSet};

use bus::StreamId;
use engine::client_order_id::LedgerId;
use engine::instrument::{Asset, Symbol};
use engine::numbers::{Notional, Price, Quantity};

use crate::roles::told::Holdings;

/// The coins of all sub-accounts.
#[derive(Debug, Clone, Default)]
pub(in crate::roles::gateway) struct Positions {
    markets: BTreeMap<Symbol, Market>,
    /// The markets of each ledger.
    traded: BTreeMap<LedgerId, BTreeSet<Symbol>>,
    /// What of the sums is each ledger's part.
    parts: BTreeMap<LedgerId, Vec<(Symbol, Notional)>>,
}

/// One market of the account.
#[derive(Debug, Clone)]
struct Market {
    /// Coins of all ledgers; none where their sum is out of bounds.
    coins: Option<Notional>,
    /// The last price, and its place in the market's stream.
    price: Option<(StreamId, Price)>,
}

impl Default for Market {
    fn default() -> Self {
        Self { coins: Some(Notional::ZERO), price: None }
    }
}

/// Why nobody can say what is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unvalued {
    /// A market in which something is held has no price yet.
    NoPrice,
    /// A sum is out of bounds.
    TooManyDigits,
}

impl Positions {
    /// A ledger trades in this market too.
    pub fn trades(&mut self, ledger: &LedgerId, symbol: &Symbol) {
        if !self.traded.get(ledger).is_some_and(|traded| traded.contains(symbol)) {
            self.traded.entry(ledger.clone()).or_default().insert(symbol.clone());
        }
    }

    /// Follows what a ledger holds. Of an asset that is the base of none of its markets nobody can say what it is worth, and
    /// no order is of it.
    pub fn follow(&mut self, ledger: &LedgerId, holdings: Option<&Holdings>) {
        for (symbol, before) in self.parts.remove(ledger).unwrap_or_default() {
            let market = self.markets.entry(symbol).or_default();
            market.coins = market.coins.and_then(|coins| coins.minus(before).ok());
        }
        let (Some(holdings), Some(traded)) = (holdings, self.traded.get(ledger)) else { return };
        let held = |symbol: &Symbol| Some((symbol.clone(), *holdings.get(symbol.base())?));
        // What is owed is no exposure.
        let parts: Vec<_> = traded.iter().filter_map(held).filter(|(_, coins)| *coins > Notional::ZERO).collect();
        for (symbol, now) in &parts {
            let market = self.markets.entry(symbol.clone()).or_default();
            market.coins = market.coins.and_then(|coins| coins.plus(*now).ok());
        }
        self.parts.insert(ledger.clone(), parts);
    }

    /// Forgets a ledger.
    pub fn forget(&mut self, ledger: &LedgerId) {
        self.follow(ledger, None);
        self.traded.remove(ledger);
    }

    /// Forgets what is held, and keeps prices and markets: it is counted anew.
    pub fn forget_holdings(&mut self) {
        self.parts.clear();
        self.markets.values_mut().for_each(|market| market.coins = Some(Notional::ZERO));
    }

    /// Takes up a price, unless a newer one is known; tells whether it did.
    pub fn price(&mut self, symbol: &Symbol, id: StreamId, price: Price) -> bool {
        let market = match self.markets.get_mut(symbol) {
            Some(market) => market,
            None => self.markets.entry(symbol.clone()).or_default(),
        };
        let is_newer = market.price.is_none_or(|(known, _)| id > known);
        if is_newer {
            market.price = Some((id, price));
        }
        is_newer
    }

    /// The markets in which something is held, with the places of their last prices.
    pub fn held(&self) -> impl Iterator<Item = (Symbol, Option<StreamId>)> {
        let held = self.markets.iter().filter(|(_, market)| market.coins != Some(Notional::ZERO));
        held.map(|(symbol, market)| (symbol.clone(), market.price.map(|(id, _)| id)))
    }

    /// What is held in markets of this currency, at the last prices.
    pub fn worth(&self, currency: &Asset) -> Result<Notional, Unvalued> {
        let of_currency = self.markets.iter().filter(|(symbol, _)| symbol.quote() == currency);
        of_currency.map(|(_, market)| market).try_fold(Notional::ZERO, |sum, market| {
            let coins = market.coins.ok_or(Unvalued::TooManyDigits)?;
            if coins == Notional::ZERO {
                return Ok(sum);
            }
            let (_, price) = market.price.ok_or(Unvalued::NoPrice)?;
            let worth = Quantity::try_from(coins).and_then(|coins| price.times(coins));
            worth.and_then(|worth| sum.plus(worth)).map_err(|_| Unvalued::TooManyDigits)
        })
    }
}

//! The account's books: one for each strategy, from its own fills. Openings that a book cannot pay are denied
//! here too, so that one strategy can never spend another's money. Pure.

use std::collections::BTreeMap;

use engine::fees::{Fees, PaidIn};
use engine::instrument::{Asset, Symbol};
use engine::messages::{Fill, NewOrder, Side};
use engine::numbers::{Notional, NumberError, Quantity};
use serde::{Deserialize, Serialize};

use crds::roles::BookSpec;

/// What one strategy owns at the account, by asset.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Book {
    amounts: BTreeMap<Asset, Notional>,
    /// Why it no longer tells the truth; empty while it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    broken: String,
}

/// What an order can take from its book.
pub(super) struct Need {
    asset: Asset,
    amount: Notional,
}

impl Need {
    /// What `quantity` of an order can still take; `None` for a market buy, which no price bounds.
    pub fn of(symbol: &Symbol, order: &NewOrder, quantity: Quantity, fees: &Fees) -> Result<Option<Self>, NumberError> {
        let (asset, amount) = match (order.side, order.price) {
            (Side::Buy, None) => return Ok(None),
            (Side::Sell, _) => (symbol.base(), Notional::new(quantity.get())?),
            (Side::Buy, Some(price)) => {
                let worth = price.times(quantity)?;
                let fee = match fees.paid_in {
                    PaidIn::Quote => worth.share(fees.taker())?,
                    PaidIn::Received => Notional::ZERO,
                };
                (symbol.quote(), worth.plus(fee)?)
            }
        };
        Ok(Some(Self { asset: asset.clone(), amount }))
    }
}

impl Book {
    /// A book that opens with the declared capital.
    pub fn opening(spec: &BookSpec) -> Result<Self, NumberError> {
        let amounts = spec.capital.iter().map(|(asset, amount)| Ok((asset.clone(), Notional::new(amount.get())?)));
        Ok(Self { amounts: amounts.collect::<Result<_, _>>()?, broken: String::new() })
    }

    fn holds(&self, asset: &Asset) -> Notional {
        self.amounts.get(asset).copied().unwrap_or_default()
    }

    fn add(&mut self, asset: &Asset, amount: Notional) -> Result<(), NumberError> {
        let sum = self.holds(asset).plus(amount)?;
        self.amounts.insert(asset.clone(), sum);
        Ok(())
    }

    /// Books one trade with its fee. A trade that cannot be booked exactly breaks the book: it then pays for
    /// nothing more, because what it says is no longer what is there.
    pub fn apply(&mut self, fill: &Fill) {
        let mut next = self.clone();
        match next.try_apply(fill) {
            Ok(()) => *self = next,
            Err(error) => self.broken = format!("trade {} cannot be booked: {error}", fill.trade_id),
        }
    }

    /// A fee in a third asset is owed in quote.
    fn try_apply(&mut self, fill: &Fill) -> Result<(), NumberError> {
        let worth = fill.price.times(fill.quantity)?;
        let coins = Notional::new(fill.quantity.get())?;
        let (base, quote) = (fill.symbol.base(), fill.symbol.quote());
        let (coins, money) = match fill.side {
            Side::Buy => (coins, Notional::ZERO.minus(worth)?),
            Side::Sell => (Notional::ZERO.minus(coins)?, worth),
        };
        self.add(base, coins)?;
        self.add(quote, money)?;
        if fill.fee_asset == *base {
            self.add(base, Notional::ZERO.minus(fill.fee)?)
        } else {
            self.add(quote, Notional::ZERO.minus(fill.fee_quote)?)
        }
    }

    /// Whether the book can pay `need` beside what its `open` orders can still take. `Err` is the denial's
    /// reason.
    pub fn check(&self, need: Option<&Need>, open: &[Need]) -> Result<(), &'static str> {
        if !self.broken.is_empty() {
            return Err("BookBroken");
        }
        let Some(need) = need else { return Ok(()) };
        let mut needed = Ok(need.amount);
        for other in open.iter().filter(|other| other.asset == need.asset) {
            needed = needed.and_then(|needed| needed.plus(other.amount));
        }
        match needed {
            Ok(needed) if needed <= self.holds(&need.asset) => Ok(()),
            Ok(_) | Err(_) => Err("InsufficientBook"),
        }
    }
}

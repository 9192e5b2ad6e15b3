//! The account's books: one for each strategy, from its own fills. Openings that a book cannot pay are denied
//! here too, so that one strategy can never spend another's money. Pure.

use std::collections::BTreeMap;

use engine::fees::{Fees, PaidIn};
use engine::instrument::Asset;
use engine::messages::{CommandKind, Fill, OrderCommand, Side};
use engine::numbers::{Notional, NumberError};
use serde::{Deserialize, Serialize};

use crds::roles::BookSpec;

/// What one strategy owns at the account, by asset.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Book(BTreeMap<Asset, Notional>);

impl Book {
    /// A book that opens with the declared capital.
    pub fn opening(spec: &BookSpec) -> Result<Self, NumberError> {
        spec.capital
            .iter()
            .map(|(asset, amount)| Ok((asset.clone(), Notional::new(amount.get())?)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn holds(&self, asset: &Asset) -> Notional {
        self.0.get(asset).copied().unwrap_or_default()
    }

    fn add(&mut self, asset: &Asset, amount: Notional) -> Result<(), NumberError> {
        let sum = self.holds(asset).plus(amount)?;
        self.0.insert(asset.clone(), sum);
        Ok(())
    }

    /// Books one trade with its fee. A fee in a third asset is owed in quote.
    pub fn apply(&mut self, fill: &Fill) -> Result<(), NumberError> {
        let worth = fill.price.times(fill.quantity)?;
        let coins = Notional::new(fill.quantity.get())?;
        let (base, quote) = (fill.symbol.base(), fill.symbol.quote());
        let mut next = self.clone();
        match fill.side {
            Side::Buy => {
                next.add(base, coins)?;
                next.add(quote, Notional::ZERO.minus(worth)?)?;
            }
            Side::Sell => {
                next.add(base, Notional::ZERO.minus(coins)?)?;
                next.add(quote, worth)?;
            }
        }
        if fill.fee_asset == *base {
            next.add(base, Notional::ZERO.minus(fill.fee)?)?;
        } else {
            next.add(quote, Notional::ZERO.minus(fill.fee_quote)?)?;
        }
        *self = next;
        Ok(())
    }

    /// Whether the book can pay the order; `Err` says what is missing. A market order is not bounded by a
    /// price, so only its coins can be checked.
    pub fn check(&self, command: &OrderCommand, fees: &Fees) -> Result<(), String> {
        let CommandKind::Create(order) = &command.kind else { return Ok(()) };
        let (base, quote) = (command.symbol.base(), command.symbol.quote());
        let (asset, needed) = match (order.side, order.price) {
            (Side::Sell, _) => (base, Notional::new(order.quantity.get())),
            (Side::Buy, None) => return Ok(()),
            (Side::Buy, Some(price)) => {
                let worth = price.times(order.quantity);
                let fee = worth.clone().and_then(|worth| match fees.paid_in {
                    PaidIn::Quote => worth.share(fees.taker()),
                    PaidIn::Received => Ok(Notional::ZERO),
                });
                (quote, worth.and_then(|worth| worth.plus(fee?)))
            }
        };
        match needed {
            Ok(needed) if needed <= self.holds(asset) => Ok(()),
            Ok(needed) => Err(format!("the book holds {} {asset}, the order needs {needed}", self.holds(asset))),
            Err(error) => Err(error.to_string()),
        }
    }
}

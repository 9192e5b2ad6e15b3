//! The account's sub-accounts: one for each strategy, from its own fills. Openings that a sub-account cannot pay are denied
//! here too, so that one strategy can never spend another's money. Pure.

use engine::instrument::{Asset, Symbol};
use engine::messages::{Fill, NewOrder, Side};
use engine::numbers::{Notional, NumberError, Quantity};
use engine::orders::Terms;
use serde::{Deserialize, Serialize};

use crate::roles::told::Holdings;
use crds::roles::BookSpec;

/// What one strategy owns at the account, by asset.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct SubAccount {
    amounts: Holdings,
    /// Why it no longer tells the truth; empty while it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    broken: String,
}

/// What an order can take from its sub-account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    pub asset: Asset,
    pub amount: Notional,
}

impl Need {
    /// What `quantity` of an order can still take. `Err` is the denial's reason: a buy that no price bounds could take
    /// anything.
    pub fn of(symbol: &Symbol, order: &NewOrder, quantity: Quantity, terms: &Terms) -> Result<Self, &'static str> {
        match (order.side, order.price) {
            (Side::Buy, None) => Err("NoWorstPrice"),
            (Side::Sell, _) => Ok(Self { asset: symbol.base().clone(), amount: Notional::from(quantity) }),
            (Side::Buy, Some(worst)) => {
                let funds = terms.reserve(order.side, order.time_in_force, quantity, worst);
                let amount = funds.map_err(|_| "TooManyDigits")?.quote;
                Ok(Self { asset: symbol.quote().clone(), amount })
            }
        }
    }
}

impl SubAccount {
    /// A sub-account that opens with the declared capital.
    pub fn opening(spec: &BookSpec) -> Result<Self, NumberError> {
        let amounts = spec.capital.iter().map(|(asset, amount)| Ok((asset.clone(), Notional::new(amount.get())?)));
        Ok(Self { amounts: amounts.collect::<Result<_, _>>()?, broken: String::new() })
    }

    /// What it holds; `None` once it no longer tells the truth.
    pub fn holdings(&self) -> Option<Holdings> {
        self.broken.is_empty().then(|| self.amounts.clone())
    }

    /// It holds this much of an asset, by somebody's word who knows.
    pub fn hold(&mut self, asset: &Asset, amount: Notional) {
        self.amounts.insert(asset.clone(), amount);
    }

    fn holds(&self, asset: &Asset) -> Notional {
        self.amounts.get(asset).copied().unwrap_or_default()
    }

    fn add(&mut self, asset: &Asset, amount: Notional) -> Result<(), NumberError> {
        let sum = self.holds(asset).plus(amount)?;
        self.amounts.insert(asset.clone(), sum);
        Ok(())
    }

    /// Books one trade with its fee. A trade that cannot be booked exactly breaks the sub-account: it then pays for
    /// nothing more, because what it says is no longer what is there.
    pub fn apply(&mut self, fill: &Fill) {
        let mut next = self.clone();
        match next.try_apply(fill) {
            Ok(()) => *self = next,
            Err(error) => self.broken = format!("trade {} cannot be booked: {error}", fill.trade_id),
        }
    }

    fn try_apply(&mut self, fill: &Fill) -> Result<(), NumberError> {
        let worth = fill.price.times(fill.quantity)?;
        let coins = Notional::from(fill.quantity);
        let (base, quote) = (fill.symbol.base(), fill.symbol.quote());
        let (coins, money) = match fill.side {
            Side::Buy => (coins, Notional::ZERO.minus(worth)?),
            Side::Sell => (Notional::ZERO.minus(coins)?, worth),
        };
        self.add(base, coins)?;
        self.add(quote, money)?;
        self.pay_fee(fill)
    }

    /// A fee in a third asset is owed in quote, and so is what the base cannot pay of a fee in base, as after a sale of
    /// all of it.
    fn pay_fee(&mut self, fill: &Fill) -> Result<(), NumberError> {
        let (base, quote) = (fill.symbol.base(), fill.symbol.quote());
        if fill.fee_asset != *base {
            return self.add(quote, Notional::ZERO.minus(fill.fee_quote)?);
        }
        let left = self.holds(base);
        let comes_out_of_the_trade = fill.side == Side::Buy && fill.fee <= Notional::from(fill.quantity);
        if comes_out_of_the_trade || fill.fee <= left {
            return self.add(base, Notional::ZERO.minus(fill.fee)?);
        }
        let paid = fill.price.times(Quantity::try_from(left)?)?.min(fill.fee_quote);
        self.hold(base, Notional::ZERO);
        self.add(quote, paid.minus(fill.fee_quote)?)
    }

    /// Whether the sub-account can pay `need` beside what its open orders `reserved` of the asset. `Err` is the denial's
    /// reason.
    pub fn check(&self, need: &Need, reserved: Option<Notional>) -> Result<(), &'static str> {
        if !self.broken.is_empty() {
            return Err("BookBroken");
        }
        match reserved.and_then(|reserved| reserved.plus(need.amount).ok()) {
            Some(needed) if needed <= self.holds(&need.asset) => Ok(()),
            Some(_) | None => Err("InsufficientBook"),
        }
    }
}

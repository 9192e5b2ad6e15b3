//! The account's sub-accounts: one for each strategy, from its own fills. Openings that a sub-account cannot pay are denied
//! here too, so that one strategy can never spend another's money. Pure.

use engine::instrument::{Asset, Symbol};
use engine::messages::{Fill, NewOrder, Side, Transfer};
use engine::numbers::{Notional, NumberError, Quantity};
use engine::orders::Terms;
use serde::{Deserialize, Serialize};

use crate::roles::told::Holdings;
use crds::roles::BookSpec;

/// What one strategy owns at the account, by asset.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct SubAccount {
    amounts: Holdings,
    /// The number of the last transfer that it has followed.
    #[serde(default, skip_serializing_if = "is_none")]
    transfers: u64,
    /// What these have put in, less what they have taken out.
    #[serde(default, skip_serializing_if = "Holdings::is_empty")]
    transferred: Holdings,
    /// Why it no longer tells the truth; empty while it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    broken: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_none(number: &u64) -> bool {
    *number == 0
}

/// What an order can take from its sub-account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    pub asset: Asset,
    pub amount: Notional,
    /// What it can still buy, at its own price and without fees.
    pub buys: Notional,
}

impl Need {
    /// What `quantity` of an order can still take. `Err` is the denial's reason: a buy that no price bounds could take
    /// anything.
    pub fn of(symbol: &Symbol, order: &NewOrder, quantity: Quantity, terms: &Terms) -> Result<Self, &'static str> {
        match (order.side, order.price) {
            (Side::Buy, None) => Err("NoWorstPrice"),
            (Side::Sell, _) => {
                let amount = Notional::from(quantity);
                Ok(Self { asset: symbol.base().clone(), amount, buys: Notional::ZERO })
            }
            (Side::Buy, Some(worst)) => {
                let funds = terms.reserve(order.side, order.time_in_force, quantity, worst);
                let amount = funds.map_err(|_| "TooManyDigits")?.quote;
                let buys = worst.times(quantity).map_err(|_| "TooManyDigits")?;
                Ok(Self { asset: symbol.quote().clone(), amount, buys })
            }
        }
    }
}

impl SubAccount {
    /// A sub-account that opens with the declared capital.
    pub fn opening(spec: &BookSpec) -> Result<Self, NumberError> {
        let amounts = spec.capital.iter().map(|(asset, amount)| Ok((asset.clone(), Notional::new(amount.get())?)));
        Ok(Self { amounts: amounts.collect::<Result<_, _>>()?, ..Self::default() })
    }

    /// What it holds; `None` once it no longer tells the truth.
    pub fn holdings(&self) -> Option<Holdings> {
        self.broken.is_empty().then(|| self.amounts.clone())
    }

    /// What it holds, as far as it could be booked.
    pub const fn amounts(&self) -> &Holdings {
        &self.amounts
    }

    /// It holds this much of an asset, by somebody's word who knows.
    pub fn hold(&mut self, asset: &Asset, amount: Notional) {
        self.amounts.insert(asset.clone(), amount);
    }

    fn holds(&self, asset: &Asset) -> Notional {
        self.amounts.get(asset).copied().unwrap_or_default()
    }

    fn add(&mut self, asset: &Asset, amount: Notional) -> Result<(), NumberError> {
        add(&mut self.amounts, asset, amount)
    }

    /// The number of the last transfer that it has followed; 0 before the first.
    pub const fn transfers(&self) -> u64 {
        self.transfers
    }

    /// These transfers are in what it holds already.
    pub fn holds_transfers(&mut self, transfers: &[Transfer]) -> Result<(), NumberError> {
        for transfer in transfers {
            add(&mut self.transferred, &transfer.asset, transfer.amount)?;
            self.transfers = transfer.number;
        }
        Ok(())
    }

    /// Follows a transfer of its ledger if that is the next one, and says whether. The ledger has booked it, so it is not
    /// judged here; one that cannot be counted breaks the sub-account.
    pub fn follow(&mut self, transfer: &Transfer) -> bool {
        if Some(transfer.number) != self.transfers.checked_add(1) {
            return false;
        }
        let mut next = self.clone();
        match next
            .add(&transfer.asset, transfer.amount)
            .and_then(|()| next.holds_transfers(std::slice::from_ref(transfer)))
        {
            Ok(()) => *self = next,
            Err(error) => self.broken = format!("transfer {} cannot be booked: {error}", transfer.number),
        }
        true
    }

    /// Whether what is left of an asset covers what open orders `reserved` of it.
    pub fn covers(&self, asset: &Asset, reserved: Option<Notional>) -> bool {
        reserved.is_some_and(|reserved| reserved <= self.holds(asset))
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

fn add(amounts: &mut Holdings, asset: &Asset, amount: Notional) -> Result<(), NumberError> {
    let sum = amounts.get(asset).copied().unwrap_or(Notional::ZERO).plus(amount)?;
    amounts.insert(asset.clone(), sum);
    Ok(())
}

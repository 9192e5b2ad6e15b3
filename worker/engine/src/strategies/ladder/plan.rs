//! What a ladder needs and gains, level by level, before any price is known: for who checks a manifest.

use rust_decimal::Decimal;

use super::levels::Formula;
use super::parameters::LadderParameters;
use super::start::{cost_of_one, nearest};
use crate::fees::{Fees, PaidIn};
use crate::instrument::Instrument;
use crate::messages::{Side, TimeInForce};
use crate::numbers::{Notional, NumberError, Price, Quantity, Ratio};
use crate::orders::Terms;

/// What the steps between levels gain with one coin, fees taken out.
#[derive(Debug)]
pub(super) struct Gains {
    /// The least, in quote.
    pub least: Notional,
    /// The same of the step that gains most.
    pub most: Notional,
    /// How many gain nothing.
    pub losing: usize,
    /// The lower level of the first of these.
    pub first: Option<Price>,
}

impl Gains {
    /// `None` without a step, or where a figure is out of range.
    pub fn of(levels: &[Price], fees: &Fees) -> Option<Self> {
        let gain = |step: &[Price]| match step {
            [lower, upper] => gain(*lower, *upper, fees.maker()).ok(),
            _ => None,
        };
        let gains: Vec<_> = levels.windows(2).map(gain).collect::<Option<_>>()?;
        let losing = gains.iter().filter(|gain| **gain <= Notional::ZERO).count();
        let first = gains.iter().position(|gain| *gain <= Notional::ZERO);
        Some(Self {
            least: *gains.iter().min()?,
            most: *gains.iter().max()?,
            losing,
            first: first.and_then(|place| levels.get(place).copied()),
        })
    }
}

/// What one coin gains from one level to the next.
fn gain(lower: Price, upper: Price, fee: Ratio) -> Result<Notional, NumberError> {
    let one = Quantity::new(Decimal::ONE)?;
    let (paid, had) = (lower.times(one)?, upper.times(one)?);
    had.minus(paid)?.minus(paid.share(fee)?)?.minus(had.share(fee)?)
}

/// A ladder in a market.
#[derive(Debug)]
pub struct Plan {
    levels: Vec<Price>,
    quantity: Option<Quantity>,
    /// The share of the equity that orders may take.
    usable: Ratio,
    instrument: Instrument,
    fees: Fees,
}

impl Plan {
    /// `None` where the bounds are none.
    pub fn of(parameters: &LadderParameters, instrument: &Instrument, fees: &Fees) -> Option<Self> {
        let formula = Formula::of(parameters, instrument.tick_size)?;
        let levels = formula.prices(0, parameters.levels.saturating_add(1));
        let (quantity, usable) = (parameters.fixed_quantity(), parameters.usable_share());
        Some(Self { levels, quantity, usable, instrument: instrument.clone(), fees: fees.clone() })
    }

    /// The level nearest to a price, and its price.
    pub fn nearest(&self, price: Price) -> Option<(usize, Price)> {
        let place = nearest(&self.levels, price);
        Some((place, *self.levels.get(place)?))
    }

    /// In words: what a step gains, what each level needs, and what of it the capital does not cover.
    pub fn lines(&self, coins: Quantity, cash: Notional) -> Vec<String> {
        let derived = self.derived(coins, cash);
        let quantity = self.quantity.or_else(|| derived.as_ref().map(|(quantity, _)| *quantity));
        let mut lines = vec![self.gains()];
        lines.extend(derived.map(|(_, told)| told).filter(|_| self.quantity.is_none()));
        lines.extend(self.short(coins, cash));
        let width = self.levels.last().map_or(0, |level| level.to_string().len());
        let level = |(number, price): (usize, &Price)| {
            format!("{number:>5} {:>width$}{}", price.to_string(), self.needs(quantity, number, *price))
        };
        lines.extend(self.levels.iter().enumerate().map(level));
        lines
    }

    fn gains(&self) -> String {
        let Some(Gains { least, most, .. }) = Gains::of(&self.levels, &self.fees) else { return String::new() };
        let quote = self.instrument.symbol.quote();
        match self.quantity {
            Some(quantity) => {
                let of = |gain: Notional| gain.get().checked_mul(quantity.get()).unwrap_or_default().normalize();
                let (least, most) = (of(least), of(most));
                if least == most {
                    format!("a step gains {least} {quote} after fees")
                } else {
                    format!("a step gains {least} to {most} {quote} after fees")
                }
            }
            None => format!("a step gains {least} to {most} {quote} per {} after fees", self.instrument.symbol.base()),
        }
    }

    /// What an order at a level needs: a buy where the price is above it, a sell where it is below.
    fn needs(&self, quantity: Option<Quantity>, number: usize, price: Price) -> String {
        let Some(quantity) = quantity else { return String::new() };
        let (base, quote) = (self.instrument.symbol.base(), self.instrument.symbol.quote());
        let reserved = Terms::of(&self.fees).reserve(Side::Buy, TimeInForce::GoodTillCanceled, quantity, price);
        let cash =
            reserved.map_or_else(|_| String::new(), |reserved| format!("  buy needs {} {quote}", reserved.quote));
        let last = self.levels.len().saturating_sub(1);
        match number {
            0 => cash,
            _ if number == last => format!("  sell needs {quantity} {base}"),
            _ => format!("{cash}, sell needs {quantity} {base}"),
        }
    }

    /// The size of an order where it follows from the equity, at a start in the middle, in words too.
    fn derived(&self, coins: Quantity, cash: Notional) -> Option<(Quantity, String)> {
        let empty = self.levels.len().checked_div(2)?;
        let price = *self.levels.get(empty)?;
        let equity = price.times(coins).and_then(|worth| worth.plus(cash)).ok()?;
        let cost = cost_of_one(&self.levels, empty, price).ok()?;
        let quantity = Quantity::afforded(equity, self.usable, cost, self.instrument.lot_size).ok()?;
        Some((quantity, format!("orders of {quantity} {} if it starts at {price}", self.instrument.symbol.base())))
    }

    /// What a start needs in all at the bounds, and how much of it is not there. Between the bounds it is between.
    fn short(&self, coins: Quantity, cash: Notional) -> Option<String> {
        let (quantity, quote) = (self.quantity?, self.instrument.symbol.quote());
        let last = self.levels.len().checked_sub(1)?;
        let at = |empty: usize| {
            let price = *self.levels.get(empty)?;
            let needed = self.needed(empty, price, quantity).ok()?;
            let there = price.times(coins).and_then(|worth| worth.plus(cash)).ok()?;
            let short = needed.minus(there).ok()?;
            let short = if short > Notional::ZERO { format!(", short by {short}") } else { String::new() };
            Some(format!("{needed} {quote} at {price}{short}"))
        };
        Some(format!("needs {} and {}", at(0)?, at(last)?))
    }

    /// Of coins and cash together, worth at the price, with the fee of the larger rate on all that is bought.
    fn needed(&self, empty: usize, price: Price, quantity: Quantity) -> Result<Notional, NumberError> {
        let one = cost_of_one(&self.levels, empty, price)?.get();
        let all = Notional::new(one.checked_mul(quantity.get()).unwrap_or(Decimal::MAX))?;
        match self.fees.paid_in {
            PaidIn::Quote => all.plus(all.share(self.fees.maker().max(self.fees.taker()))?),
            PaidIn::Received => Ok(all),
        }
    }
}

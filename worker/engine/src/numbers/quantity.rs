//! An amount of the base asset. May not be negative.

use std::fmt;
use std::str::FromStr;

use ethnum::I256;
use rust_decimal::Decimal;

use super::{Notional, NumberError, Price, Ratio, exact, fixed, number_text, wide};

/// An amount of base, 0 or more and below 10^15, in units of 10^-18. Written without trailing zeros.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Quantity(i128);

number_text!(Quantity);

/// What is not negative and below it is in range.
const LIMIT: i128 = 1_000_000_000_000_000 * fixed::ONE;

impl Quantity {
    /// No amount.
    pub const ZERO: Self = Self(0);

    /// Checks the range. Digits past the 18th after the point are rounded, half to even.
    pub fn new(value: Decimal) -> Result<Self, NumberError> {
        if value < Decimal::ZERO || value >= Decimal::from(1_000_000_000_000_000_i64) {
            return Err(Self::refuse(value.to_string()));
        }
        Ok(Self(fixed::units_of(value, fixed::PLACES).0))
    }

    /// An amount as market data write nearly every one, and how many digits it has after the point without trailing zeros:
    /// a plain decimal of at most 19 bytes. `None` where the text is another, or out of range; then [`str::parse`] reads
    /// it, or says why not.
    pub fn of_bytes(text: &[u8]) -> Option<(Self, u32)> {
        let (units, places) = fixed::units_of_digits(text)?;
        (0..LIMIT).contains(&units).then_some((Self(units), places))
    }

    fn refuse(value: String) -> NumberError {
        NumberError::OutOfRange { kind: "quantity", value, range: "0 or more and below 10^15" }
    }

    /// Its units of 10^-18, the same however it was written.
    pub(crate) const fn to_bytes(self) -> [u8; 16] {
        self.units().to_le_bytes()
    }

    pub(super) const fn units(self) -> i128 {
        self.0
    }

    /// Checks the range of a result.
    fn checked(units: I256) -> Result<Self, NumberError> {
        match i128::try_from(units) {
            Ok(units) if (0..LIMIT).contains(&units) => Ok(Self(units)),
            Ok(_) | Err(_) => Err(Self::refuse(fixed::text(units, fixed::PLACES))),
        }
    }

    /// As a decimal, for showing: rounded half to even where 28 digits do not hold it.
    pub fn get(self) -> Decimal {
        fixed::decimal_of(self.0, fixed::PLACES)
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// What `budget × share` buys at `price`, floored to `lot_size`. Nothing for a budget of nothing.
    pub fn bought_for(budget: Notional, share: Ratio, price: Price, lot_size: Quantity) -> Result<Self, NumberError> {
        Self::lots_for(budget, share, price.units(), lot_size)
    }

    /// How many units that cost `cost` each `budget × share` buys, floored to `lot_size`. Nothing for a budget of nothing.
    pub fn afforded(budget: Notional, share: Ratio, cost: Notional, lot_size: Quantity) -> Result<Self, NumberError> {
        Self::lots_for(budget, share, cost.units(), lot_size)
    }

    fn lots_for(budget: Notional, share: Ratio, cost: i128, lot_size: Self) -> Result<Self, NumberError> {
        if budget <= Notional::ZERO {
            return Ok(Self::ZERO);
        }
        // A share has two places more than the others.
        let lot = lot_size.0 * (Ratio::ONE.units() / fixed::ONE);
        let lots = wide::floor(budget.units(), share.units(), cost, lot);
        Self::checked(lots.ok_or(NumberError::TooManyDigits { operation: "order size" })? * I256::from(lot_size.0))
    }

    /// `self / share`, up to a multiple of `lot_size`: so much of which `share` is at least this.
    pub fn ceiled_over(self, share: Ratio, lot_size: Quantity) -> Result<Self, NumberError> {
        let lots = wide::ceiling(self.0, Ratio::ONE.units(), share.units(), lot_size.0);
        let lots = lots.ok_or(NumberError::TooManyDigits { operation: "quantity ÷ share" })?;
        Self::checked(lots * I256::from(lot_size.0))
    }

    /// What brings coins worth `worth` of `equity` to this share of it at `price`, floored to `lot_size`. Whether that is
    /// to be bought or sold follows from which of the two is larger.
    pub fn between(
        (worth, equity): (Notional, Notional),
        share: Ratio,
        price: Price,
        lot_size: Quantity,
    ) -> Result<Self, NumberError> {
        let wide = |a: i128, b: i128| I256::from(a) * I256::from(b);
        let apart = wide(worth.units(), Ratio::ONE.units()) - wide(equity.units(), share.units());
        let lot = lot_size.0 * (Ratio::ONE.units() / fixed::ONE);
        let lots = apart.abs().checked_div(wide(price.units(), lot));
        let operation = "what is missing to a share";
        Self::checked(lots.ok_or(NumberError::TooManyDigits { operation })? * I256::from(lot_size.0))
    }

    /// `self × share`, floored to `lot_size`.
    pub fn share_in_lots(self, share: Ratio, lot_size: Quantity) -> Result<Self, NumberError> {
        let lots = wide::floor(self.0, share.units(), Ratio::ONE.units(), lot_size.0);
        let operation = "quantity × share to lot size";
        Self::checked(lots.ok_or(NumberError::TooManyDigits { operation })? * I256::from(lot_size.0))
    }

    /// Floored to a multiple of `lot_size`.
    pub fn floored_to(self, lot_size: Quantity) -> Result<Self, NumberError> {
        let rest = self.0.checked_rem(lot_size.0);
        let operation = "quantity to lot size";
        Ok(Self(self.0 - rest.ok_or(NumberError::TooManyDigits { operation })?))
    }

    /// `self + other`, exact.
    pub fn plus(self, other: Quantity) -> Result<Self, NumberError> {
        Self::checked(I256::from(self.0 + other.0))
    }

    /// `self − other`, exact; an error if it would be negative.
    pub fn minus(self, other: Quantity) -> Result<Self, NumberError> {
        Self::checked(I256::from(self.0 - other.0))
    }

    /// `self × share`, rounded half to even where 18 digits after the point do not hold it.
    pub fn share(self, share: Ratio) -> Result<Self, NumberError> {
        let value = wide::half_even(self.0, share.units(), Ratio::ONE.units(), 1);
        Self::checked(value.ok_or(NumberError::TooManyDigits { operation: "quantity × share" })?)
    }
}

/// So much of an asset, as an amount of base.
impl TryFrom<Notional> for Quantity {
    type Error = NumberError;

    fn try_from(amount: Notional) -> Result<Self, NumberError> {
        Self::checked(I256::from(amount.units()))
    }
}

impl FromStr for Quantity {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        match fixed::read_short(text).or_else(|| fixed::read(text, fixed::PLACES)) {
            Some((units, _)) if (0..LIMIT).contains(&units) => Ok(Self(units)),
            Some(_) | None => Self::new(exact::parse(text)?),
        }
    }
}

impl Quantity {
    /// As it stands in messages.
    fn text(self) -> fixed::Text {
        fixed::Text::of(self.0, fixed::PLACES, 0)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fixed::write(f, self.0, fixed::PLACES, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: FromStr<Err = NumberError>>(text: &str) -> T {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_missing_to_a_share_is_exact_before_it_is_floored() {
        for (worth, equity, share, price, lot, expected) in [
            // S1-a: 8 coins at 655 of 6240 are brought to a half.
            ("5240", "6240", "0.5", "655", "0.001", "3.236"),
            ("2620", "6240", "0.5", "655", "0.001", "0.763"),
            ("3120", "6240", "0.5", "655", "0.001", "0"),
            // A whole lot, and 10^-18 less than it.
            ("3", "4", "0.5", "1", "1", "1"),
            ("2.999999999999999999", "4", "0.5", "1", "1", "0"),
            // 0.3 of the equity has 19 digits after the point: what is missing to it lies just below a lot.
            ("1.300000000000000000", "1.000000000000000001", "0.3", "1", "1", "0"),
            ("900000000000000", "900000000000000", "0", "0.000000001", "0.001", ""),
        ] {
            let both = (read(worth), read(equity));
            let found = Quantity::between(both, read(share), read(price), read(lot));
            assert_eq!(
                found.map_or_else(|_| String::new(), |found| found.to_string()),
                expected,
                "{worth} of {equity}"
            );
        }
        assert!(Quantity::between((read("1"), read("1")), Ratio::ZERO, read("1"), Quantity::ZERO).is_err());
    }

    #[test]
    fn a_share_in_lots_is_floored_once() {
        for (quantity, share, lot, expected) in [
            ("8", "0.95", "0.001", "7.6"),
            ("3.666", "0.95", "0.001", "3.482"),
            ("1", "1", "1", "1"),
            ("0.999999999999999999", "1", "1", "0"),
            // 19 digits after the point, just below a lot.
            ("0.999999999999999999", "0.5", "0.5", "0"),
            ("5", "0", "0.001", "0"),
        ] {
            let found = read::<Quantity>(quantity).share_in_lots(read(share), read(lot)).unwrap();
            assert_eq!(found.to_string(), expected, "{quantity} × {share}");
        }
        assert!(read::<Quantity>("1").share_in_lots(Ratio::ONE, Quantity::ZERO).is_err());
    }
}

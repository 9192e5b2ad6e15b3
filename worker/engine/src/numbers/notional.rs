//! An amount of quote money, of either sign.

use rust_decimal::Decimal;

use super::{NumberError, Quantity, Ratio, decimal_text, exact};

/// An amount of quote, below 10^15 in size. Written without trailing zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Notional(Decimal);

decimal_text!(Notional);

impl Notional {
    /// No money.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Digits after the point of relieved cost, by contract.
    pub const COST_PLACES: u32 = 8;

    /// Checks the range and drops trailing zeros.
    pub fn new(value: Decimal) -> Result<Self, NumberError> {
        if value.abs() >= Decimal::from(1_000_000_000_000_000_i64) {
            let (value, range) = (value.to_string(), "below 10^15 in size");
            return Err(NumberError::OutOfRange { kind: "notional", value, range });
        }
        Ok(Self(exact::normalised(value)))
    }

    /// The decimal itself.
    pub const fn get(self) -> Decimal {
        self.0
    }

    /// `self + other`, exact.
    pub fn plus(self, other: Notional) -> Result<Self, NumberError> {
        let value = exact::sum(self.0, other.0);
        Self::new(value.ok_or(NumberError::TooManyDigits { operation: "sum of money" })?)
    }

    /// `self − other`, exact.
    pub fn minus(self, other: Notional) -> Result<Self, NumberError> {
        self.plus(Self(-other.0))
    }

    /// `self × share`, exact.
    pub fn share(self, share: Ratio) -> Result<Self, NumberError> {
        let value = exact::product(self.0, share.get());
        Self::new(value.ok_or(NumberError::TooManyDigits { operation: "money × share" })?)
    }

    /// The cost of `part` of a position of `whole` that cost `self`: `round_half_even(self × part / whole, 8)`.
    pub fn relieved(self, part: Quantity, whole: Quantity) -> Result<Self, NumberError> {
        let value = exact::multiply_divide_half_even(self.0, part.get(), whole.get(), Self::COST_PLACES);
        Self::new(value.ok_or(NumberError::TooManyDigits { operation: "cost × quantity / position" })?)
    }

    /// `self / whole` as a share, rounded half to even at 8 digits; `None` for a whole of nothing.
    pub fn share_of(self, whole: Notional) -> Option<Ratio> {
        exact::multiply_divide_half_even(self.0, Decimal::ONE, whole.0, 8).and_then(|value| Ratio::new(value).ok())
    }

    /// Compares `self` with `whole × share`, exactly whatever the digits.
    pub fn compare_with(self, whole: Notional, share: Ratio) -> std::cmp::Ordering {
        exact::compare_with_product(self.0, whole.0, share.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relieves_by_the_published_formula_also_with_the_last_coin() {
        let cost: Notional = "100.123456789".parse().unwrap();
        let three: Quantity = "3".parse().unwrap();
        assert_eq!(cost.relieved(three, three).unwrap().to_string(), "100.12345679");
        assert_eq!(cost.relieved("1".parse().unwrap(), three).unwrap().to_string(), "33.3744856");
    }

    #[test]
    fn drops_trailing_zeros_and_the_sign_of_zero() {
        assert_eq!("-1.500".parse::<Notional>().unwrap().to_string(), "-1.5");
        assert_eq!("-0.00".parse::<Notional>().unwrap().to_string(), "0");
    }
}

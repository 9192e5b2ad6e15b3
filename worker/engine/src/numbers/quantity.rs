//! An amount of the base asset. May not be negative.

use rust_decimal::Decimal;

use super::{Notional, NumberError, Price, Ratio, decimal_text, exact};

/// An amount of base, 0 or more and below 10^15. Written without trailing zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Quantity(Decimal);

decimal_text!(Quantity);

impl Quantity {
    /// No amount.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Checks the range and drops trailing zeros.
    pub fn new(value: Decimal) -> Result<Self, NumberError> {
        if value < Decimal::ZERO || value >= Decimal::from(1_000_000_000_000_000_i64) {
            let (value, range) = (value.to_string(), "0 or more and below 10^15");
            return Err(NumberError::OutOfRange { kind: "quantity", value, range });
        }
        Ok(Self(exact::normalised(value)))
    }

    /// The decimal itself.
    pub const fn get(self) -> Decimal {
        self.0
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// What `budget × share` buys at `price`, floored to `lot_size`. Nothing for a budget of nothing.
    pub fn bought_for(budget: Notional, share: Ratio, price: Price, lot_size: Quantity) -> Result<Self, NumberError> {
        if budget.get() <= Decimal::ZERO {
            return Ok(Self::ZERO);
        }
        let value = exact::multiply_divide_floor(budget.get(), share.get(), price.get(), lot_size.0);
        Self::new(value.ok_or(NumberError::TooManyDigits { operation: "order size" })?)
    }

    /// Floored to a multiple of `lot_size`.
    pub fn floored_to(self, lot_size: Quantity) -> Result<Self, NumberError> {
        let value = exact::multiply_divide_floor(self.0, Decimal::ONE, Decimal::ONE, lot_size.0);
        Self::new(value.ok_or(NumberError::TooManyDigits { operation: "quantity to lot size" })?)
    }

    /// `self + other`, exact.
    pub fn plus(self, other: Quantity) -> Result<Self, NumberError> {
        let value = exact::sum(self.0, other.0);
        Self::new(value.ok_or(NumberError::TooManyDigits { operation: "sum of quantities" })?)
    }

    /// `self − other`, exact; an error if it would be negative.
    pub fn minus(self, other: Quantity) -> Result<Self, NumberError> {
        let value = exact::sum(self.0, -other.0);
        Self::new(value.ok_or(NumberError::TooManyDigits { operation: "difference of quantities" })?)
    }

    /// `self × share`, exact.
    pub fn share(self, share: Ratio) -> Result<Self, NumberError> {
        let value = exact::product(self.0, share.get());
        Self::new(value.ok_or(NumberError::TooManyDigits { operation: "quantity × share" })?)
    }
}

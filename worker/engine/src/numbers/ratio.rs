//! A share of something: 1 is the whole. Percent exists only at the edges.

use rust_decimal::Decimal;

use super::{ExactDecimal, NumberError, decimal_text, exact};

/// A share; 1 is the whole. At most 20 digits after the point, below 10^9 in size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ratio(Decimal);

decimal_text!(Ratio);

impl Ratio {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);
    /// The whole.
    pub const ONE: Self = Self(Decimal::ONE);

    /// Checks the range and drops trailing zeros.
    pub fn new(value: Decimal) -> Result<Self, NumberError> {
        let value = exact::normalised(value);
        if value.abs() >= Decimal::from(1_000_000_000_i64) || value.scale() > 20 {
            let (value, range) = (value.to_string(), "below 10^9 in size, at most 20 digits after the point");
            return Err(NumberError::OutOfRange { kind: "ratio", value, range });
        }
        Ok(Self(value))
    }

    /// `percent / 100`. Cannot fail: a manifest's number has at most 9 digits on either side of the point.
    pub fn from_percent(percent: ExactDecimal) -> Self {
        Self(exact::normalised(percent.get() * Decimal::new(1, 2)))
    }

    /// The decimal itself.
    pub const fn get(self) -> Decimal {
        self.0
    }

    /// In percent, for display.
    pub fn percent(self) -> Decimal {
        exact::normalised(self.0 * Decimal::ONE_HUNDRED)
    }

    /// `self × other`, exact.
    pub fn times(self, other: Ratio) -> Result<Self, NumberError> {
        let value = exact::product(self.0, other.0);
        Self::new(value.ok_or(NumberError::TooManyDigits { operation: "product of shares" })?)
    }

    /// `1 + self`.
    #[must_use]
    pub fn above_one(self) -> Self {
        Self(Decimal::ONE + self.0)
    }

    /// `1 − self`.
    #[must_use]
    pub fn below_one(self) -> Self {
        Self(Decimal::ONE - self.0)
    }
}

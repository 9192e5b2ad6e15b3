//! A share of something: 1 is the whole. Percent exists only at the edges.

use std::fmt;
use std::str::FromStr;

use ethnum::I256;
use rust_decimal::Decimal;

use super::{ExactDecimal, NumberError, exact, fixed, number_text};

/// A share; 1 is the whole. At most 20 digits after the point, below 10^9 in size, in units of 10^-20.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ratio(i128);

number_text!(Ratio);

/// Places of a share.
const PLACES: u32 = 20;
/// One, in units.
const UNIT: i128 = fixed::ten_to(PLACES);
/// From here on it is out of range.
const LIMIT: i128 = 1_000_000_000 * UNIT;

impl Ratio {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The whole.
    pub const ONE: Self = Self(UNIT);

    /// One, in units of what is rounded at 8 places.
    pub(super) const EIGHT_PLACES: i128 = fixed::ten_to(8);

    /// Checks the range and drops trailing zeros.
    pub fn new(value: Decimal) -> Result<Self, NumberError> {
        let value = value.normalize();
        if value.abs() >= Decimal::from(1_000_000_000_i64) || value.scale() > PLACES {
            let (value, range) = (value.to_string(), "below 10^9 in size, at most 20 digits after the point");
            return Err(NumberError::OutOfRange { kind: "ratio", value, range });
        }
        Ok(Self(fixed::units_of(value, PLACES).0))
    }

    /// `percent / 100`. Cannot fail: a manifest's number has at most 15 digits before the point and 9 after it, and
    /// 13 before and 11 after fit.
    pub fn from_percent(percent: ExactDecimal) -> Self {
        Self(fixed::units_of(percent.get(), PLACES - 2).0)
    }

    pub(super) const fn units(self) -> i128 {
        self.0
    }

    /// A share in units of 10^-8; `None` out of range.
    pub(super) fn at_eight_places(value: I256) -> Option<Self> {
        let units = i128::try_from(value).ok()?.checked_mul(UNIT / Self::EIGHT_PLACES)?;
        (units.abs() < LIMIT).then_some(Self(units))
    }

    /// As a decimal, for showing: rounded half to even where 28 digits do not hold it.
    pub fn get(self) -> Decimal {
        fixed::decimal_of(self.0, PLACES)
    }

    /// In percent, for display.
    pub fn percent(self) -> Decimal {
        fixed::decimal_of(self.0, PLACES - 2)
    }

    /// `self × other`, exact.
    pub fn times(self, other: Ratio) -> Result<Self, NumberError> {
        let value = exact::product(self.get(), other.get());
        Self::new(value.ok_or(NumberError::TooManyDigits { operation: "product of shares" })?)
    }

    /// `1 + self`.
    #[must_use]
    pub const fn above_one(self) -> Self {
        Self(UNIT + self.0)
    }

    /// `1 − self`.
    #[must_use]
    pub const fn below_one(self) -> Self {
        Self(UNIT - self.0)
    }
}

impl FromStr for Ratio {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        match fixed::read(text, PLACES) {
            Some((units, _)) if units.abs() < LIMIT => Ok(Self(units)),
            Some(_) | None => Self::new(exact::parse(text)?),
        }
    }
}

impl Ratio {
    /// As it stands in messages.
    fn text(self) -> fixed::Text {
        fixed::Text::of(self.0, PLACES, 0)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fixed::write(f, self.0, PLACES, 0)
    }
}

//! A price in quote per base. Knows its own display scale; may not be zero or negative.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::num::NonZeroI128;
use std::str::FromStr;

use ethnum::I256;
use rust_decimal::Decimal;

use super::{Notional, NumberError, Quantity, Ratio, exact, fixed, number_text, wide};

/// A price above 0 and below 10^12, in quote per base, in units of 10^-18.
///
/// The number of digits after the point is kept: a fill's price shows the tick size's digits. It plays no part when
/// prices are compared.
#[derive(Clone, Copy)]
pub struct Price(
    /// The units times [`PLACES_SIZE`], and the digits after the point that are shown. The units have less than 100
    /// bits, and one number of 128 keeps a tick of three prices small.
    NonZeroI128,
);

/// More than the places that are shown can be.
const PLACES_SIZE: i128 = 32;

number_text!(Price);

/// What is above 0 and below it is in range.
const LIMIT: i128 = 1_000_000_000_000 * fixed::ONE;
const RANGE: &str = "above 0 and below 10^12";

/// A bound that prices are held against: a price times a factor, taken to the next price that can be. It may lie where
/// no price can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PriceBound(i128);

impl Price {
    /// Digits after the point of an average price, by contract, where the tick size has no more.
    pub const AVERAGE_PLACES: u32 = 8;

    /// Checks the range; keeps the digits as given. More than 18 of them after the point are refused.
    pub fn new(value: Decimal) -> Result<Self, NumberError> {
        if value <= Decimal::ZERO || value >= Decimal::from(1_000_000_000_000_i64) {
            return Err(NumberError::OutOfRange { kind: "price", value: value.to_string(), range: RANGE });
        }
        let (units, is_exact) = fixed::units_of(value, fixed::PLACES);
        if !is_exact {
            let range = "at most 18 digits after the point";
            return Err(NumberError::OutOfRange { kind: "price", value: value.to_string(), range });
        }
        Self::checked(I256::from(units), value.scale().min(fixed::PLACES))
    }

    /// Checks the range of a result, which has no digits past `places`.
    fn checked(units: I256, places: u32) -> Result<Self, NumberError> {
        let small = i128::try_from(units).ok().and_then(|units| Self::of_units(units, places));
        small.ok_or_else(|| {
            let value = fixed::text(units, fixed::PLACES);
            NumberError::OutOfRange { kind: "price", value, range: RANGE }
        })
    }

    fn of_units(units: i128, places: u32) -> Option<Self> {
        if !(1..LIMIT).contains(&units) || places > fixed::PLACES {
            return None;
        }
        NonZeroI128::new((units << PLACES_SIZE.trailing_zeros()) | i128::from(places)).map(Self)
    }

    /// A price as market data write nearly every one, without trailing zeros: a plain decimal of at most 19 bytes. `None`
    /// where the text is another, or out of range; then [`str::parse`] reads it, or says why not.
    pub fn of_bytes(text: &[u8]) -> Option<Self> {
        fixed::units_of_digits(text).and_then(|(units, places)| Self::of_units(units, places))
    }

    /// Its units of 10^-18, the same however it was written.
    pub(crate) const fn to_bytes(self) -> [u8; 16] {
        self.units().to_le_bytes()
    }

    pub(super) const fn units(self) -> i128 {
        // Neither is negative: a shift and a mask.
        self.0.get() >> PLACES_SIZE.trailing_zeros()
    }

    /// The digits after the point that it shows.
    pub fn places(self) -> u32 {
        u32::try_from(self.0.get() & (PLACES_SIZE - 1)).unwrap_or_default()
    }

    /// As a decimal, with its digits; rounded half to even where 28 of them do not hold it.
    pub fn get(self) -> Decimal {
        let mut value = fixed::decimal_of(self.units(), fixed::PLACES);
        if value.scale() < self.places() {
            value.rescale(self.places());
        }
        value
    }

    /// Without trailing zeros.
    #[must_use]
    pub fn normalised(self) -> Self {
        self.shown_with(0)
    }

    /// With the digits of `tick_size` where the value allows it, else without trailing zeros.
    #[must_use]
    pub fn shown_in(self, tick_size: Price) -> Self {
        self.shown_with(tick_size.places())
    }

    /// With at least `places` digits, and no more zeros than that.
    fn shown_with(self, places: u32) -> Self {
        let (units, shown) = (self.units(), self.places());
        let needed = if shown <= places && units % fixed::ten_to(fixed::PLACES - places) == 0 {
            places
        } else if shown > places && units % fixed::ten_to(fixed::PLACES + 1 - shown) != 0 {
            // Its last digit is not 0, as of nearly all that is read.
            shown
        } else {
            fixed::stripped(units, fixed::PLACES, places).1
        };
        Self::of_units(units, needed).unwrap_or(self)
    }

    /// Whether it is a multiple of `tick_size`.
    pub fn is_multiple_of(self, tick_size: Price) -> bool {
        self.units() % tick_size.units() == 0
    }

    /// Up to the next multiple of `tick_size`; itself if it is one.
    pub fn rounded_up_to(self, tick_size: Price) -> Result<Self, NumberError> {
        let over = self.units() % tick_size.units();
        let up = if over == 0 { self.units() } else { self.units() - over + tick_size.units() };
        Self::checked(I256::from(up), tick_size.places())
    }

    /// Down to a multiple of `tick_size`; `None` if that would be zero.
    pub fn rounded_down_to(self, tick_size: Price) -> Result<Option<Self>, NumberError> {
        Ok(Self::of_units(self.units() - self.units() % tick_size.units(), tick_size.places()))
    }

    /// `self × quantity`, rounded half to even where 18 digits after the point do not hold it.
    pub fn times(self, quantity: Quantity) -> Result<Notional, NumberError> {
        Notional::product(self.units(), quantity.units(), fixed::ONE, "price × quantity")
    }

    /// Compares with `reference × factor`, exactly whatever the digits.
    pub fn compare_with(self, reference: Price, factor: Ratio) -> Ordering {
        wide::compare(self.units(), Ratio::ONE.units(), reference.units(), factor.units())
    }

    /// The bound that a price reaches from below exactly where it is at or above `self × factor`.
    #[must_use]
    pub fn bound_above(self, factor: Ratio) -> PriceBound {
        PriceBound::of(factor, || wide::ceiling(self.units(), factor.units(), Ratio::ONE.units(), 1))
    }

    /// The bound that a price reaches from above exactly where it is at or below `self × factor`.
    #[must_use]
    pub fn bound_below(self, factor: Ratio) -> PriceBound {
        PriceBound::of(factor, || wide::floor(self.units(), factor.units(), Ratio::ONE.units(), 1))
    }

    /// Whether it has reached a bound of [`Self::bound_above`].
    pub const fn is_at_or_above(self, bound: PriceBound) -> bool {
        self.units() >= bound.0
    }

    /// Whether it has reached a bound of [`Self::bound_below`].
    pub const fn is_at_or_below(self, bound: PriceBound) -> bool {
        self.units() <= bound.0
    }

    /// `self × factor` for display, rounded half to even where 18 digits after the point do not hold it.
    pub fn scaled(self, factor: Ratio) -> Result<Self, NumberError> {
        let value = wide::half_even(self.units(), factor.units(), Ratio::ONE.units(), 1);
        let value = value.ok_or(NumberError::TooManyDigits { operation: "price × share" })?;
        Ok(Self::checked(value, fixed::PLACES)?.normalised())
    }

    /// `notional / quantity`, rounded half to even at 8 digits, at `least` where that is more, and at 18 where these would
    /// leave nothing of it.
    pub fn average(notional: Notional, quantity: Quantity, least: u32) -> Result<Self, NumberError> {
        let operation = "average price";
        let at = |places: u32| {
            let value = wide::half_even(notional.units(), fixed::ten_to(places), quantity.units(), 1)?;
            Some(value * I256::from(fixed::ten_to(fixed::PLACES - places)))
        };
        let places = Self::AVERAGE_PLACES.max(least).min(fixed::PLACES);
        let value = at(places).filter(|value| *value != I256::ZERO).or_else(|| at(fixed::PLACES));
        Ok(Self::checked(value.ok_or(NumberError::TooManyDigits { operation })?, fixed::PLACES)?.normalised())
    }

    /// How far `self` lies from `reference`, as a share of `reference`, rounded half to even at 8 digits.
    pub fn distance_from(self, reference: Price) -> Result<Ratio, NumberError> {
        let difference = (self.units() - reference.units()).abs();
        let share = wide::half_even(difference, Ratio::EIGHT_PLACES, reference.units(), 1);
        let share = share.ok_or(NumberError::TooManyDigits { operation: "distance of prices" })?;
        Ratio::at_eight_places(share).ok_or_else(|| {
            let value = fixed::text(share, 8);
            let range = "below 10^9 in size, at most 20 digits after the point";
            NumberError::OutOfRange { kind: "ratio", value, range }
        })
    }

    /// Whether `self` lies further than `share` from `reference`, decided exactly.
    pub fn is_further_than(self, share: Ratio, reference: Price) -> bool {
        let difference = (self.units() - reference.units()).abs();
        wide::compare(difference, Ratio::ONE.units(), reference.units(), share.units()) == Ordering::Greater
    }
}

impl PriceBound {
    /// Below 0 there is no price and above 128 bits there is none, so 0 and the largest number bound as well.
    fn of(factor: Ratio, value: impl FnOnce() -> Option<I256>) -> Self {
        if factor < Ratio::ZERO {
            return Self(0);
        }
        Self(value().and_then(|value| i128::try_from(value).ok()).unwrap_or(i128::MAX))
    }
}

impl PartialEq for Price {
    fn eq(&self, other: &Self) -> bool {
        self.units() == other.units()
    }
}

impl Eq for Price {}

impl PartialOrd for Price {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Price {
    fn cmp(&self, other: &Self) -> Ordering {
        self.units().cmp(&other.units())
    }
}

impl Hash for Price {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.units().hash(state);
    }
}

impl FromStr for Price {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        let read = fixed::read_short(text).or_else(|| fixed::read(text, fixed::PLACES));
        match read.and_then(|(units, places)| Self::of_units(units, places)) {
            Some(price) => Ok(price),
            None => Self::new(exact::parse(text)?),
        }
    }
}

impl Price {
    /// As it stands in messages.
    fn text(self) -> fixed::Text {
        fixed::Text::of(self.units(), fixed::PLACES, self.places())
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fixed::write(f, self.units(), fixed::PLACES, self.places())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    #[test]
    fn keeps_its_digits_and_refuses_zero() {
        assert_eq!(price("612.50").to_string(), "612.50");
        assert_eq!(serde_json::to_string(&price("612.50")).unwrap(), "\"612.50\"");
        assert!("0".parse::<Price>().is_err());
        assert!("-1".parse::<Price>().is_err());
    }

    #[test]
    fn shows_the_digits_of_the_tick_size() {
        assert_eq!(price("612.5").shown_in(price("0.01")).to_string(), "612.50");
        assert_eq!(price("612.505").shown_in(price("0.01")).to_string(), "612.505");
        assert_eq!(price("612.5000").shown_in(price("0.01")).to_string(), "612.50");
    }

    #[test]
    fn rounds_to_the_tick_size() {
        assert_eq!(price("612.505").rounded_up_to(price("0.01")).unwrap(), price("612.51"));
        assert_eq!(price("612.50").rounded_up_to(price("0.01")).unwrap(), price("612.50"));
        assert_eq!(price("0.001").rounded_up_to(price("0.01")).unwrap(), price("0.01"));
        assert_eq!(price("0.001").rounded_down_to(price("0.01")).unwrap(), None);
    }

    #[test]
    fn averages_half_even_at_eight_digits() {
        let average = |notional: &str, quantity: &str| {
            Price::average(notional.parse().unwrap(), quantity.parse().unwrap(), 2).unwrap().to_string()
        };
        assert_eq!(average("2", "3"), "0.66666667");
        assert_eq!(average("605.7625", "0.989"), "612.5");
        assert_eq!(average("0.000012", "3000"), "0.000000004", "a price that 8 digits do not show");
    }

    #[test]
    fn distance_is_decided_exactly() {
        let share = Ratio::from_percent("0.1".parse().unwrap());
        assert!(!price("600.6").is_further_than(share, price("600")));
        assert!(price("600.600001").is_further_than(share, price("600")));
        assert!(price("599.399999").is_further_than(share, price("600")));
    }
}

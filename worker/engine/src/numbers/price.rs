//! A price in quote per base. Knows its own display scale; may not be zero or negative.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use super::{Notional, NumberError, Quantity, Ratio, decimal_text, exact};

/// A price above 0 and below 10^12, in quote per base.
///
/// The number of digits after the point is kept: a fill's price shows the tick size's digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(Decimal);

decimal_text!(Price);

impl Price {
    /// Digits after the point of an average price, by contract.
    pub const AVERAGE_PLACES: u32 = 8;

    /// Checks the range; keeps the digits as given.
    pub fn new(value: Decimal) -> Result<Self, NumberError> {
        if value <= Decimal::ZERO || value >= Decimal::from(1_000_000_000_000_i64) {
            let (value, range) = (value.to_string(), "above 0 and below 10^12");
            return Err(NumberError::OutOfRange { kind: "price", value, range });
        }
        Ok(Self(value))
    }

    /// The decimal itself.
    pub const fn get(self) -> Decimal {
        self.0
    }

    /// Without trailing zeros.
    #[must_use]
    pub fn normalised(self) -> Self {
        Self(exact::normalised(self.0))
    }

    /// With the digits of `tick_size` where the value allows it, else without trailing zeros.
    #[must_use]
    pub fn shown_in(self, tick_size: Price) -> Self {
        let mut value = exact::normalised(self.0);
        if value.scale() < tick_size.0.scale() {
            value.rescale(tick_size.0.scale());
        }
        Self(value)
    }

    /// Up to the next multiple of `tick_size`; itself if it is one.
    pub fn rounded_up_to(self, tick_size: Price) -> Result<Self, NumberError> {
        let down = self.rounded_down_to(tick_size)?;
        match down {
            Some(price) if price == self => Ok(price),
            Some(price) => Self::sum(price.0, tick_size.0),
            None => Ok(tick_size),
        }
    }

    /// Down to a multiple of `tick_size`; `None` if that would be zero.
    pub fn rounded_down_to(self, tick_size: Price) -> Result<Option<Self>, NumberError> {
        let one = Decimal::ONE;
        let floor = exact::multiply_divide_floor(self.0, one, one, tick_size.0)
            .ok_or(NumberError::TooManyDigits { operation: "price to tick size" })?;
        Ok(Self::new(floor).ok())
    }

    /// `self × quantity`, exact.
    pub fn times(self, quantity: Quantity) -> Result<Notional, NumberError> {
        let value = exact::product(self.0, quantity.get());
        Notional::new(value.ok_or(NumberError::TooManyDigits { operation: "price × quantity" })?)
    }

    /// Compares with `reference × factor`, exactly whatever the digits.
    pub fn compare_with(self, reference: Price, factor: Ratio) -> Ordering {
        exact::compare_with_product(self.0, reference.0, factor.get())
    }

    /// `self × factor` for display: exact where 28 digits hold it, else rounded by the decimal type.
    pub fn scaled(self, factor: Ratio) -> Result<Self, NumberError> {
        let exact = exact::product(self.0, factor.get()).unwrap_or_else(|| self.0 * factor.get());
        Self::new(exact::normalised(exact))
    }

    /// `notional / quantity`, rounded half to even at 8 digits; at 18 where 8 would leave nothing of it.
    pub fn average(notional: Notional, quantity: Quantity) -> Result<Self, NumberError> {
        let at = |places| exact::multiply_divide_half_even(notional.get(), Decimal::ONE, quantity.get(), places);
        let value = at(Self::AVERAGE_PLACES).filter(|value| !value.is_zero()).or_else(|| at(18));
        Ok(Self::new(value.ok_or(NumberError::TooManyDigits { operation: "average price" })?)?.normalised())
    }

    /// How far `self` lies from `reference`, as a share of `reference`, rounded half to even at 8 digits.
    pub fn distance_from(self, reference: Price) -> Result<Ratio, NumberError> {
        let refuse = NumberError::TooManyDigits { operation: "distance of prices" };
        let difference = exact::sum(self.0, -reference.0).ok_or(refuse.clone())?.abs();
        Ratio::new(exact::multiply_divide_half_even(difference, Decimal::ONE, reference.0, 8).ok_or(refuse)?)
    }

    /// Whether `self` lies further than `share` from `reference`, decided exactly.
    pub fn is_further_than(self, share: Ratio, reference: Price) -> bool {
        match exact::sum(self.0, -reference.0) {
            Some(difference) => {
                exact::compare_with_product(difference.abs(), reference.0, share.get()) == Ordering::Greater
            }
            None => true,
        }
    }

    fn sum(a: Decimal, b: Decimal) -> Result<Self, NumberError> {
        Self::new(exact::sum(a, b).ok_or(NumberError::TooManyDigits { operation: "sum of prices" })?)
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
            Price::average(notional.parse().unwrap(), quantity.parse().unwrap()).unwrap().to_string()
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

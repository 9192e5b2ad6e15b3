//! An amount of quote money, of either sign.

use std::fmt;
use std::str::FromStr;

use ethnum::I256;
use rust_decimal::Decimal;

use super::{NumberError, Quantity, Ratio, SignedDecimal, exact, fixed, number_text, wide};

/// An amount of quote, below 10^15 in size, in units of 10^-18. Written without trailing zeros.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Notional(i128);

number_text!(Notional);

/// From here on it is out of range.
const LIMIT: i128 = 1_000_000_000_000_000 * fixed::ONE;
const RANGE: &str = "below 10^15 in size";

impl Notional {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// Digits after the point of relieved cost, by contract.
    pub const COST_PLACES: u32 = 8;

    /// Checks the range. Digits past the 18th after the point are rounded, half to even.
    pub fn new(value: Decimal) -> Result<Self, NumberError> {
        if value.abs() >= Decimal::from(1_000_000_000_000_000_i64) {
            return Err(NumberError::OutOfRange { kind: "notional", value: value.to_string(), range: RANGE });
        }
        Ok(Self(fixed::units_of(value, fixed::PLACES).0))
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
            Ok(units) if units.abs() < LIMIT => Ok(Self(units)),
            Ok(_) | Err(_) => {
                let value = fixed::text(units, fixed::PLACES);
                Err(NumberError::OutOfRange { kind: "notional", value, range: RANGE })
            }
        }
    }

    /// The product of two numbers whose units make `scale` in one, rounded half to even where 18 digits do not hold it.
    pub(super) fn product(a: i128, b: i128, scale: i128, operation: &'static str) -> Result<Self, NumberError> {
        Self::checked(wide::half_even(a, b, scale, 1).ok_or(NumberError::TooManyDigits { operation })?)
    }

    /// As a decimal, for showing: rounded half to even where 28 digits do not hold it.
    pub fn get(self) -> Decimal {
        fixed::decimal_of(self.0, fixed::PLACES)
    }

    /// `self + other`, exact.
    pub fn plus(self, other: Notional) -> Result<Self, NumberError> {
        let units = self.0 + other.0;
        if units.abs() < LIMIT { Ok(Self(units)) } else { Self::checked(I256::from(units)) }
    }

    /// `self − other`, exact.
    pub fn minus(self, other: Notional) -> Result<Self, NumberError> {
        self.plus(Self(-other.0))
    }

    /// `self × share`, rounded half to even where 18 digits after the point do not hold it.
    pub fn share(self, share: Ratio) -> Result<Self, NumberError> {
        Self::product(self.0, share.units(), Ratio::ONE.units(), "money × share")
    }

    /// The cost of `part` of a position of `whole` that cost `self`: `round_half_even(self × part / whole, 8)`.
    pub fn relieved(self, part: Quantity, whole: Quantity) -> Result<Self, NumberError> {
        let step = fixed::ten_to(fixed::PLACES - Self::COST_PLACES);
        let operation = "cost × quantity / position";
        let steps = wide::half_even(self.0, part.units(), whole.units(), step);
        Self::checked(steps.ok_or(NumberError::TooManyDigits { operation })? * I256::from(step))
    }

    /// `self / whole` as a share, rounded half to even at 8 digits; `None` for a whole of nothing.
    pub fn share_of(self, whole: Notional) -> Option<Ratio> {
        Ratio::at_eight_places(wide::half_even(self.0, Ratio::EIGHT_PLACES, whole.0, 1)?)
    }

    /// `self / whole` in percent, rounded half to even at 2 digits; `None` for a whole of nothing.
    pub fn percent_of(self, whole: Notional) -> Option<Decimal> {
        let hundredths = i128::try_from(wide::half_even(self.0, 10_000, whole.0, 1)?).ok()?;
        Decimal::try_from_i128_with_scale(hundredths, 2).ok().map(|percent| percent.normalize())
    }

    /// Compares `self` with `whole × share`, exactly whatever the digits.
    pub fn compare_with(self, whole: Notional, share: Ratio) -> std::cmp::Ordering {
        wide::compare(self.0, Ratio::ONE.units(), whole.0, share.units())
    }
}

/// So much of base, as an amount of its asset.
impl From<Quantity> for Notional {
    fn from(quantity: Quantity) -> Self {
        Self(quantity.units())
    }
}

/// An amount as a manifest writes it. So few digits are always in range.
impl From<SignedDecimal> for Notional {
    fn from(amount: SignedDecimal) -> Self {
        Self(fixed::units_of(amount.get(), fixed::PLACES).0)
    }
}

impl FromStr for Notional {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        match fixed::read_short(text).or_else(|| fixed::read(text, fixed::PLACES)) {
            Some((units, _)) if units.abs() < LIMIT => Ok(Self(units)),
            Some(_) | None => Self::new(exact::parse(text)?),
        }
    }
}

impl Notional {
    /// As it stands in messages.
    fn text(self) -> fixed::Text {
        fixed::Text::of(self.0, fixed::PLACES, 0)
    }
}

impl fmt::Display for Notional {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fixed::write(f, self.0, fixed::PLACES, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than a `Decimal` holds, and in range: it came into records and could not be read back.
    #[test]
    fn what_is_written_is_read_whatever_its_length() {
        for text in [
            "506556608149.118301830245456726",
            "-403072515689.519291279100714688",
            "999999999999999.999999999999999999",
            "-0.000000000000000001",
            "79228162514264.337593543950335001",
        ] {
            let amount: Notional = text.parse().unwrap();
            assert_eq!(amount.to_string(), text);
            assert_eq!(serde_json::from_str::<Notional>(&serde_json::to_string(&amount).unwrap()).unwrap(), amount);
        }
        assert_eq!(
            "79228162514264.3375935439503350010".parse(),
            "79228162514264.337593543950335001".parse::<Notional>()
        );
        for text in ["1000000000000000", "79228162514264.33759354395033500e", "5.", ".5", "+5", "", "-"] {
            assert!(text.parse::<Notional>().is_err(), "{text}");
        }
    }

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

    #[test]
    fn what_28_digits_do_not_hold_is_kept_and_shown_rounded_as_a_decimal() {
        let all: Notional = "999999999999999".parse().unwrap();
        let sum = all.plus("0.999999999999999999".parse().unwrap()).unwrap();
        assert_eq!(sum.to_string(), "999999999999999.999999999999999999");
        assert_eq!(sum.get().to_string(), "1000000000000000.0000000000000");
        assert_eq!(
            all.plus("1".parse().unwrap()).unwrap_err().to_string(),
            "1000000000000000 is out of range for a notional: below 10^15 in size"
        );
    }

    #[test]
    fn money_with_more_than_18_places_is_rounded_half_to_even_when_it_is_read() {
        let read = |text: &str| text.parse::<Notional>().unwrap().to_string();
        assert_eq!(read("0.1234567890123456785"), "0.123456789012345678");
        assert_eq!(read("-0.1234567890123456775"), "-0.123456789012345678");
        assert_eq!(read("0.12345678901234567851"), "0.123456789012345679");
    }
}

//! Prices and quantities as the exchange writes them: eight decimals, exact.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

use serde::{Serialize, Serializer};

const DECIMALS: usize = 8;
const ONE: i128 = 100_000_000;

/// A count of hundred-millionths; written with all eight decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Amount(i128);

/// A text that is no such amount.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no decimal number of at most 8 decimals")]
pub struct NoAmount(String);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many hundred-millionths.
    pub const fn from_units(units: i128) -> Self {
        Self(units)
    }

    /// How many hundred-millionths it is.
    pub const fn units(self) -> i128 {
        self.0
    }

    /// The product, what lies below eight decimals cut off.
    #[must_use]
    pub const fn times(self, other: Self) -> Self {
        Self(self.0 * other.0 / ONE)
    }

    /// The quotient, cut off; nothing where the divisor is.
    #[must_use]
    pub const fn over(self, other: Self) -> Self {
        if other.0 == 0 { Self::ZERO } else { Self(self.0 * ONE / other.0) }
    }
}

impl Amount {
    /// Written with so many decimals, or with all eight where it has more.
    pub const fn with_places(self, places: usize) -> Shown {
        Shown(self, places)
    }
}

/// An amount as futures are written.
#[derive(Debug, Clone, Copy)]
pub struct Shown(Amount, usize);

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.to_string();
        let cut = text.len() - DECIMALS.saturating_sub(self.1);
        let (kept, rest) = text.split_at(cut);
        if rest.bytes().all(|byte| byte == b'0') {
            serializer.serialize_str(kept.trim_end_matches('.'))
        } else {
            serializer.serialize_str(&text)
        }
    }
}

impl FromStr for Amount {
    type Err = NoAmount;

    fn from_str(text: &str) -> Result<Self, NoAmount> {
        let bad = || NoAmount(text.to_owned());
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let kept = part.trim_end_matches('0');
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if kept.len() > DECIMALS || whole.is_empty() || whole.len() > 24 || !plain(whole) || !plain(part) {
            return Err(bad());
        }
        let units: i128 = format!("{whole}{kept:0<DECIMALS$}").parse().map_err(|_| bad())?;
        Ok(Self(sign * units))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let units = self.0.unsigned_abs();
        let one = ONE.unsigned_abs();
        write!(f, "{sign}{}.{:08}", units / one, units % one)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Add for Amount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Amount {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_with_eight_decimals_and_read_back() {
        for (text, written) in [
            ("61837.63", "61837.63000000"),
            ("0.00000001", "0.00000001"),
            ("-12.5", "-12.50000000"),
            ("7", "7.00000000"),
            ("1.1000000000", "1.10000000"),
        ] {
            let amount: Amount = text.parse().expect("a decimal");
            assert_eq!(amount.to_string(), written);
            assert_eq!(written.parse::<Amount>().expect("a decimal"), amount);
        }
        for text in ["", ".", "1.123456789", "1e5", "+1", "--1", "1.2.3", "NaN", ".5"] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
    }

    #[test]
    fn products_are_cut_off() {
        let price: Amount = "0.06436300".parse().expect("a decimal");
        let quantity: Amount = "0.02110000".parse().expect("a decimal");
        assert_eq!(price.times(quantity).to_string(), "0.00135805");
    }
}

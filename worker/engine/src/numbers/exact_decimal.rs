//! Numbers as users write them in a manifest: an integer or a quoted string, never a float.

use std::borrow::Cow;
use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;

use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{NumberError, exact};

/// Serde, schema and formatting of numbers in manifests: an integer or a text, as it is written, never a float. `bounds` of
/// the schema stand beside the pattern of the text.
macro_rules! written {
    ($name:ident, { $($bounds:tt)* }) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                integer_or_text(deserializer, "an integer or a quoted decimal such as \"612.50\"")
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "x-kubernetes-int-or-string": true,
                    "pattern": Self::PATTERN,
                    "maxLength": Self::LENGTH_MAX,
                    $($bounds)*
                })
            }
        }
    };
}

/// A non-negative decimal with at most 15 digits before and 9 after the point, kept as written.
///
/// In a manifest it is an integer (`600`) or a quoted string (`"612.50"`): YAML readers disagree about
/// everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExactDecimal(Decimal);

impl ExactDecimal {
    /// What the schema and this type accept as text.
    pub const PATTERN: &str = r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?$";
    /// The longest text that [`Self::PATTERN`] accepts.
    pub const LENGTH_MAX: usize = 25;

    /// The whole number `value`.
    pub const fn from_integer(value: u32) -> Self {
        Self(Decimal::from_parts(value, 0, 0, false, 0))
    }

    /// `mantissa / 10^scale`, for defaults in code.
    pub const fn from_scaled(mantissa: u32, scale: u32) -> Self {
        Self(Decimal::from_parts(mantissa, 0, 0, false, scale))
    }

    /// The same number without trailing zeros.
    #[must_use]
    pub fn normalised(self) -> Self {
        Self(self.0.normalize())
    }

    /// Rounded half to even to so many digits after the point.
    #[must_use]
    pub fn rounded(self, places: u32) -> Self {
        Self(self.0.round_dp(places))
    }

    /// The decimal itself.
    pub const fn get(self) -> Decimal {
        self.0
    }
}

impl FromStr for ExactDecimal {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || NumberError::NotDecimal { text: text.chars().take(40).collect() };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if text.starts_with('-') || leading_zero || whole.len() > 15 || fraction.len() > 9 {
            return Err(refuse());
        }
        exact::parse(text).map(Self)
    }
}

/// Reads what a manifest may write as an integer or as a text, and never as a float; `expected` says in words what it is.
pub fn integer_or_text<'de, T, D>(deserializer: D, expected: &'static str) -> Result<T, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_any(IntegerOrText { expected, of: PhantomData })
}

struct IntegerOrText<T> {
    expected: &'static str,
    of: PhantomData<T>,
}

impl<T: FromStr<Err: Display>> de::Visitor<'_> for IntegerOrText<T> {
    type Value = T;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

written!(ExactDecimal, { "minimum": 0 });

/// A decimal of either sign with at most 15 digits before and 9 after the point, kept as written: an [`ExactDecimal`] that
/// may have a minus before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignedDecimal(Decimal);

impl SignedDecimal {
    /// What the schema and this type accept as text.
    pub const PATTERN: &str = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?$";
    /// The longest text that [`Self::PATTERN`] accepts.
    pub const LENGTH_MAX: usize = ExactDecimal::LENGTH_MAX + 1;

    /// The decimal itself.
    pub const fn get(self) -> Decimal {
        self.0
    }
}

impl FromStr for SignedDecimal {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let size = text.strip_prefix('-').unwrap_or(text);
        let size: ExactDecimal =
            size.parse().map_err(|_| NumberError::NotDecimal { text: text.chars().take(40).collect() })?;
        Ok(Self(if text.starts_with('-') { -size.0 } else { size.0 }))
    }
}

written!(SignedDecimal, {});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_integers_and_strings_alike() {
        let read = |json: &str| serde_json::from_str::<ExactDecimal>(json);
        assert_eq!(read("600").unwrap(), read("\"600\"").unwrap());
        assert_eq!(read("\"612.50\"").unwrap().to_string(), "612.50");
        for bad in ["2.5", "-1", "\"-1\"", "\"010\"", "\"1e3\"", "null", "\"0.0000000001\"", "true"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_with_a_sign_reads_the_same_and_a_minus() {
        let read = |json: &str| serde_json::from_str::<SignedDecimal>(json);
        assert_eq!(read("-500").unwrap(), read("\"-500\"").unwrap());
        assert_eq!(read("\"-612.50\"").unwrap().to_string(), "-612.50");
        assert_eq!(read("7").unwrap().to_string(), "7");
        for bad in ["-2.5", "\"--1\"", "\"+1\"", "\"-010\"", "\"-\"", "null", "\"-0.0000000001\""] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}

//! Money arithmetic: exact decimals in newtypes with bounded digits and only meaningful operations.
//!
//! Nothing here rounds unless the name of the operation says so. An operation that cannot be exact in
//! 28 digits fails with [`NumberError::TooManyDigits`] instead of dropping digits, because
//! `rust_decimal` itself would round in silence.
//!
//! | type | range | digits after the point | unit |
//! |---|---|---|---|
//! | [`Price`] | above 0, below 10^12 | 9 as input | quote per base |
//! | [`Quantity`] | 0 or more, below 10^15 | 9 as input | base |
//! | [`Notional`] | below 10^15 in size | what 28 digits hold | quote |
//! | [`Ratio`] | below 10^9 in size | 20 | none; 1 is the whole |
//! | [`Volume`] | 0 or more, below 10^28 | 18, and 28 in all; rounded when read | base; information only |

#![allow(
    clippy::arithmetic_side_effects,
    reason = "the ranges above bound every operand: a mantissa has 96 bits and a scale is at most 28, so products, and sums \
              at one scale, fit 256 bits; what may not is checked where it stands"
)]

mod exact;
mod exact_decimal;
mod notional;
mod price;
mod quantity;
mod ratio;
pub mod shown;
mod volume;

pub use exact_decimal::ExactDecimal;
pub use notional::Notional;
pub use price::Price;
pub use quantity::Quantity;
pub use ratio::Ratio;
pub use volume::Volume;

/// Why a number could not be made or an operation could not be exact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// The text is not a plain decimal such as `600` or `0.25`.
    #[error("{text:?} is not a plain decimal; write it like 600 or 0.25")]
    NotDecimal {
        /// What was read.
        text: String,
    },
    /// The value lies outside the range of its type.
    #[error("{value} is out of range for a {kind}: {range}")]
    OutOfRange {
        /// The type's name.
        kind: &'static str,
        /// The refused value.
        value: String,
        /// The allowed range in words.
        range: &'static str,
    },
    /// The exact result needs more digits than a number holds.
    #[error("the exact result of {operation} needs more than 28 digits")]
    TooManyDigits {
        /// The operation in words.
        operation: &'static str,
    },
}

/// Serde and formatting that each number type shares: strings on the wire, never floats.
macro_rules! decimal_text {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::numbers::NumberError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new($crate::numbers::exact::parse(text)?)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string" })
            }
        }
    };
}
pub(crate) use decimal_text;

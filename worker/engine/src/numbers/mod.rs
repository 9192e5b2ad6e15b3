//! Money arithmetic: integers of one fixed scale in newtypes with bounded digits and only meaningful operations.
//!
//! Sums, differences and comparisons are exact. Prices, quantities and money are counted in 10^-18, shares in 10^-20, in
//! 128 bits; products and quotients are made in 256 bits where 128 do not hold them. A product of two numbers that has
//! more than 18 digits after the point is rounded to 18 once, half to even: with the rules that a manifest may have
//! ([`crate::instrument::Rules::PLACES_MAX`]) none has, so only data that are finer than these rules meet it. Every
//! other rounding is in the name of its operation. `rust_decimal` reads and writes what manifests and messages hold.
//!
//! | type | range | digits after the point | unit |
//! |---|---|---|---|
//! | [`Price`] | above 0, below 10^12 | 18; 9 as input | quote per base |
//! | [`Quantity`] | 0 or more, below 10^15 | 18; 9 as input | base |
//! | [`Notional`] | below 10^15 in size | 18 | quote |
//! | [`Ratio`] | below 10^9 in size | 20 | none; 1 is the whole |
//! | [`Volume`] | 0 or more, below 10^28 | 18, and 28 in all; rounded when read | base; information only |
//!
//! What is read with more digits than its type keeps, such as money in a record of a release that kept 28, is rounded
//! half to even to 18; a price is refused, because a price that moved would be another price.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "the ranges above bound every operand: it has at most 111 bits, so sums fit 128 and products 256; what may not \
              is checked where it stands"
)]

mod exact;
mod exact_decimal;
mod fixed;
mod notional;
mod price;
mod quantity;
mod ratio;
pub mod shown;
mod volume;
mod wide;

pub use exact_decimal::{ExactDecimal, SignedDecimal, integer_or_text};
pub use notional::Notional;
pub use price::{Price, PriceBound};
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
macro_rules! number_text {
    ($name:ident) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.text().as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str($crate::numbers::Text(std::marker::PhantomData))
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
pub(crate) use number_text;

/// Reads a number from the text of a message, without a copy of it.
struct Text<T>(std::marker::PhantomData<T>);

impl<T: std::str::FromStr<Err = NumberError>> serde::de::Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

//! What was traded on a market: information, never money of ours. It has bounds of its own, because a
//! market's volume outgrows every position.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{NumberError, fixed};

/// An amount of base that was traded, 0 or more and below 10^28, without trailing zeros.
///
/// It keeps 28 digits, at most 18 of them after the point; what has more is rounded half to even once, when
/// it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Volume(Decimal);

impl Volume {
    /// No volume.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Digits that are kept, zeros before the first one left out.
    const DIGITS_MAX: usize = 28;
    /// Digits after the point that are kept.
    const PLACES_MAX: usize = 18;

    /// A volume as market data write nearly every one: a plain decimal of at most 19 bytes. `None` where the text is
    /// another; then [`str::parse`] reads it, or says why not.
    pub fn of_bytes(text: &[u8]) -> Option<Self> {
        let (digits, places) = fixed::digits_of(text)?;
        let part = |shift: u32| u32::try_from((digits >> shift) & u64::from(u32::MAX)).unwrap_or_default();
        Some(Self(Decimal::from_parts(part(0), part(32), 0, false, places)))
    }

    /// The decimal itself.
    pub const fn get(self) -> Decimal {
        self.0
    }

    /// Rounds `whole` and `fraction`, the digits before and after the point, to what is kept.
    fn rounded(text: &str, whole: &str, fraction: &str) -> Result<Self, NumberError> {
        let whole = whole.trim_start_matches('0');
        let Some(room) = Self::DIGITS_MAX.checked_sub(whole.len()) else {
            let value = text.chars().take(40).collect();
            return Err(NumberError::OutOfRange { kind: "volume", value, range: "0 or more and below 10^28" });
        };
        let fraction = fraction.trim_end_matches('0');
        let places = fraction.len().min(Self::PLACES_MAX).min(room);
        let (kept, rest) = fraction.split_at(places);
        let digits = whole.bytes().chain(kept.bytes());
        let mantissa = digits.fold(0_i128, |mantissa, digit| mantissa * 10 + i128::from(digit - b'0'));
        let up = match rest.as_bytes() {
            [] | [b'0'..=b'4', ..] => false,
            [b'5'] => mantissa % 2 != 0,
            [_, ..] => true,
        };
        let scale = u32::try_from(places).unwrap_or_default();
        let value = Decimal::try_from_i128_with_scale(mantissa + i128::from(up), scale);
        let refuse = |_| NumberError::TooManyDigits { operation: "volume" };
        Ok(Self(value.map_err(refuse)?.normalize()))
    }
}

impl FromStr for Volume {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole.strip_prefix('-').unwrap_or(whole)) || !all_digits(fraction) {
            return Err(NumberError::NotDecimal { text: text.chars().take(40).collect() });
        }
        if let Some(size) = whole.strip_prefix('-') {
            if [size, fraction].iter().all(|part| part.bytes().all(|b| b == b'0')) {
                return Ok(Self::ZERO);
            }
            let value = text.chars().take(40).collect();
            return Err(NumberError::OutOfRange { kind: "volume", value, range: "0 or more and below 10^28" });
        }
        Self::rounded(text, whole, fraction)
    }
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fixed::write(f, self.0.mantissa(), self.0.scale(), 0)
    }
}

impl Serialize for Volume {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Volume {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Volume {
    fn schema_name() -> Cow<'static, str> {
        "Volume".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        text.parse::<Volume>().unwrap().to_string()
    }

    #[test]
    fn any_size_and_any_digits_are_read() {
        for (text, expected) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("007.50", "7.5"),
            ("1234567890123456.00", "1234567890123456"),
            ("10.12345678901", "10.12345678901"),
            ("9999999999999999999999999999", "9999999999999999999999999999"),
            ("0.123456789012345678", "0.123456789012345678"),
            // Rounded half to even where 28 digits, or 18 after the point, do not hold it.
            ("0.1234567890123456785", "0.123456789012345678"),
            ("0.1234567890123456775", "0.123456789012345678"),
            ("0.12345678901234567751", "0.123456789012345678"),
            ("0.12345678901234567849", "0.123456789012345678"),
            ("123456789012345678.12345678905", "123456789012345678.123456789"),
            ("9999999999999999999999999998.5", "9999999999999999999999999998"),
            ("9999999999999999999999999999.5", "10000000000000000000000000000"),
            ("0.0000000000000000001", "0"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn it_is_written_as_its_decimal() {
        for text in ["0", "0.5", "1234567890123456", "9999999999999999999999999999", "0.123456789012345678", "700"] {
            let volume: Volume = text.parse().unwrap();
            assert_eq!(volume.to_string(), volume.get().to_string());
            assert_eq!(format!("{volume:>30}|{volume:.2}"), format!("{0:>30}|{0:.2}", volume.get()));
        }
    }

    #[test]
    fn what_is_no_volume_is_refused() {
        for (text, expected) in [
            ("", "\"\" is not a plain decimal; write it like 600 or 0.25"),
            ("1e5", "\"1e5\" is not a plain decimal; write it like 600 or 0.25"),
            ("--1", "\"--1\" is not a plain decimal; write it like 600 or 0.25"),
            ("5.", "\"5.\" is not a plain decimal; write it like 600 or 0.25"),
            ("-5", "-5 is out of range for a volume: 0 or more and below 10^28"),
            (
                "10000000000000000000000000000",
                "10000000000000000000000000000 is out of range for a volume: 0 or more and below 10^28",
            ),
        ] {
            assert_eq!(text.parse::<Volume>().unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn it_is_text_on_the_wire_as_a_quantity_is() {
        let volume: Volume = serde_json::from_str("\"0.010\"").unwrap();
        assert_eq!(serde_json::to_string(&volume).unwrap(), "\"0.01\"");
    }
}

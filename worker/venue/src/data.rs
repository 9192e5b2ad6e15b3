//! Numbers and times as market data writes them. May not know files, lines or formats.

use engine::numbers::{NumberError, Price, Quantity};
use engine::time::Timestamp;

/// Digits that a number of market data may have after the point.
const PLACES_MAX: usize = 9;
/// The last millisecond of the year 9999: what lies above is in another unit.
const MILLIS_MAX: i64 = 253_402_300_799_999;
/// From here on a time of an exchange's download is in microseconds: as milliseconds it would be in the year 5138.
const MICROS_MIN: i64 = 100_000_000_000_000;
/// From here on a receive time is in nanoseconds: in milliseconds or microseconds it would be far in the future.
const NANOS_MIN: i64 = 100_000_000_000_000_000;
/// How much of a refused value a message shows.
const SHOWN_MAX: usize = 40;

/// Why a text is not the number or the time that it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not a number, or out of its range.
    #[error(transparent)]
    Number(#[from] NumberError),
    /// More digits after the point than prices and quantities have.
    #[error("{text:?} has more than {PLACES_MAX} digits after the point; round it to {PLACES_MAX}")]
    Places {
        /// What was read.
        text: String,
    },
    /// Not a point in time in the unit of its format.
    #[error("{text:?} is not a time in {unit}; write it like {example}")]
    Time {
        /// What was read.
        text: String,
        /// The unit in words.
        unit: &'static str,
        /// A good value.
        example: &'static str,
    },
    /// A time between two milliseconds, to drop a part of which would move a candle in silence.
    #[error("{text:?} lies between two milliseconds; candles begin on one")]
    NotWholeMillis {
        /// What was read.
        text: String,
    },
}

impl ValueError {
    fn time(text: &str, unit: &'static str, example: &'static str) -> Self {
        Self::Time { text: shown(text), unit, example }
    }
}

/// The part of `text` that a message may show.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(SHOWN_MAX).collect()
}

/// A price above 0 with at most 9 digits after the point, normalised.
pub(crate) fn price(text: &str) -> Result<Price, ValueError> {
    match without_zeros(text)?.parse::<Price>() {
        Ok(price) => Ok(price.normalised()),
        Err(shortened) => Err(text.parse::<Price>().err().unwrap_or(shortened).into()),
    }
}

/// A quantity of 0 or more with at most 9 digits after the point, normalised.
pub(crate) fn quantity(text: &str) -> Result<Quantity, ValueError> {
    match without_zeros(text)?.parse::<Quantity>() {
        Ok(quantity) => Ok(quantity),
        Err(shortened) => Err(text.parse::<Quantity>().err().unwrap_or(shortened).into()),
    }
}

/// A time in milliseconds.
pub(crate) fn millis(text: &str) -> Result<Timestamp, ValueError> {
    match integer(text) {
        Some(millis) if millis <= MILLIS_MAX => Ok(Timestamp::from_millis(millis)),
        _ => Err(ValueError::time(text, "ms", "1700000000000")),
    }
}

/// A time in milliseconds that came as a number.
pub(crate) fn checked_millis(millis: i64) -> Result<Timestamp, ValueError> {
    if (0..=MILLIS_MAX).contains(&millis) {
        Ok(Timestamp::from_millis(millis))
    } else {
        Err(ValueError::time(&millis.to_string(), "ms", "1700000000000"))
    }
}

/// A time in milliseconds or, told by its size, in microseconds; a part of a millisecond is dropped.
pub(crate) fn millis_or_micros(text: &str) -> Result<Timestamp, ValueError> {
    match integer(text) {
        Some(millis) if millis < MICROS_MIN => Ok(Timestamp::from_millis(millis)),
        Some(micros) if micros / 1_000 <= MILLIS_MAX => Ok(Timestamp::from_millis(micros / 1_000)),
        _ => Err(ValueError::time(text, "ms or µs", "1700000000000")),
    }
}

/// A time in milliseconds or, told by its size, in microseconds that are whole milliseconds.
pub(crate) fn whole_millis_or_micros(text: &str) -> Result<Timestamp, ValueError> {
    let time = millis_or_micros(text)?;
    match integer(text) {
        Some(value) if value >= MICROS_MIN && value % 1_000 != 0 => {
            Err(ValueError::NotWholeMillis { text: shown(text) })
        }
        _ => Ok(time),
    }
}

/// A time in nanoseconds, with the part below a millisecond dropped.
pub(crate) fn nanos(text: &str) -> Result<Timestamp, ValueError> {
    match integer(text) {
        Some(nanos) if nanos >= NANOS_MIN => Ok(Timestamp::from_millis(nanos / 1_000_000)),
        _ => Err(ValueError::time(text, "ns", "1700000000000000000")),
    }
}

fn integer(text: &str) -> Option<i64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Cuts zeros at the end of a fraction: exchanges write 8 digits always, and cutting text is cheaper than dividing.
fn without_zeros(text: &str) -> Result<&str, ValueError> {
    let Some(point) = text.find('.') else { return Ok(text) };
    let places = text.len() - point - 1;
    if places > PLACES_MAX && text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-') {
        return Err(ValueError::Places { text: shown(text) });
    }
    let cut = text.trim_end_matches('0');
    Ok(if cut.len() == point + 1 && places > 0 { &text[..point] } else { cut })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lose_their_zeros_and_nothing_else() {
        let cases = [
            ("61837.63000000", "61837.63"),
            ("600", "600"),
            ("600.0", "600"),
            ("0.000000001", "0.000000001"),
            ("100.10", "100.1"),
        ];
        for (text, expected) in cases {
            assert_eq!(price(text).unwrap().to_string(), expected, "{text}");
            assert_eq!(quantity(text).unwrap().to_string(), expected, "{text}");
        }
        assert_eq!(quantity("0.00000000").unwrap().to_string(), "0");
    }

    #[test]
    fn a_bad_number_is_told_as_written() {
        let cases = [
            ("", "\"\" is not a plain decimal; write it like 600 or 0.25"),
            (".0", "\".0\" is not a plain decimal; write it like 600 or 0.25"),
            ("600.", "\"600.\" is not a plain decimal; write it like 600 or 0.25"),
            ("1.2.0", "\"1.2.0\" is not a plain decimal; write it like 600 or 0.25"),
            ("1e3", "\"1e3\" is not a plain decimal; write it like 600 or 0.25"),
            ("0.00", "0.00 is out of range for a price: above 0 and below 10^12"),
            ("-5", "-5 is out of range for a price: above 0 and below 10^12"),
            ("1.0000000001", "\"1.0000000001\" has more than 9 digits after the point; round it to 9"),
        ];
        for (text, expected) in cases {
            assert_eq!(price(text).unwrap_err().to_string(), expected);
        }
        assert_eq!(
            quantity("-0.5").unwrap_err().to_string(),
            "-0.5 is out of range for a quantity: 0 or more and below 10^15"
        );
    }

    #[test]
    fn the_unit_of_a_time_is_told_by_its_size() {
        assert_eq!(millis("1700000000000").unwrap().millis(), 1_700_000_000_000);
        assert_eq!(millis_or_micros("1700000000000").unwrap().millis(), 1_700_000_000_000);
        assert_eq!(millis_or_micros("1735689659999999").unwrap().millis(), 1_735_689_659_999);
        assert_eq!(nanos("1723161254087896568").unwrap().millis(), 1_723_161_254_087);
        for bad in ["", "-1", "+1", "1.5", "1735689600000000", "99999999999999999999"] {
            let expected = format!("{bad:?} is not a time in ms; write it like 1700000000000");
            assert_eq!(millis(bad).unwrap_err().to_string(), expected);
        }
        assert!(millis_or_micros("1723161254087896568").is_err());
        assert!(nanos("1700000000000000").is_err());
        assert_eq!(whole_millis_or_micros("1735689600000000").unwrap().millis(), 1_735_689_600_000);
        assert!(whole_millis_or_micros("1735689600000001").is_err());
    }
}

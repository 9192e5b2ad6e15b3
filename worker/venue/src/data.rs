//! Numbers and times as market data writes them. May not know files, lines or formats.

use std::borrow::Cow;
use std::ops::Range;

use engine::numbers::{NumberError, Price, Quantity, Volume};
use engine::time::Timestamp;

/// Digits that a price may have after the point.
const PLACES_MAX: usize = 9;
/// Digits that must be left of a price that is rounded to [`PLACES_MAX`]: then it moves by less than 0.001 %.
const DIGITS_MIN: usize = 6;
/// The most that is taken for a size on offer: no order is larger, so no order tells the difference.
const SIZE_MAX: &str = "999999999999999.999999999";
/// The last millisecond of the year 9999: what lies above is in another unit.
const MILLIS_MAX: i64 = 253_402_300_799_999;
/// From here on a time of an exchange's download is in microseconds: as milliseconds it would be in the year 5138.
const MICROS_MIN: i64 = 100_000_000_000_000;
/// From here on a receive time is in nanoseconds: in milliseconds or microseconds it would be far in the future.
const NANOS_MIN: i64 = 100_000_000_000_000_000;
/// Where a time is in seconds: as such it lies between 2001 and 5138, in milliseconds it would lie before 1974,
/// when nothing of ours was traded.
const SECONDS: Range<i64> = 1_000_000_000..100_000_000_000;
/// The largest exponent that is read, of either sign.
const EXPONENT_MAX: usize = 60;
/// How much of a refused value a message shows.
const SHOWN_MAX: usize = 40;

/// Why a text is not the number or the time that it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not a number, or out of its range.
    #[error(transparent)]
    Number(#[from] NumberError),
    /// Commas between digits.
    #[error("{text:?} has a comma; write it without, with a point before the fraction, like 1600.5")]
    Comma {
        /// What was read.
        text: String,
    },
    /// More digits after the point than prices have, which may be rounded away.
    #[error("{text:?} has more than {PLACES_MAX} digits after the point; round it to {PLACES_MAX}")]
    Places {
        /// What was read.
        text: String,
    },
    /// A price of which rounding would leave too little.
    #[error(
        "{text:?} is too small to be kept exactly in {PLACES_MAX} digits after the point, and rounding would change its \
         worth; count the coin in {unit}: trade a symbol such as {prefix}X/USDT, with prices times {prefix} and \
         volumes and sizes divided by {prefix}"
    )]
    TooSmall {
        /// What was read.
        text: String,
        /// The unit in words.
        unit: &'static str,
        /// The unit in digits.
        prefix: &'static str,
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
    /// A time in another unit or notation than the milliseconds that belong there.
    #[error("{text} is a time in {unit}; write ms: {millis}, and so in each row")]
    NotMillis {
        /// What was read.
        text: String,
        /// The unit or notation in words.
        unit: &'static str,
        /// The same time in ms.
        millis: i64,
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

    /// Why a text is no time in ms, or in another of `units`: most likely it is a time in yet another one.
    fn millis(text: &str, units: &'static str) -> Self {
        match other_unit(text) {
            Some((unit, millis)) => Self::NotMillis { text: shown(text), unit, millis },
            None => Self::time(text, units, "1700000000000"),
        }
    }
}

/// The part of `text` that a message may show.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(SHOWN_MAX).collect()
}

/// A price above 0 with at most 9 digits after the point, normalised. Zeros at its end do not count.
pub(crate) fn price(text: &str) -> Result<Price, ValueError> {
    let (cut, places) = without_zeros(text);
    if places <= PLACES_MAX
        && let Ok(price) = cut.parse::<Price>()
    {
        return Ok(price.normalised());
    }
    let plain = plain(text)?;
    let (cut, places) = without_zeros(&plain);
    if places > PLACES_MAX && !cut.starts_with('-') {
        return Err(too_many_places(text, cut));
    }
    match cut.parse::<Price>() {
        Ok(price) => Ok(price.normalised()),
        Err(shortened) => Err(plain.parse::<Price>().err().unwrap_or(shortened).into()),
    }
}

/// A price of a quote; none where the source writes 0: nobody is on that side.
pub(crate) fn quoted_price(text: &str) -> Result<Option<Price>, ValueError> {
    let zero = text.starts_with('0') && text.bytes().all(|b| matches!(b, b'0' | b'.'));
    if zero && plain(text).is_ok() { Ok(None) } else { price(text).map(Some) }
}

/// A size on offer, 0 or more. What an order cannot tell is dropped: digits past the ninth after the point, and
/// what lies above every order.
pub(crate) fn size(text: &str) -> Result<Quantity, ValueError> {
    let (cut, places) = without_zeros(text);
    if places <= PLACES_MAX
        && let Ok(size) = cut.parse::<Quantity>()
    {
        return Ok(size);
    }
    let plain = plain(text)?;
    if plain.starts_with('-') {
        return Ok(plain.parse::<Quantity>()?);
    }
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, "0"));
    let whole = whole.trim_start_matches('0');
    if whole.len() > 15 {
        return Ok(SIZE_MAX.parse()?);
    }
    Ok(format!("0{whole}.{}", &fraction[..fraction.len().min(PLACES_MAX)]).parse::<Quantity>()?)
}

/// What was traded, 0 or more, of any size and with any digits.
pub(crate) fn volume(text: &str) -> Result<Volume, ValueError> {
    match text.parse::<Volume>() {
        Ok(volume) => Ok(volume),
        Err(_) => Ok(plain(text)?.parse::<Volume>()?),
    }
}

/// A time in milliseconds.
pub(crate) fn millis(text: &str) -> Result<Timestamp, ValueError> {
    match integer(text) {
        Some(millis) if millis <= MILLIS_MAX => Ok(Timestamp::from_millis(millis)),
        _ => Err(ValueError::millis(text, "ms")),
    }
}

/// Refuses the first time of a file in milliseconds if it must be in seconds. Not each time: a file may count
/// from 0.
pub(crate) fn check_first_millis(time: Timestamp) -> Result<(), ValueError> {
    let seconds = time.millis();
    if SECONDS.contains(&seconds) { Err(ValueError::millis(&seconds.to_string(), "ms")) } else { Ok(()) }
}

/// Refuses a time in seconds below one in milliseconds.
pub(crate) fn check_later_millis(time: Timestamp, previous: Timestamp) -> Result<(), ValueError> {
    if previous.millis() >= SECONDS.end { check_first_millis(time) } else { Ok(()) }
}

/// A time in milliseconds or, told by its size, in microseconds, that came as a number.
pub(crate) fn checked_millis(time: i64) -> Result<Timestamp, ValueError> {
    let millis = if time < MICROS_MIN { time } else { time / 1_000 };
    if (0..=MILLIS_MAX).contains(&millis) {
        Ok(Timestamp::from_millis(millis))
    } else {
        Err(ValueError::millis(&time.to_string(), "ms"))
    }
}

/// A time in milliseconds or, told by its size, in microseconds; a part of a millisecond is dropped.
pub(crate) fn millis_or_micros(text: &str) -> Result<Timestamp, ValueError> {
    match integer(text) {
        Some(millis) if millis < MICROS_MIN => Ok(Timestamp::from_millis(millis)),
        Some(micros) if micros / 1_000 <= MILLIS_MAX => Ok(Timestamp::from_millis(micros / 1_000)),
        _ => Err(ValueError::millis(text, "ms or µs")),
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

/// A time in seconds, milliseconds or microseconds, told by its size; some exporters mix them in one file.
pub(crate) fn any_unit(text: &str) -> Result<Timestamp, ValueError> {
    let whole = text.split_once('.').filter(|(_, fraction)| fraction.bytes().all(|b| b == b'0'));
    let text = whole.map_or(text, |(whole, _)| whole);
    match integer(text) {
        Some(seconds) if seconds < SECONDS.end => Ok(Timestamp::from_millis(seconds * 1_000)),
        Some(_) => whole_millis_or_micros(text),
        None => Err(ValueError::millis(text, "s, ms or µs")),
    }
}

/// The last millisecond of a candle that [`any_unit`] opened: of a time in seconds, the last one of that second.
pub(crate) fn close_in_any_unit(text: &str) -> Result<Timestamp, ValueError> {
    match integer(text) {
        Some(seconds) if seconds < SECONDS.end => Ok(Timestamp::from_millis(seconds * 1_000 + 999)),
        _ => millis_or_micros(text),
    }
}

/// A time in nanoseconds, with the part below a millisecond dropped.
pub(crate) fn nanos(text: &str) -> Result<Timestamp, ValueError> {
    match integer(text) {
        Some(nanos) if nanos >= NANOS_MIN => Ok(Timestamp::from_millis(nanos / 1_000_000)),
        _ => Err(ValueError::time(text, "ns", "1700000000000000000")),
    }
}

/// The unit or notation of a time that is no whole number of milliseconds, told by its size, and the time in ms.
fn other_unit(text: &str) -> Option<(&'static str, i64)> {
    let plain = plain(text).ok()?;
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let value = integer(whole)?;
    let (unit, millis) = if SECONDS.contains(&value) {
        let thousandths = integer(&format!("{fraction:0<3}")[..3])?;
        ("seconds", value * 1_000 + thousandths)
    } else if value >= NANOS_MIN {
        ("ns", value / 1_000_000)
    } else if value >= MICROS_MIN {
        ("µs", value / 1_000)
    } else if value >= SECONDS.end {
        ("ms with a fraction", value)
    } else {
        return None;
    };
    // A program that shortens one number to this has done so with each: to convert them would bring nothing back.
    let unit = if text.contains(['e', 'E']) { "scientific notation, which loses digits" } else { unit };
    (millis <= MILLIS_MAX).then_some((unit, millis))
}

fn integer(text: &str) -> Option<i64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Cuts zeros at the end of a fraction, and counts the digits that are left in it: exchanges write 8 digits always,
/// and cutting text is cheaper than dividing.
fn without_zeros(text: &str) -> (&str, usize) {
    let bytes = text.as_bytes();
    let Some(point) = bytes.iter().position(|byte| *byte == b'.') else { return (text, 0) };
    let zeros = bytes.iter().rev().take_while(|byte| **byte == b'0').count();
    let end = text.len() - zeros;
    // Where only the point is left, it goes with its zeros; without any it stays, to be refused.
    if end == point + 1 && zeros > 0 { (&text[..point], 0) } else { (&text[..end], end - point - 1) }
}

/// The plain digits of a number, scientific notation written out: `6.21e-06` is exactly 0.00000621.
fn plain(text: &str) -> Result<Cow<'_, str>, ValueError> {
    let refuse = || {
        let text = shown(text);
        if text.contains(',') { ValueError::Comma { text } } else { NumberError::NotDecimal { text }.into() }
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, ""));
    let (sign, digits) = mantissa.strip_prefix('-').map_or(("", mantissa), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return Err(refuse());
    }
    if mantissa.len() == text.len() {
        return Ok(Cow::Borrowed(text));
    }
    let size = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let shift = if all_digits(size) { size.parse::<usize>().ok() } else { None };
    let Some(shift) = shift.filter(|shift| *shift <= EXPONENT_MAX) else { return Err(refuse()) };
    let zeros = "0".repeat(shift);
    // The point moves through the digits, with zeros around them for it to stay between two.
    let (digits, point) = if exponent.starts_with('-') {
        (format!("{zeros}{whole}{fraction}"), whole.len())
    } else {
        (format!("{whole}{fraction}{zeros}"), whole.len() + shift)
    };
    let (whole, fraction) = digits.split_at(point);
    let whole = whole.trim_start_matches('0');
    let (whole, fraction) =
        (if whole.is_empty() { "0" } else { whole }, if fraction.is_empty() { "0" } else { fraction });
    Ok(Cow::Owned(format!("{sign}{whole}.{fraction}")))
}

/// Why a price with too many digits is refused: `plain` is what it is, `text` how it was written.
fn too_many_places(text: &str, plain: &str) -> ValueError {
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    let zeros = fraction.len() - fraction.trim_start_matches('0').len();
    let text = shown(text);
    if whole.bytes().any(|b| b != b'0') || zeros + DIGITS_MIN <= PLACES_MAX {
        return ValueError::Places { text };
    }
    let (unit, prefix) = if zeros + DIGITS_MIN <= PLACES_MAX + 3 || fraction.len() <= PLACES_MAX + 3 {
        ("thousands", "1000")
    } else {
        ("millions", "1000000")
    };
    ValueError::TooSmall { text, unit, prefix }
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
            // Zeros at the end are no digits, however many.
            ("600.5000000000", "600.5"),
            ("12.0000000000000000000000000000", "12"),
            // As pandas and ccxt write small prices.
            ("6.21e-06", "0.00000621"),
            ("6.2100000E-06", "0.00000621"),
            ("1e-09", "0.000000001"),
            ("1E3", "1000"),
            ("1.5e+2", "150"),
            ("1.234567e4", "12345.67"),
            ("600e0", "600"),
        ];
        for (text, expected) in cases {
            assert_eq!(price(text).unwrap().to_string(), expected, "{text}");
            assert_eq!(size(text).unwrap().to_string(), expected, "{text}");
            assert_eq!(volume(text).unwrap().to_string(), expected, "{text}");
        }
        assert_eq!(size("0.00000000").unwrap().to_string(), "0");
    }

    #[test]
    fn a_bad_number_is_told_as_written() {
        let cases = [
            ("", "\"\" is not a plain decimal; write it like 600 or 0.25"),
            (".0", "\".0\" is not a plain decimal; write it like 600 or 0.25"),
            ("600.", "\"600.\" is not a plain decimal; write it like 600 or 0.25"),
            ("1.2.0", "\"1.2.0\" is not a plain decimal; write it like 600 or 0.25"),
            ("1e", "\"1e\" is not a plain decimal; write it like 600 or 0.25"),
            ("1e3.5", "\"1e3.5\" is not a plain decimal; write it like 600 or 0.25"),
            ("1e61", "\"1e61\" is not a plain decimal; write it like 600 or 0.25"),
            ("1,600.50", "\"1,600.50\" has a comma; write it without, with a point before the fraction, like 1600.5"),
            ("NaN", "\"NaN\" is not a plain decimal; write it like 600 or 0.25"),
            ("0.00", "0.00 is out of range for a price: above 0 and below 10^12"),
            ("-5", "-5 is out of range for a price: above 0 and below 10^12"),
            ("1.0000000001", "\"1.0000000001\" has more than 9 digits after the point; round it to 9"),
        ];
        for (text, expected) in cases {
            assert_eq!(price(text).unwrap_err().to_string(), expected);
        }
        assert_eq!(
            size("-0.5").unwrap_err().to_string(),
            "-0.5 is out of range for a quantity: 0 or more and below 10^15"
        );
    }

    #[test]
    fn a_price_that_rounding_would_change_is_not_to_be_rounded() {
        let round = |text: &str| format!("{text:?} has more than 9 digits after the point; round it to 9");
        let count = |text: &str, unit: &str, prefix: &str| {
            format!(
                "{text:?} is too small to be kept exactly in 9 digits after the point, and rounding would change its \
                 worth; count the coin in {unit}: trade a symbol such as {prefix}X/USDT, with prices times {prefix} \
                 and volumes and sizes divided by {prefix}"
            )
        };
        for (text, expected) in [
            ("600.1000000000001", round("600.1000000000001")),
            ("0.0005123456789", round("0.0005123456789")),
            ("0.0000000015", count("0.0000000015", "thousands", "1000")),
            ("1.5e-9", count("1.5e-9", "thousands", "1000")),
            ("0.0000000004", count("0.0000000004", "thousands", "1000")),
            ("0.00000000000012", count("0.00000000000012", "millions", "1000000")),
        ] {
            assert_eq!(price(text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_size_loses_only_what_no_order_can_tell() {
        for (text, expected) in [
            ("0.2570000000000001", "0.257"),
            ("0.0000000019", "0.000000001"),
            ("9e-10", "0"),
            ("1234567890123456.5", "999999999999999.999999999"),
            ("1e18", "999999999999999.999999999"),
        ] {
            assert_eq!(size(text).unwrap().to_string(), expected, "{text}");
        }
        assert!(size("").is_err() && size("x").is_err() && size("1e-99").is_err());
    }

    #[test]
    fn a_volume_has_any_size_and_any_digits() {
        for (text, expected) in [
            ("1234567890123456.00", "1234567890123456"),
            ("10.12345678901", "10.12345678901"),
            ("1.2e15", "1200000000000000"),
            ("12.0000000000", "12"),
        ] {
            assert_eq!(volume(text).unwrap().to_string(), expected, "{text}");
        }
        assert_eq!(volume("-3").unwrap_err().to_string(), "-3 is out of range for a volume: 0 or more and below 10^28");
    }

    #[test]
    fn a_quoted_price_of_zero_is_none() {
        for none in ["0", "0.00000000", "00"] {
            assert_eq!(quoted_price(none), Ok(None), "{none}");
        }
        assert_eq!(quoted_price("0.5").unwrap().unwrap().to_string(), "0.5");
        assert!(quoted_price("").is_err() && quoted_price("0.").is_err() && quoted_price("-0").is_err());
    }

    #[test]
    fn the_unit_of_a_time_is_told_by_its_size() {
        assert_eq!(millis("1700000000000").unwrap().millis(), 1_700_000_000_000);
        assert_eq!(millis_or_micros("1700000000000").unwrap().millis(), 1_700_000_000_000);
        assert_eq!(millis_or_micros("1735689659999999").unwrap().millis(), 1_735_689_659_999);
        assert_eq!(nanos("1723161254087896568").unwrap().millis(), 1_723_161_254_087);
        for bad in ["", "-1", "+1", "1.5", "1.5e3", "99999999999999999999"] {
            let expected = format!("{bad:?} is not a time in ms; write it like 1700000000000");
            assert_eq!(millis(bad).unwrap_err().to_string(), expected);
        }
        for (bad, unit, told) in [
            ("1700006400000000", "µs", "1700006400000"),
            ("1700006400000000000", "ns", "1700006400000"),
            ("1700006400.123", "seconds", "1700006400123"),
            ("1700006400.1234567", "seconds", "1700006400123"),
            ("1700006400.5", "seconds", "1700006400500"),
            ("1700006400000.0", "ms with a fraction", "1700006400000"),
            ("1.7E+12", "scientific notation, which loses digits", "1700000000000"),
            ("1.7e9", "scientific notation, which loses digits", "1700000000000"),
        ] {
            let expected = format!("{bad} is a time in {unit}; write ms: {told}, and so in each row");
            assert_eq!(millis(bad).unwrap_err().to_string(), expected);
            for read in [millis_or_micros, any_unit] {
                if let Err(error) = read(bad) {
                    assert_eq!(error.to_string(), expected);
                }
            }
        }
        assert!(millis_or_micros("1723161254087896568").is_err() && any_unit("1723161254087896568").is_err());
        assert!(nanos("1700000000000000").is_err());
        for text in ["1700000000", "1700000000.0", "1700000000000", "1700000000000000"] {
            assert_eq!(any_unit(text).unwrap().millis(), 1_700_000_000_000, "{text}");
        }
        assert!(any_unit("2020-01-01").is_err() && any_unit("1700000000.5").is_err());
        assert_eq!(checked_millis(1_700_000_000_000_999).unwrap().millis(), 1_700_000_000_000);
        for counted in [0, 999_999_999, 100_000_000_000, 1_700_000_000_000] {
            assert_eq!(check_first_millis(Timestamp::from_millis(counted)), Ok(()));
        }
        assert_eq!(
            check_first_millis(Timestamp::from_millis(1_700_000_000)).unwrap_err().to_string(),
            "1700000000 is a time in seconds; write ms: 1700000000000, and so in each row"
        );
        assert_eq!(whole_millis_or_micros("1735689600000000").unwrap().millis(), 1_735_689_600_000);
        assert!(whole_millis_or_micros("1735689600000001").is_err());
    }
}

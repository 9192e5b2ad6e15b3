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

/// The beginning of a text on one line, of at most so many letters.
pub(crate) fn shown_line(text: &str, letters: usize) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(letters).collect();
    line.trim().to_owned()
}

/// A price above 0 with at most 9 digits after the point, normalised. Zeros at its end do not count.
pub(crate) fn price(text: &str) -> Result<Price, ValueError> {
    match Price::of_bytes(text.as_bytes()) {
        Some(price) if price.places() as usize <= PLACES_MAX => Ok(price),
        Some(_) | None => longer_price(text),
    }
}

/// The same, of a text that is long, in scientific notation, or no price.
#[cold]
fn longer_price(text: &str) -> Result<Price, ValueError> {
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
    match Quantity::of_bytes(text.as_bytes()) {
        Some((size, places)) if places as usize <= PLACES_MAX => Ok(size),
        Some(_) | None => longer_size(text),
    }
}

/// The same, of a text that is long, in scientific notation, or no size.
#[cold]
fn longer_size(text: &str) -> Result<Quantity, ValueError> {
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
    match Volume::of_bytes(text.as_bytes()).map_or_else(|| text.parse::<Volume>(), Ok) {
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
mod tests;

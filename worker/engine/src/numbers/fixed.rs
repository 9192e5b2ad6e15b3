//! Integers of one fixed scale as text and as decimals. Rounds only where a text or a decimal has more places than the
//! scale, half to even, and says so.

use std::fmt;

use ethnum::I256;
use rust_decimal::Decimal;

/// Places of prices, quantities and money.
pub(super) const PLACES: u32 = 18;
/// One, in units of 10^-18.
pub(super) const ONE: i128 = 1_000_000_000_000_000_000;

/// Digits that are read at once: they fit 64 bits.
const SHORT: usize = 18;

/// The powers of ten that 128 bits hold.
const POWERS: [i128; 39] = {
    let mut powers = [1; 39];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// 10 to the power `exponent`, at most 38.
pub(super) const fn ten_to(exponent: u32) -> i128 {
    POWERS[exponent as usize]
}

/// A short plain decimal, which is nearly every one, as (units of 10^-18, places as written); `None` where it is
/// longer, or no decimal.
pub(super) fn read_short(text: &str) -> Option<(i128, u32)> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.len() > SHORT {
        return None;
    }
    let mut mantissa = 0_i64;
    let mut point = None;
    for (place, byte) in digits.iter().enumerate() {
        match byte {
            // So few digits never wrap.
            b'0'..=b'9' => mantissa = mantissa.wrapping_mul(10).wrapping_add(i64::from(byte - b'0')),
            b'.' if point.is_none() && place > 0 => point = Some(place),
            _ => return None,
        }
    }
    let places = match point {
        Some(point) if point + 1 == digits.len() => return None,
        Some(point) => u32::try_from(digits.len() - point - 1).ok()?,
        None if digits.is_empty() => return None,
        None => 0,
    };
    let units = i128::from(mantissa) * ten_to(PLACES - places);
    Some((if negative { -units } else { units }, places))
}

/// The powers of ten that 64 bits hold.
const SHORT_POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// A plain decimal without a sign, of at most 19 bytes, as market data write nearly every number: its digits without the
/// zeros at the end of its fraction, and how many of them stand after the point. `None` where it is longer, or no such
/// decimal.
pub(super) fn digits_of(text: &[u8]) -> Option<(u64, u32)> {
    if text.len() >= SHORT_POWERS.len() {
        return None;
    }
    let mut digits = 0_u64;
    let mut point = None;
    for (place, byte) in text.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            // So few digits never wrap.
            digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit));
        } else if *byte == b'.' && point.is_none() && place > 0 {
            point = Some(place);
        } else {
            return None;
        }
    }
    let Some(point) = point else { return (!text.is_empty()).then_some((digits, 0)) };
    let places = text.len() - point - 1;
    let zeros = text[point + 1..].iter().rev().take_while(|byte| **byte == b'0').count();
    // A point with nothing behind it is no decimal.
    let left = u32::try_from(places - zeros).ok().filter(|_| places > 0)?;
    Some((if zeros == 0 { digits } else { digits / SHORT_POWERS[zeros] }, left))
}

/// The same as units of 10^-18; `None` too where it has more places than that.
pub(super) fn units_of_digits(text: &[u8]) -> Option<(i128, u32)> {
    let (digits, places) = digits_of(text)?;
    let power = SHORT_POWERS.get(PLACES.checked_sub(places)? as usize)?;
    i128::try_from(u128::from(digits) * u128::from(*power)).ok().map(|units| (units, places))
}

/// A plain decimal of any length as (units of `10^-places`, places as written), where it is exact; `None` where it has
/// more places than that, zeros apart, or is no decimal. What is written here is read here, and a [`Decimal`] would not
/// hold all of it.
pub(super) fn read(text: &str, places: u32) -> Option<(i128, u32)> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, fraction) = match digits.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (digits, ""),
    };
    let most = usize::try_from(places).ok()?;
    let fraction = if fraction.len() > most { fraction.trim_end_matches('0') } else { fraction };
    if whole.is_empty() || fraction.len() > most {
        return None;
    }
    let mut mantissa = 0_i128;
    for byte in whole.bytes().chain(fraction.bytes()) {
        let digit = byte.is_ascii_digit().then(|| i128::from(byte - b'0'))?;
        mantissa = mantissa.checked_mul(10)?.checked_add(digit)?;
    }
    let written = u32::try_from(fraction.len()).ok()?;
    let units = mantissa.checked_mul(ten_to(places - written))?;
    Some((if negative { -units } else { units }, written))
}

/// `value` in units of `10^-places`, and whether that is exact; rounded half to even where it is not. `value` is
/// below 10^15 in size.
pub(super) fn units_of(value: Decimal, places: u32) -> (i128, bool) {
    let (mantissa, scale) = (value.mantissa(), value.scale());
    let Some(over) = scale.checked_sub(places) else { return (mantissa * ten_to(places - scale), true) };
    half_even(mantissa, ten_to(over))
}

/// The decimal of `units × 10^-places`, without trailing zeros. Where its 28 digits do not hold all, the last ones are
/// rounded half to even: it is for showing.
pub(super) fn decimal_of(units: i128, places: u32) -> Decimal {
    let (units, places) = stripped(units, places, 0);
    // A number of these types is below 10^15, so its last places are gone before its first digits are.
    let rounded = (0..=places).find_map(|over| {
        let units = half_even(units, ten_to(over)).0;
        Decimal::try_from_i128_with_scale(units, places - over).ok()
    });
    rounded.unwrap_or_default()
}

/// `units / divisor`, rounded half to even, and whether that is exact.
fn half_even(units: i128, divisor: i128) -> (i128, bool) {
    let (quotient, rest) = (units / divisor, (units % divisor).abs());
    let up = rest != 0
        && match rest.cmp(&(divisor - rest)) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => quotient % 2 != 0,
            std::cmp::Ordering::Greater => true,
        };
    (if up { quotient + units.signum() } else { quotient }, rest == 0)
}

/// Without trailing zeros after the point, down to `least` places.
pub(super) fn stripped(units: i128, places: u32, least: u32) -> (i128, u32) {
    let (mut rest, mut room, mut gone) = (units.unsigned_abs(), places.saturating_sub(least), 0);
    while rest != 0 && room >= PART_DIGITS && rest.is_multiple_of(PART) {
        (rest, room, gone) = (rest / PART, room - PART_DIGITS, gone + PART_DIGITS);
    }
    gone += without_zeros(low_part(rest), room).1;
    (units / ten_to(gone), places - gone)
}

/// Digits without the zeros at their end, at most `room` of them, and how many these were. Nothing is all zeros.
fn without_zeros(mut digits: u64, room: u32) -> (u64, u32) {
    if digits == 0 {
        return (0, room);
    }
    // What ten divides, two divides.
    let (most, mut gone) = (room.min(digits.trailing_zeros()), 0);
    for (zeros, power) in [(16, 10_000_000_000_000_000), (8, 100_000_000), (4, 10_000), (2, 100), (1, 10)] {
        if gone + zeros <= most && digits.is_multiple_of(power) {
            (digits, gone) = (digits / power, gone + zeros);
        }
    }
    (digits, gone)
}

/// The text of a number, made without an allocation.
pub(super) struct Text {
    /// The digits stand at the end, a minus before them in any case.
    bytes: [u8; Self::SIZE],
    start: usize,
    negative: bool,
}

impl Text {
    const SIZE: usize = 48;

    /// `units × 10^-places` with at least `least` digits after the point, and no more zeros than that.
    pub fn of(units: i128, places: u32, least: u32) -> Self {
        // Two parts that fit 64 bits: a division in 128 bits for each digit would be slow.
        let all = units.unsigned_abs();
        let (low, mut high) = match u64::try_from(all) {
            Ok(small) => (small, 0),
            Err(_) => (low_part(all), low_part(all / PART)),
        };
        let room = places.saturating_sub(least);
        let (part, gone) = if low == 0 && high > 0 && room >= PART_DIGITS {
            let (part, gone) = without_zeros(std::mem::take(&mut high), room - PART_DIGITS);
            (part, gone + PART_DIGITS)
        } else {
            without_zeros(low, room)
        };
        let mut bytes = [b'0'; Self::SIZE];
        let mut start = put(&mut bytes, Self::SIZE, part);
        if high > 0 {
            start = put(&mut bytes, Self::SIZE - (PART_DIGITS - gone) as usize, high);
        }
        let point = Self::SIZE - (places - gone) as usize;
        // Before the point stands a digit in any case.
        start = start.min(point - 1);
        if point < Self::SIZE {
            bytes.copy_within(start..point, start - 1);
            start -= 1;
            bytes[point - 1] = b'.';
        }
        bytes[start - 1] = b'-';
        Self { bytes, start, negative: units < 0 }
    }

    fn digits(&self) -> &str {
        std::str::from_utf8(&self.bytes[self.start..]).unwrap_or_default()
    }

    /// With its sign where it is negative.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[self.start - usize::from(self.negative)..]).unwrap_or_default()
    }
}

/// Two digits each: a number is written in half as many steps.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let (mut place, mut digits) = (0, [b'0'; 2]);
    while place < pairs.len() {
        pairs[place] = digits;
        place += 1;
        digits = if digits[1] == b'9' { [digits[0] + 1, b'0'] } else { [digits[0], digits[1] + 1] };
    }
    pairs
};

/// Writes digits so that they end before `end`, nothing for 0. Gives where they start.
fn put(bytes: &mut [u8; Text::SIZE], mut end: usize, mut digits: u64) -> usize {
    while digits >= 10 {
        let pair = PAIRS[usize::try_from(digits % 100).unwrap_or_default()];
        (digits, end) = (digits / 100, end - 2);
        (bytes[end], bytes[end + 1]) = (pair[0], pair[1]);
    }
    if digits > 0 {
        end -= 1;
        bytes[end] = b'0' + u8::try_from(digits).unwrap_or_default();
    }
    end
}

/// Writes `units × 10^-places` with at least `least` digits after the point, and no more zeros than that.
pub(super) fn write(f: &mut fmt::Formatter<'_>, units: i128, places: u32, least: u32) -> fmt::Result {
    if f.precision().is_some() {
        return fmt::Display::fmt(&decimal_of(units, places), f);
    }
    f.pad_integral(units >= 0, "", Text::of(units, places, least).digits())
}

/// 10^18: all numbers are below its square.
const PART: u128 = ONE.unsigned_abs();
const PART_DIGITS: u32 = 18;

fn low_part(digits: u128) -> u64 {
    u64::try_from(digits % PART).unwrap_or_default()
}

/// A number of any size in the same form, for messages about what is out of range.
pub(super) fn text(units: I256, places: u32) -> String {
    let digits = units.unsigned_abs().to_string();
    let width = places as usize + 1;
    let digits = format!("{digits:0>width$}");
    let (whole, fraction) = digits.split_at(digits.len() - places as usize);
    let fraction = fraction.trim_end_matches('0');
    let sign = if units < I256::ZERO { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::numbers::{Price, Quantity, Volume};

    /// Decimals as data write them, and what nearly is one.
    fn near_decimals() -> impl Strategy<Value = String> {
        prop_oneof![
            "[0-9]{0,12}\\.[0-9]{0,9}0{0,4}",
            "[0-9]{0,21}",
            "[-+]?[0-9.eE_ ]{0,8}",
            "0{0,3}[0-9]{1,3}\\.[0-9]{0,20}"
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        /// What is read from bytes is what is read from a text, or nothing.
        #[test]
        fn bytes_are_read_as_texts_are(text in near_decimals()) {
            if let Some(price) = Price::of_bytes(text.as_bytes()) {
                let expected = text.parse::<Price>().unwrap().normalised();
                prop_assert_eq!((price, price.places()), (expected, expected.places()));
            }
            if let Some((quantity, places)) = Quantity::of_bytes(text.as_bytes()) {
                prop_assert_eq!(quantity, text.parse::<Quantity>().unwrap());
                prop_assert_eq!(places, quantity.get().scale());
            }
            if let Some(volume) = Volume::of_bytes(text.as_bytes()) {
                let expected = text.parse::<Volume>().unwrap();
                prop_assert_eq!((volume, volume.to_string()), (expected, expected.to_string()));
            }
        }
    }

    #[test]
    fn nearly_every_number_of_data_is_read_from_bytes() {
        for text in ["0", "600", "61837.63000000", "0.00000001", "999999999.999999999", "007.50"] {
            assert!(digits_of(text.as_bytes()).is_some(), "{text}");
        }
        for text in ["", ".", ".5", "5.", "1.2.3", "-1", "+1", "1e5", " 1", "1_0", "12345678901234567890"] {
            assert_eq!(digits_of(text.as_bytes()), None, "{text}");
        }
        assert_eq!(digits_of(b"61837.63000000"), Some((6_183_763, 2)));
        assert_eq!(digits_of(b"600.000"), Some((600, 0)));
    }

    /// The same, digit by digit.
    fn plainly(units: i128, places: u32, least: u32) -> String {
        let mut plain = text(I256::from(units), places);
        let shown = plain.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let wanted = usize::try_from(least).unwrap();
        if shown == 0 && wanted > 0 {
            plain.push('.');
        }
        plain.extend(std::iter::repeat_n('0', wanted.saturating_sub(shown)));
        plain
    }

    #[test]
    fn a_number_of_any_size_is_written_digit_by_digit() {
        let digits = [0, 1, 7, 10, 101, 9_000_000_000, 123_456_789_012_345_678, 999_999_999_999_999_999, ONE, ONE + 1];
        for places in [18, 20] {
            for least in [0, 1, 2, 9, 17, 18] {
                for (first, zeros) in digits.iter().flat_map(|first| (0..18).map(move |zeros| (first, zeros))) {
                    for second in digits {
                        let Some(high) = first.checked_mul(ten_to(zeros)).filter(|high| *high < ten_to(15)) else {
                            continue;
                        };
                        let size = high * ONE + second % ONE;
                        for units in [size, -size] {
                            let written = Text::of(units, places, least);
                            assert_eq!(written.as_str(), plainly(units, places, least), "{units} {places} {least}");
                            let (rest, after) = stripped(units, places, least);
                            assert_eq!(rest * ten_to(places - after), units);
                            let is_short = after == least || rest % 10 != 0;
                            assert!(is_short && after >= least, "{units} {places} {least}: {rest} {after}");
                        }
                    }
                }
            }
        }
        assert_eq!(Text::of(i128::from(u64::MAX), 18, 0).as_str(), "18.446744073709551615");
        assert_eq!(Text::of(10 * ONE, 18, 2).as_str(), "10.00");
    }
}

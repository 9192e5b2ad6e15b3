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
pub(super) fn stripped(mut units: i128, mut places: u32, least: u32) -> (i128, u32) {
    if units == 0 {
        return (0, least);
    }
    for step in [8, 4, 2, 1] {
        while places >= least + step && units % ten_to(step) == 0 {
            (units, places) = (units / ten_to(step), places - step);
        }
    }
    (units, places)
}

/// Writes `units × 10^-places` with at least `least` digits after the point, and no more zeros than that.
pub(super) fn write(f: &mut fmt::Formatter<'_>, units: i128, places: u32, least: u32) -> fmt::Result {
    if f.precision().is_some() {
        return fmt::Display::fmt(&decimal_of(units, places), f);
    }
    let (shown, after) = stripped(units, places, least);
    // Two parts that fit 64 bits: a division in 128 bits for each digit would be slow.
    let all = shown.unsigned_abs();
    let (mut part, high) = match u64::try_from(all) {
        Ok(small) => (small, 0),
        Err(_) => (low_part(all), low_part(all / PART)),
    };
    let mut text = [0_u8; 48];
    let (mut start, mut written) = (text.len(), 0);
    while part > 0 || (high > 0 && written <= PART_DIGITS) || written <= after {
        if high > 0 && written == PART_DIGITS {
            part = high;
        }
        if written == after && after > 0 {
            start -= 1;
            text[start] = b'.';
        }
        start -= 1;
        text[start] = b'0' + u8::try_from(part % 10).unwrap_or_default();
        part /= 10;
        written += 1;
    }
    let text = std::str::from_utf8(&text[start..]).map_err(|_| fmt::Error)?;
    f.pad_integral(units >= 0, "", text)
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

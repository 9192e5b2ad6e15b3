//! Exact arithmetic on decimals through 256-bit integers. May round only where the name says so.

use std::cmp::Ordering;

use ethnum::I256;
use rust_decimal::Decimal;

use super::NumberError;

/// The largest scale a [`Decimal`] can carry.
const SCALE_MAX: u32 = 28;

/// Reads a plain decimal: digits, at most one point, a leading minus. No exponent, no plus, no spaces.
pub(crate) fn parse(text: &str) -> Result<Decimal, NumberError> {
    let refuse = || NumberError::NotDecimal { text: text.chars().take(40).collect() };
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return Err(refuse());
    }
    Decimal::from_str_exact(text).map_err(|_| refuse())
}

/// `value` without trailing zeros after the point, and without a negative zero.
pub(crate) fn normalised(value: Decimal) -> Decimal {
    value.normalize()
}

/// The exact product, or `None` if it needs more than 28 digits.
pub(crate) fn product(a: Decimal, b: Decimal) -> Option<Decimal> {
    let scale = a.scale() + b.scale();
    if let Some(mantissa) = a.mantissa().checked_mul(b.mantissa()) {
        return decimal(I256::from(mantissa), scale);
    }
    decimal(I256::from(a.mantissa()) * I256::from(b.mantissa()), scale)
}

/// The exact sum, or `None` if it needs more than 28 digits.
pub(crate) fn sum(a: Decimal, b: Decimal) -> Option<Decimal> {
    let scale = a.scale().max(b.scale());
    decimal(at_scale(a, scale) + at_scale(b, scale), scale)
}

/// Compares `x` with the exact product `a × b`.
pub(crate) fn compare_with_product(x: Decimal, a: Decimal, b: Decimal) -> Ordering {
    let product = I256::from(a.mantissa()) * I256::from(b.mantissa());
    let scale = a.scale() + b.scale();
    // Both sides are brought to the larger scale; x has at most 96 bits and 10^56 has 186, so when the
    // difference is too wide to multiply, the comparison is made by dividing the other side instead.
    if scale >= x.scale() {
        match I256::from(x.mantissa()).checked_mul(ten_to(scale - x.scale())) {
            Some(left) => left.cmp(&product),
            None => x.cmp(&Decimal::ZERO),
        }
    } else {
        match product.checked_mul(ten_to(x.scale() - scale)) {
            Some(right) => I256::from(x.mantissa()).cmp(&right),
            None => I256::ZERO.cmp(&product),
        }
    }
}

/// `a × b / c`, rounded half to even at `places` digits. `None` if `c` is zero or the result is too long.
pub(crate) fn multiply_divide_half_even(a: Decimal, b: Decimal, c: Decimal, places: u32) -> Option<Decimal> {
    let (numerator, denominator) = fraction(a, b, c, places)?;
    let quotient = numerator.div_euclid(denominator);
    let twice_rest = numerator.rem_euclid(denominator).checked_mul(I256::from(2))?;
    let up = match twice_rest.cmp(&denominator) {
        Ordering::Less => false,
        Ordering::Greater => true,
        Ordering::Equal => quotient.rem_euclid(I256::from(2)) == I256::ONE,
    };
    decimal(if up { quotient + I256::ONE } else { quotient }, places)
}

/// The largest multiple of `step` that is not above `a × b / c`. All arguments positive.
pub(crate) fn multiply_divide_floor(a: Decimal, b: Decimal, c: Decimal, step: Decimal) -> Option<Decimal> {
    let (numerator, denominator) = fraction(a, b, product(c, step)?, 0)?;
    let steps = numerator.div_euclid(denominator);
    product(decimal(steps, 0)?, step)
}

/// `a × b / c × 10^places` as a fraction of integers with a positive denominator.
fn fraction(a: Decimal, b: Decimal, c: Decimal, places: u32) -> Option<(I256, I256)> {
    if c.is_zero() {
        return None;
    }
    let mut numerator = I256::from(a.mantissa()) * I256::from(b.mantissa());
    let mut denominator = I256::from(c.mantissa());
    let numerator_scale = a.scale() + b.scale();
    let denominator_scale = c.scale() + places;
    if denominator_scale >= numerator_scale {
        numerator = numerator.checked_mul(ten_to(denominator_scale - numerator_scale))?;
    } else {
        denominator = denominator.checked_mul(ten_to(numerator_scale - denominator_scale))?;
    }
    if denominator < I256::ZERO {
        (numerator, denominator) = (-numerator, -denominator);
    }
    Some((numerator, denominator))
}

/// 10 to the power `exponent`, which is at most 84 here and so below 2^255 only up to 76.
fn ten_to(exponent: u32) -> I256 {
    I256::from(10).checked_pow(exponent.min(76)).unwrap_or(I256::MAX)
}

fn at_scale(value: Decimal, scale: u32) -> I256 {
    I256::from(value.mantissa()) * ten_to(scale - value.scale())
}

/// Makes a decimal of an integer mantissa, dropping only zeros to make it fit.
fn decimal(mut mantissa: I256, mut scale: u32) -> Option<Decimal> {
    let ten = I256::from(10);
    loop {
        if scale <= SCALE_MAX
            && let Ok(small) = i128::try_from(mantissa)
            && let Ok(value) = Decimal::try_from_i128_with_scale(small, scale)
        {
            return Some(value);
        }
        if scale == 0 || mantissa % ten != I256::ZERO {
            return None;
        }
        mantissa /= ten;
        scale -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        parse(text).unwrap()
    }

    #[test]
    fn reads_plain_decimals_only() {
        for good in ["0", "600", "-1.5", "0.000000001", "010"] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-", ".5", "5.", "1e3", "+1", " 1", "1_000", "0x10", "1.2.3", "NaN"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_product_that_does_not_fit_is_refused_not_rounded() {
        assert_eq!(product(d("0.000000001"), d("0.000000001")), Some(d("0.000000000000000001")));
        let long = d("1.234567890123456789");
        assert_eq!(product(long, long), None);
        assert_eq!(product(d("1.5000000000000000000000000000"), d("2")), Some(d("3")));
    }

    #[test]
    fn a_sum_is_exact_or_refused() {
        assert_eq!(sum(d("0.1"), d("0.02")), Some(d("0.12")));
        assert_eq!(sum(d("9999999999999999999999999999"), d("0.0000000000000000000000000001")), None);
    }

    #[test]
    fn half_even_rounds_ties_to_the_even_digit() {
        let cases = [
            ("1", "1", "8", 2, "0.12"),
            ("3", "1", "8", 2, "0.38"),
            ("-1", "1", "8", 2, "-0.12"),
            ("2", "1", "3", 8, "0.66666667"),
        ];
        for (a, b, c, places, expected) in cases {
            assert_eq!(multiply_divide_half_even(d(a), d(b), d(c), places), Some(d(expected)), "{a} x {b} / {c}");
        }
        assert_eq!(multiply_divide_half_even(d("1"), d("1"), d("0"), 8), None);
    }

    #[test]
    fn division_keeps_every_digit_past_128_bits() {
        let cost = d("12345678901234567.12345678");
        let quantity = d("987654321.987654321");
        assert_eq!(multiply_divide_half_even(cost, quantity, quantity, 8), Some(cost));
    }

    #[test]
    fn floor_gives_a_multiple_of_the_step() {
        assert_eq!(multiply_divide_floor(d("6062.5"), d("0.1"), d("612.50"), d("0.001")), Some(d("0.989")));
        assert_eq!(multiply_divide_floor(d("1"), d("1"), d("3"), d("0.5")), Some(d("0.0")));
    }

    #[test]
    fn comparison_with_a_product_is_exact() {
        assert_eq!(compare_with_product(d("612.54"), d("615"), d("0.996")), Ordering::Equal);
        assert_eq!(compare_with_product(d("612.540000000000000001"), d("615"), d("0.996")), Ordering::Greater);
        assert_eq!(compare_with_product(d("612.53"), d("615"), d("0.996")), Ordering::Less);
    }
}

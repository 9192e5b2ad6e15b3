//! Decimals as manifests and messages hold them: read exactly, multiplied exactly. May not round.

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

/// The exact product, or `None` if it needs more than 28 digits.
pub(crate) fn product(a: Decimal, b: Decimal) -> Option<Decimal> {
    let scale = a.scale() + b.scale();
    if let Some(mantissa) = a.mantissa().checked_mul(b.mantissa()) {
        return decimal(I256::from(mantissa), scale);
    }
    decimal(I256::from(a.mantissa()) * I256::from(b.mantissa()), scale)
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
}

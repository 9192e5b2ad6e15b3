//! Products and quotients of the integers behind the numbers, in 256 bits where 128 do not hold them. Rounds only where
//! the name says so; what cannot be divided gives `None`.

use std::cmp::Ordering;

use ethnum::{I256, U256};

/// `a × b / (c × d)` rounded half to even. `None` where the divisor is zero.
pub(super) fn half_even(a: i128, b: i128, c: i128, d: i128) -> Option<I256> {
    let (negative, fraction) = Fraction::of(a, b, c, d)?;
    let (quotient, up) = match fraction {
        Fraction::Narrow(numerator, denominator) => {
            let quotient = numerator / denominator;
            let rest = numerator - quotient * denominator;
            // Twice the rest may not fit; what the rest lacks to the divisor always does.
            let order = rest.cmp(&(denominator - rest));
            (U256::from(quotient), rounds_up(order, quotient % 2 == 1))
        }
        Fraction::Wide(numerator, denominator) => {
            let (quotient, rest) = divide(numerator, denominator);
            let order = rest.cmp(&(denominator - rest));
            (quotient, rounds_up(order, quotient.low() % 2 == 1))
        }
    };
    Some(signed(negative, if up { quotient + U256::ONE } else { quotient }))
}

/// The largest whole number that is not above `a × b / (c × d)`, of which none is negative. `None` where the divisor is
/// zero.
pub(super) fn floor(a: i128, b: i128, c: i128, d: i128) -> Option<I256> {
    let (_, fraction) = Fraction::of(a, b, c, d)?;
    Some(signed(false, fraction.whole().0))
}

/// The least whole number that is not below `a × b / (c × d)`, of which none is negative. `None` where the divisor is
/// zero.
pub(super) fn ceiling(a: i128, b: i128, c: i128, d: i128) -> Option<I256> {
    let (_, fraction) = Fraction::of(a, b, c, d)?;
    let (quotient, is_whole) = fraction.whole();
    Some(signed(false, if is_whole { quotient } else { quotient + U256::ONE }))
}

/// Compares `a × b` with `c × d`.
pub(super) fn compare(a: i128, b: i128, c: i128, d: i128) -> Ordering {
    match (a.checked_mul(b), c.checked_mul(d)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(_) | None, Some(_) | None) if a >= 0 && b >= 0 && c >= 0 && d >= 0 => {
            let [a, b, c, d] = [a, b, c, d].map(i128::unsigned_abs);
            multiply(a, b).cmp(&multiply(c, d))
        }
        (Some(_) | None, Some(_) | None) => (I256::from(a) * I256::from(b)).cmp(&(I256::from(c) * I256::from(d))),
    }
}

const fn rounds_up(rest: Ordering, is_odd: bool) -> bool {
    match rest {
        Ordering::Less => false,
        Ordering::Equal => is_odd,
        Ordering::Greater => true,
    }
}

fn signed(negative: bool, magnitude: U256) -> I256 {
    let value = magnitude.as_i256();
    if negative { -value } else { value }
}

/// A fraction of magnitudes, in as many bits as it needs.
enum Fraction {
    Narrow(u128, u128),
    Wide(U256, U256),
}

impl Fraction {
    /// `a × b / (c × d)`, and whether it is negative.
    fn of(a: i128, b: i128, c: i128, d: i128) -> Option<(bool, Self)> {
        if c == 0 || d == 0 {
            return None;
        }
        let negative = (a < 0) ^ (b < 0) ^ (c < 0) ^ (d < 0);
        let [a, b, c, d] = [a, b, c, d].map(i128::unsigned_abs);
        let fraction = match (a.checked_mul(b), c.checked_mul(d)) {
            (Some(numerator), Some(denominator)) => Self::Narrow(numerator, denominator),
            (Some(_) | None, Some(_) | None) => Self::Wide(multiply(a, b), multiply(c, d)),
        };
        Some((negative, fraction))
    }

    /// The quotient without its fraction, and whether it has none.
    fn whole(&self) -> (U256, bool) {
        match *self {
            Self::Narrow(numerator, denominator) => {
                let quotient = numerator / denominator;
                (U256::from(quotient), quotient * denominator == numerator)
            }
            Self::Wide(numerator, denominator) => {
                let (quotient, rest) = divide(numerator, denominator);
                (quotient, rest == U256::ZERO)
            }
        }
    }
}

/// The low 64 bits.
const LOW: u128 = u64::MAX as u128;

/// The product, which fits 256 bits whatever the factors are.
fn multiply(a: u128, b: u128) -> U256 {
    let ([a_high, a_low], [b_high, b_low]) = ([a >> 64, a & LOW], [b >> 64, b & LOW]);
    let (middle, carried) = (a_high * b_low).overflowing_add(a_low * b_high);
    let (low, over) = (a_low * b_low).overflowing_add(middle << 64);
    let high = a_high * b_high + (middle >> 64) + (u128::from(carried) << 64) + u128::from(over);
    U256::from_words(high, low)
}

/// Quotient and rest.
fn divide(numerator: U256, denominator: U256) -> (U256, U256) {
    if let (0, Ok(short)) = (*denominator.high(), u64::try_from(*denominator.low())) {
        let (quotient, rest) = divide_short(numerator, short);
        return (quotient, U256::from(rest));
    }
    let quotient = numerator / denominator;
    (quotient, numerator - quotient * denominator)
}

/// Quotient and rest of a division by at most 64 bits, one digit of 64 bits after the other: most of what is divided is
/// a product of two numbers of 18 places, by 10^18.
fn divide_short(numerator: U256, denominator: u64) -> (U256, u64) {
    let denominator = u128::from(denominator);
    let mut rest = 0_u128;
    let mut digit = |value: u128| {
        let part = (rest << 64) | value;
        if part < denominator {
            rest = part;
            return 0;
        }
        // The rest is below the divisor, so the quotient of one digit fits 64 bits.
        let quotient = part / denominator;
        rest = part - quotient * denominator;
        quotient
    };
    let (high, low) = (*numerator.high(), *numerator.low());
    let quotient_high = (digit(high >> 64) << 64) | digit(high & LOW);
    let quotient_low = (digit(low >> 64) << 64) | digit(low & LOW);
    (U256::from_words(quotient_high, quotient_low), u64::try_from(rest).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_even_rounds_ties_to_the_even_digit_on_both_sides_of_zero() {
        let cases = [(5, 10, 0), (15, 10, 2), (25, 10, 2), (-5, 10, 0), (-15, 10, -2), (16, 10, 2), (14, 10, 1)];
        for (numerator, denominator, expected) in cases {
            assert_eq!(half_even(numerator, 1, denominator, 1), Some(I256::from(expected)), "{numerator}");
            // The same in 256 bits: the parts are too long for 128.
            let long = 10_i128.pow(30);
            assert_eq!(half_even(numerator * long, long, denominator * long, long), Some(I256::from(expected)));
        }
        assert_eq!(half_even(1, 1, 0, 1), None);
    }

    #[test]
    fn floor_and_ceiling_differ_only_where_there_is_a_rest() {
        let long = 10_i128.pow(30);
        for scale in [1, long] {
            assert_eq!(floor(7 * scale, scale, 2 * scale, scale), Some(I256::from(3)));
            assert_eq!(ceiling(7 * scale, scale, 2 * scale, scale), Some(I256::from(4)));
            assert_eq!(ceiling(8 * scale, scale, 2 * scale, scale), Some(I256::from(4)));
        }
    }

    #[test]
    fn a_product_of_any_factors_is_that_of_256_bits() {
        let parts = [0, 1, 2, LOW - 1, LOW, LOW + 1, 10_u128.pow(38), u128::MAX - 1, u128::MAX];
        for a in parts {
            for b in parts {
                assert_eq!(multiply(a, b), U256::from(a) * U256::from(b), "{a} x {b}");
            }
        }
    }

    #[test]
    fn a_short_division_is_the_long_one() {
        let numerator = U256::MAX / U256::from(3_u8) - U256::from(12_345_u32);
        for denominator in [1, 2, 3, 10_u64.pow(18), u64::MAX] {
            let (quotient, rest) = divide_short(numerator, denominator);
            assert_eq!(quotient, numerator / U256::from(denominator));
            assert_eq!(U256::from(rest), numerator % U256::from(denominator));
        }
    }
}

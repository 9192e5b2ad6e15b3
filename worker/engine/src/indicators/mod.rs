//! Figures of a market that have no exact value: the only place of the engine with floats. All are 64-bit, and logarithms
//! and roots are those of one portable library, so that they are the same to the last bit on each machine. What comes of
//! them is rounded to a decimal here before it can touch an order.

#![allow(clippy::float_arithmetic, reason = "logarithms and roots have no exact value; money never comes here")]

mod volatility;

use std::fmt::Display;

use crate::numbers::ExactDecimal;

pub use volatility::{YEAR_OF_4H, hybrid};

/// The nearest float of a number that is exact.
pub fn float(number: impl Display) -> f64 {
    // The text of a number is always one of a float.
    number.to_string().parse().unwrap_or_default()
}

/// The mean; of none 0.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / float(values.len()) }
}

/// `base + slope × (value − centre)`.
pub fn linear(base: f64, slope: f64, value: f64, centre: f64) -> f64 {
    base + slope * (value - centre)
}

/// Rounded half to even to so many digits after the point, exactly; `None` where that is no decimal of a manifest, such as
/// what is negative.
pub fn rounded(value: f64, places: usize) -> Option<ExactDecimal> {
    // The text of a float with so many digits is its exact value rounded half to even.
    let text = format!("{value:.places$}");
    let text =
        text.strip_prefix('-').filter(|rest| !rest.contains(|digit| ('1'..='9').contains(&digit))).unwrap_or(&text);
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_half_to_even_of_the_exact_value() {
        for (value, places, expected) in [
            (2.125, 2, Some("2.12")),
            (2.375, 2, Some("2.38")),
            (0.5, 0, Some("0")),
            (1.5, 0, Some("2")),
            // The nearest float lies below 2.675, and above 1.115.
            (2.675, 2, Some("2.67")),
            (1.115, 2, Some("1.11")),
            (4.0, 2, Some("4.00")),
            (-0.001, 2, Some("0.00")),
            (-0.006, 2, None),
            (f64::NAN, 2, None),
            (f64::INFINITY, 2, None),
        ] {
            let shown = rounded(value, places).map(|decimal| decimal.to_string());
            assert_eq!(shown.as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn the_nearest_float_is_taken() {
        assert_eq!(float("0.1").to_bits(), 0.1_f64.to_bits());
        assert_eq!(float("9999999999999999999999999999").to_bits(), 1e28_f64.to_bits());
        assert_eq!(mean(&[]).to_bits(), 0.0_f64.to_bits());
        assert_eq!(mean(&[1.0, 2.0, 6.0]).to_bits(), 3.0_f64.to_bits());
    }
}

//! The prices of the levels, each the exact number of its formula rounded by itself half to even. May not use a float.
//!
//! A level of a geometric ladder is a root: `x = lower^(1−i/n) × upper^(i/n)`, counted in ticks. With `x^n` as a fraction of
//! whole numbers, the largest whole `h` with `h^n ≤ (2x)^n` is `⌊2x⌋`. An even `h` rounds to `h/2`; an odd one lies at or
//! above a half, and at it exactly where `h^n = (2x)^n`. So each rounding is decided by whole numbers alone.
#![allow(clippy::arithmetic_side_effects, reason = "whole numbers without bound; what is bounded is checked")]

use num_bigint::BigUint;
use rust_decimal::Decimal;

use super::parameters::{LadderParameters, Spacing};
use crate::numbers::Price;

/// Digits after the point of what the formula is made from: those of any price.
const PLACES: u32 = 18;

/// All that levels follow from.
#[derive(Debug, Clone)]
pub(super) struct Formula {
    lower: BigUint,
    upper: BigUint,
    /// In the same unit as the bounds.
    tick: BigUint,
    tick_size: Price,
    levels: u32,
    spacing: Spacing,
}

impl Formula {
    /// `None` where the bounds are none: not above 0, or not in their order.
    pub fn of(parameters: &LadderParameters, tick_size: Price) -> Option<Self> {
        let lower = units(parameters.lower_price.get())?;
        let upper = units(parameters.upper_price.get())?;
        let tick = units(tick_size.get())?;
        if lower == 0 || upper <= lower || tick == 0 || parameters.levels == 0 {
            return None;
        }
        // Short numbers have short powers.
        let shared = gcd(gcd(lower, upper), tick);
        let short = |value: u128| BigUint::from(value / shared);
        let (levels, spacing) = (parameters.levels, parameters.spacing);
        Some(Self { lower: short(lower), upper: short(upper), tick: short(tick), tick_size, levels, spacing })
    }

    /// The price of level `i`, which may lie above the bounds; `None` where that is no price.
    pub fn level(&self, i: u32) -> Option<Price> {
        let ticks = match self.spacing {
            Spacing::Arithmetic => self.arithmetic(i),
            Spacing::Geometric => self.geometric(i)?,
        };
        let ticks = Decimal::try_from_i128_with_scale(i128::try_from(ticks).ok()?, 0).ok()?;
        let price = ticks.checked_mul(self.tick_size.get())?;
        Price::new(price.normalize()).ok().map(|price| price.shown_in(self.tick_size))
    }

    fn arithmetic(&self, i: u32) -> BigUint {
        let numerator = &self.lower * self.levels + (&self.upper - &self.lower) * i;
        let denominator = &self.tick * self.levels;
        let (quotient, rest) = (&numerator / &denominator, &numerator % &denominator);
        let twice = rest * 2_u32;
        if twice > denominator || (twice == denominator && quotient.bit(0)) { quotient + 1_u32 } else { quotient }
    }

    fn geometric(&self, i: u32) -> Option<BigUint> {
        let n = self.levels;
        // (2x)^n in ticks, as a fraction.
        let (mut numerator, mut denominator) = (self.upper.pow(i) << u64::from(n), self.tick.pow(n));
        match n.checked_sub(i) {
            Some(below) => numerator *= self.lower.pow(below),
            None => denominator *= self.lower.pow(i.checked_sub(n)?),
        }
        let halves = (&numerator / &denominator).nth_root(n);
        let whole: BigUint = &halves >> 1_u32;
        if !halves.bit(0) {
            return Some(whole);
        }
        let is_half = halves.pow(n) * denominator == numerator;
        Some(if is_half && !whole.bit(0) { whole } else { whole + 1_u32 })
    }

    /// Levels from `first` on, as many as there are prices for, at most `count`.
    pub fn prices(&self, first: u32, count: u32) -> Vec<Price> {
        (0..count).map_while(|place| self.level(first.checked_add(place)?)).collect()
    }

    /// Whether all levels between the bounds are prices of their own.
    pub fn differ(&self) -> bool {
        let mut before = None;
        for i in 0..=self.levels {
            let level = self.level(i);
            if level.is_none() || level == before {
                return false;
            }
            before = level;
        }
        true
    }

    /// The most levels that differ.
    pub fn most_levels(&self) -> Option<u32> {
        let all = LadderParameters::LEVELS_MIN..=LadderParameters::LEVELS_MAX;
        all.rev().find(|levels| Self { levels: *levels, ..self.clone() }.differ())
    }
}

/// A decimal of at most 18 places in units of its last.
fn units(value: Decimal) -> Option<u128> {
    let value = value.normalize();
    let scale = PLACES.checked_sub(value.scale())?;
    u128::try_from(value.mantissa()).ok()?.checked_mul(10_u128.checked_pow(scale)?)
}

const fn gcd(mut one: u128, mut other: u128) -> u128 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn formula(lower: &str, upper: &str, levels: u32, spacing: &str, tick: &str) -> Formula {
        let json = format!(
            r#"{{"lowerPrice": "{lower}", "upperPrice": "{upper}", "levels": {levels}, "spacing": "{spacing}"}}"#
        );
        Formula::of(&serde_json::from_str(&json).unwrap(), tick.parse().unwrap()).unwrap()
    }

    fn levels(formula: &Formula, count: u32) -> Vec<String> {
        formula.prices(0, count).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn arithmetic_levels_are_rounded_each_by_itself() {
        let ladder = formula("500", "560", 3, "Arithmetic", "0.01");
        assert_eq!(levels(&ladder, 5), ["500.00", "520.00", "540.00", "560.00", "580.00"]);
        // Thirds of 100: never added up.
        let ladder = formula("100", "200", 3, "Arithmetic", "0.01");
        assert_eq!(levels(&ladder, 6), ["100.00", "133.33", "166.67", "200.00", "233.33", "266.67"]);
        // A half goes to the even tick: 1.005 and 1.015.
        let ladder = formula("1", "1.02", 4, "Arithmetic", "0.01");
        assert_eq!(levels(&ladder, 5), ["1.00", "1.00", "1.01", "1.02", "1.02"]);
    }

    #[test]
    fn geometric_levels_are_roots_rounded_exactly() {
        // 100 x 2^(i/4) is 118.92..., 141.42..., 168.17...
        let ladder = formula("100", "200", 4, "Geometric", "0.01");
        assert_eq!(levels(&ladder, 6), ["100.00", "118.92", "141.42", "168.18", "200.00", "237.84"]);
        // Perfect powers: 1, 10, 100, 1000, 10000, and on.
        let ladder = formula("1", "1000", 3, "Geometric", "1");
        assert_eq!(levels(&ladder, 5), ["1", "10", "100", "1000", "10000"]);
        // 1.5^2 = 2.25: exactly a half goes to the even tick, at 2; 2.5^2 = 6.25 too.
        assert_eq!(levels(&formula("1", "2.25", 2, "Geometric", "1"), 2), ["1", "2"]);
        assert_eq!(levels(&formula("1", "6.25", 2, "Geometric", "1"), 2), ["1", "2"]);
        assert_eq!(levels(&formula("1", "6.250000001", 2, "Geometric", "1"), 2), ["1", "3"]);
        assert_eq!(levels(&formula("1", "6.249999999", 2, "Geometric", "1"), 2), ["1", "2"]);
    }

    #[test]
    fn bounds_that_are_none_have_no_levels() {
        let of = |lower: &str, upper: &str, levels: u32| {
            let json = format!(r#"{{"lowerPrice": "{lower}", "upperPrice": "{upper}", "levels": {levels}}}"#);
            Formula::of(&serde_json::from_str(&json).unwrap(), "0.01".parse().unwrap()).is_some()
        };
        assert!(of("500", "500.01", 1));
        for (lower, upper, levels) in [("0", "560", 3), ("500", "500", 3), ("560", "500", 3), ("500", "560", 0)] {
            assert!(!of(lower, upper, levels), "{lower} {upper} {levels}");
        }
    }

    #[test]
    fn the_widest_ladder_of_the_most_levels_is_made() {
        let ladder = formula("0.000000001", "999999999.999999999", 200, "Geometric", "0.000000001");
        let prices = ladder.prices(0, 201);
        assert_eq!(prices.len(), 201);
        assert_eq!([prices[0].to_string(), prices[200].to_string()], ["0.000000001", "999999999.999999999"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        /// What a level means, checked without a root: it is within half a tick of `x`, by the powers of its neighbours.
        #[test]
        fn a_level_lies_within_half_a_tick_of_its_number(
            lower in 1_u64..1_000_000, above in 1_u64..10_000_000, levels in 2_u32..60, i in 0_u32..90, cents in 1_u64..50,
        ) {
            let text = |cents: u64| format!("{}.{:02}", cents / 100, cents % 100);
            let ladder = formula(&text(lower), &text(lower + above), levels, "Geometric", &text(cents));
            let Some(price) = ladder.level(i) else { return Ok(()) };
            let ticks = (price.get() / ladder.tick_size.get()).normalize();
            prop_assert_eq!(ticks.scale(), 0);
            // (2m − 1)^n · T^n · lower^(i−n) ≤ 2^n · upper^i · lower^(n−i) ≤ (2m + 1)^n · T^n ...
            let m = BigUint::from(u128::try_from(ticks.mantissa()).unwrap());
            let of = |cents: u64| BigUint::from(cents);
            let all = (BigUint::from(2_u32).pow(levels) * of(lower + above).pow(i), of(cents).pow(levels));
            let (exact, scale) = if i <= levels {
                (all.0 * of(lower).pow(levels - i), all.1)
            } else {
                (all.0, all.1 * of(lower).pow(i - levels))
            };
            let power = |half: BigUint| half.pow(levels) * &scale;
            prop_assert!(power(&m * 2_u32 - 1_u32) <= exact && exact <= power(&m * 2_u32 + 1_u32));
        }
    }
}

//! Numbers of fixed scale against arithmetic made apart: integers without bounds and their fractions, from the text of
//! each operand. Every operation, at all edges.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::cmp::Ordering;

use engine::numbers::{ExactDecimal, Notional, NumberError, Price, Quantity, Ratio};
use num_bigint::{BigInt, Sign};
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, FileFailurePersistence};
use rust_decimal::Decimal;

fn cases() -> Cases {
    Cases {
        cases: 2_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..Cases::default()
    }
}

fn ten_to(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

/// A number as a fraction: what it is over a power of ten.
#[derive(Debug, Clone)]
struct Exact {
    numerator: BigInt,
    denominator: BigInt,
}

impl Exact {
    /// Of a plain decimal.
    fn of(text: &str) -> Self {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let numerator = format!("{whole}{fraction}").parse().unwrap();
        Self { numerator, denominator: ten_to(u32::try_from(fraction.len()).unwrap()) }
    }

    fn times(&self, other: &Self) -> Self {
        Self { numerator: &self.numerator * &other.numerator, denominator: &self.denominator * &other.denominator }
    }

    fn over(&self, other: &Self) -> Self {
        Self { numerator: &self.numerator * &other.denominator, denominator: &self.denominator * &other.numerator }
    }

    fn plus(&self, other: &Self) -> Self {
        Self {
            numerator: &self.numerator * &other.denominator + &other.numerator * &self.denominator,
            denominator: &self.denominator * &other.denominator,
        }
    }

    fn negative(&self) -> Self {
        Self { numerator: -&self.numerator, denominator: self.denominator.clone() }
    }

    fn cmp(&self, other: &Self) -> Ordering {
        // Denominators of decimals are positive.
        (&self.numerator * &other.denominator).cmp(&(&other.numerator * &self.denominator))
    }

    /// Quotient and rest of the magnitudes, and the sign.
    fn parts(&self, places: u32) -> (bool, BigInt, BigInt, BigInt) {
        let negative = (self.numerator.sign() == Sign::Minus) ^ (self.denominator.sign() == Sign::Minus);
        let (numerator, denominator) = (self.numerator.magnitude(), self.denominator.magnitude());
        let (numerator, denominator) = (BigInt::from(numerator.clone()), BigInt::from(denominator.clone()));
        let numerator = numerator * ten_to(places);
        (negative, &numerator / &denominator, &numerator % &denominator, denominator)
    }

    /// Rounded half to even, as a normalised text.
    fn half_even(&self, places: u32) -> String {
        let (negative, quotient, rest, denominator) = self.parts(places);
        let up = match (&rest * BigInt::from(2)).cmp(&denominator) {
            Ordering::Less => false,
            Ordering::Equal => (&quotient % BigInt::from(2)) != BigInt::ZERO,
            Ordering::Greater => true,
        };
        text(negative, &if up { quotient + 1 } else { quotient }, places)
    }

    /// The largest multiple of `step` that is not above it.
    fn floored_to(&self, step: &Self) -> Self {
        let (_, steps, ..) = self.over(step).parts(0);
        Self { numerator: steps, denominator: BigInt::from(1) }.times(step)
    }

    /// Whether it is in range once it is rounded.
    fn rounds_below(&self, places: u32, limit: u32) -> bool {
        Self::of(&self.half_even(places)).is_below(limit)
    }

    fn is_below(&self, limit: u32) -> bool {
        let limit = Self { numerator: ten_to(limit), denominator: BigInt::from(1) };
        let size = Self {
            numerator: BigInt::from(self.numerator.magnitude().clone()),
            denominator: BigInt::from(self.denominator.magnitude().clone()),
        };
        size.cmp(&limit) == Ordering::Less
    }
}

/// Units of `10^-places` without trailing zeros.
fn text(negative: bool, units: &BigInt, places: u32) -> String {
    let sign = if negative && *units != BigInt::ZERO { "-" } else { "" };
    let width = places as usize + 1;
    let digits = format!("{:0>width$}", units.to_string());
    let (whole, fraction) = digits.split_at(digits.len() - places as usize);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// A decimal with up to `whole` digits before and `places` after the point, often a round or an extreme one.
fn decimal(whole: usize, places: usize) -> impl Strategy<Value = String> {
    let digits = |most: usize| {
        prop_oneof![
            4 => prop::collection::vec(0_u8..10, 0..=most),
            1 => Just(vec![9; most]),
            1 => (0..=most).prop_map(|count| vec![0; count]),
            1 => (0..=most).prop_map(|count| [vec![0; count.saturating_sub(1)], vec![5; count.min(1)]].concat()),
        ]
    };
    (digits(whole), digits(places)).prop_map(|(whole, fraction)| {
        let digits = |digits: &[u8]| digits.iter().map(u8::to_string).collect::<String>();
        let whole = digits(&whole);
        let whole = whole.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        let fraction = digits(&fraction);
        if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
    })
}

fn signed(whole: usize, places: usize) -> impl Strategy<Value = String> {
    (any::<bool>(), decimal(whole, places)).prop_map(|(negative, text)| {
        if negative && Exact::of(&text).numerator != BigInt::ZERO { format!("-{text}") } else { text }
    })
}

/// Money or a quantity of any digits, made of two that the text form can hold.
fn money(text: &str) -> Notional {
    // 28 digits are what a text may have; more are made by a sum.
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let sign = if text.starts_with('-') { "-" } else { "" };
    let part: Notional = format!("{sign}0.{fraction}").parse().unwrap();
    whole.parse::<Notional>().unwrap().plus(part).unwrap()
}

fn quantity(text: &str) -> Quantity {
    Quantity::try_from(money(text)).unwrap()
}

/// A price above 0.
fn price() -> impl Strategy<Value = String> {
    prop_oneof![decimal(12, 9), decimal(6, 2), decimal(2, 18)]
        .prop_filter("a price is above 0", |text| Exact::of(text).numerator != BigInt::ZERO)
}

fn share() -> impl Strategy<Value = String> {
    prop_oneof![decimal(0, 20), decimal(0, 6), decimal(8, 20), Just("1".to_owned())]
}

/// What an operation gives: the text that is expected, or that it is refused because it is out of range.
fn gives<T: std::fmt::Display + std::fmt::Debug>(
    found: Result<T, NumberError>,
    expected: &str,
    in_range: bool,
) -> Result<(), TestCaseError> {
    match found {
        Ok(found) => {
            prop_assert!(in_range, "{} is out of range", found);
            prop_assert_eq!(found.to_string(), expected);
        }
        Err(NumberError::OutOfRange { value, .. }) => {
            prop_assert!(!in_range, "{} is in range", value);
            prop_assert_eq!(value, expected);
        }
        Err(error) => prop_assert!(false, "{}", error),
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_is_written_is_read_and_written_again(text in signed(15, 18), price in price()) {
        let exact = Exact::of(&text);
        let number = money(&text);
        prop_assert_eq!(number.to_string(), exact.half_even(18));
        prop_assert_eq!(serde_json::to_string(&number).unwrap(), format!("\"{number}\""));
        if text.trim_start_matches('-').len() <= 28 {
            prop_assert_eq!(text.parse::<Notional>().unwrap(), number);
            prop_assert_eq!(serde_json::from_str::<Notional>(&format!("\"{text}\"")).unwrap(), number);
            prop_assert_eq!(number.get(), text.parse::<Decimal>().unwrap());
            prop_assert_eq!(Notional::new(number.get()).unwrap(), number);
        }
        prop_assert_eq!(price.parse::<Price>().unwrap().to_string(), &price[..], "a price keeps its digits");
        prop_assert_eq!(price.parse::<Price>().unwrap().normalised().to_string(), Exact::of(&price).half_even(18));
        let decimal: Decimal = price.parse().unwrap();
        prop_assert_eq!(price.parse::<Price>().unwrap().get().to_string(), decimal.to_string());
    }

    #[test]
    fn sums_and_differences_are_exact(a in signed(15, 18), b in signed(15, 18)) {
        let (x, y) = (Exact::of(&a), Exact::of(&b));
        let (sum, difference) = (x.plus(&y), x.plus(&y.negative()));
        gives(money(&a).plus(money(&b)), &sum.half_even(18), sum.is_below(15))?;
        gives(money(&a).minus(money(&b)), &difference.half_even(18), difference.is_below(15))?;
        prop_assert_eq!(money(&a).cmp(&money(&b)), x.cmp(&y));
        let [a, b] = [a, b].map(|text| text.trim_start_matches('-').to_owned());
        let (x, y) = (Exact::of(&a), Exact::of(&b));
        let (sum, difference) = (x.plus(&y), x.plus(&y.negative()));
        gives(quantity(&a).plus(quantity(&b)), &sum.half_even(18), sum.is_below(15))?;
        let in_range = difference.numerator.sign() != Sign::Minus;
        gives(quantity(&a).minus(quantity(&b)), &difference.half_even(18), in_range)?;
    }

    #[test]
    fn products_are_rounded_once_half_to_even(a in signed(15, 18), q in decimal(15, 18), p in price(), s in share()) {
        let worth = Exact::of(&p).times(&Exact::of(&q));
        gives(p.parse::<Price>().unwrap().times(quantity(&q)), &worth.half_even(18), worth.rounds_below(18, 15))?;
        let ratio: Ratio = s.parse().unwrap();
        let fee = Exact::of(&a).times(&Exact::of(&s));
        gives(money(&a).share(ratio), &fee.half_even(18), fee.rounds_below(18, 15))?;
        let coins = Exact::of(&q).times(&Exact::of(&s));
        gives(quantity(&q).share(ratio), &coins.half_even(18), coins.rounds_below(18, 15))?;
        let band = Exact::of(&p).times(&Exact::of(&s));
        let is_price = band.rounds_below(18, 12) && band.half_even(18) != "0";
        gives(p.parse::<Price>().unwrap().scaled(ratio), &band.half_even(18), is_price)?;
    }

    #[test]
    fn quotients_are_rounded_as_their_names_say(
        cost in signed(15, 18), part in decimal(15, 18), whole in decimal(15, 18), lot in decimal(3, 9),
        p in price(), tick in price(), s in share(),
    ) {
        let (exact_cost, exact_part, exact_whole) = (Exact::of(&cost), Exact::of(&part), Exact::of(&whole));
        let zero = BigInt::ZERO;
        if exact_whole.numerator == zero {
            prop_assert!(money(&cost).relieved(quantity(&part), quantity(&whole)).is_err());
            prop_assert_eq!(money(&cost).share_of(money(&whole)), None);
        } else {
            let relieved = exact_cost.times(&exact_part).over(&exact_whole);
            gives(money(&cost).relieved(quantity(&part), quantity(&whole)), &relieved.half_even(8), relieved.rounds_below(8, 15))?;
            let share = exact_cost.over(&exact_whole);
            let expected = share.rounds_below(8, 9).then(|| share.half_even(8));
            prop_assert_eq!(money(&cost).share_of(money(&whole)).map(|share| share.to_string()), expected);
            let average = exact_cost.over(&exact_whole);
            let places = if average.half_even(8) == "0" { 18 } else { 8 };
            let expected = average.half_even(places);
            let in_range = !expected.starts_with('-') && expected != "0" && Exact::of(&expected).is_below(12);
            gives(Price::average(money(&cost), quantity(&whole), 0), &expected, in_range)?;
        }
        let exact_lot = Exact::of(&lot);
        let (price, tick_size): (Price, Price) = (p.parse().unwrap(), tick.parse().unwrap());
        let (exact_price, exact_tick) = (Exact::of(&p), Exact::of(&tick));
        if exact_lot.numerator != zero {
            let floored = exact_part.floored_to(&exact_lot);
            prop_assert_eq!(quantity(&part).floored_to(quantity(&lot)).unwrap().to_string(), floored.half_even(18));
            let budget = cost.trim_start_matches('-');
            let bought = Exact::of(budget).times(&Exact::of(&s)).over(&exact_price).floored_to(&exact_lot);
            let found = Quantity::bought_for(money(budget), s.parse().unwrap(), price, quantity(&lot));
            gives(found, &bought.half_even(18), bought.is_below(15))?;
        }
        let down = exact_price.floored_to(&exact_tick);
        let found = price.rounded_down_to(tick_size).unwrap();
        prop_assert_eq!(found.map(|price| price.normalised().to_string()), (down.numerator != zero).then(|| down.half_even(18)));
        let up = if down.cmp(&exact_price) == Ordering::Equal { down } else { down.plus(&exact_tick) };
        gives(price.rounded_up_to(tick_size).map(Price::normalised), &up.half_even(18), up.is_below(12))?;
        let difference = exact_price.plus(&exact_tick.negative());
        let distance = Exact { numerator: BigInt::from(difference.numerator.magnitude().clone()), ..difference };
        let share = distance.over(&exact_tick);
        let in_range = share.rounds_below(8, 9);
        gives(price.distance_from(tick_size), &share.half_even(8), in_range)?;
    }

    #[test]
    fn comparisons_are_exact(a in signed(15, 18), b in signed(15, 18), p in price(), q in price(), s in share()) {
        let share: Ratio = s.parse().unwrap();
        let (x, y, f) = (Exact::of(&a), Exact::of(&b), Exact::of(&s));
        prop_assert_eq!(money(&a).compare_with(money(&b), share), x.cmp(&y.times(&f)));
        let (price, reference): (Price, Price) = (p.parse().unwrap(), q.parse().unwrap());
        let (x, y) = (Exact::of(&p), Exact::of(&q));
        let order = x.cmp(&y.times(&f));
        prop_assert_eq!(price.compare_with(reference, share), order);
        prop_assert_eq!(price.is_at_or_above(reference.bound_above(share)), order != Ordering::Less);
        prop_assert_eq!(price.is_at_or_below(reference.bound_below(share)), order != Ordering::Greater);
        prop_assert_eq!(price.cmp(&reference), x.cmp(&y));
        let difference = x.plus(&y.negative());
        let distance = Exact { numerator: BigInt::from(difference.numerator.magnitude().clone()), ..difference };
        prop_assert_eq!(price.is_further_than(share, reference), distance.cmp(&y.times(&f)) == Ordering::Greater);
    }

    /// The price itself and its neighbours, where a bound decides.
    #[test]
    fn a_bound_is_reached_exactly_at_the_product(q in price(), s in share(), step in -1_i64..=1) {
        let (reference, share): (Price, Ratio) = (q.parse().unwrap(), s.parse().unwrap());
        let product = Exact::of(&q).times(&Exact::of(&s));
        let near = Exact::of(&product.half_even(18)).plus(&Exact { numerator: step.into(), denominator: ten_to(18) });
        let Ok(price) = near.half_even(18).parse::<Price>() else { return Ok(()) };
        prop_assert_eq!(price.is_at_or_above(reference.bound_above(share)), near.cmp(&product) != Ordering::Less);
        prop_assert_eq!(price.is_at_or_below(reference.bound_below(share)), near.cmp(&product) != Ordering::Greater);
    }

    #[test]
    fn shares_and_percents_are_exact(percent in decimal(9, 9), a in share(), b in share()) {
        let one = Exact::of("1");
        let share = Ratio::from_percent(percent.parse::<ExactDecimal>().unwrap());
        prop_assert_eq!(share.to_string(), Exact::of(&percent).over(&Exact::of("100")).half_even(20));
        prop_assert_eq!(share.percent().to_string(), Exact::of(&percent).half_even(18));
        prop_assert_eq!(share.above_one().to_string(), Exact::of(&share.to_string()).plus(&one).half_even(20));
        prop_assert_eq!(share.below_one().to_string(), one.plus(&Exact::of(&share.to_string()).negative()).half_even(20));
        let product = Exact::of(&a).times(&Exact::of(&b));
        let (x, y): (Ratio, Ratio) = (a.parse().unwrap(), b.parse().unwrap());
        // A product is exact or refused.
        match x.times(y) {
            Ok(found) => prop_assert_eq!(Exact::of(&found.to_string()).cmp(&product), Ordering::Equal),
            Err(_) => prop_assert!(
                !product.is_below(9) || product.half_even(20).trim_end_matches('0').len() > 20
                    || Exact::of(&product.half_even(20)).cmp(&product) != Ordering::Equal
            ),
        }
    }
}

/// Texts that are no number of their type, in the words that users know.
#[test]
fn what_is_out_of_range_is_told_in_the_same_words() {
    let cases = [
        ("0".parse::<Price>().unwrap_err(), "0 is out of range for a price: above 0 and below 10^12"),
        ("-5".parse::<Price>().unwrap_err(), "-5 is out of range for a price: above 0 and below 10^12"),
        (
            "1000000000000.50".parse::<Price>().unwrap_err(),
            "1000000000000.50 is out of range for a price: above 0 and below 10^12",
        ),
        (
            "0.0000000000000000001".parse::<Price>().unwrap_err(),
            "0.0000000000000000001 is out of range for a price: at most 18 digits after the point",
        ),
        ("-1".parse::<Quantity>().unwrap_err(), "-1 is out of range for a quantity: 0 or more and below 10^15"),
        (
            "1000000000000000".parse::<Notional>().unwrap_err(),
            "1000000000000000 is out of range for a notional: below 10^15 in size",
        ),
        (
            "0.000000000000000000001".parse::<Ratio>().unwrap_err(),
            "0.000000000000000000001 is out of range for a ratio: below 10^9 in size, at most 20 digits after the point",
        ),
        ("1e3".parse::<Price>().unwrap_err(), "\"1e3\" is not a plain decimal; write it like 600 or 0.25"),
        ("".parse::<Quantity>().unwrap_err(), "\"\" is not a plain decimal; write it like 600 or 0.25"),
        ("-".parse::<Notional>().unwrap_err(), "\"-\" is not a plain decimal; write it like 600 or 0.25"),
        ("5.".parse::<Notional>().unwrap_err(), "\"5.\" is not a plain decimal; write it like 600 or 0.25"),
        (".5".parse::<Notional>().unwrap_err(), "\".5\" is not a plain decimal; write it like 600 or 0.25"),
        ("1.2.3".parse::<Price>().unwrap_err(), "\"1.2.3\" is not a plain decimal; write it like 600 or 0.25"),
        ("--1".parse::<Notional>().unwrap_err(), "\"--1\" is not a plain decimal; write it like 600 or 0.25"),
        (
            "99999999999999999999999999999999999".parse::<Notional>().unwrap_err(),
            "\"99999999999999999999999999999999999\" is not a plain decimal; write it like 600 or 0.25",
        ),
    ];
    for (error, expected) in cases {
        assert_eq!(error.to_string(), expected);
    }
    let number = serde_json::from_str::<Price>("5").unwrap_err().to_string();
    assert_eq!(number, "invalid type: integer `5`, expected a string at line 1 column 1");
}

/// A text of any bytes is read as the decimal type reads it, or refused by both.
#[test]
fn texts_are_read_as_decimals_are() {
    for text in ["007.50", "-0", "-0.0", "0.10", "000", "1234567890.123456789", "0.000000000000000001"] {
        let number: Notional = text.parse().unwrap();
        assert_eq!(number.get(), text.parse::<Decimal>().unwrap(), "{text}");
        assert!(!number.to_string().starts_with("-0"), "{text}");
    }
}

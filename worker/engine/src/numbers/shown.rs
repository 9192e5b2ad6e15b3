//! How many digits of a figure people read. Exact figures stay exact where programs read them; what is here is
//! rounded half to even, and never so far that a gain, a loss or a difference reads as nothing.
//!
//! The digits follow the market and the size of the account in it: dollars keep two, bitcoins as many as a trade's
//! worth has, and where prices have no fractions large amounts have none either.

use rust_decimal::Decimal;

use super::{Notional, Price, Quantity};

/// Digits after the point of amounts of ordinary size, and of percentages.
const ORDINARY: u32 = 2;
/// Digits after the point of a small account, at most: bitcoins have 8.
const FINEST: u32 = 8;
/// An account below this is small: two digits would show too little of what happens in it.
const SMALL: i64 = 10;
/// From here on an account needs no fractions where its market's prices have none.
const LARGE: i64 = 10_000;
/// The most digits after the point that a decimal has.
const PLACES_MAX: u32 = 28;

/// The digits of money in one market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digits {
    /// After the point, of amounts of ordinary size.
    places: u32,
    /// Whether the market's prices have no fractions.
    whole: bool,
}

impl Digits {
    /// Of a market and an account of which nothing is known.
    pub const ORDINARY: Self = Self { places: ORDINARY, whole: false };

    /// Of a market with these steps, for an account that is worth `equity`, or was when it was opened: what is
    /// constant keeps the digits constant.
    pub fn of(tick_size: Price, lot_size: Quantity, equity: Notional) -> Self {
        let tick_places = tick_size.normalised().get().scale();
        let (whole, equity) = (tick_places == 0, equity.get().abs());
        let places = if equity < Decimal::from(SMALL) {
            // A trade's worth has no more digits than this.
            tick_places.saturating_add(lot_size.get().normalize().scale()).clamp(ORDINARY, FINEST)
        } else if whole && equity >= Decimal::from(LARGE) {
            0
        } else {
            ORDINARY
        };
        Self { places, whole }
    }

    /// One amount.
    pub fn show(self, amount: Notional) -> String {
        fixed(amount.get(), self.places_of(&[amount]))
    }

    /// One amount with its sign, such as `+282.22`; nothing has none.
    pub fn signed(self, amount: Notional) -> String {
        with_sign(amount.get(), self.places_of(&[amount]))
    }

    /// The amounts of one line, all with the same digits, so that they can be added up.
    pub fn line<const N: usize>(self, amounts: [Notional; N]) -> [String; N] {
        let places = self.places_of(&amounts);
        amounts.map(|amount| fixed(amount.get(), places))
    }

    /// Two amounts that differ and are seen to.
    pub fn apart(self, amounts: [Notional; 2]) -> [String; 2] {
        let [one, other] = amounts;
        let difference = one.minus(other).unwrap_or_default();
        let places = self.places_of(&[one, other, difference]);
        amounts.map(|amount| fixed(amount.get(), places))
    }

    fn places_of(self, line: &[Notional]) -> u32 {
        let is_whole = |amount: &Notional| amount.get().normalize().scale() == 0;
        if self.whole && line.iter().all(is_whole) {
            return 0;
        }
        if line.iter().all(|amount| amount.get().is_zero()) {
            return self.places.min(ORDINARY);
        }
        line.iter().map(|amount| enough(amount.get(), self.places)).max().unwrap_or(self.places)
    }
}

/// A percentage, with two digits or as many as it needs to be seen.
pub fn percent(value: Decimal) -> String {
    fixed(value, enough(value, ORDINARY))
}

/// The same with its sign; nothing has none.
pub fn signed_percent(value: Decimal) -> String {
    with_sign(value, enough(value, ORDINARY))
}

/// By how many percent of `before` an amount has changed; `None` where that is beyond any number.
pub fn change_percent(before: Notional, after: Notional) -> Option<Decimal> {
    let difference = after.minus(before).ok()?;
    if difference.get().is_zero() {
        return Some(Decimal::ZERO);
    }
    let percent = difference.get().checked_mul(Decimal::ONE_HUNDRED)?.checked_div(before.get())?;
    if percent.is_zero() {
        let least = Decimal::new(1, PLACES_MAX);
        return Some(if difference.get().is_sign_negative() == before.get().is_sign_negative() {
            least
        } else {
            -least
        });
    }
    Some(percent)
}

/// Thresholds beside a price, all with the same digits: those of the tick size, and more where the price has more or
/// rounding would blur how far a threshold is from it, or move it by more than a hundredth.
pub fn thresholds<const N: usize>(thresholds: [Decimal; N], price: Price, tick_size: Price) -> [String; N] {
    let least = price.shown_in(tick_size).get().scale();
    let is_blurred = |threshold: Decimal, places| {
        let off = |from: Decimal| from.checked_sub(threshold).unwrap_or_default().abs();
        let quarter = off(price.get()).checked_mul(Decimal::new(25, 2)).unwrap_or(Decimal::MAX);
        let hundredth = threshold.checked_mul(Decimal::new(1, 2)).unwrap_or(Decimal::MAX);
        off(threshold.round_dp(places)) > quarter.min(hundredth)
    };
    let needed = |threshold: Decimal| (least..PLACES_MAX).find(|places| !is_blurred(threshold, *places));
    let places = thresholds.iter().filter_map(|threshold| needed(*threshold)).max().unwrap_or(least);
    thresholds.map(|threshold| fixed(threshold, places))
}

/// Rounded half to even to `places` digits, all of them shown.
pub fn fixed(value: Decimal, places: u32) -> String {
    let mut value = value.round_dp(places);
    value.rescale(places);
    value.to_string()
}

fn with_sign(value: Decimal, places: u32) -> String {
    let sign = if value.is_sign_positive() && !value.is_zero() { "+" } else { "" };
    format!("{sign}{}", fixed(value, places))
}

/// At least `places`, and enough that two digits which count are seen of what is less than one.
fn enough(value: Decimal, places: u32) -> u32 {
    let value = value.normalize();
    let mantissa = value.mantissa().unsigned_abs();
    let digits = mantissa.checked_ilog10().map_or(0, |log| log.saturating_add(1));
    if digits == 0 || digits > value.scale() {
        return places;
    }
    // The zeros between the point and the first digit that counts.
    let zeros = value.scale().saturating_sub(digits);
    places.max(zeros.saturating_add(2)).min(PLACES_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn money(text: &str) -> Notional {
        text.parse().unwrap()
    }

    fn digits(tick_size: &str, lot_size: &str, equity: &str) -> Digits {
        Digits::of(tick_size.parse().unwrap(), lot_size.parse().unwrap(), money(equity))
    }

    #[test]
    fn money_of_each_kind_of_market() {
        let bnb_usdt = |equity| digits("0.01", "0.001", equity);
        let doge_btc = |equity| digits("0.00000001", "1", equity);
        let btc_jpy = |equity| digits("1", "0.0001", equity);
        let btc_idr = |equity| digits("1000", "0.00001", equity);
        let shib_usdt = |equity| digits("0.00000001", "1", equity);
        for (digits, amount, shown) in [
            (bnb_usdt("6000"), "-20.4719", "-20.47"),
            (bnb_usdt("5998.51"), "282.2190103611", "+282.22"),
            (bnb_usdt("6000"), "0", "0.00"),
            (bnb_usdt("6000"), "-0.0012", "-0.0012"),
            (bnb_usdt("6000"), "0.004999", "+0.0050"),
            (bnb_usdt("6000"), "0.1", "+0.10"),
            (bnb_usdt("6000"), "0.0999", "+0.100"),
            (bnb_usdt("6000"), "1.005", "+1.00"),
            (bnb_usdt("6000"), "1.015", "+1.02"),
            (bnb_usdt("6000"), "-0.995", "-1.00"),
            (bnb_usdt("123456789012.5"), "-99999999999.995", "-100000000000.00"),
            (bnb_usdt("0.9"), "-0.003", "-0.00300"),
            (doge_btc("0.02"), "-0.00096447223", "-0.00096447"),
            (doge_btc("0.02"), "0.000000001", "+0.0000000010"),
            (doge_btc("0.02"), "0", "0.00"),
            (doge_btc("60"), "-0.00012345", "-0.00012"),
            (btc_jpy("2000000"), "-12345.678", "-12346"),
            (btc_jpy("2000000"), "0.5", "+0.50"),
            (btc_jpy("2000000"), "-0.04", "-0.040"),
            (btc_jpy("2000000"), "0", "0"),
            (btc_jpy("5000"), "12", "+12"),
            (btc_jpy("5000"), "12.5", "+12.50"),
            (btc_idr("1500000000"), "750000000.4", "+750000000"),
            (shib_usdt("3000"), "-1.234", "-1.23"),
        ] {
            assert_eq!(digits.signed(money(amount)), shown, "{amount} with {digits:?}");
        }
    }

    #[test]
    fn the_parts_of_a_line_have_the_same_digits() {
        let line = |digits: Digits, amounts: [&str; 4]| digits.line(amounts.map(money)).join(" ");
        let bnb = digits("0.01", "0.001", "6000");
        assert_eq!(line(bnb, ["-22.2718809", "12.3625", "-32.8344", "1.7999809"]), "-22.27 12.36 -32.83 1.80");
        assert_eq!(line(bnb, ["1.234", "1.3", "0", "0.066"]), "1.234 1.300 0.000 0.066");
        assert_eq!(line(bnb, ["0", "0", "0", "0"]), "0.00 0.00 0.00 0.00");
        let doge = digits("0.00000001", "1", "0.02");
        assert_eq!(
            line(doge, ["-0.00096447223", "0.00006296", "-0.00102347", "0.00000396223"]),
            "-0.00096447 0.00006296 -0.00102347 0.00000396"
        );
        let jpy = digits("1", "0.0001", "2000000");
        assert_eq!(line(jpy, ["-700.4", "0", "-652.4", "48"]), "-700 0 -652 48");
    }

    #[test]
    fn what_differs_reads_differently() {
        let bnb = digits("0.01", "0.001", "6000");
        assert_eq!(bnb.apart([money("6000"), money("5977.7281191")]), ["6000.00", "5977.73"]);
        assert_eq!(bnb.apart([money("6000"), money("5999.9988")]), ["6000.0000", "5999.9988"]);
        assert_eq!(bnb.apart([money("6000"), money("6000")]), ["6000.00", "6000.00"]);
    }

    #[test]
    fn percentages_do_not_vanish() {
        for (value, shown) in [
            ("4.7048", "+4.70"),
            ("-4.8224", "-4.82"),
            ("-0.004", "-0.0040"),
            ("0.0049", "+0.0049"),
            ("0", "0.00"),
            ("-0.00", "0.00"),
            ("0.05", "+0.050"),
            ("1234567.895", "+1234567.90"),
        ] {
            assert_eq!(signed_percent(decimal(value)), shown);
        }
        assert_eq!(change_percent(money("3"), money("2")), Some(decimal("-33.333333333333333333333333333")));
        let least = change_percent(money("900000000000000"), money("900000000000000.000000000001")).unwrap();
        assert!(least > Decimal::ZERO && signed_percent(least).ends_with('1'), "{least}");
        assert_eq!(change_percent(money("0"), money("1")), None);
        assert_eq!(change_percent(money("0"), money("0")), Some(Decimal::ZERO));
    }

    #[test]
    fn thresholds_have_the_ticks_digits_or_those_that_the_price_needs() {
        for (values, price, tick_size, shown) in [
            (["598.128", "574.672"], "592", "0.01", ["598.13", "574.67"]),
            (["598.12787407", "574.67187901"], "592", "0.01", ["598.13", "574.67"]),
            (["0.0051", "0.0049"], "0.005", "0.01", ["0.0051", "0.0049"]),
            (["0.00000255", "0.00000245"], "0.00000250", "0.00000001", ["0.00000255", "0.00000245"]),
            (["0.0000023154", "0.0000022246"], "0.00000220", "0.00000001", ["0.00000232", "0.00000222"]),
            (["0.0000022146", "0.0000022046"], "0.00000220", "0.00000001", ["0.000002215", "0.000002205"]),
            (["0.0000000306", "0.0000000294"], "0.00000003", "0.00000001", ["0.0000000306", "0.0000000294"]),
            (["600.06", "599.94"], "600", "1", ["600.06", "599.94"]),
            (["10200000", "9800000"], "10000000", "1", ["10200000", "9800000"]),
            (["598.128", "574.672"], "598.13", "0.01", ["598.128", "574.672"]),
            (["0.0000459", "0.0000441"], "0.00008", "0.01", ["0.000046", "0.000044"]),
        ] {
            let shows = thresholds(values.map(decimal), price.parse().unwrap(), tick_size.parse().unwrap());
            assert_eq!(shows, shown, "{values:?} beside {price}");
        }
    }

    prop_compose! {
        fn amount()(mantissa in -10_i128.pow(14)..10_i128.pow(14), scale in 0_u32..=18) -> Notional {
            Notional::new(Decimal::from_i128_with_scale(mantissa, scale)).unwrap()
        }
    }

    prop_compose! {
        fn market()(tick in 0_u32..=9, lot in 0_u32..=9, equity in amount()) -> (Price, Quantity, Notional) {
            (
                Price::new(Decimal::new(1, tick)).unwrap(),
                Quantity::new(Decimal::new(1, lot)).unwrap(),
                Notional::new(equity.get().abs()).unwrap(),
            )
        }
    }

    proptest! {
        #[test]
        fn no_text_lies((tick, lot, equity) in market(), amounts in prop::array::uniform4(amount())) {
            let digits = Digits::of(tick, lot, equity);
            let line = digits.line(amounts);
            let places: Vec<_> = line.iter().map(|text| decimal(text).scale()).collect();
            prop_assert!(places.iter().all(|scale| *scale == places[0]), "{:?}", line);
            for (amount, text) in amounts.iter().zip(&line) {
                let (value, read) = (amount.get(), decimal(text));
                prop_assert_eq!(value.is_zero(), read.is_zero(), "{} as {}", value, text);
                prop_assert!(!text.starts_with("-0") || read < Decimal::ZERO, "{}", text);
                let half = Decimal::new(5, read.scale() + 1);
                prop_assert!((read - value).abs() <= half, "{} as {}", value, text);
            }
            for amount in amounts {
                let text = digits.signed(amount);
                let sign = if amount.get().is_zero() { 0 } else if amount.get() > Decimal::ZERO { 1 } else { -1 };
                prop_assert_eq!(i32::from(text.starts_with('+')) - i32::from(text.starts_with('-')), sign, "{}", text);
                // What counts of a small figure is seen.
                let read = decimal(text.trim_start_matches('+'));
                prop_assert!(sign == 0 || read.mantissa().abs() >= 10 || read.scale() == 0, "{}", text);
            }
        }

        #[test]
        fn a_smaller_figure_never_has_fewer_digits((tick, lot, equity) in market(), a in amount(), b in amount()) {
            prop_assume!(!a.get().is_zero() && !b.get().is_zero());
            // Where prices have no fractions, whole amounts show none.
            prop_assume!(tick.get().scale() > 0);
            let (small, large) = if a.get().abs() <= b.get().abs() { (a, b) } else { (b, a) };
            let digits = Digits::of(tick, lot, equity);
            prop_assert!(digits.places_of(&[small]) >= digits.places_of(&[large]));
            let of = |equity: Notional| Digits::of(tick, lot, Notional::new(equity.get().abs()).unwrap());
            prop_assert!(of(small).places_of(&[equity]) >= of(large).places_of(&[equity]));
        }

        #[test]
        fn a_line_adds_up_as_far_as_rounding_allows((tick, lot, equity) in market(), parts in prop::array::uniform3(amount())) {
            let [realized, unrealized, fees] = parts;
            let net = realized.plus(unrealized).and_then(|sum| sum.minus(fees));
            prop_assume!(net.is_ok());
            let line = Digits::of(tick, lot, equity).line([net.unwrap(), realized, unrealized, fees]);
            let [net, realized, unrealized, fees] = line.map(|text| decimal(&text));
            let off = (realized + unrealized - fees - net).abs();
            prop_assert!(off <= Decimal::new(2, net.scale()), "off by {}", off);
        }

        #[test]
        fn what_differs_never_reads_alike((tick, lot, equity) in market(), other in amount()) {
            let digits = Digits::of(tick, lot, equity);
            let [one, two] = digits.apart([equity, other]);
            prop_assert_eq!(one == two, equity == other);
        }
    }
}

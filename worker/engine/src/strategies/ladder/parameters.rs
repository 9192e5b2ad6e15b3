//! The ladder's parameters as a manifest gives them, with defaults and bounds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::levels::Formula;
use crate::instrument::Rules;
use crate::numbers::{ExactDecimal, Price, Quantity, Ratio};
use crate::validation::Violation;

/// How the levels lie between the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Spacing {
    /// Equal steps in price.
    #[default]
    Arithmetic,
    /// Equal steps in percent.
    Geometric,
}

/// The grid bot of the exchanges: buys rest on the levels below the price, sells on those above it. A buy that has traded
/// is followed by a sell one level up, a sell by a buy one level down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LadderParameters {
    /// The lowest level, above 0 and below upperPrice, in quote. Editing it starts the ladder anew. Quote decimals.
    pub lower_price: ExactDecimal,
    /// The highest level, below 1000000000, in quote. Editing it starts the ladder anew. Quote decimals.
    pub upper_price: ExactDecimal,
    /// How many steps lie between the bounds: n give n+1 prices and n orders; 2 to 200. Default 20. Editing it starts the
    /// ladder anew.
    #[serde(default = "LadderParameters::default_levels")]
    #[schemars(range(min = 2, max = 200))]
    pub levels: u32,
    /// Arithmetic (equal steps in price) or Geometric (equal steps in percent). Default Arithmetic. Editing it starts the
    /// ladder anew.
    #[serde(default)]
    pub spacing: Spacing,
    /// Size of each order in base, above 0. Default: what the equity at the start covers, less reservePercent. Editing it
    /// holds for orders placed from then on. Quote decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<ExactDecimal>,
    /// The share of the equity that is left out where quantity is not set, in percent, for fees; 0 to 99. Default 1.
    /// Quote decimals.
    #[serde(default = "LadderParameters::default_reserve_percent")]
    pub reserve_percent: ExactDecimal,
    /// Whether the ladder moves up one level when the price is a level above it and nothing is left to sell. Default false.
    #[serde(default)]
    pub trailing_up: bool,
    /// Nothing is placed before the price has reached this one from where it was at the first tick; above 0 and below
    /// 1000000000. Default: it starts at once. Quote decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_price: Option<ExactDecimal>,
    /// How far the limit of the first purchase may lie from the tick's price, in percent, before it is denied; 0 to 10.
    /// Default "0.1". Quote decimals.
    #[serde(default = "LadderParameters::default_max_slippage_percent")]
    pub max_slippage_percent: ExactDecimal,
}

impl LadderParameters {
    /// The fewest steps.
    pub const LEVELS_MIN: u32 = 2;
    /// The most.
    pub const LEVELS_MAX: u32 = 200;

    const fn default_levels() -> u32 {
        20
    }

    const fn default_reserve_percent() -> ExactDecimal {
        ExactDecimal::from_integer(1)
    }

    const fn default_max_slippage_percent() -> ExactDecimal {
        ExactDecimal::from_scaled(1, 1)
    }

    /// The size of an order where it is written.
    pub fn fixed_quantity(&self) -> Option<Quantity> {
        self.quantity.and_then(|quantity| Quantity::new(quantity.get()).ok())
    }

    /// The share of the equity that orders may take.
    pub fn usable_share(&self) -> Ratio {
        Ratio::from_percent(self.reserve_percent).below_one()
    }

    /// All that is wrong with these parameters, whatever the market.
    pub fn validate(&self, path: &str) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut refuse = |name: &str, value: &dyn std::fmt::Display, remedy: &str| {
            violations.push(Violation::new(format!("{path}.{name}"), value, remedy));
        };
        let (zero, above) = (ExactDecimal::from_integer(0), ExactDecimal::from_integer(1_000_000_000));
        let is_price = |price: ExactDecimal| price > zero && price < above;
        let prices = [
            ("lowerPrice", Some(self.lower_price)),
            ("upperPrice", Some(self.upper_price)),
            ("triggerPrice", self.trigger_price),
        ];
        for (name, price) in prices {
            if let Some(price) = price.filter(|price| !is_price(*price)) {
                refuse(name, &price, "is out of range; write a price above 0 and below 1000000000");
            }
        }
        if is_price(self.lower_price) && is_price(self.upper_price) && self.lower_price >= self.upper_price {
            let remedy = format!("is not below upperPrice {}; lower one or raise the other", self.upper_price);
            refuse("lowerPrice", &self.lower_price, &remedy);
        }
        if !(Self::LEVELS_MIN..=Self::LEVELS_MAX).contains(&self.levels) {
            refuse("levels", &self.levels, "is out of range; write 2 to 200");
        }
        if let Some(quantity) = self.quantity.filter(|quantity| *quantity == zero) {
            refuse(
                "quantity",
                &quantity,
                "is zero; write an amount above 0, or leave it out for what the equity covers",
            );
        }
        if self.reserve_percent > ExactDecimal::from_integer(99) {
            refuse(
                "reservePercent",
                &self.reserve_percent,
                "is out of range; write 0 to 99, in quotes if it has a point",
            );
        }
        if self.max_slippage_percent > ExactDecimal::from_integer(10) {
            let remedy = "is out of range; write 0 to 10, in quotes if it has a point";
            refuse("maxSlippagePercent", &self.max_slippage_percent, remedy);
        }
        violations
    }

    /// What is wrong with the levels in a market with these rules: two that are one price there. Only of parameters and
    /// rules that are valid by themselves.
    pub fn validate_levels(&self, rules: &Rules, path: &str) -> Vec<Violation> {
        let tick = rules.tick_size;
        let Some(formula) = Price::new(tick.get()).ok().and_then(|tick| Formula::of(self, tick)) else {
            return Vec::new();
        };
        if formula.differ() {
            return Vec::new();
        }
        let remedy = match formula.most_levels() {
            Some(most) => format!("give two levels the same price at tickSize {tick}; write {most} or fewer"),
            None => format!("give two levels the same price at tickSize {tick}, and fewer do too; widen the bounds"),
        };
        vec![Violation::new(format!("{path}.levels"), self.levels, remedy)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(more: &str) -> Vec<String> {
        let json = format!(r#"{{"lowerPrice": 500, "upperPrice": 700{more}}}"#);
        let parameters: LadderParameters = serde_json::from_str(&json).unwrap();
        parameters.validate("ladder").into_iter().map(|violation| violation.path).collect()
    }

    #[test]
    fn each_bound_is_held_at_its_last_value() {
        for more in [
            "",
            r#", "levels": 2"#,
            r#", "levels": 200"#,
            r#", "quantity": "0.000000001""#,
            r#", "reservePercent": 0"#,
            r#", "reservePercent": 99"#,
            r#", "triggerPrice": "0.000000001""#,
            r#", "triggerPrice": "999999999.999999999""#,
            r#", "maxSlippagePercent": 0"#,
            r#", "maxSlippagePercent": 10"#,
        ] {
            assert_eq!(refused(more), Vec::<String>::new(), "{more}");
        }
        for (more, path) in [
            (r#", "levels": 1"#, "levels"),
            (r#", "levels": 201"#, "levels"),
            (r#", "quantity": 0"#, "quantity"),
            (r#", "reservePercent": "99.000000001""#, "reservePercent"),
            (r#", "triggerPrice": 0"#, "triggerPrice"),
            (r#", "triggerPrice": 1000000000"#, "triggerPrice"),
            (r#", "maxSlippagePercent": "10.000000001""#, "maxSlippagePercent"),
        ] {
            assert_eq!(refused(more), [format!("ladder.{path}")], "{more}");
        }
        let bounds = |lower: &str, upper: &str| {
            let json = format!(r#"{{"lowerPrice": "{lower}", "upperPrice": "{upper}"}}"#);
            let parameters: LadderParameters = serde_json::from_str(&json).unwrap();
            parameters.validate("l").into_iter().map(|violation| violation.path).collect::<Vec<_>>()
        };
        assert_eq!(bounds("0.000000001", "999999999.999999999"), Vec::<String>::new());
        assert_eq!(bounds("0", "1"), ["l.lowerPrice"]);
        assert_eq!(bounds("1", "1000000000"), ["l.upperPrice"]);
        assert_eq!(bounds("1000000000", "1"), ["l.lowerPrice"], "only what is in range is compared");
        assert_eq!(bounds("5", "5"), ["l.lowerPrice"]);
        assert_eq!(bounds("5", "4.999999999"), ["l.lowerPrice"]);
    }

    #[test]
    fn levels_that_are_one_price_are_refused_with_the_most_that_are_not() {
        let told = |lower: &str, upper: &str, levels: u32, spacing: &str| {
            let json = format!(
                r#"{{"lowerPrice": "{lower}", "upperPrice": "{upper}", "levels": {levels}, "spacing": "{spacing}"}}"#
            );
            let parameters: LadderParameters = serde_json::from_str(&json).unwrap();
            let rules = Rules {
                tick_size: "0.01".parse().unwrap(),
                lot_size: "0.001".parse().unwrap(),
                min_notional: "0".parse().unwrap(),
            };
            parameters.validate_levels(&rules, "l").into_iter().map(|one| one.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(told("500", "700", 200, "Arithmetic"), Vec::<String>::new());
        // 100 steps of a hundredth.
        assert_eq!(told("1", "2", 100, "Arithmetic"), Vec::<String>::new());
        assert_eq!(
            told("1", "2", 101, "Arithmetic"),
            ["l.levels: 101 give two levels the same price at tickSize 0.01; write 100 or fewer"]
        );
        // Half steps: 1.005 and 1.015 are even cents, 1.00 and 1.02, so each second pair would merge.
        let one = told("1", "1.01", 2, "Arithmetic");
        assert_eq!(
            one,
            ["l.levels: 2 give two levels the same price at tickSize 0.01, and fewer do too; widen the bounds"]
        );
        // Of 70 steps of 2^(1/70) the first is under a cent, and two levels near 1 are one.
        let most = |levels| told("1", "2", levels, "Geometric");
        assert!(most(200)[0].ends_with("write 76 or fewer"), "{:?}", most(200));
        assert_eq!((most(76).len(), most(77).len()), (0, 1));
    }
}

//! Where a grid buys: outside of these prices it sends no buy; it goes on tracking there, and sells.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::numbers::{ExactDecimal, Price};
use crate::validation::Violation;

/// The prices between which a grid buys, both bounds included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RangeParameters {
    /// Below it no buy is sent; above 0, below upperPrice, in quote. Quote decimals.
    pub lower_price: ExactDecimal,
    /// Above it no buy is sent; below 1000000000, in quote. Quote decimals.
    pub upper_price: ExactDecimal,
}

impl RangeParameters {
    /// Whether a buy may be sent at this price.
    pub(super) fn holds(&self, price: Price) -> bool {
        (self.lower_price.get()..=self.upper_price.get()).contains(&price.get())
    }

    /// All that is wrong with these parameters.
    pub(super) fn validate(&self, path: &str) -> Vec<Violation> {
        let mut violations = Vec::new();
        let is_price = |price: ExactDecimal| {
            price > ExactDecimal::from_integer(0) && price < ExactDecimal::from_integer(1_000_000_000)
        };
        for (name, price) in [("lowerPrice", self.lower_price), ("upperPrice", self.upper_price)] {
            if !is_price(price) {
                let remedy = "is out of range; write a price above 0 and below 1000000000";
                violations.push(Violation::new(format!("{path}.{name}"), price, remedy));
            }
        }
        if self.lower_price >= self.upper_price {
            let remedy = format!("is not below upperPrice {}; lower it or raise the other", self.upper_price);
            violations.push(Violation::new(format!("{path}.lowerPrice"), self.lower_price, remedy));
        }
        violations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bounds_are_within() {
        let range: RangeParameters = serde_json::from_str(r#"{"lowerPrice": 500, "upperPrice": "612.005"}"#).unwrap();
        for (price, within) in
            [("499.99", false), ("500", true), ("612.00", true), ("612.005", true), ("612.01", false)]
        {
            assert_eq!(range.holds(price.parse().unwrap()), within, "{price}");
        }
    }

    #[test]
    fn every_bound_is_held() {
        for (lower, upper, said) in [
            ("0.000000001", "999999999.999999999", None),
            ("0", "1", Some("lowerPrice 0 is out of range; write a price above 0 and below 1000000000")),
            (
                "1",
                "1000000000",
                Some("upperPrice 1000000000 is out of range; write a price above 0 and below 1000000000"),
            ),
            ("5", "5", Some("lowerPrice 5 is not below upperPrice 5; lower it or raise the other")),
        ] {
            let [lower_price, upper_price] = [lower, upper].map(|price| price.parse().unwrap());
            let violations = RangeParameters { lower_price, upper_price }.validate("range");
            let told: Vec<_> =
                violations.iter().map(|one| format!("{} {} {}", one.path, one.value, one.remedy)).collect();
            assert_eq!(told, said.map(|said| format!("range.{said}")).into_iter().collect::<Vec<_>>());
        }
    }
}

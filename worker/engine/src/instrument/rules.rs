//! The venue's rules for orders in one market.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::numbers::ExactDecimal;
use crate::validation::Violation;

/// The rules as written in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rules {
    /// Prices of orders are multiples of this, for example "0.01". Quote decimals.
    pub tick_size: ExactDecimal,
    /// Quantities of orders are multiples of this, for example "0.00001". Quote decimals.
    pub lot_size: ExactDecimal,
    /// The least worth of an order, in quote. Orders below it are denied. Default 0: no least worth.
    #[serde(default = "Rules::default_min_notional")]
    pub min_notional: ExactDecimal,
}

impl Rules {
    /// Digits that tick size and lot size may have together, so that fees stay exact in 28 digits.
    pub const PLACES_MAX: u32 = 12;

    const fn default_min_notional() -> ExactDecimal {
        ExactDecimal::from_integer(0)
    }

    /// All that is wrong with these rules.
    pub fn validate(&self, path: &str) -> Vec<Violation> {
        let mut violations = Vec::new();
        for (name, value) in [("tickSize", self.tick_size), ("lotSize", self.lot_size)] {
            if value.get().is_zero() {
                violations.push(Violation::new(
                    format!("{path}.{name}"),
                    value,
                    "is zero; write the venue's step, such as \"0.01\"",
                ));
            }
        }
        let places = self.tick_size.get().normalize().scale().saturating_add(self.lot_size.get().normalize().scale());
        if places > Self::PLACES_MAX {
            let remedy = format!(
                "and tickSize have {places} digits after the point together; at most {} stay exact",
                Self::PLACES_MAX
            );
            violations.push(Violation::new(format!("{path}.lotSize"), self.lot_size, remedy));
        }
        violations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_with_too_many_digits_are_refused() {
        let rules = |tick: &str, lot: &str| Rules {
            tick_size: tick.parse().unwrap(),
            lot_size: lot.parse().unwrap(),
            min_notional: ExactDecimal::from_integer(5),
        };
        assert!(rules("0.01", "0.00001").validate("r").is_empty());
        assert_eq!(rules("0", "1").validate("r")[0].path, "r.tickSize");
        assert_eq!(rules("0.00000001", "0.00001").validate("r")[0].path, "r.lotSize");
    }
}

//! The parameters of position control as a manifest gives them, with defaults and bounds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::market::LOOK_BACK_MAX;
use crate::numbers::ExactDecimal;
use crate::validation::Violation;

/// Keeps the share of coins in hand at extremes: above the high of the last days it sells down to a share of the equity,
/// below their low it buys up to another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PositionControlParameters {
    /// Of how many completed UTC days high and low are taken, the last one being yesterday; 1 to 1000. Nothing is traded
    /// before all are there, one after the other. Default 52.
    #[serde(default = "PositionControlParameters::default_look_back_days")]
    #[schemars(range(min = 1, max = 1000))]
    pub look_back_days: u32,
    /// Above the high it sells coins until they are worth this much of the equity, in percent; 0 to 100. Default 50. Quote
    /// decimals.
    #[serde(default = "PositionControlParameters::default_sell_target_percent")]
    pub sell_target_percent: ExactDecimal,
    /// Below the low it buys coins until they are worth this much of the equity, in percent; 0 to 100. Default 70. Quote
    /// decimals.
    #[serde(default = "PositionControlParameters::default_buy_target_percent")]
    pub buy_target_percent: ExactDecimal,
    /// The most of the coins, or of the cash, that one order uses, in percent; above 0, up to 100. Default 95. Quote
    /// decimals.
    #[serde(default = "PositionControlParameters::default_use_percent")]
    pub use_percent: ExactDecimal,
    /// How far the limit may lie from the tick's price, in percent, before the order is denied; 0 to 10.
    /// Default "0.5". Quote decimals.
    #[serde(default = "PositionControlParameters::default_max_slippage_percent")]
    pub max_slippage_percent: ExactDecimal,
}

impl Default for PositionControlParameters {
    fn default() -> Self {
        Self {
            look_back_days: Self::default_look_back_days(),
            sell_target_percent: Self::default_sell_target_percent(),
            buy_target_percent: Self::default_buy_target_percent(),
            use_percent: Self::default_use_percent(),
            max_slippage_percent: Self::default_max_slippage_percent(),
        }
    }
}

impl PositionControlParameters {
    const fn default_look_back_days() -> u32 {
        52
    }

    const fn default_sell_target_percent() -> ExactDecimal {
        ExactDecimal::from_integer(50)
    }

    const fn default_buy_target_percent() -> ExactDecimal {
        ExactDecimal::from_integer(70)
    }

    const fn default_use_percent() -> ExactDecimal {
        ExactDecimal::from_integer(95)
    }

    const fn default_max_slippage_percent() -> ExactDecimal {
        ExactDecimal::from_scaled(5, 1)
    }

    /// All that is wrong with these parameters.
    pub fn validate(&self, path: &str) -> Vec<Violation> {
        let hundred = ExactDecimal::from_integer(100);
        let mut violations = Vec::new();
        let mut refuse = |name: &str, value: &dyn std::fmt::Display, remedy: &str| {
            violations.push(Violation::new(format!("{path}.{name}"), value, remedy));
        };
        if self.look_back_days == 0 || self.look_back_days as usize > LOOK_BACK_MAX {
            refuse("lookBackDays", &self.look_back_days, "is out of range; write 1 to 1000");
        }
        for (name, target) in
            [("sellTargetPercent", self.sell_target_percent), ("buyTargetPercent", self.buy_target_percent)]
        {
            if target > hundred {
                refuse(name, &target, "is out of range; write 0 to 100");
            }
        }
        if self.use_percent == ExactDecimal::from_integer(0) || self.use_percent > hundred {
            refuse("usePercent", &self.use_percent, "is out of range; write above 0, up to 100");
        }
        if self.max_slippage_percent > ExactDecimal::from_integer(10) {
            refuse(
                "maxSlippagePercent",
                &self.max_slippage_percent,
                "is out of range; write 0 to 10, in quotes if it has a point",
            );
        }
        violations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_every_bound_is_held() {
        let good = [
            "{}",
            r#"{"lookBackDays": 1, "sellTargetPercent": 0, "buyTargetPercent": 0, "usePercent": "0.000000001"}"#,
            r#"{"lookBackDays": 1000, "sellTargetPercent": 100, "buyTargetPercent": 100, "usePercent": 100,
                "maxSlippagePercent": 10}"#,
            r#"{"maxSlippagePercent": 0}"#,
        ];
        for json in good {
            let parameters: PositionControlParameters = serde_json::from_str(json).unwrap();
            assert_eq!(parameters.validate("positionControl"), [], "{json}");
        }
        let cases = [
            (r#"{"lookBackDays": 0}"#, "lookBackDays"),
            (r#"{"lookBackDays": 1001}"#, "lookBackDays"),
            (r#"{"sellTargetPercent": "100.1"}"#, "sellTargetPercent"),
            (r#"{"buyTargetPercent": "100.000000001"}"#, "buyTargetPercent"),
            (r#"{"usePercent": 0}"#, "usePercent"),
            (r#"{"usePercent": 101}"#, "usePercent"),
            (r#"{"maxSlippagePercent": "10.1"}"#, "maxSlippagePercent"),
        ];
        for (json, field) in cases {
            let parameters: PositionControlParameters = serde_json::from_str(json).unwrap();
            let violations = parameters.validate("positionControl");
            assert_eq!(violations.len(), 1, "{json}");
            assert_eq!(violations[0].path, format!("positionControl.{field}"), "{json}");
        }
    }
}

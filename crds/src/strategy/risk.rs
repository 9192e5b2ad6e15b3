//! The bounds of a strategy's orders.

use engine::instrument::Asset;
use engine::numbers::ExactDecimal;
use engine::validation::Violation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Amounts;

/// Bounds that each order must keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RiskLimits {
    /// No sell below this share of the strategy's equity held in base, in percent; 0 to 100 and below
    /// maxPositionPercent. Default 10. Quote decimals.
    #[serde(default = "RiskLimits::default_min_position_percent")]
    pub min_position_percent: ExactDecimal,
    /// No buy above this share of the strategy's equity held in base, in percent; 0 to 100 and above
    /// minPositionPercent. Default 90. Quote decimals.
    #[serde(default = "RiskLimits::default_max_position_percent")]
    pub max_position_percent: ExactDecimal,
    /// The most that one order may be worth, in the quote asset, such as {USDT: 1000}; above 0. Default: no
    /// bound. Quote decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minProperties" = 1, "maxProperties" = 16))]
    pub max_order_notional: Option<Amounts>,
    /// The most orders within a minute; 1 to 600. Default 10.
    #[serde(default = "RiskLimits::default_max_orders_per_minute")]
    #[schemars(range(min = 1, max = 600))]
    pub max_orders_per_minute: u32,
    /// The age in seconds from which a price triggers no order; 1 to 3600. Default 5. A replay's prices never
    /// age.
    #[serde(default = "RiskLimits::default_max_tick_age_seconds")]
    #[schemars(range(min = 1, max = 3600))]
    pub max_tick_age_seconds: u32,
}

impl Default for RiskLimits {
    fn default() -> Self {
        Self {
            min_position_percent: Self::default_min_position_percent(),
            max_position_percent: Self::default_max_position_percent(),
            max_order_notional: None,
            max_orders_per_minute: Self::default_max_orders_per_minute(),
            max_tick_age_seconds: Self::default_max_tick_age_seconds(),
        }
    }
}

impl RiskLimits {
    const fn default_min_position_percent() -> ExactDecimal {
        ExactDecimal::from_integer(10)
    }

    const fn default_max_position_percent() -> ExactDecimal {
        ExactDecimal::from_integer(90)
    }

    const fn default_max_orders_per_minute() -> u32 {
        10
    }

    const fn default_max_tick_age_seconds() -> u32 {
        5
    }

    /// All that is wrong with these bounds for instruments with these `quotes`.
    pub fn validate(&self, path: &str, quotes: &[&Asset]) -> Vec<Violation> {
        let mut violations = self.validate_positions(path);
        for (asset, amount) in self.max_order_notional.iter().flatten() {
            let path = format!("{path}.maxOrderNotional.{asset}");
            if !quotes.contains(&asset) {
                let quotes: Vec<&str> = quotes.iter().map(|quote| quote.as_str()).collect();
                let remedy = format!("is not the quote asset of an instrument; write {}", quotes.join(" or "));
                violations.push(Violation::new(path, asset, remedy));
            } else if amount.get().is_zero() {
                violations.push(Violation::new(
                    path,
                    amount,
                    "denies every order; write more than 0, or leave the field out for no bound",
                ));
            }
        }
        for (name, value, most) in [
            ("maxOrdersPerMinute", self.max_orders_per_minute, 600),
            ("maxTickAgeSeconds", self.max_tick_age_seconds, 3600),
        ] {
            if value < 1 || value > most {
                let remedy = format!("is out of range; write 1 to {most}");
                violations.push(Violation::new(format!("{path}.{name}"), value, remedy));
            }
        }
        violations
    }

    fn validate_positions(&self, path: &str) -> Vec<Violation> {
        let mut violations = Vec::new();
        for (name, value) in
            [("minPositionPercent", self.min_position_percent), ("maxPositionPercent", self.max_position_percent)]
        {
            if value > ExactDecimal::from_integer(100) {
                violations.push(Violation::new(format!("{path}.{name}"), value, "is out of range; write 0 to 100"));
            }
        }
        if violations.is_empty() && self.min_position_percent >= self.max_position_percent {
            let remedy = format!("is not below maxPositionPercent {}; lower it", self.max_position_percent);
            violations.push(Violation::new(format!("{path}.minPositionPercent"), self.min_position_percent, remedy));
        }
        violations
    }
}

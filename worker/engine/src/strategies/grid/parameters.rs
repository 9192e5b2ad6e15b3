//! The grid's parameters as a manifest gives them, with defaults and bounds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::adaptive::BARS;
use super::{AdaptiveParameters, RangeParameters};
use crate::market::Interval;
use crate::numbers::{ExactDecimal, Quantity, Ratio};
use crate::strategies::OrderSize;
use crate::validation::Violation;

/// A trailing grid of one level on each side of a moving base price: it sells after a rise that turns down,
/// buys after a fall that turns up, and moves its base to what it traded at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GridParameters {
    /// The price the bands lie around at first, above 0, in quote. Default: the first tick's price. It moves
    /// with each order that trades; editing it, and only that, recentres once. Quote decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_price: Option<ExactDecimal>,
    /// How far the bands lie from the base price, in percent; 0.01 to 50. Default 2, unless adaptive is set. Quote
    /// decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid_size_percent: Option<ExactDecimal>,
    /// A grid size that follows the market's volatility, instead of gridSizePercent: judged at each close of a bar of 4
    /// hours from the last 42 of them; basePercent until then. Write {} for the default parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<AdaptiveParameters>,
    /// Prices between which it buys: outside of them no buy is sent, sells are. Default: it buys at any price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<RangeParameters>,
    /// How far the price must turn before an order, as a share of the grid size: a sell fires after a fall of
    /// factor x grid size from the high; 0 to 1. Default "0.2". Quote decimals.
    #[serde(default = "GridParameters::default_flip_threshold_factor")]
    pub flip_threshold_factor: ExactDecimal,
    /// Worth of an order in percent of the strategy's equity; above 0, up to 100. Default 10, unless quantity
    /// is set. Quote decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_percent: Option<ExactDecimal>,
    /// Size of an order in base, above 0, instead of orderPercent. Quote decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<ExactDecimal>,
    /// Seconds after a fill in which the grid tracks but triggers nothing; 0 to 86400. Default 30.
    #[serde(default = "GridParameters::default_min_trade_interval_seconds")]
    #[schemars(range(min = 0, max = 86400))]
    pub min_trade_interval_seconds: u32,
    /// How far the limit may lie from the tick's price, in percent, before the order is denied; 0 to 10.
    /// Default "0.1". Quote decimals.
    #[serde(default = "GridParameters::default_max_slippage_percent")]
    pub max_slippage_percent: ExactDecimal,
}

impl Default for GridParameters {
    fn default() -> Self {
        Self {
            base_price: None,
            grid_size_percent: None,
            adaptive: None,
            range: None,
            flip_threshold_factor: Self::default_flip_threshold_factor(),
            order_percent: None,
            quantity: None,
            min_trade_interval_seconds: Self::default_min_trade_interval_seconds(),
            max_slippage_percent: Self::default_max_slippage_percent(),
        }
    }
}

impl GridParameters {
    /// The default of `orderPercent` where neither it nor `quantity` is written.
    pub const DEFAULT_ORDER_PERCENT: ExactDecimal = ExactDecimal::from_integer(10);

    /// The default of `gridSizePercent` where neither it nor `adaptive` is written.
    pub const DEFAULT_GRID_SIZE_PERCENT: ExactDecimal = ExactDecimal::from_integer(2);

    const fn default_flip_threshold_factor() -> ExactDecimal {
        ExactDecimal::from_scaled(2, 1)
    }

    const fn default_min_trade_interval_seconds() -> u32 {
        30
    }

    const fn default_max_slippage_percent() -> ExactDecimal {
        ExactDecimal::from_scaled(1, 1)
    }

    /// The same parameters with the default that stands in for `gridSizePercent` and `adaptive` written.
    #[must_use]
    pub fn with_grid_size(self) -> Self {
        let grid_size_percent = match self.adaptive {
            Some(_) => self.grid_size_percent,
            None => self.grid_size_percent.or(Some(Self::DEFAULT_GRID_SIZE_PERCENT)),
        };
        Self { grid_size_percent, ..self }
    }

    /// The same parameters with each default that stands in for two of them written.
    #[must_use]
    pub fn with_defaults(self) -> Self {
        let order_percent = match self.quantity {
            Some(_) => self.order_percent,
            None => self.order_percent.or(Some(Self::DEFAULT_ORDER_PERCENT)),
        };
        Self { order_percent, ..self }.with_grid_size()
    }

    /// The bars of which an adaptive size is made.
    pub fn bars(&self) -> Option<Interval> {
        self.adaptive.as_ref().map(|_| BARS.interval)
    }

    /// The grid size, where no bars are known.
    pub fn grid_size(&self) -> ExactDecimal {
        match &self.adaptive {
            Some(adaptive) => adaptive.base(),
            None => self.grid_size_percent.unwrap_or(Self::DEFAULT_GRID_SIZE_PERCENT),
        }
    }

    /// The size of an order.
    pub fn order_size(&self) -> OrderSize {
        match self.quantity.map(|quantity| Quantity::new(quantity.get())) {
            Some(Ok(quantity)) => OrderSize::Fixed(quantity),
            Some(Err(_)) | None => {
                OrderSize::EquityShare(Ratio::from_percent(self.order_percent.unwrap_or(Self::DEFAULT_ORDER_PERCENT)))
            }
        }
    }

    /// All that is wrong with these parameters.
    pub fn validate(&self, path: &str) -> Vec<Violation> {
        let zero = ExactDecimal::from_integer(0);
        let mut violations = Vec::new();
        let mut refuse = |name: &str, value: &dyn std::fmt::Display, remedy: &str| {
            violations.push(Violation::new(format!("{path}.{name}"), value, remedy));
        };
        if let Some(base) = self.base_price
            && (base == zero || base >= ExactDecimal::from_integer(1_000_000_000))
        {
            refuse(
                "basePrice",
                &base,
                "is out of range; write a price above 0 and below 1000000000, or leave it out for the first tick's",
            );
        }
        if let Some(size) = self.grid_size_percent {
            if size < ExactDecimal::from_scaled(1, 2) || size > ExactDecimal::from_integer(50) {
                refuse("gridSizePercent", &size, "is out of range; write 0.01 to 50, in quotes if it has a point");
            }
            if self.adaptive.is_some() {
                refuse("gridSizePercent", &size, "and adaptive are both set; keep one");
            }
        }
        if self.flip_threshold_factor > ExactDecimal::from_integer(1) {
            refuse(
                "flipThresholdFactor",
                &self.flip_threshold_factor,
                "is out of range; write 0 to 1, in quotes if it has a point",
            );
        }
        if let Some(percent) = self.order_percent
            && (percent == zero || percent > ExactDecimal::from_integer(100))
        {
            refuse("orderPercent", &percent, "is out of range; write above 0, up to 100");
        }
        if let Some(quantity) = self.quantity {
            if quantity == zero {
                refuse("quantity", &quantity, "is zero; write an amount above 0, or orderPercent instead");
            }
            if self.order_percent.is_some() {
                refuse("quantity", &quantity, "and orderPercent are both set; keep one");
            }
        }
        if self.min_trade_interval_seconds > 86_400 {
            refuse("minTradeIntervalSeconds", &self.min_trade_interval_seconds, "is out of range; write 0 to 86400");
        }
        if self.max_slippage_percent > ExactDecimal::from_integer(10) {
            refuse(
                "maxSlippagePercent",
                &self.max_slippage_percent,
                "is out of range; write 0 to 10, in quotes if it has a point",
            );
        }
        violations.extend(self.adaptive.iter().flat_map(|adaptive| adaptive.validate(&format!("{path}.adaptive"))));
        violations.extend(self.range.iter().flat_map(|range| range.validate(&format!("{path}.range"))));
        violations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_every_bound_is_held() {
        assert!(GridParameters::default().validate("grid").is_empty());
        let cases = [
            (r#"{"gridSizePercent": 0}"#, "gridSizePercent"),
            (r#"{"gridSizePercent": 51}"#, "gridSizePercent"),
            (r#"{"gridSizePercent": 2, "adaptive": {}}"#, "gridSizePercent"),
            (r#"{"adaptive": {"minPercent": 5}}"#, "adaptive.minPercent"),
            (r#"{"range": {"lowerPrice": 2, "upperPrice": 1}}"#, "range.lowerPrice"),
            (r#"{"flipThresholdFactor": 2}"#, "flipThresholdFactor"),
            (r#"{"orderPercent": 0}"#, "orderPercent"),
            (r#"{"orderPercent": 10, "quantity": "0.1"}"#, "quantity"),
            (r#"{"quantity": 0}"#, "quantity"),
            (r#"{"basePrice": 0}"#, "basePrice"),
            (r#"{"minTradeIntervalSeconds": 86401}"#, "minTradeIntervalSeconds"),
            (r#"{"maxSlippagePercent": 11}"#, "maxSlippagePercent"),
        ];
        for (json, field) in cases {
            let parameters: GridParameters = serde_json::from_str(json).unwrap();
            assert_eq!(parameters.validate("grid")[0].path, format!("grid.{field}"), "{json}");
        }
    }

    #[test]
    fn exactly_at_a_bound_is_within_it() {
        for json in [
            r#"{"gridSizePercent": "0.01"}"#,
            r#"{"gridSizePercent": 50}"#,
            r#"{"flipThresholdFactor": 1}"#,
            r#"{"flipThresholdFactor": 0}"#,
            r#"{"orderPercent": 100}"#,
            r#"{"basePrice": "999999999.999999999"}"#,
            r#"{"minTradeIntervalSeconds": 86400}"#,
            r#"{"maxSlippagePercent": 10}"#,
        ] {
            let parameters: GridParameters = serde_json::from_str(json).unwrap();
            assert_eq!(parameters.validate("grid"), [], "{json}");
        }
        for (json, field) in [
            (r#"{"gridSizePercent": "0.009999999"}"#, "gridSizePercent"),
            (r#"{"gridSizePercent": "50.000000001"}"#, "gridSizePercent"),
            (r#"{"flipThresholdFactor": "1.000000001"}"#, "flipThresholdFactor"),
            (r#"{"orderPercent": "100.000000001"}"#, "orderPercent"),
            (r#"{"basePrice": 1000000000}"#, "basePrice"),
            (r#"{"basePrice": 1000000001}"#, "basePrice"),
            (r#"{"maxSlippagePercent": "10.000000001"}"#, "maxSlippagePercent"),
        ] {
            let parameters: GridParameters = serde_json::from_str(json).unwrap();
            assert_eq!(parameters.validate("grid")[0].path, format!("grid.{field}"), "{json}");
        }
    }

    #[test]
    fn what_is_not_written_is_the_published_default() {
        let parameters: GridParameters = serde_json::from_str("{}").unwrap();
        let GridParameters { flip_threshold_factor, min_trade_interval_seconds, max_slippage_percent, .. } = parameters;
        assert_eq!((flip_threshold_factor.to_string(), max_slippage_percent.to_string()), ("0.2".into(), "0.1".into()));
        assert_eq!(min_trade_interval_seconds, 30);
    }
}

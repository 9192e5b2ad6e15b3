//! The limits of one strategy as a manifest gives them, with defaults and bounds.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::instrument::{Asset, Symbol};
use crate::numbers::{ExactDecimal, Notional, Ratio};
use crate::validation::Violation;

use super::{Cooldown, OnBreach, PositionBounds, PositionLimits};

/// Limits that every order passes before it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RiskParameters {
    /// With coins worth less than this share of equity, in percent, the strategy only buys; 0 to 100, below
    /// maxPositionPercent. Default 10 for grid and positionControl, none for custom and process; a ladder takes it and is
    /// not bound by it. Quote decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_position_percent: Option<ExactDecimal>,
    /// With coins worth more than this share of equity, in percent, the strategy only sells; 0 to 100. Default 90 for grid
    /// and positionControl, none for custom and process; a ladder takes it and is not bound by it. Quote decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_position_percent: Option<ExactDecimal>,
    /// The largest worth of one order, by quote asset, such as {USDT: 1000}. Default: no limit. Quote decimals.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub max_order_notional: BTreeMap<Asset, ExactDecimal>,
    /// The most orders in any 60 seconds; 1 to 600. Default 10.
    #[serde(default = "RiskParameters::default_max_orders_per_minute")]
    #[schemars(range(min = 1, max = 600))]
    pub max_orders_per_minute: u32,
    /// A tick older than this many seconds is tracked but triggers no order; 1 to 3600. Default 5.
    #[serde(default = "RiskParameters::default_max_tick_age_seconds")]
    #[schemars(range(min = 1, max = 3600))]
    pub max_tick_age_seconds: u32,
    /// The largest fall of equity from its peak, in percent of that; above 0, up to 100. More latches, with onBreach. Default:
    /// no limit. Quote decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_drawdown_percent: Option<ExactDecimal>,
    /// The largest fall of equity from that of the first tick of the UTC day, in percent of that; above 0, up to 100. Added
    /// during a day, from that of the next tick. More latches, with onBreach, also for the next day. Default: no limit. Quote
    /// decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_daily_loss_percent: Option<ExactDecimal>,
    /// So many sales in a row may lose, fees included; 0 to 1000. One more latches, with onBreach. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub max_consecutive_losses: Option<u32>,
    /// The largest worth of coins and open buys, by quote asset, such as {USDT: 5000}. An order beyond it is denied; where
    /// prices alone lead beyond it, it latches, with onBreach. Default: no limit. Quote decimals.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub max_exposure: BTreeMap<Asset, ExactDecimal>,
    /// How far an order's price may lie from the last tick's, in percent of that; above 0, up to 100. What reduces passes.
    /// Default: no limit. Quote decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_collar_percent: Option<ExactDecimal>,
    /// A pause of openings after orders that the venue rejected. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<Cooldown>,
    /// What a breached limit does: StopOpening cancels what opens, CancelOrders all, Flatten sells all coins too; after each
    /// of them nothing is opened before it is released. Default StopOpening.
    #[serde(default, skip_serializing_if = "OnBreach::is_default")]
    pub on_breach: OnBreach,
}

impl Default for RiskParameters {
    fn default() -> Self {
        Self {
            min_position_percent: None,
            max_position_percent: None,
            max_order_notional: BTreeMap::new(),
            max_orders_per_minute: Self::default_max_orders_per_minute(),
            max_tick_age_seconds: Self::default_max_tick_age_seconds(),
            max_drawdown_percent: None,
            max_daily_loss_percent: None,
            max_consecutive_losses: None,
            max_exposure: BTreeMap::new(),
            price_collar_percent: None,
            cooldown: None,
            on_breach: OnBreach::default(),
        }
    }
}

impl RiskParameters {
    const fn default_max_orders_per_minute() -> u32 {
        10
    }

    const fn default_max_tick_age_seconds() -> u32 {
        5
    }

    /// The same with the position limits written that a strategy of such bounds has by default.
    #[must_use]
    pub fn with_position_defaults(self, bounds: PositionBounds) -> Self {
        let or = |written: Option<ExactDecimal>, default| match bounds {
            PositionBounds::Bind | PositionBounds::Free => written.or(Some(ExactDecimal::from_integer(default))),
            PositionBounds::Written => written,
        };
        Self {
            min_position_percent: or(self.min_position_percent, 10),
            max_position_percent: or(self.max_position_percent, 90),
            ..self
        }
    }

    /// The position limits that bind a strategy of such bounds, as shares.
    pub fn position_limits(&self, bounds: PositionBounds) -> PositionLimits {
        let Self { min_position_percent: min, max_position_percent: max, .. } = match bounds {
            PositionBounds::Free => Self::default(),
            PositionBounds::Bind | PositionBounds::Written => self.clone().with_position_defaults(bounds),
        };
        PositionLimits { min: min.map(Ratio::from_percent), max: max.map(Ratio::from_percent) }
    }

    /// The largest worth of one order in `symbol`, if there is one.
    pub fn order_notional_limit(&self, symbol: &Symbol) -> Option<Notional> {
        self.max_order_notional.get(symbol.quote()).and_then(|limit| Notional::new(limit.get()).ok())
    }

    /// The largest exposure, if there is one: the markets of a strategy have one quote asset, and a manifest names no other.
    pub fn exposure_limit(&self) -> Option<Notional> {
        self.max_exposure.values().next().and_then(|limit| Notional::new(limit.get()).ok())
    }

    /// Whether a limit is set that is judged on each tick.
    pub fn is_judged(&self) -> bool {
        self.max_drawdown_percent.is_some()
            || self.max_daily_loss_percent.is_some()
            || self.max_consecutive_losses.is_some()
            || !self.max_exposure.is_empty()
    }

    /// The age in milliseconds from which a tick triggers nothing.
    pub fn max_tick_age_ms(&self) -> i64 {
        i64::from(self.max_tick_age_seconds).saturating_mul(1000)
    }

    /// All that is wrong with these limits, for a strategy of such bounds of its position.
    pub fn validate(&self, path: &str, bounds: PositionBounds) -> Vec<Violation> {
        let mut violations = self.validate_position(path, bounds);
        violations.extend(self.validate_orders(path));
        violations.extend(self.validate_limits(path));
        violations
    }

    fn validate_position(&self, path: &str, bounds: PositionBounds) -> Vec<Violation> {
        let (hundred, minimum) = (ExactDecimal::from_integer(100), "minPositionPercent");
        let Self { min_position_percent: min, max_position_percent: max, .. } =
            self.clone().with_position_defaults(bounds);
        let mut violations = Vec::new();
        for (name, value) in [(minimum, min), ("maxPositionPercent", max)] {
            if let Some(value) = value.filter(|value| *value > hundred) {
                violations.push(Violation::new(format!("{path}.{name}"), value, "is out of range; write 0 to 100"));
            }
        }
        if let Some((min, max)) = min.zip(max).filter(|(min, max)| min >= max) {
            let remedy = format!("is not below maxPositionPercent {max}; lower one or raise the other");
            violations.push(Violation::new(format!("{path}.{minimum}"), min, remedy));
        }
        violations
    }

    /// What is wrong with the other bounds of single orders.
    fn validate_orders(&self, path: &str) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut refuse = |name: &str, value: &dyn std::fmt::Display, remedy: String| {
            violations.push(Violation::new(format!("{path}.{name}"), value, remedy));
        };
        for (name, limits) in [("maxOrderNotional", &self.max_order_notional), ("maxExposure", &self.max_exposure)] {
            for (asset, limit) in limits.iter().filter(|(_, limit)| limit.get().is_zero()) {
                let remedy = "would deny every order; write an amount above 0".to_owned();
                refuse(&format!("{name}.{asset}"), limit, remedy);
            }
        }
        if !(1..=600).contains(&self.max_orders_per_minute) {
            refuse("maxOrdersPerMinute", &self.max_orders_per_minute, "is out of range; write 1 to 600".to_owned());
        }
        if !(1..=3600).contains(&self.max_tick_age_seconds) {
            refuse("maxTickAgeSeconds", &self.max_tick_age_seconds, "is out of range; write 1 to 3600".to_owned());
        }
        violations
    }

    /// What is wrong with the limits of the whole strategy.
    fn validate_limits(&self, path: &str) -> Vec<Violation> {
        let hundred = ExactDecimal::from_integer(100);
        let mut violations = Vec::new();
        for (name, value) in [
            ("maxDrawdownPercent", self.max_drawdown_percent),
            ("maxDailyLossPercent", self.max_daily_loss_percent),
            ("priceCollarPercent", self.price_collar_percent),
        ] {
            if let Some(value) = value.filter(|value| value.get().is_zero() || *value > hundred) {
                let remedy = "is out of range; write above 0, up to 100, or leave it out";
                violations.push(Violation::new(format!("{path}.{name}"), value, remedy));
            }
        }
        if let Some(losses) = self.max_consecutive_losses.filter(|losses| *losses > 1_000) {
            let (at, remedy) = (format!("{path}.maxConsecutiveLosses"), "is out of range; write 0 to 1000");
            violations.push(Violation::new(at, losses, remedy));
        }
        violations.extend(self.cooldown.iter().flat_map(|cooldown| cooldown.validate(&format!("{path}.cooldown"))));
        violations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths and values of what is refused.
    fn refused(json: &str) -> Vec<(String, String)> {
        refused_of(PositionBounds::Bind, json)
    }

    fn refused_of(bounds: PositionBounds, json: &str) -> Vec<(String, String)> {
        let parameters: RiskParameters = serde_json::from_str(json).unwrap();
        let violations = parameters.validate("risk", bounds).into_iter();
        violations.map(|violation| (violation.path.clone(), violation.to_string())).collect()
    }

    #[test]
    fn each_bound_is_held_at_its_last_value() {
        for json in [
            "{}",
            r#"{"minPositionPercent": 0, "maxPositionPercent": "0.000000001"}"#,
            r#"{"minPositionPercent": "99.999999999", "maxPositionPercent": 100}"#,
            r#"{"maxOrdersPerMinute": 1}"#,
            r#"{"maxOrdersPerMinute": 600}"#,
            r#"{"maxTickAgeSeconds": 1}"#,
            r#"{"maxTickAgeSeconds": 3600}"#,
            r#"{"maxOrderNotional": {"USDT": "0.000000001"}}"#,
            r#"{"maxDrawdownPercent": "0.000000001", "maxDailyLossPercent": 100, "priceCollarPercent": 100}"#,
            r#"{"maxDrawdownPercent": 100, "maxDailyLossPercent": "0.000000001", "priceCollarPercent": "0.000000001"}"#,
            r#"{"maxConsecutiveLosses": 0}"#,
            r#"{"maxConsecutiveLosses": 1000, "maxExposure": {"USDT": "0.000000001"}, "onBreach": "Flatten"}"#,
            r#"{"cooldown": {"rejects": 100, "seconds": 86400}}"#,
        ] {
            assert_eq!(refused(json), [], "{json}");
        }
        for (json, path, remedy) in [
            (r#"{"maxPositionPercent": "100.000000001"}"#, "maxPositionPercent", "write 0 to 100"),
            (r#"{"minPositionPercent": 50, "maxPositionPercent": 50}"#, "minPositionPercent", "is not below"),
            (r#"{"minPositionPercent": 51, "maxPositionPercent": 50}"#, "minPositionPercent", "is not below"),
            (r#"{"maxOrdersPerMinute": 0}"#, "maxOrdersPerMinute", "write 1 to 600"),
            (r#"{"maxOrdersPerMinute": 601}"#, "maxOrdersPerMinute", "write 1 to 600"),
            (r#"{"maxTickAgeSeconds": 0}"#, "maxTickAgeSeconds", "write 1 to 3600"),
            (r#"{"maxTickAgeSeconds": 3601}"#, "maxTickAgeSeconds", "write 1 to 3600"),
            (r#"{"maxOrderNotional": {"USDT": 0}}"#, "maxOrderNotional.USDT", "would deny every order"),
            (r#"{"maxExposure": {"USDT": 0}}"#, "maxExposure.USDT", "would deny every order"),
            (r#"{"maxDrawdownPercent": 0}"#, "maxDrawdownPercent", "write above 0, up to 100"),
            (r#"{"maxDrawdownPercent": "100.000000001"}"#, "maxDrawdownPercent", "write above 0, up to 100"),
            (r#"{"maxDailyLossPercent": 0}"#, "maxDailyLossPercent", "write above 0, up to 100"),
            (r#"{"maxDailyLossPercent": "100.000000001"}"#, "maxDailyLossPercent", "write above 0, up to 100"),
            (r#"{"priceCollarPercent": 0}"#, "priceCollarPercent", "write above 0, up to 100"),
            (r#"{"priceCollarPercent": "100.000000001"}"#, "priceCollarPercent", "write above 0, up to 100"),
            (r#"{"maxConsecutiveLosses": 1001}"#, "maxConsecutiveLosses", "write 0 to 1000"),
            (r#"{"cooldown": {"rejects": 0}}"#, "cooldown.rejects", "write 1 to 100"),
            (r#"{"cooldown": {"seconds": 86401}}"#, "cooldown.seconds", "write 1 to 86400"),
        ] {
            let refused = refused(json);
            let [(found, message)] = &refused[..] else { panic!("{json}: {refused:?}") };
            assert!(*found == format!("risk.{path}") && message.contains(remedy), "{json}: {message}");
        }
        let both = refused(r#"{"minPositionPercent": "100.1", "maxPositionPercent": "100.2"}"#);
        assert_eq!(both.len(), 2, "{both:?}");
    }

    #[test]
    fn what_has_no_default_is_not_held_against_one() {
        for (json, default) in [(r#"{"minPositionPercent": 95}"#, "90"), (r#"{"maxPositionPercent": 5}"#, "5")] {
            assert_eq!(refused_of(PositionBounds::Written, json), [], "{json}");
            for bounds in [PositionBounds::Bind, PositionBounds::Free] {
                let [(path, said)] = &refused_of(bounds, json)[..] else { panic!("{bounds:?} {json}") };
                assert!(path == "risk.minPositionPercent" && said.contains(&format!("Percent {default};")), "{said}");
            }
        }
        let both = r#"{"minPositionPercent": 50, "maxPositionPercent": 50}"#;
        assert_eq!(refused_of(PositionBounds::Written, both).len(), 1);
    }

    #[test]
    fn the_limits_are_those_that_are_written() {
        let parameters: RiskParameters = serde_json::from_str(
            r#"{"minPositionPercent": 20, "maxPositionPercent": "80.5", "maxTickAgeSeconds": 7, "maxOrderNotional": {"USDT": 9}}"#,
        )
        .unwrap();
        let shares = |parameters: &RiskParameters, bounds| {
            let PositionLimits { min, max } = parameters.position_limits(bounds);
            [min, max].map(|share| share.map(|share| share.percent().to_string()))
        };
        let both = |min: &str, max: &str| [Some(min.to_owned()), Some(max.to_owned())];
        let least: RiskParameters = serde_json::from_str(r#"{"minPositionPercent": 95}"#).unwrap();
        for (bounds, written, none, one) in [
            (PositionBounds::Bind, both("20", "80.5"), both("10", "90"), both("95", "90")),
            (PositionBounds::Written, both("20", "80.5"), [None, None], [Some("95".to_owned()), None]),
            (PositionBounds::Free, [None, None], [None, None], [None, None]),
        ] {
            assert_eq!(shares(&parameters, bounds), written, "{bounds:?}");
            assert_eq!(shares(&RiskParameters::default(), bounds), none, "{bounds:?}");
            assert_eq!(shares(&least, bounds), one, "{bounds:?}");
        }
        assert_eq!(parameters.max_tick_age_ms(), 7_000);
        let limit = |symbol: &str| parameters.order_notional_limit(&symbol.parse().unwrap());
        assert_eq!((limit("BNB/USDT"), limit("BNB/BTC")), (Some("9".parse().unwrap()), None));
    }
}

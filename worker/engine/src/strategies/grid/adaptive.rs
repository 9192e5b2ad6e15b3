//! The grid size that follows the market's volatility: its parameters, and the size that closed bars give.
//!
//! It is judged at each close of a bar of 4 hours, from the newest bars alone, so that nothing must be remembered of those
//! before. A bar that is missing is passed over.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::indicators::{self, YEAR_OF_4H};
use crate::market::{Bar, Interval};
use crate::numbers::ExactDecimal;
use crate::strategies::{BarsOf, Needs};
use crate::validation::Violation;

/// Bars of one volatility.
const WINDOW: usize = 42;
/// Volatilities of which the mean gives the size.
const SMOOTHED: usize = 3;
/// Digits of a size after the point.
const PLACES: u32 = 2;
/// Digits of a volatility that is shown.
const SHOWN_PLACES: usize = 6;
/// A size that differs by no more is not taken over.
const STEP: ExactDecimal = ExactDecimal::from_scaled(1, 2);

/// The bars that it looks at.
pub(super) const BARS: BarsOf = BarsOf::first(Interval::FourHours);

/// A grid size that follows the market: wider where it moves much, narrower where it is calm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdaptiveParameters {
    /// The smallest grid size, in percent; 0.01 to 50, at most maxPercent. Default 1. Quote decimals.
    #[serde(default = "AdaptiveParameters::default_min_percent")]
    pub min_percent: ExactDecimal,
    /// The largest grid size, in percent; 0.01 to 50. Default 4. Quote decimals.
    #[serde(default = "AdaptiveParameters::default_max_percent")]
    pub max_percent: ExactDecimal,
    /// The grid size at centreVolatility, and until the volatility is known, in percent; 0.01 to 50. Default "2.5". Quote
    /// decimals.
    #[serde(default = "AdaptiveParameters::default_base_percent")]
    pub base_percent: ExactDecimal,
    /// The volatility at which the grid size is basePercent, as a share in a year, such as "0.25"; 0 to 10. Default "0.25".
    /// Quote decimals.
    #[serde(default = "AdaptiveParameters::default_centre_volatility")]
    pub centre_volatility: ExactDecimal,
    /// By how many percent the grid size grows when the volatility grows by 1; 0 to 1000. Default 10. Quote decimals.
    #[serde(default = "AdaptiveParameters::default_sensitivity")]
    pub sensitivity: ExactDecimal,
}

impl Default for AdaptiveParameters {
    fn default() -> Self {
        Self {
            min_percent: Self::default_min_percent(),
            max_percent: Self::default_max_percent(),
            base_percent: Self::default_base_percent(),
            centre_volatility: Self::default_centre_volatility(),
            sensitivity: Self::default_sensitivity(),
        }
    }
}

/// What the bars say at a close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    /// The newest volatility, for people; none before there are bars for one.
    pub sigma: Option<ExactDecimal>,
    /// The size that follows; none before there are enough volatilities.
    pub size: Option<ExactDecimal>,
}

impl AdaptiveParameters {
    const fn default_min_percent() -> ExactDecimal {
        ExactDecimal::from_integer(1)
    }

    const fn default_max_percent() -> ExactDecimal {
        ExactDecimal::from_integer(4)
    }

    const fn default_base_percent() -> ExactDecimal {
        ExactDecimal::from_scaled(25, 1)
    }

    const fn default_centre_volatility() -> ExactDecimal {
        ExactDecimal::from_scaled(25, 2)
    }

    const fn default_sensitivity() -> ExactDecimal {
        ExactDecimal::from_integer(10)
    }

    /// What it looks back on: the bars of the oldest volatility, and one more for each newer one.
    pub(super) fn needs() -> Needs {
        let look_back = WINDOW.saturating_add(SMOOTHED).saturating_sub(1);
        let bars = vec![(BARS, look_back)];
        Needs { bars, trades_while_warming_up: true, first_is_whole: true, ..Needs::default() }
    }

    /// The size until the bars give one.
    pub(super) fn base(&self) -> ExactDecimal {
        self.clamped(self.base_percent).normalised()
    }

    /// Within the bounds.
    pub(super) fn clamped(&self, size: ExactDecimal) -> ExactDecimal {
        size.min(self.max_percent).max(self.min_percent)
    }

    /// What these bars say, of which the last has just closed.
    pub(super) fn read(&self, bars: &[Bar]) -> Reading {
        let sigmas = bars.windows(WINDOW).map(|window| indicators::hybrid(window, YEAR_OF_4H));
        let sigmas: Vec<f64> = sigmas.flatten().collect();
        let sigma = sigmas.last().and_then(|sigma| indicators::rounded(*sigma, SHOWN_PLACES));
        let newest = sigmas.len().checked_sub(SMOOTHED).and_then(|first| sigmas.get(first..));
        Reading { sigma: sigma.map(ExactDecimal::normalised), size: newest.and_then(|newest| self.size(newest)) }
    }

    /// The size that the mean of these volatilities gives.
    fn size(&self, sigmas: &[f64]) -> Option<ExactDecimal> {
        let [base, slope, centre] =
            [self.base_percent, self.sensitivity, self.centre_volatility].map(indicators::float);
        let size = indicators::linear(base, slope, indicators::mean(sigmas), centre);
        let bounded = if size <= indicators::float(self.min_percent) {
            self.min_percent.rounded(PLACES)
        } else if size >= indicators::float(self.max_percent) {
            self.max_percent.rounded(PLACES)
        } else {
            indicators::rounded(size, PLACES as usize)?
        };
        Some(bounded.normalised())
    }

    /// Whether a size is so far from the one that holds that it is taken over.
    pub(super) fn differs(size: ExactDecimal, from: ExactDecimal) -> bool {
        size.get().saturating_sub(from.get()).abs() > STEP.get()
    }

    /// All that is wrong with these parameters.
    pub(super) fn validate(&self, path: &str) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut refuse = |name: &str, value: ExactDecimal, remedy: &str| {
            violations.push(Violation::new(format!("{path}.{name}"), value, remedy));
        };
        let sizes =
            [("minPercent", self.min_percent), ("maxPercent", self.max_percent), ("basePercent", self.base_percent)];
        for (name, size) in sizes {
            if size < STEP || size > ExactDecimal::from_integer(50) {
                refuse(name, size, "is out of range; write 0.01 to 50, in quotes if it has a point");
            }
        }
        if self.centre_volatility > ExactDecimal::from_integer(10) {
            refuse(
                "centreVolatility",
                self.centre_volatility,
                "is out of range; write 0 to 10, in quotes if it has a point",
            );
        }
        if self.sensitivity > ExactDecimal::from_integer(1000) {
            refuse("sensitivity", self.sensitivity, "is out of range; write 0 to 1000, in quotes if it has a point");
        }
        if self.min_percent > self.max_percent {
            let remedy = format!("is above maxPercent {}; lower it or raise the other", self.max_percent);
            refuse("minPercent", self.min_percent, &remedy);
        }
        violations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(json: &str, sigmas: &[f64]) -> String {
        let parameters: AdaptiveParameters = serde_json::from_str(json).unwrap();
        assert_eq!(parameters.validate("adaptive"), [], "{json}");
        parameters.size(sigmas).unwrap().to_string()
    }

    #[test]
    fn the_mean_of_three_gives_the_size() {
        for (sigmas, expected) in [
            ([0.05; 3], "1"),
            ([0.26; 3], "2.6"),
            ([0.20, 0.26, 0.32], "2.6"),
            ([0.32; 3], "3.2"),
            ([0.40; 3], "4"),
            ([7.0; 3], "4"),
        ] {
            assert_eq!(size("{}", &sigmas), expected, "{sigmas:?}");
        }
    }

    #[test]
    fn it_is_clamped_then_rounded_half_to_even() {
        assert_eq!(size(r#"{"maxPercent": "3.125"}"#, &[9.0; 3]), "3.12");
        assert_eq!(size(r#"{"minPercent": "1.375"}"#, &[0.0; 3]), "1.38");
        assert_eq!(size(r#"{"basePercent": "2.125", "centreVolatility": 0}"#, &[0.0; 3]), "2.12");
        assert_eq!(size(r#"{"basePercent": "2.375", "sensitivity": 0}"#, &[5.0; 3]), "2.38");
    }

    #[test]
    fn what_differs_by_a_hundredth_stays() {
        let differs =
            |size: &str, from: &str| AdaptiveParameters::differs(size.parse().unwrap(), from.parse().unwrap());
        assert!(!differs("2.51", "2.50") && !differs("2.49", "2.5") && !differs("2.5", "2.5"));
        assert!(differs("2.52", "2.50") && differs("2.48", "2.5") && differs("2.51", "2.499"));
    }

    #[test]
    fn every_bound_is_held() {
        let good = [
            r#"{"minPercent": "0.01", "maxPercent": 50, "basePercent": "0.01", "centreVolatility": 10, "sensitivity": 1000}"#,
            r#"{"minPercent": 2, "maxPercent": 2, "basePercent": 50, "centreVolatility": 0, "sensitivity": 0}"#,
        ];
        for json in good {
            let parameters: AdaptiveParameters = serde_json::from_str(json).unwrap();
            assert_eq!(parameters.validate("adaptive"), [], "{json}");
        }
        for (json, said) in [
            (
                r#"{"minPercent": "0.009"}"#,
                "minPercent 0.009 is out of range; write 0.01 to 50, in quotes if it has a point",
            ),
            (
                r#"{"maxPercent": "50.1"}"#,
                "maxPercent 50.1 is out of range; write 0.01 to 50, in quotes if it has a point",
            ),
            (r#"{"basePercent": 0}"#, "basePercent 0 is out of range; write 0.01 to 50, in quotes if it has a point"),
            (r#"{"basePercent": 51}"#, "basePercent 51 is out of range; write 0.01 to 50, in quotes if it has a point"),
            (
                r#"{"centreVolatility": "10.1"}"#,
                "centreVolatility 10.1 is out of range; write 0 to 10, in quotes if it has a point",
            ),
            (
                r#"{"sensitivity": 1001}"#,
                "sensitivity 1001 is out of range; write 0 to 1000, in quotes if it has a point",
            ),
            (r#"{"minPercent": "4.01"}"#, "minPercent 4.01 is above maxPercent 4; lower it or raise the other"),
        ] {
            let parameters: AdaptiveParameters = serde_json::from_str(json).unwrap();
            let violations = parameters.validate("adaptive");
            let told: Vec<_> =
                violations.iter().map(|one| format!("{} {} {}", one.path, one.value, one.remedy)).collect();
            assert_eq!(told, [format!("adaptive.{said}")]);
        }
    }
}

//! The limits of a whole strategy: which there are, what they are judged by, and when one is breached. A maximum is
//! breached by more than it. Pure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RiskParameters;
use super::cooldown::Cooling;
use crate::messages::AlertKind;
use crate::numbers::{ExactDecimal, Notional, NumberError, Ratio};
use crate::time::Timestamp;

/// What a breached limit does at once. What reduces, and each cancel, passes every limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum OnBreach {
    /// Cancels the orders that open, and sends none.
    #[default]
    StopOpening,
    /// Cancels all orders, then as StopOpening.
    CancelOrders,
    /// Cancels all orders and sells all coins, then as StopOpening.
    Flatten,
}

impl OnBreach {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub(super) const fn is_default(&self) -> bool {
        matches!(self, Self::StopOpening)
    }
}

/// A limit that is latched when it is breached, under the name of its field. In the order in which they are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Limit {
    /// The fall of equity from its peak.
    MaxDrawdownPercent,
    /// The fall of equity from that of the day's first tick.
    MaxDailyLossPercent,
    /// Sales with a loss, one after the other.
    MaxConsecutiveLosses,
    /// The worth of coins and of open buys.
    MaxExposure,
}

impl Limit {
    /// Each of them.
    pub const ALL: [Self; 4] =
        [Self::MaxDrawdownPercent, Self::MaxDailyLossPercent, Self::MaxConsecutiveLosses, Self::MaxExposure];

    /// Its name: that of its field.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaxDrawdownPercent => "maxDrawdownPercent",
            Self::MaxDailyLossPercent => "maxDailyLossPercent",
            Self::MaxConsecutiveLosses => "maxConsecutiveLosses",
            Self::MaxExposure => "maxExposure",
        }
    }

    /// The word of its alert.
    pub const fn alert(self) -> AlertKind {
        match self {
            Self::MaxDrawdownPercent => AlertKind::MaxDrawdown,
            Self::MaxDailyLossPercent => AlertKind::MaxDailyLoss,
            Self::MaxConsecutiveLosses => AlertKind::MaxConsecutiveLosses,
            Self::MaxExposure => AlertKind::MaxExposure,
        }
    }

    /// Its figure in a sentence.
    pub(crate) fn words(self, breach: &Breach) -> String {
        let Breach { figure, threshold } = breach;
        match self {
            Self::MaxDrawdownPercent => {
                format!("The equity is {figure} % below its peak, maxDrawdownPercent is {threshold}")
            }
            Self::MaxDailyLossPercent => {
                format!("The equity is {figure} % below the first of this day, maxDailyLossPercent is {threshold}")
            }
            Self::MaxConsecutiveLosses => {
                format!("{figure} sales in a row have lost, maxConsecutiveLosses is {threshold}")
            }
            Self::MaxExposure => format!("Coins and open buys are worth {figure}, maxExposure is {threshold}"),
        }
    }
}

/// What was found, and what it was held against, as they are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The figure; a share in percent, half-even at 2 digits.
    pub figure: String,
    /// As the manifest has it.
    pub threshold: String,
}

/// What all is worth when limits are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Worth {
    /// All of it.
    pub equity: Notional,
    /// The most that it was since the ledger opened.
    pub peak: Notional,
    /// The coins, and the buys that are open, each at its own price.
    pub exposure: Notional,
}

/// The first equity of a UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Day {
    /// Days since 1970.
    number: i64,
    equity: Notional,
}

const DAY_MS: i64 = 86_400_000;

/// What is remembered for limits: nothing of one that is not set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Measures {
    /// The peak since the drawdown was released; without a release that of the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peak: Option<Notional>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    day: Option<Day>,
    /// Sales with a loss since the last one with a gain.
    #[serde(default, skip_serializing_if = "is_zero")]
    losses: u64,
    /// What was made so far of sales that have not ended, by order.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    sales: BTreeMap<u64, Notional>,
    /// Orders that the venue rejected.
    #[serde(default, skip_serializing_if = "Cooling::is_empty")]
    pub cooling: Cooling,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Measures {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Forgets what no limit needs.
    pub fn keep_for(&mut self, risk: &RiskParameters) {
        if risk.max_drawdown_percent.is_none() {
            self.peak = None;
        }
        if risk.max_daily_loss_percent.is_none() {
            self.day = None;
        }
        if risk.max_consecutive_losses.is_none() {
            self.losses = 0;
            self.sales.clear();
        }
        if risk.cooldown.is_none() {
            self.cooling = Cooling::default();
        }
    }

    /// Takes a tick's equity up.
    pub fn follow(&mut self, risk: &RiskParameters, time: Timestamp, worth: &Worth) {
        if let Some(peak) = &mut self.peak {
            *peak = (*peak).max(worth.equity);
        }
        if risk.max_daily_loss_percent.is_some() {
            let number = time.millis().div_euclid(DAY_MS);
            if self.day.is_none_or(|day| day.number < number) {
                self.day = Some(Day { number, equity: worth.equity });
            }
        }
    }

    /// So much was put in, or taken out where it is below 0: what the equity is held against moves with it.
    pub fn transferred(&mut self, worth: Notional) -> Result<(), NumberError> {
        let peak = self.peak.map(|peak| peak.plus(worth)).transpose()?;
        let day = self.day.map(|day| Ok(Day { equity: day.equity.plus(worth)?, ..day })).transpose()?;
        (self.peak, self.day) = (peak, day);
        Ok(())
    }

    /// A trade of a sale has made so much, fees taken off.
    pub fn sold(&mut self, order: u64, made: Notional) {
        let sum = self.sales.entry(order).or_default();
        // Amounts of one ledger add up within its range.
        *sum = sum.plus(made).unwrap_or(*sum);
    }

    /// A sale has ended. One that made nothing at all changes nothing.
    pub fn sale_ended(&mut self, order: u64) {
        let made = self.sales.remove(&order).unwrap_or_default();
        if made < Notional::ZERO {
            self.losses = self.losses.saturating_add(1);
        } else if made > Notional::ZERO {
            self.losses = 0;
        }
    }

    /// Starts the measure of a limit anew at this equity.
    pub fn restart(&mut self, limit: Limit, equity: Notional) {
        match limit {
            Limit::MaxDrawdownPercent => self.peak = Some(equity),
            Limit::MaxDailyLossPercent => {
                self.day = self.day.map(|day| Day { equity, ..day });
            }
            Limit::MaxConsecutiveLosses => self.losses = 0,
            Limit::MaxExposure => {}
        }
    }

    /// Whether a limit is breached.
    pub fn breach(&self, limit: Limit, risk: &RiskParameters, worth: &Worth) -> Option<Breach> {
        match limit {
            Limit::MaxDrawdownPercent => {
                fall(self.peak.unwrap_or(worth.peak), worth.equity, risk.max_drawdown_percent?)
            }
            Limit::MaxDailyLossPercent => fall(self.day?.equity, worth.equity, risk.max_daily_loss_percent?),
            Limit::MaxConsecutiveLosses => {
                let most = risk.max_consecutive_losses?;
                let breach = Breach { figure: self.losses.to_string(), threshold: most.to_string() };
                (self.losses > u64::from(most)).then_some(breach)
            }
            Limit::MaxExposure => {
                let most = risk.exposure_limit()?;
                let breach = Breach { figure: worth.exposure.to_string(), threshold: most.to_string() };
                (worth.exposure > most).then_some(breach)
            }
        }
    }

    /// How much of a limit is used up: 1 is all of it. `None` of one that is not set, or has nothing to be used up.
    pub fn used(&self, limit: Limit, risk: &RiskParameters, worth: &Worth) -> Option<Ratio> {
        let of_fall = |from: Notional, percent: ExactDecimal| {
            let fall = from.minus(worth.equity).ok()?.max(Notional::ZERO);
            fall.share_of(from.share(Ratio::from_percent(percent)).ok()?)
        };
        match limit {
            Limit::MaxDrawdownPercent => of_fall(self.peak.unwrap_or(worth.peak), risk.max_drawdown_percent?),
            Limit::MaxDailyLossPercent => of_fall(self.day?.equity, risk.max_daily_loss_percent?),
            Limit::MaxConsecutiveLosses => {
                let count = |count: u64| Notional::new(count.into()).ok();
                count(self.losses)?.share_of(count(risk.max_consecutive_losses?.into())?)
            }
            Limit::MaxExposure => worth.exposure.share_of(risk.exposure_limit()?),
        }
    }
}

/// The fall of `equity` below `from`, where it is more than so many percent of that.
fn fall(from: Notional, equity: Notional, most: ExactDecimal) -> Option<Breach> {
    let fall = from.minus(equity).ok().filter(|fall| *fall > Notional::ZERO)?;
    let figure = fall.percent_of(from).map_or_else(String::new, |percent| percent.to_string());
    let is_more = fall.compare_with(from, Ratio::from_percent(most)).is_gt();
    is_more.then(|| Breach { figure, threshold: most.get().normalize().to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Notional {
        text.parse().unwrap()
    }

    fn worth(equity: &str, peak: &str) -> Worth {
        Worth { equity: amount(equity), peak: amount(peak), exposure: Notional::ZERO }
    }

    #[test]
    fn a_fall_is_a_breach_one_step_beyond_its_maximum() {
        let risk: RiskParameters = serde_json::from_str(r#"{"maxDrawdownPercent": 10}"#).unwrap();
        let found = |worth| Measures::default().breach(Limit::MaxDrawdownPercent, &risk, &worth);
        assert_eq!(found(worth("900", "1000")), None);
        let breach = found(worth("899.999999999999999999", "1000")).unwrap();
        assert_eq!((breach.figure.as_str(), breach.threshold.as_str()), ("10", "10"));
        // 10.385 and 10.395 %, each rounded once, half to even.
        assert_eq!(found(worth("896.15", "1000")).unwrap().figure, "10.38");
        assert_eq!(found(worth("896.05", "1000")).unwrap().figure, "10.4");
        assert_eq!(found(worth("896.14999", "1000")).unwrap().figure, "10.39");
        assert_eq!(found(worth("1001", "1000")), None);
    }

    #[test]
    fn a_day_begins_with_its_first_tick() {
        let risk: RiskParameters = serde_json::from_str(r#"{"maxDailyLossPercent": "0.5"}"#).unwrap();
        let mut measures = Measures::default();
        let at = Timestamp::from_millis;
        let mut breach = |time, equity| {
            let worth = worth(equity, "9999");
            measures.follow(&risk, at(time), &worth);
            measures.breach(Limit::MaxDailyLossPercent, &risk, &worth).map(|breach| breach.figure)
        };
        assert_eq!(breach(0, "1000"), None);
        assert_eq!(breach(1, "995"), None);
        assert_eq!(breach(DAY_MS - 1, "994.99"), Some("0.5".to_owned()));
        assert_eq!(breach(DAY_MS, "994.99"), None, "a new day");
        assert_eq!(breach(DAY_MS - 1, "990.02"), None, "a tick that comes late is of the new day");
        assert_eq!(breach(DAY_MS + 1, "990.01"), Some("0.5".to_owned()));
    }

    #[test]
    fn a_sale_is_a_loss_by_all_of_its_trades() {
        let mut measures = Measures::default();
        for (made, losses) in [
            (&["-1", "-1"][..], 1),
            (&["5", "-6"], 2),
            (&["1", "-1"], 2),
            (&[], 2),
            (&["-0.1"], 3),
            (&["-5", "5.1"], 0),
        ] {
            for trade in made {
                measures.sold(7, amount(trade));
            }
            measures.sale_ended(7);
            assert_eq!(measures.losses, losses, "{made:?}");
        }
    }
}

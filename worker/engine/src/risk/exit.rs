//! When a strategy is at its end: rules over price, profit and time. Pure. A rule holds at or beyond its figure; the first
//! that holds wins, in the order of the fields.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::Breach;
use crate::numbers::{ExactDecimal, Notional, NumberError, Price, Ratio};
use crate::time::Timestamp;
use crate::validation::Violation;

/// What is done once a rule holds. All orders are cancelled first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum ExitAction {
    /// Sells all coins.
    #[default]
    Flatten,
    /// Keeps the coins.
    StopOpening,
}

/// Rules that end a strategy. Once one holds, all orders are cancelled and nothing more is sent but what the action asks for;
/// the pod stays. With several instruments the percentages speak of the strategy's equity.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExitParameters {
    /// Ends at a price this many percent or more below the coins' average cost; above 0, up to 100. Default: never. Quote
    /// decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_loss_percent: Option<ExactDecimal>,
    /// Ends at a net profit of this many percent or more of the opening equity; above 0, up to 100000. With
    /// giveBackPercent it only arms that. Default: never. Quote decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take_profit_percent: Option<ExactDecimal>,
    /// Ends once this many percent or more of the highest net profit are lost again; above 0, up to 100. Judged once that
    /// profit has reached takeProfitPercent; without that from any profit on. Default: never. Quote decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub give_back_percent: Option<ExactDecimal>,
    /// Ends at this price of the first instrument or below; above 0, below 1000000000. Default: never. Quote decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below_price: Option<ExactDecimal>,
    /// Ends at this price of the first instrument or above; above 0, below 1000000000, above belowPrice. Default: never. Quote
    /// decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above_price: Option<ExactDecimal>,
    /// Ends so many hours after the ledger's first tick, by the ticks' own time; added later, so many hours after the last
    /// tick before; 1 to 87600. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 87600))]
    pub after_hours: Option<u32>,
    /// What is done then: Flatten sells all coins, StopOpening keeps them. Default Flatten.
    #[serde(default)]
    pub action: ExitAction,
}

impl ExitParameters {
    /// Whether no rule is set, so that it never ends.
    pub fn is_never(&self) -> bool {
        *self == Self { action: self.action, ..Self::default() }
    }

    /// All that is wrong with these rules.
    pub fn validate(&self, path: &str) -> Vec<Violation> {
        let whole = ExactDecimal::from_integer;
        let mut violations = Vec::new();
        let mut refuse = |name: &str, value: &dyn std::fmt::Display, remedy: String| {
            violations.push(Violation::new(format!("{path}.{name}"), value, remedy));
        };
        for (name, value, most) in [
            ("stopLossPercent", self.stop_loss_percent, 100),
            ("takeProfitPercent", self.take_profit_percent, 100_000),
            ("giveBackPercent", self.give_back_percent, 100),
        ] {
            if let Some(value) = value.filter(|value| value.get().is_zero() || *value > whole(most)) {
                refuse(name, &value, format!("is out of range; write above 0, up to {most}, or leave it out"));
            }
        }
        for (name, value) in [("belowPrice", self.below_price), ("abovePrice", self.above_price)] {
            if let Some(value) = value.filter(|value| value.get().is_zero() || *value >= whole(1_000_000_000)) {
                let remedy = "is out of range; write a price above 0 and below 1000000000, or leave it out";
                refuse(name, &value, remedy.to_owned());
            }
        }
        if let (Some(below), Some(above)) = (self.below_price, self.above_price)
            && below >= above
        {
            let remedy =
                format!("is not below abovePrice {above}, so it would end at once; lower one or raise the other");
            refuse("belowPrice", &below, remedy);
        }
        if let Some(hours) = self.after_hours.filter(|hours| !(1..=87_600).contains(hours)) {
            refuse("afterHours", &hours, "is out of range; write 1 to 87600".to_owned());
        }
        violations
    }
}

/// A rule, under the name of its field. In the order in which they are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExitRule {
    /// The price against the average cost.
    StopLossPercent,
    /// The net profit of the opening equity.
    TakeProfitPercent,
    /// What of the highest net profit is lost again.
    GiveBackPercent,
    /// The price of the first instrument.
    BelowPrice,
    /// The same.
    AbovePrice,
    /// The time since the first tick.
    AfterHours,
}

impl ExitRule {
    /// Each of them.
    pub const ALL: [Self; 6] = [
        Self::StopLossPercent,
        Self::TakeProfitPercent,
        Self::GiveBackPercent,
        Self::BelowPrice,
        Self::AbovePrice,
        Self::AfterHours,
    ];

    /// Its name: that of its field.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StopLossPercent => "stopLossPercent",
            Self::TakeProfitPercent => "takeProfitPercent",
            Self::GiveBackPercent => "giveBackPercent",
            Self::BelowPrice => "belowPrice",
            Self::AbovePrice => "abovePrice",
            Self::AfterHours => "afterHours",
        }
    }

    /// What its figure is of, in a sentence.
    pub(crate) const fn what(self) -> &'static str {
        match self {
            Self::StopLossPercent => "the price of what is held",
            Self::TakeProfitPercent | Self::GiveBackPercent => "the net profit",
            Self::BelowPrice | Self::AbovePrice => "the price",
            Self::AfterHours => "the hours since the first tick",
        }
    }
}

/// What rules are held against at one tick.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    /// What all is worth, without what was put in since the opening, and with what was taken out.
    pub equity: Notional,
    /// The most that it was since the ledger opened, counted the same.
    pub peak: Notional,
    /// What the opening amounts were worth.
    pub opening: Notional,
    /// The first instrument's price.
    pub price: Price,
    /// Of a strategy with one instrument: the worth of its coins, their cost, and their average cost for showing.
    pub coins: Option<(Notional, Notional, Option<Price>)>,
    /// When the tick was.
    pub time: Timestamp,
}

/// What is remembered for rules: nothing of one that is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExitMeasures {
    /// The highest equity since giveBackPercent was released, transfers left out; without a release that of the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peak: Option<Notional>,
    /// From when on hours are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
}

const HOUR_MS: i64 = 3_600_000;

impl ExitMeasures {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Forgets what no rule needs; hours that are counted from now on begin at `last`, the time of the last tick.
    pub fn keep_for(&mut self, exit: Option<&ExitParameters>, last: Option<Timestamp>) {
        if exit.is_none_or(|exit| exit.give_back_percent.is_none()) {
            self.peak = None;
        }
        if exit.is_none_or(|exit| exit.after_hours.is_none()) {
            self.since = None;
        } else {
            self.since = self.since.or(last);
        }
    }

    /// Takes a tick's equity up.
    pub fn follow(&mut self, exit: &ExitParameters, standing: &Standing) {
        if let Some(peak) = &mut self.peak {
            *peak = (*peak).max(standing.equity);
        }
        if exit.after_hours.is_some() {
            self.since = self.since.or(Some(standing.time));
        }
    }

    /// Starts the measure of a rule anew at this equity.
    pub const fn restart(&mut self, rule: ExitRule, equity: Notional) {
        match rule {
            ExitRule::GiveBackPercent => self.peak = Some(equity),
            ExitRule::StopLossPercent
            | ExitRule::TakeProfitPercent
            | ExitRule::BelowPrice
            | ExitRule::AbovePrice
            | ExitRule::AfterHours => {}
        }
    }

    /// The first rule that holds, with its figure and what that was held against.
    pub fn reached(
        &self,
        exit: &ExitParameters,
        standing: &Standing,
    ) -> Result<Option<(ExitRule, Breach)>, NumberError> {
        for rule in ExitRule::ALL {
            let found = match rule {
                ExitRule::StopLossPercent => stop_loss(exit, standing)?,
                ExitRule::TakeProfitPercent => take_profit(exit, standing)?,
                ExitRule::GiveBackPercent => self.give_back(exit, standing)?,
                ExitRule::BelowPrice => {
                    let bound = exit.below_price.filter(|bound| standing.price.get() <= bound.get());
                    bound.map(|bound| breach(standing.price.normalised(), bound.get().normalize()))
                }
                ExitRule::AbovePrice => {
                    let bound = exit.above_price.filter(|bound| standing.price.get() >= bound.get());
                    bound.map(|bound| breach(standing.price.normalised(), bound.get().normalize()))
                }
                ExitRule::AfterHours => self.after_hours(exit, standing.time),
            };
            if let Some(found) = found {
                return Ok(Some((rule, found)));
            }
        }
        Ok(None)
    }

    fn give_back(&self, exit: &ExitParameters, standing: &Standing) -> Result<Option<Breach>, NumberError> {
        let Some(given) = exit.give_back_percent.map(Ratio::from_percent) else { return Ok(None) };
        let net = standing.equity.minus(standing.opening)?;
        let peak = self.peak.unwrap_or(standing.peak).minus(standing.opening)?;
        let is_armed = match exit.take_profit_percent.map(Ratio::from_percent) {
            Some(armed) => peak.compare_with(standing.opening, armed).is_ge(),
            None => peak > Notional::ZERO,
        };
        let kept = given.below_one();
        if !is_armed || net.compare_with(peak, kept).is_gt() {
            return Ok(None);
        }
        Ok(Some(breach(net, peak.share(kept)?)))
    }

    fn after_hours(&self, exit: &ExitParameters, time: Timestamp) -> Option<Breach> {
        let hours = i64::from(exit.after_hours?);
        let gone = time.millis_since(self.since?);
        let figure = gone.checked_div(HOUR_MS)?;
        (gone >= hours.saturating_mul(HOUR_MS)).then(|| breach(figure, hours))
    }
}

fn breach(figure: impl std::fmt::Display, threshold: impl std::fmt::Display) -> Breach {
    Breach { figure: figure.to_string(), threshold: threshold.to_string() }
}

fn stop_loss(exit: &ExitParameters, standing: &Standing) -> Result<Option<Breach>, NumberError> {
    let Some(kept) = exit.stop_loss_percent.map(|percent| Ratio::from_percent(percent).below_one()) else {
        return Ok(None);
    };
    let Some((worth, cost, average)) = standing.coins else {
        let holds = standing.equity.compare_with(standing.opening, kept).is_le();
        return Ok(if holds { Some(breach(standing.equity, standing.opening.share(kept)?)) } else { None });
    };
    let Some(average) = average.filter(|_| worth.compare_with(cost, kept).is_le()) else { return Ok(None) };
    Ok(Some(breach(
        standing.price.normalised(),
        average.scaled(kept).map_or_else(|_| "0".to_owned(), |bound| bound.to_string()),
    )))
}

fn take_profit(exit: &ExitParameters, standing: &Standing) -> Result<Option<Breach>, NumberError> {
    let wanted = exit.take_profit_percent.filter(|_| exit.give_back_percent.is_none());
    let Some(share) = wanted.map(Ratio::from_percent) else { return Ok(None) };
    let net = standing.equity.minus(standing.opening)?;
    if net.compare_with(standing.opening, share).is_lt() {
        return Ok(None);
    }
    Ok(Some(breach(net, standing.opening.share(share)?)))
}

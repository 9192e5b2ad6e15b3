//! What is latched: limits that were breached, an exit that was reached. Each stays, through every restart, until it is
//! released by its name and since.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::exit::ExitMeasures;
use super::limits::{Breach, Measures};
use super::{ExitAction, ExitRule, Limit, OnBreach};
use crate::report::{LatchedLimit, Stopped};
use crate::time::{Timestamp, rfc3339};

/// When and where something was latched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Latch {
    /// Event time of the tick.
    pub since: Timestamp,
    /// The 0-based tick, over all markets of the strategy.
    pub index: u64,
    /// What was found.
    pub figure: String,
    /// What it was held against.
    pub threshold: String,
    /// Coins are still to be sold for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    flattens: bool,
}

impl Latch {
    pub(crate) fn new(since: Timestamp, index: u64, breach: Breach, flattens: bool) -> Self {
        let Breach { figure, threshold } = breach;
        Self { since, index, figure, threshold, flattens }
    }
}

/// All that holds a strategy back, and what that is judged by.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stops {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    limits: Vec<(Limit, Latch)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit: Option<(ExitRule, Latch)>,
    #[serde(default, skip_serializing_if = "Measures::is_empty")]
    pub measures: Measures,
    #[serde(default, skip_serializing_if = "ExitMeasures::is_empty")]
    pub exit_measures: ExitMeasures,
    /// Since when each was latched that was released last, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    released: BTreeMap<String, Timestamp>,
    /// The tick on which coins were last tried to be sold, by its number at its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sold_on: Option<u64>,
}

impl Stops {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether something is latched, or measures are to be followed, or forgotten, with the next tick.
    pub fn moves(&self) -> bool {
        self.latches().next().is_some() || !self.measures.is_empty() || !self.exit_measures.is_empty()
    }

    /// The limits that are latched, by index, then in their order.
    pub fn limits(&self) -> &[(Limit, Latch)] {
        &self.limits
    }

    /// The exit that was reached.
    pub const fn exit(&self) -> Option<&(ExitRule, Latch)> {
        self.exit.as_ref()
    }

    pub fn is_latched(&self, limit: Limit) -> bool {
        self.limits.iter().any(|(latched, _)| *latched == limit)
    }

    pub fn latch(&mut self, limit: Limit, latch: Latch) {
        self.limits.push((limit, latch));
    }

    pub fn reach(&mut self, rule: ExitRule, latch: Latch) {
        self.exit = Some((rule, latch));
    }

    /// Since when something is latched at this time: later than what was released, so that the same release does nothing
    /// about it, also where two ticks have one time.
    pub fn since(&self, name: &str, time: Timestamp) -> Timestamp {
        self.released.get(name).map_or(time, |released| time.max(released.plus_millis(1)))
    }

    fn latches(&self) -> impl Iterator<Item = &Latch> {
        self.limits.iter().map(|(_, latch)| latch).chain(self.exit.iter().map(|(_, latch)| latch))
    }

    /// Whether coins are still to be sold.
    pub fn flattens(&self) -> bool {
        self.latches().any(|latch| latch.flattens)
    }

    /// Nothing sellable is left.
    pub fn is_flat(&mut self) {
        let limits = self.limits.iter_mut().map(|(_, latch)| latch);
        for latch in limits.chain(self.exit.iter_mut().map(|(_, latch)| latch)) {
            latch.flattens = false;
        }
        self.sold_on = None;
    }

    /// What of it a release names; `None` where that is not latched, or not since then.
    pub fn released(&mut self, release: &Release) -> Option<Released> {
        let is_it = |name: &str, latch: &Latch| name == release.name && latch.since == release.since;
        let place = self.limits.iter().position(|(limit, latch)| is_it(limit.as_str(), latch));
        let released = match place {
            Some(place) => Released::Limit(self.limits.remove(place).0),
            None => Released::Exit(self.exit.take_if(|(rule, latch)| is_it(rule.as_str(), latch))?.0),
        };
        self.released.insert(release.name.clone(), release.since);
        Some(released)
    }

    /// The limits as they are shown.
    pub fn shown_limits(&self) -> Vec<LatchedLimit> {
        let shown = |(limit, latch): &(Limit, Latch)| LatchedLimit {
            name: limit.as_str().to_owned(),
            since: latch.since,
            figure: latch.figure.clone(),
            threshold: latch.threshold.clone(),
        };
        self.limits.iter().map(shown).collect()
    }

    /// The exit as it is shown.
    pub fn shown_exit(&self) -> Option<Stopped> {
        self.exit.as_ref().map(|(rule, latch)| Stopped {
            reason: EXIT_REACHED.to_owned(),
            rule: rule.as_str().to_owned(),
            since: latch.since,
            figure: latch.figure.clone(),
            threshold: latch.threshold.clone(),
        })
    }
}

/// The word of a strategy that an exit has ended.
pub const EXIT_REACHED: &str = "ExitReached";

/// What was released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Released {
    Limit(Limit),
    Exit(ExitRule),
}

impl OnBreach {
    pub(crate) const fn flattens(self) -> bool {
        match self {
            Self::Flatten => true,
            Self::StopOpening | Self::CancelOrders => false,
        }
    }
}

impl ExitAction {
    pub(crate) const fn flattens(self) -> bool {
        match self {
            Self::Flatten => true,
            Self::StopOpening => false,
        }
    }
}

/// What a human releases: the name of a limit or of a rule, and since when it is latched. So it works once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// Such as maxDrawdownPercent.
    pub name: String,
    /// As the status shows it.
    pub since: Timestamp,
}

/// A text that names nothing to release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// The name is neither a limit's nor a rule's.
    #[error("\"{0}\" is no limit and no exit rule; write one of: {names}", names = all_names())]
    Name(String),
    /// The time is none.
    #[error(
        "\"{0}\" is no time; write it as status.risk.limits or status.stopped has it, such as 2026-01-31T12:00:00Z"
    )]
    Since(String),
}

fn all_names() -> String {
    names().collect::<Vec<_>>().join(", ")
}

/// All names that can be released.
fn names() -> impl Iterator<Item = &'static str> {
    Limit::ALL.map(Limit::as_str).into_iter().chain(ExitRule::ALL.map(ExitRule::as_str))
}

impl FromStr for Release {
    type Err = ReleaseError;

    /// Reads `NAME SINCE`, or `NAME@SINCE` as a command line has it.
    fn from_str(text: &str) -> Result<Self, ReleaseError> {
        let (name, since) = text.trim().split_once([' ', '@']).unwrap_or((text.trim(), ""));
        if !names().any(|known| known == name) {
            return Err(ReleaseError::Name(name.to_owned()));
        }
        let time = rfc3339::parse(since.trim()).ok_or_else(|| ReleaseError::Since(since.to_owned()))?;
        Ok(Self { name: name.to_owned(), since: time })
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, rfc3339::text(self.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_reads_as_the_status_shows_it() {
        let read = |text: &str| text.parse::<Release>().map(|release| release.to_string());
        let text = "maxDrawdownPercent 2026-01-31T12:00:00.250Z";
        assert_eq!(read(text), Ok(text.to_owned()));
        assert_eq!(
            read(" takeProfitPercent@2026-01-31T12:00:00Z "),
            Ok("takeProfitPercent 2026-01-31T12:00:00Z".into())
        );
        let refused = |text| read(text).unwrap_err().to_string();
        assert!(refused("MaxDrawdown 2026-01-31T12:00:00Z").contains("write one of: maxDrawdownPercent, "));
        assert!(refused("now").contains("\"now\" is no limit"));
        assert!(refused("maxExposure").starts_with("\"\" is no time"));
        assert!(refused("maxExposure yesterday").starts_with("\"yesterday\" is no time"));
    }
}

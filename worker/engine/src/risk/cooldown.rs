//! A pause after orders that the venue rejected: it denies single orders, and latches nothing.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;
use crate::validation::Violation;

/// After how many rejections nothing is opened, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cooldown {
    /// So many orders rejected by the venue within the seconds below; 1 to 100. Default 3.
    #[serde(default = "Cooldown::default_rejects")]
    #[schemars(range(min = 1, max = 100))]
    pub rejects: u32,
    /// So long nothing is opened, counted from the last of them; 1 to 86400. Default 60.
    #[serde(default = "Cooldown::default_seconds")]
    #[schemars(range(min = 1, max = 86400))]
    pub seconds: u32,
}

impl Cooldown {
    const fn default_rejects() -> u32 {
        3
    }

    const fn default_seconds() -> u32 {
        60
    }

    pub(crate) fn milliseconds(self) -> i64 {
        i64::from(self.seconds).saturating_mul(1000)
    }

    pub(super) fn validate(self, path: &str) -> Vec<Violation> {
        let mut violations = Vec::new();
        if !(1..=100).contains(&self.rejects) {
            violations.push(Violation::new(format!("{path}.rejects"), self.rejects, "is out of range; write 1 to 100"));
        }
        if !(1..=86_400).contains(&self.seconds) {
            let remedy = "is out of range; write 1 to 86400";
            violations.push(Violation::new(format!("{path}.seconds"), self.seconds, remedy));
        }
        violations
    }
}

/// When orders were rejected, and until when nothing is opened for it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cooling {
    /// The newest, never more than are counted.
    rejected: VecDeque<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

impl Cooling {
    pub fn is_empty(&self) -> bool {
        self.rejected.is_empty() && self.until.is_none()
    }

    /// The venue has rejected an order.
    pub fn rejected(&mut self, cooldown: Cooldown, now: Timestamp) {
        self.rejected.push_back(now);
        while self.rejected.len() > cooldown.rejects as usize {
            self.rejected.pop_front();
        }
        let is_full = self.rejected.len() == cooldown.rejects as usize;
        let first = self.rejected.front().copied().unwrap_or(now);
        if is_full && now.millis_since(first) < cooldown.milliseconds() {
            self.until = Some(now.plus_millis(cooldown.milliseconds()));
        }
    }

    /// For how many milliseconds more nothing is opened; `None` where it may be.
    pub fn rest_ms(&self, now: Timestamp) -> Option<i64> {
        self.until.map(|until| until.millis_since(now)).filter(|rest| *rest > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_rejections_within_so_long_stop_for_so_long() {
        let at = |second: i64| Timestamp::from_millis(second * 1000);
        let cooldown: Cooldown = serde_json::from_str("{}").unwrap();
        let mut cooling = Cooling::default();
        for second in [0, 30, 60] {
            cooling.rejected(cooldown, at(second));
            assert_eq!(cooling.rest_ms(at(second)), None, "the third is a minute after the first");
        }
        cooling.rejected(cooldown, at(89));
        assert_eq!((cooling.rest_ms(at(89)), cooling.rest_ms(at(148))), (Some(60_000), Some(1_000)));
        assert_eq!(cooling.rest_ms(at(149)), None);
        cooling.rejected(cooldown, at(149));
        assert_eq!(cooling.rest_ms(at(149)), None, "60, 89, 149");
    }

    #[test]
    fn its_parameters_are_within_their_bounds() {
        let refused = |rejects, seconds| {
            let refused = Cooldown { rejects, seconds }.validate("c");
            refused.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!((refused(1, 1), refused(100, 86_400)), (String::new(), String::new()));
        assert_eq!(refused(0, 1), "c.rejects: 0 is out of range; write 1 to 100");
        assert_eq!(refused(101, 1), "c.rejects: 101 is out of range; write 1 to 100");
        assert_eq!(refused(1, 0), "c.seconds: 0 is out of range; write 1 to 86400");
        assert_eq!(refused(1, 86_401), "c.seconds: 86401 is out of range; write 1 to 86400");
    }
}

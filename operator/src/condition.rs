//! Conditions of a status: set as a whole, with times that move only on a change. Pure.

use crds::condition::{ACCEPTED, Condition, ConditionStatus, READY, RECONCILING, STALLED};
use engine::report::LatchedLimit;

use crate::reason::Reason;

/// What a resource's conditions say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the spec is accepted.
    pub accepted: (ConditionStatus, Reason, String),
    /// Whether it does what its spec asks for.
    pub ready: (ConditionStatus, Reason, String),
    /// Whether something is under way.
    pub reconciling: bool,
    /// Whether a human is needed.
    pub stalled: bool,
}

impl Verdict {
    /// The conditions, keeping the times of those that have not changed.
    pub fn conditions(&self, before: &[Condition], generation: Option<i64>, now: &str) -> Vec<Condition> {
        let (ready, reason, message) = &self.ready;
        let flag = |holds: bool| if holds { ConditionStatus::True } else { ConditionStatus::False };
        let settled = |holds: bool| if holds { (*reason, message.clone()) } else { (Reason::Settled, String::new()) };
        let (going, stuck) = (settled(self.reconciling), settled(self.stalled));
        let all = [
            (ACCEPTED, self.accepted.0, self.accepted.1, self.accepted.2.clone()),
            (READY, *ready, *reason, message.clone()),
            (RECONCILING, flag(self.reconciling), going.0, going.1),
            (STALLED, flag(self.stalled), stuck.0, stuck.1),
        ];
        all.into_iter()
            .map(|(type_, status, reason, message)| {
                let same = before.iter().find(|old| old.type_ == type_ && old.status == status);
                Condition {
                    type_: type_.to_owned(),
                    status,
                    reason: reason.as_str().to_owned(),
                    message,
                    observed_generation: generation,
                    last_transition_time: same.map_or_else(|| now.to_owned(), |old| old.last_transition_time.clone()),
                }
            })
            .collect()
    }
}

/// The condition of an accepted spec; it names the fields that are ignored because this program is older than
/// the definitions.
pub fn accepted(unknown_fields: &[String]) -> (ConditionStatus, Reason, String) {
    if unknown_fields.is_empty() {
        return (ConditionStatus::True, Reason::Valid, "The spec is valid.".to_owned());
    }
    let message =
        format!("Not known to this operator, and ignored: {}. Upgrade the operator.", unknown_fields.join(", "));
    (ConditionStatus::True, Reason::UnknownField, message)
}

/// What Ready says while limits are latched, and how the first is released; `None` without any.
pub fn limit_reached(limits: &[LatchedLimit]) -> Option<String> {
    let first = limits.first()?.text();
    let told = |limit: &LatchedLimit| format!("{} ({}, the limit is {})", limit.text(), limit.figure, limit.threshold);
    let limits = limits.iter().map(told).collect::<Vec<_>>().join(", ");
    Some(format!("Latched: {limits}. Nothing is opened; annotate glm.trading/release: \"{first}\" to go on."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_moves_only_with_its_status() {
        let verdict = |ready| Verdict {
            accepted: (ConditionStatus::True, Reason::Valid, String::new()),
            ready: (ready, Reason::Trading, String::new()),
            reconciling: false,
            stalled: false,
        };
        let first = verdict(ConditionStatus::False).conditions(&[], Some(1), "t1");
        let second = verdict(ConditionStatus::True).conditions(&first, Some(1), "t2");
        let times: Vec<_> = second.iter().map(|condition| condition.last_transition_time.as_str()).collect();
        assert_eq!(times, ["t1", "t2", "t1", "t1"]);
    }
}

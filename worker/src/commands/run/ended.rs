//! A strategy at the end of a run, and why the run ended.

use crds::TradingStrategyStatus;
use crds::record::{Phase, PhaseState};
use crds::roles::StrategySpec;
use engine::Engine;
use engine::messages::AlertKind;

use crate::child::LAST_LINES;
use crate::fleet::provision::Place;

/// One strategy at the end of a run.
pub(super) struct Ended {
    pub place: Place<StrategySpec>,
    pub status: TradingStrategyStatus,
    /// Its engine, for the figures of the whole run; absent before its first commit.
    pub engine: Option<Engine>,
}

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// Every strategy has taken all of its data, but for those that a manifest wants stopped.
    Data,
    /// Manifests want every strategy stopped.
    OnRequest,
    /// The process was asked to stop in the middle.
    Stopped,
    /// A strategy waits for a human: what each of them says.
    Quarantined(Vec<String>),
}

impl End {
    /// Of the names and phases of all strategies.
    pub(super) fn of(phases: Vec<(String, Option<Phase>)>) -> Self {
        let mut quarantined = Vec::new();
        let (mut ended, mut on_request) = (true, true);
        for (name, phase) in phases {
            ended &= phase.as_ref().is_some_and(has_ended);
            let Some(phase) = phase else { continue };
            on_request &= phase.reason == "Stopped";
            if phase.is_of_invalid_spec() {
                quarantined.push(format!("{name} trades nothing: {}", phase.message));
            } else if phase.state == PhaseState::Quarantined {
                quarantined.push(format!("{name} is quarantined, {}: {}", phase.reason, phase.message));
            } else if AlertKind::OF_FAILED.iter().any(|kind| kind.as_str() == phase.reason) {
                // Its log has been on the screen.
                let why = phase.message.split(LAST_LINES).next().unwrap_or_default();
                quarantined.push(format!("{name} trades no more, {}: {why}", phase.reason));
            }
        }
        match (quarantined.is_empty(), ended, on_request) {
            (false, ..) => Self::Quarantined(quarantined),
            (true, true, true) => Self::OnRequest,
            (true, true, false) => Self::Data,
            (true, false, _) => Self::Stopped,
        }
    }
}

/// Whether nothing more comes of a strategy in this run.
pub(super) fn has_ended(phase: &Phase) -> bool {
    !phase.takes_ticks() || phase.is_of_invalid_spec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strategy(state: PhaseState, reason: &str) -> (String, Option<Phase>) {
        let phase = Phase {
            state,
            reason: reason.to_owned(),
            message: "why".to_owned(),
            generation: 1,
            follows: Vec::new(),
            refused: None,
        };
        ("grid-1".to_owned(), Some(phase))
    }

    #[test]
    fn the_log_of_a_process_is_not_told_again_at_the_end() {
        let mut crashed = strategy(PhaseState::Running, "StrategyCrashed");
        crashed.1.as_mut().unwrap().message = "it has ended; its last lines: Traceback | over".to_owned();
        let told = vec!["grid-1 trades no more, StrategyCrashed: it has ended".to_owned()];
        assert_eq!(End::of(vec![crashed]), End::Quarantined(told));
    }

    #[test]
    fn the_end_is_what_the_strategies_say() {
        let data = || strategy(PhaseState::Stopped, "MarketDataEnded");
        let stopped = || strategy(PhaseState::Stopped, "Stopped");
        let running = || strategy(PhaseState::Running, "Trading");
        let poisoned = || strategy(PhaseState::Quarantined, "PoisonInbox");
        let lost = || ("grid-2".to_owned(), None);
        let quarantined = End::Quarantined(vec!["grid-1 is quarantined, PoisonInbox: why".to_owned()]);
        for (phases, end) in [
            (vec![data(), data()], End::Data),
            (vec![data(), stopped()], End::Data),
            (vec![stopped(), stopped()], End::OnRequest),
            (vec![data(), running()], End::Stopped),
            (vec![stopped(), lost()], End::Stopped),
            (vec![data(), poisoned()], quarantined.clone()),
            (vec![running(), poisoned(), lost()], quarantined),
        ] {
            assert_eq!(End::of(phases.clone()), end, "{phases:?}");
        }
    }
}

//! The dead man's switches of the scripted exchange: what they cancel, and what is wrong in how they are used.

use std::collections::BTreeMap;

use engine::messages::OrderStatus;
use venue::{DeadMansSwitch, Guarded, SwitchReach, Switching, VenueReport};

use super::floor::Placed;

/// Those that are armed, each with when it fires.
#[derive(Debug, Default)]
pub(super) struct Guards(BTreeMap<Guarded, i64>);

impl Guards {
    /// Arms or disarms one; tells what that was, or what is wrong with it.
    pub fn switched(
        &mut self,
        switch: Option<DeadMansSwitch>,
        guarded: &Guarded,
        switching: Switching,
        now: i64,
    ) -> Result<&'static str, String> {
        let fits = match (switch.map(|switch| switch.reach), guarded) {
            (Some(SwitchReach::Symbol), Guarded::Symbol(_)) | (Some(SwitchReach::Tag), Guarded::All) => true,
            (Some(SwitchReach::Symbol), Guarded::All) | (Some(SwitchReach::Tag), Guarded::Symbol(_)) | (None, _) => {
                false
            }
        };
        match switching {
            _ if !fits => Err(format!("{switch:?} does not guard {guarded:?}")),
            Switching::Arm { fires_after_ms } => {
                self.0.insert(guarded.clone(), now + fires_after_ms);
                Ok("Armed")
            }
            Switching::Disarm => {
                self.0.remove(guarded);
                Ok("Disarmed")
            }
        }
    }

    /// Cancels what those guard that were not armed again in time; gives the reports with when they are delivered.
    pub fn fire(&mut self, now: i64, placed: &mut [Placed]) -> Vec<(i64, VenueReport)> {
        let mut reports = Vec::new();
        for (guarded, at) in self.0.extract_if(.., |_, fires_at| *fires_at <= now) {
            let is_guarded = |placed: &&mut Placed| match &guarded {
                Guarded::Symbol(symbol) => placed.command.symbol == *symbol,
                Guarded::All => true,
            };
            for placed in placed.iter_mut().filter(is_guarded).filter(|placed| placed.arrived_at() <= at) {
                reports.extend(placed.advance(at));
                if !placed.is_closed() {
                    reports.extend(placed.close(OrderStatus::Canceled, DeadMansSwitch::FIRED, at));
                }
            }
        }
        reports
    }
}

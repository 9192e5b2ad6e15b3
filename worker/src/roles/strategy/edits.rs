//! What a strategy follows without a new process: its register says where a human wants it to be, by which parameters, bounds
//! and exit it trades, which transfers are asked for, and what is released.
//!
//! An edit of parameters, bounds or exit takes an engine that is made anew from the record, between two ticks: the way of a
//! process that starts with the edited spec, so that both trade the same.

use bus::{Desired, Owner};
use crds::record::RefusedEdit;
use crds::roles::{StrategyDesired, StrategySpec};
use engine::Engine;
use engine::risk::Release;
use engine::strategies::DesiredState;

use super::Worker;
use super::refused::{TRADED, traded};
use crate::outcome::hashes::{MADE, Made};
use crate::roles::session::patiently;
use crate::roles::{Bus, Runtime, Stop, saved};

/// What of its register a strategy does not follow, or not yet.
#[derive(Debug, Default)]
pub(super) struct Edits {
    /// Why nothing of it is followed.
    pub problem: Option<String>,
    /// The edit that cannot be followed.
    pub refused: Option<RefusedEdit>,
    /// It holds an edit that takes an engine made anew from the record.
    pub is_due: bool,
}

/// What a strategy trades by that was started with `told`: its register may hold a newer edit. One that does not read is told
/// of where it is followed.
pub(super) async fn newest<B: Bus>(
    runtime: &Runtime<B>,
    owner: &Owner,
    told: &StrategySpec,
) -> Result<StrategySpec, Stop> {
    let register = patiently(runtime, || runtime.bus.desired(owner)).await?;
    let desired = register.and_then(|register| serde_json::from_str::<StrategyDesired>(&register.value).ok());
    Ok(desired.map_or_else(|| told.clone(), |desired| told.clone().under(&desired)))
}

impl<B: Bus> Worker<'_, B> {
    /// Follows the register of what must not wait for a new pod; without one, the spec.
    pub(super) async fn follow_register(&mut self) -> Result<(), Stop> {
        let register = patiently(&self.runtime, || self.runtime.bus.desired(&self.owner)).await?;
        let read = register.as_ref().map(|desired| serde_json::from_str::<StrategyDesired>(&desired.value));
        let desired = match read {
            Some(Ok(desired)) => desired,
            Some(Err(error)) => {
                self.session.follow(register.as_ref().map(Desired::version));
                tracing::error!(%error, "the register does not read; what was followed before goes on");
                self.edits.problem = Some(format!("the strategy's register does not read: {error}"));
                self.tell_readiness();
                return Ok(());
            }
            None => StrategyDesired::of(&self.spec.spec, self.spec.generation),
        };
        if self.is_to_start_anew(&desired)? {
            // This version of the register is followed by the engine that is made for it.
            self.edits.is_due = true;
            return Ok(());
        }
        self.session.follow(register.as_ref().map(Desired::version));
        if self.edits.problem.take().is_some() {
            self.tell_readiness();
        }
        self.follow_transfers(desired.transfers);
        if let Some(release) = &desired.release {
            self.release(release);
        }
        self.control(desired.state);
        Ok(())
    }

    /// Whether the register holds an edit that takes another engine. One that changes nothing of that is followed at once, and
    /// one of which no engine can be made is refused: what trades trades on.
    fn is_to_start_anew(&mut self, desired: &StrategyDesired) -> Result<bool, Stop> {
        let edited = self.spec.clone().under(desired);
        if edited.trades_as(&self.spec) {
            let is_newer = std::mem::replace(&mut self.spec.generation, edited.generation) != edited.generation;
            let was_refused = self.edits.refused.take().is_some();
            if was_refused {
                self.keep_traded(true)?;
            }
            if was_refused || is_newer {
                self.batch.touch();
            }
            return Ok(false);
        }
        if self.edits.refused.as_ref().is_some_and(|refused| refused.generation == edited.generation) {
            return Ok(false);
        }
        let Some(message) = self.refusal(&edited)? else { return Ok(true) };
        tracing::error!(generation = edited.generation, "the edit cannot be followed: {message}");
        self.edits.refused = Some(RefusedEdit { generation: edited.generation, message });
        self.keep_traded(true)?;
        self.batch.touch();
        Ok(false)
    }

    /// Why no engine of this spec goes on from here; `None` where one does.
    fn refusal(&self, edited: &StrategySpec) -> Result<Option<String>, Stop> {
        let saved = self.engine.snapshot().map_err(|error| self.unsaved(error.to_string()))?;
        let made =
            saved::config(edited, &self.runtime.identity.ledger, self.registry).and_then(|(config, definition)| {
                Engine::restore(config, definition, &saved).map_err(|error| error.to_string())
            });
        Ok(made.err())
    }

    /// Keeps what it trades by while an edit is refused, so that it goes on by it after a restart; where it was kept, no longer
    /// than that.
    pub(super) fn keep_traded(&mut self, was_kept: bool) -> Result<(), Stop> {
        let (is_kept, batch) = (self.edits.refused.is_some(), &mut self.batch);
        batch.set.retain(|(name, _)| name != TRADED);
        batch.delete.retain(|name| name != TRADED);
        if is_kept {
            let kept = traded(&self.spec).map_err(|error| self.unsaved(error.to_string()))?;
            self.batch.set.push(kept);
        } else if was_kept {
            self.batch.delete.push(TRADED.to_owned());
        }
        Ok(())
    }

    /// Commits what was done before the edit, and ends this engine's work.
    pub(super) async fn start_anew(&mut self) -> Result<(), Stop> {
        if self.batch.is_dirty() {
            self.store().await?;
        }
        // Who was replaced meanwhile ends here: it would take its place back.
        self.session.beat().await?;
        Err(Stop::RegisterNews)
    }

    /// Says under which parameters its ticks were taken: all of them, or it is left out; none were, where it was made of
    /// nothing before.
    pub(super) fn is_made_of(&mut self, before: Option<Made>) -> Result<(), Stop> {
        let made = before.map_or_else(|| Made::of(&self.spec), |before| before.going_on(&self.spec));
        let made = serde_json::to_string(&made).map_err(|error| self.unsaved(error.to_string()))?;
        self.batch.set.push((MADE.to_owned(), made));
        Ok(())
    }

    /// Releases what is latched under this name since then; of anything else nothing is done.
    fn release(&mut self, release: &Release) {
        let effects = self.engine.release(self.engine.report().as_of, release);
        if !effects.is_empty() {
            tracing::info!(%release, "released");
            self.absorb(effects);
            self.batch.touch();
        }
    }

    fn control(&mut self, desired: DesiredState) {
        if self.engine.desired() != desired {
            let now = self.now(self.engine.report().as_of);
            let effects = self.engine.step(now, engine::Event::Control(desired));
            self.absorb(effects);
            self.batch.touch();
        }
    }
}

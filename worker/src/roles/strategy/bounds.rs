//! What of a strategy's register changes how it trades without a new process: its bounds, limits and exit, and what a human
//! has released.

use crds::roles::{Bounds, StrategySpec};
use engine::risk::Release;

use super::Worker;
use crate::outcome::hashes::{MADE, Made};
use crate::roles::{Bus, Stop};

impl<B: Bus> Worker<'_, B> {
    /// Trades under these bounds from now on; under those of its spec, where the register of the release before has none.
    pub(super) fn follow_bounds(&mut self, bounds: Option<Bounds>) -> Result<(), Stop> {
        let bounds = bounds.unwrap_or_else(|| Bounds::of(&self.spec.spec));
        if self.bounds == bounds {
            return Ok(());
        }
        tracing::info!("the bounds are other ones from now on");
        self.engine.follow_bounds(bounds.risk.clone(), bounds.exit.clone());
        self.bounds = bounds;
        self.batch.touch();
        let before = (self.engine.ticks() > 0).then(|| self.made.clone());
        self.is_made_of(before)
    }

    /// Says under which parameters its ticks were taken: all of them, or it is left out; none were, where it was made of
    /// nothing before.
    pub(super) fn is_made_of(&mut self, before: Option<Made>) -> Result<(), Stop> {
        let mut spec: StrategySpec = self.spec.clone();
        (spec.spec.risk, spec.spec.exit) = (self.bounds.risk.clone(), self.bounds.exit.clone());
        self.made = before.map_or_else(|| Made::of(&spec), |before| before.going_on(&spec));
        let made = serde_json::to_string(&self.made)
            .map_err(|error| Stop::Unsaved { owner: self.owner.name().to_owned(), problem: error.to_string() })?;
        self.batch.set.retain(|(name, _)| name != MADE);
        self.batch.set.push((MADE.to_owned(), made));
        Ok(())
    }

    /// Releases what is latched under this name since then; of anything else nothing is done.
    pub(super) fn release(&mut self, release: &Release) {
        let effects = self.engine.release(self.engine.report().as_of, release);
        if !effects.is_empty() {
            tracing::info!(%release, "released");
            self.absorb(effects);
            self.batch.touch();
        }
    }
}

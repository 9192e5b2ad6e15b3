//! Specs of which no engine can be made: what a strategy of one's own says of its parameters only its program knows. What was
//! traded by before goes on where it is known; else the worker says why it trades nothing, stays, and waits for another edit.

use bus::{Acquired, Fields, Owner, StreamId};
use crds::record::{INVALID_SPEC, PARAMETERS, Phase, PhaseState, RefusedEdit};
use crds::roles::{StrategyDesired, StrategySpec};
use engine::strategies::Registry;

use super::consult;
use super::edits::newest;
use crate::child::Opened;
use crate::roles::session::{Change, Session, patiently};
use crate::roles::{Bus, IDLE, Runtime, Stop, saved};

/// The field of a record that holds what a strategy trades by, while it does not follow a newer edit.
pub(super) const TRADED: &str = "traded";

/// What a strategy begins with.
#[allow(clippy::large_enum_variant, reason = "one of it, for a moment")]
pub(super) enum Begun {
    /// It trades by this spec; the newest one is refused where that is another.
    Opened(StrategySpec, Opened, Option<RefusedEdit>),
    /// Nothing can be traded by this spec, for this reason, nor by one before.
    Refused(StrategySpec, String),
}

/// Opens the strategy of a record by the newest edit, or by what it traded by before where no engine can be made of that.
pub(super) async fn open<B: Bus>(
    runtime: &Runtime<B>,
    (told, newest): (&StrategySpec, StrategySpec),
    registry: &Registry,
    (session, acquired): (&mut Session<B>, &Acquired),
) -> Result<Begun, Stop> {
    let broken = |problem: String| Stop::Record { owner: format!("strategy-{}", told.name), problem };
    let saved = saved::fields(acquired.version, &acquired.fields).map_err(broken)?;
    let message = match consult::open(runtime, &newest, registry, (session, saved)).await? {
        Ok(opened) => return Ok(Begun::Opened(newest, opened, None)),
        Err(message) => message,
    };
    if let Some(before) = before(told, &newest, &acquired.fields)
        && let Ok(opened) = consult::open(runtime, &before, registry, (session, saved)).await?
    {
        tracing::error!(generation = newest.generation, "the edit cannot be followed: {message}");
        let refused = RefusedEdit { generation: newest.generation, message };
        return Ok(Begun::Opened(before, opened, Some(refused)));
    }
    // The spec's own fault is told of whatever was saved; else it is the record that does not read.
    match consult::open(runtime, &newest, registry, (session, None)).await? {
        Ok(_) => Err(broken(message)),
        Err(message) => Ok(Begun::Refused(newest, message)),
    }
}

/// What was traded by before the newest edit.
fn before(told: &StrategySpec, newest: &StrategySpec, fields: &Fields) -> Option<StrategySpec> {
    let kept = fields.get(TRADED).and_then(|kept| serde_json::from_str::<StrategyDesired>(kept).ok());
    let before = match kept {
        // However old it is.
        Some(kept) => StrategySpec { generation: 0, ..told.clone() }.under(&kept),
        None => told.clone(),
    };
    (before.generation < newest.generation).then_some(before)
}

/// The field that keeps what is traded by.
pub(super) fn traded(spec: &StrategySpec) -> Result<(String, String), serde_json::Error> {
    let StrategyDesired { state, bounds, parameters, .. } = StrategyDesired::of(&spec.spec, spec.generation);
    let kept = StrategyDesired { state, bounds, parameters, transfers: None, release: None };
    Ok((TRADED.to_owned(), serde_json::to_string(&kept)?))
}

/// A worker that trades nothing, because no engine can be made of its spec.
pub(super) struct Refused<B> {
    pub runtime: Runtime<B>,
    pub owner: Owner,
    pub told: StrategySpec,
    /// What was refused, and why.
    pub spec: StrategySpec,
    pub message: String,
    pub session: Session<B>,
}

impl<B: Bus> Refused<B> {
    /// Says why, and waits for another edit, which begins anew, or to be asked to stop.
    pub async fn stay(mut self) -> Result<(), Stop> {
        tracing::error!(generation = self.spec.generation, "nothing is traded: {}", self.message);
        self.runtime.health.not_ready(INVALID_SPEC, &self.message);
        self.follow().await?;
        self.tell().await?;
        let runtime = self.runtime.clone();
        let inbox = self.owner.inbox().clone();
        let mut shutdown = runtime.shutdown.clone();
        let mut seen = patiently(&runtime, || runtime.bus.last_id(&inbox)).await?.unwrap_or(StreamId::ZERO);
        while !shutdown.asked() {
            // The nudge that tells of an edit; what else is told waits for an engine.
            let cursors = [(inbox.clone(), seen)];
            let reading = patiently(&runtime, || runtime.bus.read(&cursors, 1, Some(IDLE)));
            let Some(read) = shutdown.or(reading).await else { break };
            let last = read?.into_iter().flat_map(|(_, entries)| entries).last();
            seen = last.map_or(seen, |entry| entry.id);
            self.session.beat().await?;
            if self.session.register_is_news() && self.follow().await? {
                self.tell().await?;
            }
        }
        Ok(())
    }

    /// Reads the register; whether it holds the refused spec as a newer generation.
    async fn follow(&mut self) -> Result<bool, Stop> {
        let register = patiently(&self.runtime, || self.runtime.bus.desired(&self.owner)).await?;
        let newest = newest(&self.runtime, &self.owner, &self.told).await?;
        if !newest.trades_as(&self.spec) {
            return Err(Stop::RegisterNews);
        }
        self.session.follow(register.map(|register| register.version()));
        Ok(std::mem::replace(&mut self.spec.generation, newest.generation) != newest.generation)
    }

    async fn tell(&mut self) -> Result<(), Stop> {
        let message = self.message.clone();
        let phase = Phase {
            // A feed of recorded data waits for who has begun with them.
            state: PhaseState::Paused,
            reason: INVALID_SPEC.to_owned(),
            message: message.clone(),
            generation: 0,
            follows: vec![PARAMETERS.to_owned()],
            refused: Some(RefusedEdit { generation: self.spec.generation, message }),
        };
        self.session.commit(Change { set: vec![phase.to_field()], ..Change::default() }).await?;
        Ok(())
    }
}

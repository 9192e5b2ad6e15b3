//! From the engine's effects to messages, and the commit that carries them.

use std::collections::BTreeMap;

use bus::{Body, Entry, Message, Retention, StreamId, StreamKey, Topic};
use engine::client_order_id::ClientOrderId;
use engine::messages::{CommandKind, OrderCommand, OrderStatus, OrderUpdate, Tick};
use engine::numbers::Quantity;
use engine::strategy::DesiredState;
use engine::{Effect, Event};
use serde::Serialize;

use super::{COMMAND, Worker};
use crate::role::{Bus, Stop};
use crate::saved::ENGINE;
use crate::session::{Change, Done};
use crds::record::{PHASE, POSITION, Phase, PhaseState, REPORT};

/// The version of every document this program writes.
pub const DOCUMENT_VERSION: u32 = 1;
/// Commands that may wait for the gateway before openings are denied.
pub(super) const COMMANDS_MAX: u64 = 1_000;
/// What streams for outsiders keep: about so many entries, about a week.
pub const FOR_OUTSIDERS: Retention = Retention { max_len: Some(10_000), max_age_ms: Some(7 * 24 * 3_600_000) };
/// Nudges tell only that something changed.
pub const NUDGES: Retention = Retention { max_len: Some(1_000), max_age_ms: None };

/// One document of ours.
pub fn message(stream: StreamKey, document: &impl Serialize) -> Message {
    // Our own types hold no map with a key that is not text, so this cannot fail.
    Message::new(stream, DOCUMENT_VERSION, serde_json::to_string(document).unwrap_or_default())
}

impl<B: Bus> Worker<'_, B> {
    fn topic(&self, topic: Topic) -> StreamKey {
        self.runtime.identity.keys.topic(self.owner.scope(), topic)
    }

    /// Steps the engine through ticks until there are no more, or until an order must be waited for.
    pub(super) fn take_ticks(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            if !self.may_take_ticks() {
                return;
            }
            let tick = match &entry.body {
                Body::Document { data, .. } => serde_json::from_str::<Tick>(data).map_err(|error| error.to_string()),
                Body::Poison { reason, .. } => Err(reason.clone()),
            };
            self.tick_cursor = entry.id;
            match tick {
                Ok(tick) => self.take_tick(tick, entry.id),
                Err(problem) => self.bury(&entry, &problem),
            }
        }
    }

    fn take_tick(&mut self, tick: Tick, id: StreamId) {
        // On a replay the engine's now is the tick's own time, and no tick is stale.
        let now = tick.event_time();
        let last = tick.last;
        let effects = self.engine.step(now, Event::Tick(tick));
        self.runtime.health.ticks(1);
        self.batch.tick();
        self.absorb(effects, Some(id));
        self.apply_pending();
        if last {
            self.batch.touch();
        }
    }

    /// A tick that does not read is stepped over and kept for who looks into it.
    fn bury(&mut self, entry: &Entry, problem: &str) {
        self.runtime.health.poison();
        tracing::error!(stream = %self.ticks, id = %entry.id, problem, "a tick does not read; it is skipped");
        let letter = dead_letter(&self.ticks, entry, problem);
        self.batch.messages.push(message(self.topic(Topic::DeadLetter), &letter).with_retention(FOR_OUTSIDERS));
        self.batch.tick();
    }

    /// Turns effects into messages of the next commit.
    pub(super) fn absorb(&mut self, effects: Vec<Effect>, tick: Option<StreamId>) {
        for effect in effects {
            let message = match effect {
                Effect::Signal(signal) => {
                    message(self.topic(Topic::StrategySignal), &signal).with_retention(FOR_OUTSIDERS)
                }
                Effect::Command(command) => self.command(&command.into_message(tick.map(|id| id.to_string()))),
                Effect::Position(update) => {
                    message(self.topic(Topic::PositionUpdate), &update).with_retention(FOR_OUTSIDERS)
                }
                Effect::Alert(alert) => message(self.topic(Topic::RiskAlert), &alert).with_retention(FOR_OUTSIDERS),
                Effect::Snapshot(snapshot) => {
                    message(self.topic(Topic::StateSnapshot), &snapshot).with_retention(FOR_OUTSIDERS)
                }
            };
            self.batch.messages.push(message);
        }
    }

    /// An opening is refused when too many commands wait; a cancel always passes.
    fn command(&mut self, command: &OrderCommand) -> Message {
        self.runtime.health.order();
        let message = message(self.topic(Topic::OrderCommand), command);
        match command.kind {
            CommandKind::Create(_) => {
                self.batch.set.push((format!("{COMMAND}{}", command.client_order_id), message.data.to_string()));
                message.with_bound(COMMANDS_MAX)
            }
            CommandKind::Cancel => message,
        }
    }

    /// Commits everything since the last commit.
    pub(super) async fn store(&mut self) -> Result<(), Stop> {
        let mut batch = std::mem::take(&mut self.batch);
        tracing::Span::current().record("cursor", tracing::field::display(self.tick_cursor));
        loop {
            let change = self.change(&mut batch);
            match self.session.commit(change).await? {
                Done::Stored => return Ok(()),
                // Nothing was stored: the openings of this batch are denied, and the rest is committed.
                Done::Busy => self.deny_openings(&mut batch),
            }
        }
    }

    fn change(&self, batch: &mut super::Batch) -> Change {
        let mut set = batch.set.clone();
        set.push((ENGINE.to_owned(), self.engine.snapshot().to_string()));
        set.push((REPORT.to_owned(), serde_json::to_string(&self.engine.report()).unwrap_or_default()));
        if let Some(sequence) = self.engine.last_sequence() {
            set.push((POSITION.to_owned(), sequence.to_string()));
        }
        if !batch.set.iter().any(|(name, _)| name == PHASE) {
            set.push(self.phase().to_field());
        }
        let inbox = self.owner.inbox().clone();
        let nudge = BTreeMap::from([("owner", self.owner.name())]);
        let nudge = message(self.topic(Topic::Report), &nudge).with_retention(NUDGES);
        Change {
            cursors: vec![(self.ticks.clone(), self.tick_cursor), (inbox.clone(), self.inbox_cursor)],
            set,
            delete: batch.delete.clone(),
            messages: batch.messages.iter().cloned().chain([nudge]).collect(),
            trims: if self.inbox_cursor == StreamId::ZERO { Vec::new() } else { vec![(inbox, self.inbox_cursor)] },
        }
    }

    /// The last tick was taken, and every open order was held against it: nothing can trade any more.
    fn has_ended(&self) -> bool {
        let last = self.engine.last_sequence();
        self.engine.data_ended()
            && self.engine.open_orders().iter().all(|order| order.matched.is_some() && order.matched >= last)
    }

    fn phase(&self) -> Phase {
        let (state, reason) = match self.engine.desired() {
            DesiredState::Stopped => (PhaseState::Stopped, "Stopped"),
            DesiredState::Running | DesiredState::Paused if self.has_ended() => {
                (PhaseState::Stopped, "MarketDataEnded")
            }
            DesiredState::Paused => (PhaseState::Paused, "Paused"),
            DesiredState::Running => (PhaseState::Running, "Trading"),
        };
        let (reason, message, generation) = (reason.to_owned(), String::new(), self.spec.generation);
        Phase { state, reason, message, generation }
    }

    fn deny_openings(&mut self, batch: &mut super::Batch) {
        let commands = self.topic(Topic::OrderCommand);
        batch.messages.retain(|message| message.stream != commands || message.bound.is_none());
        let denied: Vec<_> =
            batch.set.iter().filter_map(|(name, _)| name.strip_prefix(COMMAND)?.parse().ok()).collect();
        batch.set.retain(|(name, _)| !name.starts_with(COMMAND));
        for client_order_id in denied {
            let update = busy(client_order_id, self.engine.report().as_of);
            let effects = self.engine.step(update.time, Event::OrderUpdate(update));
            self.absorb(effects, None);
        }
        batch.messages.append(&mut self.batch.messages);
    }
}

fn busy(client_order_id: ClientOrderId, time: engine::time::Timestamp) -> OrderUpdate {
    OrderUpdate {
        client_order_id,
        status: OrderStatus::Denied,
        reason: "CommandsBusy".to_owned(),
        cumulative_quantity: Quantity::ZERO,
        fill: None,
        matched: None,
        time,
    }
}

/// An entry that did not read, kept with where it stood.
pub fn dead_letter(stream: &StreamKey, entry: &Entry, problem: &str) -> serde_json::Value {
    let raw = match &entry.body {
        Body::Document { data, .. } => data.to_string(),
        Body::Poison { raw, .. } => raw.clone(),
    };
    serde_json::json!({ "stream": stream.as_str(), "id": entry.id.to_string(), "problem": problem, "raw": raw })
}

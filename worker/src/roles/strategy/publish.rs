//! From the engine's effects to messages, and the commit that carries them.

use std::collections::BTreeSet;

use bus::{Bounds, Message, StreamId, StreamKey, Topic};
use engine::client_order_id::ClientOrderId;
use engine::messages::{CommandKind, Document, Nudge, OrderCommand, OrderStatus, OrderUpdate, text};
use engine::numbers::Quantity;
use engine::orders::{Order, OrderState};
use engine::risk::{Approved, EXIT_REACHED};
use engine::strategies::DesiredState;
use engine::{Effect, Event};

use super::barrier::ADVANCE;
use super::doubt::{MISMATCH, MISMATCH_MESSAGE};
use super::{COMMAND, Worker};
use crate::outcome::hashes::DATA;
use crate::roles::document::{for_outsiders, message};
use crate::roles::session::{Change, Done, patiently};
use crate::roles::{Bus, Stop};
use crds::record::{PARAMETERS, PHASE, POSITION, Phase, PhaseState, REPORT, WAITING_FOR_MARKET_DATA, WARMING_UP};

/// Commands that may wait for the gateway before openings are denied.
const COMMANDS: Bounds = Topic::OrderCommand.bounds();

/// Bytes of a usual report.
const REPORT_ROOM: usize = 2 * 1024;

impl<B: Bus> Worker<'_, B> {
    pub(super) fn topic(&self, topic: Topic) -> StreamKey {
        self.runtime.identity.keys.topic(self.owner.scope(), topic)
    }

    pub(super) fn for_outsiders(&self, topic: Topic, document: &impl Document) -> Message {
        for_outsiders(&self.runtime.identity.keys, self.owner.scope(), topic, document)
    }

    /// Turns effects into messages of the next commit. A command is as of the last tick taken.
    pub(super) fn absorb(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let message = match effect {
                Effect::Signal(signal) => self.for_outsiders(Topic::StrategySignal, &signal),
                Effect::Command(command) => self.command(&self.as_of_last_tick(command)),
                Effect::Position(update) => self.for_outsiders(Topic::PositionUpdate, &update),
                Effect::Alert(alert) => self.for_outsiders(Topic::RiskAlert, &alert),
                Effect::StateChanged => {
                    self.batch.state_changed = true;
                    continue;
                }
                // Only news of orders can be, and is caught where it is applied.
                Effect::Poison(problem) => {
                    tracing::error!(problem, "an event was not taken");
                    continue;
                }
            };
            self.batch.messages.push(message);
        }
    }

    /// A command as of the last tick taken, whichever market's it was.
    pub(super) fn as_of_last_tick(&self, command: Approved<OrderCommand>) -> OrderCommand {
        let mut command = command.into_message(self.markets.last().map(|(_, id)| id.to_string()));
        let market = self.engine.last_tick().map(|tick| &tick.symbol);
        command.tick_symbol = market.filter(|symbol| **symbol != command.symbol).cloned();
        command
    }

    /// An opening is refused when too many commands wait; a cancel always passes.
    fn command(&mut self, command: &OrderCommand) -> Message {
        let message = message(self.topic(Topic::OrderCommand), command);
        if let CommandKind::Transfer(_) = command.kind {
            return message;
        }
        self.runtime.health.order();
        self.barrier.command_sent();
        match command.kind {
            CommandKind::Create(_) | CommandKind::Replace { .. } => {
                self.batch.set.push((format!("{COMMAND}{}", command.client_order_id), message.data.to_string()));
                message.with_bound(COMMANDS.entries)
            }
            CommandKind::Cancel | CommandKind::Advance { .. } | CommandKind::Transfer(_) => message,
        }
    }

    /// What the gateway has not read yet: it trims what it has.
    pub(super) async fn unread_commands(&mut self) -> Result<Vec<OrderCommand>, Stop> {
        let stream = self.topic(Topic::OrderCommand);
        let most = usize::try_from(2 * COMMANDS.entries).unwrap_or(usize::MAX);
        let read = || self.runtime.bus.range(&stream, StreamId::ZERO, StreamId::MAX, most);
        let unread = patiently(&self.runtime, read).await?;
        Ok(unread.iter().filter_map(|entry| entry.decode::<OrderCommand>().ok()).collect())
    }

    /// Publishes the commands of these orders once more, but for those that the gateway has not read yet: it trims what
    /// it has, so whatever is in the stream still comes to it. Gives those of which no command is kept.
    pub(super) async fn republish(&mut self, orders: &BTreeSet<ClientOrderId>) -> Result<Vec<ClientOrderId>, Stop> {
        let unread = self.unread_commands().await?;
        let waiting: BTreeSet<_> = unread.iter().map(|command| command.client_order_id.clone()).collect();
        if unread.len() as u64 >= COMMANDS.entries {
            // At its bound the stream holds enough for the gateway: it is tried again later.
            return Ok(Vec::new());
        }
        let record = patiently(&self.runtime, || self.runtime.bus.record(&self.owner)).await?;
        let (mut unkept, mut asks_again) = (Vec::new(), false);
        for id in orders.difference(&waiting) {
            if id.sequence() == 0 {
                tracing::warn!("no word of the gateway; it is asked again");
                asks_again = true;
                continue;
            }
            let Some(data) = record.as_ref().and_then(|record| record.fields.get(&format!("{COMMAND}{id}"))) else {
                unkept.push(id.clone());
                continue;
            };
            tracing::warn!(order = %id, "no news of the order; its command is published again");
            let again = Message::new(self.topic(Topic::OrderCommand), OrderCommand::VERSION, data.clone());
            self.batch.messages.push(again.with_bound(COMMANDS.entries));
            self.barrier.command_sent();
            asks_again = true;
        }
        // Behind the commands, so that they arrive as of it.
        if asks_again {
            self.push_advance();
            self.let_owed_arrive();
        }
        if !self.batch.messages.is_empty() {
            self.store().await?;
        }
        Ok(unkept)
    }

    /// Commits everything since the last commit. Where the gateway has no room for commands of a simulated venue, nothing
    /// is stored and it is tried again: the venue's word is waited for in any case, and a denial would be no replay's.
    pub(super) async fn store(&mut self) -> Result<(), Stop> {
        let mut batch = std::mem::take(&mut self.batch);
        // What is asked for now comes first: the word on it is on its way to be committed, and has the report that is left
        // out here. Where it does not come, the report does not wait for it either.
        let reports = self.owes_report || self.barrier.waits_for().is_none() || !batch.is_urgent();
        if let Some((_, cursor)) = self.markets.last() {
            tracing::Span::current().record("cursor", tracing::field::display(cursor));
        }
        for round in 1.. {
            let change = self.change(&batch, reports)?;
            match self.session.commit(change).await? {
                Done::Stored => {
                    self.engine.committed();
                    self.runtime.health.ended(self.engine.ended_orders());
                    self.runtime.health.limits(&self.engine);
                    self.stored = self.barrier.saved();
                    self.owes_report = !reports;
                    if std::mem::take(&mut self.waits_for_room) {
                        self.tell_readiness();
                    }
                    return Ok(());
                }
                Done::Busy(_) if self.barrier.is_simulated() => {
                    self.waits_for_room = true;
                    self.batch = batch;
                    self.tell_readiness();
                    return Ok(());
                }
                // Nothing was stored: the openings of this batch are denied, and the rest is committed.
                Done::Busy(_) => self.deny_openings(&mut batch, round),
            }
        }
        Ok(())
    }

    pub(super) fn unsaved(&self, problem: String) -> Stop {
        Stop::Unsaved { owner: self.owner.name().to_owned(), problem }
    }

    fn change(&mut self, batch: &super::Batch, reports: bool) -> Result<Change, Stop> {
        let mut set = batch.set.clone();
        let changes = self.engine.changes().map_err(|error| self.unsaved(error.to_string()))?;
        set.extend(changes.set);
        if let Some(data) = &self.data {
            set.push((DATA.to_owned(), serde_json::to_string(data).map_err(|error| self.unsaved(error.to_string()))?));
        }
        if reports {
            let report = text(&self.engine.report(), REPORT_ROOM).map_err(|error| self.unsaved(error.to_string()))?;
            set.push((REPORT.to_owned(), report));
        }
        if let Some(advance) = self.barrier.saved().filter(|advance| self.stored.as_ref() != Some(advance)) {
            let advance = serde_json::to_string(&advance).map_err(|error| self.unsaved(error.to_string()))?;
            set.push((ADVANCE.to_owned(), advance));
        }
        if let Some(tick) = self.engine.last_tick() {
            set.push((POSITION.to_owned(), tick.source_sequence.to_string()));
        }
        if !batch.set.iter().any(|(name, _)| name == PHASE) {
            set.push(self.phase().to_field());
        }
        let inbox = self.owner.inbox().clone();
        let mut messages = batch.messages.clone();
        if batch.state_changed {
            let snapshot = self.engine.state_snapshot().map_err(|error| self.unsaved(error.to_string()))?;
            messages.push(self.for_outsiders(Topic::StateSnapshot, &snapshot));
        }
        if reports {
            messages.push(self.for_outsiders(Topic::Report, &Nudge { owner: self.owner.name().to_owned() }));
        }
        Ok(Change {
            // Without cursors it has not joined.
            cursors: if self.joining.is_some() { Vec::new() } else { self.markets.cursors().collect() }
                .into_iter()
                .chain([(inbox.clone(), self.inbox_cursor)])
                .collect(),
            set,
            delete: batch.delete.iter().cloned().chain(changes.delete).collect(),
            messages,
            trims: if self.inbox_cursor == StreamId::ZERO { Vec::new() } else { vec![(inbox, self.inbox_cursor)] },
            judged: false,
        })
    }

    /// Of which of its markets no tick has arrived yet: until each has one, none is traded.
    fn awaits_ticks(&self) -> Option<String> {
        let missing: Vec<_> = self.engine.prices().filter(|(_, price)| price.is_none()).collect();
        if missing.is_empty() {
            return None;
        }
        let missing = missing.into_iter().map(|(symbol, _)| symbol.as_str()).collect::<Vec<_>>().join(", ");
        let why = self.unquoted().map_or_else(String::new, |why| format!("; {why}"));
        Some(format!("No tick of {missing} has arrived yet{why}"))
    }

    /// The last tick was taken, and nothing is on its way any more: what rests can only be cancelled.
    fn has_ended(&self) -> bool {
        let is_on_its_way = |order: &Order| matches!(order.state, OrderState::Committed | OrderState::Sent);
        let waits = self.barrier.waits_for().is_some() || self.barrier.owes();
        self.engine.data_ended() && !waits && !self.engine.open_orders().any(is_on_its_way)
    }

    /// What it does, beside which edit it follows.
    pub(super) fn phase_of(&self, state: PhaseState, reason: &str, message: String) -> Phase {
        Phase {
            state,
            reason: reason.to_owned(),
            message,
            generation: self.spec.generation,
            follows: vec![PARAMETERS.to_owned()],
            refused: self.edits.refused.clone(),
        }
    }

    fn phase(&self) -> Phase {
        let phase = |state, reason: &str, message| self.phase_of(state, reason, message);
        if self.engine.is_mismatched() {
            // It takes no tick any more: nobody waits for it.
            return phase(PhaseState::Quarantined, MISMATCH, MISMATCH_MESSAGE.to_owned());
        }
        let is_wanted = self.engine.desired() != DesiredState::Stopped;
        if let Some((kind, why)) = self.engine.strategy_failure().filter(|_| is_wanted) {
            // It takes every tick all the same: the data go on.
            let state = if self.has_ended() { PhaseState::Stopped } else { PhaseState::Running };
            return phase(state, kind.as_str(), why.to_owned());
        }
        let has_exited = self.engine.has_exited();
        let (state, reason) = match self.engine.desired() {
            DesiredState::Stopped => (PhaseState::Stopped, "Stopped"),
            // It sends nothing more, and takes every tick all the same: once it is released it has missed none.
            DesiredState::Running if has_exited && !self.has_ended() => (PhaseState::Running, EXIT_REACHED),
            DesiredState::Running if has_exited => (PhaseState::Stopped, EXIT_REACHED),
            DesiredState::Running | DesiredState::Paused if self.has_ended() => {
                (PhaseState::Stopped, "MarketDataEnded")
            }
            DesiredState::Paused => (PhaseState::Paused, "Paused"),
            DesiredState::Running if let Some(fault) = self.price_fault() => {
                return phase(PhaseState::Running, &fault.reason, fault.message.clone());
            }
            DesiredState::Running => {
                let bars = |missing| (WARMING_UP, missing);
                let missing = self.awaits_bars().map(bars);
                let missing = missing.or_else(|| Some((WAITING_FOR_MARKET_DATA, self.awaits_ticks()?)));
                return match missing.or_else(|| self.engine.warming_up().map(bars)) {
                    Some((reason, missing)) => phase(PhaseState::Running, reason, missing),
                    None => phase(PhaseState::Running, "Trading", String::new()),
                };
            }
        };
        phase(state, reason, String::new())
    }

    /// What the denials cause may be refused for want of room too; from some round on the engine sends nothing more.
    fn deny_openings(&mut self, batch: &mut super::Batch, round: u32) {
        self.engine.begin_round(round);
        let commands = self.topic(Topic::OrderCommand);
        batch.messages.retain(|message| message.stream != commands || message.bound.is_none());
        let denied: Vec<_> =
            batch.set.iter().filter_map(|(name, _)| name.strip_prefix(COMMAND)?.parse().ok()).collect();
        batch.set.retain(|(name, _)| !name.starts_with(COMMAND));
        for client_order_id in denied {
            let update = busy(client_order_id, self.engine.report().as_of);
            let effects = self.engine.step(update.time, Event::OrderUpdate(update));
            self.absorb(effects);
        }
        batch.messages.append(&mut self.batch.messages);
        batch.state_changed |= std::mem::take(&mut self.batch.state_changed);
        batch.set.append(&mut self.batch.set);
        batch.delete.append(&mut self.batch.delete);
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

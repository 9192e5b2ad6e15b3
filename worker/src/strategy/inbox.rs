//! What the gateway and the operator tell a strategy, applied in order and at the right tick.

use std::collections::VecDeque;
use std::time::Instant;

use bus::{Entry, StreamId};
use engine::messages::{Inbox, OrderUpdate};
use engine::order::OrderState;

use super::{ASK_AGAIN, Worker};
use crate::role::{Bus, IDLE, Stop};
use crds::record::{Phase, PhaseState};

/// Entries that were read but not consumed: updates that belong after a tick that was not taken yet, and what came
/// behind them and has nothing left to apply.
#[derive(Debug, Default)]
pub(super) struct Pending(VecDeque<(StreamId, Option<Box<OrderUpdate>>)>);

impl Pending {
    /// The tick after which the next update belongs.
    pub fn front_matched(&self) -> Option<u64> {
        self.0.front().and_then(|(_, update)| update.as_ref()?.matched)
    }

    /// The id of the last entry read.
    fn last_id(&self) -> Option<StreamId> {
        self.0.back().map(|(id, _)| *id)
    }
}

impl<B: Bus> Worker<'_, B> {
    /// Where the next read of the inbox starts: after what was read, applied or not.
    pub(super) fn inbox_read_cursor(&self) -> StreamId {
        self.pending.last_id().unwrap_or(self.inbox_cursor)
    }

    pub(super) async fn take_inbox(&mut self, entries: Vec<Entry>) -> Result<(), Stop> {
        for entry in entries {
            self.last_news = Instant::now();
            match entry.decode() {
                // News of a closed ledger of the same name: its ticks are not these.
                Ok(Inbox::OrderUpdate(update))
                    if update.client_order_id.ledger().as_str() != self.runtime.identity.ledger =>
                {
                    tracing::warn!(order = %update.client_order_id, "news of another ledger; it is left out");
                    self.pending.0.push_back((entry.id, None));
                }
                Ok(Inbox::OrderUpdate(update)) => self.pending.0.push_back((entry.id, Some(update))),
                Ok(Inbox::Recovered { highest_sequence }) => {
                    let now = self.engine.report().as_of;
                    let effects = self.engine.step(now, engine::Event::Recovered { highest_sequence });
                    self.absorb(effects, None);
                    self.pending.0.push_back((entry.id, None));
                }
                Ok(Inbox::Control) => {
                    self.follow_register().await?;
                    self.pending.0.push_back((entry.id, None));
                }
                Err(problem) => return self.quarantine(entry.id, &format!("does not read: {problem}")).await,
            }
        }
        self.apply_pending();
        Ok(())
    }

    /// Consumes entries in their order, up to the first update whose tick was not taken yet: the cursor never passes
    /// one that is not applied.
    pub(super) fn apply_pending(&mut self) {
        if self.poison.is_some() {
            return;
        }
        while let Some((id, update)) = self.pending.0.front() {
            let matched = update.as_ref().and_then(|update| update.matched);
            let reached = match (matched, self.engine.last_sequence()) {
                (Some(matched), Some(taken)) => taken >= matched,
                (Some(_), None) => false,
                (None, _) => true,
            };
            if !reached {
                return;
            }
            let id = *id;
            let Some((_, update)) = self.pending.0.pop_front() else { return };
            let Some(update) = update else {
                self.consumed(id);
                continue;
            };
            if update.fill.is_some() {
                self.runtime.health.fill();
            }
            let order = update.client_order_id.clone();
            let effects = self.engine.step(update.time, engine::Event::OrderUpdate(*update));
            if let [engine::Effect::Poison(problem)] = &effects[..] {
                self.poison = Some((id, problem.clone()));
                return;
            }
            self.absorb(effects, None);
            if !self.engine.open_orders().iter().any(|open| open.client_order_id == order) {
                self.batch.delete.push(format!("{}{order}", super::COMMAND));
            }
            self.consumed(id);
        }
    }

    /// The inbox is consumed up to `id`; the commit moves the cursor and trims.
    fn consumed(&mut self, id: StreamId) {
        self.inbox_cursor = id;
        self.batch.touch();
    }

    /// A lost fill is never traded past: the cursor stays, nothing more is done until a human has looked.
    pub(super) async fn quarantine(&mut self, id: StreamId, problem: &str) -> Result<(), Stop> {
        self.apply_pending();
        self.runtime.health.poison();
        let message = format!(
            "entry {id} of {} {problem}. Nothing is traded past it. Look at it with XRANGE and remove it \
             with XDEL. If order.fill shows a trade that it told of, add that news anew with XADD: without it the order \
             stays open and nothing more is traded. Then restart the worker",
            self.owner.inbox()
        );
        tracing::error!("{message}");
        let phase = Phase {
            state: PhaseState::Quarantined,
            reason: "PoisonInbox".to_owned(),
            message: message.clone(),
            generation: self.spec.generation,
        };
        self.batch.set.push(phase.to_field());
        self.batch.touch();
        self.store().await?;
        loop {
            self.runtime.health.blocked("PoisonInbox", &message);
            self.runtime.shutdown.sleep(IDLE).await;
            if self.runtime.shutdown.asked() {
                return Ok(());
            }
            self.session.beat().await?;
        }
    }

    /// An order without any news for long may have been lost before the gateway read it: the same command,
    /// under the same id, is published again. The gateway knows a repetition by the id.
    pub(super) async fn ask_again(&mut self) -> Result<(), Stop> {
        if self.last_news.elapsed() < ASK_AGAIN {
            return Ok(());
        }
        self.last_news = Instant::now();
        let silent: Vec<_> = self
            .engine
            .open_orders()
            .iter()
            .filter(|order| order.state == OrderState::Committed)
            .map(|order| order.client_order_id.clone())
            .collect();
        if silent.is_empty() { Ok(()) } else { self.republish(&silent).await }
    }
}

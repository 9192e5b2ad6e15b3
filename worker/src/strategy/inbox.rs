//! What the gateway and the operator tell a strategy, applied in order and at the right tick.

use std::collections::VecDeque;

use bus::{Entry, StreamId};
use engine::messages::{Inbox, OrderUpdate};

use super::Worker;
use crate::role::{Bus, IDLE, Stop};
use crate::told::{Holdings, Told};
use crds::record::{Phase, PhaseState};

/// What to do about an entry that does not read.
const UNREADABLE: &str = "Remove it with XDEL. If order.fill shows a trade that it told of, add that news anew with XADD: \
     without it the order stays open and nothing more is traded. Then restart the worker";
/// What to do about a trade of an order that this strategy does not know.
pub(super) const UNKNOWN_ORDER: &str = "Compare it with order.fill and with the venue. If there was no such trade, remove the \
     entry with XDEL and restart the worker; if there was, delete the strategy and make it anew: its ledger does not know \
     the order";

/// Entries that were read but not consumed: updates that belong after a tick that was not taken yet, and what came
/// behind them and has nothing left to apply.
#[derive(Debug, Default)]
pub(super) struct Pending(VecDeque<Waiting>);

#[derive(Debug)]
struct Waiting {
    id: StreamId,
    update: Option<Box<OrderUpdate>>,
    sub_account: Option<Holdings>,
    repeat: Option<usize>,
}

impl Pending {
    /// The tick after which the next update belongs.
    pub fn front_matched(&self) -> Option<u64> {
        self.0.front().and_then(|waiting| waiting.update.as_ref()?.matched)
    }

    /// The id of the last entry read.
    fn last_id(&self) -> Option<StreamId> {
        self.0.back().map(|waiting| waiting.id)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<B: Bus> Worker<'_, B> {
    /// Where the next read of the inbox starts: after what was read, applied or not.
    pub(super) fn inbox_read_cursor(&self) -> StreamId {
        self.pending.last_id().unwrap_or(self.inbox_cursor)
    }

    pub(super) async fn take_inbox(&mut self, entries: Vec<Entry>) -> Result<(), Stop> {
        for entry in entries {
            let Told { news, sub_account, repeat } = match entry.decode() {
                Ok(told) => told,
                Err(problem) => {
                    return self.quarantine(entry.id, &format!("does not read: {problem}"), UNREADABLE).await;
                }
            };
            let update = match news {
                // News of a closed ledger of the same name: its ticks are not these.
                Inbox::OrderUpdate(update)
                    if update.client_order_id.ledger().as_str() != self.runtime.identity.ledger =>
                {
                    tracing::warn!(order = %update.client_order_id, "news of another ledger; it is left out");
                    self.pending.0.push_back(Waiting { id: entry.id, update: None, sub_account: None, repeat: None });
                    continue;
                }
                Inbox::OrderUpdate(update) => {
                    self.doubt.heard_of(&update.client_order_id);
                    Some(update)
                }
                Inbox::Recovered { highest_sequence } => {
                    let now = self.engine.report().as_of;
                    let effects = self.engine.step(now, engine::Event::Recovered { highest_sequence });
                    self.absorb(effects, None);
                    None
                }
                // Of an Advance that this process has not sent.
                Inbox::Word { .. } => None,
                Inbox::Control => {
                    self.follow_register().await?;
                    None
                }
            };
            self.pending.0.push_back(Waiting { id: entry.id, update, sub_account, repeat });
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
        while let Some(waiting) = self.pending.0.front() {
            let reached = match (waiting.update.as_ref().and_then(|update| update.matched), self.engine.last_sequence())
            {
                (Some(matched), Some(taken)) => taken >= matched,
                (Some(_), None) => false,
                (None, _) => true,
            };
            if !reached {
                return;
            }
            let Some(waiting) = self.pending.0.pop_front() else { return };
            if let Some(update) = waiting.update
                && let Err(problem) = self.apply(*update, waiting.repeat)
            {
                self.poison = Some((waiting.id, problem));
                return;
            }
            if let Some(sub_account) = &waiting.sub_account {
                self.compare(sub_account);
            }
            self.consumed(waiting.id);
        }
    }

    /// `Err`: it tells of a trade that cannot be booked, for this reason.
    fn apply(&mut self, update: OrderUpdate, repeat: Option<usize>) -> Result<(), String> {
        let order = update.client_order_id.clone();
        let is_open = |worker: &Self| worker.engine.open_order(&order).is_some();
        // What is told again of an order that is closed here was booked before it was closed.
        if repeat.is_none() || is_open(self) {
            if update.fill.is_some() {
                self.runtime.health.fill();
            }
            let effects = self.engine.step(update.time, engine::Event::OrderUpdate(update));
            if let [engine::Effect::Poison(problem)] = &effects[..] {
                return Err(problem.clone());
            }
            self.absorb(effects, None);
        }
        if repeat == Some(0) {
            self.doubt.told_again(&order);
        }
        if !is_open(self) {
            self.batch.delete.push(format!("{}{order}", super::COMMAND));
        }
        Ok(())
    }

    /// The inbox is consumed up to `id`; the commit moves the cursor and trims.
    fn consumed(&mut self, id: StreamId) {
        self.inbox_cursor = id;
        self.batch.touch();
    }

    /// A lost fill is never traded past: the cursor stays, nothing more is done until a human has looked.
    pub(super) async fn quarantine(&mut self, id: StreamId, problem: &str, remedy: &str) -> Result<(), Stop> {
        self.apply_pending();
        self.runtime.health.poison();
        let message = format!(
            "entry {id} of {} {problem}. Nothing is traded past it. Look at it with XRANGE. {remedy}",
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
            self.runtime.health.not_ready("PoisonInbox", &message);
            self.runtime.shutdown.sleep(IDLE).await;
            if self.runtime.shutdown.asked() {
                return Ok(());
            }
            self.session.beat().await?;
        }
    }
}

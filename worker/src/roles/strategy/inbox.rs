//! What the gateway and the operator tell a strategy, applied in order.

use std::collections::VecDeque;

use bus::{Entry, StreamId};
use engine::instrument::Symbol;
use engine::messages::{Inbox, OrderStatus, OrderUpdate};
use engine::strategies::DesiredState;

use super::Worker;
use super::barrier::Advance;
use crate::roles::told::{Holdings, Told};
use crate::roles::{Bus, IDLE, Stop};
use crds::record::PhaseState;

/// What to do about an entry that does not read.
const UNREADABLE: &str = "Remove it with XDEL. If order.fill shows a trade that it told of, add that news anew with XADD: \
     without it the order stays open and nothing more is traded. Then restart the worker";
/// What to do about a trade of an order that this strategy does not know.
pub(super) const UNKNOWN_ORDER: &str = "Compare it with order.fill and with the venue. If there was no such trade, remove the \
     entry with XDEL and restart the worker; if there was, delete the strategy and make it anew: its ledger does not know \
     the order";

/// Entries that were read but not consumed: while a word is awaited, nothing before it is applied.
#[derive(Debug, Default)]
pub(super) struct Pending(VecDeque<Waiting>);

#[derive(Debug)]
struct Waiting {
    id: StreamId,
    news: News,
    sub_account: Option<Holdings>,
    /// The number of the last transfer in it.
    transferred: u64,
    repeat: Option<usize>,
}

/// What an entry leaves to be done in its turn.
#[derive(Debug)]
enum News {
    Order(Box<OrderUpdate>),
    Word {
        tick: String,
        symbol: Option<Symbol>,
        round: u32,
    },
    /// It was done when it was read.
    Done,
}

impl Pending {
    /// The id of the last entry read.
    fn last_id(&self) -> Option<StreamId> {
        self.0.back().map(|waiting| waiting.id)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many entries there are up to the word on an Advance; `None` if it has not come.
    fn up_to_word(&self, advance: &Advance) -> Option<usize> {
        let asked = advance.tick.to_string();
        let is_word = |waiting: &Waiting| match &waiting.news {
            News::Word { tick, symbol, round } => {
                // A gateway of the release before names no market: there is one then.
                let is_other = symbol.as_ref().zip(advance.symbol.as_ref()).is_some_and(|(one, other)| one != other);
                *tick == asked && *round == advance.round && !is_other
            }
            News::Order(_) | News::Done => false,
        };
        self.0.iter().position(is_word).map(|place| place.saturating_add(1))
    }
}

impl<B: Bus> Worker<'_, B> {
    /// Where the next read of the inbox starts: after what was read, applied or not.
    pub(super) fn inbox_read_cursor(&self) -> StreamId {
        self.pending.last_id().unwrap_or(self.inbox_cursor)
    }

    pub(super) async fn take_inbox(&mut self, entries: Vec<Entry>) -> Result<(), Stop> {
        for entry in entries {
            let Told { news, sub_account, transferred, repeat } = match entry.decode() {
                Ok(told) => told,
                Err(problem) => {
                    return self.quarantine(entry.id, &format!("does not read: {problem}"), UNREADABLE).await;
                }
            };
            let mut waiting = Waiting { id: entry.id, news: News::Done, sub_account, transferred, repeat };
            match news {
                // News of a closed ledger of the same name: its ticks are not these.
                Inbox::OrderUpdate(update) if *update.client_order_id.ledger() != self.ledger => {
                    tracing::warn!(order = %update.client_order_id, "news of another ledger; it is left out");
                    (waiting.sub_account, waiting.repeat) = (None, None);
                }
                // No order has this number. It is a transfer that was read, and how far the sub-account has come stands
                // beside it; or an Advance or a transfer that did not read.
                Inbox::OrderUpdate(update) if update.client_order_id.sequence() == 0 => {
                    if update.status != OrderStatus::Accepted {
                        self.gateway_is_older = self.barrier.waits_for().is_some() || self.owes_transfers();
                        self.tell_readiness();
                        (waiting.sub_account, waiting.repeat) = (None, None);
                    }
                }
                Inbox::OrderUpdate(update) => {
                    self.doubt.heard_of(&update.client_order_id);
                    waiting.news = News::Order(update);
                }
                Inbox::Recovered { highest_sequence } => {
                    let now = self.now(self.engine.report().as_of);
                    let effects = self.engine.step(now, engine::Event::Recovered { highest_sequence });
                    self.absorb(effects);
                }
                Inbox::Word { tick, symbol, round } => waiting.news = News::Word { tick, symbol, round },
                Inbox::Control => self.follow_register().await?,
            }
            self.pending.0.push_back(waiting);
        }
        self.apply_pending();
        Ok(())
    }

    /// Consumes entries in their order. While a word is awaited none, until it is there; then all before it and itself,
    /// and that may be what the next word is awaited for.
    pub(super) fn apply_pending(&mut self) {
        while self.poison.is_none() && !self.engine.asks() {
            let waits_for = self.barrier.waits_for().cloned();
            let up_to_word = waits_for.as_ref().and_then(|advance| self.pending.up_to_word(advance));
            let awaited = waits_for.filter(|_| up_to_word.is_some());
            // To a strategy that is stopped for its deletion no word may ever come: what it was told last is no replay's.
            let may_go_on = self.barrier.waits_for().is_none() || self.engine.desired() == DesiredState::Stopped;
            let count = up_to_word.or_else(|| may_go_on.then_some(self.pending.0.len()));
            let Some(count) = count.filter(|count| *count > 0) else { return };
            let round = awaited.as_ref().map(|advance| advance.round);
            if let Some(round) = round.filter(|round| *round > 0) {
                // What its news sends acts in the next one.
                self.engine.begin_round(round.saturating_add(1));
            }
            let has_taken = self.take_first(count, round);
            if self.poison.is_some() {
                return;
            }
            if awaited.is_some() {
                self.word_has_come();
            } else if !has_taken {
                return;
            }
        }
    }

    /// Takes the first entries, but for what is of a later tick: that, and what stands behind it, is consumed in its turn.
    /// Up to a word what stands behind it is applied nevertheless. Gives whether any was taken.
    fn take_first(&mut self, count: usize, round: Option<u32>) -> bool {
        let (mut kept, mut has_taken) = (VecDeque::new(), false);
        for mut waiting in self.pending.0.drain(..count).collect::<Vec<_>>() {
            let is_later = self.is_of_a_later_tick(&waiting, round);
            if is_later || (round.is_none() && !kept.is_empty()) {
                kept.push_back(waiting);
                continue;
            }
            has_taken = true;
            if !kept.is_empty() {
                // The sub-account holds what is told before it already.
                waiting.sub_account = None;
            }
            self.take_news(&mut waiting);
            if self.poison.is_some() {
                return has_taken;
            }
            if kept.is_empty() {
                self.consumed(waiting.id);
            } else {
                kept.push_back(waiting);
            }
        }
        kept.append(&mut self.pending.0);
        self.pending.0 = kept;
        has_taken
    }

    /// Whether the gateway of the release before has matched an order further than this worker has come: it follows ticks by
    /// itself. What it tells is booked once that tick is taken, as that release's worker does.
    fn is_of_a_later_tick(&self, waiting: &Waiting, round: Option<u32>) -> bool {
        let (News::Order(update), Some(taken)) = (&waiting.news, self.engine.last_tick()) else { return false };
        // Of round 0 this release tells before the tick is taken, but never of an order of the release before.
        let is_of_that_release =
            || self.engine.open_order(&update.client_order_id).is_some_and(|order| order.cause.is_none());
        self.barrier.is_simulated()
            && update.matched.is_some_and(|matched| matched > taken.source_sequence)
            && (round != Some(0) || is_of_that_release())
            && self.engine.desired() != DesiredState::Stopped
            && self.follows_ticks()
            && !self.engine.data_ended()
    }

    /// Whether what was told already is of a tick that is not taken yet: up to there nothing else can trade.
    pub(super) fn is_told_ahead(&self) -> bool {
        self.pending.0.front().is_some_and(|waiting| self.is_of_a_later_tick(waiting, None))
    }

    fn take_news(&mut self, waiting: &mut Waiting) {
        match std::mem::replace(&mut waiting.news, News::Done) {
            News::Order(update) => {
                if let Err(problem) = self.apply(*update, waiting.repeat) {
                    self.poison = Some((waiting.id, problem));
                    return;
                }
            }
            News::Word { .. } | News::Done => {}
        }
        if let Some(sub_account) = waiting.sub_account.take() {
            self.compare(&sub_account, waiting.transferred);
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
            self.barrier.orders_changed();
            let now = self.now(update.time);
            let effects = self.engine.step(now, engine::Event::OrderUpdate(update));
            if let [engine::Effect::Poison(problem)] = &effects[..] {
                return Err(problem.clone());
            }
            self.absorb(effects);
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
        let phase = self.phase_of(PhaseState::Quarantined, "PoisonInbox", message.clone());
        self.batch.set.push(phase.to_field());
        self.batch.touch();
        loop {
            // Where the gateway takes no commands either, it is told when there is room.
            if self.batch.is_dirty() {
                self.store().await?;
            } else {
                self.session.beat().await?;
            }
            self.runtime.health.not_ready("PoisonInbox", &message);
            self.runtime.shutdown.sleep(IDLE).await;
            if self.runtime.shutdown.asked() {
                return Ok(());
            }
        }
    }
}

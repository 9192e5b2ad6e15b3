//! Waiting for the gateway of a simulated venue: the Advance that asks it to match so far, what follows from its word, and
//! what is asked once more where no word comes.

use std::time::Instant;

use bus::{Message, Topic};
use engine::client_order_id::ClientOrderId;
use engine::messages::{CommandKind, OrderCommand, Tick};

use super::barrier::At;
use super::{ASK_AGAIN, Worker};
use crate::roles::document::message;
use crate::roles::{Bus, Stop};

impl<B: Bus> Worker<'_, B> {
    /// What rests is held against a tick before the tick is taken: whether that is to be waited for first.
    pub(super) fn must_match(&mut self, at: &At<'_>) -> bool {
        let is_next = self.engine.last_tick().is_some_and(|last| last.source_sequence < at.tick.source_sequence);
        let waits = is_next && !self.is_told_ahead() && self.barrier.matches(at, self.engine.open_orders());
        if waits {
            self.advance(at, 0, Some(at.tick));
        }
        waits
    }

    /// A tick was taken: what was sent on it, and what arrives on it, acts before the next one is taken.
    pub(super) fn let_arrive(&mut self, at: &At<'_>) {
        if !self.is_told_ahead() && self.may_arrive(at) {
            self.advance(at, self.barrier.next_round(at), Some(at.tick));
        }
    }

    /// Whether something may arrive on a tick that was just taken.
    pub(super) fn may_arrive(&mut self, at: &At<'_>) -> bool {
        // The venue must know that a market has ended, whatever is on its way then: more can be sent there on other ticks.
        let ends = at.tick.last && self.markets.are_several();
        ends || self.barrier.arrives(at, self.engine.open_orders())
    }

    /// What was sent but not on a tick, as when a human pauses, acts as of the last tick; on the next one where the venue is
    /// past the last already.
    pub(super) fn let_owed_arrive(&mut self) {
        let is_later = self.barrier.waits_for().is_some() || self.is_told_ahead() || self.engine.asks();
        if !self.barrier.owes() || is_later {
            return;
        }
        let Some((tick, (market, id))) = self.engine.last_tick().zip(self.markets.last()) else { return };
        let last = At { market, id, tick: &tick.clone() };
        if !self.barrier.is_past(&last) {
            // The gateway has that tick by now, or reads it.
            self.advance(&last, self.barrier.next_round(&last), None);
        }
    }

    /// What the process before was owed an answer for is told again.
    pub(super) async fn tell_what_is_owed(&mut self) -> Result<(), Stop> {
        self.push_advance();
        self.let_owed_arrive();
        self.owes_what_the_release_before_sent();
        self.tell_transfers_again().await?;
        Ok(())
    }

    /// Orders that do not say when they arrive were sent, at the latest, on the last tick, and may arrive on it. Not before
    /// the inbox was read: their end may have been told already.
    fn owes_what_the_release_before_sent(&mut self) {
        if self.stored.is_none() && self.engine.open_orders().any(|order| order.cause.is_none()) {
            self.barrier.command_sent();
        }
    }

    /// The gateway has read what it was told: where nothing is left that an older one does not read, it is none.
    pub(super) fn gateway_reads(&mut self) {
        let owes_nothing = self.barrier.waits_for().is_none() && !self.owes_transfers();
        if owes_nothing && std::mem::take(&mut self.gateway_is_older) {
            self.tell_readiness();
        }
    }

    /// All before the word of the venue is booked. What that sent is the next round of the same tick.
    pub(super) fn word_has_come(&mut self) {
        let round = self.barrier.waits_for().map(|advance| advance.round);
        self.barrier.answered();
        self.batch.touch();
        self.gateway_reads();
        // Of round 0 the tick itself comes next.
        if round.is_some_and(|round| round > 0) {
            let event = self.engine.last_tick().map(Tick::event_time).unwrap_or_default();
            let effects = self.engine.end_round(self.now(event));
            self.absorb(effects);
            self.let_owed_arrive();
        }
    }

    /// Commits, with all that was sent before it, that the venue may go on so far.
    fn advance(&mut self, at: &At<'_>, round: u32, market: Option<&Tick>) {
        let number = at.tick.source_sequence;
        let index = Some(self.engine.tick_index(number)).filter(|index| *index != number);
        self.barrier.wait(at, index, round);
        self.asked = Instant::now();
        self.batch.messages.extend(self.advance_message(market));
        self.batch.touch();
    }

    /// The Advance that is waited for once more, if there is one: as after a restart, or where its word does not come.
    pub(super) fn push_advance(&mut self) {
        self.batch.messages.extend(self.advance_message(None));
    }

    /// The Advance whose word is overdue: entries can be lost.
    pub(super) fn overdue_advance(&mut self) -> Option<ClientOrderId> {
        if self.barrier.waits_for().is_none() || self.asked.elapsed() < ASK_AGAIN {
            return None;
        }
        self.asked = Instant::now();
        Some(self.advance_id())
    }

    /// It names order 0 of its ledger.
    fn advance_id(&self) -> ClientOrderId {
        ClientOrderId::new(self.ledger.clone(), 0)
    }

    fn advance_message(&self, market: Option<&Tick>) -> Option<Message> {
        let advance = self.barrier.waits_for()?;
        let kind = CommandKind::Advance { round: advance.round, index: advance.index };
        let symbol = advance.symbol.clone().unwrap_or_else(|| self.engine.instrument().symbol.clone());
        let command = OrderCommand {
            tick: Some(advance.tick.to_string()),
            market: market.cloned().map(Box::new),
            expires_at: advance.time,
            ..OrderCommand::new(&self.spec.name, self.advance_id(), kind, symbol, advance.time)
        };
        // Without a bound: there is one at a time, and who waits for room waits for it in any case.
        Some(message(self.topic(Topic::OrderCommand), &command))
    }
}

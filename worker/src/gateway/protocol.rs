//! From commands to requests, and from doubts to answers: at each step what is about to happen is on record
//! first. What is right to do is the desk's to say; this only does it.

use std::sync::Arc;

use bus::{Entry, StreamId, Topic};
use engine::client_order_id::ClientOrderId;
use engine::instrument::Symbol;
use engine::messages::{CommandKind, Inbox, OrderCommand, OrderUpdate};
use engine::time::Timestamp;
use venue::{Outcome, Residence};

use super::desk::{self, Found, Verdict};
use super::{Gateway, Restore, caused_by};
use crate::document::DeadLetter;
use crate::hashes::LinedTick;
use crate::role::{Bus, Stop};
use crate::session::patiently;
use crate::told::Told;

impl<B: Bus, V: Restore> Gateway<B, V> {
    pub(super) async fn take_commands(&mut self, entries: Vec<Entry>) -> Result<(), Stop> {
        for entry in entries {
            let command = entry.decode::<OrderCommand>();
            if let Ok(command) = &command
                && self.must_wait(command).await?
            {
                return Ok(());
            }
            self.cursor = entry.id;
            self.dirty = true;
            match command {
                Ok(command) => self.take_command(&command).await?,
                Err(problem) => {
                    self.runtime.health.poison();
                    tracing::error!(stream = %self.commands, id = %entry.id, %problem, "a command does not read");
                    let letter = DeadLetter::of(&self.commands, &entry, &problem);
                    self.publish(Topic::DeadLetter, &letter);
                    if let Some(update) = denial(entry.text())
                        && let Some(strategy) = self.desk.strategy_of(update.client_order_id.ledger())
                    {
                        // To whom the order's ledger belongs, whatever name the command gives.
                        let ledger = update.client_order_id.ledger().clone();
                        self.answer(&strategy, &ledger, vec![Inbox::OrderUpdate(Box::new(update)).into()]).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether only a register can judge this command and none has been adopted in this life: its sequence is not used up
    /// for want of one. What stands behind it waits with it.
    async fn must_wait(&mut self, command: &OrderCommand) -> Result<bool, Stop> {
        let known = self.desk.order(&command.client_order_id).is_some();
        if self.desk.has_register() || known || command.kind == CommandKind::Cancel {
            return Ok(false);
        }
        self.follow_books().await?;
        self.awaits_register = !self.desk.has_register();
        self.tell_readiness();
        Ok(self.awaits_register)
    }

    async fn take_command(&mut self, command: &OrderCommand) -> Result<(), Stop> {
        self.runtime.health.order();
        let now = self.time_of(command).await?;
        let mut verdict = self.desk.judge(command, now);
        if verdict == Verdict::NotRegistered {
            // The register may be newer than the last nudge that was read.
            self.follow_books().await?;
            verdict = self.desk.judge(command, now);
        }
        let (strategy, ledger) = (&command.strategy, command.client_order_id.ledger());
        let mut answers: Vec<Told> = Vec::new();
        let mut is_repeat = false;
        let news = match verdict {
            Verdict::Send => return self.send(command).await,
            Verdict::Cancel => {
                self.cancel(&command.client_order_id, &command.symbol).await;
                return Ok(());
            }
            Verdict::Tell(news) => news,
            Verdict::Repeat(news) => {
                is_repeat = true;
                news
            }
            // Denied for good, if there is somebody to be told; else nobody holds it for made or not made.
            Verdict::NotRegistered if !self.hears(strategy, ledger).await? => return Ok(()),
            Verdict::NotRegistered => self.desk.deny_unregistered(command),
            Verdict::Reissued(news, highest_sequence) => {
                answers.push(Inbox::Recovered { highest_sequence }.into());
                is_repeat = true;
                news
            }
        };
        answers.extend(news.into_iter().map(|update| Told::from(Inbox::OrderUpdate(Box::new(update)))));
        if is_repeat {
            for (left, answer) in answers.iter_mut().rev().enumerate() {
                answer.repeat = Some(left);
            }
        }
        self.answer(strategy, ledger, answers).await
    }

    /// Sends an order that the desk holds as being sent.
    async fn send(&mut self, command: &OrderCommand) -> Result<(), Stop> {
        let id = &command.client_order_id;
        let mut cause = None;
        if let Residence::External { receive_window_ms, .. } = self.venue.residence() {
            // The order is on record as being sent before the venue can hear of it.
            self.store().await?;
            let now = self.now().await?;
            if self.session.register_is_news() {
                // The commit has told of a newer register: it may forbid this very order, which is not sent yet.
                self.follow_books().await?;
                let news = self.desk.withdraw(id, now);
                self.tell(&news);
                self.cancel_forbidden().await;
            }
            let Some(signed_at) = self.desk.stamp(id) else { return Ok(()) };
            if now.millis_since(signed_at) > receive_window_ms || now > command.expires_at {
                // The commit took so long that the request would be dead on arrival.
                let news = self.desk.doubt(id, "NotSentInTime", now);
                self.tell(&news);
                return Ok(());
            }
            self.venue.stamp(signed_at);
        } else {
            cause = self.cause(command).await?;
            if cause.is_some() {
                self.wait_from(command);
            }
        }
        let outcome = self.venue.submit(command, cause.as_deref().map(|tick| &**tick)).await;
        let now = self.time_of(command).await?;
        let news = self.desk.settle(id, &outcome, now);
        self.tell(&news);
        self.hear_reports();
        Ok(())
    }

    pub(super) async fn cancel(&mut self, id: &ClientOrderId, symbol: &Symbol) {
        // Without a definite yes the order stays as it is: the venue is asked, and asked to cancel again.
        if let Outcome::Done(report) = self.venue.cancel(id, symbol).await {
            let news = self.desk.hear(&report);
            self.tell(&news);
        }
    }

    /// Ticks are read from the order's own onward; orders that wait already have seen some of them.
    fn wait_from(&mut self, command: &OrderCommand) {
        let from = caused_by(command).unwrap_or(StreamId::ZERO);
        let waiting = self.venue.wanted_ticks().iter().any(|(symbol, _)| *symbol == command.symbol);
        let cursor = self.tick_cursors.entry(command.symbol.clone()).or_insert(from);
        *cursor = if waiting { from.min(*cursor) } else { from };
    }

    /// The tick that caused a command, as it stands in its stream. Commands of many strategies have the same cause: it is
    /// read once.
    async fn cause(&mut self, command: &OrderCommand) -> Result<Option<Arc<LinedTick>>, Stop> {
        let Some(id) = caused_by(command) else { return Ok(None) };
        let stream = self.runtime.identity.keys.market_tick(&self.source, &command.symbol.to_string());
        if let Some((known, at, tick)) = &self.last_cause
            && (known, *at) == (&stream, id)
        {
            return Ok(Some(Arc::clone(tick)));
        }
        let found = patiently(&self.runtime, || self.runtime.bus.range(&stream, id, id, 1)).await?;
        let tick = found.first().and_then(|entry| entry.decode_once::<LinedTick>().ok());
        self.last_cause = tick.clone().map(|tick| (stream, id, tick));
        Ok(tick)
    }

    /// Takes the venue's reports, and asks it about orders that are in doubt or silent.
    pub(super) async fn ask_about_doubts(&mut self) -> Result<(), Stop> {
        self.hear_reports();
        // A venue in the record has no doubts: what was not committed never happened.
        if self.is_elsewhere() && self.desk.has_questions() {
            let now = self.now().await?;
            for id in self.desk.questions(now) {
                self.ask(&id).await?;
            }
        }
        if self.dirty || self.desk.has_changes() || !self.messages.is_empty() { self.store().await } else { Ok(()) }
    }

    async fn ask(&mut self, id: &ClientOrderId) -> Result<(), Stop> {
        let Some(command) = self.desk.order(id).map(|order| order.command.clone()) else { return Ok(()) };
        // Taken before the question: the answer is as of some moment after it.
        let asked = self.now().await?;
        let answer = match self.venue.lookup(id, &command.symbol).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(order = %id, %error, "still in doubt");
                return Ok(());
            }
        };
        match self.desk.found(id, answer.as_ref(), self.venue.residence(), asked) {
            Found::News(news) => self.tell(&news),
            Found::Wait => {}
            Found::Resend => return self.send(&command).await,
        }
        if self.desk.must_cancel(id) {
            self.cancel(id, &command.symbol).await;
        }
        Ok(())
    }
}

/// The denial of a command that does not read but names its order.
fn denial(data: &str) -> Option<OrderUpdate> {
    let value: serde_json::Value = serde_json::from_str(data).ok()?;
    let id: ClientOrderId = value.get("clientOrderId")?.as_str()?.parse().ok()?;
    let time = value.get("time").and_then(serde_json::Value::as_i64).unwrap_or(0);
    Some(desk::denied_unread(id, Timestamp::from_millis(time)))
}

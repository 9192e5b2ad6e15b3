//! From commands to requests, and from doubts to answers: at each step what is about to happen is on record
//! first. What is right to do is the desk's to say; this only does it.

use bus::{Entry, Topic};
use engine::client_order_id::ClientOrderId;
use engine::instrument::Symbol;
use engine::messages::{CommandKind, Inbox, OrderCommand, OrderUpdate};
use engine::time::Timestamp;
use venue::{Outcome, Venue};

use super::desk::{self, Found, Verdict};
use super::{Gateway, Judging, Place};
use crate::roles::document::DeadLetter;
use crate::roles::told::Told;
use crate::roles::{Bus, Stop};

impl<B: Bus, V: Venue> Gateway<B, V> {
    pub(super) async fn take_commands(&mut self, entries: Vec<Entry>) -> Result<(), Stop> {
        self.keep_ticks_of(&entries);
        for entry in entries {
            let command = entry.decode_once::<OrderCommand>();
            if let Ok(command) = &command
                && self.must_wait(command).await?
            {
                return Ok(());
            }
            self.cursor = entry.id;
            (self.dirty, self.judging) = (true, Judging::Judged);
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
        if let CommandKind::Advance { round } = &command.kind {
            return self.advance(command, *round).await;
        }
        self.runtime.health.order();
        if self.is_elsewhere() && matches!(command.kind, CommandKind::Replace { .. }) {
            let denial = Inbox::OrderUpdate(Box::new(desk::denied_unsupported(command)));
            return self.answer(&command.strategy, command.client_order_id.ledger(), vec![denial.into()]).await;
        }
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
            Verdict::Send | Verdict::Cancel if !self.is_elsewhere() => return self.hand_over(command, &verdict).await,
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

    /// Sends an order that the desk holds as being sent to a venue elsewhere.
    async fn send(&mut self, command: &OrderCommand) -> Result<(), Stop> {
        let id = &command.client_order_id;
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
        let Place::Elsewhere(venue) = &mut self.place else { return Ok(()) };
        if now.millis_since(signed_at) > venue.windows().receive_ms || now > command.expires_at {
            // The commit took so long that the request would be dead on arrival.
            let news = self.desk.doubt(id, "NotSentInTime", now);
            self.tell(&news);
            return Ok(());
        }
        venue.stamp(signed_at);
        let outcome = venue.submit(command).await;
        let now = self.time_of(command).await?;
        let news = self.desk.settle(id, &outcome, now);
        self.tell(&news);
        self.hear_reports();
        Ok(())
    }

    pub(super) async fn cancel(&mut self, id: &ClientOrderId, symbol: &Symbol) {
        let Place::Elsewhere(venue) = &mut self.place else { return };
        // Without a definite yes the order stays as it is: the venue is asked, and asked to cancel again.
        if let Outcome::Done(report) = venue.cancel(id, symbol).await {
            let news = self.desk.hear(&report);
            self.tell(&news);
        }
    }

    /// Takes the venue's reports, and asks it about orders that are in doubt or silent.
    pub(super) async fn ask_about_doubts(&mut self) -> Result<(), Stop> {
        self.hear_reports();
        // The simulated exchange leaves no doubts: what was not committed never happened.
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
        let Place::Elsewhere(venue) = &mut self.place else { return Ok(()) };
        let windows = venue.windows();
        let answer = match venue.lookup(id, &command.symbol).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(order = %id, %error, "still in doubt");
                return Ok(());
            }
        };
        match self.desk.found(id, answer.as_ref(), windows, asked) {
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

//! From commands to what becomes of them. What is right to do is the order manager's to say; what is to be sent is the
//! place's to do.

use bus::{Entry, Topic};
use engine::client_order_id::ClientOrderId;
use engine::messages::{CommandKind, Inbox, OrderCommand, OrderUpdate};
use engine::time::Timestamp;

use super::manager::{self, Verdict};
use super::order::News;
use super::{Gateway, Judging, Place};
use crate::roles::document::DeadLetter;
use crate::roles::told::Told;
use crate::roles::{Bus, Stop};

impl<B: Bus, P: Place> Gateway<B, P> {
    pub(super) async fn take_commands(&mut self, entries: Vec<Entry>) -> Result<(), Stop> {
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
                        && let Some(strategy) = self.manager.strategy_of(update.client_order_id.ledger())
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
        let known = self.manager.order(&command.client_order_id).is_some();
        if self.manager.has_register() || known || command.kind == CommandKind::Cancel {
            return Ok(false);
        }
        self.follow_sub_accounts().await?;
        self.awaits_register = !self.manager.has_register();
        self.tell_readiness();
        Ok(self.awaits_register)
    }

    async fn take_command(&mut self, command: &OrderCommand) -> Result<(), Stop> {
        if let CommandKind::Advance { round, index } = &command.kind {
            P::price(self, command).await?;
            P::advance(self, command, *round, *index).await?;
            // After what trades at this price.
            self.hold_to_account_limits();
            return Ok(());
        }
        self.runtime.health.order();
        if let Some(reason) = self.place.refuses(command) {
            let denial = Inbox::OrderUpdate(Box::new(manager::denied_here(command, reason)));
            return self.answer(&command.strategy, command.client_order_id.ledger(), vec![denial.into()]).await;
        }
        if command.kind.order().is_some() {
            P::price(self, command).await?;
            self.hold_to_account_limits();
        }
        let now = self.place.judged_at(command);
        let mut verdict = self.manager.judge(command, now);
        if verdict == Verdict::NotRegistered {
            // The register may be newer than the last nudge that was read.
            self.follow_sub_accounts().await?;
            verdict = self.manager.judge(command, now);
        }
        if let Verdict::Send | Verdict::Cancel | Verdict::Ask = verdict {
            return P::act(self, command, &verdict).await;
        }
        self.tell_verdict(command, verdict).await
    }

    /// Tells what a command that comes to nothing was judged to be.
    pub(super) async fn tell_verdict(&mut self, command: &OrderCommand, verdict: Verdict) -> Result<(), Stop> {
        let (strategy, ledger) = (&command.strategy, command.client_order_id.ledger());
        let mut answers: Vec<Told> = Vec::new();
        let mut is_repeat = false;
        let news = match verdict {
            Verdict::Send | Verdict::Cancel | Verdict::Ask => News::new(),
            Verdict::Tell(news) => news,
            Verdict::Repeat(news) => {
                is_repeat = true;
                news
            }
            // Denied for good, if there is somebody to be told; else nobody holds it for made or not made.
            Verdict::NotRegistered if !self.hears(strategy, ledger).await? => return Ok(()),
            Verdict::NotRegistered => self.manager.deny_unregistered(command),
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
}

/// The denial of a command that does not read but names its order.
fn denial(data: &str) -> Option<OrderUpdate> {
    let value: serde_json::Value = serde_json::from_str(data).ok()?;
    let id: ClientOrderId = value.get("clientOrderId")?.as_str()?.parse().ok()?;
    let time = value.get("time").and_then(serde_json::Value::as_i64).unwrap_or(0);
    Some(manager::denied_unread(id, Timestamp::from_millis(time)))
}

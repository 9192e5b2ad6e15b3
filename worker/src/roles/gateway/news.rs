//! What the gateway tells: news into the strategies' inboxes, trades for outsiders. Collects messages for the
//! next commit; sends nothing by itself.

use std::collections::BTreeSet;

use bus::{Bounds, Topic};
use engine::client_order_id::{ClientOrderId, LedgerId};
use engine::messages::{Document, Inbox, OrderUpdate};

use super::behind::Address;
use super::{Gateway, Place};
use crate::roles::document::{for_outsiders, message};
use crate::roles::session::patiently;
use crate::roles::told::Told;
use crate::roles::{Bus, Stop};

impl<B: Bus, P: Place> Gateway<B, P> {
    /// Puts news into inboxes, and trades on the topic for outsiders. All that was heard since is in `news`, so that
    /// with its last entry a strategy has heard all that its sub-account holds.
    pub(super) fn tell(&mut self, news: &[OrderUpdate]) {
        let mut heard = BTreeSet::new();
        let mut last: Vec<bool> =
            news.iter().rev().map(|update| heard.insert(update.client_order_id.ledger())).collect();
        last.reverse();
        for (update, is_last) in news.iter().zip(last) {
            let ledger = update.client_order_id.ledger();
            let Some(strategy) = self.strategy_of(&update.client_order_id) else {
                tracing::error!(order = %update.client_order_id, "news of an order of no known strategy");
                continue;
            };
            if let Some(fill) = &update.fill {
                self.runtime.health.fill();
                self.publish(Topic::OrderFill, fill);
            }
            if self.is_silent(ledger, &update.client_order_id) {
                continue;
            }
            let mut told = Told::from(Inbox::OrderUpdate(Box::new(update.clone())));
            if is_last {
                self.tell_sub_account(ledger, &mut told);
            }
            self.tell_strategy(&strategy, ledger, &told);
        }
    }

    /// Answers a command. Who is not in the register is answered only while its ledger stands in the store: an inbox
    /// that was deleted with its ledger, or that never had one, must not come to be by an answer that nobody reads.
    pub(super) async fn answer(
        &mut self,
        strategy: &str,
        ledger: &LedgerId,
        mut answers: Vec<Told>,
    ) -> Result<(), Stop> {
        if self.hears(strategy, ledger).await? {
            if let Some(last) = answers.last_mut() {
                self.tell_sub_account(ledger, last);
            }
            for answer in &answers {
                self.tell_strategy(strategy, ledger, answer);
            }
        }
        Ok(())
    }

    /// What a sub-account holds, and which transfers are in it.
    fn tell_sub_account(&self, ledger: &LedgerId, told: &mut Told) {
        (told.sub_account, told.transferred) = (self.manager.holdings(ledger), self.manager.transfers(ledger));
    }

    /// Whether there is somebody to tell anything of this ledger.
    pub(super) async fn hears(&self, strategy: &str, ledger: &LedgerId) -> Result<bool, Stop> {
        if self.is_silent(ledger, &strategy) {
            return Ok(false);
        }
        if self.manager.strategy_of(ledger).as_deref() == Some(strategy) {
            return Ok(true);
        }
        let stands = self.stands(strategy, ledger).await?;
        if !stands {
            tracing::warn!(strategy, %ledger, "a command of no ledger that stands; it is denied and nobody is told");
        }
        Ok(stands)
    }

    async fn stands(&self, strategy: &str, ledger: &LedgerId) -> Result<bool, Stop> {
        let owner = self.runtime.identity.keys.strategy(self.owner.scope(), strategy);
        let record = patiently(&self.runtime, || self.runtime.bus.record(&owner)).await?;
        Ok(record.is_some_and(|record| !record.closed && record.ledger == ledger.as_str()))
    }

    /// What waits for a ledger that hears nothing more is told to nobody: its inbox must not come back.
    pub(super) async fn drop_unheard(&mut self) -> Result<(), Stop> {
        let mut unheard = BTreeSet::new();
        for Address { strategy, ledger } in self.behind.addresses() {
            let is_named = self.manager.strategy_of(&ledger).is_some();
            if self.manager.is_silent(&ledger) || !(is_named || self.stands(&strategy, &ledger).await?) {
                tracing::warn!(strategy, %ledger, "its news waited until it was gone: it is told no more");
                unheard.insert(ledger);
            }
        }
        self.behind.forget(&unheard);
        Ok(())
    }

    fn is_silent(&self, ledger: &LedgerId, about: &dyn std::fmt::Display) -> bool {
        let silent = self.manager.is_silent(ledger);
        if silent {
            tracing::warn!(%ledger, %about, "the ledger is closed: nothing more is told to it");
        }
        silent
    }

    fn strategy_of(&self, id: &ClientOrderId) -> Option<String> {
        self.manager
            .order(id)
            .map(|order| order.command.strategy.clone())
            .or_else(|| self.manager.strategy_of(id.ledger()))
    }

    /// Puts one entry into a strategy's inbox.
    pub(super) fn tell_strategy(&mut self, strategy: &str, ledger: &LedgerId, entry: &Told) {
        let owner = self.runtime.identity.keys.strategy(self.owner.scope(), strategy);
        let address = Address { strategy: strategy.to_owned(), ledger: ledger.clone() };
        self.behind.addressed(owner.inbox(), address);
        self.messages.push(message(owner.inbox().clone(), entry).with_bound(Bounds::INBOX.entries));
    }

    /// Publishes a document for outsiders.
    pub(super) fn publish(&mut self, topic: Topic, document: &impl Document) {
        self.messages.push(for_outsiders(&self.runtime.identity.keys, self.owner.scope(), topic, document));
    }
}

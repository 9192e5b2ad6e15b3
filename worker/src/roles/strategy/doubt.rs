//! News that never came. The gateway says with its news what the sub-account holds; this ledger must hold the same once
//! all news up to there is booked. Where it does not, the gateway is asked for the trades of every open order again, and
//! nothing is traded meanwhile; if that heals nothing, the strategy halts for good and a human is told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use engine::client_order_id::ClientOrderId;
use engine::orders::{Order, OrderState};

use super::{ASK_AGAIN, Worker};
use crate::roles::told::Holdings;
use crate::roles::{Bus, Stop};
use crds::source::Fault;

/// How often the gateway is asked once more after all was told and it did not help.
const IN_VAIN_MAX: u8 = 2;

/// The reason of a strategy whose account holds something else than its ledger.
pub(super) const MISMATCH: &str = "AccountMismatch";
/// Why, and what to do.
pub(super) const MISMATCH_MESSAGE: &str = "the account holds something else than the strategy's ledger, also after all \
     trades were told again: nothing more is traded. Compare order.fill with the status; then delete the strategy and make \
     it anew";

/// Why a strategy waits for a gateway that runs, and what to do.
const GATEWAY_OLDER: &str = "the account's gateway is of an older release: it does not read as of which tick orders are to be \
     matched, or that money was moved, so this strategy waits. Run its pod with the image of this one; it then goes on by itself within 30 s";

/// What is known of lost news.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    /// How this ledger and the sub-account differ, as of the last entry that told; `None`: they agree.
    differs: Option<String>,
    /// The orders whose trades the gateway was asked for, and has not yet told to the end.
    awaited: BTreeSet<ClientOrderId>,
    /// When the gateway was last asked, in this doubt.
    asked: Option<Instant>,
    /// How often the gateway has told everything again and it did not help: an answer can be lost too.
    in_vain: u8,
    /// Since when each open order has no news.
    quiet: BTreeMap<ClientOrderId, Instant>,
}

impl Doubt {
    /// Whether nothing may be traded before the gateway has told the trades again.
    pub const fn is_open(&self) -> bool {
        self.differs.is_some()
    }

    /// The gateway has told all that it knows of an order.
    pub fn told_again(&mut self, order: &ClientOrderId) {
        self.awaited.remove(order);
    }

    /// News of an order has come.
    pub fn heard_of(&mut self, order: &ClientOrderId) {
        self.quiet.remove(order);
    }

    fn compare(&mut self, differs: Option<String>) {
        if differs.is_none() {
            self.awaited.clear();
            (self.asked, self.in_vain) = (None, 0);
        }
        self.differs = differs;
    }

    /// Of the open orders those without news for so long that it may be lost.
    fn overdue(&mut self, open: &BTreeSet<ClientOrderId>) -> BTreeSet<ClientOrderId> {
        let now = Instant::now();
        self.quiet.retain(|order, _| open.contains(order));
        let mut overdue = BTreeSet::new();
        for order in open {
            let since = self.quiet.entry(order.clone()).or_insert(now);
            if now.duration_since(*since) >= ASK_AGAIN {
                *since = now;
                overdue.insert(order.clone());
            }
        }
        overdue
    }
}

impl<B: Bus> Worker<'_, B> {
    /// All entries up to one are booked, with which the gateway told what the sub-account holds.
    pub(super) fn compare(&mut self, sub_account: &Holdings, transferred: u64) {
        self.transfers_followed(transferred);
        let differs = self.engine.differs_from(sub_account, transferred);
        if let Some(differs) = &differs {
            tracing::warn!("news is missing: {differs}");
        }
        self.doubt.compare(differs);
    }

    /// Asks where news may be lost, and halts where asking did not help.
    pub(super) async fn settle_doubt(&mut self) -> Result<(), Stop> {
        self.repeat_transfers().await?;
        let mut overdue = self.doubt.overdue(&self.expected());
        overdue.extend(self.overdue_advance());
        let Some(differs) = self.doubt.differs.clone().filter(|_| !self.engine.is_mismatched()) else {
            return self.ask(&overdue).await;
        };
        let open: BTreeSet<_> = self.engine.open_orders().map(|order| order.client_order_id.clone()).collect();
        self.doubt.awaited.retain(|order| open.contains(order));
        match self.doubt.asked {
            None if !open.is_empty() => {
                self.doubt.asked = Some(Instant::now());
                self.doubt.awaited.clone_from(&open);
                self.ask(&open).await
            }
            // What was read and waits for its tick may tell it still.
            None if !self.pending.is_empty() => Ok(()),
            Some(asked) if !self.doubt.awaited.is_empty() => {
                if asked.elapsed() >= ASK_AGAIN {
                    self.doubt.asked = None;
                }
                Ok(())
            }
            Some(_) if self.doubt.in_vain < IN_VAIN_MAX && !open.is_empty() => {
                (self.doubt.asked, self.doubt.in_vain) = (None, self.doubt.in_vain + 1);
                Ok(())
            }
            None | Some(_) => self.halt_on(&differs).await,
        }
    }

    /// The open orders of which news must come by itself: at a simulated venue one that rests is told of when it trades.
    fn expected(&self) -> BTreeSet<ClientOrderId> {
        let rests = |order: &Order| match order.state {
            OrderState::Accepted | OrderState::PartiallyFilled => !order.lacks_fills() && order.cancel.is_none(),
            OrderState::Committed
            | OrderState::Sent
            | OrderState::Unknown
            | OrderState::Filled
            | OrderState::Canceled
            | OrderState::Expired
            | OrderState::Rejected
            | OrderState::Denied => false,
        };
        let is_simulated = self.barrier.is_simulated();
        let expected = self.engine.open_orders().filter(|order| !is_simulated || !rests(order));
        expected.map(|order| order.client_order_id.clone()).collect()
    }

    async fn halt_on(&mut self, differs: &str) -> Result<(), Stop> {
        let why = format!(
            "{differs}, also after the gateway has told all its trades again. Compare order.fill with the status; then \
             delete the strategy and make it anew"
        );
        tracing::error!("AccountMismatch: {why}");
        let effects = self.engine.halt_on_mismatch(self.engine.report().as_of, &why);
        self.absorb(effects);
        self.batch.touch();
        self.store().await?;
        self.tell_readiness();
        Ok(())
    }

    /// Ready, unless a human must act.
    pub(super) fn tell_readiness(&self) {
        let health = &self.runtime.health;
        if self.engine.is_mismatched() {
            health.not_ready(MISMATCH, MISMATCH_MESSAGE);
        } else if let Some(problem) = &self.edits.problem {
            health.not_ready("RegisterUnreadable", problem);
        } else if self.gateway_is_older {
            health.not_ready("GatewayOlder", GATEWAY_OLDER);
        } else if self.waits_for_room {
            health.not_ready("CommandsBusy", "the gateway does not take commands; does its pod run?");
        } else if let Some(Fault { reason, message }) = self.price_fault() {
            health.not_ready(reason, message);
        } else {
            health.ready();
        }
    }

    /// The gateway knows a command that comes again by its id: it sends nothing, and tells all that it knows of the order.
    async fn ask(&mut self, orders: &BTreeSet<ClientOrderId>) -> Result<(), Stop> {
        if orders.is_empty() {
            return Ok(());
        }
        for id in self.republish(orders).await? {
            self.doubt.awaited.remove(&id);
        }
        Ok(())
    }
}

//! What each ledger may do at the account, as the gateway follows it. A stance counts from the moment it is adopted;
//! the commit that follows carries it into the record, and by that alone it is acknowledged. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crds::roles::Stance;
use engine::client_order_id::{ClientOrderId, LedgerId};
use engine::instrument::Symbol;
use engine::messages::{NewOrder, OrderStatus, Side};
use engine::time::Timestamp;

use super::{News, OrderManager, Stage};

/// The stances of the ledgers with a sub-account.
#[derive(Debug, Clone, Default)]
pub(super) struct Stances {
    followed: BTreeMap<LedgerId, Stance>,
    /// Closed, and not silent yet.
    closing: BTreeSet<LedgerId>,
    /// Closed, acknowledged, and without an open order: their inboxes may be gone and must not come back.
    silent: BTreeSet<LedgerId>,
}

impl Stances {
    /// Follows another stance; tells whether it is a new one. [`Stance::Closed`] is never left.
    pub fn follow(&mut self, ledger: &LedgerId, stance: Stance) -> bool {
        let before = self.followed.get(ledger).copied();
        if before == Some(stance) || before == Some(Stance::Closed) {
            return false;
        }
        self.followed.insert(ledger.clone(), stance);
        if stance == Stance::Closed {
            self.closing.insert(ledger.clone());
        }
        true
    }

    /// The stance that is followed for a ledger.
    pub fn of(&self, ledger: &LedgerId) -> Option<Stance> {
        self.followed.get(ledger).copied()
    }

    /// All ledgers of which a stance is followed.
    pub fn ledgers(&self) -> impl Iterator<Item = &LedgerId> {
        self.followed.keys()
    }

    /// Forgets a ledger; tells the stance that was followed.
    pub fn forget(&mut self, ledger: &LedgerId) -> Option<Stance> {
        self.closing.remove(ledger);
        self.silent.remove(ledger);
        self.followed.remove(ledger)
    }
}

/// Why an order may not be made under a stance, as a stable word.
const fn refusal(stance: Stance, order: &NewOrder) -> Option<&'static str> {
    match stance {
        Stance::StopOpening if opens(order) => Some("Paused"),
        Stance::Open | Stance::StopOpening => None,
        Stance::CancelOrders => Some("Stopped"),
        Stance::Closed => Some("StrategyClosing"),
    }
}

/// Whether an order raises exposure: on a spot market a buy does.
pub(super) const fn opens(order: &NewOrder) -> bool {
    match order.side {
        Side::Buy => true,
        Side::Sell => false,
    }
}

impl OrderManager {
    /// Why an order of this ledger may not be made now. A ledger that the register does not name makes none.
    pub(super) fn refuses(&self, ledger: &LedgerId, order: &NewOrder) -> Option<&'static str> {
        let followed = self.stances.of(ledger);
        // Before a register has been adopted nobody knows who is named: what was followed before goes on.
        let stance = match &self.strategies {
            None => followed.unwrap_or_default(),
            Some(named) => followed.filter(|_| named.contains_key(ledger)).unwrap_or(Stance::CancelOrders),
        };
        refusal(stance, order).or_else(|| self.account.refuses(order))
    }

    /// Marks the open orders that their ledgers' stances forbid as to be cancelled: once more with each call.
    pub fn cancel_forbidden(&mut self) -> Vec<(ClientOrderId, Symbol)> {
        let forbidden = self.orders.iter().filter(|(id, order)| {
            let refused = |ordered| self.refuses(id.ledger(), ordered).is_some();
            !order.is_closed() && order.command.kind.order().is_some_and(refused)
        });
        let forbidden: Vec<_> = forbidden.map(|(id, order)| (id.clone(), order.command.symbol.clone())).collect();
        for (id, _) in &forbidden {
            self.want_cancelled(id);
        }
        forbidden
    }

    /// Ends an order that was not sent yet and may not be any more, or is not wanted any more.
    pub fn withdraw(&mut self, id: &ClientOrderId, now: Timestamp) -> News {
        let end = self.orders.get(id).and_then(|order| match (&order.stage, order.command.kind.order()) {
            (Stage::Sending { .. }, Some(ordered)) => {
                let refused = self.refuses(id.ledger(), ordered).map(|reason| (OrderStatus::Denied, reason));
                refused.or_else(|| order.cancel.then_some((OrderStatus::Canceled, "")))
            }
            (Stage::Sending { .. } | Stage::Unknown { .. } | Stage::Live | Stage::Closed, _) => None,
        });
        let Some((status, reason)) = end else { return News::new() };
        let news = self.change(id, |order| order.end_unsent(status, reason, now));
        self.forget_old(id.ledger());
        news
    }

    /// Ends an order that was not sent yet and has expired meanwhile.
    pub fn expire_unsent(&mut self, id: &ClientOrderId, now: Timestamp) -> News {
        let news = self.change(id, |order| order.end_unsent(OrderStatus::Denied, "CommandExpired", now));
        self.forget_old(id.ledger());
        news
    }

    /// Everything up to now is in the record: ledgers that are closed there with no order open hear no more.
    pub fn acknowledged(&mut self) {
        let (open, done): (BTreeSet<_>, BTreeSet<_>) =
            std::mem::take(&mut self.stances.closing).into_iter().partition(|ledger| self.has_open_orders_of(ledger));
        self.stances.closing = open;
        self.stances.silent.extend(done);
    }

    /// Whether nothing more may be told to a ledger: its inbox may be deleted at any moment, for good.
    pub fn is_silent(&self, ledger: &LedgerId) -> bool {
        self.stances.silent.contains(ledger)
    }

    fn has_open_orders_of(&self, ledger: &LedgerId) -> bool {
        self.orders_of(ledger).any(|order| !order.is_closed())
    }
}

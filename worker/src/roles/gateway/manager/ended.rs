//! Orders that have ended and are remembered, so that what is told again, or cancelled too late, is known again. Each ledger
//! has room of its own: however much others trade, its strategy finds what it may not have heard of yet. Pure.

use std::collections::{BTreeMap, VecDeque};

use engine::client_order_id::{ClientOrderId, LedgerId};

/// How many are remembered in all; more where each ledger has no more than its own.
const REMEMBERED: usize = 256;
/// How many of each ledger are remembered in any case: as many closed orders as its engine remembers.
const OF_LEDGER: usize = 64;

/// The ids, by ledger, oldest end first.
#[derive(Debug, Clone, Default)]
pub(super) struct Ended {
    by_ledger: BTreeMap<LedgerId, VecDeque<ClientOrderId>>,
    /// Of ledgers that have no sub-account any more: forgotten first.
    gone: VecDeque<ClientOrderId>,
    count: usize,
}

impl Ended {
    /// An order has ended.
    pub fn push(&mut self, id: &ClientOrderId) {
        self.by_ledger.entry(id.ledger().clone()).or_default().push_back(id.clone());
        self.count = self.count.saturating_add(1);
    }

    /// A ledger has no sub-account any more.
    pub fn leave(&mut self, ledger: &LedgerId) {
        self.gone.extend(self.by_ledger.remove(ledger).unwrap_or_default());
    }

    /// Takes one for which there is no room after an order of this ledger has ended.
    pub fn pop_old(&mut self, ledger: &LedgerId) -> Option<ClientOrderId> {
        if self.count <= REMEMBERED {
            return None;
        }
        let of_ledger = self.by_ledger.get_mut(ledger).filter(|ids| ids.len() > OF_LEDGER);
        let old = self.gone.pop_front().or_else(|| of_ledger.and_then(VecDeque::pop_front))?;
        self.count = self.count.saturating_sub(1);
        Some(old)
    }
}

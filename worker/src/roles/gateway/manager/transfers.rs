//! Transfers that a strategy's ledger has booked: its sub-account follows each once, in their order. They come in the stream of
//! its orders, so an order is judged after the transfers that came before it.

use engine::client_order_id::LedgerId;
use engine::messages::{OrderCommand, OrderStatus, OrderUpdate, Transfer};
use engine::numbers::Quantity;

use super::{OrderManager, Verdict};

impl OrderManager {
    /// Follows a transfer, if it is the next one. The answer says, by the sub-account beside it, up to which it has come: who
    /// finds one missing gives it again.
    pub(super) fn judge_transfer(&mut self, command: &OrderCommand, transfer: &Transfer) -> Verdict {
        let ledger = command.client_order_id.ledger();
        let Some(sub_account) = self.sub_accounts.get_mut(ledger) else { return Verdict::NotRegistered };
        if sub_account.follow(transfer) {
            let is_covered = sub_account.covers(&transfer.asset, self.reserved.of(ledger, &transfer.asset));
            self.dirty_ledgers.insert(ledger.clone());
            self.follow_position(ledger);
            if !is_covered {
                let asset = &transfer.asset;
                tracing::error!(%ledger, %asset, "open orders reserve more than a transfer has left; new ones are denied");
            }
        }
        Verdict::Tell(vec![OrderUpdate {
            client_order_id: command.client_order_id.clone(),
            status: OrderStatus::Accepted,
            reason: String::new(),
            cumulative_quantity: Quantity::ZERO,
            fill: None,
            matched: None,
            time: command.time,
        }])
    }

    /// The number of the last transfer in a ledger's sub-account.
    pub fn transfers(&self, ledger: &LedgerId) -> u64 {
        self.sub_accounts.get(ledger).map_or(0, super::SubAccount::transfers)
    }
}

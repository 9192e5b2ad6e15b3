//! Orders with an id of ours that the record does not hold. A store that went back in time has lost them: the venue is the
//! truth then, and what has traded is booked with its figures. Or they have ended and are remembered no more: what they have
//! traded is booked already. Pure.

use std::collections::BTreeMap;

use engine::client_order_id::{ClientOrderId, LedgerId};
use engine::instrument::Asset;
use engine::messages::{CommandKind, OrderCommand};
use engine::numbers::{Notional, Quantity};
use engine::orders::{OrderState, TradeIds};
use engine::time::Timestamp;
use serde::{Deserialize, Serialize};
use venue::{VenueFacts, VenueReport};

use super::{GatewayOrder, News, OrderManager, Stage, SubAccount};
use crate::roles::gateway::order::Listed;

/// What a strategy has booked of an order that was lost with this gateway's record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::roles::gateway) struct Booked {
    pub trades: TradeIds,
    /// What they come to.
    pub filled: Quantity,
}

/// What is made of an order that the record does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::roles::gateway) enum Adopted {
    /// A store that went back in time has lost it: it is taken over, and its number is used up.
    New(News),
    /// It was lost with this gateway's record, and its strategy knows it: it is taken over.
    Known(News),
    /// It has ended, and is remembered no more.
    Ended,
    /// Nothing, for this reason.
    Left(&'static str),
}

impl OrderManager {
    /// What the strategy of a ledger has booked of its open orders, which were lost with this gateway's record. All others of
    /// its orders up to `highest` have ended for it.
    pub fn lost(&mut self, ledger: &LedgerId, highest: u64, booked: impl IntoIterator<Item = (ClientOrderId, Booked)>) {
        if self.elsewhere && highest > 0 {
            self.forgotten.insert(ledger.clone(), highest);
            self.dirty_ledgers.insert(ledger.clone());
            for (id, booked) in booked {
                self.dirty_booked.insert(id.clone());
                self.booked.insert(id, booked);
            }
        }
    }

    /// Forgets orders that have ended: of which the venue has told once more since, or never anything, and for so long that
    /// nothing of them can show any more.
    pub fn forget_settled(&mut self, now: Timestamp, facts: &VenueFacts) {
        let mut settled = Vec::new();
        for (id, order) in self.orders.iter_mut().filter(|(_, order)| order.is_closed() && !order.is_unsettled()) {
            if now.millis_since(*order.asked.get_or_insert(now)) >= facts.shown_after_ms() {
                settled.push(id.clone());
            }
        }
        for id in settled {
            self.orders.remove(&id);
            let forgotten = self.forgotten.entry(id.ledger().clone()).or_default();
            *forgotten = id.sequence().max(*forgotten);
            self.dirty_ledgers.insert(id.ledger().clone());
            self.dirty_orders.insert(id);
        }
    }

    /// What the venue tells of an order that is not remembered, for a strategy that asks again: it knows by their ids which
    /// trades it has booked.
    pub fn retold(&self, report: &VenueReport) -> Option<News> {
        let mut order = self.told_by(report)?;
        let _ = order.hear(report);
        Some(order.repeat(report.time))
    }

    fn told_by(&self, report: &VenueReport) -> Option<GatewayOrder> {
        let id = &report.client_order_id;
        let (strategy, ordered) = (self.strategy_of(id.ledger())?, report.ordered.as_deref()?);
        let kind = CommandKind::Create(ordered.order.clone());
        let command = OrderCommand::new(strategy, id.clone(), kind, ordered.symbol.clone(), report.time);
        Some(GatewayOrder { exists: true, ..GatewayOrder::new(command, report.time) })
    }

    /// Takes over an order of a ledger with a sub-account, where its trades may not be booked.
    pub fn adopt(&mut self, report: &VenueReport) -> Adopted {
        let id = &report.client_order_id;
        if self.strategy_of(id.ledger()).is_none() || !self.sub_accounts.contains_key(id.ledger()) {
            return Adopted::Left("no sub-account here is of its ledger, and it is left alone");
        }
        if self.has_forgotten(id) {
            let is_closed = OrderState::from(report.status).is_final();
            return if is_closed { Adopted::Ended } else { Adopted::Left("it has ended here, and not there") };
        }
        let Some(order) = self.told_by(report) else {
            return Adopted::Left("the venue does not tell what was ordered");
        };
        let booked = self.booked.remove(id);
        let is_known = booked.is_some();
        self.dirty_booked.insert(id.clone());
        let Booked { trades, filled } = booked.unwrap_or_default();
        let order = GatewayOrder { trades, filled, cumulative: filled, ..order };
        self.orders.insert(id.clone(), order);
        self.use_up(id);
        self.reserved.follow(&self.orders, id);
        let news = self.hear(report);
        if is_known { Adopted::Known(news) } else { Adopted::New(news) }
    }

    /// A number that was used once is used up.
    fn use_up(&mut self, id: &ClientOrderId) {
        let highest = self.highest.entry(id.ledger().clone()).or_default();
        *highest = id.sequence().max(*highest);
        self.dirty_ledgers.insert(id.ledger().clone());
    }

    /// The highest number of a ledger that is used up.
    pub fn highest_of(&self, ledger: &LedgerId) -> u64 {
        self.highest.get(ledger).copied().unwrap_or(0)
    }

    /// Whether an order has ended here and is remembered no more.
    pub fn has_forgotten(&self, id: &ClientOrderId) -> bool {
        let highest = self.forgotten.get(id.ledger()).copied().unwrap_or(0);
        id.sequence() <= highest && !self.orders.contains_key(id) && !self.booked.contains_key(id)
    }

    /// Remembers that an order is to be cancelled, where it is known and open.
    pub fn cancel_known(&mut self, id: &ClientOrderId) -> bool {
        let is_open = self.orders.get(id).is_some_and(|order| !order.is_closed());
        if is_open {
            self.want_cancelled(id);
        }
        is_open
    }

    /// Records orders that never arrived, as the venue has said twice, as being sent once more, under a new stamp. Gives
    /// them.
    pub fn send_absent_again(&mut self, signed_at: Timestamp) -> Vec<ClientOrderId> {
        let mut again = Vec::new();
        for (id, order) in self.orders.iter_mut().filter(|(_, order)| order.listed == Listed::Never) {
            order.listed = Listed::Nothing;
            let is_wanted = !order.cancel && signed_at < order.command.expires_at;
            if is_wanted && matches!(order.stage, Stage::Unknown { .. }) {
                order.stage = Stage::Sending { signed_at };
                self.dirty_orders.insert(id.clone());
                again.push(id.clone());
            }
        }
        again
    }

    /// Whether the account holds anything of each asset that sub-accounts hold. An account that tells of nothing is not
    /// empty: it does not tell.
    pub fn is_covered_by(&self, balances: &BTreeMap<Asset, Notional>) -> Result<(), String> {
        for holdings in self.sub_accounts.values().filter_map(SubAccount::holdings) {
            for (asset, amount) in holdings {
                let told = balances.get(&asset).copied().unwrap_or_default();
                if amount > Notional::ZERO && told <= Notional::ZERO {
                    return Err(format!("the venue tells of no {asset}, of which a sub-account holds {amount}"));
                }
            }
        }
        Ok(())
    }
}

//! The order manager as fields of its record: one for each order, sub-account and highest sequence, and only what changed.

use engine::client_order_id::{ClientOrderId, LedgerId};
use engine::fees::Fees;

use crds::account::balances::BOOK;
use crds::record::{ORDER, STANCE};
use serde::Serialize;

use super::{GatewayOrder, OrderManager};

/// What of the order manager must be committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::roles::gateway) struct Changes {
    /// Fields to set.
    pub set: Vec<(String, String)>,
    /// Fields to remove.
    pub delete: Vec<String>,
}

impl Changes {
    /// Sets a field, or removes it where there is nothing to be said.
    pub(super) fn put(&mut self, name: &str, value: Option<&impl Serialize>) {
        // As with the other fields, our own types hold no map with a key that is not text: this cannot fail.
        match value.map(serde_json::to_string) {
            Some(Ok(json)) => self.set.push((name.to_owned(), json)),
            Some(Err(_)) | None => self.delete.push(name.to_owned()),
        }
    }
}

const HIGHEST: &str = "highest:";
/// Only of a venue elsewhere.
const FORGOTTEN: &str = "forgotten:";
/// Likewise.
const BOOKED: &str = "booked:";

impl OrderManager {
    /// The order manager as its record holds it.
    pub fn restore<'a>(
        fees: &Fees,
        fields: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, serde_json::Error> {
        let mut manager = Self::new(fees);
        for (name, value) in fields {
            let ledger = |text: &str| text.parse::<LedgerId>().map_err(serde::de::Error::custom);
            if manager.account.restore(name, value)? {
                continue;
            }
            if name.starts_with(ORDER) {
                let order: GatewayOrder = serde_json::from_str(value)?;
                manager.orders.insert(order.command.client_order_id.clone(), order);
            } else if let Some(id) = name.strip_prefix(BOOK) {
                manager.sub_accounts.insert(ledger(id)?, serde_json::from_str(value)?);
            } else if let Some(id) = name.strip_prefix(STANCE) {
                manager.stances.follow(&ledger(id)?, serde_json::from_str(value)?);
            } else if let Some(id) = name.strip_prefix(HIGHEST) {
                manager.highest.insert(ledger(id)?, serde_json::from_str(value)?);
            } else if let Some(id) = name.strip_prefix(FORGOTTEN) {
                manager.forgotten.insert(ledger(id)?, serde_json::from_str(value)?);
            } else if let Some(id) = name.strip_prefix(BOOKED) {
                let id: ClientOrderId = id.parse().map_err(serde::de::Error::custom)?;
                manager.booked.insert(id, serde_json::from_str(value)?);
            }
        }
        for id in manager.orders.keys() {
            manager.reserved.follow(&manager.orders, id);
        }
        let mut ended: Vec<_> = manager.orders.iter().filter(|(_, order)| order.is_closed()).collect();
        // Whose end is the oldest is forgotten first, however long it was open.
        ended.sort_by_key(|(_, order)| order.told_at.unwrap_or(order.command.time));
        for (id, _) in ended {
            manager.ended.push(id);
        }
        for ledger in manager.orders.keys().map(ClientOrderId::ledger) {
            if !manager.sub_accounts.contains_key(ledger) {
                manager.ended.leave(ledger);
            }
        }
        manager.acknowledged();
        Ok(manager)
    }

    /// What has changed since the last call, for the record.
    pub fn take_changes(&mut self) -> Changes {
        let mut changes = Changes::default();
        for id in std::mem::take(&mut self.dirty_orders) {
            match self.orders.get(&id).map(serde_json::to_string) {
                Some(Ok(json)) => changes.set.push((format!("{ORDER}{id}"), json)),
                Some(Err(_)) | None => changes.delete.push(format!("{ORDER}{id}")),
            }
        }
        for ledger in std::mem::take(&mut self.dirty_ledgers) {
            match self.sub_accounts.get(&ledger).map(serde_json::to_string) {
                Some(Ok(json)) => changes.set.push((format!("{BOOK}{ledger}"), json)),
                Some(Err(_)) | None => changes.delete.push(format!("{BOOK}{ledger}")),
            }
            match self.stances.of(&ledger).map(|stance| serde_json::to_string(&stance)) {
                Some(Ok(json)) => changes.set.push((format!("{STANCE}{ledger}"), json)),
                Some(Err(_)) | None => changes.delete.push(format!("{STANCE}{ledger}")),
            }
            match self.highest.get(&ledger) {
                Some(highest) => changes.set.push((format!("{HIGHEST}{ledger}"), highest.to_string())),
                None => changes.delete.push(format!("{HIGHEST}{ledger}")),
            }
            match self.forgotten.get(&ledger) {
                Some(forgotten) => changes.set.push((format!("{FORGOTTEN}{ledger}"), forgotten.to_string())),
                None if self.elsewhere => changes.delete.push(format!("{FORGOTTEN}{ledger}")),
                None => {}
            }
        }
        for id in std::mem::take(&mut self.dirty_booked) {
            match self.booked.get(&id).map(serde_json::to_string) {
                Some(Ok(json)) => changes.set.push((format!("{BOOKED}{id}"), json)),
                Some(Err(_)) | None => changes.delete.push(format!("{BOOKED}{id}")),
            }
        }
        self.account.take_changes(&mut changes);
        changes
    }

    /// For who keeps no record: nothing has changed.
    pub fn forget_changes(&mut self) {
        self.dirty_orders.clear();
        self.dirty_ledgers.clear();
    }

    /// Whether anything must be committed.
    pub fn has_changes(&self) -> bool {
        !self.dirty_orders.is_empty()
            || !self.dirty_ledgers.is_empty()
            || !self.dirty_booked.is_empty()
            || self.account.has_changes()
    }
}

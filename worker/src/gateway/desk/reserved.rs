//! What the open orders of each ledger may still take of its book: kept with each change, never summed. Pure.

use std::collections::BTreeMap;

use engine::client_order_id::{ClientOrderId, LedgerId};
use engine::fees::Fees;
use engine::instrument::Asset;
use engine::messages::{CommandKind, OrderCommand, OrderStatus};
use engine::numbers::{Notional, Quantity};
use engine::orders::Terms;

use crate::gateway::books::Need;
use crate::gateway::order::GatewayOrder;

/// Orders, by id.
type Orders = BTreeMap<ClientOrderId, GatewayOrder>;

/// The sums, and what of them is each order's part.
#[derive(Debug, Clone, Default)]
pub(super) struct Reserved {
    terms: Terms,
    parts: BTreeMap<ClientOrderId, Need>,
    /// No sum where it is out of bounds: then nothing is left for another order.
    sums: BTreeMap<LedgerId, BTreeMap<Asset, Option<Notional>>>,
    /// Of orders that are to be replaced: the one that takes the place.
    replacements: BTreeMap<ClientOrderId, ClientOrderId>,
}

impl Reserved {
    /// Nothing, at a venue with these fees.
    pub fn at(fees: &Fees) -> Self {
        Self { terms: Terms::of(fees), ..Self::default() }
    }

    /// What open orders of a ledger may take of an asset; `None` where that is out of bounds.
    pub fn of(&self, ledger: &LedgerId, asset: &Asset) -> Option<Notional> {
        self.sums.get(ledger).and_then(|sums| sums.get(asset)).copied().unwrap_or(Some(Notional::ZERO))
    }

    /// What a new order would add. `Err` is the denial's reason.
    pub fn needed(&self, orders: &Orders, command: &OrderCommand) -> Result<Need, &'static str> {
        self.part(orders, command, Quantity::ZERO)
    }

    /// Follows an order that is new or has changed, and what is to take its place.
    pub fn follow(&mut self, orders: &Orders, id: &ClientOrderId) {
        let Some(order) = orders.get(id) else { return };
        if let CommandKind::Replace { of, .. } = &order.command.kind
            && !order.is_over()
        {
            self.replacements.entry(of.clone()).or_insert_with(|| id.clone());
        }
        self.count(orders, id, order);
        let replacement = self.replacements.get(id).cloned();
        if let Some((replacement, order)) = replacement.and_then(|id| orders.get(&id).map(|order| (id, order))) {
            self.count(orders, &replacement, order);
        }
        if order.is_over() {
            self.replacements.remove(id);
            if let CommandKind::Replace { of, .. } = &order.command.kind
                && self.replacements.get(of) == Some(id)
            {
                self.replacements.remove(of);
            }
        }
    }

    fn count(&mut self, orders: &Orders, id: &ClientOrderId, order: &GatewayOrder) {
        let now = if order.is_over() { None } else { self.part(orders, &order.command, order.filled).ok() };
        let sums = self.sums.entry(id.ledger().clone()).or_default();
        if let Some(before) = self.parts.remove(id) {
            let sum = sums.entry(before.asset).or_insert(Some(Notional::ZERO));
            *sum = sum.and_then(|sum| sum.minus(before.amount).ok());
        }
        if let Some(now) = now {
            let sum = sums.entry(now.asset.clone()).or_insert(Some(Notional::ZERO));
            *sum = sum.and_then(|sum| sum.plus(now.amount).ok());
            self.parts.insert(id.clone(), now);
        }
    }

    /// What an order may take, of one that takes another's place what it may take beyond that one: only one of them can
    /// trade, because the new one is placed only if no more of the old one has traded than was known.
    fn part(&self, orders: &Orders, command: &OrderCommand, filled: Quantity) -> Result<Need, &'static str> {
        let ordered = command.kind.order().ok_or("NoOrder")?;
        let rest = ordered.quantity.minus(filled.min(ordered.quantity)).map_err(|_| "TooManyDigits")?;
        let all = Need::of(&command.symbol, ordered, rest, &self.terms)?;
        let CommandKind::Replace { of, known_quantity, .. } = &command.kind else { return Ok(all) };
        let Some(old) = orders.get(of) else { return Ok(all) };
        let takes_its_place =
            self.replacements.get(of).is_none_or(|replacement| *replacement == command.client_order_id);
        if !filled.is_zero() || !takes_its_place {
            return Ok(all);
        }
        if old.filled != *known_quantity {
            // It will be rejected.
            return Ok(Need { amount: Notional::ZERO, ..all });
        }
        match self.parts.get(of).filter(|part| part.asset == all.asset && !old.is_over() && !replaces(old)) {
            Some(part) => {
                let shared = part.amount.min(all.amount);
                Ok(Need { amount: all.amount.minus(shared).map_err(|_| "TooManyDigits")?, ..all })
            }
            None => Ok(all),
        }
    }
}

/// Whether an order still waits for a place itself: then both it and what replaces it may trade.
fn replaces(order: &GatewayOrder) -> bool {
    matches!(order.command.kind, CommandKind::Replace { .. }) && order.status == OrderStatus::Sent
}

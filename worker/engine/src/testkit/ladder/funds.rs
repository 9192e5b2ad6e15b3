//! What is free, and what orders may take of it: summed anew each time.

use rust_decimal::Decimal;

use super::{Naive, Order};
use crate::messages::Side;

impl Naive {
    /// What is neither gone nor promised to an order.
    pub(super) fn free(&self) -> (Decimal, Decimal) {
        let (mut cash, mut coins) = (self.cash, self.coins);
        for order in self.orders.iter().filter(|order| !order.closed) {
            match order.side {
                Side::Sell => coins -= order.quantity - order.filled,
                Side::Buy => {
                    // Only one of the two can trade: what the older one takes is the newer one's too.
                    let shared = match self.orders.iter().find(|old| old.replaced_by == Some(order.id)) {
                        Some(old) if !old.filled.is_zero() => self.reserve(order),
                        Some(old) if !old.closed && !self.waits(old.id) => self.reserve(old).min(self.reserve(order)),
                        Some(_) | None => Decimal::ZERO,
                    };
                    cash -= self.reserve(order) - shared;
                }
            }
        }
        (cash, coins)
    }

    /// It is on its way to the place of another that is still there.
    pub(super) fn waits(&self, id: usize) -> bool {
        self.orders.iter().any(|old| old.replaced_by == Some(id) && (!old.closed || !old.filled.is_zero()))
    }

    pub(super) fn reserve(&self, order: &Order) -> Decimal {
        self.reserve_of(order.quantity - order.filled, order.price, order.taking)
    }

    pub(super) fn reserve_of(&self, quantity: Decimal, price: Decimal, taking: bool) -> Decimal {
        let rate = if taking { self.case.taker } else { self.case.maker.max(self.case.taker) };
        let rate = if self.case.received { Decimal::ZERO } else { rate };
        quantity * price * (Decimal::ONE + rate)
    }
}

//! Fill models: when a tick fills an order that rests. One rule for the exchange, which fills it, and for a worker, which waits
//! for its gateway where it could. A new one is a variant of [`RestingFills`] with its case in [`touches`].

use engine::messages::{Side, Tick};
use engine::numbers::{Price, Quantity};

/// When an order that rests fills on a tick without quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RestingFills {
    /// When the price is beyond the order's.
    #[default]
    Through,
    /// When the price is at the order's or beyond it.
    Touch,
}

/// Whether a tick can fill an order that rests at `price`. The one predicate: where it is false, nothing of the order trades.
pub fn touches(fills: RestingFills, side: Side, price: Price, tick: &Tick) -> bool {
    let (quote, offered) = match side {
        Side::Buy => (tick.ask, tick.ask_size),
        Side::Sell => (tick.bid, tick.bid_size),
    };
    if offered.is_some_and(Quantity::is_zero) {
        return false;
    }
    match (quote, fills) {
        (Some(best), RestingFills::Through | RestingFills::Touch) => reaches(side, price, best),
        (None, RestingFills::Touch) => reaches(side, price, tick.price),
        (None, RestingFills::Through) => reaches(side, price, tick.price) && tick.price != price,
    }
}

/// Whether an order of this side, limited by `limit`, trades at `price`.
pub(super) fn reaches(side: Side, limit: Price, price: Price) -> bool {
    match side {
        Side::Buy => price <= limit,
        Side::Sell => price >= limit,
    }
}

//! One order against one tick: what trades, at what price, for which fee.

use engine::fees::{Fees, PaidIn};
use engine::instrument::Asset;
use engine::messages::{Liquidity, NewOrder, OrderStatus, Side, Tick, TimeInForce};
use engine::numbers::{Notional, NumberError, Price, Quantity};

use super::book::Resting;
use super::fills::reaches;
use super::may_rest;
use crate::{VenueReport, VenueTrade};

/// What an order that arrives finds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Crossing {
    /// The best price is within its limit, and so much is on offer there.
    Takes { price: Price, available: Quantity },
    /// The best price is within its limit or nobody is there; in any case nothing is on offer.
    NothingOnOffer,
    /// The best price is beyond its limit.
    BeyondLimit,
}

impl Crossing {
    pub fn of(order: &NewOrder, tick: &Tick) -> Result<Self, NumberError> {
        let (best, size, empty) = match order.side {
            Side::Buy => (tick.best_ask(), tick.ask_size, tick.has_no_ask()),
            Side::Sell => (tick.best_bid(), tick.bid_size, tick.has_no_bid()),
        };
        if empty {
            return Ok(Self::NothingOnOffer);
        }
        if order.price.is_some_and(|limit| !reaches(order.side, limit, best)) {
            return Ok(Self::BeyondLimit);
        }
        let available = available(order, order.quantity, size)?;
        if available.is_zero() {
            return Ok(Self::NothingOnOffer);
        }
        // The limit carries the tick size's digits, and so does the trade.
        let price = order.price.map_or(best.normalised(), |limit| best.shown_in(limit));
        Ok(Self::Takes { price, available })
    }
}

/// An order that arrives takes what it finds. What is left waits, or is dropped.
pub(super) fn take(
    fees: &Fees,
    order: &mut Resting,
    crossing: Crossing,
    tick: &Tick,
) -> Result<VenueReport, NumberError> {
    let left = if may_rest(&order.order) { OrderStatus::Accepted } else { OrderStatus::Expired };
    let (price, available) = match crossing {
        Crossing::Takes { available, .. }
            if order.order.time_in_force == TimeInForce::FillOrKill && available < order.order.quantity =>
        {
            return Ok(dropped(order, left, "NoSize", tick));
        }
        Crossing::Takes { price, available } => (price, available),
        Crossing::NothingOnOffer => return Ok(dropped(order, left, "NoSize", tick)),
        Crossing::BeyondLimit => return Ok(dropped(order, left, "NotMarketable", tick)),
    };
    let trade = trade(order, fees, (price, available), Liquidity::Taker, tick)?;
    let status = match (available == order.order.quantity, left) {
        (true, _) => OrderStatus::Filled,
        (false, OrderStatus::Accepted) => OrderStatus::PartiallyFilled,
        (false, left) => left,
    };
    let reason = if status == OrderStatus::Expired { "NoSize".to_owned() } else { String::new() };
    Ok(VenueReport { trades: vec![trade], reason, ..order.report(status, tick) })
}

fn dropped(order: &Resting, left: OrderStatus, reason: &str, tick: &Tick) -> VenueReport {
    let reason = if left == OrderStatus::Expired { reason.to_owned() } else { String::new() };
    VenueReport { reason, ..order.report(left, tick) }
}

/// An order that rests and is touched trades at its own price; `None` where less than a lot is on offer.
pub(super) fn make(fees: &Fees, order: &mut Resting, tick: &Tick) -> Result<Option<VenueReport>, NumberError> {
    let size = match order.order.side {
        Side::Buy => tick.ask_size,
        Side::Sell => tick.bid_size,
    };
    let wanted = order.rest()?;
    let available = available(&order.order, wanted, size)?;
    // What rests has a limit.
    let (false, Some(price)) = (available.is_zero(), order.order.price) else { return Ok(None) };
    let trade = trade(order, fees, (price, available), Liquidity::Maker, tick)?;
    let status = if available == wanted { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
    Ok(Some(VenueReport { trades: vec![trade], ..order.report(status, tick) }))
}

/// Counts a trade of the order. Where it cannot be exact the order stays as it was.
fn trade(
    order: &mut Resting,
    fees: &Fees,
    (price, quantity): (Price, Quantity),
    liquidity: Liquidity,
    tick: &Tick,
) -> Result<VenueTrade, NumberError> {
    let share = match liquidity {
        Liquidity::Maker => fees.maker(),
        Liquidity::Taker => fees.taker(),
    };
    let worth = price.times(quantity)?.share(share)?;
    let (fee, fee_asset) = match (fees.paid_in, order.order.side) {
        (PaidIn::Received, Side::Buy) => (Notional::from(quantity.share(share)?), order.symbol.base()),
        (PaidIn::Quote, Side::Buy | Side::Sell) | (PaidIn::Received, Side::Sell) => (worth, order.symbol.quote()),
    };
    let fee_asset: Asset = fee_asset.clone();
    order.cumulative = order.cumulative.plus(quantity)?;
    order.trades = order.trades.saturating_add(1);
    Ok(VenueTrade {
        trade_id: format!("{}-{}", order.id, order.trades),
        quantity,
        price,
        fee,
        fee_asset,
        fee_quote: worth,
        liquidity,
        time: tick.event_time(),
    })
}

/// What of `wanted` can trade against `size` on offer: whole lots, as a venue's rules have it.
fn available(order: &NewOrder, wanted: Quantity, size: Option<Quantity>) -> Result<Quantity, NumberError> {
    match (size, order.lot_size) {
        (None, _) => Ok(wanted),
        (Some(size), _) if size >= wanted => Ok(wanted),
        (Some(size), Some(lot_size)) if !lot_size.is_zero() => size.floored_to(lot_size),
        (Some(size), Some(_) | None) => Ok(size),
    }
}

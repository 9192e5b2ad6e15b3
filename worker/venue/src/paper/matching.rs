//! One order against one tick. Pure.

use engine::fees::{Fees, PaidIn};
use engine::instrument::Asset;
use engine::messages::{Liquidity, OrderStatus, OrderType, Side, Tick, TimeInForce};
use engine::numbers::{Notional, NumberError, Price, Quantity, Ratio};

use super::{PaperOrder, waiting};
use crate::venue::{VenueReport, VenueTrade};

/// How orders of one market trade.
pub(super) struct Matching<'a> {
    pub fees: &'a Fees,
}

impl Matching<'_> {
    /// The order held against the best price of `tick`: traded as far as the size there reaches, the rest
    /// dropped.
    pub fn trade(&self, order: &PaperOrder, tick: &Tick) -> Result<VenueReport, NumberError> {
        let (best, size, empty) = match order.order.side {
            Side::Buy => (tick.best_ask(), tick.ask_size, tick.has_no_ask()),
            Side::Sell => (tick.best_bid(), tick.bid_size, tick.has_no_bid()),
        };
        let time = tick.event_time();
        let crosses = match (order.order.order_type, order.order.price, order.order.side) {
            (OrderType::Market, _, _) | (OrderType::Limit, None, _) => true,
            (OrderType::Limit, Some(limit), Side::Buy) => best <= limit,
            (OrderType::Limit, Some(limit), Side::Sell) => best >= limit,
        };
        let available = available(order, size)?;
        // The others are not sent yet.
        debug_assert_eq!(order.order.time_in_force, TimeInForce::ImmediateOrCancel);
        if empty || !crosses || available.is_zero() {
            let reason = if empty || crosses { "NoSize" } else { "NotMarketable" }.to_owned();
            return Ok(VenueReport { reason, ..waiting(order, OrderStatus::Expired, time) });
        }
        // The limit carries the tick size's digits, and so does the trade.
        let price = order.order.price.map_or(best.normalised(), |limit| best.shown_in(limit));
        let filled = available == order.order.quantity;
        Ok(VenueReport {
            cumulative_quantity: available,
            trades: vec![self.venue_trade(order, available, price, tick)?],
            reason: if filled { String::new() } else { "NoSize".to_owned() },
            ..waiting(order, if filled { OrderStatus::Filled } else { OrderStatus::Expired }, time)
        })
    }

    fn venue_trade(
        &self,
        order: &PaperOrder,
        quantity: Quantity,
        price: Price,
        tick: &Tick,
    ) -> Result<VenueTrade, NumberError> {
        // An order that trades at once takes; orders that wait in a book would make.
        let fee = self.fee(order, quantity, price, self.fees.taker())?;
        Ok(VenueTrade {
            trade_id: format!("{}-1", order.client_order_id),
            quantity,
            price,
            fee: fee.amount,
            fee_asset: fee.asset,
            fee_quote: fee.worth,
            liquidity: Liquidity::Taker,
            time: tick.event_time(),
        })
    }

    fn fee(&self, order: &PaperOrder, quantity: Quantity, price: Price, share: Ratio) -> Result<Fee, NumberError> {
        let worth = price.times(quantity)?.share(share)?;
        match (self.fees.paid_in, order.order.side) {
            (PaidIn::Received, Side::Buy) => {
                let amount = Notional::from(quantity.share(share)?);
                Ok(Fee { amount, asset: order.symbol.base().clone(), worth })
            }
            (PaidIn::Quote, Side::Buy | Side::Sell) | (PaidIn::Received, Side::Sell) => {
                Ok(Fee { amount: worth, asset: order.symbol.quote().clone(), worth })
            }
        }
    }
}

/// What of the order can trade against `size` on offer: whole lots, as a venue's rules have it.
fn available(order: &PaperOrder, size: Option<Quantity>) -> Result<Quantity, NumberError> {
    let wanted = order.order.quantity;
    match (size, order.order.lot_size) {
        (None, _) => Ok(wanted),
        (Some(size), _) if size >= wanted => Ok(wanted),
        (Some(size), Some(lot_size)) if !lot_size.is_zero() => size.floored_to(lot_size),
        (Some(size), Some(_) | None) => Ok(size),
    }
}

/// A fee and its worth in quote.
struct Fee {
    amount: Notional,
    asset: Asset,
    worth: Notional,
}

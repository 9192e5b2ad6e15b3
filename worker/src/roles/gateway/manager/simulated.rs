//! The order manager before a simulated exchange: what is handed over there, and what it tells. `backtest` and the role step
//! the same.

use engine::client_order_id::ClientOrderId;
use engine::messages::{OrderCommand, Tick};
use engine::time::Timestamp;
use venue::sim::Exchange;

use super::{News, OrderManager};

impl OrderManager {
    /// Hands a command that was judged to the exchange, on the tick that caused it. With a latency, or
    /// in another market than that tick's, it is on its way then, which is told of an order; else what becomes of it is told
    /// when it arrives, on this very tick.
    pub fn hand_over(&mut self, exchange: &mut Exchange, command: &OrderCommand, cause: &Tick) -> News {
        exchange.admit(command, cause);
        if command.kind.order().is_none() || exchange.is_instant(command, cause) {
            return News::new();
        }
        self.change(&command.client_order_id, |order| order.sent(cause.source_sequence, cause.event_time()))
    }

    /// Holds what rests against a tick.
    pub fn match_resting(&mut self, exchange: &mut Exchange, tick: &Tick) -> News {
        exchange.match_resting(tick).iter().flat_map(|report| self.hear(report)).collect()
    }

    /// Lets what arrives on a tick act.
    pub fn arrive(&mut self, exchange: &mut Exchange, tick: &Tick) -> News {
        exchange.arrive(tick).iter().flat_map(|report| self.hear(report)).collect()
    }

    /// Cancels an order at once, as of no tick.
    pub fn cancel_at_once(&mut self, exchange: &mut Exchange, id: &ClientOrderId) -> News {
        let Some(order) = self.orders.get(id) else { return News::new() };
        let time: Timestamp = order.told_at.unwrap_or(order.command.time);
        exchange.cancel(id, time).map(|report| self.hear(&report)).unwrap_or_default()
    }
}

//! The exchange: what rests and what arrives, on each tick.

use rust_decimal::Decimal;

use super::{Naive, Order, Sent, steps_of};
use crate::messages::{Side, Tick};

impl Naive {
    /// Takes a tick: what rests trades, the ladder acts, and what arrives acts.
    pub fn tick(&mut self, tick: &Tick) {
        self.opening.get_or_insert(self.case.cash + self.case.coins * tick.price.get());
        let mut touched: Vec<usize> = self.orders.iter().filter(|o| o.resting && !o.closed).map(|o| o.id).collect();
        touched.retain(|id| self.is_touched(&self.orders[*id], tick));
        touched.sort_by_key(|id| {
            let order = &self.orders[*id];
            let is_sell = order.side == Side::Sell;
            (is_sell, if is_sell { order.price } else { -order.price }, *id)
        });
        let filled: Vec<usize> = touched.into_iter().filter(|id| self.make(*id, tick)).collect();
        self.news(&filled, tick);
        self.act(tick);
        for _ in 0..16 {
            let due = |(at, cause, _): &(i64, u64, Sent)| *at <= tick.event_time().millis() && *cause <= tick.sequence;
            let (now, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.sent).into_iter().partition(due);
            self.sent = later;
            if now.is_empty() {
                break;
            }
            let mut news = Vec::new();
            for (_, _, sent) in now {
                match sent {
                    Sent::Create(id) => self.arrive(id, tick, &mut news),
                    Sent::Replace { of, new } => self.replace(of, new, tick, &mut news),
                }
            }
            self.news(&news, tick);
        }
    }

    /// The old one is cancelled in any case, the new one placed only if nothing of the old one has traded.
    fn replace(&mut self, of: usize, new: usize, tick: &Tick, news: &mut Vec<usize>) {
        let was_there = !self.orders[of].closed;
        self.orders[of].closed = true;
        if was_there && self.orders[of].filled.is_zero() {
            self.left.retain(|(step, _)| step.order != Some(of));
            return self.arrive(new, tick, news);
        }
        self.orders[new].closed = true;
        if let Some(step) = self.steps.iter_mut().find(|step| step.order == Some(of) && was_there) {
            (step.order, step.held) = (None, true);
        }
    }

    fn is_touched(&self, order: &Order, tick: &Tick) -> bool {
        let (quote, size) = match order.side {
            Side::Buy => (tick.ask, tick.ask_size),
            Side::Sell => (tick.bid, tick.bid_size),
        };
        if size.is_some_and(|size| size.get().is_zero()) {
            return false;
        }
        let sign = if order.side == Side::Buy { Decimal::ONE } else { Decimal::NEGATIVE_ONE };
        let beyond = |price: Decimal| (order.price - price) * sign;
        match quote {
            Some(quote) => beyond(quote.get()) >= Decimal::ZERO,
            None if self.case.touch => beyond(tick.price.get()) >= Decimal::ZERO,
            None => beyond(tick.price.get()) > Decimal::ZERO,
        }
    }

    fn on_offer(&self, order: &Order, tick: &Tick) -> Decimal {
        let size = if order.side == Side::Buy { tick.ask_size } else { tick.bid_size };
        let wanted = order.quantity - order.filled;
        match size {
            Some(size) if size.get() < wanted => steps_of(size.get(), self.case.lot, false),
            _ => wanted,
        }
    }

    fn make(&mut self, id: usize, tick: &Tick) -> bool {
        let order = self.orders[id].clone();
        let quantity = self.on_offer(&order, tick);
        if quantity.is_zero() {
            return false;
        }
        self.trade(id, (quantity, order.price), self.case.maker, tick);
        true
    }

    fn trade(&mut self, id: usize, (quantity, price): (Decimal, Decimal), rate: Decimal, tick: &Tick) {
        let received = self.case.received;
        let order = &mut self.orders[id];
        let (worth, in_coins) = (quantity * price, received && order.side == Side::Buy);
        let (fee_coins, fee_cash) =
            if in_coins { (quantity * rate, Decimal::ZERO) } else { (Decimal::ZERO, worth * rate) };
        order.filled += quantity;
        order.fees += worth * rate;
        order.brought += quantity - fee_coins;
        order.closed |= order.filled == order.quantity;
        let side = order.side;
        match side {
            Side::Buy => (self.cash, self.coins) = (self.cash - worth - fee_cash, self.coins + quantity - fee_coins),
            Side::Sell => (self.cash, self.coins) = (self.cash + worth - fee_cash, self.coins - quantity),
        }
        let (fee, asset) = if in_coins { (fee_coins, "BNB") } else { (fee_cash, "USDT") };
        let line = format!(
            "{} {side} {} @ {} fee {} {asset}",
            tick.sequence,
            quantity.normalize(),
            price.normalize(),
            fee.normalize()
        );
        self.trades.push(line);
    }

    fn arrive(&mut self, id: usize, tick: &Tick, news: &mut Vec<usize>) {
        let order = self.orders[id].clone();
        let (best, none) = match order.side {
            Side::Buy => (tick.best_ask().get(), tick.has_no_ask()),
            Side::Sell => (tick.best_bid().get(), tick.has_no_bid()),
        };
        let takes = !none && if order.side == Side::Buy { best <= order.price } else { best >= order.price };
        let quantity = if takes { self.on_offer(&order, tick) } else { Decimal::ZERO };
        if !quantity.is_zero() {
            self.trade(id, (quantity, best), self.case.taker, tick);
        }
        let order = &mut self.orders[id];
        order.resting = !order.taking && !order.closed;
        order.closed |= order.taking;
        if !quantity.is_zero() || order.taking {
            news.push(id);
        }
    }
}

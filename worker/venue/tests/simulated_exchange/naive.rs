//! The same exchange by someone who has never heard of a map: one list of orders, one of commands, all of it looked through
//! for every question, and whole hundredths for sums. Knows no fees.

use engine::messages::{CommandKind, NewOrder, OrderStatus, OrderType, Side, Tick, TimeInForce};
use engine::numbers::{Price, Quantity};
use venue::VenueReport;
use venue::sim::RestingFills;

/// What is told: the order, where it stands, why, what has traded in all, and the trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub sequence: u64,
    pub status: OrderStatus,
    pub reason: &'static str,
    pub traded: i64,
    pub trade: Option<(i64, Price, u32)>,
}

struct Order {
    sequence: u64,
    asked: NewOrder,
    left: i64,
    trades: u32,
    /// Rests, else is over.
    rests: bool,
}

struct Command {
    sequence: u64,
    kind: CommandKind,
    sent: i64,
    /// With what the order to be replaced ended while this was on its way.
    ended: Option<i64>,
    gone: bool,
}

pub struct Exchange {
    latency_ms: i64,
    fills: RestingFills,
    orders: Vec<Order>,
    commands: Vec<Command>,
}

fn hundredths(quantity: Quantity) -> i64 {
    i64::try_from(quantity.get().mantissa() * 100 / 10_i128.pow(quantity.get().scale())).unwrap()
}

/// Whole tenths of what is offered, but never more than wanted.
fn lots(wanted: i64, offered: Option<i64>) -> i64 {
    match offered {
        None => wanted,
        Some(offered) if offered >= wanted => wanted,
        Some(offered) => offered - offered % 10,
    }
}

fn offer(side: Side, tick: &Tick) -> (Option<Price>, Option<i64>) {
    match side {
        Side::Buy => (tick.ask, tick.ask_size.map(hundredths)),
        Side::Sell => (tick.bid, tick.bid_size.map(hundredths)),
    }
}

impl Exchange {
    pub fn new(latency_ms: i64, fills: RestingFills) -> Self {
        Self { latency_ms, fills, orders: Vec::new(), commands: Vec::new() }
    }

    pub fn admit(&mut self, sequence: u64, kind: CommandKind, cause: &Tick) {
        let sent = cause.event_time().millis();
        self.commands.push(Command { sequence, kind, sent, ended: None, gone: false });
    }

    pub fn match_resting(&mut self, tick: &Tick) -> Vec<Told> {
        let resting = |side| {
            let mut on_side: Vec<usize> = (0..self.orders.len()).collect();
            on_side.retain(|index| self.orders[*index].rests && self.orders[*index].asked.side == side);
            on_side.sort_by_key(|index| (self.orders[*index].asked.price, self.orders[*index].sequence));
            on_side
        };
        let mut order = resting(Side::Buy);
        // From the highest price down; a stable sort leaves equal prices by sequence.
        order.sort_by_key(|index| std::cmp::Reverse(self.orders[*index].asked.price));
        order.extend(resting(Side::Sell));
        let mut told = Vec::new();
        for index in order {
            told.extend(self.match_one(index, tick));
        }
        told
    }

    fn match_one(&mut self, index: usize, tick: &Tick) -> Option<Told> {
        let order = &mut self.orders[index];
        let limit = order.asked.price.unwrap();
        let (quote, offered) = offer(order.asked.side, tick);
        let price = quote.unwrap_or(tick.price);
        let strictly = quote.is_none() && self.fills == RestingFills::Through;
        let reached = match order.asked.side {
            Side::Buy if strictly => price < limit,
            Side::Sell if strictly => price > limit,
            Side::Buy => price <= limit,
            Side::Sell => price >= limit,
        };
        let quantity = lots(order.left, offered);
        if !reached || quantity == 0 {
            return None;
        }
        let told = order.trade(quantity, limit, OrderStatus::PartiallyFilled, "");
        let (sequence, traded, over) = (order.sequence, order.traded(), order.left == 0);
        if over {
            order.rests = false;
            self.note(sequence, traded);
        }
        Some(told)
    }

    pub fn arrive(&mut self, tick: &Tick) -> Vec<Told> {
        let mut told = Vec::new();
        for index in 0..self.commands.len() {
            let command = &self.commands[index];
            if command.gone || tick.event_time().millis() < command.sent + self.latency_ms {
                continue;
            }
            let (sequence, kind, ended) = (command.sequence, command.kind.clone(), command.ended);
            self.commands[index].gone = true;
            match kind {
                CommandKind::Create(order) => told.push(self.place(sequence, order, tick)),
                CommandKind::Cancel => told.extend(self.cancel(sequence)),
                CommandKind::Replace { of, known_quantity, order } => {
                    let canceled = self.cancel(of.sequence());
                    let traded = canceled.first().map(|told| told.traded).or(ended);
                    told.extend(canceled);
                    if traded == Some(hundredths(known_quantity)) {
                        told.push(self.place(sequence, order, tick));
                    } else {
                        told.push(self.over(sequence, OrderStatus::Rejected, "ReplaceRaced"));
                    }
                }
                CommandKind::Advance { .. } | CommandKind::Transfer(_) => {}
            }
        }
        told
    }

    pub fn end(&mut self) -> Vec<Told> {
        let held = self.commands.iter_mut().filter(|command| !command.gone);
        let mut told = Vec::new();
        for command in held {
            command.gone = true;
            if command.kind.order().is_some() {
                let (sequence, reason) = (command.sequence, "MarketDataEnded");
                told.push(Told { sequence, status: OrderStatus::Expired, reason, traded: 0, trade: None });
            }
        }
        told
    }

    fn place(&mut self, sequence: u64, order: NewOrder, tick: &Tick) -> Told {
        let quantity = hundredths(order.quantity);
        let (quote, offered) = offer(order.side, tick);
        let price = quote.unwrap_or(tick.price);
        let within = match order.side {
            Side::Buy => price <= order.price.unwrap(),
            Side::Sell => price >= order.price.unwrap(),
        };
        let found = if within { lots(quantity, offered) } else { 0 };
        let why = if within { "NoSize" } else { "NotMarketable" };
        let may_rest = order.time_in_force == TimeInForce::GoodTillCanceled && order.order_type == OrderType::Limit;
        let (all_or_none, post_only) = (order.time_in_force == TimeInForce::FillOrKill, order.post_only);
        let mut order = Order { sequence, asked: order, left: quantity, trades: 0, rests: false };
        if post_only && found > 0 {
            return self.over(sequence, OrderStatus::Rejected, "PostOnlyWouldTake");
        }
        if found == 0 || (all_or_none && found < quantity) {
            if !may_rest {
                return self.over(sequence, OrderStatus::Expired, why);
            }
            order.rests = true;
            self.orders.push(order);
            return Told { sequence, status: OrderStatus::Accepted, reason: "", traded: 0, trade: None };
        }
        let (status, reason) = if may_rest { (OrderStatus::PartiallyFilled, "") } else { (OrderStatus::Expired, why) };
        let told = order.trade(found, price, status, reason);
        order.rests = may_rest && order.left > 0;
        if !order.rests {
            self.note(sequence, order.traded());
        }
        self.orders.push(order);
        told
    }

    fn over(&mut self, sequence: u64, status: OrderStatus, reason: &'static str) -> Told {
        self.note(sequence, 0);
        Told { sequence, status, reason, traded: 0, trade: None }
    }

    /// Wherever it is: resting, or not there yet.
    pub fn cancel(&mut self, sequence: u64) -> Vec<Told> {
        let mut traded = None;
        if let Some(order) = self.orders.iter_mut().find(|order| order.sequence == sequence && order.rests) {
            order.rests = false;
            traded = Some(order.traded());
        }
        for command in self.commands.iter_mut().filter(|command| !command.gone && command.sequence == sequence) {
            match &command.kind {
                CommandKind::Create(_) => {
                    command.gone = true;
                    traded = Some(0);
                }
                CommandKind::Replace { of, .. } => {
                    command.sequence = of.sequence();
                    command.kind = CommandKind::Cancel;
                    traded = Some(0);
                }
                CommandKind::Cancel | CommandKind::Advance { .. } | CommandKind::Transfer(_) => {}
            }
        }
        let Some(traded) = traded else { return Vec::new() };
        self.note(sequence, traded);
        vec![Told { sequence, status: OrderStatus::Canceled, reason: "", traded, trade: None }]
    }

    /// An order has ended: whoever is to replace it is told.
    fn note(&mut self, sequence: u64, traded: i64) {
        for command in &mut self.commands {
            if let CommandKind::Replace { of, .. } = &command.kind
                && of.sequence() == sequence
            {
                command.ended = Some(traded);
            }
        }
    }
}

impl Order {
    fn traded(&self) -> i64 {
        hundredths(self.asked.quantity) - self.left
    }

    fn trade(&mut self, quantity: i64, price: Price, part: OrderStatus, why: &'static str) -> Told {
        self.left -= quantity;
        self.trades += 1;
        let (status, reason) = if self.left == 0 { (OrderStatus::Filled, "") } else { (part, why) };
        let trade = Some((quantity, price, self.trades));
        Told { sequence: self.sequence, status, reason, traded: self.traded(), trade }
    }
}

/// Both told the same.
pub fn assert_same(reports: &[VenueReport], told: &[Told]) {
    let said: Vec<_> = reports
        .iter()
        .map(|report| {
            assert!(report.trades.len() <= 1);
            let trade = report.trades.first().map(|trade| {
                let number = trade.trade_id.rsplit('-').next().unwrap().parse().unwrap();
                (hundredths(trade.quantity), trade.price, number)
            });
            let traded = hundredths(report.cumulative_quantity);
            (report.client_order_id.sequence(), report.status, report.reason.as_str(), traded, trade)
        })
        .collect();
    let expected: Vec<_> =
        told.iter().map(|told| (told.sequence, told.status, told.reason, told.traded, told.trade)).collect();
    assert_eq!(said, expected);
}

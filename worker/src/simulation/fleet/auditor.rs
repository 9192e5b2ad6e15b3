//! Counts a strategy's books anew from what stands in the streams alone: commands, trades and ends of orders. Plain decimals,
//! and none of the engine's arithmetic.

use std::collections::{BTreeMap, BTreeSet};

use engine::Engine;
use engine::messages::{
    CommandKind, Fill, Liquidity, NewOrder, OrderCommand, OrderStatus, OrderUpdate, Side, TimeInForce, Transfer,
};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value;

use super::super::script::is_closed;
use super::pairs::{Pairs, Shape};

/// What the venue takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rates {
    pub maker: Decimal,
    pub taker: Decimal,
    /// From the coins that a buy brings.
    pub received: bool,
}

/// An order, as the streams tell of it.
struct Order {
    side: Side,
    price: Decimal,
    quantity: Decimal,
    rests: bool,
    /// Whose place it asks for, and what was known to have traded of that one.
    of: Option<(u64, Decimal)>,
    filled: Decimal,
    fees: Decimal,
    status: OrderStatus,
    reason: String,
    /// Of the levels of a ladder that was edited since: what it trades belongs to no pair.
    is_of_before: bool,
}

impl Order {
    fn is_open(&self) -> bool {
        !is_closed(self.status)
    }
}

/// One strategy's books.
pub(super) struct Books {
    rates: Rates,
    cash: Decimal,
    coins: Decimal,
    cost: Decimal,
    realized: Decimal,
    fees: Decimal,
    opening: Decimal,
    /// What transfers have put in, less what they have taken out, each at its worth then.
    transferred: Decimal,
    /// The number of the last one.
    transfers: u64,
    orders: BTreeMap<u64, Order>,
    trades: BTreeSet<String>,
    pub pairs: Option<Pairs>,
    /// The tick with which a ladder starts anew between other bounds.
    edited: Option<(u64, Shape)>,
    /// The tick with which it last did.
    anew_on: Option<u64>,
    /// How many orders that buy were asked for.
    pub buys: u64,
    /// How many orders were that a strategy has made: none that only sells for a limit or an exit.
    pub opened: u64,
    pub findings: Vec<String>,
}

impl Books {
    /// Of a ledger that opens with these coins and this cash at the first tick's price.
    pub fn opening((coins, cash): (Decimal, Decimal), price: Decimal, rates: Rates, pairs: Option<Pairs>) -> Self {
        let (cost, zero) = (coins * price, Decimal::ZERO);
        Self {
            rates,
            cash,
            coins,
            cost,
            realized: zero,
            fees: zero,
            opening: cash + cost,
            transferred: zero,
            transfers: 0,
            orders: BTreeMap::new(),
            trades: BTreeSet::new(),
            pairs,
            edited: None,
            anew_on: None,
            buys: 0,
            opened: 0,
            findings: Vec::new(),
        }
    }

    /// With this tick the ladder starts anew between other bounds: what was half of a pair never becomes one.
    pub fn will_start_anew(&mut self, tick: u64, shape: Shape) {
        self.edited = Some((tick, shape));
    }

    fn start_anew(&mut self) {
        if let (Some((_, shape)), Some(pairs)) = (self.edited.take(), &mut self.pairs) {
            pairs.start_anew(shape);
            self.orders.values_mut().for_each(|order| order.is_of_before = true);
        }
    }

    /// As of a tick of this number and price, where it names one.
    pub fn command(&mut self, command: &OrderCommand, tick: Option<(u64, Decimal)>) {
        let is_advance = matches!(command.kind, CommandKind::Advance { .. });
        let is_edited = |edited: &(u64, Shape)| tick.is_some_and(|(number, _)| number >= edited.0);
        let starts_anew = !is_advance && self.edited.as_ref().is_some_and(is_edited);
        if starts_anew {
            self.start_anew();
            self.anew_on = tick.map(|(number, _)| number);
        }
        let (order, of) = match &command.kind {
            CommandKind::Create(order) => (order, None),
            CommandKind::Replace { of, known_quantity, order } => (order, Some((of.sequence(), known_quantity.get()))),
            CommandKind::Transfer(transfer) => match tick {
                Some((_, price)) => return self.transfer(transfer, price),
                None => return self.findings.push(format!("transfer {} is as of no tick", transfer.number)),
            },
            CommandKind::Cancel => {
                // Also what news of that tick had made before it was edited.
                let is_left = self.anew_on.is_some() && self.anew_on == tick.map(|(number, _)| number);
                if let Some(order) = self.orders.get_mut(&command.client_order_id.sequence()) {
                    order.is_of_before |= is_left;
                }
                return;
            }
            CommandKind::Advance { .. } => return,
        };
        if self.orders.contains_key(&command.sequence) {
            // Asked for again.
            return;
        }
        if command.sequence != self.orders.len() as u64 + 1 {
            self.findings.push(format!("order {} follows on {} orders", command.sequence, self.orders.len()));
        }
        self.buys += u64::from(order.side == Side::Buy);
        self.opened += u64::from(!order.reduce_only);
        if let (Some(pairs), Some(price)) = (&mut self.pairs, order.price) {
            pairs.asked(order.side, price.get());
        }
        self.orders.insert(command.sequence, asked(order, of));
    }

    /// One that comes again has its number. Coins are moved before anything trades, or none are there to be relieved.
    fn transfer(&mut self, transfer: &Transfer, price: Decimal) {
        if transfer.number <= self.transfers {
            return;
        }
        if transfer.number != self.transfers + 1 {
            self.findings.push(format!("transfer {} follows on {}", transfer.number, self.transfers));
        }
        self.transfers = transfer.number;
        let amount = transfer.amount.get();
        if transfer.asset.as_str() == "USDT" {
            (self.cash, self.transferred) = (self.cash + amount, self.transferred + amount);
            return;
        }
        let worth = amount * price;
        if amount.is_sign_negative() {
            // As a sale at the price at which they were bought.
            let share = self.cost * -amount / self.coins;
            let relieved = share.round_dp_with_strategy(8, RoundingStrategy::MidpointNearestEven);
            let relieved = if -amount == self.coins { self.cost } else { relieved };
            (self.cost, self.realized) = (self.cost - relieved, self.realized - worth - relieved);
        } else {
            self.cost += worth;
        }
        (self.coins, self.transferred) = (self.coins + amount, self.transferred + worth);
    }

    pub fn fill(&mut self, fill: &Fill) {
        if !self.trades.insert(fill.trade_id.clone()) {
            self.findings.push(format!("trade {} was published twice", fill.trade_id));
        }
        let is_later = |edited: &(u64, Shape)| fill.tick_sequence.is_some_and(|tick| tick > edited.0);
        if self.edited.as_ref().is_some_and(is_later) {
            self.start_anew();
        }
        let sequence = fill.client_order_id.sequence();
        let Some(order) = self.orders.get_mut(&sequence) else {
            return self.findings.push(format!("a trade of order {sequence}, which nobody asked for"));
        };
        let (quantity, price) = (fill.quantity.get(), fill.price.get());
        order.filled += quantity;
        let is_beyond = match order.side {
            Side::Buy => price > order.price,
            Side::Sell => price < order.price,
        };
        if is_beyond || order.filled > order.quantity || fill.side != order.side {
            self.findings.push(format!("order {sequence} traded {} of {} at {price}", order.filled, order.quantity));
        }
        let rate = if fill.liquidity == Liquidity::Maker { self.rates.maker } else { self.rates.taker };
        let worth = quantity * price;
        let in_coins = self.rates.received && order.side == Side::Buy;
        let fee = if in_coins { quantity * rate } else { worth * rate };
        if fill.fee.get() != fee {
            self.findings.push(format!("trade {} cost {}, which should be {fee}", fill.trade_id, fill.fee));
        }
        order.fees += worth * rate;
        self.fees += worth * rate;
        let is_whole = order.filled == order.quantity && order.rests && !order.is_of_before;
        let whole = (order.side, order.price, (order.quantity, order.fees));
        match order.side {
            Side::Buy => {
                let arrived = if in_coins { quantity - fee } else { quantity };
                self.cash -= if in_coins { worth } else { worth + fee };
                self.coins += arrived;
                self.cost += worth - if in_coins { fee * price } else { Decimal::ZERO };
                // What never arrives has no cost: the cash for it is the fee.
            }
            Side::Sell => {
                let share = self.cost * quantity / self.coins;
                let relieved = share.round_dp_with_strategy(8, RoundingStrategy::MidpointNearestEven);
                let relieved = if quantity == self.coins { self.cost } else { relieved };
                self.realized += worth - relieved;
                (self.cost, self.coins, self.cash) =
                    (self.cost - relieved, self.coins - quantity, self.cash + worth - fee);
            }
        }
        if let Some(pairs) = self.pairs.as_mut().filter(|_| is_whole) {
            let (side, price, half) = whole;
            self.findings.extend(pairs.whole(side, price, half).err());
        }
    }

    pub fn update(&mut self, update: &OrderUpdate) {
        let sequence = update.client_order_id.sequence();
        if sequence == 0 {
            // The answer to a transfer.
            return;
        }
        let Some(order) = self.orders.get_mut(&sequence) else {
            return self.findings.push(format!("news of order {sequence}, which nobody asked for"));
        };
        if !order.is_open() {
            if order.status != update.status && is_closed(update.status) {
                self.findings
                    .push(format!("order {sequence} ended as {:?}, then as {:?}", order.status, update.status));
            }
            return;
        }
        order.status = update.status;
        order.reason.clone_from(&update.reason);
        if update.reason.starts_with("Insufficient") {
            self.findings.push(format!("order {sequence}: the gateway denies what its strategy could pay"));
        }
    }

    /// Coins and cash that open orders may take.
    fn reserved(&self) -> (Decimal, Decimal) {
        let (mut coins, mut cash) = (Decimal::ZERO, Decimal::ZERO);
        for (sequence, order) in self.orders.iter().filter(|(_, order)| order.is_open()) {
            let all = self.needs(order);
            let shared = self.shared(*sequence, order).min(all);
            match order.side {
                Side::Sell => coins += all - shared,
                Side::Buy => cash += all - shared,
            }
        }
        (coins, cash)
    }

    fn needs(&self, order: &Order) -> Decimal {
        let rest = order.quantity - order.filled;
        match order.side {
            Side::Sell => rest,
            Side::Buy => {
                let rate = if order.rests { self.rates.maker.max(self.rates.taker) } else { self.rates.taker };
                rest * order.price * if self.rates.received { Decimal::ONE } else { Decimal::ONE + rate }
            }
        }
    }

    /// What of an order is not reserved anew, because of it and the one whose place it asks for only one can trade.
    fn shared(&self, sequence: u64, order: &Order) -> Decimal {
        let Some((of, known)) = order.of else { return Decimal::ZERO };
        let asks = |(number, other): (&u64, &Order)| {
            *number < sequence && other.is_open() && other.of.is_some_and(|(theirs, _)| theirs == of)
        };
        let Some(old) = self.orders.get(&of).filter(|_| order.filled.is_zero()) else { return Decimal::ZERO };
        if old.filled != known {
            return self.needs(order);
        }
        if self.orders.iter().any(asks) {
            return Decimal::ZERO;
        }
        if old.side == order.side && old.is_open() && !self.waits(old) { self.needs(old) } else { Decimal::ZERO }
    }

    /// Whether it is on its way to the place of another that is still there.
    fn waits(&self, order: &Order) -> bool {
        let has_arrived = !matches!(order.status, OrderStatus::Sent | OrderStatus::Unknown);
        let Some((of, known)) = order.of.filter(|_| !has_arrived) else { return false };
        self.orders.get(&of).is_none_or(|old| old.is_open() || old.filled != known)
    }

    /// Everything that others say, once nothing is under way: the record of the strategy, what it reports, its sub-account.
    pub fn agree(&mut self, engine: &Engine, report: &Value, sub_account: &Value, price: Decimal) {
        let mut told: Vec<(String, String, String)> = Vec::new();
        let mut holds = |what: &str, here: String, there: String| told.push((what.to_owned(), here, there));
        let text = |value: Decimal| value.normalize().to_string();
        let (coins, cash) = (text(self.coins), text(self.cash));
        for (who, amounts) in [("report", &report["position"]), ("sub-account", &sub_account["amounts"])] {
            holds(&format!("{who} BNB"), coins.clone(), text(decimal(&amounts["BNB"])));
            holds(&format!("{who} USDT"), cash.clone(), text(decimal(&amounts["USDT"])));
        }
        let pnl = &report["pnl"];
        let (unrealized, equity) = (self.coins * price - self.cost, self.cash + self.coins * price);
        for (name, here) in [
            ("realized", self.realized),
            ("unrealized", unrealized),
            ("fees", self.fees),
            ("net", equity - self.opening - self.transferred),
        ] {
            holds(name, text(here), text(decimal(&pnl[name])));
        }
        let reserved = self.reserved();
        let there = engine.reserved();
        holds("reserved BNB", text(reserved.0), text(there.base.get()));
        holds("reserved USDT", text(reserved.1), text(there.quote.get()));
        if reserved.0 > self.coins || reserved.1 > self.cash {
            holds("reserved", format!("{reserved:?}"), format!("of {:?}", (self.coins, self.cash)));
        }
        let open = self.orders.iter().filter(|(_, order)| order.is_open());
        let open: Vec<_> = open.map(|(sequence, order)| (*sequence, order.filled)).collect();
        let there: Vec<_> = engine.open_orders().map(|order| (order.sequence(), order.filled.get())).collect();
        holds("open orders", format!("{open:?}"), format!("{there:?}"));
        let ended = |is: &dyn Fn(&Order) -> bool| self.orders.values().filter(|o| !o.is_open() && is(o)).count();
        let orders = &report["orders"];
        let unfilled = |status: OrderStatus| ended(&|o: &Order| o.filled.is_zero() && o.status == status);
        holds("filled", ended(&|o| !o.filled.is_zero()).to_string(), orders["filled"].to_string());
        holds("expired", unfilled(OrderStatus::Expired).to_string(), orders["expired"].to_string());
        holds("rejected", unfilled(OrderStatus::Rejected).to_string(), orders["rejected"].to_string());
        if let Some(pairs) = &self.pairs {
            let strategy = &report["strategy"];
            holds("matchedTrades", pairs.matched.to_string(), strategy["matchedTrades"].to_string());
            holds("gridProfit", text(pairs.profit), text(decimal(&strategy["gridProfit"])));
            let floating = equity - self.opening - self.transferred - pairs.profit;
            holds("floatingProfit", text(floating), text(decimal(&strategy["floatingProfit"])));
        }
        let differ = told.into_iter().filter(|(_, here, there)| here != there);
        self.findings.extend(differ.map(|(what, here, there)| format!("{what}: {here} by the log, {there} is told")));
    }

    /// How its orders have ended, in words.
    pub fn ends(&self) -> impl Iterator<Item = String> {
        self.orders.values().filter(|order| !order.is_open()).map(|order| {
            let reason = if order.status == OrderStatus::Rejected { order.reason.as_str() } else { "" };
            format!("{:?} {reason}", order.status).trim_end().to_owned()
        })
    }
}

fn asked(order: &NewOrder, of: Option<(u64, Decimal)>) -> Order {
    Order {
        side: order.side,
        price: order.price.unwrap().get(),
        quantity: order.quantity.get(),
        rests: order.time_in_force == TimeInForce::GoodTillCanceled,
        of,
        filled: Decimal::ZERO,
        fees: Decimal::ZERO,
        status: OrderStatus::Sent,
        reason: String::new(),
        is_of_before: false,
    }
}

fn decimal(value: &Value) -> Decimal {
    value.as_str().map_or(Decimal::ZERO, |text| text.parse().unwrap())
}

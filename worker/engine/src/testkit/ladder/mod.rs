//! A ladder and its exchange written apart, from the rules alone: one list of orders, sums made anew each time, nothing
//! kept that can be counted. Held beside the strategy on the same random markets, as [`cases`] makes them.

pub mod cases;
mod exchange;
mod funds;
pub mod shown;

use std::collections::BTreeMap;

use num_bigint::BigUint;
use rust_decimal::{Decimal, RoundingStrategy};

use crate::messages::{Side, Tick};
use cases::Case;

#[derive(Debug, Clone, PartialEq)]
struct Order {
    id: usize,
    side: Side,
    price: Decimal,
    quantity: Decimal,
    filled: Decimal,
    taking: bool,
    resting: bool,
    closed: bool,
    fees: Decimal,
    brought: Decimal,
    replaced_by: Option<usize>,
}

#[derive(Debug, Clone)]
enum Sent {
    Create(usize),
    Replace { of: usize, new: usize },
}

/// A step of the ladder: one order, and what has traded in it.
#[derive(Debug, Clone)]
struct Step {
    index: usize,
    side: Side,
    order: Option<usize>,
    amount: Option<Decimal>,
    unpaired: Option<(Decimal, Decimal)>,
    /// Its order was cancelled for another that was not placed: it comes back where it would rest.
    held: bool,
}

impl Step {
    const fn new(index: usize, side: Side) -> Self {
        Self { index, side, order: None, amount: None, unpaired: None, held: false }
    }
}

/// A ladder at its exchange.
#[derive(Debug)]
pub struct Naive {
    case: Case,
    /// What is held, reserved or not.
    pub cash: Decimal,
    /// The same, of coins.
    pub coins: Decimal,
    orders: Vec<Order>,
    sent: Vec<(i64, u64, Sent)>,
    steps: Vec<Step>,
    started: bool,
    buying: Option<usize>,
    amount: Decimal,
    first: Option<Decimal>,
    triggered: bool,
    /// Pairs that are closed.
    pub matched: u64,
    /// What they gave, less fees.
    pub profit: Decimal,
    /// Each as `7 Buy 1 @ 520 fee 0 USDT`, the tick first.
    pub trades: Vec<String>,
    /// How often orders were denied, by the reason.
    pub denied: BTreeMap<String, u64>,
    told: BTreeMap<(bool, usize), String>,
    /// What was warned of, each once, in that order.
    pub warnings: Vec<&'static str>,
    tried: Option<u64>,
    opening: Option<Decimal>,
    /// Steps that were moved up while their order may still trade, and the index of the one in its place.
    left: Vec<(Step, usize)>,
    /// Steps that were moved up.
    pub moves: u64,
    /// Lowest buys that traded while their replacement was on its way.
    pub raced: u64,
}

/// A number of few places in units of 10^-9.
fn units(value: Decimal) -> BigUint {
    let units = (value * Decimal::from(1_000_000_000)).normalize();
    BigUint::from(u128::try_from(units.mantissa()).expect("no test has a negative price"))
}

fn steps_of(value: Decimal, step: Decimal, up: bool) -> Decimal {
    let count = value / step;
    (if up { count.ceil() } else { count.floor() }) * step
}

impl Naive {
    /// One that has seen nothing yet.
    pub fn new(case: &Case) -> Self {
        Self {
            case: case.clone(),
            cash: case.cash,
            coins: case.coins,
            orders: Vec::new(),
            sent: Vec::new(),
            steps: Vec::new(),
            started: false,
            buying: None,
            amount: Decimal::ZERO,
            first: None,
            triggered: false,
            matched: 0,
            profit: Decimal::ZERO,
            trades: Vec::new(),
            denied: BTreeMap::new(),
            told: BTreeMap::new(),
            warnings: Vec::new(),
            tried: None,
            opening: None,
            left: Vec::new(),
            moves: 0,
            raced: 0,
        }
    }

    /// The price of the level `i`, which may lie above the bounds.
    pub fn level(&self, i: usize) -> Decimal {
        let Case { lower, upper, levels, tick_size, .. } = &self.case;
        if self.case.geometric {
            return self.root(i) * tick_size;
        }
        let exact = (lower * Decimal::from(*levels) + Decimal::from(i) * (upper - lower)) / Decimal::from(*levels);
        (exact / tick_size).round_dp_with_strategy(0, RoundingStrategy::MidpointNearestEven) * tick_size
    }

    /// Whether two levels are one price, which no manifest may have.
    pub fn merges(&self) -> bool {
        (0..self.case.levels).any(|i| self.level(i) == self.level(i + 1))
    }

    /// How many ticks a level of equal ratios is: found by halving, among whole numbers alone. A number of ticks is too
    /// many where the middle between it and the one below, to the power n, is above upper^i × lower^(n−i); where it is
    /// just that, the even one of the two is it.
    fn root(&self, i: usize) -> Decimal {
        let power = |number: &BigUint, times: usize| number.pow(u32::try_from(times).expect("a ladder of few levels"));
        let [lower, upper, tick] = [self.case.lower, self.case.upper, self.case.tick_size].map(units);
        let n = self.case.levels;
        let (mut exact, mut scale) = (power(&upper, i) * power(&BigUint::from(2_u8), n), power(&tick, n));
        if i > n {
            scale *= power(&lower, i - n);
        } else {
            exact *= power(&lower, n - i);
        }
        let is_too_many = |ticks: u64| {
            let middle = power(&BigUint::from(2 * ticks - 1), n) * &scale;
            middle > exact || (middle == exact && ticks % 2 == 1)
        };
        let (mut least, mut most) = (0_u64, u64::from(u32::MAX));
        while least < most {
            let middle = (least + most).div_ceil(2);
            if is_too_many(middle) { most = middle - 1 } else { least = middle }
        }
        Decimal::from(least)
    }

    fn warn(&mut self, kind: &'static str) {
        if !self.warnings.contains(&kind) {
            self.warnings.push(kind);
        }
    }

    fn deny(&mut self, side: Side, level: usize, why: &str) {
        let last = self.told.insert((side == Side::Buy, level), why.to_owned());
        if last.as_deref() != Some(why) {
            *self.denied.entry(why.to_owned()).or_default() += 1;
        }
    }

    /// Why an order may not be sent.
    fn refusal(
        &self,
        side: Side,
        (price, quantity): (Decimal, Decimal),
        freed: Decimal,
        taking: bool,
    ) -> Option<&'static str> {
        let worth = price * quantity;
        let (cash, coins) = self.free();
        if quantity.is_zero() {
            Some("BelowLotSize")
        } else if worth < self.case.min_notional {
            Some("BelowMinNotional")
        } else if self.case.max_notional.is_some_and(|most| worth > most) {
            Some("MaxOrderNotional")
        } else if match side {
            Side::Buy => self.reserve_of(quantity, price, taking) > cash + freed,
            Side::Sell => quantity > coins,
        } {
            Some("InsufficientFunds")
        } else {
            None
        }
    }

    fn order(&mut self, side: Side, price: Decimal, quantity: Decimal, taking: bool) -> usize {
        let id = self.orders.len();
        let zero = Decimal::ZERO;
        self.orders.push(Order {
            id,
            side,
            price,
            quantity,
            filled: zero,
            taking,
            resting: false,
            closed: false,
            fees: zero,
            brought: zero,
            replaced_by: None,
        });
        id
    }

    fn send(&mut self, tick: &Tick, sent: Sent) {
        self.sent.push((tick.event_time().millis() + self.case.latency, tick.sequence, sent));
    }

    fn place(&mut self, place: usize, tick: &Tick) {
        let step = self.steps[place].clone();
        let level = step.index + usize::from(step.side == Side::Sell);
        let price = self.level(level);
        self.steps[place].held = false;
        let quantity = step.amount.filter(|_| step.side == Side::Sell).unwrap_or(self.amount);
        if let Some(why) = self.refusal(step.side, (price, quantity), Decimal::ZERO, false) {
            self.deny(step.side, level + 1, why);
            self.warn("LadderShort");
            return;
        }
        let id = self.order(step.side, price, quantity, false);
        self.steps[place].order = Some(id);
        self.send(tick, Sent::Create(id));
    }

    /// A buy that has traded before its replacement was there: its step has not left.
    fn come_back(&mut self, id: usize) {
        let Some(place) = self.left.iter().position(|(step, _)| step.order == Some(id)) else { return };
        let (step, mut to) = self.left.remove(place);
        while let Some(next) = self.left.iter().position(|(step, _)| step.index == to) {
            to = self.left.remove(next).1;
        }
        self.steps.retain(|joined| joined.index != to);
        self.steps.push(step);
        self.steps.sort_by_key(|step| step.index);
        self.raced += 1;
    }

    /// News of fills in their order: counter orders first, then once a tick what was left out.
    fn news(&mut self, filled: &[usize], tick: &Tick) {
        let mut of_levels = false;
        for id in filled {
            if self.buying == Some(*id) {
                self.buying = None;
                self.place_all(tick);
                continue;
            }
            of_levels = true;
            self.come_back(*id);
            let order = self.orders[*id].clone();
            if order.filled < order.quantity {
                continue;
            }
            let Some(place) = self.steps.iter().position(|step| step.order == Some(*id)) else { continue };
            let width = self.level(self.steps[place].index + 1) - self.level(self.steps[place].index);
            let lot = self.case.lot;
            let step = &mut self.steps[place];
            step.order = None;
            if let Some((quantity, fees)) = step.unpaired.take() {
                self.matched += 1;
                self.profit += quantity.min(order.quantity) * width - fees - order.fees;
            } else {
                step.unpaired = Some((order.quantity, order.fees));
            }
            (step.side, step.amount) = match order.side {
                Side::Buy => (Side::Sell, Some(steps_of(order.brought, lot, false))),
                Side::Sell => (Side::Buy, None),
            };
            self.place(place, tick);
        }
        if of_levels && self.tried != Some(tick.sequence) {
            self.tried = Some(tick.sequence);
            self.try_left(false, tick);
        }
    }

    fn try_left(&mut self, held: bool, tick: &Tick) {
        let price = tick.price.get();
        let mut left: Vec<(Decimal, Decimal, usize)> = Vec::new();
        for (place, step) in self.steps.iter().enumerate().filter(|(_, step)| step.order.is_none() && step.held == held)
        {
            let level = self.level(step.index + usize::from(step.side == Side::Sell));
            let rests = match step.side {
                Side::Buy => tick.has_no_ask() || level < tick.best_ask().get(),
                Side::Sell => tick.has_no_bid() || level > tick.best_bid().get(),
            };
            if rests {
                left.push(((level - price).abs(), level, place));
            }
        }
        left.sort();
        for (_, _, place) in left {
            self.place(place, tick);
        }
    }

    fn act(&mut self, tick: &Tick) {
        let price = tick.price.get();
        let first = *self.first.get_or_insert(price);
        if let Some(trigger) = self.case.trigger {
            self.triggered |= first == trigger || if first < trigger { price >= trigger } else { price <= trigger };
        } else {
            self.triggered = true;
        }
        if self.buying.is_some() {
            return;
        }
        if self.started {
            self.try_left(true, tick);
            self.trail(tick);
            return;
        }
        if !self.triggered {
            return;
        }
        if price < self.case.lower || price > self.case.upper {
            self.warn("LadderOutside");
            return;
        }
        self.start(price, tick);
    }

    fn start(&mut self, price: Decimal, tick: &Tick) {
        let (n, lot) = (self.case.levels, self.case.lot);
        let nearest = (0..=n).min_by_key(|i| ((self.level(*i) - price).abs(), *i)).expect("it is there");
        let sells = Decimal::from(n - nearest);
        let sum: Decimal = (0..nearest).map(|i| self.level(i)).sum::<Decimal>() + sells * price;
        let equity = self.cash + self.coins * price;
        let derived = steps_of(equity * (Decimal::ONE - self.case.reserve) / sum, lot, false);
        let amount = self.case.quantity.unwrap_or(derived);
        let missing = amount * sells - self.free().1;
        let mut purchase = Decimal::ZERO;
        if missing > Decimal::ZERO {
            if tick.has_no_ask() {
                return self.deny(Side::Buy, 0, "NoQuote");
            }
            let limit = steps_of(tick.best_ask().get(), self.case.tick_size, true);
            let (arrives, costs) = if self.case.received {
                (Decimal::ONE - self.case.taker, Decimal::ONE)
            } else {
                (Decimal::ONE, Decimal::ONE + self.case.taker)
            };
            let covered = steps_of(self.free().0 / (limit * costs), lot, false);
            purchase = steps_of(missing / arrives, lot, true).min(covered);
            if !purchase.is_zero() {
                if (tick.best_ask().get() - price).abs() > price * self.case.slippage {
                    return self.deny(Side::Buy, 0, "SlippageTooHigh");
                }
                if let Some(why) = self.refusal(Side::Buy, (limit, purchase), Decimal::ZERO, true) {
                    self.deny(Side::Buy, 0, why);
                    purchase = Decimal::ZERO;
                } else {
                    let id = self.order(Side::Buy, limit, purchase, true);
                    self.send(tick, Sent::Create(id));
                    self.buying = Some(id);
                }
            }
        }
        (self.started, self.amount) = (true, amount);
        let side = |i| if i < nearest { Side::Buy } else { Side::Sell };
        self.steps = (0..n).map(|index| Step::new(index, side(index))).collect();
        if amount.is_zero() {
            self.warn("LadderShort");
        } else if purchase.is_zero() {
            self.place_all(tick);
        }
    }

    fn place_all(&mut self, tick: &Tick) {
        let buys = self.steps.iter().filter(|step| step.side == Side::Buy).count();
        for place in (0..buys).rev().chain(buys..self.steps.len()) {
            self.place(place, tick);
        }
    }

    fn trail(&mut self, tick: &Tick) {
        let first = self.orders.len();
        // Steps that leave, lowest first; what joins and leaves at once is not among them.
        let mut leaving = Vec::new();
        loop {
            let top = self.steps.last().expect("it is there").index + 1;
            let sells = self.steps.iter().any(|step| step.side == Side::Sell && step.order.is_some());
            let lowest = self.steps[0].clone();
            let partly = lowest.order.is_some_and(|id| !self.orders[id].filled.is_zero());
            let is_buy = lowest.side == Side::Buy;
            if !self.case.trailing || tick.price.get() < self.level(top + 1) || sells || partly || !is_buy {
                break;
            }
            let price = self.level(top);
            // What waits for a place itself frees nothing: it and what it would replace may both trade. But for what was made
            // on this tick, which is never sent.
            let old = lowest.order.filter(|id| *id >= first || !self.waits(*id));
            let freed = old.map_or(Decimal::ZERO, |id| self.reserve(&self.orders[id]));
            if let Some(why) = self.refusal(Side::Buy, (price, self.amount), freed, false) {
                self.deny(Side::Buy, top + 1, why);
                break;
            }
            let new = self.order(Side::Buy, price, self.amount, false);
            if let Some(of) = lowest.order.filter(|of| *of >= first) {
                self.rewrite(of, new);
            } else {
                if let Some(of) = lowest.order {
                    self.orders[of].replaced_by = Some(new);
                }
                leaving.push(lowest);
            }
            self.moves += 1;
            self.steps.remove(0);
            self.steps.push(Step { order: Some(new), ..Step::new(top, Side::Buy) });
        }
        self.send_up(leaving, tick);
    }

    /// The lowest that leaves is replaced by the lowest that joins.
    fn send_up(&mut self, leaving: Vec<Step>, tick: &Tick) {
        let joining = self.steps.len() - leaving.len();
        let joined: Vec<_> =
            self.steps[joining..].iter().map(|step| (step.index, step.order.expect("it is there"))).collect();
        for (step, (index, new)) in leaving.into_iter().zip(joined) {
            let Some(of) = step.order else {
                self.send(tick, Sent::Create(new));
                continue;
            };
            self.orders[of].replaced_by = Some(new);
            self.send(tick, Sent::Replace { of, new });
            self.left.push((step, index));
        }
    }

    /// What was to be sent is another order now.
    fn rewrite(&mut self, of: usize, by: usize) {
        self.orders[of].closed = true;
        for old in &mut self.orders {
            if old.replaced_by == Some(of) {
                old.replaced_by = Some(by);
            }
        }
    }

    /// Orders at rest: side, price, quantity, what has traded.
    pub fn open(&self) -> Vec<String> {
        let open = self.orders.iter().filter(|order| !order.closed && order.resting);
        let line = |order: &Order| {
            format!(
                "{} {} @ {} {}",
                order.side,
                order.quantity.normalize(),
                order.price.normalize(),
                order.filled.normalize()
            )
        };
        let mut open: Vec<_> = open.map(line).collect();
        open.sort();
        open
    }

    /// What was won since the first tick, with the coins at this price.
    pub fn net(&self, price: Decimal) -> Decimal {
        self.cash + self.coins * price - self.opening.expect("it is there")
    }

    /// What the opening amounts alone would have won.
    pub fn holding(&self, price: Decimal) -> Decimal {
        self.case.cash + self.case.coins * price - self.opening.expect("it is there")
    }
}

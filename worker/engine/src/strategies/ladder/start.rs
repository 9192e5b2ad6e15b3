//! From the first tick to the placed levels: the trigger, the empty level, the size of an order, and the coins that the
//! sells need.

use rust_decimal::Decimal;

use super::denied::Awaits;
use super::levels::Formula;
use super::memory::{Gap, Left, Memory, Seen, Shape, Stage};
use super::{
    FIRST_PURCHASE, LEVEL_PLACED, LEVELS_MERGE, Ladder, ORDER_OPEN, OUTSIDE, TRADING_HELD, WAITING_FOR_TRIGGER,
};
use crate::core::NEVER_ARRIVED;
use crate::fees::PaidIn;
use crate::instrument::InstrumentIndex;
use crate::messages::{Side, Tick};
use crate::numbers::{ExactDecimal, Notional, NumberError, Price, Quantity, Ratio};
use crate::strategies::{Context, Intent, OrderEvent, OrderKind, OrderNews, OrderSize, Outcome, Purpose};

/// Where a ladder starts.
struct Footing {
    prices: Vec<Price>,
    empty: usize,
    quantity: Quantity,
}

/// What became of the first purchase.
enum Purchase {
    /// All coins are there, or none can be had.
    None,
    /// An order was sent.
    Sent(u64),
    /// It may be had on another tick.
    Later,
}

impl Ladder {
    /// Other bounds, levels or spacing: all orders are cancelled, then it starts anew.
    pub(super) fn follow_edit(&mut self, context: &mut Context<'_>) {
        let shape = Shape::of(&self.parameters);
        let before = self.memory.shape.replace(shape);
        let is_edited = before.is_some() && before != self.memory.shape;
        // What had no size when it started has one now.
        let has_size = self.memory.stage == Stage::Working
            && self.memory.quantity.is_zero()
            && self.parameters.fixed_quantity().is_some();
        if !is_edited && !has_size {
            return;
        }
        match self.memory.stage {
            Stage::Waiting => return,
            Stage::Clearing | Stage::Buying(_) | Stage::Working => {}
        }
        let open: Vec<u64> = context.orders().map(crate::orders::Order::sequence).collect();
        for order in open {
            context.cancel(order);
        }
        self.memory.stage = Stage::Clearing;
    }

    /// News while orders of the ladder before are being cancelled.
    pub(super) fn cleared(&mut self, event: &OrderEvent, context: &mut Context<'_>) {
        if matches!(event.news, OrderNews::Closed(_)) && !context.has_open_orders() {
            self.wait_anew(context);
        }
    }

    pub(super) fn wait_anew(&mut self, context: &mut Context<'_>) {
        self.memory.start_anew();
        self.memory.stage = Stage::Waiting;
        self.wait(context);
    }

    /// Starts where it can, as of the last tick.
    pub(super) fn wait(&mut self, context: &mut Context<'_>) {
        let price = context.tick().price;
        let is_triggered = self.is_triggered(price);
        if !context.allows(Side::Buy) || !context.allows(Side::Sell) {
            return context.hold(TRADING_HELD);
        }
        if !is_triggered {
            return context.hold(WAITING_FOR_TRIGGER);
        }
        let (lower, upper) = (self.parameters.lower_price.get(), self.parameters.upper_price.get());
        if price.get() < lower || price.get() > upper {
            return self.note_outside(context);
        }
        match self.footing(context) {
            Ok(Some(footing)) => self.begin(footing, context),
            Ok(None) => context.hold(LEVELS_MERGE),
            // Figures that no number holds are those of no market.
            Err(_) => context.hold(TRADING_HELD),
        }
    }

    /// Whether the price has reached the trigger, seen from the first one. Once reached it stays reached.
    fn is_triggered(&mut self, price: Price) -> bool {
        let first = *self.memory.first.get_or_insert(price);
        let Some(trigger) = self.parameters.trigger_price.map(ExactDecimal::get) else { return true };
        let (first, price) = (first.get(), price.get());
        let is_reached = if first < trigger { price >= trigger } else { first == trigger || price <= trigger };
        self.memory.triggered |= is_reached;
        self.memory.triggered
    }

    fn note_outside(&mut self, context: &mut Context<'_>) {
        let (first, at) = (context.now(), context.tick().price);
        let is_new = self.memory.outside.is_none();
        let seen = self.memory.outside.get_or_insert(Seen { count: 0, first, at });
        seen.count = seen.count.saturating_add(1);
        if is_new && let Some(warning) = self.outside_warning() {
            context.warn(warning);
        }
        context.hold(OUTSIDE);
    }

    /// Levels, empty level and size as of the last tick; `None` where levels are one price.
    fn footing(&self, context: &Context<'_>) -> Result<Option<Footing>, NumberError> {
        let (price, market) = (context.tick().price, context.instrument());
        let Some(formula) = Formula::of(&self.parameters, market.tick_size).filter(Formula::differ) else {
            return Ok(None);
        };
        let prices = formula.prices(0, self.parameters.levels.saturating_add(2));
        let bounds = prices.get(..=self.parameters.levels as usize).unwrap_or(&prices);
        let empty = nearest(bounds, price);
        let quantity = if let Some(quantity) = self.parameters.fixed_quantity() {
            quantity.floored_to(market.lot_size)?
        } else {
            let cost = cost_of_one(bounds, empty, price)?;
            Quantity::afforded(context.equity()?, self.parameters.usable_share(), cost, market.lot_size)?
        };
        Ok(Some(Footing { prices, empty, quantity }))
    }

    fn begin(&mut self, footing: Footing, context: &mut Context<'_>) {
        let Footing { prices, empty, quantity } = footing;
        let sells = (self.parameters.levels as usize).saturating_sub(empty);
        let purchase = if quantity.is_zero() { Purchase::None } else { self.purchase(quantity, sells, context) };
        let stage = match purchase {
            Purchase::Later => return,
            Purchase::Sent(order) => Stage::Buying(order),
            Purchase::None => Stage::Working,
        };
        let side = |level: u32| if (level as usize) < empty { Side::Buy } else { Side::Sell };
        let gaps = (0..self.parameters.levels).map(|level| Gap::new(level, side(level))).collect();
        self.memory = Memory { stage, prices, gaps, quantity, lowest: 0, ..std::mem::take(&mut self.memory) };
        if quantity.is_zero() {
            self.memory.gaps.iter_mut().for_each(|gap| gap.left = Some(Left::Short));
            self.note_short(context);
        } else if stage == Stage::Working {
            self.place_all(context);
        }
        context.hold(if stage == Stage::Working { self.resting_reason() } else { ORDER_OPEN });
    }

    /// Buys the coins that so many sells lack, as many as the cash covers.
    fn purchase(&self, quantity: Quantity, sells: usize, context: &mut Context<'_>) -> Purchase {
        let wanted = wanted_coins(quantity, sells, context).and_then(|wanted| match wanted {
            Some(missing) => coverable(missing, context),
            None => Ok(Quantity::ZERO),
        });
        let Ok(wanted) = wanted else { return Purchase::None };
        if wanted.is_zero() {
            return Purchase::None;
        }
        let intent = Intent {
            instrument: InstrumentIndex::FIRST,
            side: Side::Buy,
            size: OrderSize::Fixed(wanted),
            kind: OrderKind::Marketable { max_slippage: Ratio::from_percent(self.parameters.max_slippage_percent) },
            purpose: Purpose::Open,
            tag: 0,
            reason: FIRST_PURCHASE,
            message: "coins that the sells need".to_owned(),
        };
        match context.place(intent) {
            Ok(order) => Purchase::Sent(order),
            Err(denial) if Awaits::of(denial).is_a_tick() => Purchase::Later,
            Err(_) => Purchase::None,
        }
    }

    /// News of the first purchase: once it has ended, filled or not, the levels are placed.
    pub(super) fn bought(&mut self, order: u64, event: &OrderEvent, context: &mut Context<'_>) {
        let OrderNews::Closed(outcome) = &event.news else { return };
        // Once the data have ended nothing more arrives.
        let is_late = matches!(outcome, Outcome::Nothing { why } if why == NEVER_ARRIVED);
        if event.order == order && !is_late {
            self.memory.stage = Stage::Working;
            self.place_all(context);
        }
    }

    /// From the empty level outwards, first all buys, then all sells.
    fn place_all(&mut self, context: &mut Context<'_>) {
        let buys = self.memory.gaps.iter().filter(|gap| gap.side == Side::Buy).count();
        for place in (0..buys).rev().chain(buys..self.memory.gaps.len()) {
            self.place_level(place, LEVEL_PLACED, context);
        }
        self.note_short(context);
    }
}

/// The level nearest to a price; of two equally near the lower.
pub(super) fn nearest(levels: &[Price], price: Price) -> usize {
    let distance = |level: &Price| level.get().checked_sub(price.get()).unwrap_or(Decimal::MAX).abs();
    let nearest = levels.iter().enumerate().min_by_key(|(_, level)| distance(level));
    nearest.map_or(0, |(place, _)| place)
}

/// What one of each order takes: the buys at their levels, the coins of the sells at the price of now.
pub(super) fn cost_of_one(levels: &[Price], empty: usize, price: Price) -> Result<Notional, NumberError> {
    let one = Quantity::new(Decimal::ONE)?;
    let sells = levels.len().saturating_sub(1).saturating_sub(empty);
    let buys = levels.iter().take(empty).copied();
    buys.chain(std::iter::repeat_n(price, sells)).try_fold(Notional::ZERO, |sum, price| sum.plus(price.times(one)?))
}

/// What of the coins of so many sells is not there; `None` where all is.
fn wanted_coins(quantity: Quantity, sells: usize, context: &Context<'_>) -> Result<Option<Quantity>, NumberError> {
    let all = (0..sells).try_fold(Quantity::ZERO, |sum, _| sum.plus(quantity))?;
    let held = context.available()?.base;
    if all <= held { Ok(None) } else { all.minus(held).map(Some) }
}

/// How much to buy so that `missing` arrives: in whole lots, as many as the cash covers.
fn coverable(missing: Quantity, context: &Context<'_>) -> Result<Quantity, NumberError> {
    let (fees, market) = (context.fees(), context.instrument());
    let (arrives, cost) = match fees.paid_in {
        PaidIn::Quote => (Ratio::ONE, fees.taker().above_one()),
        PaidIn::Received => (fees.taker().below_one(), Ratio::ONE),
    };
    let wanted = missing.ceiled_over(arrives, market.lot_size)?;
    let limit = limit(context.tick(), market.tick_size)?;
    let cash = context.available()?.quote;
    let covered =
        Quantity::afforded(cash, Ratio::ONE, limit.times(Quantity::new(Decimal::ONE)?)?.share(cost)?, market.lot_size)?;
    Ok(wanted.min(covered))
}

/// The worst price of an order that buys at once.
fn limit(tick: &Tick, tick_size: Price) -> Result<Price, NumberError> {
    tick.best_ask().rounded_up_to(tick_size)
}

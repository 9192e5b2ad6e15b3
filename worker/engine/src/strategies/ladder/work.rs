//! The placed ladder: what follows a trade, what is tried again and when, and what a pair has gained.

use super::denied::Awaits;
use super::memory::{Gap, Half, Left, Open, Seen};
use super::{LADDER_RESTS, LEVEL_PLACED, LEVEL_TRADED, Ladder, SHORT};
use crate::messages::{Side, Tick};
use crate::numbers::{Notional, NumberError, Price, Quantity};
use crate::orders::OrderState;
use crate::strategies::{Context, Execution, OrderEvent, OrderNews, Outcome};

impl Ladder {
    /// A tick, once its levels are placed and the news before it was told.
    pub(super) fn work(&mut self, context: &mut Context<'_>) {
        self.try_left_after_fills(context);
        if self.memory.gaps.iter().any(|gap| gap.open.is_none()) {
            self.try_released(context);
        }
        if self.parameters.trailing_up {
            self.trail(context);
        }
        context.hold(self.resting_reason());
    }

    pub(super) fn resting_reason(&self) -> &'static str {
        let is_short = self.memory.gaps.iter().any(|gap| gap.left == Some(Left::Short));
        if is_short { SHORT } else { LADDER_RESTS }
    }

    /// News of an order of a gap, also of one that was moved up.
    pub(super) fn told(&mut self, event: &OrderEvent, context: &mut Context<'_>) {
        if matches!(event.news, OrderNews::Filled(_)) {
            // A level whose buy trades before another has taken its place has not left.
            self.come_back(event.order);
        }
        let Some(place) = self.memory.place_of(event.order) else {
            if matches!(event.news, OrderNews::Closed(_)) {
                self.memory.has_left(event.order);
            }
            return;
        };
        match &event.news {
            OrderNews::Accepted => {}
            OrderNews::Filled(execution) => {
                self.memory.has_filled = true;
                let quote = context.instrument().symbol.quote();
                let is_quote = execution.fee_asset == *quote;
                if let Some(open) = self.memory.gaps.get_mut(place).and_then(|gap| gap.open.as_mut()) {
                    // What does not add up is no trade that the books have taken.
                    let _counted = count(open, execution, is_quote, event.side);
                }
            }
            OrderNews::Closed(outcome) => {
                let traded = match outcome {
                    Outcome::Traded { quantity, .. } => *quantity,
                    Outcome::Nothing { .. } => Quantity::ZERO,
                };
                let old = self.memory.left_for(place).filter(|_| traded.is_zero());
                if old.is_some_and(|old| is_open(context, old) && self.come_back(old)) {
                    // It was never placed, and what it should have replaced still rests.
                    return;
                }
                let open = self.memory.gaps.get_mut(place).and_then(|gap| gap.open.take());
                let Some(open) = open else { return };
                if traded >= open.quantity {
                    self.traded(place, &open, context);
                } else {
                    self.ended(place, &open, traded, (event.failed, context));
                }
            }
        }
    }

    /// A level has traded whole: the other order of its gap follows.
    fn traded(&mut self, place: usize, open: &Open, context: &mut Context<'_>) {
        self.pair(place, open);
        let lot = context.instrument().lot_size;
        if let Some(gap) = self.memory.gaps.get_mut(place) {
            (gap.side, gap.coins) = match gap.side {
                Side::Buy => (Side::Sell, open.coins.floored_to(lot).ok()),
                Side::Sell => (Side::Buy, None),
            };
        }
        self.place_level(place, LEVEL_TRADED, context);
        self.note_short(context);
    }

    /// An order ended before all of it had traded.
    fn ended(&mut self, place: usize, open: &Open, traded: Quantity, why: (Option<OrderState>, &Context<'_>)) {
        let (failed, context) = why;
        let Some(gap) = self.memory.gaps.get_mut(place) else { return };
        if gap.side == Side::Sell {
            gap.coins = open.quantity.minus(traded).ok();
        }
        gap.left = Some(match failed {
            Some(state) => Left::Failed {
                until: context.now().plus_millis(context.cooldown_ms()),
                counts: state != OrderState::Expired,
            },
            None => Left::Held,
        });
    }

    /// The first order of a gap that trades whole waits for the second; the second makes it a pair.
    fn pair(&mut self, place: usize, open: &Open) {
        let level = self.memory.gaps.get(place).map(|gap| gap.level);
        let bounds = level.and_then(|level| self.price_of(level).zip(self.price_of(level.saturating_add(1))));
        let Some(gap) = self.memory.gaps.get_mut(place) else { return };
        let Some(half) = gap.half.take() else {
            gap.half = Some(Half { quantity: open.quantity, fees: open.fees });
            return;
        };
        let gained = bounds.and_then(|bounds| gain(&half, open, bounds).ok());
        if let Some(profit) = gained.and_then(|gained| self.memory.grid_profit.plus(gained).ok()) {
            self.memory.grid_profit = profit;
            self.memory.matched_trades = self.memory.matched_trades.saturating_add(1);
        }
    }

    /// Places the order that a gap wants, for the first time or after it was left out.
    pub(super) fn place_level(&mut self, place: usize, reason: &'static str, context: &mut Context<'_>) -> bool {
        let Some((level, price)) = self.level_of(place) else { return false };
        let Some(gap) = self.memory.gaps.get(place) else { return false };
        let counts = matches!(gap.left, Some(Left::Failed { counts: true, .. }));
        let side = gap.side;
        let quantity = gap.coins.filter(|_| side == Side::Sell).unwrap_or_else(|| self.quantity());
        let intent = self.intent((side, quantity), (level, price), reason);
        let sent = if counts { context.place(intent) } else { context.place_uncounted(intent) };
        let Some(gap) = self.memory.gaps.get_mut(place) else { return false };
        match sent {
            Ok(order) => (gap.open, gap.left) = (Some(Open::new(order, quantity)), None),
            Err(denial) => gap.left = Some(Awaits::of(denial).left()),
        }
        sent.is_ok()
    }

    /// After the first news with fills on a tick, levels that were left out are tried once.
    pub(super) fn try_left_after_fills(&mut self, context: &mut Context<'_>) {
        if !std::mem::take(&mut self.memory.has_filled) {
            return;
        }
        let now = Some(context.tick().source_sequence);
        if self.memory.tried != now {
            self.memory.tried = now;
            self.try_again(context, |gap, _, rests| gap.left == Some(Left::Short) && rests);
        }
    }

    /// What nothing was allowed for comes back once something is, where it would rest; what failed once its time is over.
    fn try_released(&mut self, context: &mut Context<'_>) {
        self.try_again(context, |gap, context, rests| match gap.left {
            Some(Left::Held) => rests && context.allows(gap.side) && !context.is_held_back(),
            Some(Left::Failed { until, .. }) => context.now() >= until && context.allows(gap.side),
            Some(Left::Short) | None => false,
        });
    }

    /// Tries gaps without an order, those nearest to the price first, of two equally near the lower.
    fn try_again(&mut self, context: &mut Context<'_>, is_due: fn(&Gap, &Context<'_>, bool) -> bool) {
        let price = context.tick().price;
        let distance = |level: Price| level.get().checked_sub(price.get()).unwrap_or_default().abs();
        let without = self.memory.gaps.iter().enumerate().filter(|(_, gap)| gap.open.is_none());
        let mut due: Vec<_> = without
            .filter_map(|(place, gap)| {
                let (_, level) = self.level_of(place)?;
                is_due(gap, context, would_rest(gap.side, level, context.tick()))
                    .then(|| (distance(level), level, place))
            })
            .collect();
        due.sort_unstable();
        for (_, _, place) in &due {
            self.place_level(*place, LEVEL_PLACED, context);
        }
        if !due.is_empty() {
            self.note_short(context);
        }
    }

    /// Levels that are left out are told once, and the most at a time are kept for the result.
    pub(super) fn note_short(&mut self, context: &mut Context<'_>) {
        let mut left = self.memory.gaps.iter().enumerate().filter(|(_, gap)| gap.left == Some(Left::Short));
        let Some((place, _)) = left.next() else { return };
        let count = u64::try_from(left.count()).unwrap_or(u64::MAX).saturating_add(1);
        let Some((_, at)) = self.level_of(place) else { return };
        if let Some(seen) = &mut self.memory.short {
            seen.count = seen.count.max(count);
            return;
        }
        self.memory.short = Some(Seen { count, first: context.now(), at });
        if let Some(warning) = self.short_warning() {
            context.warn(warning);
        }
    }
}

/// Whether the venue is not done with an order.
fn is_open(context: &Context<'_>, order: u64) -> bool {
    context.order(order).is_some_and(|order| !order.state.is_final())
}

/// Whether an order at this level would wait in the book: nobody on the other side is at it.
fn would_rest(side: Side, level: Price, tick: &Tick) -> bool {
    match side {
        Side::Buy => tick.has_no_ask() || level < tick.best_ask(),
        Side::Sell => tick.has_no_bid() || level > tick.best_bid(),
    }
}

/// Counts a trade of an order.
fn count(open: &mut Open, execution: &Execution, is_quote: bool, side: Side) -> Result<(), NumberError> {
    let (coins, fee) = if is_quote {
        (execution.quantity, execution.fee)
    } else {
        // Taken from the coins that it bought.
        let fee = Quantity::try_from(execution.fee)?;
        (execution.quantity.minus(fee.min(execution.quantity))?, execution.price.times(fee)?)
    };
    if side == Side::Buy {
        open.coins = open.coins.plus(coins)?;
    }
    open.fees = open.fees.plus(fee)?;
    Ok(())
}

/// What a pair has gained: the smaller of its two quantities times the width of its gap, less all fees of both.
fn gain(half: &Half, open: &Open, (lower, upper): (Price, Price)) -> Result<Notional, NumberError> {
    let quantity = half.quantity.min(open.quantity);
    upper.times(quantity)?.minus(lower.times(quantity)?)?.minus(half.fees)?.minus(open.fees)
}

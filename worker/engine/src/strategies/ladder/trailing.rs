//! Moving up: where the price is a level above the ladder and nothing is left to sell, the lowest buy takes the place at the
//! old top.

use std::collections::VecDeque;

use super::levels::Formula;
use super::memory::{Gap, Left, Open, Shape};
use super::{Ladder, MOVED_UP};
use crate::messages::{Side, TimeInForce};
use crate::numbers::{Notional, NumberError, Price};
use crate::strategies::Context;

impl Ladder {
    /// Judged on every tick. Each step is funded by what the one before it has left; one that is not is told.
    pub(super) fn trail(&mut self, context: &mut Context<'_>) {
        let above = self.memory.gaps.back().and_then(|highest| self.price_of(highest.level.saturating_add(2)));
        if above.is_none_or(|above| context.tick().price < above)
            || self.memory.resting(Side::Sell) > 0
            || !context.allows(Side::Buy)
        {
            return;
        }
        let Some(formula) = Formula::of(&self.parameters, context.instrument().tick_size) else { return };
        let Ok((steps, is_short)) = self.funded_steps(&formula, context) else { return };
        let has_moved = self.move_up(&formula, steps, context);
        if is_short && has_moved {
            // So that what is missing is told.
            self.move_up(&formula, 1, context);
        }
        self.follow_levels(&formula);
    }

    /// How many levels it moves up, and whether it would move further if that were funded and the
    /// order's worth allowed.
    fn funded_steps(&self, formula: &Formula, context: &Context<'_>) -> Result<(u32, bool), NumberError> {
        let reserve = |price: Price| {
            let reserved = context.would_reserve(Side::Buy, TimeInForce::GoodTillCanceled, self.quantity(), price)?;
            Ok::<Notional, NumberError>(reserved.quote)
        };
        let mut free = context.available()?.quote;
        // What each gap frees when it leaves, the lowest first; `None` of one that stays where it is.
        let mut freed = VecDeque::new();
        for gap in &self.memory.gaps {
            freed.push_back(freed_by(gap, context)?);
        }
        let top = self.top();
        let mut steps = 0_u32;
        loop {
            let next = top.saturating_add(steps);
            let Some(above) = formula.level(next.saturating_add(1)) else { return Ok((steps, false)) };
            if context.tick().price < above {
                return Ok((steps, false));
            }
            let (Some(Some(lowest)), Some(old_top)) = (freed.pop_front(), formula.level(next)) else {
                return Ok((steps, false));
            };
            let needed = reserve(old_top)?;
            free = free.plus(lowest)?.minus(needed)?;
            let worth = old_top.times(self.quantity())?;
            let is_too_large = context.largest_order().is_some_and(|most| worth > most);
            if free < Notional::ZERO || is_too_large || worth < context.instrument().min_notional {
                return Ok((steps, true));
            }
            freed.push_back(Some(needed));
            steps = steps.saturating_add(1);
        }
    }

    /// Moves up by so many levels: as many of the lowest buys leave, each for a buy at a level that joins. What would join
    /// and leave at once is never sent. Says whether all of it was done.
    fn move_up(&mut self, formula: &Formula, steps: u32, context: &mut Context<'_>) -> bool {
        let levels = self.parameters.levels;
        let skipped = steps.saturating_sub(levels);
        let mut is_done = true;
        for step in 0..steps.min(levels) {
            let top = self.top().saturating_add(if step == 0 { skipped } else { 0 });
            let sent = self.send_up(formula, top, context);
            is_done &= sent.is_some();
            match sent {
                Some(open) => self.memory.join(Gap { open: Some(open), ..Gap::new(top, Side::Buy) }),
                // Of the levels that were passed over none may stay behind.
                None if skipped > 0 && step > 0 => {
                    if let Some(open) = self.memory.gaps.front().and_then(|gap| gap.open.as_ref()) {
                        context.cancel(open.order);
                    }
                    self.memory.join(Gap { left: Some(Left::Short), ..Gap::new(top, Side::Buy) });
                }
                None => return false,
            }
        }
        is_done
    }

    /// The number of the highest level.
    fn top(&self) -> u32 {
        self.memory.gaps.back().map_or(self.memory.lowest, |highest| highest.level.saturating_add(1))
    }

    /// Sends the buy at level `top`, in the place of the lowest one.
    fn send_up(&self, formula: &Formula, top: u32, context: &mut Context<'_>) -> Option<Open> {
        let quantity = self.quantity();
        let intent = self.intent((Side::Buy, quantity), (top, formula.level(top)?), MOVED_UP);
        let sent = match &self.memory.gaps.front()?.open {
            Some(open) => context.replace_uncounted(open.order, intent),
            None => context.place_uncounted(intent),
        };
        sent.ok().map(|order| Open::new(order, quantity))
    }

    /// The level whose buy is this order has not left after all. Says whether it had been moved up.
    pub(super) fn come_back(&mut self, order: u64) -> bool {
        let is_edited = self.memory.shape.as_ref() != Some(&Shape::of(&self.parameters));
        let formula = self.memory.tick_size.and_then(|tick_size| Formula::of(&self.parameters, tick_size));
        // Once it is edited all is cancelled anyway.
        let Some(formula) = formula.filter(|_| !is_edited) else { return false };
        let is_back = self.memory.come_back(order);
        if is_back {
            self.follow_levels(&formula);
        }
        is_back
    }

    /// The prices of the levels that it has now.
    fn follow_levels(&mut self, formula: &Formula) {
        let lowest = self.memory.gaps.front().map_or(self.memory.lowest, |gap| gap.level);
        if lowest != self.memory.lowest {
            self.memory.lowest = lowest;
            self.memory.prices = formula.prices(lowest, self.parameters.levels.saturating_add(2));
        }
    }
}

/// What is free once a gap has left; `None` where it does not leave: a buy that has traded in part stays, and so does
/// what wants to sell.
fn freed_by(gap: &Gap, context: &Context<'_>) -> Result<Option<Notional>, NumberError> {
    if gap.side == Side::Sell {
        return Ok(None);
    }
    let Some(open) = &gap.open else { return Ok(Some(Notional::ZERO)) };
    if context.order(open.order).is_none_or(|order| !order.filled.is_zero()) {
        return Ok(None);
    }
    Ok(context.would_leave(open.order)?.map(|left| left.quote))
}

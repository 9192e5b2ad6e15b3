//! What is told of orders, and when: news of the coming tick is booked at once, but told to the strategy only once that
//! tick's limits are judged. So the strategy is told in the same order, whether it runs beside its venue or far from it.

use serde::{Deserialize, Serialize};

use super::context::{Context, Ended};
use super::scope::Scope;
use super::turn::Turn;
use super::{Effect, Engine};
use crate::messages::{OrderStatus, OrderUpdate, Tick};
use crate::orders::{Order, OrderState};
use crate::report::Decision;
use crate::strategies::{OrderEvent, OrderNews, Outcome};
use crate::time::Timestamp;

/// Why an order ended that was on its way when the data ended.
pub(crate) const NEVER_ARRIVED: &str = "MarketDataEnded";

/// How and why an order ended before all of it had traded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    pub status: OrderStatus,
    pub decision: Decision,
}

/// One thing to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum News {
    /// An order goes on.
    Open(OrderEvent),
    /// An order is closed; outsiders get a snapshot after it.
    Closed(OrderEvent, Option<End>),
    /// An order is closed whose end was told before, or cannot be told.
    Snapshot,
}

impl News {
    pub fn of(order: &Order, news: OrderNews) -> Self {
        Self::Open(event(order, news))
    }

    pub fn closed(order: &Order, outcome: Outcome, end: Option<End>) -> Self {
        Self::Closed(event(order, OrderNews::Closed(outcome)), end)
    }

    pub const fn snapshot() -> Self {
        Self::Snapshot
    }
}

fn event(order: &Order, news: OrderNews) -> OrderEvent {
    OrderEvent {
        order: order.sequence(),
        instrument: order.instrument,
        tag: order.tag,
        side: order.side,
        time: order.time,
        failed: None,
        news,
    }
}

/// Whether an order ended so that nobody who made it wanted it to.
const fn is_failure(state: OrderState) -> bool {
    match state {
        OrderState::Expired | OrderState::Rejected | OrderState::Denied => true,
        OrderState::Filled
        | OrderState::Canceled
        | OrderState::Committed
        | OrderState::Sent
        | OrderState::Accepted
        | OrderState::PartiallyFilled
        | OrderState::Unknown => false,
    }
}

impl Engine {
    /// On a simulated venue: all news of a round of the last tick taken has been stepped. See [`Engine::begin_round`]. `now`
    /// is as in [`Engine::step`].
    #[must_use]
    pub fn end_round(&mut self, now: Timestamp) -> Vec<Effect> {
        let Some(seen) = self.state.markets.last().cloned() else { return Vec::new() };
        let mut turn = Turn::new(now);
        let scope = Scope { config: &self.config, state: &mut self.state, turn: &mut turn };
        let mut context = Context::new(scope, &seen, self.round);
        self.strategy.on_round(&mut context);
        if let Ended::Held(reason) = context.end() {
            self.hold(&mut turn, reason);
        }
        self.stop_where_failed(&mut turn);
        turn.effects
    }

    /// Tells news that came with word of what the venue has matched; keeps that of the coming tick.
    pub(super) fn tell(&mut self, turn: &mut Turn, update: &OrderUpdate, news: Vec<News>) {
        let taken = self.state.markets.last();
        if taken.is_none_or(|last| update.matched.is_some_and(|matched| matched > last.source_sequence)) {
            self.state.news.extend(news);
            return;
        }
        for one in news {
            self.tell_one(turn, None, one);
        }
        // Once the data have ended nothing more arrives.
        if update.reason != NEVER_ARRIVED {
            self.flatten_after_news(turn);
        }
    }

    /// Tells what was kept for this tick.
    pub(super) fn tell_kept(&mut self, turn: &mut Turn, tick: &Tick) {
        for news in std::mem::take(&mut self.state.news) {
            self.tell_one(turn, Some(tick), news);
        }
    }

    /// As of `tick`, or else of the last one taken.
    fn tell_one(&mut self, turn: &mut Turn, tick: Option<&Tick>, news: News) {
        match news {
            News::Open(event) => self.ask(turn, tick, &event),
            News::Closed(mut event, end) => {
                // Not kept with it: what is remembered of the order says so.
                event.failed = self.state.closed.state_of(event.order).filter(|state| is_failure(*state));
                self.ask(turn, tick, &event);
                if let Some(End { status, decision }) = end {
                    // The resource shows that it is paused or stopped; why its order ended is told beside it.
                    if self.is_at_rest() {
                        turn.outcome(&self.config, event.instrument, status, &decision);
                    } else {
                        self.scope(turn).conclude(event.instrument, status, decision);
                    }
                }
                turn.effects.push(Effect::StateChanged);
            }
            News::Snapshot => turn.effects.push(Effect::StateChanged),
        }
    }

    fn ask(&mut self, turn: &mut Turn, tick: Option<&Tick>, event: &OrderEvent) {
        // A copy, so that the strategy looks at it beside the state.
        let taken = if tick.is_some() { None } else { self.state.markets.last().cloned() };
        let Some(seen) = tick.or(taken.as_ref()) else { return };
        let scope = Scope { config: &self.config, state: &mut self.state, turn };
        let mut context = Context::new(scope, seen, self.round);
        self.strategy.on_order(event, &mut context);
        let ended = context.end();
        match ended {
            Ended::Held(reason) => self.hold(turn, reason),
            Ended::Acted | Ended::Silent => {}
        }
    }
}

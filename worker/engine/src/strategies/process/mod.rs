//! A strategy that is a process of its own, in any language. It records what happens instead of deciding: whoever drives the
//! engine asks the process with [`Engine::ask_process`](crate::Engine::ask_process) and carries its answer out with
//! [`Engine::process_answered`](crate::Engine::process_answered). It may not start anything itself: it knows documents only.

mod actions;
mod line;
mod memory;
pub mod messages;

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::{
    BarsOf, Context, Definition, Needs, NeedsError, OrderEvent as News, OrderNews, Outcome, Strategy, StrategyError,
    registry,
};
use crate::instrument::{InstrumentIndex, Instruments};
use crate::market::Bar;
use crate::messages::{AlertKind, Tick};
use crate::numbers::{ExactDecimal, Notional, Ratio};
use crate::orders::OrderState;
use crate::risk::PositionBounds;

pub use actions::BadAction;
use actions::RETRIES_MAX;
pub(crate) use actions::{Wanted, check};
pub(crate) use memory::Memory;
use memory::{Failed, Mark};
use messages::{BarEvent, Event, OrderEvent, OrderStatus, Ready, TickEvent};

/// The process in the registry.
pub const DEFINITION: Definition = Definition {
    name: "process",
    instruments_max: 16,
    position_bounds: PositionBounds::Written,
    schema: || schemars::json_schema!({ "type": "object" }),
    start: |parameters, snapshot| Ok(Box::new(Process::start(parameters, snapshot)?)),
};

/// It was told everything, and has said nothing yet.
const LISTENING: &str = "ProcessListening";
/// What it orders without a price may cost so much more than the last price, in percent of that.
const SLIPPAGE: &str = "0.5";

/// What is known of a process where one runs. Whoever only looks at a strategy knows nothing of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    /// What it said that it needs; what the one before it said, where there is none.
    #[serde(default)]
    ready: Option<Ready>,
    /// Names its program and its parameters: one that failed is asked again only under another name.
    #[serde(default)]
    program: Option<String>,
}

/// What was asked.
#[derive(Debug, Clone, Copy)]
struct Asked {
    /// How many of the events are in the queue.
    queued: usize,
    /// How many events there are, those of ticks that are not taken yet among them.
    total: usize,
}

/// A strategy that is a process.
#[derive(Debug)]
pub struct Process {
    memory: Memory,
    program: Option<String>,
    /// It failed under another program: for what, until the engine has released it.
    released: Option<AlertKind>,
    asked: Option<Asked>,
    /// What it wants now is its answer to a denial.
    retries: bool,
    /// So many ticks that come were told already.
    told_ahead: usize,
    /// What is done on the last of them, and the state after that.
    due: Option<(Vec<Wanted>, Option<String>)>,
    /// Something came between ticks that were told ahead, so what was answered is of other events.
    has_strayed: bool,
}

impl Process {
    fn start(parameters: &Value, snapshot: Option<&Value>) -> Result<Self, StrategyError> {
        let given: Given = registry::parameters(DEFINITION.name, parameters)?;
        let mut memory: Memory = registry::remembered(DEFINITION.name, snapshot)?.unwrap_or_default();
        if let Some(ready) = given.ready {
            memory.ready = ready;
        }
        let released = memory.released_by(given.program.as_deref());
        Ok(Self {
            memory,
            program: given.program,
            released,
            asked: None,
            retries: false,
            told_ahead: 0,
            due: None,
            has_strayed: false,
        })
    }

    /// Whether it must be asked before anything else happens.
    pub fn is_waiting(&self) -> bool {
        self.memory.failed.is_none() && !self.memory.queue.is_empty()
    }

    /// Whether it failed, so that it is told nothing more.
    pub const fn has_failed(&self) -> bool {
        self.memory.failed.is_some()
    }

    /// What it answered last, as JSON text; `None` where it keeps nothing.
    pub fn state(&self) -> Option<&str> {
        self.memory.state.as_deref()
    }

    /// Nothing more is told.
    pub(crate) fn fail(&mut self, kind: AlertKind, why: &str) {
        self.memory.fail(Failed { kind, program: self.program.clone(), why: why.to_owned() });
        (self.asked, self.told_ahead, self.due) = (None, 0, None);
    }

    /// The events that wait, at most so many.
    pub(crate) fn waiting(&self, most: usize) -> &[Event] {
        let queue = &self.memory.queue;
        queue.get(..queue.len().min(most)).unwrap_or_default()
    }

    /// It is asked with so many events of the queue, and so many in all.
    pub(crate) const fn is_asked(&mut self, queued: usize, total: usize) {
        self.asked = Some(Asked { queued, total });
    }

    /// What is remembered, before ticks are taken only to see what they would tell.
    pub(crate) fn remembered(&self) -> Memory {
        self.memory.clone()
    }

    /// Goes back to it; gives the events that came since.
    pub(crate) fn go_back(&mut self, before: Memory) -> Vec<Event> {
        let known = before.queue.len();
        let mut memory = std::mem::replace(&mut self.memory, before);
        memory.queue.split_off(known.min(memory.queue.len()))
    }

    /// Its own mark of an open order; empty where it gave none.
    pub(crate) fn tag_of(&self, id: u64) -> String {
        self.memory.orders.get(&id).map_or_else(String::new, |mark| mark.tag.clone())
    }

    /// How many events wait.
    pub(crate) fn count(&self) -> usize {
        self.memory.queue.len()
    }

    /// The name of a standing, and the equity as of which it is told: that of now where it is another one.
    pub(crate) fn equity_of(&mut self, standing: String, now: Notional) -> Notional {
        self.memory.equity_of(standing, now)
    }

    /// How many of the events that were asked were consumed, checked, with what is wanted as of the last. `Ok(true)`: it is done
    /// now. Otherwise on a tick to come.
    pub(crate) fn consume(&mut self, consumed: usize, wanted: &[Wanted]) -> Result<bool, BadAction> {
        let asked = self.asked.take().ok_or(BadAction::NotAsked)?;
        if consumed == 0 || consumed > asked.total {
            return Err(BadAction::Consumed { consumed, told: asked.total });
        }
        let last = self.memory.queue.get(consumed.saturating_sub(1)).filter(|_| consumed <= asked.queued);
        let denial = last.and_then(denial_of).filter(|_| wanted.iter().any(Wanted::orders));
        if let Some(denial) = denial.filter(|_| self.memory.retries >= RETRIES_MAX) {
            return Err(BadAction::Retries { denial: denial.to_owned() });
        }
        self.retries = denial.is_some();
        self.memory.queue.drain(..consumed.min(asked.queued));
        self.told_ahead = consumed.saturating_sub(asked.queued);
        Ok(self.told_ahead == 0)
    }

    /// What is wanted is done on the last tick that was told ahead.
    pub(crate) fn owes(&mut self, wanted: Vec<Wanted>, state: Option<String>) {
        self.due = Some((wanted, state));
    }

    /// Does what was wanted, as of now.
    pub(crate) fn carry_out(&mut self, wanted: Vec<Wanted>, state: Option<String>, context: &mut Context<'_>) {
        self.memory.state = state;
        let slippage = self.max_slippage().unwrap_or_default();
        let denied = self.memory.denied.len();
        actions::carry_out(&mut self.memory, wanted, slippage, context);
        if std::mem::take(&mut self.retries) && self.memory.denied.len() > denied {
            self.memory.retries = self.memory.retries.saturating_add(1);
        }
    }

    fn record(&mut self, event: Event) {
        self.has_strayed |= self.told_ahead > 0;
        self.memory.record(event);
    }

    /// Tells the bars that it looks back on, the first time that they are there.
    fn tell_history(&mut self, context: &Context<'_>) {
        if self.memory.told_bars.len() == self.memory.ready.bars.len() {
            return;
        }
        let needed = self.memory.needs(context.instruments()).map(|needs| needs.bars).unwrap_or_default();
        for (of, _) in needed {
            if self.memory.told_bars.insert(of.to_string()) {
                for bar in context.bars(of) {
                    self.record(bar_event(bar, of, context.instruments()));
                }
            }
        }
    }

    /// Tells what is missing before anything that comes behind it.
    fn tell_missing(&mut self, context: &Context<'_>) {
        let (all, gaps) = (std::mem::take(&mut self.memory.missed), std::mem::take(&mut self.memory.gaps));
        for (index, instrument) in context.instruments().iter() {
            if all || gaps.contains(&index.get()) {
                self.record(Event::Gap { symbol: instrument.symbol.to_string() });
            }
        }
    }
}

impl Strategy for Process {
    fn needs_of(&self, instruments: &Instruments) -> Result<Needs, NeedsError> {
        self.memory.needs(instruments)
    }

    fn on_bar(&mut self, bar: &Bar, of: BarsOf, context: &mut Context<'_>) {
        if self.has_failed() {
            return;
        }
        self.tell_missing(context);
        if self.memory.told_bars.contains(&of.to_string()) {
            self.record(bar_event(bar, of, context.instruments()));
        } else {
            self.tell_history(context);
        }
    }

    fn on_warming_up(&mut self) {
        self.memory.told_bars = BTreeSet::new();
    }

    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        if self.has_failed() {
            return;
        }
        if !std::mem::replace(&mut self.memory.has_begun, true) {
            context.hold(LISTENING);
        }
        self.memory.retries = 0;
        let due = self.memory.timers_due(tick.event_time());
        if self.told_ahead > 0 {
            self.has_strayed |= !due.is_empty();
            self.told_ahead = self.told_ahead.saturating_sub(1);
            if let Some((wanted, state)) = self.due.take_if(|_| self.told_ahead == 0) {
                self.carry_out(wanted, state, context);
            }
            return;
        }
        self.tell_missing(context);
        self.tell_history(context);
        for event in due {
            self.record(event);
        }
        self.record(Event::Tick(tick_event(tick, context.ticks())));
    }

    fn on_order(&mut self, event: &News, context: &mut Context<'_>) {
        let told = self.memory.orders.get_mut(&event.order).and_then(|mark| order_event(event, mark));
        if let Some(told) = told.filter(|_| !self.has_failed()) {
            self.tell_missing(context);
            self.record(Event::Order(told));
        }
        if matches!(event.news, OrderNews::Closed(_)) {
            self.memory.orders.remove(&event.order);
        }
    }

    fn on_gap(&mut self, instrument: InstrumentIndex) {
        if !self.has_failed() {
            self.memory.gaps.insert(instrument.get());
        }
    }

    fn explain(&self, reason: &str) -> String {
        match reason {
            LISTENING => "The process is told of each tick, and has not said anything yet.".to_owned(),
            _ => String::new(),
        }
    }

    fn max_slippage(&self) -> Option<Ratio> {
        SLIPPAGE.parse::<ExactDecimal>().ok().map(Ratio::from_percent)
    }

    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        if self.told_ahead > 0 || self.has_strayed {
            // What it keeps is as of ticks that are not taken yet.
            return Err(serde::ser::Error::custom("the process was told ticks that were not taken"));
        }
        serde_json::to_value(&self.memory)
    }

    fn process(&mut self) -> Option<&mut Process> {
        Some(self)
    }

    fn take_released(&mut self) -> Option<AlertKind> {
        self.released.take()
    }

    fn failure(&self) -> Option<(AlertKind, &str)> {
        self.memory.failed.as_ref().map(|failed| (failed.kind, failed.why.as_str()))
    }
}

/// Why an order was denied, where that is what happened.
fn denial_of(event: &Event) -> Option<&str> {
    match event {
        Event::Order(order) if order.status == OrderStatus::Denied => Some(&order.reason),
        Event::Order(_) | Event::Tick(_) | Event::Bar(_) | Event::Timer { .. } | Event::Gap { .. } => None,
    }
}

fn tick_event(tick: &Tick, ticks: u64) -> TickEvent {
    TickEvent {
        index: ticks.saturating_sub(1),
        time: tick.event_time(),
        symbol: tick.symbol.to_string(),
        price: tick.price,
        bid: tick.bid,
        ask: tick.ask,
        bid_size: tick.bid_size,
        ask_size: tick.ask_size,
        volume: tick.volume,
    }
}

fn bar_event(bar: &Bar, of: BarsOf, instruments: &Instruments) -> Event {
    let Bar { open_time, open, high, low, close, volume, ticks: _ } = *bar;
    let (symbol, interval) = (instruments.at(of.instrument).symbol.to_string(), of.interval);
    Event::Bar(BarEvent { symbol, interval, open_time, open, high, low, close, volume })
}

/// What is told of news; nothing of the end of an order of which the last trade has told it.
fn order_event(news: &News, mark: &mut Mark) -> Option<OrderEvent> {
    let told = |status, reason: &str| OrderEvent {
        id: Some(news.order),
        tag: mark.tag.clone(),
        status,
        reason: reason.to_owned(),
        quantity: None,
        price: None,
        fee: None,
        fee_asset: None,
    };
    match &news.news {
        OrderNews::Accepted => Some(told(OrderStatus::Accepted, "")),
        OrderNews::Filled(trade) => {
            mark.filled = mark.filled.plus(trade.quantity).unwrap_or(mark.filled);
            let is_whole = mark.filled >= mark.quantity;
            let status = if is_whole { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
            Some(OrderEvent {
                quantity: Some(trade.quantity),
                price: Some(trade.price),
                fee: Some(trade.fee),
                fee_asset: Some(trade.fee_asset.to_string()),
                ..told(status, "")
            })
        }
        OrderNews::Closed(_) if mark.filled >= mark.quantity => None,
        OrderNews::Closed(outcome) => {
            let (status, why) = match outcome {
                Outcome::Nothing { why } => (ended_as(news.failed), why.as_str()),
                Outcome::Traded { .. } => (ended_as(news.failed), ""),
            };
            // A reason that only repeats the status says nothing.
            let says_it_all = status == OrderStatus::Canceled && why == OrderState::Canceled.as_str();
            Some(told(status, if says_it_all { "" } else { why }))
        }
    }
}

const fn ended_as(failed: Option<OrderState>) -> OrderStatus {
    match failed {
        Some(OrderState::Expired) => OrderStatus::Expired,
        Some(OrderState::Rejected) => OrderStatus::Rejected,
        Some(OrderState::Denied) => OrderStatus::Denied,
        Some(
            OrderState::Committed
            | OrderState::Sent
            | OrderState::Accepted
            | OrderState::PartiallyFilled
            | OrderState::Filled
            | OrderState::Canceled
            | OrderState::Unknown,
        )
        | None => OrderStatus::Canceled,
    }
}

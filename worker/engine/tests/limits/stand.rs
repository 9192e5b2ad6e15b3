//! A scripted strategy, its limits, and a venue that answers at once: an order trades at its limit as far as the tick offers
//! it, what may rest rests and trades once the price is beyond it.

use std::collections::BTreeMap;

use engine::messages::{CommandKind, OrderCommand, OrderStatus, OrderUpdate, Side, Tick};
use engine::numbers::{Price, Quantity};
use engine::report::Report;
use engine::risk::{ExitParameters, RiskParameters};
use engine::testkit::Market;
use engine::{Config, Effect, Engine, Event};
use serde_json::{Value, json};

use crate::bench::commands;
use crate::scripted::{Action, SCRIPTED, Script, Wanted, rest};

/// A market without a least worth of orders.
pub const MARKET: Market = Market { min_notional: "0", ..Market::USUAL };

pub struct Stand {
    pub engine: Engine,
    pub config: Config,
    market: Market,
    resting: BTreeMap<u64, (OrderCommand, Quantity)>,
    sequence: u64,
    /// What was sent and what has traded, each with its tick.
    pub log: Vec<String>,
    pub effects: Vec<Effect>,
}

pub fn buy(quantity: &str, price: &str) -> Action {
    Action::Place(rest(Side::Buy, quantity, price))
}

pub fn sell(quantity: &str, price: &str) -> Action {
    Action::Place(rest(Side::Sell, quantity, price))
}

/// At the best price, whatever that is.
pub fn market(side: Side, quantity: &str) -> Action {
    Action::Place(Wanted { price: None, ..rest(side, quantity, "1") })
}

/// The configuration of a strategy that acts so, with so many coins and so much cash.
pub fn config(actions: &[&[Action]], (coins, cash): (&str, &str), risk: Value, exit: Value) -> Config {
    let script = Script { ticks: actions.iter().map(|actions| actions.to_vec()).collect(), ..Script::default() };
    let mut all = json!({"maxOrdersPerMinute": 600});
    if let Value::Object(more) = risk {
        all.as_object_mut().unwrap().extend(more);
    }
    Config {
        risk: serde_json::from_value(all).unwrap(),
        exit: serde_json::from_value(exit).unwrap(),
        capital: MARKET.capital(coins, cash),
        ..MARKET.config(&json!(script))
    }
}

impl Stand {
    pub fn of(config: Config) -> Self {
        Self::in_market(&MARKET, config)
    }

    pub fn in_market(market: &Market, config: Config) -> Self {
        let engine = Engine::new(config.clone(), &SCRIPTED).unwrap();
        let (resting, log, effects) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { engine, config, market: market.clone(), resting, sequence: 0, log, effects }
    }

    pub fn limited(actions: &[&[Action]], capital: (&str, &str), risk: Value) -> Self {
        Self::of(config(actions, capital, risk, Value::Null))
    }

    pub fn exiting(actions: &[&[Action]], capital: (&str, &str), exit: Value) -> Self {
        Self::of(config(actions, capital, json!({}), exit))
    }

    /// The process ends, and another takes up what was saved.
    pub fn restart(&mut self) {
        let saved = serde_json::from_str(&self.engine.saved().unwrap()).unwrap();
        self.engine = Engine::restore(self.config.clone(), &SCRIPTED, &saved).unwrap();
    }

    /// The limits and the exit are edited: an engine is made anew from what was saved.
    pub fn edit_bounds(&mut self, risk: RiskParameters, exit: Option<ExitParameters>) {
        (self.config.risk, self.config.exit) = (risk, exit);
        self.restart();
    }

    pub fn run<'a>(&mut self, prices: impl IntoIterator<Item = &'a str>) {
        for price in prices {
            self.take(&self.market.tick(self.sequence, price));
        }
    }

    /// A tick with the best bid, and how much it asks for; at 0 nobody buys.
    pub fn bid(&mut self, price: &str, bid: &str, size: &str) {
        let tick = self.market.tick(self.sequence, price);
        self.take(&Tick { bid: bid.parse().ok(), bid_size: Some(size.parse().unwrap()), ..tick });
    }

    pub fn take(&mut self, tick: &Tick) {
        self.sequence = tick.sequence + 1;
        self.match_resting(tick);
        let mut sent = self.step(Event::Tick(tick.clone()), tick.event_time());
        let mut round = 1;
        while !sent.is_empty() {
            round += 1;
            self.engine.begin_round(round);
            let news: Vec<_> = sent.iter().filter_map(|command| self.answer(command, tick)).collect();
            sent = news.into_iter().flat_map(|update| self.tell(update, tick)).collect();
        }
    }

    fn step(&mut self, event: Event, now: engine::time::Timestamp) -> Vec<OrderCommand> {
        let effects = self.engine.step(now, event);
        let sent = commands(&effects);
        self.effects.extend(effects);
        sent
    }

    fn tell(&mut self, update: OrderUpdate, tick: &Tick) -> Vec<OrderCommand> {
        if let Some(fill) = &update.fill {
            let line = format!("{}: {} {} @ {}", tick.sequence, fill.side, fill.quantity, fill.price.normalised());
            self.log.push(line);
        }
        self.step(Event::OrderUpdate(update), tick.event_time())
    }

    fn match_resting(&mut self, tick: &Tick) {
        let beyond = |(command, _): &(OrderCommand, Quantity)| {
            let order = command.kind.order().unwrap();
            match order.side {
                Side::Buy => tick.price < order.price.unwrap(),
                Side::Sell => tick.price > order.price.unwrap(),
            }
        };
        let touched: Vec<_> = self.resting.iter().filter(|(_, open)| beyond(open)).map(|(id, _)| *id).collect();
        for id in touched {
            let (command, left) = self.resting.remove(&id).unwrap();
            let price = command.kind.order().unwrap().price.unwrap();
            let sent = self.tell(self.fill(&command, left, price, tick), tick);
            assert!(sent.is_empty(), "news of the coming tick is told with it");
        }
    }

    fn fill(&self, command: &OrderCommand, quantity: Quantity, price: Price, tick: &Tick) -> OrderUpdate {
        let ordered = command.kind.order().unwrap().quantity;
        let mut fill = self.market.fill(command, quantity, price);
        fill.tick_sequence = Some(tick.source_sequence);
        let is_part = quantity < ordered;
        OrderUpdate {
            client_order_id: command.client_order_id.clone(),
            status: if is_part { OrderStatus::Expired } else { OrderStatus::Filled },
            reason: String::new(),
            cumulative_quantity: quantity,
            fill: Some(fill),
            matched: Some(tick.source_sequence),
            time: tick.event_time(),
        }
    }

    fn answer(&mut self, command: &OrderCommand, tick: &Tick) -> Option<OrderUpdate> {
        let status = |status| OrderUpdate {
            client_order_id: command.client_order_id.clone(),
            status,
            reason: String::new(),
            cumulative_quantity: "0".parse().unwrap(),
            fill: None,
            matched: Some(tick.source_sequence),
            time: tick.event_time(),
        };
        let order = match &command.kind {
            CommandKind::Create(order) => order,
            CommandKind::Cancel => {
                self.log.push(format!("{}: cancel {}", tick.sequence, command.sequence));
                self.resting.remove(&command.sequence)?;
                return Some(status(OrderStatus::Canceled));
            }
            CommandKind::Transfer(_) => return None,
            CommandKind::Replace { .. } | CommandKind::Advance { .. } => panic!("no script here replaces"),
        };
        let (best, limit) = (tick.best(order.side), order.price.unwrap());
        let trades = match order.side {
            Side::Buy => best <= limit,
            Side::Sell => best >= limit,
        };
        if !trades && order.time_in_force == engine::messages::TimeInForce::GoodTillCanceled {
            let price = limit.normalised();
            self.log.push(format!("{}: rests {} {} @ {price}", tick.sequence, order.side, order.quantity));
            self.resting.insert(command.sequence, (command.clone(), order.quantity));
            return Some(status(OrderStatus::Accepted));
        }
        let offered = if order.side == Side::Sell { tick.bid_size } else { tick.ask_size };
        let quantity = offered.unwrap_or(order.quantity).min(order.quantity);
        if !trades || quantity.is_zero() {
            return Some(status(OrderStatus::Expired));
        }
        Some(self.fill(command, quantity, best.shown_in(limit), tick))
    }

    pub fn report(&self) -> Report {
        self.engine.report()
    }

    /// What is latched, each as `name index figure threshold`.
    pub fn latched(&self) -> Vec<String> {
        let limits = self.engine.latched_limits().iter();
        let line = |name: &str, latch: &engine::risk::Latch| {
            format!("{name} {} {} {}", latch.index, latch.figure, latch.threshold)
        };
        let limits = limits.map(|(limit, latch)| line(limit.as_str(), latch));
        limits.chain(self.engine.exit_reached().map(|(rule, latch)| line(rule.as_str(), latch))).collect()
    }

    /// Releases what is latched first, as its status shows it.
    pub fn release(&mut self) {
        let report = self.report();
        let limit = report.risk.limits.first().map(|limit| (limit.name.clone(), limit.since));
        let exit = report.stopped.map(|stopped| (stopped.rule, stopped.since));
        let (name, since) = limit.or(exit).unwrap();
        let effects = self.engine.release(report.as_of, &engine::risk::Release { name, since });
        assert!(!effects.is_empty(), "it is latched");
        self.effects.extend(effects);
    }

    pub fn told(&self) -> String {
        self.report().strategy["told"].as_str().to_owned()
    }
}

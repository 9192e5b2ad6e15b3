//! An engine at work, and a venue that answers it.

use super::news::fill;
use super::{Market, commands, ended, filled, order_of};
use crate::instrument::Asset;
use crate::messages::{Fill, OrderCommand, OrderStatus, OrderUpdate, Side, Tick};
use crate::numbers::{Price, Quantity};
use crate::strategies::{Definition, Registry};
use crate::time::Timestamp;
use crate::{Config, Effect, Engine, Event};

/// An engine at work, and a venue that answers it.
#[derive(Debug)]
pub struct Bench {
    #[expect(missing_docs, reason = "the name says it")]
    pub engine: Engine,
    /// The number of the next tick.
    pub sequence: u64,
    /// What [`Bench::run`] has traded, each with the number of its tick.
    pub trades: Vec<(u64, Fill)>,
    /// All that the engine has wanted so far.
    pub effects: Vec<Effect>,
    market: Market,
    config: Config,
    definition: Definition,
}

impl Bench {
    /// A grid, before its first tick.
    #[track_caller]
    pub fn grid(market: &Market, config: Config) -> Self {
        let registry = Registry::standard();
        Self::of(market, config, registry.get("grid").expect("the grid is a standard strategy"))
    }

    /// A strategy of this definition, before its first tick.
    #[track_caller]
    pub fn of(market: &Market, config: Config, definition: &Definition) -> Self {
        let engine = Engine::new(config.clone(), definition).expect("the parameters read");
        let (market, definition) = (market.clone(), *definition);
        Self { engine, sequence: 0, trades: Vec::new(), effects: Vec::new(), market, config, definition }
    }

    /// Its configuration is edited: an engine is made anew from what was saved.
    #[track_caller]
    pub fn edit(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        self.restart();
    }

    /// The process ends and another one takes up what was saved, as it does after a crash.
    #[track_caller]
    pub fn restart(&mut self) {
        let saved = self.engine.saved().expect("its state can be saved");
        let saved = serde_json::from_str(&saved).expect("what is saved is JSON");
        self.engine = Engine::restore(self.config.clone(), &self.definition, &saved).expect("what was saved reads");
    }

    /// Takes the next tick at this price. The commands are the caller's to answer.
    #[track_caller]
    pub fn tick(&mut self, price: &str) -> Vec<OrderCommand> {
        let tick = self.market.tick(self.sequence, price);
        self.take(tick)
    }

    /// Takes this tick, on time; the one after it has the next number. The commands are the caller's to answer.
    pub fn take(&mut self, tick: Tick) -> Vec<OrderCommand> {
        self.sequence = tick.sequence + 1;
        self.step(tick.event_time(), Event::Tick(tick))
    }

    /// Tells news of an order. What the engine orders on it is the caller's to answer.
    pub fn update(&mut self, update: OrderUpdate) -> Vec<OrderCommand> {
        self.step(update.time, Event::OrderUpdate(update))
    }

    /// Lets this happen at `now`.
    pub fn step(&mut self, now: Timestamp, event: Event) -> Vec<OrderCommand> {
        let effects = self.engine.step(now, event);
        let commands = commands(&effects);
        self.effects.extend(effects);
        commands
    }

    /// Takes ticks at these prices. Each order meets the best price of its own tick at once: within its limit all of it
    /// trades there, beyond it it expires. What the engine orders on such news is answered in the same way.
    #[track_caller]
    pub fn run<'a>(&mut self, prices: impl IntoIterator<Item = &'a str>) {
        for price in prices {
            self.run_tick(self.market.tick(self.sequence, price));
        }
    }

    /// Takes this tick, and answers orders as [`Bench::run`] does.
    #[track_caller]
    pub fn run_tick(&mut self, tick: Tick) {
        let mut commands = self.take(tick);
        while !commands.is_empty() {
            let told = commands.iter().filter_map(|command| self.answer(command)).collect::<Vec<_>>();
            commands = told.into_iter().flat_map(|update| self.update(update)).collect();
        }
    }

    /// What the venue says to a command; nothing to a cancel, as no order of it is open any more.
    fn answer(&mut self, command: &OrderCommand) -> Option<OrderUpdate> {
        let order = order_of(command)?;
        let tick = self.engine.last_tick().expect("a command follows a tick");
        let (best, limit) = (tick.best(order.side), order.price);
        let is_beyond = limit.is_some_and(|limit| match order.side {
            Side::Buy => best > limit,
            Side::Sell => best < limit,
        });
        let price = limit.map_or(best, |limit| best.shown_in(limit));
        if is_beyond {
            let reason = "NotMarketable".to_owned();
            return Some(OrderUpdate { reason, ..ended(command, OrderStatus::Expired) });
        }
        let fill = self.fill(command, order.quantity, price);
        self.trades.push((self.sequence.saturating_sub(1), fill.clone()));
        Some(filled(fill))
    }

    /// The one trade of an order that trades whole, at its limit, on the last tick: for a script to tell, or to change.
    #[track_caller]
    pub fn fill_of(&self, command: &OrderCommand) -> Fill {
        let order = order_of(command).expect("a cancel does not trade");
        self.fill(command, order.quantity, order.price.expect("an order has a worst price"))
    }

    fn fill(&self, command: &OrderCommand, quantity: Quantity, price: Price) -> Fill {
        let tick_sequence = self.engine.last_sequence();
        Fill { tick_sequence, ..fill(&self.config.fees, command, quantity, price) }
    }

    /// What [`Bench::run`] has traded, each as `7 Sell 0.989 @ 612.50`: the tick, the side, how much, at which price.
    pub fn trades(&self) -> Vec<String> {
        let line = |(tick, fill): &(u64, Fill)| format!("{tick} {} {} @ {}", fill.side, fill.quantity, fill.price);
        self.trades.iter().map(line).collect()
    }

    /// What the strategy holds: of the quote, and of the base.
    pub fn holds(&self) -> (String, String) {
        let position = self.engine.report().position;
        let symbol = &self.config.instruments.first().symbol;
        let held = |asset: &Asset| position.get(asset.as_str()).map_or_else(String::new, ToString::to_string);
        (held(symbol.quote()), held(symbol.base()))
    }

    /// Profit so far: realized, unrealized, fees, and net.
    #[track_caller]
    pub fn pnl(&self) -> [String; 4] {
        let pnl = self.engine.report().pnl.expect("there is a profit from the first tick on");
        [pnl.realized, pnl.unrealized, pnl.fees, pnl.net].map(|amount| amount.to_string())
    }

    /// The stable word for why the strategy acted last, or did not.
    pub fn reason(&self) -> String {
        self.engine.report().decision.reason
    }
}

//! A strategy that quotes both sides of the market, cancels and replaces at random, and acts on its news too. All that it
//! does follows from its seed and its memory. It counts what it met, so that a test can see what it has proved.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::counted;
use super::{Chance, Seeded};
use crate::instrument::InstrumentIndex;
use crate::messages::{Side, Tick, TimeInForce};
use crate::numbers::{Price, Quantity};
use crate::risk::PositionBounds;
use crate::strategies::{
    self, Context, Definition, Figures, Intent, OrderEvent, OrderKind, OrderNews, OrderSize, Outcome, Purpose,
    Strategy, StrategyError,
};
use crate::time::Timestamp;

/// The quoter in the registry: a custom strategy, whose parameter is its seed.
pub const QUOTER: Definition = Definition {
    name: "quoter",
    instruments_max: 1,
    position_bounds: PositionBounds::Free,
    schema: || schemars::schema_for!(Seeded),
    start: |parameters, snapshot| Ok(Box::new(Quoter::start(parameters, snapshot)?)),
};

/// How many orders it keeps open on a side.
const OPEN_MAX: usize = 3;

/// An order of its own that is not closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    side: Side,
    quantity: Quantity,
    filled: Quantity,
    /// Its cancel or its replacement was sent.
    asked: bool,
}

/// What it met, for its result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Counts {
    /// Orders that were sent.
    sent: u64,
    /// Of those, orders that traded whole.
    filled: u64,
    /// Trades of less than what was left of their order.
    in_part: u64,
    /// Orders that ended by a cancel.
    cancelled: u64,
    /// Orders that traded whole although a cancel of them was sent.
    too_late: u64,
    /// Ticks with a trade and the end of a cancelled order.
    both_on_one_tick: u64,
    /// Orders in the place of another that had traded meanwhile.
    raced: u64,
    /// Trades as maker.
    made: u64,
    /// What was sent on news, not on a tick.
    on_news: u64,
}

/// All that it remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Memory {
    chance: Chance,
    open: BTreeMap<u64, Open>,
    counts: Counts,
    price: Option<Price>,
    traded_at: Option<Timestamp>,
    cancelled_at: Option<Timestamp>,
    both_at: Option<Timestamp>,
}

/// A running quoter.
#[derive(Debug)]
struct Quoter {
    memory: Memory,
}

impl Quoter {
    fn start(parameters: &Value, snapshot: Option<&Value>) -> Result<Self, StrategyError> {
        let Seeded { seed } = strategies::parameters(QUOTER.name, parameters)?;
        let memory = strategies::remembered(QUOTER.name, snapshot)?.unwrap_or_else(|| Memory {
            chance: Chance::of(seed),
            open: BTreeMap::new(),
            counts: Counts::default(),
            price: None,
            traded_at: None,
            cancelled_at: None,
            both_at: None,
        });
        Ok(Self { memory })
    }

    /// An order of one of all kinds, near the price: on the near side of it too.
    fn intent(&mut self, side: Side, context: &Context<'_>) -> Option<Intent> {
        let chance = &mut self.memory.chance;
        let away = Decimal::from(chance.below(14)) - Decimal::from(4);
        let away = away * context.instrument().tick_size.get();
        let price = self.memory.price?.get();
        let price = if side == Side::Buy { price - away } else { price + away };
        let (time_in_force, post_only) = match chance.below(10) {
            0 => (TimeInForce::ImmediateOrCancel, false),
            1 => (TimeInForce::FillOrKill, false),
            2 => (TimeInForce::GoodTillCanceled, true),
            _ => (TimeInForce::GoodTillCanceled, false),
        };
        let quantity = Quantity::new(Decimal::new(20 + i64::try_from(chance.below(200)).unwrap_or_default(), 3));
        Some(Intent {
            instrument: InstrumentIndex::FIRST,
            side,
            size: OrderSize::Fixed(quantity.expect("a quantity")),
            kind: OrderKind::Limit { price: Price::new(price).expect("a price"), time_in_force, post_only },
            purpose: Purpose::Open,
            tag: 0,
            reason: "Quotes",
            message: "quotes near the price".to_owned(),
        })
    }

    fn place(&mut self, side: Side, context: &mut Context<'_>) -> bool {
        let Some(intent) = self.intent(side, context) else { return false };
        let OrderSize::Fixed(quantity) = intent.size else { return false };
        let placed = context.place(intent);
        self.sent(placed.ok(), side, quantity)
    }

    fn replace(&mut self, order: u64, context: &mut Context<'_>) -> bool {
        let Some(open) = self.memory.open.get_mut(&order) else { return false };
        let side = open.side;
        let Some(intent) = self.intent(side, context) else { return false };
        let OrderSize::Fixed(quantity) = intent.size else { return false };
        let Ok(placed) = context.replace(order, intent) else { return false };
        self.asked(order);
        self.sent(Some(placed), side, quantity)
    }

    fn cancel(&mut self, order: u64, context: &mut Context<'_>) {
        context.cancel(order);
        self.asked(order);
    }

    fn asked(&mut self, order: u64) {
        if let Some(open) = self.memory.open.get_mut(&order) {
            open.asked = true;
        }
    }

    fn sent(&mut self, order: Option<u64>, side: Side, quantity: Quantity) -> bool {
        let Some(order) = order else { return false };
        self.memory.open.insert(order, Open { side, quantity, filled: Quantity::ZERO, asked: false });
        self.memory.counts.sent += 1;
        true
    }

    /// One of its orders of which no cancel was sent.
    fn any_open(&mut self) -> Option<u64> {
        let open: Vec<_> = self.memory.open.iter().filter(|(_, open)| !open.asked).map(|(order, _)| *order).collect();
        let place = self.memory.chance.below(open.len() as u64);
        open.get(usize::try_from(place).ok()?).copied()
    }

    fn any_side(&mut self) -> Side {
        if self.memory.chance.one_in(2) { Side::Buy } else { Side::Sell }
    }

    fn is_full(&self, side: Side) -> bool {
        self.memory.open.values().filter(|open| open.side == side).count() >= OPEN_MAX
    }

    /// A trade and a cancel on one tick count once.
    fn met(&mut self) {
        let Memory { traded_at, cancelled_at, both_at, .. } = &mut self.memory;
        if traded_at == cancelled_at && traded_at != both_at {
            *both_at = *traded_at;
            self.memory.counts.both_on_one_tick += 1;
        }
    }

    fn closed(&mut self, event: &OrderEvent, outcome: &Outcome) {
        let Some(open) = self.memory.open.remove(&event.order) else { return };
        let counts = &mut self.memory.counts;
        let is_cancelled = match outcome {
            Outcome::Traded { quantity, .. } if *quantity == open.quantity => {
                counts.filled += 1;
                counts.too_late += u64::from(open.asked);
                false
            }
            Outcome::Traded { .. } => open.asked,
            Outcome::Nothing { why } => {
                counts.raced += u64::from(why == "ReplaceRaced");
                why == "Canceled"
            }
        };
        if is_cancelled {
            counts.cancelled += 1;
            self.memory.cancelled_at = Some(event.time);
            self.met();
        }
    }
}

impl Strategy for Quoter {
    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        self.memory.price = Some(tick.price);
        let open: Vec<_> = self.memory.open.iter().filter(|(_, open)| !open.asked).map(|(order, _)| *order).collect();
        for order in open {
            match self.memory.chance.below(16) {
                0..2 => self.cancel(order, context),
                2 => {
                    self.replace(order, context);
                }
                _ => {}
            }
        }
        for side in [Side::Buy, Side::Sell] {
            if self.memory.chance.one_in(2) && !self.is_full(side) {
                self.place(side, context);
            }
        }
        context.hold("Quotes");
    }

    fn on_order(&mut self, event: &OrderEvent, context: &mut Context<'_>) {
        match &event.news {
            OrderNews::Accepted => {}
            OrderNews::Filled(execution) => {
                let counts = &mut self.memory.counts;
                counts.made += u64::from(execution.liquidity == crate::messages::Liquidity::Maker);
                if let Some(open) = self.memory.open.get_mut(&event.order) {
                    open.filled = open.filled.plus(execution.quantity).expect("a sum");
                    counts.in_part += u64::from(open.filled < open.quantity);
                }
                self.memory.traded_at = Some(event.time);
                self.met();
            }
            OrderNews::Closed(outcome) => self.closed(event, outcome),
        }
        let has_acted = match self.memory.chance.below(12) {
            0 => {
                let side = self.any_side();
                !self.is_full(side) && self.place(side, context)
            }
            1 => match self.any_open() {
                Some(order) => {
                    self.cancel(order, context);
                    true
                }
                None => false,
            },
            2 => self.any_open().is_some_and(|order| self.replace(order, context)),
            _ => false,
        };
        self.memory.counts.on_news += u64::from(has_acted);
    }

    fn on_gap(&mut self, _instrument: InstrumentIndex) {}

    fn explain(&self, _reason: &str) -> String {
        "Quotes both sides at random.".to_owned()
    }

    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(&self.memory)
    }

    fn outcome(&self) -> Figures {
        counted(&self.memory.counts)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Market;
    use super::*;
    use crate::fees::Fees;
    use crate::instrument::{Instrument, Rules};
    use crate::messages::CommandKind;
    use crate::{Config, Effect, Engine};

    fn config() -> Config {
        let rules: Rules =
            serde_json::from_value(json!({"tickSize": "0.01", "lotSize": "0.001", "minNotional": 5})).unwrap();
        Config {
            name: "quoter".to_owned(),
            ledger: "abcdef".parse().unwrap(),
            instruments: Instrument::new("BNB/USDT".parse().unwrap(), &rules).unwrap().into(),
            capital: crate::testkit::Market::USUAL.capital("5", "3000"),
            fees: Fees::default(),
            risk: serde_json::from_value(json!({"maxOrdersPerMinute": 600})).unwrap(),
            exit: None,
            transfers: crate::transfers::WantedTransfers::default(),
            desired: strategies::DesiredState::Running,
            parameters: json!({"seed": 7}),
        }
    }

    /// Nobody answers it, so it cancels what it placed. Restored from what it saves it does the same as without an end.
    #[test]
    fn it_orders_and_cancels_by_its_seed_and_its_memory_alone() {
        let run = |restarts: bool| {
            let mut engine = Engine::new(config(), &QUOTER).unwrap();
            let mut commands = Vec::new();
            for tick in Market::of(7, 100) {
                let effects = engine.tick(tick.event_time(), &tick);
                commands.extend(effects.into_iter().filter_map(|effect| match effect {
                    Effect::Command(command) => Some(command.into_message(None)),
                    Effect::Signal(_)
                    | Effect::Position(_)
                    | Effect::Alert(_)
                    | Effect::StateChanged
                    | Effect::Poison(_) => None,
                }));
                if restarts {
                    engine = Engine::restore(config(), &QUOTER, &engine.snapshot().unwrap()).unwrap();
                }
            }
            (commands, engine.report().decision)
        };
        let (commands, decision) = run(false);
        let count = |matches: fn(&CommandKind) -> bool| commands.iter().filter(|one| matches(&one.kind)).count();
        let created = count(|kind| matches!(kind, CommandKind::Create(_)));
        let cancelled = count(|kind| matches!(kind, CommandKind::Cancel));
        assert!(created >= 6 && cancelled >= 3, "{created} and {cancelled}: {decision:?}");
        assert_eq!(run(true), (commands, decision));
    }
}

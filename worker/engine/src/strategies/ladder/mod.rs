//! The ladder strategy, the grid bot of the exchanges: buys rest on the levels below the price, sells on those above it.
//!
//! Between two neighbouring levels lies a gap with one order in it: a buy at its lower level, or a sell at its upper one.
//! Whatever of them trades whole is followed by the other, so a gap earns its width each time, less both fees. One level is
//! always empty: the one between the buys and the sells.

mod denied;
mod figures;
mod levels;
mod memory;
mod parameters;
mod plan;
mod start;
#[cfg(test)]
mod tests;
mod trailing;
mod work;

use serde_json::Value;

use super::{
    Context, Definition, Figures, Intent, OrderEvent, OrderKind, OrderSize, Purpose, Standing, Strategy, StrategyError,
    Warning, registry,
};
use crate::fees::Fees;
use crate::instrument::{InstrumentIndex, Instruments};
use crate::messages::{AlertKind, Side, Tick, TimeInForce};
use crate::numbers::{Price, Quantity, Ratio};
use crate::risk::PositionBounds;

use levels::Formula;
use memory::{Memory, Stage};

pub use parameters::{LadderParameters, Spacing};
pub use plan::Plan;

/// The ladder in the registry.
pub const DEFINITION: Definition = Definition {
    name: "ladder",
    instruments_max: 1,
    position_bounds: PositionBounds::Free,
    schema: || schemars::schema_for!(LadderParameters),
    start: |parameters, snapshot| Ok(Box::new(Ladder::start(parameters, snapshot)?)),
};

const FIRST_PURCHASE: &str = "FirstPurchase";
const LEVEL_PLACED: &str = "LevelPlaced";
const LEVEL_TRADED: &str = "LevelTraded";
const LEVELS_MERGE: &str = "LevelsMerge";
const LADDER_RESTS: &str = "LadderRests";
const MOVED_UP: &str = "MovedUp";
const ORDER_OPEN: &str = "OrderOpen";
const LAID_ANEW: &str = "LadderLaidAnew";
const OUTSIDE: &str = "LadderOutside";
const SHORT: &str = "LadderShort";
const TRADING_HELD: &str = "TradingHeld";
const WAITING_FOR_TRIGGER: &str = "WaitingForTrigger";

/// A running ladder.
#[derive(Debug)]
struct Ladder {
    parameters: LadderParameters,
    memory: Memory,
}

impl Ladder {
    fn start(parameters: &Value, snapshot: Option<&Value>) -> Result<Self, StrategyError> {
        let parameters = registry::parameters(DEFINITION.name, parameters)?;
        let mut memory: Memory = registry::remembered(DEFINITION.name, snapshot)?.unwrap_or_default();
        memory.number_gaps();
        Ok(Self { parameters, memory })
    }

    /// The size of an order that is placed now.
    fn quantity(&self) -> Quantity {
        self.parameters.fixed_quantity().unwrap_or(self.memory.quantity)
    }

    /// The price of a level.
    fn price_of(&self, number: u32) -> Option<Price> {
        let place = number.checked_sub(self.memory.lowest).and_then(|place| usize::try_from(place).ok());
        let known = place.and_then(|place| self.memory.prices.get(place)).copied();
        known.or_else(|| Formula::of(&self.parameters, self.memory.tick_size?)?.level(number))
    }

    /// The level at which the order of a gap lies.
    fn level_of(&self, place: usize) -> Option<(u32, Price)> {
        let number = self.memory.gaps.get(place)?.number();
        Some((number, self.price_of(number)?))
    }

    /// An order at a level.
    fn intent(
        &self,
        (side, quantity): (Side, Quantity),
        (number, price): (u32, Price),
        reason: &'static str,
    ) -> Intent {
        Intent {
            instrument: InstrumentIndex::FIRST,
            side,
            size: OrderSize::Fixed(quantity),
            kind: OrderKind::Limit { price, time_in_force: TimeInForce::GoodTillCanceled, post_only: false },
            purpose: Purpose::Open,
            // 0 is of an order without a level.
            tag: number.saturating_add(1),
            reason,
            message: format!("level {number} of {}", self.parameters.levels),
        }
    }
}

impl Strategy for Ladder {
    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        self.memory.tick_size = Some(context.instrument().tick_size);
        self.memory.first.get_or_insert(tick.price);
        self.follow_edit(context);
        match self.memory.stage {
            Stage::Waiting => self.wait(context),
            Stage::Clearing if !context.has_open_orders() => self.wait_anew(context),
            Stage::Clearing => context.hold(LAID_ANEW),
            Stage::Buying(_) => context.hold(ORDER_OPEN),
            Stage::Working => self.work(context),
        }
    }

    fn on_order(&mut self, event: &OrderEvent, context: &mut Context<'_>) {
        match self.memory.stage {
            Stage::Waiting => {}
            Stage::Clearing => self.cleared(event, context),
            Stage::Buying(order) => self.bought(order, event, context),
            Stage::Working => self.told(event, context),
        }
    }

    fn on_round(&mut self, context: &mut Context<'_>) {
        if self.memory.stage == Stage::Working {
            self.try_left_after_fills(context);
        }
    }

    /// Each order rests at the venue: nothing depends on having seen every tick.
    fn on_gap(&mut self, _instrument: InstrumentIndex) {}

    fn explain(&self, reason: &str) -> String {
        self.words_for(reason)
    }

    fn warnings(&self, _first: &Tick, fees: &Fees) -> Vec<Warning> {
        self.below_fees(fees).into_iter().collect()
    }

    fn found(&self) -> Vec<Warning> {
        self.short_warning().into_iter().chain(self.outside_warning()).collect()
    }

    fn alerts(&self) -> Vec<AlertKind> {
        self.standing_alerts()
    }

    fn described(&self, instruments: &Instruments) -> String {
        self.in_words(instruments)
    }

    fn start_line(&self, first: Price, instruments: &Instruments) -> Option<String> {
        self.first_words(first, instruments)
    }

    fn outlook(&self, _price: Price, _instruments: &Instruments) -> Option<String> {
        self.next_words()
    }

    fn max_slippage(&self) -> Option<Ratio> {
        Some(Ratio::from_percent(self.parameters.max_slippage_percent))
    }

    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(&self.memory)
    }

    fn figures(&self) -> Figures {
        self.all_figures(None)
    }

    fn outcome(&self) -> Figures {
        self.profit_figures(None)
    }

    fn figures_at(&self, standing: &Standing) -> Figures {
        self.all_figures(Some(standing))
    }

    fn outcome_at(&self, standing: &Standing) -> Figures {
        self.profit_figures(Some(standing))
    }
}

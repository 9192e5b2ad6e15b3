//! A strategy on two markets that answers a move of one with an order in the other, by a seed: for tests of all that
//! several markets share.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Chance, Seeded};
use crate::instrument::InstrumentIndex;
use crate::messages::{Side, Tick, TimeInForce};
use crate::numbers::{Price, Quantity, Ratio};
use crate::risk::PositionBounds;
use crate::strategies::{
    self, Context, Definition, Figures, Intent, OrderEvent, OrderKind, OrderNews, OrderSize, Outcome, Purpose,
    Strategy, StrategyError,
};

/// The pair in the registry: a custom strategy, whose parameter is its seed.
pub const PAIR: Definition = Definition {
    name: "pair",
    instruments_max: 2,
    position_bounds: PositionBounds::Free,
    schema: || schemars::schema_for!(Seeded),
    start: |parameters, snapshot| Ok(Box::new(Pair::start(parameters, snapshot)?)),
};

/// Of how many ticks one leads to an action.
const CALM: u64 = 4;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    chance: Chance,
    /// Its orders that are not closed, oldest first.
    open: Vec<u64>,
    trades: u64,
    missed: u64,
}

#[derive(Debug)]
struct Pair(Memory);

impl Pair {
    fn start(parameters: &Value, snapshot: Option<&Value>) -> Result<Self, StrategyError> {
        let Seeded { seed } = strategies::parameters(PAIR.name, parameters)?;
        let memory: Option<Memory> = strategies::remembered(PAIR.name, snapshot)?;
        let new = || Memory { chance: Chance::of(seed), open: Vec::new(), trades: 0, missed: 0 };
        Ok(Self(memory.unwrap_or_else(new)))
    }

    /// The market that is not the one of this place.
    fn other(context: &Context<'_>, index: InstrumentIndex) -> InstrumentIndex {
        let other = context.instruments().iter().map(|(other, _)| other).find(|other| *other != index);
        other.unwrap_or(index)
    }

    fn intent(&mut self, context: &Context<'_>, instrument: InstrumentIndex) -> Option<Intent> {
        let last = context.tick_of(instrument)?;
        let (market, chance) = (context.instruments().get(instrument)?, &mut self.0.chance);
        let side = if chance.below(2) == 0 { Side::Buy } else { Side::Sell };
        let lots = chance.below(3).saturating_add(1);
        let quantity = (0..lots).try_fold(Quantity::ZERO, |sum, _| sum.plus(market.lot_size)).ok()?;
        let away = chance.below(3);
        let kind = if away == 0 {
            OrderKind::Marketable { max_slippage: Ratio::ONE }
        } else {
            OrderKind::Limit {
                price: beside(last, side, market.tick_size, away)?,
                time_in_force: TimeInForce::GoodTillCanceled,
                post_only: false,
            }
        };
        Some(Intent {
            instrument,
            side,
            size: OrderSize::Fixed(quantity),
            kind,
            purpose: Purpose::Open,
            tag: u32::try_from(away).unwrap_or_default(),
            reason: "OtherMoved",
            message: "the other market has moved".to_owned(),
        })
    }
}

/// So many steps on the own side of the best price.
fn beside(last: &Tick, side: Side, step: Price, steps: u64) -> Option<Price> {
    let (best, away) = (last.best(side).get(), step.get().checked_mul(steps.into())?);
    let price = match side {
        Side::Buy => best.checked_sub(away)?,
        Side::Sell => best.checked_add(away)?,
    };
    Price::new(price).ok()
}

impl Strategy for Pair {
    fn on_tick(&mut self, _tick: &Tick, context: &mut Context<'_>) {
        if self.0.chance.below(CALM) != 0 {
            return context.hold("Calm");
        }
        let other = Self::other(context, context.index());
        if let Some(oldest) = self.0.open.first().copied().filter(|_| self.0.chance.below(2) == 0) {
            return context.cancel(oldest);
        }
        if let Some(intent) = self.intent(context, other)
            && let Ok(order) = context.place(intent)
        {
            self.0.open.push(order);
        }
    }

    fn on_order(&mut self, event: &OrderEvent, context: &mut Context<'_>) {
        match &event.news {
            OrderNews::Accepted => {}
            OrderNews::Filled(_) => self.0.trades = self.0.trades.saturating_add(1),
            OrderNews::Closed(outcome) => {
                self.0.open.retain(|open| *open != event.order);
                // What was had in one market is answered in the other, on the same tick.
                let answers = matches!(outcome, Outcome::Traded { .. }) && self.0.chance.below(4) == 0;
                let other = Self::other(context, event.instrument);
                if let Some(intent) = Some(()).filter(|()| answers).and_then(|()| self.intent(context, other))
                    && let Ok(order) = context.place(intent)
                {
                    self.0.open.push(order);
                }
            }
        }
    }

    fn on_gap(&mut self, _instrument: InstrumentIndex) {
        self.0.missed = self.0.missed.saturating_add(1);
    }

    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(&self.0)
    }

    fn outcome(&self) -> Figures {
        Figures::from([("trades".to_owned(), self.0.trades.to_string())])
    }
}

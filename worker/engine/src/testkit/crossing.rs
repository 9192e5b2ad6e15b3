//! A strategy that trades on bars: it buys when the mean of the last few closes crosses that of many upwards, sells when it
//! crosses it downwards, and keeps an order at rest under the last bar's low. It remembers nothing of the bars themselves,
//! so that each of its decisions shows whether the bars it was given are the right ones.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::counted;
use crate::instrument::InstrumentIndex;
use crate::market::{Bar, Interval};
use crate::messages::{Side, Tick, TimeInForce};
use crate::numbers::Ratio;
use crate::risk::PositionBounds;
use crate::strategies::{
    self, BarsOf, Context, Definition, Figures, Intent, Needs, OrderEvent, OrderKind, OrderNews, OrderSize, Outcome,
    Purpose, Strategy, StrategyError,
};

/// The crossing in the registry: a custom strategy.
pub const CROSSING: Definition = Definition {
    name: "crossing",
    instruments_max: 1,
    position_bounds: PositionBounds::Free,
    schema: || schemars::schema_for!(Parameters),
    start: |parameters, snapshot| Ok(Box::new(Crossing::start(parameters, snapshot)?)),
};

/// The parameters of a crossing.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
struct Parameters {
    /// The many, at least 2; of them half are the few.
    bars: usize,
}

/// What it crosses.
const MINUTES: BarsOf = BarsOf::first(Interval::OneMinute);
/// It trades only in the direction of the last two of these.
const LONGER: BarsOf = BarsOf::first(Interval::FiveMinutes);

/// All that it remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    /// Whether the mean of the few was above that of the many.
    is_above: Option<bool>,
    /// The order at rest.
    resting: Option<u64>,
    counts: Counts,
    /// What it saw when it could first decide.
    first: Option<First>,
}

/// The first tick that it was told, and the bars that it saw there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct First {
    tick: u64,
    minutes: Vec<Bar>,
    longer: Vec<Bar>,
}

/// What it met, for its result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    /// Bars that it was told.
    bars: u64,
    /// The same of the longer interval.
    longer: u64,
    /// Ticks that it was told.
    ticks: u64,
    /// Orders that were sent.
    sent: u64,
    /// Trades.
    filled: u64,
    /// The sum of the numbers of bars told before each trade: another order of bars and news is another sum.
    bars_before_fills: u64,
}

#[derive(Debug)]
struct Crossing {
    many: usize,
    memory: Memory,
}

impl Crossing {
    fn start(parameters: &Value, snapshot: Option<&Value>) -> Result<Self, StrategyError> {
        let Parameters { bars } = strategies::parameters(CROSSING.name, parameters)?;
        let memory = strategies::remembered(CROSSING.name, snapshot)?.unwrap_or_default();
        Ok(Self { many: bars.max(2), memory })
    }

    /// Whether the mean of the newest half of these closes is above that of all: in whole numbers, without a division.
    fn is_above(bars: &[Bar]) -> bool {
        let few = bars.len() / 2;
        let sum = |bars: &[Bar]| bars.iter().map(|bar| bar.close.get()).sum::<Decimal>();
        sum(&bars[bars.len() - few..]) * Decimal::from(bars.len()) > sum(bars) * Decimal::from(few)
    }

    fn send(&mut self, context: &mut Context<'_>, side: Side, kind: OrderKind) -> Option<u64> {
        let intent = Intent {
            instrument: InstrumentIndex::FIRST,
            side,
            size: OrderSize::Fixed("0.05".parse().expect("a quantity")),
            kind,
            purpose: Purpose::Open,
            tag: 0,
            reason: "Crossed",
            message: "the means of closes have crossed".to_owned(),
        };
        let sent = context.place(intent).ok();
        self.memory.counts.sent += u64::from(sent.is_some());
        sent
    }

    fn crossed(&mut self, is_above: bool, context: &mut Context<'_>) {
        let rises = matches!(context.bars(LONGER), [.., before, last] if last.close >= before.close);
        if rises != is_above {
            return;
        }
        let side = if is_above { Side::Buy } else { Side::Sell };
        self.send(context, side, OrderKind::Marketable { max_slippage: Ratio::ONE });
    }
}

impl Strategy for Crossing {
    fn needs(&self) -> Needs {
        Needs { bars: vec![(LONGER, 2), (MINUTES, self.many)], ..Needs::default() }
    }

    fn on_bar(&mut self, bar: &Bar, of: BarsOf, context: &mut Context<'_>) {
        if of == LONGER {
            self.memory.counts.longer += 1;
            return;
        }
        self.memory.counts.bars += 1;
        let is_above = Self::is_above(context.bars(of));
        if self.memory.is_above.replace(is_above).is_some_and(|before| before != is_above) {
            self.crossed(is_above, context);
        }
        if let Some(order) = self.memory.resting.take() {
            context.cancel(order);
        }
        let (side, price) = if is_above { (Side::Buy, bar.low) } else { (Side::Sell, bar.high) };
        let kind = OrderKind::Limit { price, time_in_force: TimeInForce::GoodTillCanceled, post_only: false };
        self.memory.resting = self.send(context, side, kind);
    }

    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        self.memory.counts.ticks += 1;
        self.memory.first.get_or_insert_with(|| First {
            tick: tick.source_sequence,
            minutes: context.bars(MINUTES).to_vec(),
            longer: context.bars(LONGER).to_vec(),
        });
        context.hold("Crosses");
    }

    fn on_order(&mut self, event: &OrderEvent, _context: &mut Context<'_>) {
        let Memory { counts, resting, .. } = &mut self.memory;
        match &event.news {
            OrderNews::Accepted => {}
            OrderNews::Filled(_) => {
                counts.filled += 1;
                counts.bars_before_fills += counts.bars;
            }
            OrderNews::Closed(Outcome::Traded { .. } | Outcome::Nothing { .. }) => {
                resting.take_if(|order| *order == event.order);
            }
        }
    }

    fn on_gap(&mut self, _: InstrumentIndex) {}

    fn explain(&self, _reason: &str) -> String {
        "Waits for the means of closes to cross.".to_owned()
    }

    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(&self.memory)
    }

    fn outcome(&self) -> Figures {
        counted(&self.memory.counts)
    }
}

//! Position control (S1): above the highest price of the last days it sells coins down to a share of the equity, below the
//! lowest it buys them up to another share. Between the two it does nothing, however the price moves.
//!
//! High and low are of whole UTC days that follow one another up to yesterday. A day is over with the first tick of a later
//! one, which is judged by it already.

mod parameters;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    BarsOf, Context, Definition, Figures, Intent, Needs, OrderEvent, OrderKind, OrderNews, OrderSize, Purpose,
    Strategy, StrategyError,
};
use crate::instrument::{InstrumentIndex, Instruments};
use crate::market::{Bar, Interval};
use crate::messages::{Side, Tick};
use crate::numbers::{ExactDecimal, NumberError, Price, Quantity, Ratio, shown};
use crate::risk::PositionBounds;
use crate::time::Timestamp;

pub use parameters::PositionControlParameters;

/// Position control in the registry.
pub const DEFINITION: Definition = Definition {
    name: "positionControl",
    instruments_max: 1,
    position_bounds: PositionBounds::Bind,
    schema: || schemars::schema_for!(PositionControlParameters),
    start: |parameters, snapshot| Ok(Box::new(PositionControl::start(parameters, snapshot)?)),
};

const WITHIN_DAYS: &str = "PriceWithinDays";
const TARGET_REACHED: &str = "TargetReached";
const TOO_SMALL: &str = "OrderTooSmall";
const ORDER_OPEN: &str = "OrderOpen";
const SELL_BLOCKED: &str = "SellBlocked";
const BUY_BLOCKED: &str = "BuyBlocked";

/// Digits of a share that is shown: two of a percentage.
const SHARE_PLACES: u32 = 4;

/// The bars that it looks at.
const DAYS: BarsOf = BarsOf::first(Interval::OneDay);

/// The extremes of the days that it looks back on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Levels {
    /// How many days.
    days: u32,
    /// When the last of them began.
    last: Timestamp,
    high: Price,
    low: Price,
}

impl Levels {
    /// Of these days; `None` of none.
    fn of(bars: &[Bar]) -> Option<Self> {
        let last = bars.last()?;
        let high = bars.iter().map(|bar| bar.high).max()?;
        let low = bars.iter().map(|bar| bar.low).min()?;
        let days = u32::try_from(bars.len()).ok()?;
        Some(Self { days, last: last.open_time, high: high.normalised(), low: low.normalised() })
    }
}

/// What it remembers: all of it follows from the bars and the books, so that it can be shown after a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    levels: Option<Levels>,
    /// The coins' share of the equity at the last look, with the digits that are shown.
    share: Option<Ratio>,
}

#[derive(Debug)]
struct PositionControl {
    parameters: PositionControlParameters,
    memory: Memory,
}

/// Beyond which level the price lies.
#[derive(Debug, Clone, Copy)]
struct Beyond {
    side: Side,
    level: Price,
    target: ExactDecimal,
}

/// What it wants on a tick.
#[derive(Debug)]
enum Choice {
    /// Nothing, for this reason.
    Hold(&'static str),
    /// An order of this size.
    Trade(Beyond, Quantity),
}

impl PositionControl {
    fn start(parameters: &Value, snapshot: Option<&Value>) -> Result<Self, StrategyError> {
        let parameters: PositionControlParameters = super::parameters(DEFINITION.name, parameters)?;
        let mut memory: Memory = super::remembered(DEFINITION.name, snapshot)?.unwrap_or_default();
        memory.levels = memory.levels.filter(|levels| levels.days == parameters.look_back_days);
        Ok(Self { parameters, memory })
    }

    /// The extremes of the days that are over, made anew when one has ended.
    fn levels(&mut self, context: &Context<'_>) -> Option<Levels> {
        let bars = context.bars(DAYS);
        let last = bars.last()?.open_time;
        if self.memory.levels.is_none_or(|levels| levels.last != last) {
            self.memory.levels = Levels::of(bars);
        }
        self.memory.levels
    }

    /// Nothing is shown of a share that cannot be counted.
    fn look_at_share(&mut self, context: &Context<'_>) {
        let worth = context.tick().price.times(context.position()).ok();
        let share = worth.and_then(|worth| worth.share_of(context.equity().ok()?));
        self.memory.share = share.and_then(|share| Ratio::new(share.get().round_dp(SHARE_PLACES)).ok());
    }

    /// Both comparisons are strict.
    fn beyond(&self, price: Price, levels: Levels) -> Option<Beyond> {
        if price > levels.high {
            Some(Beyond { side: Side::Sell, level: levels.high, target: self.parameters.sell_target_percent })
        } else if price < levels.low {
            Some(Beyond { side: Side::Buy, level: levels.low, target: self.parameters.buy_target_percent })
        } else {
            None
        }
    }

    fn choose(&mut self, context: &Context<'_>) -> Result<Choice, NumberError> {
        self.look_at_share(context);
        let price = context.tick().price;
        let beyond = self.levels(context).and_then(|levels| self.beyond(price, levels));
        let Some(beyond) = beyond else { return Ok(Choice::Hold(WITHIN_DAYS)) };
        if context.has_open_orders() {
            return Ok(Choice::Hold(ORDER_OPEN));
        }
        let (worth, equity) = (price.times(context.position())?, context.equity()?);
        let target = Ratio::from_percent(beyond.target);
        let missing = match beyond.side {
            Side::Sell => Ordering::Greater,
            Side::Buy => Ordering::Less,
        };
        if worth.compare_with(equity, target) != missing {
            return Ok(Choice::Hold(TARGET_REACHED));
        }
        if !context.permissions().allows(beyond.side) {
            return Ok(Choice::Hold(match beyond.side {
                Side::Sell => SELL_BLOCKED,
                Side::Buy => BUY_BLOCKED,
            }));
        }
        let instrument = context.instrument();
        let lot = instrument.lot_size;
        // Bounded, then floored: the smaller of two floors is the floor of the smaller one.
        let wanted = Quantity::between((worth, equity), target, price, lot)?;
        let quantity = wanted.min(self.bound(beyond.side, context)?);
        let best = context.tick().best(beyond.side);
        if quantity.is_zero() || best.times(quantity)? < instrument.min_notional {
            return Ok(Choice::Hold(TOO_SMALL));
        }
        Ok(Choice::Trade(beyond, quantity))
    }

    /// The most that one order moves: a share of the coins, or of the cash at the tick's price.
    fn bound(&self, side: Side, context: &Context<'_>) -> Result<Quantity, NumberError> {
        let (share, lot) = (Ratio::from_percent(self.parameters.use_percent), context.instrument().lot_size);
        match side {
            Side::Sell => context.position().share_in_lots(share, lot),
            Side::Buy => Quantity::bought_for(context.available()?.quote, share, context.tick().price, lot),
        }
    }

    /// `price` and `level` as they are shown.
    fn intent(&self, beyond: Beyond, quantity: Quantity, [price, level]: [Price; 2]) -> Intent {
        let Beyond { side, target, .. } = beyond;
        let (days, share) = (self.days(), self.share());
        let (reason, message) = match side {
            Side::Sell => {
                ("AboveHigh", format!("{price} is above the high {level} of {days}, from {share} to {target} %"))
            }
            Side::Buy => {
                ("BelowLow", format!("{price} is below the low {level} of {days}, from {share} to {target} %"))
            }
        };
        let max_slippage = Ratio::from_percent(self.parameters.max_slippage_percent);
        Intent {
            instrument: InstrumentIndex::FIRST,
            side,
            size: OrderSize::Chosen(quantity, "usePercent"),
            kind: OrderKind::Marketable { max_slippage },
            purpose: Purpose::Open,
            tag: 0,
            reason,
            message,
        }
    }

    /// In percent; as a text that is at most a few digits long.
    fn share(&self) -> String {
        self.memory.share.map_or_else(|| "?".to_owned(), |share| share.percent().normalize().to_string())
    }

    fn days(&self) -> String {
        match self.parameters.look_back_days {
            1 => "1 day".to_owned(),
            days => format!("{days} days"),
        }
    }
}

impl Strategy for PositionControl {
    fn needs(&self) -> Needs {
        // A look-back beyond the range of numbers is refused with all others that are too long.
        let days = usize::try_from(self.parameters.look_back_days).unwrap_or(usize::MAX);
        Needs { bars: vec![(DAYS, days)], trades_while_warming_up: false, first_is_whole: true, unbroken: true }
    }

    fn on_warming_up(&mut self) {
        self.memory = Memory::default();
    }

    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        match self.choose(context) {
            Ok(Choice::Hold(reason)) => context.hold(reason),
            // What was denied has been told; the next tick may try again.
            Ok(Choice::Trade(beyond, quantity)) => {
                let tick_size = context.instrument().tick_size;
                let prices = [tick.price, beyond.level].map(|price| price.shown_in(tick_size));
                let _sent = context.place(self.intent(beyond, quantity, prices));
            }
            // An equity that cannot be counted halts the engine itself.
            Err(_) => {}
        }
    }

    fn on_order(&mut self, event: &OrderEvent, context: &mut Context<'_>) {
        match event.news {
            OrderNews::Filled(_) if self.memory.levels.is_some() => self.look_at_share(context),
            OrderNews::Filled(_) | OrderNews::Accepted | OrderNews::Closed(_) => {}
        }
    }

    fn on_gap(&mut self, _instrument: InstrumentIndex) {}

    fn explain(&self, reason: &str) -> String {
        let Some(Levels { high, low, .. }) = self.memory.levels else { return String::new() };
        let (days, share) = (self.days(), self.share());
        match reason {
            WITHIN_DAYS => format!("Sells above {high}, buys below {low}: high and low of {days}."),
            TARGET_REACHED => format!(
                "Beyond {low} to {high}, the prices of {days}, but coins are {share} % of the equity: it sells above {} %, \
                 buys below {} %.",
                self.parameters.sell_target_percent, self.parameters.buy_target_percent
            ),
            TOO_SMALL => {
                format!("Coins are {share} % of the equity: less than a lot, or than minNotional, is missing.")
            }
            ORDER_OPEN => "Waits for its order to be over.".to_owned(),
            SELL_BLOCKED => format!("Above {high}, but its position limit allows no sell."),
            BUY_BLOCKED => format!("Below {low}, but its position limit allows no buy."),
            _ => String::new(),
        }
    }

    fn described(&self, _instruments: &Instruments) -> String {
        let PositionControlParameters { sell_target_percent, buy_target_percent, .. } = &self.parameters;
        let days = self.days();
        format!(
            "position control: to {sell_target_percent} % above the high of {days}, to {buy_target_percent} % below their low"
        )
    }

    fn start_line(&self, _first: Price, _instruments: &Instruments) -> Option<String> {
        Some(format!("starts once {} that follow one another are over", self.days()))
    }

    fn outlook(&self, price: Price, instruments: &Instruments) -> Option<String> {
        let Levels { high, low, .. } = self.memory.levels?;
        let [high, low] = shown::thresholds([high.get(), low.get()], price, instruments.first().tick_size);
        Some(format!("would sell above {high}, buy below {low}"))
    }

    fn max_slippage(&self) -> Option<Ratio> {
        Some(Ratio::from_percent(self.parameters.max_slippage_percent))
    }

    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(&self.memory)
    }

    fn outcome(&self) -> Figures {
        let levels = self.memory.levels.iter();
        let levels = levels.flat_map(|levels| [("high", levels.high.to_string()), ("low", levels.low.to_string())]);
        let share = self.memory.share.map(|_| ("sharePercent", self.share()));
        levels.chain(share).map(|(name, figure)| (name.to_owned(), figure)).collect()
    }
}

//! The grid strategy: one trailing level on each side of a moving base price.
//!
//! In the sell zone (price at or above `base × (1 + g)`) it tracks the high and sells once the price has
//! fallen by `θ = factor × g` from it and still lies in the zone; the buy side mirrors it. The sides have
//! separate memories. Leaving a zone forgets that side. The base moves once per order, to the average price
//! of what really traded.

mod adaptive;
mod parameters;
mod range;
mod size;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    BarsOf, Context, Definition, Figures, Intent, Needs, OrderEvent, OrderKind, OrderNews, OrderSize, Outcome, Purpose,
    Strategy, StrategyError, Warning,
};
use crate::fees::Fees;
use crate::instrument::{InstrumentIndex, Instruments};
use crate::market::Bar;
use crate::messages::{AlertKind, Side, Tick};
use crate::numbers::{ExactDecimal, Price, PriceBound, Ratio, shown};
use crate::risk::{PositionBounds, RiskState};
use crate::time::Timestamp;

pub use adaptive::AdaptiveParameters;
use adaptive::{BARS, Reading};
pub use parameters::GridParameters;
pub use range::RangeParameters;
use size::Size;

/// The grid in the registry.
pub const DEFINITION: Definition = Definition {
    name: "grid",
    instruments_max: 1,
    position_bounds: PositionBounds::Bind,
    schema: || schemars::schema_for!(GridParameters),
    start: |parameters, snapshot| Ok(Box::new(Grid::start(parameters, snapshot)?)),
};

const BETWEEN_BANDS: &str = "PriceBetweenBands";
const WAITING_FOR_FALL: &str = "WaitingForFall";
const WAITING_FOR_RISE: &str = "WaitingForRise";
const TRADE_INTERVAL: &str = "MinTradeInterval";
const ORDER_OPEN: &str = "OrderOpen";
const SELL_BLOCKED: &str = "SellBlocked";
const BUY_BLOCKED: &str = "BuyBlocked";
const OUTSIDE_RANGE: &str = "OutsideRange";

/// A base price further than this many grid sizes from the first tick deserves a warning.
const FAR_IN_GRIDS: u32 = 5;

/// What a grid remembers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    /// The manifest's `basePrice` that was last followed.
    configured: Option<ExactDecimal>,
    /// The price the bands lie around; none before the first tick.
    base: Option<Price>,
    /// The highest price of the current stay in the sell zone; none outside it.
    high: Option<Price>,
    /// The lowest price of the current stay in the buy zone; none outside it.
    low: Option<Price>,
    /// When one of its orders last traded.
    last_fill: Option<Timestamp>,
    /// The grid size that was taken over from the market last; none where it is that of the parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<ExactDecimal>,
    /// The volatility at the last close, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sigma: Option<ExactDecimal>,
}

/// A running grid.
#[derive(Debug)]
struct Grid {
    parameters: GridParameters,
    size: Size,
    memory: Memory,
    bounds: Bounds,
}

/// What prices are held against, computed when what they follow from changes, not at each tick. Never saved.
#[derive(Debug, Default)]
struct Bounds {
    /// The zones begin at the lower and at the upper band.
    bands: Option<(PriceBound, PriceBound)>,
    /// Where a fall from the high fires, and a rise from the low.
    fallen: Followed,
    risen: Followed,
}

/// A bound beside the price that it follows from. Another price makes it void.
#[derive(Debug, Default)]
struct Followed(Option<(Price, PriceBound)>);

impl Followed {
    fn of(&mut self, price: Price, bound: impl FnOnce() -> PriceBound) -> PriceBound {
        match self.0 {
            Some((followed, bound)) if followed == price => bound,
            Some(_) | None => self.0.insert((price, bound())).1,
        }
    }
}

/// What a grid looks at beside the price.
#[derive(Debug, Clone, Copy)]
struct View {
    now: Timestamp,
    /// A blocked side is not tracked.
    risk: RiskState,
    /// Whether an order of its own is not closed yet.
    order_open: bool,
}

/// What a grid wants on a tick.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Choice {
    /// Nothing, for this reason.
    Hold(&'static str),
    /// An order of this side, after a turn from this extreme.
    Trade(Side, Price),
}

/// In which zones a price lies.
#[derive(Debug, Clone, Copy)]
struct Zones {
    sell: bool,
    buy: bool,
}

impl Grid {
    fn start(parameters: &Value, snapshot: Option<&Value>) -> Result<Self, StrategyError> {
        let parameters: GridParameters = super::parameters(DEFINITION.name, parameters)?;
        let mut memory: Memory = super::remembered(DEFINITION.name, snapshot)?.unwrap_or_default();
        // Editing basePrice, and only that, recentres once; taking it out keeps the base where it is.
        if parameters.base_price != memory.configured {
            if let Some(base) = parameters.base_price.and_then(|base| Price::new(base.get()).ok()) {
                memory = Memory { base: Some(base.normalised()), high: None, low: None, ..memory };
            }
            memory.configured = parameters.base_price;
        }
        // What the market gave stays within the bounds of now; without them there is nothing of it.
        memory.size = parameters.adaptive.as_ref().and_then(|adaptive| Some(adaptive.clamped(memory.size?)));
        memory.sigma = memory.sigma.filter(|_| parameters.adaptive.is_some());
        let percent = memory.size.unwrap_or_else(|| parameters.grid_size());
        let refused = |error| StrategyError::refused(DEFINITION.name, format!("flipThresholdFactor: {error}"));
        let size = Size::of(percent, parameters.flip_threshold_factor).map_err(refused)?;
        Ok(Self { parameters, size, memory, bounds: Bounds::default() })
    }

    /// Follows the volatility of these bars, of which the last has just closed. While a side is tracked the size stays.
    fn adapt(&mut self, bars: &[Bar]) {
        let Some(adaptive) = &self.parameters.adaptive else { return };
        let Reading { sigma, size } = adaptive.read(bars);
        self.memory.sigma = sigma;
        let is_tracking = self.memory.high.is_some() || self.memory.low.is_some();
        let Some(percent) = size.filter(|size| !is_tracking && AdaptiveParameters::differs(*size, self.size.percent))
        else {
            return;
        };
        if let Ok(size) = Size::of(percent, self.parameters.flip_threshold_factor) {
            self.memory.size = Some(percent);
            self.size = size;
            self.bounds = Bounds::default();
        }
    }

    fn zones(&mut self, price: Price) -> Zones {
        let (lower, upper) = *self.bounds.bands.get_or_insert_with(|| {
            let base = *self.memory.base.get_or_insert(price);
            (base.bound_below(self.size.below), base.bound_above(self.size.above))
        });
        Zones { sell: price.is_at_or_above(upper), buy: price.is_at_or_below(lower) }
    }

    /// Follows the extremes; a blocked side and a side outside its zone remember nothing.
    fn track(&mut self, price: Price, zones: Zones, view: View) {
        let selling = zones.sell && view.risk.allows(Side::Sell);
        let buying = zones.buy && view.risk.allows(Side::Buy);
        self.memory.high = selling.then(|| self.memory.high.map_or(price, |high| high.max(price)));
        self.memory.low = buying.then(|| self.memory.low.map_or(price, |low| low.min(price)));
    }

    /// The turn that fires on this price, if one does. The sell side is looked at first.
    fn turned(&mut self, price: Price) -> Option<(Side, Price)> {
        if let Some(high) = self.memory.high
            && price.is_at_or_below(self.bounds.fallen.of(high, || high.bound_below(self.size.fallen)))
        {
            return Some((Side::Sell, high));
        }
        let low = self.memory.low?;
        let bound = self.bounds.risen.of(low, || low.bound_above(self.size.risen));
        price.is_at_or_above(bound).then_some((Side::Buy, low))
    }

    fn within_interval(&self, now: Timestamp) -> bool {
        let interval = i64::from(self.parameters.min_trade_interval_seconds).saturating_mul(1000);
        self.memory.last_fill.is_some_and(|last| now.millis_since(last) < interval)
    }

    fn intent(&self, side: Side, extreme: Price, tick_size: Price) -> Intent {
        let extreme = extreme.shown_in(tick_size);
        let turn = self.size.turn.percent();
        let (reason, message) = match side {
            Side::Sell => ("TurnedDown", format!("high {extreme}, turned down {turn} %")),
            Side::Buy => ("TurnedUp", format!("low {extreme}, turned up {turn} %")),
        };
        let max_slippage = Ratio::from_percent(self.parameters.max_slippage_percent);
        Intent {
            instrument: InstrumentIndex::FIRST,
            side,
            size: self.parameters.order_size(),
            kind: OrderKind::Marketable { max_slippage },
            purpose: Purpose::Open,
            tag: 0,
            reason,
            message,
        }
    }

    const fn hold_reason(&self, zones: Zones) -> &'static str {
        match (self.memory.high, self.memory.low) {
            (Some(_), _) => WAITING_FOR_FALL,
            (None, Some(_)) => WAITING_FOR_RISE,
            (None, None) if zones.sell => SELL_BLOCKED,
            (None, None) => BUY_BLOCKED,
        }
    }

    fn decide(&mut self, price: Price, view: View) -> Choice {
        let zones = self.zones(price);
        if !zones.sell && !zones.buy {
            (self.memory.high, self.memory.low) = (None, None);
            return Choice::Hold(if view.order_open { ORDER_OPEN } else { BETWEEN_BANDS });
        }
        self.track(price, zones, view);
        if view.order_open {
            return Choice::Hold(ORDER_OPEN);
        }
        match self.turned(price) {
            Some(_) if self.within_interval(view.now) => Choice::Hold(TRADE_INTERVAL),
            Some((Side::Buy, _)) if !self.parameters.range.as_ref().is_none_or(|range| range.holds(price)) => {
                Choice::Hold(OUTSIDE_RANGE)
            }
            Some((side, extreme)) => Choice::Trade(side, extreme),
            None => Choice::Hold(self.hold_reason(zones)),
        }
    }

    fn band(&self, factor: Ratio) -> Option<Price> {
        self.memory.base.and_then(|base| base.scaled(factor).ok())
    }

    fn band_text(&self, factor: Ratio) -> String {
        self.band(factor).map_or_else(|| "the first band".to_owned(), |band| band.to_string())
    }
}

impl Strategy for Grid {
    fn needs(&self) -> Needs {
        self.parameters.adaptive.as_ref().map_or_else(Needs::default, |_| AdaptiveParameters::needs())
    }

    fn on_bar(&mut self, _bar: &Bar, of: BarsOf, context: &mut Context<'_>) {
        if of == BARS {
            self.adapt(context.bars(of));
        }
    }

    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        let view = View { now: context.now(), risk: context.permissions(), order_open: context.has_open_orders() };
        match self.decide(tick.price, view) {
            Choice::Hold(reason) => context.hold(reason),
            // What was denied has been told; the extreme stays, so the next tick may try again.
            Choice::Trade(side, extreme) => {
                let _sent = context.place(self.intent(side, extreme, context.instrument().tick_size));
            }
        }
    }

    fn on_order(&mut self, event: &OrderEvent, _context: &mut Context<'_>) {
        match event.news {
            OrderNews::Filled(_) => self.memory.last_fill = self.memory.last_fill.max(Some(event.time)),
            OrderNews::Closed(Outcome::Traded { average, .. }) => {
                self.memory = Memory { base: Some(average), high: None, low: None, ..self.memory.clone() };
                self.bounds = Bounds::default();
            }
            // A failed order keeps the extreme: the chance stands while the price stays in the zone.
            OrderNews::Accepted | OrderNews::Closed(Outcome::Nothing { .. }) => {}
        }
    }

    fn on_gap(&mut self, _instrument: InstrumentIndex) {
        (self.memory.high, self.memory.low) = (None, None);
    }

    fn explain(&self, reason: &str) -> String {
        let extreme = |price: Option<Price>| price.map_or_else(String::new, |price| price.to_string());
        let bound = |extreme: Option<Price>, factor| {
            extreme.and_then(|price| price.scaled(factor).ok()).map_or_else(String::new, |price| price.to_string())
        };
        let (upper, lower) = (self.band_text(self.size.above), self.band_text(self.size.below));
        match reason {
            WAITING_FOR_FALL => {
                let (high, at) = (extreme(self.memory.high), bound(self.memory.high, self.size.fallen));
                format!("High {high}: sells at {at} or below, while at or above {upper}.")
            }
            WAITING_FOR_RISE => {
                let (low, at) = (extreme(self.memory.low), bound(self.memory.low, self.size.risen));
                format!("Low {low}: buys at {at} or above, while at or below {lower}.")
            }
            TRADE_INTERVAL => {
                format!("Waits {} s after its last fill.", self.parameters.min_trade_interval_seconds)
            }
            ORDER_OPEN => "Waits for its order to be over.".to_owned(),
            SELL_BLOCKED => format!("Above {upper}, but its position limit allows no sell."),
            OUTSIDE_RANGE => self.parameters.range.as_ref().map_or_else(String::new, |range| {
                format!("Turned up, but buys only from {} to {}.", range.lower_price, range.upper_price)
            }),
            BUY_BLOCKED => format!("Below {lower}, but its position limit allows no buy."),
            BETWEEN_BANDS => format!("Sells after a turn above {upper}, buys after a turn below {lower}."),
            _ => String::new(),
        }
    }

    fn warnings(&self, first: &Tick, fees: &Fees) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let (grid, gain) = if let Some(AdaptiveParameters { min_percent: least, .. }) = &self.parameters.adaptive {
            (*least, format!("may gain no more than {least} %: raise adaptive.minPercent."))
        } else {
            let size = self.parameters.grid_size();
            (size, format!("gains {size} % at most: raise gridSizePercent."))
        };
        let round_trip = fees.taker().percent().saturating_add(fees.taker().percent());
        let far = self.parameters.grid_size().get().saturating_mul(rust_decimal::Decimal::from(FAR_IN_GRIDS));
        if grid.get() <= round_trip {
            warnings.push(Warning {
                kind: AlertKind::GridBelowFees,
                message: format!("A round trip costs {round_trip} % in fees and {gain}"),
                current_value: grid.to_string(),
                threshold: round_trip.to_string(),
            });
        }
        // A base that trades have moved is no parameter any more: wherever the market goes, nothing is to be corrected.
        let configured = self.parameters.base_price.map(ExactDecimal::get);
        if let Some(base) = self.memory.base
            && configured == Some(base.get())
            && let Ok(distance) = base.distance_from(first.price)
            && distance.percent() > far
        {
            let percent = shown::percent(distance.percent());
            warnings.push(Warning {
                kind: AlertKind::BasePriceFar,
                message: format!(
                    "basePrice {base} lies {percent} % from the first price {}: correct it, or leave it out.",
                    first.price
                ),
                current_value: percent,
                threshold: far.to_string(),
            });
        }
        warnings
    }

    fn described(&self, instruments: &Instruments) -> String {
        let size = match self.parameters.order_size() {
            OrderSize::EquityShare(share) => format!("{} % of equity", share.percent()),
            OrderSize::Fixed(quantity) | OrderSize::Chosen(quantity, _) => {
                format!("{quantity} {}", instruments.first().symbol.base())
            }
        };
        match &self.parameters.adaptive {
            Some(AdaptiveParameters { min_percent, max_percent, .. }) => {
                format!("grid {min_percent} to {max_percent} % by volatility, {size} per order")
            }
            None => format!("grid {} %, {size} per order", self.size.percent),
        }
    }

    fn start_line(&self, first: Price, instruments: &Instruments) -> Option<String> {
        let (base, tick_size) = (self.memory.base.unwrap_or(first), instruments.first().tick_size);
        let band = |factor: Ratio| base.scaled(factor).ok().map(Price::get);
        let bands = [band(self.size.above)?, band(self.size.below)?];
        let [upper, lower] = shown::thresholds(bands, base, tick_size);
        let base = base.shown_in(tick_size);
        Some(format!("start {base}: sells after a turn above {upper}, buys after a turn below {lower}"))
    }

    fn outlook(&self, price: Price, instruments: &Instruments) -> Option<String> {
        let bands = [self.band(self.size.above)?.get(), self.band(self.size.below)?.get()];
        let [upper, lower] = shown::thresholds(bands, price, instruments.first().tick_size);
        Some(format!("would sell above {upper}, buy below {lower}"))
    }

    fn max_slippage(&self) -> Option<Ratio> {
        Some(Ratio::from_percent(self.parameters.max_slippage_percent))
    }

    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(&self.memory)
    }

    fn figures(&self) -> Figures {
        let mut figures = self.outcome();
        let bands = [("upperBand", self.band(self.size.above)), ("lowerBand", self.band(self.size.below))];
        figures.extend(bands.into_iter().filter_map(|(name, band)| Some((name.to_owned(), band?.to_string()))));
        figures.insert("gridSizePercent".to_owned(), self.size.percent.to_string());
        figures.extend(self.memory.sigma.map(|sigma| ("sigma".to_owned(), sigma.to_string())));
        figures
    }

    fn outcome(&self) -> Figures {
        let base = self.memory.base.map(|base| ("basePrice".to_owned(), base.to_string()));
        // Without `adaptive` it follows from the parameters.
        let size =
            self.parameters.adaptive.as_ref().map(|_| ("gridSizePercent".to_owned(), self.size.percent.to_string()));
        base.into_iter().chain(size).collect()
    }
}

//! From a signal to an order: sizing, then each check in turn; the first that fails is the denial.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::client_order_id::{ClientOrderId, LedgerId};
use crate::instrument::{Asset, Instrument};
use crate::messages::{CommandKind, NewOrder, OrderCommand, OrderType, Side, Tick, TimeInForce};
use crate::numbers::{Notional, NumberError, Price, Quantity, Ratio};
use crate::orders::{Funds, Terms};
use crate::report::LatchedLimit;
use crate::strategies::{DesiredState, Intent, OrderKind, OrderSize, Purpose};
use crate::time::Timestamp;

use super::{Approved, Limit, OrderRate, RiskParameters, RiskState, Stops};

/// Why an order was not sent, as a stable word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Denial {
    /// Nothing more is traded: the strategy is halted.
    Halted,
    /// Paused on request.
    Paused,
    /// Stopped on request.
    Stopped,
    /// Nothing is left of the equity, and the order would not reduce.
    ReduceOnly,
    /// The position limits do not allow this side now.
    PositionLimit,
    /// The tick is too old to act on.
    StaleTick,
    /// Nobody is on the other side: the source quotes it as empty.
    NoQuote,
    /// The best price lies too far from the tick's price.
    SlippageTooHigh,
    /// The size is less than one lot.
    BelowLotSize,
    /// The worth is less than the venue's minimum.
    BelowMinNotional,
    /// The worth is more than `maxOrderNotional`.
    MaxOrderNotional,
    /// Not enough cash for amount and fee, or not enough coins.
    InsufficientFunds,
    /// More orders than `maxOrdersPerMinute`.
    OrderRateExceeded,
    /// A figure cannot be exact in 28 digits.
    TooManyDigits,
    /// The price is below one tick.
    BelowTickSize,
    /// The order to be replaced is closed.
    NothingToReplace,
    /// More than 256 actions at once.
    TooManyActions,
    /// Orders of one tick have made news on it too often.
    TooManyRounds,
    /// Bars are missing that the strategy looks back on.
    WarmingUp,
    /// A limit was breached, and is not released.
    LimitReached,
    /// Coins and open buys would be worth more than `maxExposure`.
    MaxExposure,
    /// The price lies too far from the last tick's.
    PriceCollar,
    /// The venue has rejected too many orders a moment ago.
    Cooldown,
}

impl Denial {
    /// Every denial, in the order of the document about them.
    pub const ALL: [Self; 23] = [
        Self::Halted,
        Self::Paused,
        Self::Stopped,
        Self::ReduceOnly,
        Self::PositionLimit,
        Self::StaleTick,
        Self::NoQuote,
        Self::SlippageTooHigh,
        Self::BelowLotSize,
        Self::BelowMinNotional,
        Self::MaxOrderNotional,
        Self::InsufficientFunds,
        Self::OrderRateExceeded,
        Self::TooManyDigits,
        Self::BelowTickSize,
        Self::NothingToReplace,
        Self::TooManyActions,
        Self::TooManyRounds,
        Self::WarmingUp,
        Self::LimitReached,
        Self::MaxExposure,
        Self::PriceCollar,
        Self::Cooldown,
    ];

    /// The word itself.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Halted => "Halted",
            Self::Paused => "Paused",
            Self::Stopped => "Stopped",
            Self::ReduceOnly => "ReduceOnly",
            Self::PositionLimit => "PositionLimit",
            Self::StaleTick => "StaleTick",
            Self::NoQuote => "NoQuote",
            Self::SlippageTooHigh => "SlippageTooHigh",
            Self::BelowLotSize => "BelowLotSize",
            Self::BelowMinNotional => "BelowMinNotional",
            Self::MaxOrderNotional => "MaxOrderNotional",
            Self::InsufficientFunds => "InsufficientFunds",
            Self::OrderRateExceeded => "OrderRateExceeded",
            Self::TooManyDigits => "TooManyDigits",
            Self::BelowTickSize => "BelowTickSize",
            Self::NothingToReplace => "NothingToReplace",
            Self::TooManyActions => "TooManyActions",
            Self::TooManyRounds => "TooManyRounds",
            Self::WarmingUp => "WarmingUp",
            Self::LimitReached => "LimitReached",
            Self::MaxExposure => "MaxExposure",
            Self::PriceCollar => "PriceCollar",
            Self::Cooldown => "Cooldown",
        }
    }

    /// Whether it speaks of all that a strategy does at once, not of one order.
    pub(crate) const fn is_of_callback(self) -> bool {
        matches!(self, Self::TooManyActions | Self::TooManyRounds | Self::WarmingUp)
    }
}

/// A denial with its figures in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which check failed.
    pub denial: Denial,
    /// The figures.
    pub message: String,
}

impl Refusal {
    pub(crate) const fn new(denial: Denial, message: String) -> Self {
        Self { denial, message }
    }
}

impl From<NumberError> for Refusal {
    fn from(error: NumberError) -> Self {
        Self::new(Denial::TooManyDigits, error.to_string())
    }
}

/// All that a check may look at.
#[derive(Debug)]
pub struct OrderCheck<'a> {
    /// The strategy's name.
    pub strategy: &'a str,
    /// Its ledger's id.
    pub ledger_id: &'a LedgerId,
    /// The sequence of the order to be made.
    pub sequence: u64,
    /// The market.
    pub instrument: &'a Instrument,
    /// What the account's venue takes.
    pub terms: &'a Terms,
    /// What is held and not reserved for another order.
    pub available: Funds,
    /// The strategy's limits.
    pub risk: &'a RiskParameters,
    /// Which sides are allowed now.
    pub state: RiskState,
    /// Where a human wants the strategy to be.
    pub desired: DesiredState,
    /// What is latched, and for how long nothing is opened after rejections.
    pub(crate) stops: &'a Stops,
    /// Where that is bounded: what coins and open buys are worth without this order.
    pub exposure: Option<Result<Notional, NumberError>>,
    /// What is held of the market's two assets, reserved or not.
    pub held: Funds,
    /// What all of the strategy is worth at the last prices.
    pub equity: Result<Notional, NumberError>,
    /// The tick that caused it.
    pub cause: &'a Tick,
    /// The last tick of the market: the same, or one of another market caused it.
    pub tick: &'a Tick,
    /// Event time.
    pub now: Timestamp,
    /// Whether it counts towards the order rates.
    pub counts: bool,
}

impl OrderCheck<'_> {
    /// How long after its making a command may still be sent.
    const COMMAND_LIFE_MS: i64 = 30_000;

    /// Sizes the intent and lets it through, or says which check denies it. Never shrinks an order.
    pub fn approve(&self, intent: &Intent, rate: &mut OrderRate) -> Result<Approved<OrderCommand>, Refusal> {
        self.check_state(intent)?;
        let age = self.now.millis_since(self.cause.event_time());
        if age > self.risk.max_tick_age_ms() {
            return Err(Refusal::new(
                Denial::StaleTick,
                format!("the tick is {age} ms old, maxTickAgeSeconds allows {} ms", self.risk.max_tick_age_ms()),
            ));
        }
        let limit = self.limit(intent)?;
        let quantity = self.quantity(intent.size, limit)?;
        let notional = limit.times(quantity)?;
        self.check_notional(intent.size, notional)?;
        if intent.side == Side::Buy {
            self.check_exposure(intent.size, notional)?;
            self.check_collar(limit)?;
        }
        self.check_funds(intent, quantity, limit)?;
        if self.counts && !rate.allows(self.now, self.risk.max_orders_per_minute) {
            return Err(Refusal::new(
                Denial::OrderRateExceeded,
                format!(
                    "{} orders were made within 60 s, as many as maxOrdersPerMinute allows; raise it to send more",
                    self.risk.max_orders_per_minute
                ),
            ));
        }
        if self.counts {
            rate.count(self.now);
        }
        Ok(Approved::new(self.command(intent, quantity, limit)))
    }

    /// What holds for the strategy as a whole, whatever it knows of it.
    fn check_state(&self, intent: &Intent) -> Result<(), Refusal> {
        let side = intent.side;
        let refuse = |denial, message: &str| Err(Refusal::new(denial, message.to_owned()));
        match (self.state, self.desired) {
            (RiskState::Halted, _) => refuse(Denial::Halted, "trading is halted"),
            (_, DesiredState::Paused) => refuse(Denial::Paused, "paused on request"),
            (_, DesiredState::Stopped) => refuse(Denial::Stopped, "stopped on request"),
            (_, DesiredState::Running) if self.stops.exit().is_some() => refuse(Denial::Stopped, "an exit was reached"),
            (_, DesiredState::Running) if self.is_beyond_a_limit(side) => Err(self.beyond_a_limit()),
            (_, DesiredState::Running) if side == Side::Buy && self.cools_ms().is_some() => {
                let message = format!(
                    "the venue has rejected as many orders as cooldown allows; opens again in {} ms",
                    self.cools_ms().unwrap_or_default()
                );
                Err(Refusal::new(Denial::Cooldown, message))
            }
            (_, DesiredState::Running) if Self::reduces(intent) => Ok(()),
            (state, DesiredState::Running) if state.allows(side) => Ok(()),
            (RiskState::ReduceOnly, DesiredState::Running) => {
                refuse(Denial::ReduceOnly, "nothing is left of the equity, so only what reduces is sent")
            }
            (RiskState::SellOnly, DesiredState::Running) => {
                refuse(Denial::PositionLimit, "the coins are worth too much of the equity")
            }
            (RiskState::BuyOnly | RiskState::AllowAll, DesiredState::Running) => {
                refuse(Denial::PositionLimit, "the coins are worth too little of the equity")
            }
        }
    }

    /// Whether a latched limit denies orders of this side: those that open, and all while coins are sold for it.
    fn is_beyond_a_limit(&self, side: Side) -> bool {
        !self.stops.limits().is_empty() && (side == Side::Buy || self.stops.flattens())
    }

    fn beyond_a_limit(&self) -> Refusal {
        let latched: Vec<_> = self.stops.shown_limits().iter().map(LatchedLimit::text).collect();
        let is_exposure = self.stops.limits().iter().all(|(limit, _)| *limit == Limit::MaxExposure);
        let denial = if is_exposure && !self.stops.flattens() { Denial::MaxExposure } else { Denial::LimitReached };
        Refusal::new(denial, format!("{} is reached; release it to go on", latched.join(" and ")))
    }

    fn cools_ms(&self) -> Option<i64> {
        self.risk.cooldown.and_then(|_| self.stops.measures.cooling.rest_ms(self.now))
    }

    /// What coins and open buys are worth with an order of this worth.
    fn check_exposure(&self, size: OrderSize, notional: Notional) -> Result<(), Refusal> {
        let Some((exposure, most)) = self.exposure.clone().zip(self.risk.exposure_limit()) else { return Ok(()) };
        let exposure = exposure?.plus(notional)?;
        if exposure <= most {
            return Ok(());
        }
        let (quote, lower) = (self.instrument.symbol.quote(), field(size));
        let message = format!(
            "coins and open buys would be worth {exposure} {quote}, maxExposure allows {most}; raise it, or lower {lower}"
        );
        Err(Refusal::new(Denial::MaxExposure, message))
    }

    fn check_collar(&self, limit: Price) -> Result<(), Refusal> {
        let most = self.risk.price_collar_percent;
        let Some(most) = most.filter(|most| limit.is_further_than(Ratio::from_percent(*most), self.tick.price)) else {
            return Ok(());
        };
        let price = self.tick.price;
        let message =
            format!("{limit} is further from {price} than priceCollarPercent allows, {most} %; raise it to trade here");
        Err(Refusal::new(Denial::PriceCollar, message))
    }

    /// An order for all whole lots, at the best price: bound by slippage, lot, minNotional and funds alone.
    pub(crate) fn approve_flatten(&self, intent: &Intent) -> Result<Approved<OrderCommand>, Refusal> {
        let limit = self.limit(intent)?;
        let quantity = self.quantity(OrderSize::Fixed(self.available.base), limit)?;
        self.check_notional_min(intent.size, limit.times(quantity)?)?;
        let mut command = self.command(intent, quantity, limit);
        if let CommandKind::Create(order) = &mut command.kind {
            order.counts = false;
        }
        Ok(Approved::new(command))
    }

    /// Whether it only makes the position smaller. Of coins, which are held and never owed, only a sale does.
    const fn reduces(intent: &Intent) -> bool {
        matches!((intent.purpose, intent.side), (Purpose::Reduce, Side::Sell))
    }

    fn limit(&self, intent: &Intent) -> Result<Price, Refusal> {
        match intent.kind {
            OrderKind::Marketable { max_slippage } => self.marketable(intent.side, max_slippage),
            OrderKind::Limit { price, .. } => self.on_tick_size(intent.side, price),
        }
    }

    /// The price on the tick size's grid that is no worse than the one asked for.
    fn on_tick_size(&self, side: Side, price: Price) -> Result<Price, Refusal> {
        let tick_size = self.instrument.tick_size;
        let limit = match side {
            Side::Buy => price.rounded_down_to(tick_size)?.ok_or_else(|| {
                let message = format!("{price} is below one tick of {tick_size}; ask for {tick_size} or more");
                Refusal::new(Denial::BelowTickSize, message)
            })?,
            Side::Sell => price.rounded_up_to(tick_size)?,
        };
        Ok(limit.shown_in(tick_size))
    }

    /// The best ask to buy, the best bid to sell, on the tick size's grid so that it still crosses.
    fn marketable(&self, side: Side, max_slippage: Ratio) -> Result<Price, Refusal> {
        let empty = match side {
            Side::Buy => self.tick.has_no_ask().then_some("nobody sells: the quote has no ask"),
            Side::Sell => self.tick.has_no_bid().then_some("nobody buys: the quote has no bid"),
        };
        if let Some(why) = empty {
            return Err(Refusal::new(Denial::NoQuote, why.to_owned()));
        }
        let best = match side {
            Side::Buy => self.tick.best_ask(),
            Side::Sell => self.tick.best_bid(),
        };
        if best.is_further_than(max_slippage, self.tick.price) {
            let (most, price) = (max_slippage.percent(), self.tick.price);
            let message = format!(
                "{best} is further from {price} than maxSlippagePercent allows, {most} %; raise it to trade here"
            );
            return Err(Refusal::new(Denial::SlippageTooHigh, message));
        }
        let tick_size = self.instrument.tick_size;
        let limit = match side {
            Side::Buy => best.rounded_up_to(tick_size)?,
            Side::Sell => best.rounded_down_to(tick_size)?.unwrap_or(tick_size),
        };
        Ok(limit.shown_in(tick_size))
    }

    fn quantity(&self, size: OrderSize, limit: Price) -> Result<Quantity, Refusal> {
        let lot = self.instrument.lot_size;
        let quantity = match size {
            OrderSize::EquityShare(share) => Quantity::bought_for(self.equity.clone()?, share, limit, lot)?,
            OrderSize::Fixed(quantity) | OrderSize::Chosen(quantity, _) => quantity.floored_to(lot)?,
        };
        if quantity.is_zero() {
            let message = format!("the order is less than one lot of {lot}; raise {}", raised(size));
            return Err(Refusal::new(Denial::BelowLotSize, message));
        }
        Ok(quantity)
    }

    fn check_notional_min(&self, size: OrderSize, notional: Notional) -> Result<(), Refusal> {
        let quote = self.instrument.symbol.quote();
        let min = self.instrument.min_notional;
        if notional < min {
            let message =
                format!("the order is worth {notional} {quote}, minNotional is {min}; raise {}", raised(size));
            return Err(Refusal::new(Denial::BelowMinNotional, message));
        }
        Ok(())
    }

    fn check_notional(&self, size: OrderSize, notional: Notional) -> Result<(), Refusal> {
        self.check_notional_min(size, notional)?;
        let quote = self.instrument.symbol.quote();
        match self.risk.order_notional_limit(&self.instrument.symbol) {
            Some(most) if notional > most => {
                let message = format!(
                    "the order is worth {notional} {quote}, maxOrderNotional allows {most}; raise it, or lower {}",
                    field(size)
                );
                Err(Refusal::new(Denial::MaxOrderNotional, message))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// What the order may take must be held, and not be reserved for another.
    fn check_funds(&self, intent: &Intent, quantity: Quantity, limit: Price) -> Result<(), Refusal> {
        let symbol = &self.instrument.symbol;
        let (time_in_force, _) = Self::terms_of(intent);
        let needed = self.terms.reserve(intent.side, time_in_force, quantity, limit)?;
        let (available, lower) = (self.available, field(intent.size));
        let short = |needed: &dyn Display, has: &dyn Display, held: &dyn Display, asset: &Asset, reserves: bool| {
            let of = if reserves { format!(" free of {held}") } else { String::new() };
            let message = format!("needs {needed} {asset}, has {has}{of}; lower {lower}");
            Err(Refusal::new(Denial::InsufficientFunds, message))
        };
        let (base, quote) = (self.held.base, self.held.quote);
        match intent.side {
            Side::Buy if needed.quote > available.quote => {
                short(&needed.quote, &available.quote, &quote, symbol.quote(), available.quote != quote)
            }
            Side::Sell if needed.base > available.base => {
                short(&needed.base, &available.base, &base, symbol.base(), available.base != base)
            }
            Side::Buy | Side::Sell => Ok(()),
        }
    }

    /// How long it stands, and whether it may only wait in the book.
    const fn terms_of(intent: &Intent) -> (TimeInForce, bool) {
        match intent.kind {
            OrderKind::Marketable { .. } => (TimeInForce::ImmediateOrCancel, false),
            OrderKind::Limit { time_in_force, post_only, .. } => (time_in_force, post_only),
        }
    }

    /// Every order has a worst price: nothing here can make one without.
    fn command(&self, intent: &Intent, quantity: Quantity, limit: Price) -> OrderCommand {
        let (time_in_force, post_only) = Self::terms_of(intent);
        let id = ClientOrderId::new(self.ledger_id.clone(), self.sequence);
        let order = NewOrder {
            side: intent.side,
            order_type: OrderType::Limit,
            time_in_force,
            post_only,
            quantity,
            lot_size: Some(self.instrument.lot_size),
            price: Some(limit),
            reduce_only: matches!(intent.purpose, Purpose::Reduce),
            counts: self.counts,
        };
        let kind = CommandKind::Create(order);
        OrderCommand {
            expires_at: self.now.plus_millis(Self::COMMAND_LIFE_MS),
            ..OrderCommand::new(self.strategy, id, kind, self.instrument.symbol.clone(), self.now)
        }
    }
}

/// The parameter that says how large an order is.
const fn field(size: OrderSize) -> &'static str {
    match size {
        OrderSize::EquityShare(_) => "orderPercent",
        OrderSize::Fixed(_) => "quantity",
        OrderSize::Chosen(_, parameter) => parameter,
    }
}

/// What makes an order larger.
const fn raised(size: OrderSize) -> &'static str {
    match size {
        OrderSize::EquityShare(_) => "orderPercent or the capital",
        OrderSize::Fixed(_) => "quantity",
        OrderSize::Chosen(_, parameter) => parameter,
    }
}

//! From a signal to an order: sizing, then each check in turn; the first that fails is the denial.

use serde::{Deserialize, Serialize};

use crate::client_order_id::{ClientOrderId, LedgerId};
use crate::fees::{Fees, PaidIn};
use crate::instrument::Instrument;
use crate::ledger::Ledger;
use crate::messages::{CommandKind, NewOrder, OrderCommand, OrderType, Side, Tick, TimeInForce};
use crate::numbers::{Notional, NumberError, Price, Quantity, Ratio};
use crate::strategy::{DesiredState, OrderSize};
use crate::time::Timestamp;

use super::{Approved, OrderRate, RiskParameters, RiskState};

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
}

impl Denial {
    /// Every denial, in the order of the document about them.
    pub const ALL: [Self; 14] = [
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
        }
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
    fn new(denial: Denial, message: String) -> Self {
        Self { denial, message }
    }
}

impl From<NumberError> for Refusal {
    fn from(error: NumberError) -> Self {
        Self::new(Denial::TooManyDigits, error.to_string())
    }
}

/// What a strategy asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderRequest {
    /// Buy or Sell.
    pub side: Side,
    /// How large.
    pub size: OrderSize,
    /// How far the limit may lie from the tick's price.
    pub max_slippage: Ratio,
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
    /// The account's fees.
    pub fees: &'a Fees,
    /// The strategy's limits.
    pub risk: &'a RiskParameters,
    /// Which sides are allowed now.
    pub state: RiskState,
    /// Where a human wants the strategy to be.
    pub desired: DesiredState,
    /// The strategy's books.
    pub ledger: &'a Ledger,
    /// The tick that caused the request.
    pub tick: &'a Tick,
    /// Event time.
    pub now: Timestamp,
}

impl OrderCheck<'_> {
    /// How long after its making a command may still be sent.
    const COMMAND_LIFE_MS: i64 = 30_000;

    /// Sizes the request and lets it through, or says which check denies it. Never shrinks an order.
    pub fn approve(&self, request: &OrderRequest, rate: &mut OrderRate) -> Result<Approved<OrderCommand>, Refusal> {
        self.check_state(request.side)?;
        let age = self.now.millis_since(self.tick.event_time());
        if age > self.risk.max_tick_age_ms() {
            return Err(Refusal::new(
                Denial::StaleTick,
                format!("the tick is {age} ms old, maxTickAgeSeconds allows {} ms", self.risk.max_tick_age_ms()),
            ));
        }
        let limit = self.limit(request)?;
        let quantity = self.quantity(request.size, limit)?;
        let notional = limit.times(quantity)?;
        self.check_notional(request.size, notional)?;
        self.check_funds(request, quantity, notional)?;
        if !rate.allows(self.now, self.risk.max_orders_per_minute) {
            return Err(Refusal::new(
                Denial::OrderRateExceeded,
                format!(
                    "{} orders were made within 60 s, as many as maxOrdersPerMinute allows; raise it to send more",
                    self.risk.max_orders_per_minute
                ),
            ));
        }
        rate.count(self.now);
        Ok(Approved::new(self.command(request.side, quantity, limit)))
    }

    /// What holds for the strategy as a whole, whatever it knows of it.
    fn check_state(&self, side: Side) -> Result<(), Refusal> {
        let refuse = |denial, message: &str| Err(Refusal::new(denial, message.to_owned()));
        match (self.state, self.desired) {
            (RiskState::Halted, _) => refuse(Denial::Halted, "trading is halted"),
            (_, DesiredState::Paused) => refuse(Denial::Paused, "paused on request"),
            (_, DesiredState::Stopped) => refuse(Denial::Stopped, "stopped on request"),
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

    /// The best ask to buy, the best bid to sell, on the tick size's grid so that it still crosses.
    fn limit(&self, request: &OrderRequest) -> Result<Price, Refusal> {
        let empty = match request.side {
            Side::Buy => self.tick.has_no_ask().then_some("nobody sells: the quote has no ask"),
            Side::Sell => self.tick.has_no_bid().then_some("nobody buys: the quote has no bid"),
        };
        if let Some(why) = empty {
            return Err(Refusal::new(Denial::NoQuote, why.to_owned()));
        }
        let best = match request.side {
            Side::Buy => self.tick.best_ask(),
            Side::Sell => self.tick.best_bid(),
        };
        if best.is_further_than(request.max_slippage, self.tick.price) {
            let (most, price) = (request.max_slippage.percent(), self.tick.price);
            let message = format!(
                "{best} is further from {price} than maxSlippagePercent allows, {most} %; raise it to trade here"
            );
            return Err(Refusal::new(Denial::SlippageTooHigh, message));
        }
        let tick_size = self.instrument.tick_size;
        let limit = match request.side {
            Side::Buy => best.rounded_up_to(tick_size)?,
            Side::Sell => best.rounded_down_to(tick_size)?.unwrap_or(tick_size),
        };
        Ok(limit.shown_in(tick_size))
    }

    fn quantity(&self, size: OrderSize, limit: Price) -> Result<Quantity, Refusal> {
        let lot = self.instrument.lot_size;
        let quantity = match size {
            OrderSize::EquityShare(share) => {
                Quantity::bought_for(self.ledger.equity_at(self.tick.price)?, share, limit, lot)?
            }
            OrderSize::Fixed(quantity) => quantity.floored_to(lot)?,
        };
        if quantity.is_zero() {
            let message = format!("the order is less than one lot of {lot}; raise {}", raised(size));
            return Err(Refusal::new(Denial::BelowLotSize, message));
        }
        Ok(quantity)
    }

    fn check_notional(&self, size: OrderSize, notional: Notional) -> Result<(), Refusal> {
        let quote = self.instrument.symbol.quote();
        let least = self.instrument.min_notional;
        if notional < least {
            let message =
                format!("the order is worth {notional} {quote}, minNotional is {least}; raise {}", raised(size));
            return Err(Refusal::new(Denial::BelowMinNotional, message));
        }
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

    fn check_funds(&self, request: &OrderRequest, quantity: Quantity, notional: Notional) -> Result<(), Refusal> {
        let symbol = &self.instrument.symbol;
        let lower = field(request.size);
        match request.side {
            Side::Buy => {
                let needed = match self.fees.paid_in {
                    PaidIn::Quote => notional.plus(notional.share(self.fees.taker())?)?,
                    PaidIn::Received => notional,
                };
                if needed > self.ledger.quote() {
                    let message =
                        format!("needs {needed} {}, has {}; lower {lower}", symbol.quote(), self.ledger.quote());
                    return Err(Refusal::new(Denial::InsufficientFunds, message));
                }
            }
            Side::Sell => {
                if quantity > self.ledger.base() {
                    let message =
                        format!("needs {quantity} {}, has {}; lower {lower}", symbol.base(), self.ledger.base());
                    return Err(Refusal::new(Denial::InsufficientFunds, message));
                }
            }
        }
        Ok(())
    }

    /// Every order has a worst price: nothing here can make one without.
    fn command(&self, side: Side, quantity: Quantity, limit: Price) -> OrderCommand {
        OrderCommand {
            client_order_id: ClientOrderId::new(self.ledger_id.clone(), self.sequence),
            strategy: self.strategy.to_owned(),
            ledger: self.ledger_id.clone(),
            sequence: self.sequence,
            kind: CommandKind::Create(NewOrder {
                side,
                order_type: OrderType::Limit,
                time_in_force: TimeInForce::ImmediateOrCancel,
                post_only: false,
                quantity,
                lot_size: Some(self.instrument.lot_size),
                price: Some(limit),
                reduce_only: false,
                counts: true,
            }),
            symbol: self.instrument.symbol.clone(),
            tick: None,
            time: self.now,
            expires_at: self.now.plus_millis(Self::COMMAND_LIFE_MS),
        }
    }
}

/// The parameter that says how large an order is.
const fn field(size: OrderSize) -> &'static str {
    match size {
        OrderSize::EquityShare(_) => "orderPercent",
        OrderSize::Fixed(_) => "quantity",
    }
}

/// What makes an order larger.
const fn raised(size: OrderSize) -> &'static str {
    match size {
        OrderSize::EquityShare(_) => "orderPercent or the capital",
        OrderSize::Fixed(_) => "quantity",
    }
}

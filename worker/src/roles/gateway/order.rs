//! One order at the gateway: what was asked, what the venue said, what was told on. Pure.

use engine::instrument::Asset;
use engine::messages::{Fill, Liquidity, OrderCommand, OrderStatus, OrderUpdate, Side};
use engine::numbers::{Notional, Price, Quantity};
use engine::orders::{Known, OrderState, TradeIds};
use engine::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use venue::{VenueReport, VenueTrade};

/// Where a request to the venue stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "at")]
pub(super) enum Stage {
    /// Committed, being sent with this stamp; after a restart nobody knows whether it arrived.
    #[serde(rename_all = "camelCase")]
    Sending {
        /// When it was stamped; it is never stamped again.
        signed_at: Timestamp,
    },
    /// No answer, or one that only acknowledges: asked for until the venue tells, or until it certainly never arrived.
    #[serde(rename_all = "camelCase")]
    Unknown {
        /// The stamp of the request.
        signed_at: Timestamp,
        /// When a full look-up first did not find it, since it could no longer arrive.
        absent_since: Option<Timestamp>,
    },
    /// The venue has it.
    Live,
    /// The venue is done with it and all its trades are booked.
    #[serde(rename = "over")]
    Closed,
}

/// What the venue's lists say of an order that its reports do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Listed {
    /// Nothing.
    #[default]
    Nothing,
    /// It was open, and is not among those that are.
    NotOpen,
    /// It was not there, but nothing bounds when it may arrive.
    NotThere,
    /// It was never there, as was said twice: it may be sent again.
    Never,
}

/// An order and its trades. Kept some time after its end, so that what is told again is known again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GatewayOrder {
    /// What was asked.
    pub command: OrderCommand,
    /// Where the request stands.
    pub stage: Stage,
    /// The last status told on.
    pub status: OrderStatus,
    /// The last reason told on.
    pub reason: String,
    /// What the venue says has traded in all.
    pub cumulative: Quantity,
    /// What the venue says was kept from trading with another order of the account.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub prevented: Quantity,
    /// What was told on.
    pub filled: Quantity,
    /// Ids of the trades told on.
    #[serde(deserialize_with = "trade_ids")]
    pub trades: TradeIds,
    /// The newest trades, as they were told on: a strategy that lost the news of one is told again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<ToldTrade>,
    /// The venue's id of the order; empty before its first trade.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub venue_order_id: String,
    /// The time of the last news of the venue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<Timestamp>,
    /// Sequence of the last tick it was matched against, on a simulated venue.
    pub matched: Option<u64>,
    /// A cancel was asked for: it is never sent again, and once the venue shows it, it is cancelled there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancel: bool,
    /// The venue was asked once more some time after the end: totals and trades can come later than an end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
    /// The venue has said that an order of this id is there: it is never sent again, nor taken for one that never was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exists: bool,
    /// When the venue was last asked about it. Not stored: a restart asks at once.
    #[serde(skip)]
    pub asked: Option<Timestamp>,
    /// Nothing is asked about it before: an answer or a report is on its way. Not stored either.
    #[serde(skip)]
    pub quiet_until: Option<Timestamp>,
    /// What the venue's lists say of it. Not stored either.
    #[serde(skip)]
    pub listed: Listed,
}

fn is_zero(quantity: &Quantity) -> bool {
    quantity.is_zero()
}

/// The release before wrote a list of all ids; they take their turn with the next trade.
fn trade_ids<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TradeIds, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Saved {
        List(Vec<String>),
        Ids(TradeIds),
    }
    Ok(match Saved::deserialize(deserializer)? {
        Saved::List(ids) => TradeIds::of_list("", ids),
        Saved::Ids(ids) => ids,
    })
}

/// The reason of an order whose rest would have traded with another one of its account.
const SELF_TRADE_PREVENTED: &str = "SelfTradePrevented";

/// What is told on: each is an inbox entry, and an `order.fill` where it has a fill.
pub(crate) type News = Vec<OrderUpdate>;

impl GatewayOrder {
    /// A command just accepted.
    pub fn new(command: OrderCommand, signed_at: Timestamp) -> Self {
        Self {
            command,
            stage: Stage::Sending { signed_at },
            status: OrderStatus::Sent,
            reason: String::new(),
            cumulative: Quantity::ZERO,
            prevented: Quantity::ZERO,
            filled: Quantity::ZERO,
            trades: TradeIds::default(),
            told: Vec::new(),
            venue_order_id: String::new(),
            told_at: None,
            matched: None,
            cancel: false,
            settled: false,
            exists: false,
            asked: Some(signed_at),
            quiet_until: None,
            listed: Listed::Nothing,
        }
    }

    /// Whether nothing more is expected of it.
    pub fn is_closed(&self) -> bool {
        self.stage == Stage::Closed
    }

    /// Whether the venue has told of it and was not asked again since its end.
    pub fn is_unsettled(&self) -> bool {
        self.told_at.is_some() && !self.settled
    }

    /// The side of the order; `None` for a cancel, which is never kept.
    pub fn side(&self) -> Option<Side> {
        self.command.kind.order().map(|order| order.side)
    }

    /// The news of a report: one update for each trade not told yet, or one for a new status.
    ///
    /// Reports overtake each other and are told twice: an end is never left, older news changes nothing, and
    /// a trade counts once, also within one report.
    pub fn hear(&mut self, report: &VenueReport) -> News {
        let before = (self.status, self.matched, self.cumulative);
        self.listed = Listed::Nothing;
        match OrderState::from(self.status).after(report.status) {
            Ok(state) if state != OrderState::from(self.status) => {
                (self.status, self.reason) = (report.status, report.reason.clone());
            }
            Ok(_) => {}
            Err(impossible) => {
                tracing::error!(order = %self.command.client_order_id, %impossible, "it stays as it was");
            }
        }
        self.matched = self.matched.max(report.matched);
        let id = self.command.client_order_id.to_string();
        let mut fills = Vec::new();
        for trade in &report.trades {
            let filled = self.filled.plus(trade.quantity).unwrap_or(self.filled);
            let told = ToldTrade::of(trade, filled, report.matched);
            let fill = self.fill(&told, &report.venue_order_id);
            let Some(fill) = fill.filter(|fill| self.is_new(&id, fill)) else { continue };
            self.trades.remember(&id, &fill);
            self.filled = filled;
            self.venue_order_id.clone_from(&report.venue_order_id);
            fills.push(Some(fill));
            self.told.push(told);
        }
        let too_many = self.told.len().saturating_sub(TOLD_MAX);
        self.told.drain(..too_many);
        self.cumulative = self.cumulative.max(report.cumulative_quantity).max(self.filled);
        self.prevented = self.prevented.max(report.prevented_quantity);
        self.end_prevented();
        let mut news = self.with_fills(fills, report.time);
        if !news.is_empty() {
            self.told_at = Some(report.time);
        }
        if news.is_empty() && before != (self.status, self.matched, self.cumulative) {
            self.told_at = Some(report.time);
            news.push(self.update(self.status, report.time));
        }
        // A cancel's answer can overtake the last trade: closed means that the trades add up.
        let closed = OrderState::from(self.status).is_final() && self.filled >= self.cumulative;
        self.stage = if closed { Stage::Closed } else { Stage::Live };
        news
    }

    /// Where something was kept from trading with another order of the account and nothing is open any more, the order has
    /// expired, also where the venue does not say so.
    fn end_prevented(&mut self) {
        let ordered = self.command.kind.order().map_or(Quantity::ZERO, |order| order.quantity);
        let gone = self.cumulative.plus(self.prevented).unwrap_or(ordered);
        if self.prevented.is_zero() || gone < ordered {
            return;
        }
        if OrderState::from(self.status).after(OrderStatus::Expired).is_ok() {
            self.status = OrderStatus::Expired;
            if self.reason.is_empty() {
                SELF_TRADE_PREVENTED.clone_into(&mut self.reason);
            }
        }
    }

    fn is_new(&self, id: &str, fill: &Fill) -> bool {
        match self.trades.knows(id, fill) {
            Known::New => true,
            Known::Booked => false,
            Known::Differs => {
                tracing::error!(
                    order = id,
                    trade = fill.trade_id,
                    "a trade was told with two contents; the first is booked"
                );
                false
            }
        }
    }

    /// The order ends without the venue ever having had it. What the venue has told of outweighs a refusal,
    /// which then is that of a request that came twice.
    pub fn end_unsent(&mut self, status: OrderStatus, reason: &str, time: Timestamp) -> News {
        match self.stage {
            Stage::Sending { .. } | Stage::Unknown { .. } => {
                (self.stage, self.status, self.reason) = (Stage::Closed, status, reason.to_owned());
                vec![self.update(status, time)]
            }
            Stage::Live | Stage::Closed => News::new(),
        }
    }

    /// It is on its way to a simulated exchange, as of the tick that caused it.
    pub fn sent(&mut self, tick: u64, time: Timestamp) -> News {
        (self.matched, self.told_at) = (Some(tick), Some(time));
        vec![self.update(OrderStatus::Sent, time)]
    }

    /// The venue has taken the request, which is not to have the order: a report tells of that, and nothing is asked before
    /// `until`.
    pub fn acknowledge(&mut self, until: Timestamp) {
        if let Stage::Sending { signed_at } = self.stage {
            self.stage = Stage::Unknown { signed_at, absent_since: None };
            self.quiet_until = Some(until);
        }
    }

    /// The request was acknowledged, and the venue knows nothing of the order. `None` where that is told already.
    pub fn doubt_unreported(&mut self, time: Timestamp) -> Option<News> {
        let is_untold = matches!(self.stage, Stage::Unknown { .. }) && self.status == OrderStatus::Sent;
        is_untold.then(|| {
            (self.status, self.reason) = (OrderStatus::Unknown, "NotReported".to_owned());
            vec![self.update(OrderStatus::Unknown, time)]
        })
    }

    /// Nobody knows whether the venue has it; nothing new where the venue has told of it already.
    pub fn doubt(&mut self, reason: &str, time: Timestamp) -> News {
        let Stage::Sending { signed_at } = self.stage else { return News::new() };
        self.stage = Stage::Unknown { signed_at, absent_since: None };
        (self.status, self.reason) = (OrderStatus::Unknown, reason.to_owned());
        vec![self.update(OrderStatus::Unknown, time)]
    }

    /// The news again, each trade of it too, for a strategy that asks again: what it has booked it knows by the trade's
    /// id, and what it lost it books now.
    pub fn repeat(&self, time: Timestamp) -> News {
        let time = self.told_at.unwrap_or(time);
        let mut news =
            self.with_fills(self.told.iter().map(|trade| self.fill(trade, &self.venue_order_id)).collect(), time);
        if news.is_empty() {
            news.push(self.update(self.status, time));
        }
        news
    }

    /// One update for each trade; the last has the order's status.
    fn with_fills(&self, fills: Vec<Option<Fill>>, time: Timestamp) -> News {
        let count = fills.len();
        let update = |(index, fill)| {
            let status = if index + 1 == count { self.status } else { OrderStatus::PartiallyFilled };
            OrderUpdate { fill, ..self.update(status, time) }
        };
        fills.into_iter().enumerate().map(update).collect()
    }

    fn update(&self, status: OrderStatus, time: Timestamp) -> OrderUpdate {
        OrderUpdate {
            client_order_id: self.command.client_order_id.clone(),
            status,
            reason: self.reason.clone(),
            cumulative_quantity: self.cumulative,
            fill: None,
            matched: self.matched,
            time,
        }
    }

    fn fill(&self, trade: &ToldTrade, venue_order_id: &str) -> Option<Fill> {
        Some(Fill {
            strategy: self.command.strategy.clone(),
            ledger: self.command.ledger.clone(),
            client_order_id: self.command.client_order_id.clone(),
            venue_order_id: venue_order_id.to_owned(),
            trade_id: trade.id.clone(),
            symbol: self.command.symbol.clone(),
            side: self.side()?,
            quantity: trade.quantity,
            price: trade.price,
            cumulative_quantity: trade.cumulative,
            fee: trade.fee,
            fee_asset: trade.fee_asset.clone(),
            fee_quote: trade.fee_quote,
            liquidity: trade.liquidity,
            time: trade.time,
            tick_sequence: trade.tick,
            index: None,
        })
    }
}

/// Trades of one order that are kept to be told again.
const TOLD_MAX: usize = 256;

/// A trade as it was told on, without what its order says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToldTrade {
    id: String,
    quantity: Quantity,
    price: Price,
    cumulative: Quantity,
    fee: Notional,
    fee_asset: Asset,
    fee_quote: Notional,
    liquidity: Liquidity,
    time: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tick: Option<u64>,
}

impl ToldTrade {
    fn of(trade: &VenueTrade, cumulative: Quantity, tick: Option<u64>) -> Self {
        Self {
            id: trade.trade_id.clone(),
            quantity: trade.quantity,
            price: trade.price,
            cumulative,
            fee: trade.fee,
            fee_asset: trade.fee_asset.clone(),
            fee_quote: trade.fee_quote,
            liquidity: trade.liquidity,
            time: trade.time,
            tick,
        }
    }
}

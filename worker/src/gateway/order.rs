//! One order at the gateway: what was asked, what the venue said, what was told on. Pure.

use engine::messages::{CommandKind, Fill, OrderCommand, OrderStatus, OrderUpdate, Side};
use engine::numbers::Quantity;
use engine::time::Timestamp;
use serde::{Deserialize, Serialize};
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
    /// No answer: asked for until the venue tells, or until it certainly never arrived.
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
    Over,
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
    /// What was told on.
    pub filled: Quantity,
    /// Ids of the trades told on.
    pub trades: Vec<String>,
    /// Sequence of the last tick it was matched against, on a simulated venue.
    pub matched: Option<u64>,
    /// A cancel was asked for: it is never sent again, and once the venue shows it, it is cancelled there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancel: bool,
    /// When the venue was last asked about it. Not stored: a restart asks at once.
    #[serde(skip)]
    pub asked: Timestamp,
}

/// What is told on: each is an inbox entry, and an `order.fill` where it has a fill.
pub(super) type News = Vec<OrderUpdate>;

impl GatewayOrder {
    /// A command just accepted.
    pub fn new(command: OrderCommand, signed_at: Timestamp) -> Self {
        Self {
            command,
            stage: Stage::Sending { signed_at },
            status: OrderStatus::Sent,
            reason: String::new(),
            cumulative: Quantity::ZERO,
            filled: Quantity::ZERO,
            trades: Vec::new(),
            matched: None,
            cancel: false,
            asked: signed_at,
        }
    }

    /// Whether nothing more is expected of it.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// The side of the order; `None` for a cancel, which is never kept.
    pub fn side(&self) -> Option<Side> {
        match &self.command.kind {
            CommandKind::Create(order) => Some(order.side),
            CommandKind::Cancel => None,
        }
    }

    /// The news of a report: one update for each trade not told yet, or one for a new status.
    ///
    /// Reports overtake each other and are told twice: an end is never left, older news changes nothing, and
    /// a trade counts once, also within one report.
    pub fn hear(&mut self, report: &VenueReport) -> News {
        let before = (self.status, self.matched, self.cumulative);
        if rank(report.status) > rank(self.status) {
            (self.status, self.reason) = (report.status, report.reason.clone());
        }
        self.matched = self.matched.max(report.matched);
        let mut fresh = Vec::new();
        for trade in &report.trades {
            if !self.trades.contains(&trade.trade_id) {
                self.trades.push(trade.trade_id.clone());
                fresh.push(trade);
            }
        }
        let mut fills = Vec::new();
        for trade in fresh {
            self.filled = self.filled.plus(trade.quantity).unwrap_or(self.filled);
            fills.push(self.fill(report, trade));
        }
        self.cumulative = self.cumulative.max(report.cumulative_quantity).max(self.filled);
        let mut news = News::new();
        let count = fills.len();
        for (index, fill) in fills.into_iter().enumerate() {
            let status = if index + 1 == count { self.status } else { OrderStatus::PartiallyFilled };
            news.push(OrderUpdate { fill, ..self.update(status, report.time) });
        }
        if news.is_empty() && before != (self.status, self.matched, self.cumulative) {
            news.push(self.update(self.status, report.time));
        }
        // A cancel's answer can overtake the last trade: over means that the trades add up.
        let over = rank(self.status) == RANK_OF_ENDS && self.filled >= self.cumulative;
        self.stage = if over { Stage::Over } else { Stage::Live };
        news
    }

    /// The order ends without the venue ever having had it. What the venue has told of outweighs a refusal,
    /// which then is that of a request that came twice.
    pub fn end_unsent(&mut self, status: OrderStatus, reason: &str, time: Timestamp) -> News {
        match self.stage {
            Stage::Sending { .. } | Stage::Unknown { .. } => {
                (self.stage, self.status, self.reason) = (Stage::Over, status, reason.to_owned());
                vec![self.update(status, time)]
            }
            Stage::Live | Stage::Over => News::new(),
        }
    }

    /// Nobody knows whether the venue has it; nothing new where the venue has told of it already.
    pub fn doubt(&mut self, reason: &str, time: Timestamp) -> News {
        let Stage::Sending { signed_at } = self.stage else { return News::new() };
        self.stage = Stage::Unknown { signed_at, absent_since: None };
        (self.status, self.reason) = (OrderStatus::Unknown, reason.to_owned());
        vec![self.update(OrderStatus::Unknown, time)]
    }

    /// The last news again, for a strategy that asks again.
    pub fn repeat(&self, time: Timestamp) -> News {
        vec![self.update(self.status, time)]
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

    fn fill(&self, report: &VenueReport, trade: &VenueTrade) -> Option<Fill> {
        Some(Fill {
            strategy: self.command.strategy.clone(),
            ledger: self.command.ledger.clone(),
            client_order_id: self.command.client_order_id.clone(),
            venue_order_id: report.venue_order_id.clone(),
            trade_id: trade.trade_id.clone(),
            symbol: self.command.symbol.clone(),
            side: self.side()?,
            quantity: trade.quantity,
            price: trade.price,
            cumulative_quantity: self.filled,
            fee: trade.fee,
            fee_asset: trade.fee_asset.clone(),
            fee_quote: trade.fee_quote,
            liquidity: trade.liquidity,
            time: trade.time,
            tick_sequence: report.matched,
        })
    }
}

const RANK_OF_ENDS: u8 = 3;

/// How far along an order is: a report of no higher rank brings no new status.
const fn rank(status: OrderStatus) -> u8 {
    match status {
        OrderStatus::Sent | OrderStatus::Unknown => 0,
        OrderStatus::Accepted => 1,
        OrderStatus::PartiallyFilled => 2,
        OrderStatus::Filled
        | OrderStatus::Canceled
        | OrderStatus::Expired
        | OrderStatus::Rejected
        | OrderStatus::Denied => RANK_OF_ENDS,
    }
}

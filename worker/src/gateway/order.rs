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
    pub fn hear(&mut self, report: &VenueReport) -> News {
        let fresh: Vec<_> = report.trades.iter().filter(|trade| !self.trades.contains(&trade.trade_id)).collect();
        let known = self.status == report.status && self.matched == report.matched && fresh.is_empty();
        self.cumulative = self.cumulative.max(report.cumulative_quantity);
        self.matched = self.matched.max(report.matched);
        (self.status, self.reason) = (report.status, report.reason.clone());
        let mut news = News::new();
        for (index, trade) in fresh.iter().enumerate() {
            self.trades.push(trade.trade_id.clone());
            self.filled = self.filled.plus(trade.quantity).unwrap_or(self.filled);
            let last = index + 1 == fresh.len();
            let status = if last { report.status } else { OrderStatus::PartiallyFilled };
            let fill = self.fill(report, trade);
            news.push(OrderUpdate { fill, ..self.update(status, report.time) });
        }
        if news.is_empty() && !known {
            news.push(self.update(report.status, report.time));
        }
        let ended = matches!(
            report.status,
            OrderStatus::Filled
                | OrderStatus::Canceled
                | OrderStatus::Expired
                | OrderStatus::Rejected
                | OrderStatus::Denied
        );
        // A cancel's answer can overtake the last trade: over means that the trades add up.
        self.stage = if ended && self.filled >= self.cumulative { Stage::Over } else { Stage::Live };
        news
    }

    /// The order ends without the venue ever having had it.
    pub fn end_unsent(&mut self, status: OrderStatus, reason: &str, time: Timestamp) -> News {
        (self.stage, self.status, self.reason) = (Stage::Over, status, reason.to_owned());
        vec![self.update(status, time)]
    }

    /// Nobody knows whether the venue has it.
    pub fn doubt(&mut self, reason: &str, time: Timestamp) -> News {
        if let Stage::Sending { signed_at } = self.stage {
            self.stage = Stage::Unknown { signed_at, absent_since: None };
        }
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

//! Topic `risk.alert`: what a human should know.

use serde::{Deserialize, Serialize};

use crate::client_order_id::LedgerId;
use crate::time::Timestamp;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look at it.
    Warning,
    /// Act now.
    Critical,
}

/// What happened, as a stable word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AlertKind {
    /// The grid is finer than the fees of a round trip: each round trip loses.
    GridBelowFees,
    /// The base price lies far from the market: it may never trade.
    BasePriceFar,
    /// A round trip of the ladder costs more in fees than it gains somewhere.
    LadderBelowFees,
    /// Levels of the ladder have no order, because they are not covered or were denied.
    LadderShort,
    /// The price lies outside the ladder: nothing is placed until it is inside.
    LadderOutside,
    /// The base coins' share of equity crossed a limit.
    PositionLimit,
    /// Ticks are missing: what was tracked is forgotten.
    MarketDataGap,
    /// News of an order that cannot be: what traded is booked, and nothing more is traded.
    OrderAnomaly,
    /// A fill does not fit the ledger: nothing more is traded.
    LedgerBroken,
    /// The numbers of ticks do not tell the truth: nothing more is traded.
    TickAnomaly,
    /// No order id is left: nothing more is traded.
    SequenceExhausted,
    /// The account's gateway holds something else for the strategy than its ledger: nothing more is traded.
    AccountMismatch,
    /// The strategy has panicked, or its process has ended by itself: nothing more is traded.
    StrategyCrashed,
    /// The strategy's process has not answered in time: nothing more is traded.
    StrategyTimeout,
    /// The strategy's process has answered what is no answer: nothing more is traded.
    BadAction,
    /// The equity has fallen further from its peak than allowed.
    MaxDrawdown,
    /// The equity has fallen further in a day than allowed.
    MaxDailyLoss,
    /// More sales in a row have lost than allowed.
    MaxConsecutiveLosses,
    /// Coins and open buys are worth more than allowed.
    MaxExposure,
    /// An exit was reached: nothing more is sent but what it asks for.
    ExitReached,
    /// A transfer is not booked, because what it takes out is not free.
    TransferRefused,
}

impl AlertKind {
    /// Every kind, in the order of the document about them.
    pub const ALL: [Self; 21] = [
        Self::GridBelowFees,
        Self::BasePriceFar,
        Self::LadderBelowFees,
        Self::LadderShort,
        Self::LadderOutside,
        Self::PositionLimit,
        Self::MarketDataGap,
        Self::OrderAnomaly,
        Self::LedgerBroken,
        Self::TickAnomaly,
        Self::SequenceExhausted,
        Self::AccountMismatch,
        Self::StrategyCrashed,
        Self::StrategyTimeout,
        Self::BadAction,
        Self::MaxDrawdown,
        Self::MaxDailyLoss,
        Self::MaxConsecutiveLosses,
        Self::MaxExposure,
        Self::ExitReached,
        Self::TransferRefused,
    ];

    /// Those after which nothing more is traded.
    pub const HALTING: [Self; 8] = [
        Self::OrderAnomaly,
        Self::LedgerBroken,
        Self::TickAnomaly,
        Self::SequenceExhausted,
        Self::AccountMismatch,
        Self::StrategyCrashed,
        Self::StrategyTimeout,
        Self::BadAction,
    ];

    /// Those of a strategy that has failed, as a process or by a panic: it is told nothing more.
    pub const OF_FAILED: [Self; 3] = [Self::StrategyCrashed, Self::StrategyTimeout, Self::BadAction];

    /// The word itself.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GridBelowFees => "GridBelowFees",
            Self::BasePriceFar => "BasePriceFar",
            Self::LadderBelowFees => "LadderBelowFees",
            Self::LadderShort => "LadderShort",
            Self::LadderOutside => "LadderOutside",
            Self::PositionLimit => "PositionLimit",
            Self::MarketDataGap => "MarketDataGap",
            Self::OrderAnomaly => "OrderAnomaly",
            Self::LedgerBroken => "LedgerBroken",
            Self::TickAnomaly => "TickAnomaly",
            Self::SequenceExhausted => "SequenceExhausted",
            Self::AccountMismatch => "AccountMismatch",
            Self::StrategyCrashed => "StrategyCrashed",
            Self::StrategyTimeout => "StrategyTimeout",
            Self::BadAction => "BadAction",
            Self::MaxDrawdown => "MaxDrawdown",
            Self::MaxDailyLoss => "MaxDailyLoss",
            Self::MaxConsecutiveLosses => "MaxConsecutiveLosses",
            Self::MaxExposure => "MaxExposure",
            Self::ExitReached => "ExitReached",
            Self::TransferRefused => "TransferRefused",
        }
    }
}

/// One alert of one strategy, or of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RiskAlert {
    /// The strategy's name; empty where the alert is the account's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub strategy: String,
    /// The account's name, where the alert is the account's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// The strategy's ledger, or that of the account's gateway.
    pub ledger: LedgerId,
    /// What happened.
    pub kind: AlertKind,
    /// How bad it is.
    pub severity: Severity,
    /// In words, with the remedy.
    pub message: String,
    /// The figure that crossed a threshold; empty where there is none.
    pub current_value: String,
    /// The threshold; empty where there is none.
    pub threshold: String,
    /// Event time.
    pub time: Timestamp,
}

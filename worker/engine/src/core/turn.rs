//! One step of the engine: when it happens and what it wants done. Makes the documents that carry the
//! strategy's name.

use super::{Config, Effect};
use crate::instrument::InstrumentIndex;
use crate::messages::{AlertKind, OrderStatus, RiskAlert, Severity, Side, SignalSide, StrategySignal};
use crate::numbers::Ratio;
use crate::orders::Order;
use crate::report::Decision;
use crate::strategies::Warning;
use crate::time::Timestamp;

/// A step under way.
pub(super) struct Turn {
    /// Event time.
    pub now: Timestamp,
    /// What is wanted so far.
    pub effects: Vec<Effect>,
}

impl Turn {
    pub const fn new(now: Timestamp) -> Self {
        Self { now, effects: Vec::new() }
    }

    /// The signal of an order that was sent.
    pub fn signal(&mut self, config: &Config, order: &Order, decision: &Decision) {
        let side = match order.side {
            Side::Buy => SignalSide::Buy,
            Side::Sell => SignalSide::Sell,
        };
        let signal = self.told(config, order.instrument, side, decision);
        self.effects.push(Effect::Signal(StrategySignal { target_price: order.price, ..signal }));
    }

    /// The reason why there is no signal; as of the first market.
    pub fn hold(&mut self, config: &Config, decision: &Decision) {
        let signal = self.told(config, InstrumentIndex::FIRST, SignalSide::Hold, decision);
        self.effects.push(Effect::Signal(signal));
    }

    /// How an order ended of which not all has traded.
    pub fn outcome(&mut self, config: &Config, index: InstrumentIndex, outcome: OrderStatus, decision: &Decision) {
        let signal = self.told(config, index, SignalSide::Hold, decision);
        self.effects.push(Effect::Signal(StrategySignal { outcome: Some(outcome), ..signal }));
    }

    fn told(&self, config: &Config, index: InstrumentIndex, side: SignalSide, decision: &Decision) -> StrategySignal {
        StrategySignal {
            strategy: config.name.clone(),
            ledger: config.ledger.clone(),
            side,
            symbol: config.instruments.at(index).symbol.clone(),
            confidence: Ratio::ONE,
            target_price: None,
            reason: decision.reason.clone(),
            message: decision.message.clone(),
            outcome: None,
            time: self.now,
        }
    }

    /// An alert.
    pub fn alert(&mut self, config: &Config, severity: Severity, warning: Warning) {
        self.effects.push(Effect::Alert(RiskAlert {
            strategy: config.name.clone(),
            account: String::new(),
            ledger: config.ledger.clone(),
            kind: warning.kind,
            severity,
            message: warning.message,
            current_value: warning.current_value,
            threshold: warning.threshold,
            time: self.now,
        }));
    }

    /// An alert about one figure that grew past its threshold.
    pub fn alarm(&mut self, config: &Config, kind: AlertKind, message: String, count: u64) {
        let warning = Warning { kind, message, current_value: count.to_string(), threshold: "0".to_owned() };
        let severity = match kind {
            AlertKind::OrderAnomaly
            | AlertKind::LedgerBroken
            | AlertKind::TickAnomaly
            | AlertKind::SequenceExhausted
            | AlertKind::AccountMismatch
            | AlertKind::StrategyCrashed
            | AlertKind::StrategyTimeout
            | AlertKind::BadAction
            | AlertKind::MaxDrawdown
            | AlertKind::MaxDailyLoss
            | AlertKind::MaxConsecutiveLosses
            | AlertKind::MaxExposure => Severity::Critical,
            AlertKind::GridBelowFees
            | AlertKind::BasePriceFar
            | AlertKind::LadderBelowFees
            | AlertKind::LadderShort
            | AlertKind::LadderOutside
            | AlertKind::PositionLimit
            | AlertKind::ExitReached
            | AlertKind::TransferRefused
            | AlertKind::MarketDataGap => Severity::Warning,
        };
        self.alert(config, severity, warning);
    }
}

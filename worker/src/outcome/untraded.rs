//! What did not happen: orders that were not sent, or ended without a trade, and strategies that did nothing. Told at
//! the end of every run, so that nobody has to ask.

use std::collections::BTreeMap;

use engine::messages::{OrderStatus, StrategySignal};
use engine::report::{OrderCounts, Report};
use engine::time::Timestamp;

use crate::outcome::clock::Clock;

/// Kinds and reasons at most of which the first order is kept: a venue may give a reason in words of its own.
const KINDS_MAX: usize = 32;

/// What became of such an order, in the words of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    /// Denied, by the strategy's own checks or by its gateway.
    NotSent,
    /// The venue dropped it.
    Expired,
    /// The venue refused it.
    Rejected,
    /// A part of it had traded; the rest did not.
    InPart,
    /// Cancelled on request, or not over yet.
    Other,
}

impl Ending {
    pub const fn of(status: OrderStatus) -> Self {
        match status {
            OrderStatus::Denied => Self::NotSent,
            OrderStatus::Expired => Self::Expired,
            OrderStatus::Rejected => Self::Rejected,
            OrderStatus::PartiallyFilled => Self::InPart,
            OrderStatus::Canceled
            | OrderStatus::Sent
            | OrderStatus::Accepted
            | OrderStatus::Filled
            | OrderStatus::Unknown => Self::Other,
        }
    }

    /// The word on a line about one order.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotSent => "Not sent",
            Self::Expired => "Expired",
            Self::Rejected => "Rejected",
            Self::InPart => "In part",
            Self::Other => "Canceled",
        }
    }

    /// The words after a number of orders.
    const fn words(self) -> &'static str {
        match self {
            Self::NotSent => "not sent",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
            Self::InPart => "traded in part",
            Self::Other => "cancelled",
        }
    }
}

/// The reason and the message, which may hold the reason already.
pub(crate) fn why(signal: &StrategySignal) -> String {
    let StrategySignal { reason, message, .. } = signal;
    if message.contains(reason.as_str()) { message.clone() } else { format!("{reason}: {message}") }
}

/// Orders of which not all has traded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Untraded {
    /// The first order of each kind and reason: when it ended, and why.
    firsts: BTreeMap<(Ending, String), (Timestamp, String)>,
    /// Those of which a part has traded: in reports they are filled ones.
    in_part: u64,
}

impl Untraded {
    /// Takes note of one order; only the first of its kind is kept.
    pub fn note(&mut self, ending: Ending, signal: &StrategySignal) {
        self.in_part += u64::from(ending == Ending::InPart);
        if self.firsts.len() >= KINDS_MAX {
            return;
        }
        self.firsts.entry((ending, signal.reason.clone())).or_insert_with(|| (signal.time, why(signal)));
    }

    /// What a report counts, each count with a hint how to see more and with the first of its orders that were noted; and
    /// of a strategy that did nothing why.
    pub fn lines(&self, report: &Report, clock: Clock, hint: &str) -> Vec<String> {
        let OrderCounts { open, filled, denied, denied_reasons, expired, rejected, .. } = &report.orders;
        let reasons: Vec<_> = denied_reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        let mut lines = Vec::new();
        for (count, ending, reasons) in [
            (*denied, Ending::NotSent, reasons.join(", ")),
            (*expired, Ending::Expired, String::new()),
            (*rejected, Ending::Rejected, String::new()),
            (self.in_part, Ending::InPart, String::new()),
        ] {
            if count == 0 {
                continue;
            }
            let orders = orders(count);
            let reasons = if reasons.is_empty() { String::new() } else { format!(": {reasons}") };
            lines.push(format!("{orders} {}{reasons}{hint}", ending.words()));
            let first = self.firsts.iter().filter(|((kind, _), _)| *kind == ending);
            lines.extend(first.map(|(_, (time, why))| format!("  first {}  {why}", clock.write(time.millis()))));
        }
        if *open > 0 {
            lines.push(format!("{} still open at the end", orders(*open)));
        }
        let decision = &report.decision;
        // An alert is told by itself.
        let is_alert = report.summary.alert.split(", ").any(|alert| alert == decision.reason);
        if *filled == 0 && lines.is_empty() && !is_alert {
            lines.push(format!("no trade: {}: {}", decision.reason, decision.message));
        }
        lines
    }
}

fn orders(count: u64) -> String {
    if count == 1 { "1 order".to_owned() } else { format!("{count} orders") }
}

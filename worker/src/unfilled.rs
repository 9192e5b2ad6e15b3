//! Orders that did not trade, told by how and why: what did not happen is as much a result as what did.

use std::collections::BTreeMap;

use engine::messages::{SignalSide, StrategySignal};
use engine::report::OrderCounts;

/// How an order ended without a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Denied,
    Expired,
    Rejected,
}

/// The orders of one strategy that did not trade, and the first message of each reason.
#[derive(Debug, Default)]
pub struct Unfilled {
    /// Denied, expired and rejected so far.
    seen: [u64; 3],
    found: BTreeMap<End, BTreeMap<String, (u64, String)>>,
}

impl Unfilled {
    /// Takes what the strategy has told, and the counts right after it: an order that is counted is told in the same step.
    pub fn hear(&mut self, signal: &StrategySignal, counts: &OrderCounts) {
        if signal.side != SignalSide::Hold {
            return;
        }
        let now = [counts.denied, counts.expired, counts.rejected];
        for (place, end) in [End::Denied, End::Expired, End::Rejected].into_iter().enumerate() {
            if now[place] > self.seen[place] {
                let reasons = self.found.entry(end).or_default();
                let (count, _) = reasons.entry(signal.reason.clone()).or_insert_with(|| (0, signal.message.clone()));
                *count += 1;
            }
        }
        self.seen = now;
    }

    /// One line with all counts, and below it a line for each reason with its first message; none if all orders traded.
    pub fn lines(&self) -> Vec<String> {
        let counted = |(end, reasons): (&End, &BTreeMap<String, (u64, String)>)| {
            let all: u64 = reasons.values().map(|(count, _)| count).sum();
            let each: Vec<_> = reasons.iter().map(|(reason, (count, _))| format!("{reason} {count}")).collect();
            let what = match (end, all) {
                (End::Denied, 1) => "order not sent",
                (End::Denied, _) => "orders not sent",
                (End::Expired, _) => "expired",
                (End::Rejected, _) => "rejected by the venue",
            };
            format!("{all} {what}: {}", each.join(", "))
        };
        let counts: Vec<_> = self.found.iter().map(counted).collect();
        if counts.is_empty() {
            return Vec::new();
        }
        let reasons = self.found.values().flatten();
        let first = reasons.map(|(reason, (_, message))| format!("  {reason}, first: {message}"));
        [counts.join("; ")].into_iter().chain(first).collect()
    }
}

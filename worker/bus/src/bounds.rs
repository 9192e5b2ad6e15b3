//! What each stream may hold, and what an account can take by it: the one table of lengths and sizes.
//!
//! Writers take their retention, their bound and the size of a document from here; the chart's README and a test on a real
//! Redis hold the sums. May not talk to a store.

use crate::{Retention, Topic};

/// How many entries of which size a stream may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Entries at most. Of a stream for outsiders the oldest go; of one whose reader trims it, the writer waits.
    pub entries: u64,
    /// Bytes of a document at most, as JSON.
    pub bytes: u64,
}

const KIB: u64 = 1024;
/// How long a stream for outsiders keeps an entry, in milliseconds.
const AGE_MS: u64 = 24 * 3_600_000;

impl Topic {
    /// The topics that nothing of ours depends on: the oldest entries may go at any time.
    pub const FOR_OUTSIDERS: [Self; 7] = [
        Self::StrategySignal,
        Self::OrderFill,
        Self::PositionUpdate,
        Self::RiskAlert,
        Self::StateSnapshot,
        Self::Report,
        Self::DeadLetter,
    ];

    /// What the topic's stream of one account may hold, of all its strategies together.
    pub const fn bounds(self) -> Bounds {
        match self {
            // Its reader trims it; past it openings are denied.
            Self::OrderCommand => Bounds { entries: 1_000, bytes: 768 },
            Self::OrderFill => Bounds { entries: 4_000, bytes: 768 },
            Self::StrategySignal => Bounds { entries: 2_000, bytes: 768 },
            Self::PositionUpdate => Bounds { entries: 1_000, bytes: 512 },
            Self::RiskAlert => Bounds { entries: 256, bytes: 1_024 },
            // The newest of each strategy is the field of its record; these are for who follows along.
            Self::StateSnapshot => Bounds { entries: 16, bytes: 16 * KIB },
            // Nudges: they tell only that something changed.
            Self::Report => Bounds { entries: 1_000, bytes: 96 },
            Self::DeadLetter => Bounds { entries: 32, bytes: 8 * KIB },
        }
    }

    /// What an append may remove from a stream for outsiders.
    pub const fn retention(self) -> Retention {
        match self {
            Self::OrderCommand => Retention::KEEP,
            Self::StrategySignal
            | Self::OrderFill
            | Self::PositionUpdate
            | Self::RiskAlert
            | Self::StateSnapshot
            | Self::Report
            | Self::DeadLetter => Retention { max_len: Some(self.bounds().entries), max_age_ms: Some(AGE_MS) },
        }
    }

    /// How many entries stay when memory is full: fewer with each `step`, of the trades later than of the rest.
    pub fn entries_when_full(self, step: u32) -> u64 {
        const STEPS_MAX: u32 = 6;
        let halvings = match self {
            Self::OrderCommand => 0,
            Self::OrderFill => step.saturating_sub(2),
            Self::StrategySignal
            | Self::PositionUpdate
            | Self::RiskAlert
            | Self::StateSnapshot
            | Self::Report
            | Self::DeadLetter => step,
        };
        self.bounds().entries >> halvings.min(STEPS_MAX)
    }
}

impl Bounds {
    /// The ticks of one symbol that a replay's feed keeps beside those that not every reader has taken. With a latency
    /// there are more of the latter: all within twice the latency.
    pub const TICKS: Self = Self { entries: 4_000, bytes: 384 };
    /// How far a replay's feed goes ahead of its readers, whatever the latency.
    pub const TICKS_AHEAD: Self = Self { entries: 1_000, ..Self::TICKS };
    /// The closed bars of one symbol and one interval: the longest look-back.
    pub const BARS: Self = Self { entries: 1_000, bytes: 320 };
    /// News that may wait in one strategy's inbox; past it the gateway waits. Empty while the strategy's worker runs.
    pub const INBOX: Self = Self { entries: 2_000, bytes: 1_024 };

    /// Bytes of a Redis that the stream takes when it is full of the largest documents.
    pub const fn memory(self) -> u64 {
        /// A node of a stream ends at this size (`stream-node-max-bytes`); one entry of more has a node of its own.
        const NODE: u64 = 4 * KIB;
        /// What a node takes beside its entries, in the tree of nodes, as Redis estimates it.
        const NODE_EXTRA: u64 = 512;
        /// What an entry takes beside its document.
        const ENTRY_EXTRA: u64 = 32;
        /// The key, the head, the last node, and the node that a trim leaves because it is not whole.
        const STREAM_EXTRA: u64 = 2 * NODE;
        let entry = self.bytes + ENTRY_EXTRA;
        if entry > NODE / 2 {
            // The allocator rounds up by at most a quarter.
            return STREAM_EXTRA + (self.entries + 1) * (entry + entry / 4 + NODE_EXTRA);
        }
        STREAM_EXTRA + self.entries.div_ceil(NODE / entry) * (NODE + NODE_EXTRA)
    }
}

/// Bytes of a Redis that one strategy takes beside its account's streams: record, register, an inbox that is read.
pub const STRATEGY_MEMORY: u64 = 64 * KIB;
/// Bytes of a Redis that the records of an account's gateway and feed take, with the last orders that it remembers.
const RECORDS_MEMORY: u64 = 512 * KIB;
/// Bytes of a Redis that are in use before the first account: the server, its scripts, its clients.
pub const BASE_MEMORY: u64 = 4 * KIB * KIB;

/// Bytes of a Redis that an account and its strategies can take, however long they trade.
pub fn account_memory(strategies: u64) -> u64 {
    let topics: u64 = Topic::ALL.iter().map(|topic| topic.bounds().memory()).sum();
    topics + Bounds::TICKS.memory() + Bounds::TICKS_AHEAD.memory() + RECORDS_MEMORY + strategies * STRATEGY_MEMORY
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = KIB * KIB;

    #[test]
    fn the_charts_stores_hold_what_they_should() {
        let fleet = |accounts: u64| BASE_MEMORY + accounts * account_memory(10);
        assert!(fleet(10) <= 128 * MIB, "ten accounts of ten strategies in the default: {}", fleet(10));
        assert!(fleet(3) <= 48 * MIB, "three in the small one: {}", fleet(3));
    }

    #[test]
    fn outsiders_keep_what_the_contract_allows() {
        for topic in Topic::ALL {
            let retention = topic.retention();
            let for_outsiders = Topic::FOR_OUTSIDERS.contains(&topic);
            assert_eq!(for_outsiders, retention != Retention::KEEP, "{topic:?}");
            assert!(retention.max_len.is_none_or(|length| length <= 10_000), "{topic:?}");
            assert!(retention.max_age_ms.is_none_or(|age| age <= 24 * 3_600_000), "{topic:?}");
        }
    }

    #[test]
    fn full_memory_shortens_outsiders_streams_and_trades_last() {
        for topic in Topic::ALL {
            let lengths: Vec<_> = (0..12).map(|step| topic.entries_when_full(step)).collect();
            assert!(lengths.is_sorted_by(|a, b| a >= b), "{topic:?} {lengths:?}");
            assert_eq!(lengths[0], topic.bounds().entries);
        }
        assert_eq!(Topic::OrderCommand.entries_when_full(9), 1_000, "its reader alone trims it");
        assert_eq!(Topic::OrderFill.entries_when_full(2), 4_000);
        assert_eq!(Topic::OrderFill.entries_when_full(3), 2_000);
        assert_eq!(Topic::StateSnapshot.entries_when_full(9), 0);
        assert_eq!(Topic::StrategySignal.entries_when_full(9), 31);
    }
}

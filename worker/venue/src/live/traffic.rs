//! What has passed between a live source and its venue, in counts since the source was started.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::time::Timestamp;

/// Counts by a word.
pub type Counts = BTreeMap<&'static str, u64>;

/// What has passed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Messages that came: `trade`, `bookTicker`, `other` for all else that was understood, `unread`.
    pub frames: Counts,
    /// Bytes of these messages.
    pub bytes: u64,
    /// Messages and pings that went out on streams.
    pub sent: u64,
    /// Connections that ended, or never came to be, by why: each one is followed by another.
    pub reconnects: Counts,
    /// Messages that did not read, by what is wrong with them.
    pub malformed: Counts,
    /// Candles that the venue answered.
    pub candles: u64,
    /// How long ago the connection that is quiet longest was heard; `None` where none is open.
    pub frame_age: Option<Duration>,
    /// Until when nothing is asked, because the venue said so.
    pub banned_until: Option<Timestamp>,
}

impl Traffic {
    /// One more of this word.
    pub(crate) fn count(counts: &mut Counts, word: &'static str) {
        let count = counts.entry(word).or_default();
        *count = count.saturating_add(1);
    }
}

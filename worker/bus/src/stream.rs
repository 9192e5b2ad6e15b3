//! Entries of a stream and their ids. Holds no connection and does not look into a document.

use std::{
    any::Any,
    fmt,
    ops::Deref,
    str::FromStr,
    sync::{Arc, OnceLock},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The id of a stream entry: the store's clock in milliseconds UTC and a sequence within it.
///
/// Its time is the one clock for ages. Shown and serialised as `ms-seq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StreamId {
    /// Milliseconds since 1970, UTC, by the store's clock.
    pub ms: u64,
    /// Counts entries within one millisecond.
    pub seq: u64,
}

impl StreamId {
    /// Before every entry: the cursor of a reader that has read nothing.
    pub const ZERO: Self = Self { ms: 0, seq: 0 };
    /// After every entry: the open end of a range.
    pub const MAX: Self = Self { ms: u64::MAX, seq: u64::MAX };

    /// The id of these two parts.
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// The smallest id after this one; the largest id stays itself.
    #[must_use]
    pub const fn next(self) -> Self {
        match (self.seq.checked_add(1), self.ms.checked_add(1)) {
            (Some(seq), _) => Self { ms: self.ms, seq },
            (None, Some(ms)) => Self { ms, seq: 0 },
            (None, None) => Self::MAX,
        }
    }

    /// The largest id before this one; the smallest id stays itself.
    #[must_use]
    pub const fn previous(self) -> Self {
        match (self.seq.checked_sub(1), self.ms.checked_sub(1)) {
            (Some(seq), _) => Self { ms: self.ms, seq },
            (None, Some(ms)) => Self { ms, seq: u64::MAX },
            (None, None) => Self::ZERO,
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// The text is not a stream id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a stream id; it is written milliseconds-sequence, like 1700000000000-0")]
pub struct ParseStreamIdError(String);

impl FromStr for StreamId {
    type Err = ParseStreamIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('-')
            .and_then(|(ms, seq)| Some(Self::new(digits(ms)?, digits(seq)?)))
            .ok_or_else(|| ParseStreamIdError(text.chars().take(64).collect()))
    }
}

/// Digits only: `u64::from_str` alone would let a plus sign pass, and then two texts name one id.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl Serialize for StreamId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StreamId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// One entry of a stream. Clones are the same entry: who reads it copies nothing, and what one reader has decoded the
/// others have too.
#[derive(Debug, Clone)]
pub struct Entry(Arc<Stored>);

/// What all clones of an entry share.
#[derive(Debug)]
pub struct Stored {
    /// Where it stands; also when the store took it.
    pub id: StreamId,
    /// What it holds.
    pub body: Body,
    decoded: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl Entry {
    /// The entry at this place with this content.
    pub fn new(id: StreamId, body: Body) -> Self {
        Self(Arc::new(Stored { id, body, decoded: OnceLock::new() }))
    }

    /// The document that a reader has decoded before, if it was one of this kind.
    pub(crate) fn decoded<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        Arc::clone(self.decoded.get()?).downcast().ok()
    }

    /// The same, not counted.
    pub(crate) fn kept<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.decoded.get()?.downcast_ref()
    }

    /// Keeps what was decoded for those who read the same entry. The first kind stays: a stream has one.
    pub(crate) fn keep_decoded<T: Any + Send + Sync>(&self, document: &Arc<T>) {
        self.decoded.get_or_init(|| Arc::<T>::clone(document));
    }
}

impl Deref for Entry {
    type Target = Stored;

    fn deref(&self) -> &Stored {
        &self.0
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.id, &self.body) == (other.id, &other.body)
    }
}

impl Eq for Entry {}

/// What an entry holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A document as this crate writes them. Its content is not checked here.
    Document {
        /// The schema version (field `v`).
        version: u32,
        /// One JSON document (field `data`).
        data: Arc<str>,
    },
    /// An entry that is not a document: somebody else wrote it, or it is damaged.
    ///
    /// It is handed out instead of refused, because a reader that cannot see an entry cannot step
    /// over it either.
    Poison {
        /// What is wrong with it, for people.
        reason: String,
        /// The entry as text, unreadable bytes replaced, cut at [`Body::RAW_LIMIT`] bytes.
        raw: String,
    },
}

impl Body {
    /// How much of a poison entry is kept.
    pub const RAW_LIMIT: usize = 4096;

    /// A poison body; `raw` is cut at the limit.
    pub fn poison(reason: impl Into<String>, raw: &str) -> Self {
        Self::Poison { reason: reason.into(), raw: raw[..raw.floor_char_boundary(Self::RAW_LIMIT)].to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_order_by_time_then_sequence() {
        assert!(StreamId::new(9, 5) < StreamId::new(10, 0));
        assert!(StreamId::new(10, 9) < StreamId::new(10, 10));
        assert!(StreamId::ZERO < StreamId::new(0, 1));
    }

    #[test]
    fn ids_read_back_what_they_show() {
        for id in [StreamId::ZERO, StreamId::new(1_700_000_000_000, 42), StreamId::MAX] {
            assert_eq!(id.to_string().parse(), Ok(id));
            let json = serde_json::to_string(&id).unwrap();
            assert_eq!(json, format!("\"{id}\""));
            assert_eq!(serde_json::from_str::<StreamId>(&json).unwrap(), id);
        }
    }

    #[test]
    fn other_texts_are_not_ids() {
        for text in ["", "1", "1-", "-1", "1-2-3", "+1-0", "1-+0", "a-b", " 1-0", "18446744073709551616-0"] {
            assert!(text.parse::<StreamId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn next_steps_over_a_full_millisecond() {
        assert_eq!(StreamId::new(1, 2).next(), StreamId::new(1, 3));
        assert_eq!(StreamId::new(1, u64::MAX).next(), StreamId::new(2, 0));
        assert_eq!(StreamId::MAX.next(), StreamId::MAX);
        for id in [StreamId::new(1, 2), StreamId::new(2, 0)] {
            assert_eq!(id.previous().next(), id);
        }
        assert_eq!(StreamId::ZERO.previous(), StreamId::ZERO);
    }

    #[test]
    fn poison_keeps_a_bounded_part() {
        let Body::Poison { raw, .. } = Body::poison("long", &"é".repeat(5000)) else {
            panic!("not poison");
        };
        assert_eq!(raw.len(), Body::RAW_LIMIT);
    }
}

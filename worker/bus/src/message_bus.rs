//! The trait `MessageBus`: append to streams and read from a cursor. May not change a record.

use std::{future::Future, sync::Arc, time::Duration};

use crate::{BusError, Entry, StreamId, StreamKey};

/// No read waits longer; far above any use, and below what clocks and Redis can count.
pub(crate) const LONGEST_BLOCK: Duration = Duration::from_hours(24);

/// What one read found: streams with new entries only, in the order they were asked for.
pub type Batch = Vec<(StreamKey, Vec<Entry>)>;

/// A document to append to a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it goes.
    pub stream: StreamKey,
    /// The schema version of the document.
    pub version: u32,
    /// One JSON document.
    pub data: Arc<str>,
    /// What the append may remove from the stream's old end.
    pub retention: Retention,
    /// Refuse the append when the stream already holds this many entries. It is looked at before
    /// anything is written, so one commit can pass the bound by its own messages.
    pub bound: Option<u64>,
}

impl Message {
    /// A message that removes nothing and has no bound.
    pub fn new(stream: StreamKey, version: u32, data: impl Into<Arc<str>>) -> Self {
        Self { stream, version, data: data.into(), retention: Retention::KEEP, bound: None }
    }

    /// The same message with a retention.
    #[must_use]
    pub fn with_retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// The same message with a bound.
    #[must_use]
    pub fn with_bound(mut self, bound: u64) -> Self {
        self.bound = Some(bound);
        self
    }
}

/// What an append may remove from the stream's old end.
///
/// Only for streams whose readers may lose entries. Commands and inboxes are trimmed by their
/// reader's commit alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Keep about this many entries; a store may keep some more.
    pub max_len: Option<u64>,
    /// Keep about this age by the store's clock; a store may keep somewhat older entries.
    pub max_age_ms: Option<u64>,
}

impl Retention {
    /// Remove nothing.
    pub const KEEP: Self = Self { max_len: None, max_age_ms: None };
}

/// What an unfenced append did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// Appended under this id.
    Appended(StreamId),
    /// The stream is at the message's bound; nothing was written.
    Busy,
}

/// Streams: append, and read from a cursor. No groups and no acknowledgements; a reader keeps its
/// own cursor, in its record.
pub trait MessageBus {
    /// Entries after each cursor, at most `count` per stream (0 counts as 1).
    ///
    /// With `block`, waits up to that time (at most a day) for a first entry; an empty answer means the time is
    /// over. May be dropped at any point: nothing is consumed by reading.
    fn read(
        &self,
        cursors: &[(StreamKey, StreamId)],
        count: usize,
        block: Option<Duration>,
    ) -> impl Future<Output = Result<Batch, BusError>> + Send;

    /// Entries from `from` to `to`, both included, at most `count` (0 counts as 1).
    fn range(
        &self,
        stream: &StreamKey,
        from: StreamId,
        to: StreamId,
        count: usize,
    ) -> impl Future<Output = Result<Vec<Entry>, BusError>> + Send;

    /// The last id that was given out, also when every entry is trimmed. `None`: no such stream.
    fn last_id(&self, stream: &StreamKey) -> impl Future<Output = Result<Option<StreamId>, BusError>> + Send;

    /// Appends outside any commit: for nudges by who owns no record. After a lost answer the
    /// message may stand twice.
    fn publish(&self, message: &Message) -> impl Future<Output = Result<Published, BusError>> + Send;

    /// The store's clock in milliseconds UTC, the one that entry ids come from.
    fn now_ms(&self) -> impl Future<Output = Result<u64, BusError>> + Send;
}

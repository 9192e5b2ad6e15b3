//! What the memory bus holds, and its streams as commits see them. No locks, no waiting.

use std::{collections::HashMap, sync::Arc};

use super::{streams::Stream, waiters::Waiters};
use crate::{Batch, Body, Claim, Desired, Entry, Keys, Message, Record, Retention, StreamId, StreamKey};

/// Everything the memory bus holds.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) streams: HashMap<StreamKey, Stream>,
    /// By state key.
    pub(super) records: HashMap<Arc<str>, Record>,
    /// Streams that go with a record, by its state key.
    pub(super) owned: HashMap<Arc<str>, Vec<StreamKey>>,
    /// By desired key.
    pub(super) registers: HashMap<Arc<str>, Desired>,
    /// By installation key.
    installations: HashMap<String, String>,
    pub(super) waiters: Waiters,
    /// Bytes of documents and fields, roughly.
    pub(super) used: u64,
    pub(super) limit: Option<u64>,
    pub(super) tear_next_commit: bool,
}

impl State {
    /// Redis looks before a script and then lets it finish; so does this.
    pub(super) fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.used > limit)
    }

    pub(super) fn read(&self, cursors: &[(StreamKey, StreamId)], count: usize) -> Batch {
        let mut batch = Batch::new();
        for (key, cursor) in cursors {
            let entries = match self.streams.get(key) {
                // The usual case of a quiet stream, without a search.
                Some(stream) if stream.last_id() > *cursor => stream.range(cursor.next(), StreamId::MAX, count),
                Some(_) | None => continue,
            };
            if !entries.is_empty() {
                batch.push((key.clone(), entries));
            }
        }
        batch
    }

    pub(super) fn range(&self, stream: &StreamKey, from: StreamId, to: StreamId, count: usize) -> Vec<Entry> {
        self.streams.get(stream).map(|stream| stream.range(from, to, count)).unwrap_or_default()
    }

    pub(super) fn last_id(&self, stream: &StreamKey) -> Option<StreamId> {
        self.streams.get(stream).map(Stream::last_id)
    }

    pub(super) fn is_at_bound(&self, message: &Message) -> bool {
        message.bound.is_some_and(|bound| {
            let held = self.streams.get(&message.stream).map_or(0, Stream::len);
            held >= bound
        })
    }

    pub(super) fn append(&mut self, message: &Message) -> StreamId {
        let now = clock_ms();
        let stream = self.streams.entry(message.stream.clone()).or_default();
        let body = Body::Document { version: message.version, data: Arc::clone(&message.data) };
        let (id, added) = stream.append(now, body);
        let removed = stream.retain(message.retention, now);
        self.used = (self.used + added).saturating_sub(removed);
        self.waiters.wake(&message.stream);
        id
    }

    pub(super) fn append_body(&mut self, stream: &StreamKey, body: Body) -> StreamId {
        let (id, added) = self.streams.entry(stream.clone()).or_default().append(clock_ms(), body);
        self.used += added;
        self.waiters.wake(stream);
        id
    }

    pub(super) fn put_entry(&mut self, stream: &StreamKey, entry: Entry) {
        self.used += self.streams.entry(stream.clone()).or_default().put(entry);
        self.waiters.wake(stream);
    }

    pub(super) fn trim(&mut self, stream: &StreamKey, up_to: StreamId) {
        if let Some(stream) = self.streams.get_mut(stream) {
            self.used = self.used.saturating_sub(stream.trim(up_to));
        }
    }

    pub(super) fn shorten(&mut self, stream: &StreamKey, length: u64) {
        if let Some(stream) = self.streams.get_mut(stream) {
            let shorter = Retention { max_len: Some(length), max_age_ms: None };
            self.used = self.used.saturating_sub(stream.retain(shorter, 0));
        }
    }

    /// Deletes a stream, entries and key.
    pub(super) fn remove(&mut self, stream: &StreamKey) {
        if let Some(mut stream) = self.streams.remove(stream) {
            self.used = self.used.saturating_sub(stream.trim(StreamId::MAX));
        }
    }

    pub(super) fn claim_installation(&mut self, keys: &Keys, id: &str) -> Claim {
        let held = self.installations.entry(keys.installation()).or_insert_with(|| id.to_owned());
        if held == id { Claim::Claimed } else { Claim::Other { id: held.clone() } }
    }
}

/// The clock of this store.
pub(super) fn clock_ms() -> u64 {
    crate::clock::millis()
}

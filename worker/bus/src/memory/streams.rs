//! One stream in memory: ids that only grow, entries found by binary search.

use std::collections::VecDeque;

use crate::{Body, Entry, Retention, StreamId};

/// What an entry costs beside its text, roughly.
const ENTRY_OVERHEAD: usize = 64;

/// One stream. The last id outlives its entries, as on Redis.
#[derive(Debug, Default)]
pub(super) struct Stream {
    entries: VecDeque<Entry>,
    last_id: StreamId,
}

impl Stream {
    pub(super) fn last_id(&self) -> StreamId {
        self.last_id
    }

    pub(super) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Appends and says how many bytes were added.
    pub(super) fn append(&mut self, now_ms: u64, body: Body) -> (StreamId, u64) {
        // The clock may stand or step back; ids may not.
        let id = StreamId::new(now_ms, 0).max(self.last_id.next());
        (id, self.put(Entry::new(id, body)))
    }

    /// Puts an entry behind all others and says how many bytes were added.
    pub(super) fn put(&mut self, entry: Entry) -> u64 {
        let bytes = size(&entry.body);
        self.last_id = entry.id;
        self.entries.push_back(entry);
        bytes
    }

    /// Copies entries from `from` to `to`, both included.
    pub(super) fn range(&self, from: StreamId, to: StreamId, count: usize) -> Vec<Entry> {
        let start = self.entries.partition_point(|entry| entry.id < from);
        // Up to the end is what readers ask for: then nothing is searched, and how many there are is known before.
        let end =
            if to >= self.last_id { self.entries.len() } else { self.entries.partition_point(|entry| entry.id <= to) };
        self.entries.range(start..end.max(start)).take(count).cloned().collect()
    }

    /// Removes entries up to and including the id; says how many bytes went.
    pub(super) fn trim(&mut self, up_to: StreamId) -> u64 {
        self.drop_while(|entry, _| entry.id <= up_to)
    }

    /// Applies a retention; says how many bytes went.
    pub(super) fn retain(&mut self, retention: Retention, now_ms: u64) -> u64 {
        if retention == Retention::KEEP {
            return 0;
        }
        let oldest_ms = retention.max_age_ms.map_or(0, |age| now_ms.saturating_sub(age));
        self.drop_while(|entry, len| entry.id.ms < oldest_ms || retention.max_len.is_some_and(|max| len as u64 > max))
    }

    fn drop_while(&mut self, goes: impl Fn(&Entry, usize) -> bool) -> u64 {
        let mut removed = 0;
        while let Some(first) = self.entries.front()
            && goes(first, self.entries.len())
        {
            removed += size(&first.body);
            self.entries.pop_front();
        }
        removed
    }
}

fn size(body: &Body) -> u64 {
    let text = match body {
        Body::Document { data, .. } => data.len(),
        Body::Poison { raw, .. } => raw.len(),
    };
    (text + ENTRY_OVERHEAD) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Body {
        Body::Document { version: 1, data: text.into() }
    }

    #[test]
    fn ids_grow_when_the_clock_steps_back() {
        let mut stream = Stream::default();
        let (first, _) = stream.append(1000, document("a"));
        let (second, _) = stream.append(999, document("b"));
        assert_eq!(first, StreamId::new(1000, 0));
        assert_eq!(second, StreamId::new(1000, 1));
    }

    #[test]
    fn trimming_gives_back_what_appending_took() {
        let mut stream = Stream::default();
        let (_, a) = stream.append(1, document("a"));
        let (id, b) = stream.append(2, document("bb"));
        assert_eq!(stream.trim(id), a + b);
        assert_eq!(stream.len(), 0);
        assert_eq!(stream.last_id(), id);
    }

    #[test]
    fn retention_drops_by_length_and_by_age() {
        let mut stream = Stream::default();
        for ms in 1..=10 {
            stream.append(ms, document("x"));
        }
        let by_length = Retention { max_len: Some(4), max_age_ms: None };
        stream.retain(by_length, 10);
        assert_eq!(stream.len(), 4);
        let by_age = Retention { max_len: None, max_age_ms: Some(1) };
        stream.retain(by_age, 10);
        assert_eq!(stream.len(), 2);
    }
}

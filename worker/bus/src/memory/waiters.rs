//! Who waits for an append to which stream. An append wakes those who wait for its stream, and nobody else: with many
//! readers in a process, each commit would else wake them all. No locks, no waiting.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use tokio::sync::Notify;

use crate::StreamKey;

/// The readers that wait, by stream.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    by_stream: HashMap<StreamKey, BTreeMap<u64, Arc<Notify>>>,
    next: u64,
}

impl Waiters {
    /// A reader waits for these streams from now on, until it is removed. Gives its number, and what it is told by.
    pub(super) fn add<'a>(&mut self, streams: impl Iterator<Item = &'a StreamKey>) -> (u64, Arc<Notify>) {
        let (number, appended) = (self.next, Arc::new(Notify::new()));
        self.next += 1;
        for stream in streams {
            match self.by_stream.get_mut(stream) {
                Some(waiting) => drop(waiting.insert(number, Arc::clone(&appended))),
                None => drop(self.by_stream.insert(stream.clone(), BTreeMap::from([(number, Arc::clone(&appended))]))),
            }
        }
        (number, appended)
    }

    /// The reader of this number waits no longer.
    pub(super) fn remove<'a>(&mut self, number: u64, streams: impl Iterator<Item = &'a StreamKey>) {
        for stream in streams {
            if let Some(waiting) = self.by_stream.get_mut(stream) {
                waiting.remove(&number);
                if waiting.is_empty() {
                    self.by_stream.remove(stream);
                }
            }
        }
    }

    /// Something was appended: whoever waits for it looks again. Of many appends at once the first wakes all.
    pub(super) fn wake(&mut self, stream: &StreamKey) {
        for appended in self.by_stream.remove(stream).iter().flat_map(BTreeMap::values) {
            // Kept for one that is not polled yet.
            appended.notify_one();
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_stream.is_empty()
    }
}

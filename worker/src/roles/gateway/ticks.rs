//! The ticks as of which workers ask, as they stand in their streams. Commands of many strategies are as of the same tick: it
//! is read once.

use std::collections::VecDeque;
use std::sync::Arc;

use bus::{StreamId, StreamKey};

use crate::outcome::hashes::LinedTick;

/// Ticks that are kept: those of all commands of one read.
const KEPT: usize = super::ENTRIES_MAX;

/// The ticks that were read last, the newest at the end.
#[derive(Debug, Default)]
pub(super) struct Ticks(VecDeque<(StreamKey, StreamId, Arc<LinedTick>)>);

impl Ticks {
    /// A tick that was read before.
    pub fn get(&self, stream: &StreamKey, id: StreamId) -> Option<Arc<LinedTick>> {
        let found = self.0.iter().rev().find(|(of, at, _)| *at == id && of == stream);
        found.map(|(_, _, tick)| Arc::clone(tick))
    }

    /// Keeps a tick in the place of the oldest.
    pub fn keep(&mut self, stream: StreamKey, id: StreamId, tick: Arc<LinedTick>) {
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back((stream, id, tick));
    }
}

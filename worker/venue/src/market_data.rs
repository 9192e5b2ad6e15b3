//! What a feed needs of a source of ticks. Knows no bus and no store.

use std::future::Future;

use engine::messages::Tick;

use crate::replay::{DataError, Replay};

/// A source of ticks of one market.
pub trait MarketData: Send {
    /// Why a tick could not be read.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The next tick; `None` at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Tick>, Self::Error>> + Send;

    /// Goes on with the tick of this sequence.
    fn seek(&mut self, sequence: u64) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

impl MarketData for Replay {
    type Error = DataError;

    async fn next(&mut self) -> Result<Option<Tick>, DataError> {
        Iterator::next(self).transpose()
    }

    async fn seek(&mut self, sequence: u64) -> Result<(), DataError> {
        Replay::seek(self, sequence)
    }
}

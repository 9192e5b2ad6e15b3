//! What a feed needs of a source of ticks. Knows no bus and no store. A file is no source by itself: reading it waits.

use std::future::Future;

use engine::messages::Tick;

/// A source of ticks of one market.
pub trait MarketData: Send {
    /// Why a tick could not be read.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The next tick; `None` at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Tick>, Self::Error>> + Send;

    /// Goes on with the tick of this sequence.
    fn seek(&mut self, sequence: u64) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

//! A strategy at the end of a run.

use crds::TradingStrategyStatus;
use crds::roles::StrategySpec;
use engine::Engine;

use crate::provision::Place;

/// One strategy at the end of a run.
pub(super) struct Ended {
    /// Its place.
    pub place: Place<StrategySpec>,
    /// Its status.
    pub status: TradingStrategyStatus,
    /// Its engine, for the figures of the whole run; absent before its first commit.
    pub engine: Option<Engine>,
}

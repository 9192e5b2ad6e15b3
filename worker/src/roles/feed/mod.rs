//! The role `feed`: the prices of one source, for all who read them.

mod bars;
pub(crate) mod live;
pub(crate) mod replay;

use crds::roles::FeedSpec;

use crate::roles::{Bus, Runtime, Stop};

pub(crate) use replay::{file_of, scan};

/// Runs a feed until asked to stop.
pub async fn run<B: Bus>(runtime: Runtime<B>, spec: FeedSpec) -> Result<(), Stop> {
    match spec {
        FeedSpec::Replay(spec) => replay::run(runtime, spec).await,
        FeedSpec::Live(spec) => live::run(runtime, spec, live::open).await,
    }
}

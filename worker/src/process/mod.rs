//! The process itself: its admin address, its logs, its exit code, the wish to stop. Knows nothing of what it runs; what is
//! the same in the operator is the crate `process`.

pub(crate) mod admin;
pub(crate) mod exit;
pub(crate) mod shutdown;
pub(crate) mod telemetry;

//! The operator's own controllers against a real API server and a real store, under the chart's rights, with a fake
//! node: what they do in each situation, and that an end before or after any write changes nothing of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "apiserver_operator/account_limits.rs"]
mod account_limits;
#[path = "apiserver_operator/crashes.rs"]
mod crashes;
#[path = "apiserver_operator/edits.rs"]
mod edits;
#[path = "apiserver_operator/live.rs"]
mod live;
#[path = "apiserver_operator/misbehaving.rs"]
mod misbehaving;
#[path = "apiserver_operator/quiet.rs"]
mod quiet;
#[path = "apiserver_operator/restored.rs"]
mod restored;
#[path = "apiserver_operator/rights.rs"]
mod rights;
#[path = "apiserver_operator/scenarios.rs"]
mod scenarios;
#[path = "apiserver_operator/settled.rs"]
mod settled;
#[path = "apiserver_operator/stops.rs"]
mod stops;
#[path = "apiserver_operator/transfers.rs"]
mod transfers;
#[path = "apiserver_operator/worker_pod.rs"]
mod worker_pod;

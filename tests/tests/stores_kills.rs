//! Separate processes on a real Redis, killed, doubled, frozen and robbed of their store: the trades stay those of
//! `backtest`, or nobody trades on.
//!
//! `replays` is the undisturbed ground, `kills` the random kills, `quoting` the same with a strategy whose orders rest and
//! are cancelled, `ladder` with ladders, `bars` with one that trades on bars, `signals` with those of the product that do,
//! `markets` with one on two markets, `fencing` two processes of one record, `lost` a Redis that was emptied,
//! `process` one that is a process of its own, `transfers` money that is moved meanwhile, `edits` parameters that are edited
//! meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "stores_kills/bars.rs"]
mod bars;
#[path = "stores_kills/edits.rs"]
mod edits;
#[path = "stores_kills/fencing.rs"]
mod fencing;
#[path = "stores_kills/kills.rs"]
mod kills;
#[path = "stores_kills/ladder.rs"]
mod ladder;
#[path = "stores_kills/lost.rs"]
mod lost;
#[path = "stores_kills/markets.rs"]
mod markets;
#[path = "stores_kills/process.rs"]
mod process;
#[path = "stores_kills/quoting.rs"]
mod quoting;
#[path = "stores_kills/replays.rs"]
mod replays;
#[path = "stores_kills/signals.rs"]
mod signals;
#[path = "stores_kills/transfers.rs"]
mod transfers;

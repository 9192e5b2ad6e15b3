//! Any list of events keeps the engine's invariants.
//!
//! `bars` counts bars apart; `events` mixes everything; `delivery` delivers one order's news in every order and number;
//! `grid` holds that no failed order loses a chance; `ledger` holds that profit is the change of equity; `numbers` recomputes
//! in integers what long decimals must give; `order_ids` holds that ids decode and sort as their orders do.
//! A failing case is printed, and kept in `properties/*.regressions`, which always run first.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "properties/bars.rs"]
mod bars;
#[path = "properties/bench.rs"]
mod bench;
#[path = "properties/delivery.rs"]
mod delivery;
#[path = "properties/events.rs"]
mod events;
#[path = "properties/grid.rs"]
mod grid;
#[path = "properties/ledger.rs"]
mod ledger;
#[path = "properties/numbers.rs"]
mod numbers;
#[path = "properties/order_ids.rs"]
mod order_ids;
#[path = "properties/partial_fills.rs"]
mod partial_fills;

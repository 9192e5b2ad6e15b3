//! What a Redis holds is bounded, whatever happens for however long; and full memory is left without a human.
//!
//! `sizes` fills each stream, `closing` lets accounts come and go, `full` lets memory run full under trade.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "stores_memory/closing.rs"]
mod closing;
#[path = "stores_memory/fleet.rs"]
mod fleet;
#[path = "stores_memory/full.rs"]
mod full;
#[path = "stores_memory/sizes.rs"]
mod sizes;

//! What befalls a store and its content, with the real processes: each says what is wrong and waits without using
//! the processor, or ends with a code that tells; once mended no order is lost and none doubled.
//!
//! `outages` is Redis itself, `content` what stands in it, `entries` single entries that do not read, `lost` what only
//! one side knew, `feed` a replay's data and readers, `processes` what surrounds a process, `release` what is latched, `ladder` what a human does to one, `stopping` an
//! orderly end, `run` the command `run --redis`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "stores_troubles/content.rs"]
mod content;
#[path = "stores_troubles/entries.rs"]
mod entries;
#[path = "stores_troubles/feed.rs"]
mod feed;
#[path = "stores_troubles/ladder.rs"]
mod ladder;
#[path = "stores_troubles/lost.rs"]
mod lost;
#[path = "stores_troubles/outages.rs"]
mod outages;
#[path = "stores_troubles/processes.rs"]
mod processes;
#[path = "stores_troubles/release.rs"]
mod release;
#[path = "stores_troubles/run.rs"]
mod run;
#[path = "stores_troubles/scenes.rs"]
mod scenes;
#[path = "stores_troubles/stopping.rs"]
mod stopping;

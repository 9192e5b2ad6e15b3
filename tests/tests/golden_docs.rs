//! What the documents say, in both languages: every reason that there is, commands that are run, names that exist.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "golden_docs/commands.rs"]
mod commands;
#[path = "golden_docs/metrics.rs"]
mod metrics;
#[path = "golden_docs/names.rs"]
mod names;
#[path = "golden_docs/page.rs"]
mod page;
#[path = "golden_docs/reasons.rs"]
mod reasons;

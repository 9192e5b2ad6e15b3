//! Manifests on a real API server: who refuses what, in which words, and what is stored.
//!
//! The strict reading of files and the API server hold the same rules. One table of bad manifests goes through
//! both.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "apiserver_manifests/changes.rs"]
mod changes;
#[path = "apiserver_manifests/stored.rs"]
mod stored;
#[path = "apiserver_manifests/table.rs"]
mod table;

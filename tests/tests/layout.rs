//! The layout of the repository: which crate may use what, and what every file keeps to.
//!
//! Dependencies are looked at twice: as each Cargo.toml declares them, and as `cargo tree -p` of one crate
//! finds them. The graph of the whole workspace would unite features and show what no crate asked for.
#![allow(clippy::expect_used, clippy::panic, reason = "tests may stop at the first surprise")]

#[path = "layout/crates.rs"]
mod crates;
#[path = "layout/files.rs"]
mod files;

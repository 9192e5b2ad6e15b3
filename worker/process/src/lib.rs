//! What each long-running program here does the same way: its start and end, its talk on stderr and its admin
//! address.
//!
//! Neither may end the program or hold it up: who reads along may be gone, stuck or hostile. Knows nothing of
//! what the program does.
#![deny(clippy::print_stderr, clippy::print_stdout, reason = "it panics where nobody reads: process::say")]

pub mod admin;
mod program;
mod talk;

pub use program::run;
pub use talk::{Talk, flush, say, talk};

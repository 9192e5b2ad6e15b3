//! The real program on its command line: what it prints, byte for byte, what it refuses in which words, and its exit
//! codes.
//!
//! Figures were made apart from the product: by hand, or by a simulation written only from the rules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "command_line/account_limits.rs"]
mod account_limits;
#[path = "command_line/bench.rs"]
mod bench;
#[path = "command_line/custom_strategy.rs"]
mod custom_strategy;
#[path = "command_line/data.rs"]
mod data;
#[path = "command_line/figures.rs"]
mod figures;
#[path = "command_line/fills.rs"]
mod fills;
#[path = "command_line/folder.rs"]
mod folder;
#[path = "command_line/guard.rs"]
mod guard;
#[path = "command_line/holes.rs"]
mod holes;
#[path = "command_line/hostile_processes.rs"]
mod hostile_processes;
#[path = "command_line/limits.rs"]
mod limits;
#[path = "command_line/once.rs"]
mod once;
#[path = "command_line/outcome.rs"]
mod outcome;
#[path = "command_line/output.rs"]
mod output;
#[path = "command_line/process.rs"]
mod process;
#[path = "command_line/process_ends.rs"]
mod process_ends;
#[path = "command_line/process_page.rs"]
mod process_page;
#[path = "command_line/python_package.rs"]
mod python_package;
#[path = "command_line/python_strategies.rs"]
mod python_strategies;
#[path = "command_line/refused_data.rs"]
mod refused_data;
#[path = "command_line/refused_manifests.rs"]
mod refused_manifests;
#[path = "command_line/several.rs"]
mod several;
#[path = "command_line/silence.rs"]
mod silence;
#[path = "command_line/stderr.rs"]
mod stderr;
#[path = "command_line/stopping.rs"]
mod stopping;
#[path = "command_line/times.rs"]
mod times;
#[path = "command_line/told.rs"]
mod told;
#[path = "command_line/transfers.rs"]
mod transfers;
#[path = "command_line/users_files.rs"]
mod users_files;
#[path = "command_line/vectors.rs"]
mod vectors;

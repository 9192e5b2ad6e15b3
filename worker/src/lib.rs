//! Runs trading strategies: the pods' roles (`strategy`, `gateway`, `feed`), all of them in one process
//! (`run`), the engine alone on recorded data (`backtest`), and the commands around them.
//!
//! To run strategies of your own, make a binary that registers them and calls [`main`]. May not use the
//! Kubernetes client: what a role needs comes with its arguments.
#![deny(clippy::print_stderr, clippy::print_stdout, reason = "it panics where nobody reads: process::say, exit::print")]

mod admin;
mod backtest;
mod bench;
mod cli;
mod clock;
mod document;
mod exit;
mod feed;
mod fleet;
mod gateway;
mod hashes;
mod launch;
mod ledger;
mod options;
mod outcome;
mod provision;
mod role;
mod run;
mod saved;
mod session;
mod shutdown;
#[cfg(test)]
mod simulation;
mod strategy;
mod telemetry;
mod told;
mod untraded;
mod validate;
mod warning;

pub use cli::main;

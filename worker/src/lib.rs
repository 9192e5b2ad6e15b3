//! Runs trading strategies: the pods' roles (`strategy`, `gateway`, `feed`), all of them in one process
//! (`run`), the engine alone on recorded data (`backtest`), and the commands around them.
//!
//! To run strategies of your own, make a binary that registers them and calls [`main`]. May not use the
//! Kubernetes client: what a role needs comes with its arguments.
#![deny(clippy::print_stderr, clippy::print_stdout, reason = "it panics where nobody reads: process::say, exit::print")]

mod child;
mod cli;
mod commands;
mod fleet;
mod guard;
mod outcome;
mod process;
mod roles;
#[cfg(test)]
mod simulation;

pub use cli::main;

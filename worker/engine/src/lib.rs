//! The trading engine: pure state machines, no clock, no randomness, no input or output.
//!
//! Time is an argument, money is exact, a refusal is an effect with a reason. The same code runs in
//! `backtest`, in `run` and in the pods. [`Engine::step`] is the whole surface: an event in, effects out; where
//! the strategy is a process, [`Engine::ask_process`] and [`Engine::process_answered`] too.

#![cfg_attr(not(test), deny(clippy::float_arithmetic, clippy::arithmetic_side_effects))]

pub mod client_order_id;
mod core;
pub mod fees;
pub mod indicators;
pub mod instrument;
pub mod ledger;
pub mod market;
pub mod messages;
mod non_empty;
pub mod numbers;
pub mod orders;
pub mod report;
pub mod risk;
pub mod running_hash;
pub mod strategies;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
pub mod time;
pub mod transfers;
pub mod validation;

pub use self::core::{
    AskError, Changes, Config, Effect, Engine, Event, MissingFill, Performance, RestoreError, SavedBarsError,
    SavedBooks, SnapshotError, StartError,
};

//! The trading engine: pure state machines, no clock, no randomness, no input or output.
//!
//! Time is an argument, money is exact, a refusal is an effect with a reason. The same code runs in
//! `backtest`, in `run` and in the pods.

pub mod fees;
pub mod instrument;
pub mod messages;
pub mod numbers;
pub mod strategy;
pub mod time;
pub mod validation;

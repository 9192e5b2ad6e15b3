//! The grid strategy.

mod parameters;

pub use parameters::{GridParameters, OrderSize};

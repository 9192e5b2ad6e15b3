//! Binance's wire formats. May not open files or connections: text in, events out.

mod fields;
mod flat;
pub mod sequence;
pub mod stream;

//! Binance: its wire formats, text in and events out, and in [`live`] its streams as they come.

mod fields;
mod flat;
pub mod live;
pub(crate) mod quoted;
pub mod sequence;
pub mod stream;
pub mod symbols;

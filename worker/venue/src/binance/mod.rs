//! Binance's wire formats. May not open files or connections: text in, events out.

pub mod sequence;
pub mod stream;

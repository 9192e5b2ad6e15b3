//! What a test of a strategy needs.

pub mod quoting;

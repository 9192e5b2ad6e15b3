//! Plug-in strategies: one folder each.

pub mod grid;

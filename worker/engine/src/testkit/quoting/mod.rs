//! What strategies and the roles around them are tested with: a market that moves, and a strategy that quotes on it.
//! All of it follows from a seed. No product turns this feature on.
#![allow(clippy::expect_used, clippy::arithmetic_side_effects, reason = "a test stops at the first surprise")]

mod chance;
mod market;
mod quoter;

pub use chance::Chance;
pub use market::Market;
pub use quoter::QUOTER;

//! What strategies and the roles around them are tested with: a market that moves, a strategy that quotes on it, and
//! one that trades in two of them.
//! All of it follows from a seed. No product turns this feature on.
#![allow(clippy::expect_used, clippy::arithmetic_side_effects, reason = "a test stops at the first surprise")]

mod chance;
mod market;
mod pair;
mod quoter;

use schemars::JsonSchema;
use serde::Deserialize;

/// The parameters of both strategies.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
struct Seeded {
    /// From which all that it does follows.
    seed: u64,
}

pub use chance::Chance;
pub use market::{Market, merged};
pub use pair::PAIR;
pub use quoter::QUOTER;

//! What a test of a strategy needs: a market, ticks in it, and a bench on which an engine runs the strategy while a venue
//! answers its orders. For this crate's own strategies and for yours.
//!
//! Switch it on for your tests alone, by the feature `testkit` of this crate:
//!
//! ```toml
//! [dev-dependencies]
//! engine = { path = "…", features = ["testkit"] }
//! ```
//!
//! A path of prices says what happens; what was traded says whether the strategy is right:
//!
//! ```
//! use engine::testkit::{Bench, Market};
//! use serde_json::json;
//!
//! let market = Market { tick_ms: 60_000, taker_percent: "0.1", ..Market::USUAL };
//! let mut bench = Bench::grid(&market, market.config(&json!({"basePrice": 600})));
//! bench.run("600 606 611 612 613 615 612.60 612.50".split(' '));
//! assert_eq!(bench.trades(), ["7 Sell 0.989 @ 612.50"]);
//! // It goes on from what was saved as if nothing had happened.
//! bench.restart();
//! bench.run("605 600.25 598 596 597 598.40".split(' '));
//! assert_eq!(bench.trades()[1], "13 Buy 1.003 @ 598.40");
//! assert_eq!(bench.pnl(), ["12.3625", "-6.4176", "1.2059577", "4.7389423"]);
//! ```
//!
//! [`Bench::grid`] runs a grid, [`Bench::of`] a strategy of your own by its [`Definition`](crate::strategies::Definition).
//! [`Bench::run`] answers each order as a venue does that has all of it at the best price. To script the answers, take
//! the orders from [`Bench::tick`] and tell their news with [`Bench::update`]: [`Market::news`] makes those of an order that
//! trades in parts, [`Market::fill`] one trade, [`ended`] an end without one. What the engine wanted beside orders stands
//! in [`Bench::effects`], and [`alerts`], [`holds`] and [`halted`] read it. [`ladder`] is a ladder written apart, for tests of the
//! one among the strategies.
//!
//! All of it is deterministic: ticks are numbered from 0, the first at [`START_MS`], and no clock is read. A text that is
//! no number, or a command that is no order, stops the test where it stands.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::arithmetic_side_effects,
    reason = "only tests call this, and a test stops at the first surprise"
)]

use serde::Serialize;

use crate::strategies::Figures;

mod bench;
pub mod crossing;
pub mod ladder;
mod market;
mod news;
pub mod quoting;

pub use bench::Bench;
pub use market::{Market, START_MS};
pub use news::{alerts, commands, ended, filled, halted, holds, order_of};

/// What a strategy has counted, by the names of the fields: for its result.
fn counted(counts: &impl Serialize) -> Figures {
    let counts = serde_json::to_value(counts).unwrap_or_default();
    let members = counts.as_object().into_iter().flatten();
    members.map(|(name, count)| (name.clone(), count.to_string())).collect()
}

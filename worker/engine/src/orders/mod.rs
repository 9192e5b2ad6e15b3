//! The orders of one strategy: those that are open, by sequence, with what they reserve; the newest closed ones. No input
//! or output.

mod closed;
mod funds;
mod open;
mod order;
mod places;
mod state;
mod trade_ids;

pub(crate) use closed::ClosedOrders;
pub use funds::{Funds, Terms};
pub(crate) use open::OpenOrders;
pub use order::{Applied, Cause, Order, OrderAnomaly, Replaced};
pub use places::{Holder, Places, Share, waits_in};
pub use state::{ImpossibleTransition, OrderState};
pub use trade_ids::{Known, TradeIds};

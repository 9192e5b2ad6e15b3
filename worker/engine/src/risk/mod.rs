//! What may be sent: position limits before signals, order checks after them. Only this module can make an
//! [`Approved`] order, so an order that skipped it does not compile. It holds the trading state on every order
//! itself: what a strategy is shown of it is advice.

mod approved;
mod check;
mod cooldown;
mod exit;
mod latched;
mod limits;
mod order_rate;
mod parameters;
mod position_limits;

pub use approved::Approved;
pub use check::{Denial, OrderCheck, Refusal};
pub use cooldown::Cooldown;
pub(crate) use exit::Standing;
pub use exit::{ExitAction, ExitParameters, ExitRule};
pub use latched::{EXIT_REACHED, Latch, Release, ReleaseError};
pub(crate) use latched::{Released, Stops};
pub(crate) use limits::Worth;
pub use limits::{Limit, OnBreach};
pub use order_rate::OrderRate;
pub use parameters::RiskParameters;
pub use position_limits::{PositionBounds, PositionLimits, RiskState};

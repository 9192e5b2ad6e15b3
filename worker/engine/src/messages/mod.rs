//! What travels on the bus, one file a topic: the field names are a contract with other programs.
//!
//! Decimals are strings, times milliseconds UTC. Unknown fields are ignored when reading.

mod alert;
mod bar;
mod command;
mod document;
mod fill;
mod inbox;
mod nudge;
mod position;
mod signal;
mod snapshot;
mod tick;

pub use alert::{AlertKind, RiskAlert, Severity};
pub use command::{CommandKind, NewOrder, OrderCommand, OrderType, Side, TimeInForce, Transfer};
pub use document::{Document, text};
pub use fill::{Fill, Liquidity};
pub use inbox::{Inbox, OrderStatus, OrderUpdate};
pub use nudge::Nudge;
pub use position::PositionUpdate;
pub use signal::{SignalSide, StrategySignal};
pub use snapshot::StateSnapshot;
pub use tick::Tick;
pub(crate) use tick::TickDocument;

//! Where orders and market data come from and go to. May not know the bus, Kubernetes or strategies.

pub mod binance;
mod data;
mod market_data;
pub mod replay;
pub mod sim;
mod venue;

pub use market_data::MarketData;
pub use venue::{DoubtWindows, Outcome, Venue, VenueError, VenueReport, VenueTrade};

//! Where orders and market data come from and go to. May not know the bus, Kubernetes or strategies.

pub mod binance;
mod connection;
mod data;
mod facts;
mod market_data;
pub mod replay;
mod report;
pub mod sim;
mod venue;

pub use connection::{Connection, Reconciling, Trading};
pub use facts::{Alphabet, IdCodec, VenueFacts};
pub use market_data::MarketData;
pub use report::{Ordered, VenueReport, VenueTrade};
pub use venue::{Answer, Outcome, Question, Request, Venue, VenueError, VenueEvent};

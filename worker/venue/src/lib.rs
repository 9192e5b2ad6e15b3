//! Where orders and market data come from and go to. May not know the bus, Kubernetes or strategies.

pub mod binance;
mod connection;
mod data;
mod facts;
pub mod live;
mod market_data;
pub mod net;
mod observation;
pub mod replay;
mod report;
pub mod sim;
mod stamp;
mod venue;

pub use connection::{Connection, Reconciling, Trading};
pub use facts::{
    Alphabet, Answers, DeadMansSwitch, IdCodec, RequestExpiry, SelfTradePrevention, SwitchReach, VenueFacts,
};
pub use market_data::MarketData;
pub use report::{Ordered, VenueReport, VenueTrade};
pub use stamp::Stamp;
pub use venue::{Answer, Guarded, Outcome, Question, Request, Switching, Venue, VenueError, VenueEvent};

//! An exchange's public prices without an exchange: requests and streams of Binance, spot or USD-M futures, played from recordings,
//! candles or chance at any speed, with faults.
//!
//! Without the feature `server`, only what tests need that start the program and speak to it.

pub mod control;
pub mod process;

#[cfg(feature = "server")]
pub mod amount;
#[cfg(feature = "server")]
pub mod clock;
#[cfg(feature = "server")]
pub mod command;
#[cfg(feature = "server")]
pub mod exchange;
#[cfg(feature = "server")]
pub mod faults;
#[cfg(feature = "server")]
pub mod interval;
#[cfg(feature = "server")]
pub mod journal;
#[cfg(feature = "server")]
pub mod line;
#[cfg(feature = "server")]
pub mod product;
#[cfg(feature = "server")]
pub mod rest;
#[cfg(feature = "server")]
pub mod serve;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod source;
#[cfg(feature = "server")]
pub mod stream;
#[cfg(feature = "server")]
pub mod tls;
#[cfg(feature = "server")]
pub mod venue;
#[cfg(feature = "server")]
pub mod written;

//! Binance as it happens: trades with their quotes, holes where some are missing, rules and candles. No key is needed.
//!
//! What is decided lies in the machine, which knows no clock and no network; the driver gives it what comes and does what it
//! says. A live source makes the ticks that a replay makes of a recording of the same frames.

mod candles;
mod clock;
mod connection;
mod driver;
mod exchange_info;
mod faults;
mod machine;
mod market;
mod product;
mod questions;
mod requests;
mod route;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use tokio::sync::mpsc;

use crate::live::{self, Live};
use crate::net::{Network, NetworkError, Proxy, Uri};
use driver::Driver;
pub use product::Product;

/// Where the venue is, and the way there.
#[derive(Debug, Clone)]
pub struct Config {
    /// What is traded there.
    pub product: Product,
    /// Hosts of requests, such as `https://api.binance.com`: the next one where one does not serve.
    pub rest: Vec<Uri>,
    /// Hosts of streams, such as `wss://stream.binance.com:9443`.
    pub stream: Vec<Uri>,
    /// The proxy to all of them. Without, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    pub proxy: Option<Proxy>,
    /// A file in PEM with an authority that is trusted beside the machine's.
    pub ca: Option<PathBuf>,
}

/// Why a source cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is nobody to ask.
    #[error("marketData: no host of {0}; write one, or leave the endpoint out for the exchange's own")]
    NoHost(&'static str),
    /// The network cannot be used as it is set.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

/// A frame that was taken, with the nanoseconds since 1970 at which it was read: a line of a recording is both, with a space
/// between. Only frames that told something new of a followed market, in the order in which they were taken: each trade once.
pub type TakenFrame = (i64, String);

impl Config {
    /// The exchange's public hosts, its hosts of market data alone after them.
    pub fn spot() -> Self {
        Self {
            product: Product::Spot,
            rest: vec![
                Uri::from_static("https://api.binance.com"),
                Uri::from_static("https://data-api.binance.vision"),
            ],
            stream: vec![
                Uri::from_static("wss://stream.binance.com:9443"),
                Uri::from_static("wss://data-stream.binance.vision"),
            ],
            proxy: None,
            ca: None,
        }
    }

    /// The exchange's public hosts of futures that settle in USDT and the like.
    pub fn usd_margined() -> Self {
        Self {
            product: Product::UsdMargined,
            rest: vec![Uri::from_static("https://fapi.binance.com")],
            stream: vec![Uri::from_static("wss://fstream.binance.com")],
            proxy: None,
            ca: None,
        }
    }
}

/// Starts a source in the runtime of the caller. It ends when its user's end is dropped.
pub fn start(config: Config) -> Result<Live, StartError> {
    run(config, None)
}

/// The same, with a channel for the frames that make its ticks. Who does not read it holds the source up.
pub fn start_with_tap(config: Config, tap: mpsc::Sender<TakenFrame>) -> Result<Live, StartError> {
    run(config, Some(tap))
}

fn run(config: Config, tap: Option<mpsc::Sender<TakenFrame>>) -> Result<Live, StartError> {
    for (hosts, what) in [(&config.rest, "requests"), (&config.stream, "streams")] {
        if hosts.is_empty() {
            return Err(StartError::NoHost(what));
        }
    }
    let network = Network::new(config.proxy.as_ref(), config.ca.as_deref())?;
    let (user, source) = live::live();
    let driver = Driver::new(config, network, source, tap);
    tokio::spawn(driver.run());
    Ok(user)
}

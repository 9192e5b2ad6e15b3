//! The venue that a spec names, and the way there.

use ::venue::binance::live::{Config, start};
use ::venue::live::Live;
use ::venue::net::{Proxy, Uri};
use crds::account::BinanceMarket;
use crds::roles::LiveSpec;

use crate::roles::Stop;

/// Starts the source.
pub(crate) fn open(spec: &LiveSpec) -> Result<Live, Stop> {
    start(config(spec)?).map_err(|error| Stop::MarketData(error.to_string()))
}

/// Where the venue is.
pub(crate) fn config(spec: &LiveSpec) -> Result<Config, Stop> {
    let refuse = |place: &str, value: &str, problem: String| {
        Stop::MarketData(format!("{place}: {value}: {problem}; write an address such as https://HOST"))
    };
    let mut config = match spec.binance.market {
        BinanceMarket::Spot => Config::spot(),
    };
    if let Some(hosts) = &spec.hosts {
        let uri = |text: &String| -> Result<Vec<Uri>, Stop> {
            Ok(vec![text.parse().map_err(|error| refuse("endpoint", text, format!("{error}")))?])
        };
        (config.rest, config.stream) = (uri(&hosts.rest)?, uri(&hosts.stream)?);
    }
    if let Some(proxy) = &spec.binance.proxy {
        let proxy: Proxy = proxy.url.as_str().parse().map_err(|error| Stop::MarketData(format!("{error}")))?;
        config.proxy = Some(proxy);
    }
    Ok(config)
}

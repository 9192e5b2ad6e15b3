//! The venue that a spec names, and the way there.

use ::venue::binance::live::{Config, start};
use ::venue::live::Live;
use ::venue::net::{Proxy, Uri};
use crds::account::{BinanceMarket, ProxyUrl};
use crds::roles::{Endpoint, LiveSpec};

use crate::roles::Stop;

/// Starts the source.
pub(crate) fn open(spec: &LiveSpec) -> Result<Live, Stop> {
    start(config(spec)?).map_err(|error| Stop::MarketData(error.to_string()))
}

/// Where the venue is, and the way there.
pub(crate) fn config(spec: &LiveSpec) -> Result<Config, Stop> {
    check_way(spec, |variable| std::env::var(variable).ok())?;
    let config = match spec.binance.market {
        BinanceMarket::Spot => Config::spot(),
    };
    way(config, spec.hosts.as_ref(), spec.binance.proxy.as_ref().and_then(|proxy| proxy.url.as_ref()))
}

/// The same venue at these hosts and behind this proxy, where they are named.
pub(crate) fn way(mut config: Config, hosts: Option<&Endpoint>, proxy: Option<&ProxyUrl>) -> Result<Config, Stop> {
    let refuse = |place: &str, value: &str, problem: String| {
        Stop::MarketData(format!("{place}: {value}: {problem}; write an address such as https://HOST"))
    };
    if let Some(hosts) = hosts {
        let uri = |text: &String| -> Result<Vec<Uri>, Stop> {
            Ok(vec![text.parse().map_err(|error| refuse("endpoint", text, format!("{error}")))?])
        };
        (config.rest, config.stream) = (uri(&hosts.rest)?, uri(&hosts.stream)?);
    }
    if let Some(url) = proxy {
        let proxy: Proxy = url.as_str().parse().map_err(|error| Stop::MarketData(format!("{error}")))?;
        config.proxy = Some(proxy);
    }
    Ok(config)
}

/// Who wants a proxy must not be seen by the venue without it, because a Secret is not there or has other keys.
fn check_way(spec: &LiveSpec, variable: impl Fn(&str) -> Option<String>) -> Result<(), Stop> {
    let Some(name) = &spec.proxy_secret else { return Ok(()) };
    let leads = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    if leads.iter().any(|lead| variable(lead).is_some_and(|text| !text.is_empty())) {
        return Ok(());
    }
    Err(Stop::MarketData(format!(
        "the proxy of the Secret {name:?}: neither HTTPS_PROXY nor ALL_PROXY is set; write one of these keys into a Secret of \
         this name and namespace, or, outside of a cluster, set the variable"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_variables_of_its_secret_nobody_is_asked() {
        let spec = |proxy_secret: &str| -> LiveSpec {
            let way = format!(r#"{{"source":"s","binance":{{"market":"Spot"}}{proxy_secret}}}"#);
            serde_json::from_str(&way).unwrap()
        };
        let (any, proxied) = (spec(""), spec(r#","proxySecret":"way""#));
        let only =
            |wanted: &'static str, text: &'static str| move |name: &str| (name == wanted).then(|| text.to_owned());
        assert!(check_way(&any, |_| None).is_ok());
        for (variable, text, leads) in [
            ("HTTPS_PROXY", "http://p:1", true),
            ("all_proxy", "http://p:1", true),
            ("HTTPS_PROXY", "", false),
            ("NO_PROXY", "example.com", false),
        ] {
            assert_eq!(check_way(&proxied, only(variable, text)).is_ok(), leads, "{variable}={text}");
        }
        let told = check_way(&proxied, |_| None).unwrap_err().to_string();
        assert!(told.contains(r#"the Secret "way": neither HTTPS_PROXY nor ALL_PROXY is set; write one of"#), "{told}");
    }
}

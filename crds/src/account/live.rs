//! Live prices in an account's manifest.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::name::{NameError, ResourceName};

/// Live prices of Binance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Binance {
    /// Which of its markets: Spot.
    pub market: BinanceMarket,
    /// The name of an endpoint of your own in place of the public hosts: one of the chart's value endpoints, or of
    /// `worker run --endpoint NAME=URL`. Default: the public hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<ResourceName>,
    /// The proxy on the way to the venue. Default: what the variables HTTPS_PROXY, ALL_PROXY and NO_PROXY of the process say,
    /// in a cluster by the Secret of the chart's value proxy.existingSecret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Proxy>,
}

/// A market of Binance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BinanceMarket {
    /// Coins against coins, at once.
    Spot,
}

/// A proxy: exactly one member, url or secretRef.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Proxy {
    /// Where it is, such as `http://proxy.example:3128` or `socks5://10.0.0.7:1080`. Without a user and a password: whoever reads
    /// the manifest would read them. A proxy that wants them is told by secretRef, or by HTTPS_PROXY. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<ProxyUrl>,
    /// A Secret of the account's namespace with HTTPS_PROXY or ALL_PROXY, and NO_PROXY if need be, for the feed's environment.
    /// Without the first two nothing is asked of the venue. With `worker run` the variables of the process stand for it. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<ProxySecret>,
}

/// A Secret that says the way to a proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxySecret {
    /// Its name.
    pub name: ResourceName,
}

/// The address of a proxy: http, https, socks5 or socks5h, a host, and no password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProxyUrl(String);

impl ProxyUrl {
    /// What a manifest's schema accepts.
    pub const PATTERN: &str = "^(https?|socks5h?)://[^/@?#\\s]+/?$";
    /// The longest address.
    pub const LENGTH_MAX: usize = 253;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProxyUrl {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let refuse = |remedy| Err(NameError::new(text, remedy));
        if text.len() > Self::LENGTH_MAX {
            return refuse("is longer than 253 characters; write a shorter address");
        }
        if text.contains('@') {
            // Not shown: it may be a password.
            return Err(NameError::new(
                "a proxy with a user",
                "would be read by all who read the manifest; give it by secretRef or HTTPS_PROXY",
            ));
        }
        let rest =
            ["http://", "https://", "socks5://", "socks5h://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let host = rest.map(|rest| rest.strip_suffix('/').unwrap_or(rest)).unwrap_or_default();
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || "/?#".contains(c)) {
            return refuse("is no proxy; write it like http://proxy.example:3128 or socks5://10.0.0.7:1080");
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for ProxyUrl {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<ProxyUrl> for String {
    fn from(url: ProxyUrl) -> Self {
        url.0
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl JsonSchema for ProxyUrl {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        stringify!(ProxyUrl).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": Self::PATTERN, "maxLength": Self::LENGTH_MAX })
    }
}

impl Proxy {
    /// What sets it apart from others. No address has a blank.
    fn way(&self) -> String {
        let secret = self.secret_ref.iter().map(|secret| format!("secret {}", secret.name));
        self.url.iter().map(|url| url.as_str().to_owned()).chain(secret).collect()
    }
}

impl Binance {
    /// The Secret that the account itself names for its way to the venue.
    pub fn proxy_secret(&self) -> Option<&ResourceName> {
        self.proxy.as_ref()?.secret_ref.as_ref().map(|secret| &secret.name)
    }

    /// The name of this source in keys: the venue's and the market's; behind a proxy or at an endpoint of one's own with a
    /// short hash of these, so that whoever shares it has the same prices by the same way.
    pub fn source(&self) -> String {
        let market = match self.market {
            BinanceMarket::Spot => "binance-spot",
        };
        let endpoint = self.endpoint.as_ref().map_or("", |endpoint| endpoint.as_str());
        let proxy = self.proxy.as_ref().map_or_else(String::new, Proxy::way);
        if endpoint.is_empty() && proxy.is_empty() {
            return market.to_owned();
        }
        format!("{market}-{:010x}", fnv(&format!("{endpoint}\n{proxy}")) >> 24)
    }
}

/// FNV-1a, which is the same everywhere and for ever: the source's name outlives the program.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(manifest: &str) -> String {
        serde_json::from_str::<Binance>(manifest).unwrap().source()
    }

    #[test]
    fn a_source_is_shared_by_who_goes_the_same_way() {
        assert_eq!(source(r#"{"market":"Spot"}"#), "binance-spot");
        assert_eq!(source(r#"{"market":"Spot","endpoint":"local"}"#), "binance-spot-e0e3c5e003");
        let secret = source(r#"{"market":"Spot","proxy":{"secretRef":{"name":"way"}}}"#);
        assert_ne!(secret, source(r#"{"market":"Spot","proxy":{"secretRef":{"name":"another"}}}"#));
        let proxy = source(r#"{"market":"Spot","proxy":{"url":"http://p:1"}}"#);
        assert_eq!(proxy, "binance-spot-ac732b55d8");
        let both = source(r#"{"market":"Spot","endpoint":"local","proxy":{"url":"http://p:1"}}"#);
        assert!(proxy != both && proxy.len() == "binance-spot-0123456789".len(), "{proxy} {both}");
    }

    #[test]
    fn a_proxy_is_an_address_without_a_password() {
        for good in ["http://proxy.example:3128", "https://p", "socks5://10.0.0.7:1080/", "socks5h://[::1]:1080"] {
            assert_eq!(good.parse::<ProxyUrl>().unwrap().as_str(), good);
        }
        for (bad, told) in [
            ("proxy.example:3128", "\"proxy.example:3128\" is no proxy; write it like"),
            ("ftp://p", "is no proxy"),
            ("http://", "is no proxy"),
            ("http://p/path", "is no proxy"),
        ] {
            assert!(bad.parse::<ProxyUrl>().unwrap_err().to_string().contains(told), "{bad}");
        }
        let secret = "http://me:hidden@p:1".parse::<ProxyUrl>().unwrap_err().to_string();
        assert!(secret.contains("HTTPS_PROXY") && !secret.contains("hidden"), "{secret}");
    }
}

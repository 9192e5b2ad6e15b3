//! Which proxy leads to a host: the one that is set, or those of the usual variables. Passwords are shown nowhere.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use super::NetError;

/// A proxy's address: http://, https://, socks5:// (or socks5h://), with user and password where it wants them.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy(String);

/// A text is no proxy's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{place}: not the address of a proxy; write http://HOST:PORT or socks5://HOST:PORT, with USER:PASSWORD@ before the host if \
     it wants them, and in these percent-encode what is neither letter nor digit"
)]
pub struct ProxyError {
    place: String,
}

/// Which proxy leads where.
pub(super) struct Proxies(Matcher);

/// The proxy that leads to a host.
pub(super) struct Way {
    pub kind: Kind,
    /// Its host and port, as an address.
    pub uri: Uri,
    pub host: String,
    pub auth: Option<HeaderValue>,
    pub user: Option<(String, String)>,
}

/// What a proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Http,
    HttpOverTls,
    Socks5,
}

impl Proxy {
    fn way(text: &str) -> Option<Way> {
        // What stands behind it would be cut off in silence, and with it most of a password.
        if text.contains('#') {
            return None;
        }
        let matcher = Matcher::builder().all(text).build();
        way(&matcher.intercept(&Uri::from_static("https://example.com/"))?)
    }
}

impl FromStr for Proxy {
    type Err = ProxyError;

    fn from_str(text: &str) -> Result<Self, ProxyError> {
        match Self::way(text) {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(ProxyError { place: "proxy".to_owned() }),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Self::way(&self.0).map(|way| way.shown()).unwrap_or_default())
    }
}

impl Proxies {
    /// This one for every host.
    pub(super) fn only(proxy: &Proxy) -> Self {
        Self(Matcher::builder().all(proxy.0.as_str()).build())
    }

    /// Those of `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, also in small letters.
    pub(super) fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ProxyError> {
        let first = |name: &str| {
            let small = name.to_ascii_lowercase();
            let set = |name: &str| variable(name).filter(|text| !text.is_empty()).map(|text| (name.to_owned(), text));
            set(name).or_else(|| set(&small))
        };
        let checked = |name: &str| match first(name) {
            Some((_, text)) if Proxy::way(&text).is_some() => Ok(text),
            Some((name, _)) => Err(ProxyError { place: format!("the variable {name}") }),
            None => Ok(String::new()),
        };
        let no = first("NO_PROXY").map_or_else(String::new, |(_, text)| text);
        let builder = Matcher::builder().all(checked("ALL_PROXY")?).https(checked("HTTPS_PROXY")?);
        Ok(Self(builder.http(checked("HTTP_PROXY")?).no(no).build()))
    }

    /// The proxy that leads to this address of HTTP.
    pub(super) fn intercept(&self, uri: &Uri) -> Option<Way> {
        way(&self.0.intercept(uri)?)
    }
}

fn way(intercept: &Intercept) -> Option<Way> {
    let uri = intercept.uri();
    let (kind, standard) = match uri.scheme_str()? {
        "http" => (Kind::Http, 80),
        "https" => (Kind::HttpOverTls, 443),
        "socks5" | "socks5h" => (Kind::Socks5, 1080),
        _ => return None,
    };
    let host = uri.host()?.to_owned();
    // What is no port would else be left out in silence.
    let is_bare = uri.authority()?.as_str() == host;
    let port = uri.port_u16().or(is_bare.then_some(standard))?;
    let user = intercept.raw_auth().map(|(user, password)| (user.to_owned(), password.to_owned()));
    let uri = format!("{}://{host}:{port}/", uri.scheme_str()?).parse().ok()?;
    Some(Way { kind, uri, host, auth: intercept.basic_auth().cloned(), user })
}

impl Way {
    /// Its address without user and password.
    pub(super) fn shown(&self) -> String {
        self.uri.to_string().trim_end_matches('/').to_owned()
    }

    /// It did not lead there.
    pub(super) fn failed(&self, problem: impl fmt::Display) -> NetError {
        NetError::Proxy(format!("the proxy {} {problem}", self.shown()))
    }

    /// It did not answer in time.
    pub(super) fn hangs(&self, within: Duration) -> NetError {
        self.failed(format_args!(
            "did not answer within {} ms; check that it runs and reaches the exchange",
            within.as_millis()
        ))
    }

    pub(super) const fn has_password(&self) -> bool {
        self.auth.is_some() || self.user.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(proxies: &Proxies, uri: &'static str) -> Option<String> {
        proxies.intercept(&Uri::from_static(uri)).map(|way| way.shown())
    }

    #[test]
    fn the_usual_variables_lead_to_a_proxy_and_around_it() {
        let variables = [
            ("https_proxy", "http://user:secret@proxy.lan:3128"),
            ("ALL_PROXY", "socks5h://other.lan"),
            ("NO_PROXY", "localhost, .internal,10.0.0.0/8"),
        ];
        let read = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
        let proxies = Proxies::from_environment(read).unwrap();
        assert_eq!(to(&proxies, "https://api.example.com:9443/"), Some("http://proxy.lan:3128".to_owned()));
        assert_eq!(to(&proxies, "http://api.example.com/"), Some("socks5h://other.lan:1080".to_owned()));
        for around in ["https://localhost:1/", "https://market.internal/", "https://10.2.3.4/"] {
            assert_eq!(to(&proxies, around), None, "{around}");
        }
    }

    #[test]
    fn a_bad_address_is_refused_with_its_place_and_without_its_password() {
        let read = |name: &str| (name == "HTTPS_PROXY").then(|| "http://user:se#cret@proxy.lan:99999".to_owned());
        let refused = Proxies::from_environment(read).err().unwrap().to_string();
        assert!(
            refused.starts_with("the variable HTTPS_PROXY: not the address of a proxy; write http://HOST"),
            "{refused}"
        );
        assert!(!refused.contains("cret"));
        for bad in ["", "ftp://proxy", "socks4://proxy:1", "http://"] {
            assert!(bad.parse::<Proxy>().is_err(), "{bad}");
        }
        let proxy: Proxy = "socks5://user:p%40ss@[::1]:1081".parse().unwrap();
        assert_eq!(
            (proxy.to_string(), format!("{proxy:?}")),
            ("socks5://[::1]:1081".into(), "socks5://[::1]:1081".into())
        );
        let way = Proxy::way(&proxy.0).unwrap();
        assert_eq!(way.user, Some(("user".to_owned(), "p@ss".to_owned())));
    }
}

//! The way to a venue over the network: a stream of bytes, through a proxy and with TLS where need be, and on it requests and
//! WebSockets. May not know what is said on it. Nothing is sent twice here.

mod http;
mod proxy;
#[cfg(test)]
mod tests;
mod tls;
mod tunnel;
mod websocket;

use std::path::Path;
use std::time::Duration;

pub use ::http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tower_service::Service as _;

pub use proxy::{Proxy, ProxyError};
pub use tls::CaError;
pub(crate) use websocket::{Received, WebSocket};

use proxy::Proxies;

/// Each step of the way is given up after so long.
const STEP: Duration = Duration::from_secs(10);

/// A stream of bytes.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type BoxStream = Box<dyn Stream>;

/// How the network is used: which proxies, and whom to trust.
pub(crate) struct Network {
    proxies: Proxies,
    tls: TlsConnector,
    step: Duration,
}

/// Why the network cannot be used as it is set.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The proxy's address.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The file of certificates.
    #[error(transparent)]
    Ca(#[from] CaError),
}

/// An answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Of HTTP.
    pub status: u16,
    /// After so many seconds it may be asked again.
    pub retry_after_seconds: Option<u64>,
    /// The answer's text.
    pub body: String,
}

/// Why something was not had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NetError {
    /// The host refused.
    #[error("it answered {}", .0.status)]
    Refused(Refusal),
    /// There was no answer. The words have the remedy.
    #[error("{0}")]
    Failed(String),
    /// The proxy did not let it through. The words name the proxy and have the remedy.
    #[error("{0}")]
    Proxy(String),
}

/// A host and how to speak with it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    host: String,
    port: u16,
    is_secure: bool,
}

impl Target {
    fn of(uri: &Uri) -> Result<Self, NetError> {
        let is_secure = match uri.scheme_str() {
            Some("https" | "wss") => true,
            Some("http" | "ws") => false,
            Some(_) | None => {
                return Err(NetError::Failed(format!("{uri} is no address of http, https, ws or wss; write one")));
            }
        };
        let Some(host) = uri.host() else { return Err(NetError::Failed(format!("{uri} has no host; write one"))) };
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        Ok(Self { host: host.to_owned(), port, is_secure })
    }

    /// As an address of its own, for who only knows those of HTTP.
    fn uri(&self) -> Result<Uri, NetError> {
        let scheme = if self.is_secure { "https" } else { "http" };
        let text = format!("{scheme}://{}:{}/", self.host, self.port);
        text.parse().map_err(|problem| NetError::Failed(format!("{text}: {problem}; correct the address")))
    }
}

impl Network {
    /// Through this proxy, or those of the usual variables; trusting the machine's authorities and those of a file.
    pub(crate) fn new(proxy: Option<&Proxy>, ca: Option<&Path>) -> Result<Self, NetworkError> {
        let proxies = match proxy {
            Some(proxy) => Proxies::only(proxy),
            None => Proxies::from_environment(|name| std::env::var(name).ok())?,
        };
        Ok(Self { proxies, tls: tls::connector(ca)?, step: STEP })
    }

    /// A stream to the host of `uri`.
    async fn connect(&self, uri: &Uri) -> Result<BoxStream, NetError> {
        let target = Target::of(uri)?;
        let stream = match self.proxies.intercept(&target.uri()?) {
            Some(proxy) => {
                let way = tunnel::through(&proxy, &target, &self.tls);
                timeout(self.step, way).await.unwrap_or_else(|_| Err(proxy.hangs(self.step)))?
            }
            None => Box::new(direct(&target.uri()?, self.step).await.map_err(|problem| {
                let Target { host, port, .. } = &target;
                NetError::Failed(format!("no connection to {host}:{port}: {problem}; check the network, its name service, and whether a proxy is needed"))
            })?),
        };
        if target.is_secure { secured(&self.tls, &target.host, stream).await } else { Ok(stream) }
    }
}

/// A TCP stream to the host of an address of HTTP.
async fn direct(uri: &Uri, within: Duration) -> Result<tokio::net::TcpStream, String> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    let connecting = connector.call(uri.clone());
    match timeout(within, connecting).await {
        Ok(connected) => connected.map(TokioIo::into_inner).map_err(|problem| chain(&problem)),
        Err(_) => Err(format!("no answer within {} s", within.as_secs())),
    }
}

/// TLS on a stream.
async fn secured(tls: &TlsConnector, host: &str, stream: BoxStream) -> Result<BoxStream, NetError> {
    let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(name)
        .map_err(|_| NetError::Failed(format!("{host} is no name of a host; correct the address")))?;
    match timeout(STEP, tls.connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(problem)) => Err(NetError::Failed(format!(
            "TLS with {host} failed: {}; if a proxy or an endpoint of your own has a certificate of its own, give its CA's file",
            chain(&problem)
        ))),
        Err(_) => Err(NetError::Failed(format!(
            "TLS with {host} got no answer within {} s; check the network",
            STEP.as_secs()
        ))),
    }
}

/// Who is spoken with, as words name them: the host, with its port where the address has one.
pub(crate) fn place(uri: &Uri) -> &str {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    authority.rsplit_once('@').map_or(authority, |(_, place)| place)
}

/// An error with all its causes.
fn chain(problem: &dyn std::error::Error) -> String {
    let mut text = problem.to_string();
    let mut cause = problem.source();
    while let Some(next) = cause {
        let words = next.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = next.source();
    }
    text
}

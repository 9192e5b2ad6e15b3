//! Through a proxy: a stream to the target on the other side of it.

use std::future::{Ready, ready};
use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Empty;
use hyper_util::client::legacy::connect::proxy::SocksV5;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::proxy::{Kind, Way};
use super::{BoxStream, NetError, STEP, Target, chain, direct, secured};

/// A stream to `target` through the proxy.
pub(super) async fn through(proxy: &Way, target: &Target, tls: &TlsConnector) -> Result<BoxStream, NetError> {
    match proxy.kind {
        Kind::Socks5 => socks(proxy, target).await,
        Kind::Http => connect(proxy, target, Box::new(reach(proxy).await?)).await,
        Kind::HttpOverTls => {
            let stream = secured(tls, &proxy.host, Box::new(reach(proxy).await?)).await;
            connect(proxy, target, stream.map_err(|problem| proxy.failed(format_args!("was not reached: {problem}")))?)
                .await
        }
    }
}

async fn reach(proxy: &Way) -> Result<TcpStream, NetError> {
    let failed =
        |problem| proxy.failed(format_args!("was not reached: {problem}; check that it runs, and its address"));
    direct(&proxy.uri, STEP).await.map_err(failed)
}

/// Asks an HTTP proxy for a tunnel.
async fn connect(proxy: &Way, target: &Target, stream: BoxStream) -> Result<BoxStream, NetError> {
    let broken = |problem: &dyn std::error::Error| {
        proxy.failed(format_args!("broke off: {}; check that it is a proxy of HTTP and allows CONNECT", chain(problem)))
    };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|problem| broken(&problem))?;
    // It ends with the stream, or with the refusal.
    tokio::spawn(connection.with_upgrades());
    let authority = format!("{}:{}", target.host, target.port);
    let mut request = Request::connect(&authority).header(header::HOST, &authority);
    if let Some(auth) = &proxy.auth {
        request = request.header(header::PROXY_AUTHORIZATION, auth);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|problem| broken(&problem))?;
    let response = sender.send_request(request).await.map_err(|problem| broken(&problem))?;
    let status = response.status();
    if !status.is_success() {
        return Err(refused(proxy, target, status));
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(|problem| broken(&problem))?;
    Ok(Box::new(TokioIo::new(upgraded)))
}

fn refused(proxy: &Way, target: &Target, status: StatusCode) -> NetError {
    let answer = status.as_u16();
    let remedy = match (status, proxy.has_password()) {
        (StatusCode::PROXY_AUTHENTICATION_REQUIRED, true) => "its user or password is wrong".to_owned(),
        (StatusCode::PROXY_AUTHENTICATION_REQUIRED, false) => {
            "it wants a password: write USER:PASSWORD@ before its host".to_owned()
        }
        _ => format!("let it allow CONNECT to {}:{}", target.host, target.port),
    };
    proxy.failed(format_args!("answered {answer}: {remedy}"))
}

/// Asks a SOCKS proxy for a stream. It looks names up itself.
async fn socks(proxy: &Way, target: &Target) -> Result<BoxStream, NetError> {
    let mut socks = SocksV5::new(proxy.uri.clone(), Reached(Some(reach(proxy).await?)));
    if let Some((user, password)) = &proxy.user {
        socks = socks.with_auth(user.clone(), password.clone());
    }
    let stream = socks.call(target.uri()?).await.map_err(|problem| {
        let remedy = if proxy.has_password() {
            "check its user and password, and that it reaches the exchange"
        } else {
            "check that it wants no password, and that it reaches the exchange"
        };
        proxy.failed(format_args!("did not lead to {}:{}: {}; {remedy}", target.host, target.port, chain(&problem)))
    })?;
    Ok(Box::new(stream.into_inner()))
}

/// A connector whose connection stands already: it is asked once.
struct Reached(Option<TcpStream>);

impl Service<Uri> for Reached {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Ready<io::Result<TokioIo<TcpStream>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready(self.0.take().map(TokioIo::new).ok_or_else(|| io::ErrorKind::NotConnected.into()))
    }
}

//! Connections of clients: requests, and handshakes that make streams of them.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::exchange::Exchange;
use crate::faults;
use crate::journal::Entry;
use crate::line::{Faulty, Mode};
use crate::product::Route;
use crate::rest::parameters::decoded;
use crate::rest::{self, Answer};
use crate::stream::connection::Connection;
use crate::stream::hub::Peer;

/// A body that is there as a whole.
pub type Body = Full<Bytes>;

/// Accepts clients for ever.
pub async fn accept(exchange: Arc<Exchange>, listener: TcpListener, tls: Option<TlsAcceptor>) {
    loop {
        // What cannot be accepted has gone already.
        let Ok((stream, _)) = listener.accept().await else { continue };
        if exchange.gate.refuses() {
            exchange.log("refuse", Entry::default());
            continue;
        }
        tokio::spawn(serve(Arc::clone(&exchange), stream, tls.clone()));
    }
}

async fn serve(exchange: Arc<Exchange>, stream: TcpStream, tls: Option<TlsAcceptor>) {
    // Frames are small and each is wanted at once.
    drop(stream.set_nodelay(true));
    let peer = exchange.hub.accept();
    exchange.log("opened", Entry { connection: Some(peer.number), ..Entry::default() });
    faults::arrived(&exchange, &peer);
    let line = Faulty::new(stream, Arc::clone(&peer.line));
    match tls {
        None => speak(&exchange, &peer, line).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(line).await {
                speak(&exchange, &peer, stream).await;
            }
        }
    }
    // A WebSocket's own task goes on and ends it.
    if !peer.websocket() {
        exchange.hub.leave(&peer);
        exchange.log("closed", Entry { connection: Some(peer.number), ..Entry::default() });
    }
}

async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    exchange: &Arc<Exchange>,
    peer: &Arc<Peer>,
    stream: S,
) {
    let service = service_fn(|request| {
        let (exchange, peer) = (Arc::clone(exchange), Arc::clone(peer));
        async move { Ok::<_, Infallible>(answer(exchange, peer, request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // How a client ends its connection is its own matter.
    drop(connection.with_upgrades().await);
}

/// An answer as HTTP.
pub fn response(answer: Answer) -> Response<Body> {
    let mut response = Response::new(Full::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

async fn answer(exchange: Arc<Exchange>, peer: Arc<Peer>, request: Request<Incoming>) -> Response<Body> {
    let (path, query) = (request.uri().path().to_owned(), request.uri().query().unwrap_or("").to_owned());
    let (route, below) = exchange.product.route(&path);
    let handshake = below == "/stream" || below == "/ws" || below.starts_with("/ws/");
    let verdict = exchange.gate.judge(&path, handshake);
    if !verdict.delay.is_zero() {
        let detail = json!({"path": path, "ms": u64::try_from(verdict.delay.as_millis()).unwrap_or(u64::MAX)});
        exchange.log("slow", Entry { connection: Some(peer.number), detail, ..Entry::default() });
        tokio::time::sleep(verdict.delay).await;
    }
    if let Some((status, retry_after)) = verdict.status {
        let detail = json!({"path": path, "status": status});
        exchange.log("status", Entry { connection: Some(peer.number), detail, ..Entry::default() });
        return response(Answer::fault(status, retry_after, exchange.clock.now()));
    }
    if handshake {
        let below = below.to_owned();
        return upgrade((&exchange, &peer), request, (route, &below), &query);
    }
    if request.method() != Method::GET {
        return response(Answer::json(405, &json!({"code": -1000, "msg": "Only GET is served."})));
    }
    response(rest::answer(&exchange, &path, &query))
}

/// The streams of a path and query, and whether their frames are wrapped.
fn asked(path: &str, query: &str) -> (Vec<String>, bool) {
    let names = |list: &str| {
        let decoded = decoded(list).unwrap_or_else(|| list.to_owned());
        decoded.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    if path == "/stream" {
        let list = query.split('&').find_map(|pair| pair.strip_prefix("streams=")).unwrap_or("");
        return (names(list), true);
    }
    (names(path.trim_start_matches("/ws")), false)
}

fn upgrade(
    (exchange, peer): (&Arc<Exchange>, &Arc<Peer>),
    mut request: Request<Incoming>,
    (route, path): (Route, &str),
    query: &str,
) -> Response<Body> {
    let (streams, combined) = asked(path, query);
    let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY).cloned() else {
        return response(Answer::page(400, "Bad Request: a WebSocket's handshake was expected"));
    };
    if streams.len() > exchange.product.streams_max() {
        return response(Answer::page(400, "Bad Request: too many streams"));
    }
    let upgraded = hyper::upgrade::on(&mut request);
    let (exchange, peer) = (Arc::clone(exchange), Arc::clone(peer));
    let tasks = peer.upgrade(route);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgraded.await {
            let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
            exchange
                .log("websocket", Entry { connection: Some(peer.number), detail: json!(streams), ..Entry::default() });
            // As on the exchange, what is no stream stays silent.
            for stream in &streams {
                exchange.hub.subscribe(&peer, stream);
            }
            faults::arrived(&exchange, &peer);
            Connection::new(Arc::clone(&exchange), Arc::clone(&peer), socket, combined).run(tasks).await;
        }
        exchange.hub.leave(&peer);
        peer.line.set(Mode::Dead { reset: false });
    });
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

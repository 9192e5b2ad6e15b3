//! An HTTP server for the few who watch a program: bounded in connections and in time, so that whoever reaches its
//! port takes nothing from the work. A probe is answered whatever others hold open.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// Connections at most: a kubelet, a Prometheus and some humans. The next one closes the oldest, so that neither
/// file descriptors run out nor a probe has to wait.
const CONNECTIONS_MAX: usize = 16;
/// How long a request's head may take.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// How long a connection may last; each serves one request.
const CONNECTION_WITHIN: Duration = Duration::from_secs(10);
/// The most bytes of a request's head.
const HEAD_MAX: usize = 16 * 1024;
/// How long to wait after the system could not give a connection, as when descriptors have run out.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// Opens the address; a program that cannot be watched should not start.
pub async fn open(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    tracing::info!(address = %listener.local_addr()?, "admin address open");
    Ok(listener)
}

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, routes: Router) -> Infallible {
    let mut connections = JoinSet::new();
    let mut oldest_first: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        oldest_first.retain(|connection| !connection.is_finished());
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(REFUSED_PAUSE).await;
            continue;
        };
        while oldest_first.len() >= CONNECTIONS_MAX {
            if let Some(oldest) = oldest_first.pop_front() {
                oldest.abort();
            }
        }
        oldest_first.push_back(connections.spawn(answer(stream, routes.clone())));
    }
}

/// One request on one connection. What goes wrong is the other side's.
async fn answer(stream: TcpStream, routes: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let _ = tokio::time::timeout(CONNECTION_WITHIN, connection).await;
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const WITHIN: Duration = Duration::from_secs(30);

    async fn server() -> SocketAddr {
        let listener = open(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, Router::new().route("/healthz", get(|| async { "ok\n" }))));
        address
    }

    async fn soon<T>(work: impl Future<Output = T>) -> T {
        tokio::time::timeout(WITHIN, work).await.expect("it happens in time")
    }

    async fn sent(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// What comes until the other side closes; a reset is a close too.
    async fn rest(mut stream: TcpStream) -> String {
        let mut text = Vec::new();
        let _ = soon(stream.read_to_end(&mut text)).await;
        String::from_utf8(text).unwrap()
    }

    async fn ask(address: SocketAddr) -> String {
        rest(sent(address, "GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n").await).await
    }

    #[tokio::test]
    async fn a_request_is_answered_and_its_connection_closed() {
        let answer = ask(server().await).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"), "{answer}");
    }

    #[tokio::test]
    async fn half_a_request_is_closed_after_a_while() {
        let address = server().await;
        for half in ["", "GET /healthz HTTP/1.1\r\nHost: te"] {
            let answer = rest(sent(address, half).await).await;
            assert!(!answer.contains("200"), "{answer}");
        }
    }

    #[tokio::test]
    async fn many_half_requests_hold_no_answer_up_and_are_bounded() {
        let address = server().await;
        let mut halves = Vec::new();
        for _ in 0..4 * CONNECTIONS_MAX {
            halves.push(sent(address, "GET /healthz HTTP/1.1\r\nHost: te").await);
        }
        let answer = tokio::time::timeout(HEAD_WITHIN / 2, ask(address)).await.expect("it waits for nobody's end");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        // The oldest was closed to make room, long before its time was over.
        let mut byte = [0];
        let closed = tokio::time::timeout(HEAD_WITHIN / 2, halves[0].read(&mut byte)).await;
        assert!(matches!(closed, Ok(Ok(0) | Err(_))), "{closed:?}");
    }

    #[tokio::test]
    async fn a_head_without_end_is_cut() {
        let address = server().await;
        let mut stream = sent(address, "GET /healthz HTTP/1.1\r\n").await;
        let line = format!("x: {}\r\n", "y".repeat(1_000));
        let sending = async { while stream.write_all(line.as_bytes()).await.is_ok() {} };
        tokio::time::timeout(HEAD_WITHIN / 2, sending).await.expect("it is cut by its size");
    }
}

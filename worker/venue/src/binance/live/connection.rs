//! One connection of streams: what comes on it goes to the driver, what the driver says goes out on it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::clock;
use super::faults::Failure;
use super::machine::ConnectionId;
use crate::net::{Network, Received, Uri, WebSocket, place};

/// What happened on a connection.
#[derive(Debug)]
pub(super) enum Happened {
    /// It is open.
    Opened,
    /// A message came, at these nanoseconds since 1970.
    Text(i64, String),
    /// A message came that is no text, of so many bytes.
    Binary(usize),
    /// A ping or a pong came.
    Life,
    /// It is gone, or never came to be.
    Lost(Failure),
    /// It was closed because that was wished, and all that had been sent was told, unless these words say otherwise.
    Ended(Option<String>),
}

/// What is to go out.
#[derive(Debug)]
pub(super) enum Outgoing {
    Text(String),
    Ping,
    /// Nothing more: what was sent until now is told, then it is closed.
    End,
}

/// A ping's words: all that was sent before it was read comes before its answer.
const LAST: &[u8] = b"last";
/// So long the network is waited for in all until that answer; the time that the driver takes is not counted. What met a full
/// buffer while nobody read is sent again ever more seldom, so a silence may be as long as nobody read.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// A connection ended as it was wished.
#[derive(Debug, Default)]
struct End {
    /// Why something that was sent may not have been told.
    missing: Option<String>,
}

/// The end of a connection that the driver holds. Dropped, it closes the connection.
pub(super) type Outlet = mpsc::Sender<Outgoing>;

/// Opens a connection and serves it until it is lost or the other end of `outgoing` is dropped.
pub(super) async fn serve(
    id: ConnectionId,
    (network, uri): (Arc<Network>, Uri),
    mut outgoing: mpsc::Receiver<Outgoing>,
    happened: mpsc::Sender<(ConnectionId, Happened)>,
) {
    let host = place(&uri).to_owned();
    let opened = tokio::select! {
        opened = network.web_socket(&uri) => opened,
        // Nobody wants it any more.
        () = until_unwanted(&mut outgoing) => {
            // If the driver is gone, nobody needs to know.
            let _ = happened.send((id, Happened::Ended(None))).await;
            return;
        }
    };
    let lost = match opened {
        Ok(mut socket) => {
            if happened.send((id, Happened::Opened)).await.is_err() {
                return;
            }
            let problem = match exchange(&mut socket, id, &mut outgoing, &happened).await {
                Err(problem) => problem,
                Ok(End { missing }) => {
                    let missing = missing.map(|why| format!("{host}: {why}; what it sent last may be missing"));
                    let _ = happened.send((id, Happened::Ended(missing))).await;
                    socket.close().await;
                    return;
                }
            };
            Failure::unreachable(format!("{host}: {problem}; it connects anew"))
        }
        Err(error) => Failure::of(&host, &error, clock::now().wall),
    };
    // If the driver is gone, nobody needs to know.
    let _ = happened.send((id, Happened::Lost(lost))).await;
}

async fn until_unwanted(outgoing: &mut mpsc::Receiver<Outgoing>) {
    while !matches!(outgoing.recv().await, None | Some(Outgoing::End)) {}
}

/// What came, as the driver is told.
fn told(received: Received) -> Happened {
    match received {
        Received::Text(text) => Happened::Text(clock::wall_nanos(), text),
        Received::Binary(length) => Happened::Binary(length),
        Received::Ping | Received::Pong(_) => Happened::Life,
    }
}

/// Passes on what was sent and not read yet. That nothing comes for a while would not tell that it is all: while nobody read, it
/// stayed with its sender.
async fn drain(socket: &mut WebSocket, id: ConnectionId, happened: &mpsc::Sender<(ConnectionId, Happened)>) -> End {
    // Where it cannot be asked, there may be something to read all the same.
    let _ = socket.ping(LAST).await;
    let mut patience = ANSWERED_WITHIN;
    while !patience.is_zero() {
        let begun = Instant::now();
        let received = match timeout(patience, socket.next()).await {
            Ok(Ok(received)) => received,
            Ok(Err(problem)) => return End { missing: Some(problem) },
            Err(_) => break,
        };
        patience = patience.saturating_sub(begun.elapsed());
        if matches!(&received, Received::Pong(words) if words == LAST) {
            return End::default();
        }
        if happened.send((id, told(received))).await.is_err() {
            return End::default();
        }
    }
    End { missing: Some(format!("no answer came within {} s", ANSWERED_WITHIN.as_secs())) }
}

/// Passes on what comes and goes, until an end is wished. `Err`: why it ended before.
async fn exchange(
    socket: &mut WebSocket,
    id: ConnectionId,
    outgoing: &mut mpsc::Receiver<Outgoing>,
    happened: &mpsc::Sender<(ConnectionId, Happened)>,
) -> Result<End, String> {
    loop {
        let done = tokio::select! {
            received = socket.next() => match received {
                Ok(received) => {
                    // Waits while the driver does not read: so much as the network holds is left there.
                    if happened.send((id, told(received))).await.is_err() {
                        return Ok(End::default());
                    }
                    Ok(())
                }
                Err(problem) => Err(problem),
            },
            wish = outgoing.recv() => match wish {
                Some(Outgoing::Text(text)) => socket.send(text).await,
                Some(Outgoing::Ping) => socket.ping(b"").await,
                Some(Outgoing::End) => return Ok(drain(socket, id, happened).await),
                None => return Ok(End::default()),
            },
        };
        done?;
    }
}

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
    /// It was closed because that was wished, and all that had come was told.
    Ended,
}

/// What is to go out.
#[derive(Debug)]
pub(super) enum Outgoing {
    Text(String),
    Ping,
    /// Nothing more: what has come is told, then it is closed.
    End,
}

/// Nothing has come for so long: what the network held was read.
const DRAINED: Duration = Duration::from_millis(5);
/// A market that never rests is read no longer.
const DRAIN_MAX: Duration = Duration::from_secs(5);

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
            let _ = happened.send((id, Happened::Ended)).await;
            return;
        }
    };
    let lost = match opened {
        Ok(mut socket) => {
            if happened.send((id, Happened::Opened)).await.is_err() {
                return;
            }
            let Some(problem) = exchange(&mut socket, id, &mut outgoing, &happened).await else {
                let _ = happened.send((id, Happened::Ended)).await;
                socket.close().await;
                return;
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
        Received::Life => Happened::Life,
    }
}

/// Passes on what has come and was not read.
async fn drain(socket: &mut WebSocket, id: ConnectionId, happened: &mpsc::Sender<(ConnectionId, Happened)>) {
    let until = Instant::now() + DRAIN_MAX;
    while Instant::now() < until
        && let Ok(Ok(received)) = timeout(DRAINED, socket.next()).await
        && happened.send((id, told(received))).await.is_ok()
    {}
}

/// Passes on what comes and goes; why it ended, if not because it was wished.
async fn exchange(
    socket: &mut WebSocket,
    id: ConnectionId,
    outgoing: &mut mpsc::Receiver<Outgoing>,
    happened: &mpsc::Sender<(ConnectionId, Happened)>,
) -> Option<String> {
    loop {
        let done = tokio::select! {
            received = socket.next() => match received {
                Ok(received) => {
                    // Waits while the driver does not read: so much as the network holds is left there.
                    if happened.send((id, told(received))).await.is_err() {
                        return None;
                    }
                    Ok(())
                }
                Err(problem) => Err(problem),
            },
            wish = outgoing.recv() => match wish {
                Some(Outgoing::Text(text)) => socket.send(text).await,
                Some(Outgoing::Ping) => socket.ping().await,
                Some(Outgoing::End) => {
                    drain(socket, id, happened).await;
                    return None;
                }
                None => return None,
            },
        };
        if let Err(problem) = done {
            return Some(problem);
        }
    }
}

//! One connection of streams: what comes on it goes to the driver, what the driver says goes out on it.

use std::sync::Arc;

use tokio::sync::mpsc;

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
}

/// What is to go out.
#[derive(Debug)]
pub(super) enum Outgoing {
    Text(String),
    Ping,
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
        () = until_dropped(&mut outgoing) => return,
    };
    let lost = match opened {
        Ok(mut socket) => {
            if happened.send((id, Happened::Opened)).await.is_err() {
                return;
            }
            let Some(problem) = exchange(&mut socket, id, &mut outgoing, &happened).await else {
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

async fn until_dropped(outgoing: &mut mpsc::Receiver<Outgoing>) {
    while outgoing.recv().await.is_some() {}
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
                    let told = match received {
                        Received::Text(text) => Happened::Text(clock::wall_nanos(), text),
                        Received::Binary(length) => Happened::Binary(length),
                        Received::Life => Happened::Life,
                    };
                    // Waits while the driver does not read: so much as the network holds is left there.
                    if happened.send((id, told)).await.is_err() {
                        return None;
                    }
                    Ok(())
                }
                Err(problem) => Err(problem),
            },
            wish = outgoing.recv() => match wish {
                Some(Outgoing::Text(text)) => socket.send(text).await,
                Some(Outgoing::Ping) => socket.ping().await,
                None => return None,
            },
        };
        if let Err(problem) = done {
            return Some(problem);
        }
    }
}

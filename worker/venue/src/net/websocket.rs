//! WebSockets, on any stream.

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, Uri, header};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::http::{AGENT, retry_after};
use super::{BoxStream, NetError, Network, Refusal, STEP, chain};

/// A message is no longer.
const MESSAGE_MAX: usize = 1 << 20;

/// A WebSocket. It answers pings by itself, while it is read.
pub(crate) struct WebSocket(WebSocketStream<BoxStream>);

/// What came on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Received {
    /// A message.
    Text(String),
    /// A message that is no text.
    Binary(usize),
    /// The other side asks whether this one is there.
    Ping,
    /// The answer to a ping with these words.
    Pong(Bytes),
}

impl Network {
    /// Opens a WebSocket.
    pub(crate) async fn web_socket(&self, uri: &Uri) -> Result<WebSocket, NetError> {
        let stream = self.connect(uri).await?;
        let bad = |problem: Error| NetError::Failed(format!("{uri}: {}; correct the address", chain(&problem)));
        let mut request = uri.into_client_request().map_err(bad)?;
        request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(AGENT));
        let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_MAX)).max_frame_size(Some(MESSAGE_MAX));
        match timeout(STEP, client_async_with_config(request, stream, Some(config))).await {
            Ok(Ok((socket, _))) => Ok(WebSocket(socket)),
            Ok(Err(Error::Http(response))) => {
                let body = response.body().as_deref().map(String::from_utf8_lossy);
                Err(NetError::Refused(Refusal {
                    status: response.status().as_u16(),
                    retry_after_seconds: retry_after(response.headers()),
                    body: body.map_or_else(String::new, std::borrow::Cow::into_owned),
                }))
            }
            Ok(Err(problem)) => Err(NetError::Failed(format!(
                "no WebSocket was opened: {}; check that no proxy or portal answers in the exchange's place",
                chain(&problem)
            ))),
            Err(_) => {
                Err(NetError::Failed(format!("no WebSocket was opened within {} s; check the network", STEP.as_secs())))
            }
        }
    }
}

impl WebSocket {
    /// What comes next; after an error nothing comes any more.
    pub(crate) async fn next(&mut self) -> Result<Received, String> {
        loop {
            return match self.0.next().await {
                Some(Ok(Message::Text(text))) => Ok(Received::Text(text.as_str().to_owned())),
                Some(Ok(Message::Binary(bytes))) => Ok(Received::Binary(bytes.len())),
                Some(Ok(Message::Ping(_))) => Ok(Received::Ping),
                Some(Ok(Message::Pong(words))) => Ok(Received::Pong(words)),
                Some(Ok(Message::Close(Some(frame)))) => {
                    Err(format!("the connection was closed with {} {}", u16::from(frame.code), frame.reason.as_str()))
                }
                Some(Ok(Message::Close(None))) | None => Err("the connection was closed".to_owned()),
                Some(Ok(Message::Frame(_))) => continue,
                Some(Err(problem)) => Err(format!("the connection broke: {}", chain(&problem))),
            };
        }
    }

    /// Sends a message.
    pub(crate) async fn send(&mut self, text: String) -> Result<(), String> {
        self.write(Message::text(text)).await
    }

    /// Asks the other side whether it is there, with words that its answer repeats.
    pub(crate) async fn ping(&mut self, words: &'static [u8]) -> Result<(), String> {
        self.write(Message::Ping(Bytes::from_static(words))).await
    }

    /// Says that this side goes.
    pub(crate) async fn close(&mut self) {
        // Whether the other side hears it changes nothing.
        let _ = timeout(std::time::Duration::from_secs(1), self.0.close(None)).await;
    }

    async fn write(&mut self, message: Message) -> Result<(), String> {
        match timeout(STEP, self.0.send(message)).await {
            Ok(sent) => sent.map_err(|problem| format!("the connection broke: {}", chain(&problem))),
            Err(_) => Err(format!("the connection took nothing for {} s", STEP.as_secs())),
        }
    }
}

//! One WebSocket: what it is sent, what it asks for, and when it ends.

use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::hub::{Peer, Prepared, Task};
use super::requests;
use super::tamper::{Passing, Tamper};
use crate::clock::lock;
use crate::control::Fault;
use crate::exchange::Exchange;
use crate::journal::Entry;
use crate::line::Mode;
use crate::written::Written;

/// Why a connection ended.
struct Ended(String);

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

/// A WebSocket of a client.
pub struct Connection<S> {
    exchange: Arc<Exchange>,
    peer: Arc<Peer>,
    socket: WebSocketStream<S>,
    combined: bool,
    tamper: Tamper,
    /// Its messages of this second.
    messages: (Instant, u32),
    /// The last ping that was answered.
    answered: Instant,
    /// An orderly end that was announced.
    ending: Option<(Instant, CloseFrame)>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A connection whose handshake is done; `combined` where frames are wrapped with their stream's name.
    pub fn new(exchange: Arc<Exchange>, peer: Arc<Peer>, socket: WebSocketStream<S>, combined: bool) -> Self {
        let now = Instant::now();
        let tamper = Tamper::default();
        Self { exchange, peer, socket, combined, tamper, messages: (now, 0), answered: now, ending: None }
    }

    /// Serves it until it ends.
    pub async fn run(mut self, mut tasks: mpsc::Receiver<Task>) {
        let Err(Ended(reason)) = self.serve(&mut tasks).await else { return };
        let last = *lock(&self.peer.last_trade);
        let entry =
            Entry { connection: Some(self.peer.number), trade: last, detail: json!(reason), ..Entry::default() };
        self.exchange.log("closed", entry);
    }

    async fn serve(&mut self, tasks: &mut mpsc::Receiver<Task>) -> Result<(), Ended> {
        let limits = self.exchange.limits();
        let mut pings = every(limits.ping);
        let mut ends = every(Duration::from_millis(50));
        let expires = Instant::now() + limits.life;
        loop {
            tokio::select! {
                task = tasks.recv() => match task {
                    Some(task) => self.perform(task).await?,
                    None => return Err(Ended("the server stops".to_owned())),
                },
                message = self.socket.next() => self.hear(message).await?,
                _ = pings.tick() => {
                    let payload = self.exchange.clock.now().to_string();
                    self.socket.send(Message::Ping(payload.into_bytes().into())).await?;
                }
                _ = ends.tick() => {
                    // Who is kept from hearing pings cannot answer them.
                    if self.peer.line.stalled() {
                        self.answered = Instant::now();
                    }
                    if self.answered.elapsed() > limits.pong {
                        return Err(Ended("no pong".to_owned()));
                    }
                    if Instant::now() >= expires && self.ending.is_none() {
                        self.ending = Some((Instant::now(), frame(1001, "24 hours are over")));
                    }
                    if let Some((_, frame)) = self.ending.take_if(|(at, _)| *at <= Instant::now()) {
                        self.end(frame).await?;
                    }
                }
            }
        }
    }

    /// Ends it in order: a close frame, then a moment for the client's.
    async fn end(&mut self, frame: CloseFrame) -> Result<(), Ended> {
        let reason = frame.reason.to_string();
        self.socket.close(Some(frame)).await?;
        let rest = async { while let Some(Ok(_)) = self.socket.next().await {} };
        // A client that does not answer is not waited for.
        drop(tokio::time::timeout(Duration::from_secs(1), rest).await);
        Err(Ended(reason))
    }

    async fn hear(&mut self, message: Option<Result<Message, Error>>) -> Result<(), Ended> {
        let message = message.ok_or_else(|| Ended("the client has gone".to_owned()))??;
        match message {
            Message::Pong(_) => {
                self.answered = Instant::now();
                return Ok(());
            }
            Message::Close(_) => return Err(Ended("the client has closed".to_owned())),
            Message::Text(_) | Message::Binary(_) | Message::Ping(_) | Message::Frame(_) => {}
        }
        if self.messages.0.elapsed() >= Duration::from_secs(1) {
            self.messages = (Instant::now(), 0);
        }
        self.messages.1 += 1;
        // In a second of the machine's clock; answers to pings are not counted.
        if self.messages.1 > self.exchange.product.messages_max() {
            return self.end(frame(1008, "Too many requests")).await;
        }
        let Message::Text(text) = message else { return Ok(()) };
        let answer = requests::answer(&self.exchange, &self.peer, &text, self.combined);
        self.combined = answer.combined.unwrap_or(self.combined);
        self.socket.send(Message::Text(answer.text.into())).await?;
        if answer.end { self.end(frame(1008, "Too many streams")).await } else { Ok(()) }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all other faults are no matter of the frames")]
    async fn perform(&mut self, task: Task) -> Result<(), Ended> {
        let (fault, stream) = match task {
            Task::Frame(frame) => return self.send(frame).await,
            Task::Fault(fault, stream) => (fault, stream),
        };
        if self.tamper.add(&fault, stream) {
            return Ok(());
        }
        match fault {
            Fault::Close { code, reason } => {
                self.note("close", None);
                self.end(frame(code, &reason)).await
            }
            Fault::Shutdown { after_ms } => {
                self.note("shutdown", None);
                self.ending = Some((Instant::now() + Duration::from_millis(after_ms), frame(1001, "server shutdown")));
                let event = json!({"e": "serverShutdown", "E": self.exchange.time()});
                let event = if self.combined { json!({"stream": "!serverShutdown", "data": event}) } else { event };
                self.text(event.to_string().into()).await
            }
            Fault::Inject { text } => {
                self.note("inject", None);
                self.text(text.into()).await
            }
            Fault::Cut { byte, then, seed } => {
                self.note("cut", None);
                self.peer.line.set(Mode::Cut { left: byte, then, seed });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn send(&mut self, frame: Arc<Prepared>) -> Result<(), Ended> {
        let text = if self.combined { frame.combined.clone() } else { frame.raw.clone() };
        let (frames, done) = self.tamper.pass(Passing { frame, text });
        for done in &done {
            self.note(done.kind, Some(&done.frame));
        }
        for Passing { frame, text } in frames {
            let before = Written::before();
            self.text(text).await?;
            if let Some(written) = &self.exchange.written {
                written.note(before, &frame.frame);
            }
            if frame.frame.trade.is_some() {
                *lock(&self.peer.last_trade) = frame.frame.trade;
            }
        }
        Ok(())
    }

    async fn text(&mut self, text: Utf8Bytes) -> Result<(), Ended> {
        Ok(self.socket.send(Message::Text(text)).await?)
    }

    fn note(&self, event: &str, frame: Option<&Prepared>) {
        let last = || *lock(&self.peer.last_trade);
        let entry = Entry {
            connection: Some(self.peer.number),
            stream: frame.map(|frame| frame.frame.stream.as_str()),
            trade: frame.map_or_else(last, |frame| frame.frame.trade),
            detail: Value::Null,
        };
        self.exchange.log(event, entry);
    }
}

fn every(period: Duration) -> Interval {
    let mut ticks = tokio::time::interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn frame(code: u16, reason: &str) -> CloseFrame {
    CloseFrame { code: code.into(), reason: reason.into() }
}

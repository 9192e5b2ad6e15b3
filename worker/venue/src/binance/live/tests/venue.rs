//! A small venue over loopback: answers requests by a script, and gives each stream to the test as it comes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::super::{Config, Product};

/// All that is awaited comes within this time, or the test fails.
pub const DEADLINE: Duration = Duration::from_secs(20);

type Script = dyn Fn(&str) -> (u16, String) + Send + Sync;

pub struct Venue {
    pub config: Config,
    sockets: mpsc::UnboundedReceiver<Socket>,
    /// Paths that were asked for.
    pub asked: Arc<Mutex<Vec<String>>>,
}

pub struct Socket(WebSocketStream<TcpStream>);

impl Venue {
    /// Answers each path as the script says: with a status, and a body or, of 429 and 418, the seconds to wait.
    pub async fn answering(script: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> Self {
        let rest = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = Config {
            product: Product::Spot,
            rest: vec![format!("http://{}", rest.local_addr().unwrap()).parse().unwrap()],
            stream: vec![format!("ws://{}", stream.local_addr().unwrap()).parse().unwrap()],
            proxy: None,
            ca: None,
        };
        let (script, asked) = (Arc::new(script) as Arc<Script>, Arc::new(Mutex::new(Vec::new())));
        let (sender, sockets) = mpsc::unbounded_channel();
        let noted = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = rest.accept().await {
                answer(stream, &script, &noted).await;
            }
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = stream.accept().await {
                let socket = tokio_tungstenite::accept_async(stream).await.unwrap();
                if sender.send(Socket(socket)).is_err() {
                    return;
                }
            }
        });
        Self { config, sockets, asked }
    }

    /// The next connection of streams.
    pub async fn socket(&mut self) -> Socket {
        timeout(DEADLINE, self.sockets.recv()).await.expect("a connection in time").unwrap()
    }
}

async fn answer(mut stream: TcpStream, script: &Arc<Script>, asked: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    asked.lock().unwrap().push(path.clone());
    let (status, body) = script(&path);
    let retry = if matches!(status, 418 | 429) { format!("retry-after: {body}\r\n") } else { String::new() };
    let answer = format!("HTTP/1.1 {status} X\r\n{retry}content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await.unwrap();
}

impl Socket {
    /// Takes the next subscription and answers it; its streams.
    pub async fn subscribed(&mut self) -> Vec<String> {
        let message = loop {
            if let Message::Text(text) = self.received().await {
                break serde_json::from_str::<Value>(&text).unwrap();
            }
        };
        self.send(&format!(r#"{{"result":null,"id":{}}}"#, message["id"])).await;
        message["params"].as_array().unwrap().iter().map(|stream| stream.as_str().unwrap().to_owned()).collect()
    }

    pub async fn received(&mut self) -> Message {
        timeout(DEADLINE, self.0.next()).await.expect("a message in time").unwrap().unwrap()
    }

    pub async fn send(&mut self, text: &str) {
        self.try_send(text).await.unwrap();
    }

    /// Sends, if the other side is there.
    pub async fn try_send(&mut self, text: &str) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        self.0.send(Message::text(text.to_owned())).await
    }

    pub async fn ping(&mut self, payload: &'static [u8]) {
        self.0.send(Message::Ping(payload.into())).await.unwrap();
    }

    /// Waits until the other side has gone.
    pub async fn ended(&mut self) {
        let gone = async { while let Some(Ok(_)) = self.0.next().await {} };
        timeout(DEADLINE, gone).await.expect("an end in time");
    }
}

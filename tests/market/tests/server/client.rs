//! A server for a test, and a client of it that waits for nothing longer than its deadline.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use market_server::control::{Aim, ClockChange, Fault};
use market_server::process::Server;
use serde_json::Value;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

/// No test waits longer for one thing.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// 400 frames of one and a half seconds: 69 trades.
pub fn recording() -> String {
    repository().join("worker/venue/testdata/binance-spot-btcusdt-20240808.gz").display().to_string()
}

/// 1,440 candles.
pub fn candles() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/BTCBUSD-1m.csv.gz").display().to_string()
}

pub fn lines(path: &str) -> Vec<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path).expect("a file of test data");
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).expect("packed text");
    text.lines().map(str::to_owned).collect()
}

pub fn server(options: &[&str]) -> Server {
    Server::spawn(Path::new(env!("CARGO_BIN_EXE_market-server")), options).expect("the server starts")
}

/// An endless market at the machine's own speed: a burst, or a trade each half second.
pub fn lively() -> Server {
    server(&["--random", "7", "--speed", "20"])
}

pub fn resume(server: &Server) {
    let change = ClockChange { paused: Some(false), ..ClockChange::default() };
    server.control.clock(&change).expect("the clock runs");
}

pub fn order(server: &Server, fault: Fault) {
    server.control.fault(Aim::default(), fault).expect("an order that can be");
}

/// An answer: status, head, body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

pub fn try_get(server: &Server, path: &str) -> io::Result<Answer> {
    let host = server.endpoints.rest.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

pub fn get(server: &Server, path: &str) -> Answer {
    try_get(server, path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What came over a WebSocket.
#[derive(Debug, PartialEq)]
pub enum Came {
    Text(String),
    Ping,
    /// A close frame, with its code.
    Closed(u16),
    /// TCP's end or an error: what it was.
    Broken(String),
    /// Nothing in that time.
    Nothing,
}

pub struct Stream(pub WebSocket<TcpStream>);

impl Stream {
    pub fn try_open(server: &Server, path: &str) -> Result<Self, tungstenite::Error> {
        let url = format!("{}{path}", server.endpoints.stream);
        let tcp = TcpStream::connect(server.endpoints.stream.trim_start_matches("ws://"))?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        match tungstenite::client(url, tcp) {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(tungstenite::HandshakeError::Failure(error)) => Err(error),
            Err(tungstenite::HandshakeError::Interrupted(_)) => panic!("no answer to the handshake"),
        }
    }

    pub fn open(server: &Server, path: &str) -> Self {
        Self::try_open(server, path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The next thing that comes in that time.
    pub fn within(&mut self, time: Duration) -> Came {
        self.0.get_ref().set_read_timeout(Some(time)).expect("a time above zero");
        match self.0.read() {
            Ok(Message::Text(text)) => Came::Text(text.to_string()),
            Ok(Message::Ping(_)) => Came::Ping,
            Ok(Message::Close(frame)) => Came::Closed(frame.map_or(0, |frame| frame.code.into())),
            Ok(other) => panic!("{other:?}"),
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Came::Nothing,
            Err(error) => Came::Broken(error.to_string()),
        }
    }

    pub fn came(&mut self) -> Came {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.within(PATIENCE) {
                Came::Ping if Instant::now() < end => {}
                came => return came,
            }
        }
    }

    pub fn text(&mut self) -> String {
        match self.came() {
            Came::Text(text) => text,
            came => panic!("a text was expected: {came:?}"),
        }
    }

    pub fn json(&mut self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The id of the next trade.
    pub fn trade(&mut self) -> u64 {
        self.json()["t"].as_u64().expect("a trade")
    }

    pub fn ask(&mut self, text: &str) -> Value {
        self.0.send(Message::text(text)).expect("it can be sent");
        self.json()
    }

    /// Its next frames are these.
    pub fn gives(&mut self, frames: &[String]) {
        for (number, frame) in frames.iter().enumerate() {
            assert_eq!(self.text(), *frame, "frame {number}");
        }
    }

    /// What came until it ended, and how.
    pub fn rest(&mut self) -> (Vec<String>, Came) {
        let mut texts = Vec::new();
        loop {
            match self.came() {
                Came::Text(text) => texts.push(text),
                end => return (texts, end),
            }
        }
    }
}

/// The names of an object's fields.
pub fn keys(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(object) => object.keys().cloned().collect(),
        // Columns without names: how many, and of what kind.
        Value::Array(row) => row.iter().enumerate().map(|(at, cell)| format!("{at}: {}", cell.is_string())).collect(),
        other => panic!("{other}"),
    }
}

/// An answer, or the first row of one, has the keys of the recorded one.
pub fn assert_keys(path: &str, ours: &Value, recorded: &Value) {
    assert_eq!(recorded.is_array(), ours.is_array(), "{path}");
    let [ours, recorded] = [ours, recorded].map(|answer| if answer.is_array() { &answer[0] } else { answer });
    assert_eq!(keys(ours), keys(recorded), "{path}");
    for side in ["bids", "asks"].iter().filter(|side| !recorded[**side].is_null()) {
        assert_eq!(keys(&ours[side][0]), keys(&recorded[side][0]), "{path}");
    }
}

/// Frames of a recording that are wanted.
pub fn frames(recording: &str, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let frames = lines(recording).into_iter().filter_map(|line| Some(line.split_once(' ')?.1.to_owned()));
    frames.filter(|frame| is_wanted(frame)).collect()
}

/// Waits until it is so.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::yield_now();
    }
}

//! The server as a process of its own, and a client of its control interface that needs no other crates.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::control::{Aim, ClockChange, Endpoints, Fault, Line, Order, State};

/// How long the server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that runs as a process; it ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub endpoints: Endpoints,
    /// Its faults, its clock, its log.
    pub control: Control,
    child: Child,
}

impl Server {
    /// Starts the program at `program` with these options, and waits until it listens. Fails with what it wrote
    /// to standard error.
    pub fn spawn(program: &Path, options: &[&str]) -> io::Result<Self> {
        let mut command = Command::new(program);
        let mut child = command.args(options).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let Ok(endpoints) = serde_json::from_str::<Endpoints>(&line) else {
            let mut error = String::new();
            child.stderr.take().map_or(Ok(0), |mut stderr| stderr.read_to_string(&mut error))?;
            child.wait()?;
            return Err(io::Error::other(format!("{}: {}", program.display(), error.trim())));
        };
        let control = Control { base: endpoints.control.clone() };
        Ok(Self { endpoints, control, child })
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process has ended by itself, and how.
    pub fn ended(&mut self) -> io::Result<Option<std::process::ExitStatus>> {
        self.child.try_wait()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whoever drops it can do nothing about a process that has gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A client of the control interface.
#[derive(Debug, Clone)]
pub struct Control {
    base: String,
}

impl Control {
    /// A client of the control interface at that base, as the endpoints name it.
    pub fn at(base: &str) -> Self {
        Self { base: base.to_owned() }
    }

    /// Orders a fault for all that the aim meets.
    pub fn fault(&self, aim: Aim, fault: Fault) -> io::Result<()> {
        self.post("/control/fault", &Order { aim, fault }).map(drop)
    }

    /// Changes the exchange's clock.
    pub fn clock(&self, change: &ClockChange) -> io::Result<State> {
        parsed(&self.post("/control/clock", change)?)
    }

    /// How the server stands.
    pub fn state(&self) -> io::Result<State> {
        parsed(&self.exchange("GET", "/control/state", "")?)
    }

    /// The log from that line on.
    pub fn log(&self, from: u64) -> io::Result<Vec<Line>> {
        let lines = self.exchange("GET", &format!("/control/log?from={from}"), "")?;
        lines.lines().map(parsed).collect()
    }

    /// Waits for a line of the log that fits.
    pub fn wait(&self, fits: impl Fn(&Line) -> bool) -> io::Result<Line> {
        let end = Instant::now() + PATIENCE;
        let mut from = 0;
        while Instant::now() < end {
            let lines = self.log(from)?;
            from = lines.last().map_or(from, |line| line.number + 1);
            if let Some(line) = lines.into_iter().find(|line| fits(line)) {
                return Ok(line);
            }
            std::thread::yield_now();
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "no such line came into the log"))
    }

    fn post(&self, path: &str, body: &impl Serialize) -> io::Result<String> {
        self.exchange("POST", path, &serde_json::to_string(body)?)
    }

    /// One request, one connection.
    fn exchange(&self, method: &str, path: &str, body: &str) -> io::Result<String> {
        let host = self.base.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        if head.split(' ').nth(1) == Some("200") {
            Ok(body.to_owned())
        } else {
            Err(io::Error::other(format!("{method} {path}: {body}")))
        }
    }
}

fn parsed<T: DeserializeOwned>(text: &str) -> io::Result<T> {
    Ok(serde_json::from_str(text)?)
}

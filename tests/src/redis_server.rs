//! A real redis-server of its own for a test: free loopback port, own directory, killed on drop.
//!
//! Nothing is shared between tests, so they may kill, fill and demote it. Stops the test at the
//! first surprise: a test without its server proves nothing.
#![allow(clippy::panic, clippy::expect_used, clippy::missing_panics_doc, reason = "only tests call this")]

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

const READY_WITHIN: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);
/// Another process can take the port between our look and the server's start.
const PORT_ATTEMPTS: u32 = 5;
/// A client that dials the dead server's port can be given that very port for a moment.
const PORT_FREE_WITHIN: Duration = Duration::from_secs(20);

/// A running redis-server.
#[derive(Debug)]
pub struct RedisServer {
    directory: TempDir,
    port: u16,
    arguments: Vec<String>,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts one without persistence.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with more arguments, e.g. `&["--appendonly", "yes"]`; later ones win.
    pub fn start_with(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let mut server = Self { directory, port: 0, arguments, child: None };
        for _ in 0..PORT_ATTEMPTS {
            server.port = free_port();
            if server.launch() {
                return server;
            }
        }
        panic!("redis-server does not start; its log: {}", server.log());
    }

    /// The URL for clients.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// The address it listens at.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Kills it with SIGKILL, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().and_then(|()| child.wait()).expect("our own child can be killed");
        }
    }

    /// Starts it again after [`kill`](Self::kill): same port, same directory, same arguments.
    pub fn restart(&mut self) {
        self.kill();
        let deadline = Instant::now() + PORT_FREE_WITHIN;
        while !self.launch() {
            let taken = self.log().contains("Address already in use");
            assert!(taken && Instant::now() < deadline, "redis-server does not start again; its log: {}", self.log());
            thread::sleep(POLL);
        }
    }

    /// Runs redis-cli and gives its output, without the last line feed.
    pub fn cli(&self, arguments: &[&str]) -> String {
        self.cli_with_input(arguments, None)
    }

    /// Runs redis-cli with bytes as the command's last argument: they need not be text.
    pub fn cli_with_input(&self, arguments: &[&str], last: Option<&[u8]>) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        if last.is_some() {
            command.arg("-x");
        }
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("install redis-tools (tests/run does)");
        let mut input = child.stdin.take().expect("stdin is piped");
        input.write_all(last.unwrap_or_default()).expect("redis-cli reads its input");
        drop(input);
        let output = child.wait_with_output().expect("redis-cli ends");
        let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        assert!(output.status.success(), "redis-cli {arguments:?} fails: {text}");
        text
    }

    /// A value out of INFO.
    pub fn info(&self, name: &str) -> String {
        let info = self.cli(&["INFO"]);
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.expect("INFO has the value").trim().to_owned()
    }

    /// Starts the process and waits until it answers; false: it ended before.
    fn launch(&mut self) -> bool {
        let log = File::create(self.directory.path().join("log")).expect("the log can be written");
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]);
        command.arg(self.directory.path()).args(&self.arguments);
        command.stdin(Stdio::null()).stderr(log.try_clone().expect("a file can be opened twice")).stdout(log);
        let mut child = command.spawn().expect("install redis-server (tests/run does)");
        let deadline = Instant::now() + READY_WITHIN;
        while !self.answers(child.id()) {
            if child.try_wait().expect("our own child can be asked").is_some() {
                return false;
            }
            if Instant::now() > deadline {
                // Not left behind: the child is not ours to drop yet.
                child.kill().ok();
                child.wait().ok();
                panic!("redis-server gives no answer; its log: {}", self.log());
            }
            thread::sleep(POLL);
        }
        self.child = Some(child);
        true
    }

    /// Whether the process serves. One that still loads its file answers PING with an error; and another test's server
    /// may have taken the port.
    fn answers(&self, pid: u32) -> bool {
        let ping = || -> std::io::Result<bool> {
            let mut stream = TcpStream::connect(self.address())?;
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            stream.write_all(b"PING\r\nINFO server\r\n")?;
            let mut lines = BufReader::new(stream).lines();
            let pong = lines.next().transpose()?.is_some_and(|line| line == "+PONG");
            for line in lines {
                if let Some(process) = line?.strip_prefix("process_id:") {
                    return Ok(pong && process == pid.to_string());
                }
            }
            Ok(false)
        };
        ping().unwrap_or(false)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    listener.local_addr().expect("a bound listener has an address").port()
}

//! Between one process and its Redis: sees each request, and can end the process at a chosen moment of a commit.
//!
//! One thread a connection, one request at a time, as Redis itself answers them. Changes no byte.
#![allow(clippy::panic, clippy::expect_used, clippy::missing_panics_doc, reason = "only tests call this")]

pub mod resp;

use std::{
    fmt,
    io::{self, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use resp::Frame;

/// When the process is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It has sent a commit; Redis never sees it.
    BeforeCommit,
    /// Redis has done the commit; the process never learns it.
    InCommit,
    /// It has just got the answer of its commit.
    AfterCommit,
    /// It waits in a read.
    Reading,
    /// It has just got what it read, and works on it.
    Working,
}

impl Phase {
    /// All of them, in the order of a round.
    pub const ALL: [Self; 5] = [Self::BeforeCommit, Self::InCommit, Self::AfterCommit, Self::Reading, Self::Working];
}

/// Waits for its moment, then ends the process: called once, and returns when the process is dead.
type End = Box<dyn FnOnce() + Send>;

struct Trap {
    phase: Phase,
    countdown: u32,
    end: End,
}

#[derive(Default)]
struct State {
    trap: Option<Trap>,
    sprung: bool,
}

struct Shared {
    redis: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

/// A listening proxy. Its threads end with their connections.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({} -> {})", self.address, self.shared.redis)
    }
}

/// What a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    Commit,
    Read,
    Other,
}

impl Proxy {
    /// Starts one in front of the Redis at `redis`.
    pub fn start(redis: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared { redis, state: Mutex::default(), changed: Condvar::new() });
        let serving = Arc::clone(&shared);
        // Ends with the test's process: a listener cannot be interrupted.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&serving);
                thread::spawn(move || shared.serve(&client));
            }
        });
        Self { address, shared }
    }

    /// The URL for the process behind it.
    pub fn url(&self) -> String {
        format!("redis://{}/", self.address)
    }

    /// Calls `end` at the `nth` (from 1) such moment from now on.
    pub fn arm(&self, phase: Phase, nth: u32, end: impl FnOnce() + Send + 'static) {
        let trap = Trap { phase, countdown: nth.max(1), end: Box::new(end) };
        *self.shared.lock() = State { trap: Some(trap), sprung: false };
    }

    /// Waits until the trap has sprung and its `end` has returned. `false`: not within that time.
    pub fn wait_until_sprung(&self, within: Duration) -> bool {
        let state = self.shared.lock();
        let waited = self.shared.changed.wait_timeout_while(state, within, |state| !state.sprung);
        waited.unwrap_or_else(PoisonError::into_inner).0.sprung
    }

    /// Takes back a trap; `false`: it has sprung, or does so now.
    pub fn disarm(&self) -> bool {
        self.shared.lock().trap.take().is_some()
    }

    /// Whether the trap has sprung and its `end` has returned.
    pub fn has_sprung(&self) -> bool {
        self.shared.lock().sprung
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves one connection until either side closes it.
    fn serve(&self, client: &TcpStream) {
        // Refused while Redis is away, as Redis itself would.
        let Ok(redis) = TcpStream::connect(self.redis) else { return };
        // An error is a closed connection: the process was killed, or Redis was.
        let _ = self.pass(client, &redis);
        for stream in [client, &redis] {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    fn pass(&self, client: &TcpStream, redis: &TcpStream) -> io::Result<()> {
        for stream in [client, redis] {
            stream.set_nodelay(true)?;
        }
        let (mut requests, mut answers) = (BufReader::new(client), BufReader::new(redis));
        let (mut to_client, mut to_redis) = (client, redis);
        while let Some((frame, raw)) = resp::read(&mut requests)? {
            let request = Request::of(&frame);
            if request == Request::Commit && self.springs(Phase::BeforeCommit) {
                return Ok(());
            }
            to_redis.write_all(&raw)?;
            if request == Request::Read && self.springs(Phase::Reading) {
                return Ok(());
            }
            let Some((answer, raw)) = resp::read(&mut answers)? else { return Ok(()) };
            // The script was not known yet: nothing was done.
            let done = request == Request::Commit && !matches!(answer, Frame::Error(_));
            if done && self.springs(Phase::InCommit) {
                return Ok(());
            }
            to_client.write_all(&raw)?;
            if done && self.springs(Phase::AfterCommit) {
                return Ok(());
            }
            if request == Request::Read && !answer.items().is_empty() && self.springs(Phase::Working) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Counts the moment; at the trap's own, ends the process.
    fn springs(&self, phase: Phase) -> bool {
        let mut state = self.lock();
        let Some(trap) = &mut state.trap else { return false };
        if trap.phase != phase {
            return false;
        }
        trap.countdown -= 1;
        if trap.countdown > 0 {
            return false;
        }
        let Some(trap) = state.trap.take() else { return false };
        drop(state);
        (trap.end)();
        self.lock().sprung = true;
        self.changed.notify_all();
        true
    }
}

impl Request {
    /// A commit is the call of a script with a record, its arguments from the ledger to the commit id, and four
    /// counts; no other script of the bus has so many.
    fn of(frame: &Frame) -> Self {
        const LEAST_ARGUMENTS: usize = 10;
        let words = frame.items();
        let word = |index: usize| words.get(index).and_then(Frame::text).unwrap_or_default();
        match word(0).to_ascii_uppercase().as_str() {
            "EVALSHA" | "EVAL" => {
                let keys = word(2).parse().unwrap_or(0);
                let is_commit = words.len() >= 3 + keys + LEAST_ARGUMENTS && word(3).contains(":state:");
                if is_commit { Self::Commit } else { Self::Other }
            }
            "XREAD" => Self::Read,
            _ => Self::Other,
        }
    }
}

//! The floor of the way from a tick to its fill: three raw sockets, of which each adds an entry of 300 bytes that the
//! next one waits for, as feed, worker and gateway do. Nothing is decoded, judged or stored beside.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::process::exit::Failure;

/// What an entry carries.
const BYTES: usize = 300;
/// The streams, in the order of the way.
const STREAMS: [&str; 3] = ["floor:tick", "floor:command", "floor:fill"];

fn refuse(error: impl std::fmt::Display) -> Failure {
    Failure::error(format!("bench: the floor's socket: {error}"))
}

/// One connection, without a client library.
struct Socket(BufReader<TcpStream>);

impl Socket {
    fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).map_err(refuse)?;
        stream.set_nodelay(true).map_err(refuse)?;
        Ok(Self(BufReader::new(stream)))
    }

    fn ask(&mut self, words: &[&str]) -> Result<(), Failure> {
        let words: Vec<_> = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        let request = format!("*{}\r\n{}", words.len(), words.concat());
        self.0.get_mut().write_all(request.as_bytes()).map_err(refuse)?;
        self.skip()
    }

    /// Reads one answer to its end.
    fn skip(&mut self) -> Result<(), Failure> {
        let mut open = 1_usize;
        while open > 0 {
            let mut line = String::new();
            if self.0.read_line(&mut line).map_err(refuse)? == 0 {
                return Err(refuse("closed"));
            }
            let count = || line[1..].trim_end().parse::<i64>().map_err(refuse);
            open -= 1;
            match line.as_bytes().first() {
                Some(b'*') => open += usize::try_from(count()?).unwrap_or_default(),
                Some(b'$') => {
                    let length = u64::try_from(count()? + 2).unwrap_or_default();
                    std::io::copy(&mut self.0.by_ref().take(length), &mut std::io::sink()).map_err(refuse)?;
                }
                Some(b'+' | b':') => {}
                _ => return Err(refuse(line.trim_end())),
            }
        }
        Ok(())
    }

    fn add(&mut self, stream: &str, number: u64) -> Result<(), Failure> {
        self.ask(&["XADD", stream, "MAXLEN", "1", &format!("{number}-0"), "d", &"x".repeat(BYTES)])
    }

    /// Waits for the entry of this number.
    fn take(&mut self, stream: &str, number: u64) -> Result<(), Failure> {
        self.ask(&["XREAD", "COUNT", "1", "BLOCK", "0", "STREAMS", stream, &format!("{}-0", number - 1)])
    }
}

/// Two threads that hand on, and the socket at which the way begins and ends.
pub(super) struct Floor {
    socket: Socket,
    rounds: u64,
}

impl Floor {
    pub fn start(address: SocketAddr) -> Result<Self, Failure> {
        for (from, to) in [(STREAMS[0], STREAMS[1]), (STREAMS[1], STREAMS[2])] {
            let mut socket = Socket::open(address)?;
            // Ends with the server, which closes its connection.
            std::thread::spawn(move || {
                for number in 1.. {
                    if socket.take(from, number).and_then(|()| socket.add(to, number)).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self { socket: Socket::open(address)?, rounds: 0 })
    }

    /// One way: an entry goes in, and the third comes out.
    pub fn round(&mut self) -> Result<Duration, Failure> {
        self.rounds += 1;
        let started = Instant::now();
        self.socket.add(STREAMS[0], self.rounds)?;
        self.socket.take(STREAMS[2], self.rounds)?;
        Ok(started.elapsed())
    }
}

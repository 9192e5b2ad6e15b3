//! A Redis of the bench's own: in a folder of its own, on a free port of the loopback, gone with it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::process::exit::Failure;

/// How long a server may take until it answers.
const START_MAX: Duration = Duration::from_secs(10);

/// A running `redis-server`.
pub(super) struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    pub fn start() -> Result<Self, Failure> {
        let refuse = |error: &dyn std::fmt::Display| {
            Failure::error(format!("bench: redis-server: {error}; it must be in the PATH to measure through it"))
        };
        // Free at this moment; who takes it in the next one makes the server end, and the bench with it.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let address = free.map_err(|error| refuse(&error))?;
        let port = address.port().to_string();
        let process = Command::new("redis-server")
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| refuse(&error))?;
        let mut server = Self { process, address };
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Ok(Some(status)) = server.process.try_wait() {
                return Err(refuse(&format!("ended at once: {status}")));
            }
            if started.elapsed() > START_MAX {
                return Err(refuse(&format!("does not answer for {} s", START_MAX.as_secs())));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn end(&mut self) {
        // One that has ended already needs no end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

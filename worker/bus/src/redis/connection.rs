//! Connections to one Redis server: opened late, dropped at the first doubt, never shared with a
//! blocked read. May not repeat a command: only the caller knows whether that is safe.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
    RedisError, RedisResult, ScriptInvocation, Value, aio::MultiplexedConnection, io::tcp::TcpSettings,
};
use tokio::time::Instant;

use crate::{Backoff, BusError, Failure};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The library's own 500 ms is shorter than one slow fsync or snapshot fork of the server.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest pause between attempts; a caller waits at most this before its own attempt.
const PAUSE_CAP: Duration = Duration::from_secs(2);
/// Idle connections kept for blocking readers. A pod has one or two readers; a run on Redis has one for each role, and
/// each would else connect anew for nearly every read.
const IDLE_READERS: usize = 1_024;

/// The connections of one process to one server.
pub(super) struct Connections {
    client: Client,
    /// Host and port, for messages; never credentials.
    server: String,
    login: Login,
    /// One connection for everything that is answered at once. Calls may overlap on it: the
    /// library matches answers by order, also for a call whose future was dropped.
    command: tokio::sync::Mutex<Slot>,
    readers: Mutex<Vec<MultiplexedConnection>>,
    pause: Mutex<Pause>,
}

#[derive(Default)]
struct Slot {
    /// Counts connections, so that a late failure on an old one does not drop its successor.
    generation: u64,
    connection: Option<MultiplexedConnection>,
}

struct Pause {
    backoff: Backoff,
    not_before: Option<Instant>,
    /// Counts failed attempts.
    failures: u64,
}

impl Connections {
    /// Reads the URL; connects at the first call.
    pub(super) fn open(url: &str) -> Result<Self, BusError> {
        let (info, login) = read_url(url).map_err(|_words| BusError::OpenUrl { message: why(url) })?;
        let server = info.addr().to_string();
        let client = Client::open(info).map_err(|_words| BusError::OpenUrl { message: why(url) })?;
        let pause =
            Pause { backoff: Backoff::new(Duration::from_millis(50), PAUSE_CAP), not_before: None, failures: 0 };
        Ok(Self {
            client,
            server,
            login,
            command: tokio::sync::Mutex::default(),
            readers: Mutex::default(),
            pause: Mutex::new(pause),
        })
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Sends a command that is answered at once.
    pub(super) async fn query(
        &self,
        action: &'static str,
        subject: &(impl ToString + Sync + ?Sized),
        command: &Cmd,
    ) -> Result<Value, BusError> {
        let (generation, mut connection) = self.command().await?;
        let answer = command.query_async(&mut connection).await;
        self.settle(generation, action, subject, answer).await
    }

    /// Calls a script by its hash. When the server does not know it, the library loads it and
    /// calls again; that is no hidden repetition, the first call did nothing.
    pub(super) async fn invoke(
        &self,
        action: &'static str,
        subject: &(impl ToString + Sync + ?Sized),
        script: &ScriptInvocation<'_>,
    ) -> Result<Value, BusError> {
        let (generation, mut connection) = self.command().await?;
        let answer = script.invoke_async(&mut connection).await;
        self.settle(generation, action, subject, answer).await
    }

    /// Sends a command that may be answered only after `block`, on a connection of its own: on a
    /// shared one every other command would wait behind it.
    pub(super) async fn query_blocking(
        &self,
        action: &'static str,
        subject: &(impl ToString + Sync + ?Sized),
        command: &Cmd,
        block: Duration,
    ) -> Result<Value, BusError> {
        let idle = lock(&self.readers).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            // No time-out of the library's: ours below knows how long this read may block.
            None => self.connect(None).await?,
        };
        // While this runs the connection belongs to this future alone: if the future is dropped,
        // so is the connection, and nobody finds a stale answer on it.
        let answer = match tokio::time::timeout(block + RESPONSE_TIMEOUT, command.query_async(&mut connection)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(timed_out()),
        };
        match answer {
            Ok(value) => {
                self.give_back(connection);
                Ok(value)
            }
            Err(error) => {
                let error = BusError::call(action, subject.to_string(), error);
                if error.failure().is_some_and(Failure::ends_connection) {
                    // Idle ones lead to the same server, and would say so only at their next use.
                    lock(&self.readers).clear();
                } else {
                    self.give_back(connection);
                }
                Err(error)
            }
        }
    }

    fn give_back(&self, connection: MultiplexedConnection) {
        let mut idle = lock(&self.readers);
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
    }

    async fn command(&self) -> Result<(u64, MultiplexedConnection), BusError> {
        let failures = lock(&self.pause).failures;
        // Held while connecting: one attempt serves everyone who waits, if it fails too. Without
        // that each would wait for all attempts before its own.
        let mut slot = self.command.lock().await;
        let connection = if let Some(connection) = &slot.connection {
            connection.clone()
        } else if lock(&self.pause).failures != failures {
            let server = self.server.clone();
            return Err(BusError::Connect { server, failure: Failure::Unavailable, source: None });
        } else {
            let connection = self.connect(Some(RESPONSE_TIMEOUT)).await?;
            slot.generation += 1;
            slot.connection = Some(connection.clone());
            connection
        };
        Ok((slot.generation, connection))
    }

    async fn settle(
        &self,
        generation: u64,
        action: &'static str,
        subject: &(impl ToString + Sync + ?Sized),
        answer: RedisResult<Value>,
    ) -> Result<Value, BusError> {
        let error = match answer {
            Ok(value) => return Ok(value),
            Err(error) => BusError::call(action, subject.to_string(), error),
        };
        if error.failure().is_some_and(Failure::ends_connection) {
            let mut slot = self.command.lock().await;
            if slot.generation == generation {
                slot.connection = None;
                // As above: idle ones lead to the same server.
                lock(&self.readers).clear();
            }
        }
        Err(error)
    }

    /// One attempt, not before the pause after the last failed one is over.
    async fn connect(&self, response_timeout: Option<Duration>) -> Result<MultiplexedConnection, BusError> {
        let not_before = lock(&self.pause).not_before;
        if let Some(instant) = not_before {
            tokio::time::sleep_until(instant).await;
        }
        // One time-out around everything, below, in place of the library's for its part.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(response_timeout);
        let opened = async {
            let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
            self.login.send(&mut connection).await?;
            Ok(connection)
        };
        let opened = tokio::time::timeout(CONNECT_TIMEOUT, opened).await.unwrap_or_else(|_elapsed| Err(timed_out()));
        let mut pause = lock(&self.pause);
        match opened {
            Ok(connection) => {
                pause.backoff.reset();
                pause.not_before = None;
                tracing::debug!(server = self.server, "connected to Redis");
                Ok(connection)
            }
            Err(error) => {
                pause.not_before = Some(Instant::now() + pause.backoff.delay());
                pause.failures += 1;
                let failure = Failure::of(&error);
                Err(BusError::Connect { server: self.server.clone(), failure, source: Some(Box::new(error)) })
            }
        }
    }
}

/// What a new connection sends first.
///
/// The library could send it, but turns any answer to a password into "authentication failed": a
/// server with too many clients for a moment would look like a wrong password, which is permanent.
struct Login {
    username: Option<String>,
    password: Option<String>,
    db: i64,
}

impl Login {
    async fn send(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        if let Some(password) = &self.password {
            let mut auth = redis::cmd("AUTH");
            if let Some(username) = &self.username {
                auth.arg(username);
            }
            auth.arg(password).exec_async(connection).await?;
        }
        if self.db != 0 {
            redis::cmd("SELECT").arg(self.db).exec_async(connection).await?;
        }
        // A server that loads its file takes connections, but answers nothing yet.
        redis::cmd("PING").exec_async(connection).await
    }
}

fn read_url(url: &str) -> RedisResult<(ConnectionInfo, Login)> {
    let info = url.into_connection_info()?;
    let given = info.redis_settings();
    let login = Login {
        username: given.username().map(str::to_owned),
        password: given.password().map(str::to_owned),
        db: given.db(),
    };
    // One shape of answers: the decoder reads lists of the older protocol.
    let settings = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP2).set_skip_set_lib_name();
    // Without no-delay a small command can wait 40 ms for the acknowledgement of the last one.
    let tcp = TcpSettings::default().set_nodelay(true);
    Ok((info.set_tcp_settings(tcp).set_redis_settings(settings), login))
}

/// Why a URL does not read, in our own words, never with a part of it that may be the password. A password with a
/// character that ends its part of the URL makes the reader complain of another part.
fn why(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "it does not begin with redis://".to_owned();
    };
    let (login, server) = rest.rsplit_once('@').unwrap_or(("", rest));
    let ends = |character: &char| matches!(character, '/' | '@' | '#' | '?');
    if let Some(character) = login.chars().find(ends) {
        return format!(
            "the password has a {character}, which ends it; write %2F for /, %40 for @, %23 for #, %3F for ?, %25 for %"
        );
    }
    match scheme {
        "redis" | "valkey" => {}
        "rediss" | "valkeys" => {
            return "TLS is not built in, so rediss:// cannot be used; use redis:// on a network that is trusted"
                .to_owned();
        }
        "unix" | "redis+unix" | "valkey+unix" => {
            return "the path of the socket or the number of the database does not read; write unix:///path?db=0"
                .to_owned();
        }
        _ => return "it does not begin with redis://".to_owned(),
    }
    let (address, path) = server.split_once(['/', '?', '#']).unwrap_or((server, ""));
    let (host, port) = match address.rsplit_once(':') {
        // Within brackets a colon is part of an IPv6 address.
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        Some(_) | None => (address, None),
    };
    let database = path.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
    if host.is_empty() {
        "it names no host".to_owned()
    } else if matches!(host, "0.0.0.0" | "[::]") {
        format!("{host} is where a server listens, and no server's address; name the server's host")
    } else if port.is_some_and(|port| !port.is_empty() && port.parse::<u16>().is_err()) {
        "the port is not a number up to 65535; write it like redis://localhost:6379, and a password before @ with each \
         character that is no letter or digit percent-encoded"
            .to_owned()
    } else if !database.is_empty() && database.parse::<i64>().is_err() {
        "the database is not a number; write it like redis://localhost:6379/0".to_owned()
    } else if server.contains("protocol=") {
        "protocol is not needed; leave it out".to_owned()
    } else {
        "it does not read; check the host, and write each character of the user and the password that is no letter or \
         digit percent-encoded, such as %25 for %"
            .to_owned()
    }
}

fn timed_out() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

/// Held for moments and never over an await; what it guards is whole at any point.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

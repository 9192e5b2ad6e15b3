//! The two stores under test, and the faults they can be given.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bus::{
    AcquireOutcome, Acquired, Commit, CreateOutcome, Fields, Keys, MemoryBus, Message, MessageBus, Owner, RedisBus,
    Scope, StateStore, StreamKey, Topic,
};
use tests::redis_server::RedisServer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// A store under test.
pub trait Store {
    type Bus: MessageBus + StateStore + Clone + Send + Sync + 'static;

    fn bus(&self) -> &Self::Bus;
    /// Refuse writes while more than this is in use.
    fn limit_memory(&self, bytes: u64);
    /// Apply the next commit, but lose its answer.
    fn tear_next_commit(&self);
    /// Returns once a reader waits.
    fn blocked_reader(&self) -> impl Future<Output = ()>;
}

pub struct Memory(MemoryBus);

impl Memory {
    #[expect(clippy::unused_async, reason = "the other store needs it")]
    pub async fn start() -> Self {
        Self(MemoryBus::new())
    }
}

impl Store for Memory {
    type Bus = MemoryBus;

    fn bus(&self) -> &MemoryBus {
        &self.0
    }

    fn limit_memory(&self, bytes: u64) {
        self.0.limit_memory(Some(bytes));
    }

    fn tear_next_commit(&self) {
        self.0.tear_next_commit();
    }

    async fn blocked_reader(&self) {
        // One thread: after a yield the reader has run up to its wait.
        tokio::task::yield_now().await;
    }
}

/// A server, and a bus that reaches it through a proxy that can cut.
pub struct Redis {
    pub server: RedisServer,
    bus: RedisBus,
    cut: Arc<AtomicBool>,
}

impl Redis {
    pub async fn start() -> Self {
        Self::of(RedisServer::start()).await
    }

    pub async fn of(server: RedisServer) -> Self {
        let cut = Arc::new(AtomicBool::new(false));
        let port = proxy(server.address(), Arc::clone(&cut)).await;
        let bus = RedisBus::open(&format!("redis://127.0.0.1:{port}/")).unwrap();
        Self { server, bus, cut }
    }
}

impl Store for Redis {
    type Bus = RedisBus;

    fn bus(&self) -> &RedisBus {
        &self.bus
    }

    fn limit_memory(&self, bytes: u64) {
        self.server.cli(&["CONFIG", "SET", "maxmemory", &bytes.to_string()]);
    }

    fn tear_next_commit(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    async fn blocked_reader(&self) {
        while self.server.info("blocked_clients") == "0" {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Forwards connections; once `cut` is set, the next answer is swallowed and its connection ends.
/// The server has done by then what it was asked for.
async fn proxy(server: SocketAddr, cut: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let cut = Arc::clone(&cut);
            tokio::spawn(async move {
                // A dead server is a closed connection to the client as well.
                let Ok(upstream) = TcpStream::connect(server).await else { return };
                client.set_nodelay(true).unwrap();
                upstream.set_nodelay(true).unwrap();
                let (client_read, client_write) = client.into_split();
                let (server_read, server_write) = upstream.into_split();
                tokio::select! {
                    () = forward(client_read, server_write, None) => {}
                    () = forward(server_read, client_write, Some(cut)) => {}
                }
            });
        }
    });
    port
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, cut: Option<Arc<AtomicBool>>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if cut.as_ref().is_some_and(|cut| cut.swap(false, Ordering::SeqCst)) {
            return;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

pub fn keys() -> Keys {
    Keys::new("glm").unwrap()
}

pub fn account() -> Scope {
    Scope::account("trading", "paper").unwrap()
}

pub fn owner() -> Owner {
    keys().strategy(&account(), "trend")
}

pub fn stream(topic: Topic) -> StreamKey {
    keys().topic(&account(), topic)
}

/// A message to the order commands: the stream most cases use.
pub fn message(data: &str) -> Message {
    Message::new(stream(Topic::OrderCommand), 1, data)
}

/// Creates the owner's record.
pub async fn created(bus: &impl StateStore) -> String {
    match bus.create(&owner(), "uid-1", &Fields::new()).await.unwrap() {
        CreateOutcome::Created { ledger } => ledger,
        other @ CreateOutcome::Exists { .. } => panic!("{other:?}"),
    }
}

/// Takes the lease at an epoch.
pub async fn acquired(bus: &impl StateStore, ledger: &str, epoch: u64) -> Acquired {
    let outcome = bus.acquire(&owner(), ledger, epoch).await.unwrap();
    let AcquireOutcome::Acquired(acquired) = outcome else { panic!("{outcome:?}") };
    acquired
}

/// A commit with one field and one message that carry its id.
pub fn change(expected_version: u64, commit_id: &str) -> Commit {
    Commit {
        expected_version,
        commit_id: commit_id.to_owned(),
        set: vec![("last".to_owned(), commit_id.into())],
        messages: vec![message(commit_id)],
        ..Commit::default()
    }
}

/// Everything in a stream, as text.
pub async fn contents(bus: &impl MessageBus, stream: &StreamKey) -> Vec<String> {
    let entries = bus.range(stream, bus::StreamId::ZERO, bus::StreamId::MAX, 10_000).await.unwrap();
    entries.iter().map(|entry| text(&entry.body)).collect()
}

pub fn text(body: &bus::Body) -> String {
    match body {
        bus::Body::Document { data, .. } => data.to_string(),
        bus::Body::Poison { reason, .. } => format!("poison: {reason}"),
    }
}

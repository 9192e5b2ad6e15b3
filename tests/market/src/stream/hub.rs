//! The connections, and who of them has subscribed to what.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::clock::lock;
use crate::control::{Aim, Connection, Fault};
use crate::line::{Line, Mode};
use crate::product::Route;
use crate::venue::market::{Audience, Frame};

/// Messages that wait for a client before it is too slow for the exchange.
const WAITING_MAX: usize = 100_000;

/// A frame as it is sent: alone, and wrapped with its stream's name.
pub struct Prepared {
    /// Where from.
    pub frame: Frame,
    /// As `/ws` sends it.
    pub raw: Utf8Bytes,
    /// As `/stream` sends it.
    pub combined: Utf8Bytes,
}

impl Prepared {
    /// Both forms of a frame.
    pub fn new(frame: Frame) -> Arc<Self> {
        let combined = format!("{{\"stream\":\"{}\",\"data\":{}}}", frame.stream, frame.data).into();
        Arc::new(Self { raw: frame.data.as_str().into(), combined, frame })
    }
}

/// What a connection's task is told.
pub enum Task {
    /// To send a frame.
    Frame(Arc<Prepared>),
    /// To do something to its frames, in turn with them; only to this stream's.
    Fault(Fault, Option<String>),
}

/// A connection.
pub struct Peer {
    /// In order of acceptance, from 1.
    pub number: u64,
    /// What its bytes do.
    pub line: Arc<Line>,
    tasks: OnceLock<mpsc::Sender<Task>>,
    streams: Mutex<BTreeSet<String>>,
    route: OnceLock<Route>,
    /// The last trade that was sent.
    pub last_trade: Mutex<Option<u64>>,
}

impl Peer {
    /// Whether it carries streams.
    pub fn websocket(&self) -> bool {
        self.tasks.get().is_some()
    }

    /// It carries streams of this route from now on: what it is to do.
    pub fn upgrade(&self, route: Route) -> mpsc::Receiver<Task> {
        self.route.get_or_init(|| route);
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        // A second handshake on one connection cannot happen; its queue would stay empty.
        drop(self.tasks.set(sender));
        receiver
    }

    /// To what it has subscribed.
    pub fn streams(&self) -> Vec<String> {
        lock(&self.streams).iter().cloned().collect()
    }

    /// Tells it something. Who does not read for long is cut off, unless a fault keeps it from reading.
    pub fn tell(&self, task: Task) {
        let full = self.tasks.get().is_some_and(|tasks| tasks.try_send(task).is_err());
        if full && !self.line.stalled() {
            self.line.set(Mode::Dead { reset: false });
        }
    }

    fn met(&self, aim: &Aim) -> bool {
        aim.on.is(self.websocket())
            && aim.connection.is_none_or(|number| number == self.number)
            && aim.stream.as_ref().is_none_or(|stream| lock(&self.streams).contains(stream))
    }
}

/// All connections.
#[derive(Default)]
pub struct Hub {
    accepted: Mutex<u64>,
    peers: Mutex<BTreeMap<u64, Arc<Peer>>>,
    listeners: RwLock<HashMap<String, Vec<Arc<Peer>>>>,
    /// A kind of stream that is taken and never sent.
    silent: Option<&'static str>,
}

impl Hub {
    /// One that takes subscriptions to streams of this kind, and sends none of them.
    pub fn without(silent: Option<&'static str>) -> Self {
        Self { silent, ..Self::default() }
    }

    fn sends(&self, peer: &Peer, stream: &str) -> bool {
        let is_silent = self.silent.is_some_and(|kind| stream.split_once('@').is_some_and(|(_, of)| of == kind));
        !is_silent && peer.route.get().is_none_or(|route| route.has(stream))
    }

    /// A connection was accepted.
    pub fn accept(&self) -> Arc<Peer> {
        let mut accepted = lock(&self.accepted);
        *accepted += 1;
        let peer = Arc::new(Peer {
            number: *accepted,
            line: Line::open(),
            tasks: OnceLock::new(),
            streams: Mutex::default(),
            route: OnceLock::new(),
            last_trade: Mutex::default(),
        });
        lock(&self.peers).insert(peer.number, Arc::clone(&peer));
        peer
    }

    /// A connection is over.
    pub fn leave(&self, peer: &Peer) {
        lock(&self.peers).remove(&peer.number);
        for stream in peer.streams() {
            self.unsubscribe(peer, &stream);
        }
    }

    /// How many were accepted.
    pub fn accepted(&self) -> u64 {
        *lock(&self.accepted)
    }

    /// Those that are open and met.
    pub fn met(&self, aim: &Aim) -> Vec<Arc<Peer>> {
        lock(&self.peers).values().filter(|peer| peer.met(aim)).cloned().collect()
    }

    /// Those that are open.
    pub fn connections(&self) -> Vec<Connection> {
        let of =
            |peer: &Arc<Peer>| Connection { number: peer.number, websocket: peer.websocket(), streams: peer.streams() };
        lock(&self.peers).values().map(of).collect()
    }

    /// Subscribes to a stream; twice is once.
    pub fn subscribe(&self, peer: &Arc<Peer>, stream: &str) {
        if lock(&peer.streams).insert(stream.to_owned()) && self.sends(peer, stream) {
            let mut listeners = self.listeners.write().unwrap_or_else(PoisonError::into_inner);
            listeners.entry(stream.to_owned()).or_default().push(Arc::clone(peer));
        }
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, peer: &Peer, stream: &str) {
        lock(&peer.streams).remove(stream);
        let mut listeners = self.listeners.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(peers) = listeners.get_mut(stream) {
            peers.retain(|other| other.number != peer.number);
            if peers.is_empty() {
                listeners.remove(stream);
            }
        }
    }
}

impl Audience for Hub {
    fn wants(&self, stream: &str) -> bool {
        self.listeners.read().unwrap_or_else(PoisonError::into_inner).contains_key(stream)
    }

    fn hear(&self, frame: Frame) {
        let listeners = self.listeners.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(peers) = listeners.get(&frame.stream) {
            let prepared = Prepared::new(frame);
            for peer in peers {
                peer.tell(Task::Frame(Arc::clone(&prepared)));
            }
        }
    }
}

//! The words of the control interface: what can be done to clients, and the log of what was done.
//!
//! All of it is JSON. Durations `…_ms` are of the machine's clock; `time` is the exchange's, in ms since the epoch.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where a server listens: the line that it prints when it is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// Base of requests, as `http://127.0.0.1:40001`.
    pub rest: String,
    /// Base of streams, as `ws://127.0.0.1:40002`.
    pub stream: String,
    /// Base of the control interface, never under TLS.
    pub control: String,
    /// The certificate in PEM that clients must trust; none without TLS.
    pub ca: Option<PathBuf>,
}

/// One fault and whom it meets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Whom it meets; all WebSockets if it is left out. Faults of the whole exchange do not look at it.
    #[serde(default)]
    pub aim: Aim,
    /// What happens.
    pub fault: Fault,
}

/// A fault at a time, counted in ms of the exchange's clock from the server's start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheduled {
    /// When.
    pub at_ms: i64,
    /// Whom.
    #[serde(default)]
    pub aim: Aim,
    /// What.
    pub fault: Fault,
}

/// Which connections a fault meets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Aim {
    /// Of what kind.
    pub on: Kind,
    /// Only the one that was accepted as so many-th, from 1 and all kinds together. If it is not there yet, the
    /// fault waits for it.
    pub connection: Option<u64>,
    /// Only those that have subscribed to this stream; of frames, only this stream's.
    pub stream: Option<String>,
}

/// A kind of connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Streams.
    #[default]
    Websocket,
    /// Requests.
    Rest,
    /// Both.
    All,
}

impl Kind {
    /// Whether it is meant.
    pub fn is(self, websocket: bool) -> bool {
        match self {
            Self::Websocket => websocket,
            Self::Rest => !websocket,
            Self::All => true,
        }
    }
}

/// What can go wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Half open: nothing is read or written any more, and TCP stays up; for ever without `for_ms`.
    Stall {
        /// How long; afterwards all that has waited is sent.
        #[serde(default)]
        for_ms: Option<u64>,
    },
    /// The next frame ends after so many of its bytes.
    Cut {
        /// Bytes that are sent still, counted from the frame's first; under TLS, of the record.
        byte: usize,
        /// And then.
        #[serde(default)]
        then: AfterCut,
        /// Of the random bytes.
        #[serde(default)]
        seed: u64,
    },
    /// An orderly end: a close frame, then TCP's end. What meets all connections after 24 hours.
    Close {
        /// The close frame's.
        #[serde(default = "close_code")]
        code: u16,
        /// The close frame's.
        #[serde(default)]
        reason: String,
    },
    /// TCP's RST, at once.
    Reset,
    /// The event `serverShutdown`, and an orderly end later.
    Shutdown {
        /// How much later.
        after_ms: u64,
    },
    /// Bytes come slowly.
    Drip {
        /// So many at once.
        bytes: usize,
        /// After each.
        every_ms: u64,
        /// For ever without.
        #[serde(default)]
        for_ms: Option<u64>,
    },
    /// All is held back until so many bytes are there, then they come at once.
    Hold {
        /// How many.
        bytes: usize,
    },
    /// A gap: the next frames are not sent.
    Drop {
        /// How many.
        count: u64,
    },
    /// The next frames are sent twice.
    Duplicate {
        /// How many.
        count: u64,
    },
    /// The next frames are held until all are there, then sent in the opposite order.
    Reorder {
        /// How many.
        count: u64,
    },
    /// In each of the next frames a byte is changed, taken out or put in; the text stays UTF-8.
    Mutate {
        /// How many.
        count: u64,
        /// Of which bytes and what for.
        #[serde(default)]
        seed: u64,
    },
    /// A text frame of our own.
    Inject {
        /// All of it.
        text: String,
    },
    /// Requests and handshakes are answered so: a ban with 418 or 429, a region with 451, a firewall with 403,
    /// trouble with 5xx.
    Status {
        /// The HTTP status.
        status: u16,
        /// The header Retry-After, in seconds.
        #[serde(default)]
        retry_after: Option<u64>,
        /// How long; if neither this nor `count` is given, until it is ended.
        #[serde(default)]
        for_ms: Option<u64>,
        /// How many answers.
        #[serde(default)]
        count: Option<u64>,
        /// Only requests whose path begins so.
        #[serde(default)]
        path: Option<String>,
        /// Requests, handshakes or both.
        #[serde(default = "both")]
        on: Kind,
    },
    /// Answers to requests and handshakes come later.
    Slow {
        /// How much.
        ms: u64,
        /// How long it is so; without, until it is ended.
        #[serde(default)]
        for_ms: Option<u64>,
        /// Only requests whose path begins so.
        #[serde(default)]
        path: Option<String>,
        /// Requests, handshakes or both.
        #[serde(default = "both")]
        on: Kind,
    },
    /// New TCP connections are ended as soon as they are there.
    Refuse {
        /// How long; without, until it is ended.
        #[serde(default)]
        for_ms: Option<u64>,
    },
    /// The exchange tells a wrong time: /api/v3/time, exchangeInfo and `E` of events.
    Clock {
        /// Wrong by so much.
        offset_ms: i64,
    },
    /// A symbol's status changes. It trades only while it is TRADING.
    Symbol {
        /// As BTCUSDT.
        symbol: String,
        /// TRADING, HALT, BREAK or CANCEL_ONLY; of futures SETTLING.
        status: String,
    },
    /// The exchange does not know a symbol any more.
    Delist {
        /// As BTCUSDT.
        symbol: String,
    },
    /// A filter of a symbol changes, as PRICE_FILTER's tickSize.
    Rule {
        /// As BTCUSDT.
        symbol: String,
        /// Its filterType.
        filter: String,
        /// Fields and what they are now.
        set: Map<String, Value>,
    },
    /// Ends every Status, Slow and Refuse, and what was done to the connections that are met: stalls, drips and
    /// what is held back.
    Mend,
}

const fn close_code() -> u16 {
    1001
}

const fn both() -> Kind {
    Kind::All
}

/// How a cut goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterCut {
    /// TCP ends.
    #[default]
    Close,
    /// TCP's RST.
    Reset,
    /// Random bytes stand for all that comes.
    Garbage,
}

/// A change of the exchange's clock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClockChange {
    /// How many times as fast as the machine's it runs.
    pub speed: Option<f64>,
    /// Whether it stands still, and the market with it.
    pub paused: Option<bool>,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// From 1, dense.
    pub number: u64,
    /// The exchange's clock.
    pub time: i64,
    /// What happened: `ordered` when a fault was asked for; `opened` and `closed` of a connection; the fault's
    /// own kind when it met a connection, a frame or an answer.
    pub event: String,
    /// Which connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<u64>,
    /// Which stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The id of the trade that the frame told of; at `closed` and `stall`, the last one that was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trade: Option<u64>,
    /// Anything else: a reason, a status, the fault as it was ordered.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
}

/// How the server stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The exchange's clock.
    pub time: i64,
    /// How many times as fast as the machine's clock.
    pub speed: f64,
    /// The id of each symbol's last trade.
    pub trades: Map<String, Value>,
    /// The connections that are open.
    pub connections: Vec<Connection>,
}

/// An open connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Its number in order of acceptance, from 1.
    pub number: u64,
    /// Whether it carries streams.
    pub websocket: bool,
    /// To what it has subscribed.
    pub streams: Vec<String>,
}

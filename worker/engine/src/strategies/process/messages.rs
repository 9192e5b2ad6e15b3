//! The protocol of a strategy that is a process: one JSON document a line, the version of the protocol and the document's
//! type in each. Decimals are strings, times milliseconds UTC; unknown fields are ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::market::Interval;
use crate::messages::{Side, TimeInForce};
use crate::numbers::{Notional, Price, Quantity, Volume};
use crate::risk::RiskState;
use crate::time::Timestamp;

pub use super::line::{LINE_MAX, LineError, VERSION, read, visible, write};

/// Bytes that a process's state may have.
pub const STATE_MAX: usize = 64 * 1024;
/// Actions that an answer may have.
pub const ACTIONS_MAX: usize = 256;
/// Timers that a process may ask for.
pub const TIMERS_MAX: usize = 16;
/// The longest interval of a timer: a day.
pub const TIMER_SECONDS_MAX: u32 = 86_400;
/// Letters of an order's mark, and of a reason.
pub const WORD_MAX: usize = 64;
/// Letters of what is said to people.
pub const MESSAGE_MAX: usize = 512;

/// One document of the protocol.
pub trait Message {
    /// Its type, as each line says it.
    const TYPE: &'static str;
}

/// To the process, first: what it trades and where it left off.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// The strategy's name.
    pub strategy: String,
    /// Backtest, Paper, Demo, Testnet or Live.
    pub mode: Mode,
    /// Its parameters, as the manifest gives them.
    pub parameters: Box<RawValue>,
    /// What it trades, in the order of the manifest.
    pub instruments: Vec<InstrumentRules>,
    /// What it answered last; null where it starts anew.
    pub state: Option<Box<RawValue>>,
}

/// Where orders go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Recorded data, no clock.
    Backtest,
    /// A simulated venue.
    Paper,
    /// A venue's demo account.
    Demo,
    /// A venue's test network.
    Testnet,
    /// A venue.
    Live,
}

/// A market and its rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstrumentRules {
    /// Such as BTC/USDT.
    pub symbol: String,
    /// Prices of orders are multiples of it.
    pub tick_size: Price,
    /// Quantities of orders are multiples of it.
    pub lot_size: Quantity,
    /// The least worth of an order.
    pub min_notional: Notional,
}

/// From the process, once: what it needs beside ticks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// Bars, each series once.
    #[serde(default)]
    pub bars: Vec<NeededBars>,
    /// Timers, each interval once.
    #[serde(default)]
    pub timers: Vec<Timer>,
}

/// A series of bars that a process is told of as they close.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NeededBars {
    /// One of its instruments.
    pub symbol: String,
    /// Such as 4h.
    pub interval: Interval,
    /// How many it must have seen before it is asked anything; at least 1.
    pub look_back: usize,
}

/// A timer: due at each multiple of its interval since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timer {
    /// 1 to 86,400.
    pub every_seconds: u32,
}

/// To the process: what has happened. All but `events` is as of the first event since anything but prices has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Events {
    /// A number of this batch, for its answer.
    pub batch: u64,
    /// What is held, by asset.
    pub position: BTreeMap<String, Held>,
    /// What all is worth, in the quote asset.
    pub equity: Notional,
    /// Its open orders, by id.
    pub orders: Vec<OpenOrder>,
    /// What may be sent.
    pub risk: Risk,
    /// At least one, in the order in which they happened.
    pub events: Vec<Event>,
}

/// What is held of an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// What no open order reserves.
    pub free: Notional,
    /// What open orders may take, fees included.
    pub reserved: Notional,
}

/// An order that is not closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenOrder {
    /// Its number in the strategy's ledger.
    pub id: u64,
    /// The process's own mark of it; empty where it gave none.
    pub tag: String,
    #[expect(missing_docs, reason = "the name says it")]
    pub symbol: String,
    /// Buy or Sell.
    pub side: Side,
    /// The worst price.
    pub price: Price,
    /// What was ordered.
    pub quantity: Quantity,
    /// What of it has traded.
    pub filled: Quantity,
}

/// What may be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Risk {
    /// AllowAll, BuyOnly, SellOnly, ReduceOnly or Halted.
    pub state: RiskState,
    /// Why it is not AllowAll, or which limits are latched; else empty.
    pub reason: String,
}

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Event {
    /// A market moved.
    Tick(TickEvent),
    /// A bar closed, by the tick that follows.
    Bar(BarEvent),
    /// News of an order.
    Order(OrderEvent),
    /// A timer is due, by the tick that follows.
    #[serde(rename_all = "camelCase")]
    Timer {
        /// The multiple of its interval that was passed; of several the last.
        time: Timestamp,
        /// Which timer.
        every_seconds: u32,
    },
    /// Ticks of a market are missing before the tick that follows.
    Gap {
        #[expect(missing_docs, reason = "the name says it")]
        symbol: String,
    },
}

/// A market moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TickEvent {
    /// Which tick it is, from 0, over all instruments of the strategy.
    pub index: u64,
    #[expect(missing_docs, reason = "the name says it")]
    pub time: Timestamp,
    #[expect(missing_docs, reason = "the name says it")]
    pub symbol: String,
    /// Last traded price.
    pub price: Price,
    /// Best price to sell at; absent where the source has no quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bid: Option<Price>,
    /// Best price to buy at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<Price>,
    /// On offer at `bid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bid_size: Option<Quantity>,
    /// On offer at `ask`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask_size: Option<Quantity>,
    /// Traded since the tick before.
    pub volume: Volume,
}

/// A bar closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BarEvent {
    #[expect(missing_docs, reason = "the name says it")]
    pub symbol: String,
    /// Such as 4h.
    pub interval: Interval,
    /// When it opened.
    pub open_time: Timestamp,
    /// Of its first tick.
    pub open: Price,
    /// The highest.
    pub high: Price,
    /// The lowest.
    pub low: Price,
    /// Of its last tick.
    pub close: Price,
    /// In base.
    pub volume: Volume,
}

/// News of an order: that it was accepted, one trade of it, or its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderEvent {
    /// Absent of an order that was never sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// The process's own mark of it; empty where it gave none.
    pub tag: String,
    /// What has happened.
    pub status: OrderStatus,
    /// Why it ended so; empty where its status says it all.
    pub reason: String,
    /// Of a trade: how much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// Of a trade: at which price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Of a trade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<Notional>,
    /// Of a trade: the asset that the fee was taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_asset: Option<String>,
}

/// What has happened to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderStatus {
    /// The venue has it.
    Accepted,
    /// A part of it traded.
    PartiallyFilled,
    /// The rest of it traded: it is closed.
    Filled,
    /// Closed by a cancel.
    Canceled,
    /// Closed by the market or by time.
    Expired,
    /// Refused by the venue.
    Rejected,
    /// Refused before it reached the venue, with the reason.
    Denied,
}

/// From the process: how far it has read a batch, and what it wants as of the last event that it has read. It stops at the
/// first event on which it acts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// The number of the batch.
    pub batch: u64,
    /// How many of its events were read; at least 1.
    pub consumed: usize,
    /// What is done, in this order; at most 256.
    #[serde(default)]
    pub actions: Vec<Action>,
    /// What it is to be started with another time; null where it keeps nothing.
    #[serde(default)]
    pub state: Option<Box<RawValue>>,
}

/// Something that a process wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// A new order.
    Place(Place),
    /// An order is to be cancelled.
    Cancel {
        /// Its id.
        id: u64,
    },
    /// A new order in the place of one: only if of that no more has traded than was told.
    Replace(Replace),
    /// Why it does what it does, for people.
    Say {
        /// A stable word: letters and digits, at most 64, a letter first.
        reason: String,
        /// The same in words, at most 512 letters.
        #[serde(default)]
        message: String,
    },
}

/// A new order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The process's own mark of it, at most 64 letters.
    #[serde(default)]
    pub tag: String,
    /// One of its instruments; may be left out where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Buy or Sell.
    pub side: Side,
    /// In base, floored to the lot.
    pub quantity: Quantity,
    /// The worst price, rounded to the tick so that it is no worse; left out: the best price there is now, and only what can be
    /// had at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// GTC, IOC or FOK; default GTC. Not without a price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_in_force: Option<TimeInForce>,
    /// Whether it may only wait in the book. Not without a price.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub post_only: bool,
    /// Whether it may only make the position smaller.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reduce_only: bool,
}

/// A new order in the place of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replace {
    /// The old one's id. The new one has another, and the same tag.
    pub id: u64,
    /// Default: that of the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// Default: that of the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
}

/// To the process, last: it may end, and is ended where it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {}

macro_rules! types {
    ($($message:ty = $word:literal),+ $(,)?) => {
        $(impl Message for $message {
            const TYPE: &'static str = $word;
        })+
    };
}

types! {
    Start = "start",
    Ready = "ready",
    Events = "events",
    Answer = "answer",
    Stop = "stop",
}

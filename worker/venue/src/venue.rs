//! What a gateway needs of a place elsewhere to trade, which answers late or never. Knows no bus and no store. What is
//! simulated is [`crate::sim`].
//!
//! An outcome is three-valued: a definite yes, a definite no, or [`Outcome::Unknown`], which is never
//! guessed and never times out into a refusal.

use std::collections::BTreeMap;
use std::future::Future;

use engine::client_order_id::ClientOrderId;
use engine::instrument::{Asset, Symbol};
use engine::messages::OrderCommand;
use engine::numbers::Notional;
use engine::time::Timestamp;

use crate::{SelfTradePrevention, Stamp, VenueFacts, VenueReport};

/// What is asked of the venue to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// To make an order.
    Create {
        /// As it stands in the gateway's record.
        order: Box<OrderCommand>,
        /// How the venue keeps it from trading with another order of the account; `None` where it offers nothing.
        prevention: Option<SelfTradePrevention>,
    },
    /// To cancel one.
    Cancel {
        /// The order.
        id: ClientOrderId,
        /// Its market.
        symbol: Symbol,
    },
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The venue has done it.
    Done(Box<VenueReport>),
    /// The venue has taken the request, and tells by a report what becomes of it: it may still refuse.
    Acknowledged,
    /// The venue refused it, for this reason.
    Rejected(String),
    /// The venue has an order of this id already: the request before has arrived. What became of that one is a question.
    Exists,
    /// Nobody knows: no answer, or one that says nothing. Ask about the order.
    Unknown(String),
}

/// Which orders a dead man's switch cancels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guarded {
    /// Those of this market.
    Symbol(Symbol),
    /// All of ours.
    All,
}

/// What is done to a dead man's switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switching {
    /// It fires so many milliseconds after the venue has heard this, unless it hears it again.
    Arm {
        /// In milliseconds.
        fires_after_ms: i64,
    },
    /// It fires no more.
    Disarm,
}

impl Switching {
    /// What is done, in words.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Arm { .. } => "arm the switch",
            Self::Disarm => "disarm the switch",
        }
    }
}

/// What the venue is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Where an order stands: one report, or none where no list of the venue holds it.
    Order {
        /// The order.
        id: ClientOrderId,
        /// Its market.
        symbol: Symbol,
    },
    /// All orders of ours that are open.
    OpenOrders,
    /// All orders of ours that were made, have traded or have ended since this time, with their trades.
    OrdersSince(Timestamp),
    /// What the account holds, orders that rest included.
    Balances,
}

impl Question {
    /// The question in words.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Order { .. } => "order by id",
            Self::OpenOrders => "open orders",
            Self::OrdersSince(_) => "orders since",
            Self::Balances => "balances",
        }
    }
}

/// What the venue answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Orders, each with the trades that it shows.
    Orders(Vec<VenueReport>),
    /// Holdings by asset.
    Balances(BTreeMap<Asset, Notional>),
}

/// A question to the venue, or what was to be done to its switch, got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the venue did not answer {question}: {reason}")]
pub struct VenueError {
    /// What was asked, as [`Question::as_str`] or [`Switching::as_str`] has it.
    pub question: &'static str,
    /// What went wrong.
    pub reason: String,
}

/// What a venue tells by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VenueEvent {
    /// News of an order; it may be late, doubled, or overtaken by newer news.
    Order(Box<VenueReport>),
    /// What happens from now on may never be told.
    Disconnected,
    /// Events are told again; what happened in between is a question.
    Resumed,
}

/// A place elsewhere to trade. Many requests and questions may be on their way at once; each future may be dropped at any
/// point, and then nobody knows what becomes of its request.
pub trait Venue: Send + Sync + 'static {
    /// What it is like.
    fn facts(&self) -> &VenueFacts;

    /// Sends a request with exactly this stamp.
    fn request(&self, request: Request, stamp: Stamp) -> impl Future<Output = Outcome> + Send;

    /// Arms or disarms a dead man's switch. Never called where [`VenueFacts::switch`] names none.
    fn switch(&self, guarded: Guarded, switching: Switching) -> impl Future<Output = Result<(), VenueError>> + Send;

    /// Asks.
    fn ask(&self, question: Question) -> impl Future<Output = Result<Answer, VenueError>> + Send;

    /// The next event, in the order in which they come. Dropped before it is there, it takes none.
    fn next_event(&self) -> impl Future<Output = VenueEvent> + Send;
}

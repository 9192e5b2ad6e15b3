//! What a gateway needs of a place to trade. Knows no bus and no store.
//!
//! An outcome is three-valued: a definite yes, a definite no, or [`Outcome::Unknown`], which is never
//! guessed and never times out into a refusal.

use std::future::Future;

use engine::client_order_id::ClientOrderId;
use engine::instrument::{Asset, Symbol};
use engine::messages::{Liquidity, OrderCommand, OrderStatus};
use engine::numbers::{Notional, Price, Quantity};
use engine::time::Timestamp;

/// One trade as the venue tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueTrade {
    /// The venue's id of the trade; unique within (venue, account, symbol).
    pub trade_id: String,
    /// In base.
    pub quantity: Quantity,
    /// At which price.
    pub price: Price,
    /// The fee in `fee_asset`.
    pub fee: Notional,
    /// The asset the fee was taken from.
    pub fee_asset: Asset,
    /// The fee's worth in quote.
    pub fee_quote: Notional,
    /// Maker or Taker.
    pub liquidity: Liquidity,
    /// The venue's time.
    pub time: Timestamp,
}

/// Where an order stands at the venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueReport {
    /// Our id of the order.
    pub client_order_id: ClientOrderId,
    /// The venue's id of the order.
    pub venue_order_id: String,
    /// Where it stands.
    pub status: OrderStatus,
    /// Why, as a stable word; empty where the status says it all.
    pub reason: String,
    /// What has traded in all.
    pub cumulative_quantity: Quantity,
    /// The trades known with this report; a trade may be told again.
    pub trades: Vec<VenueTrade>,
    /// Sequence of the last tick it was matched against, on a simulated venue.
    pub matched: Option<u64>,
    /// The venue's time.
    pub time: Timestamp,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The venue has it.
    Done(Box<VenueReport>),
    /// The venue refused it, for this reason.
    Refused(String),
    /// Nobody knows: no answer, or one that says nothing. Ask by [`Venue::lookup`].
    Unknown(String),
}

/// A question to the venue got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the venue did not answer {question}: {reason}")]
pub struct VenueError {
    /// What was asked.
    pub question: &'static str,
    /// What went wrong.
    pub reason: String,
}

/// How long a venue can leave one in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoubtWindows {
    /// How long after its stamp a request can still be accepted, with a margin.
    pub receive_ms: i64,
    /// How long after an order was accepted it may still be missing in answers.
    pub visibility_ms: i64,
}

/// A place elsewhere to trade, which answers late or never. What is simulated is [`crate::sim`].
pub trait Venue: Send {
    /// How long it can leave one in doubt.
    fn windows(&self) -> DoubtWindows;

    /// The stamp of the next request to make an order, as it stands in the gateway's record. The request is signed with
    /// exactly this: the end of its receive window is when it is certainly dead.
    fn stamp(&mut self, signed_at: Timestamp);

    /// Sends a new order.
    fn submit(&mut self, order: &OrderCommand) -> impl Future<Output = Outcome> + Send;

    /// Asks to cancel an order.
    fn cancel(&mut self, id: &ClientOrderId, symbol: &Symbol) -> impl Future<Output = Outcome> + Send;

    /// Where an order stands; `None` if no list of the venue holds it.
    fn lookup(
        &mut self,
        id: &ClientOrderId,
        symbol: &Symbol,
    ) -> impl Future<Output = Result<Option<VenueReport>, VenueError>> + Send;

    /// News since the last call, in order. Does not wait.
    fn take_reports(&mut self) -> Vec<VenueReport>;
}

//! A connection to a venue elsewhere, as far as it may be used: who has not settled what its record knows with what the
//! venue knows can ask and cancel. To make orders is a method of another type.
//!
//! Once reconciled, orders can be made:
//!
//! ```
//! use venue::{Connection, Reconciling, Venue};
//! # use engine::messages::OrderCommand;
//! # use engine::time::Timestamp;
//! async fn create<V: Venue>(connection: Connection<V, Reconciling>, order: OrderCommand, signed_at: Timestamp) {
//!     connection.reconciled().create(order, signed_at).await;
//! }
//! ```
//!
//! Before that there is no such method:
//!
//! ```compile_fail,E0599
//! use venue::{Connection, Reconciling, Venue};
//! # use engine::messages::OrderCommand;
//! # use engine::time::Timestamp;
//! async fn create<V: Venue>(connection: Connection<V, Reconciling>, order: OrderCommand, signed_at: Timestamp) {
//!     connection.create(order, signed_at).await;
//! }
//! ```
//!
//! Nor is the venue itself within reach, at which any request could be made:
//!
//! ```compile_fail,E0616
//! use venue::{Connection, Reconciling, Request, Stamp, Venue};
//! async fn create<V: Venue>(connection: Connection<V, Reconciling>, request: Request, stamp: Stamp) {
//!     connection.venue.request(request, stamp).await;
//! }
//! ```

use std::marker::PhantomData;
use std::sync::Arc;

use engine::client_order_id::ClientOrderId;
use engine::instrument::Symbol;
use engine::messages::OrderCommand;
use engine::time::Timestamp;

use crate::{Answer, Guarded, Outcome, Question, Request, Switching, Venue, VenueError, VenueEvent, VenueFacts};

/// What is known here and at the venue is not settled yet: no order is made.
#[derive(Debug)]
pub enum Reconciling {}

/// Everything is settled: orders are made.
#[derive(Debug)]
pub enum Trading {}

/// A connection to a venue at one of the two stages. Clones are one connection.
#[derive(Debug)]
pub struct Connection<V, S> {
    venue: Arc<V>,
    stage: PhantomData<fn() -> S>,
}

impl<V, S> Clone for Connection<V, S> {
    fn clone(&self) -> Self {
        Self { venue: Arc::clone(&self.venue), stage: PhantomData }
    }
}

impl<V: Venue, S> Connection<V, S> {
    /// What the venue is like.
    pub fn facts(&self) -> &VenueFacts {
        self.venue.facts()
    }

    /// Asks to cancel an order.
    pub async fn cancel(&self, id: ClientOrderId, symbol: Symbol, signed_at: Timestamp) -> Outcome {
        self.venue.request(Request::Cancel { id, symbol }, self.facts().stamp(signed_at)).await
    }

    /// Arms or disarms a dead man's switch.
    pub async fn switch(&self, guarded: Guarded, switching: Switching) -> Result<(), VenueError> {
        self.venue.switch(guarded, switching).await
    }

    /// Asks.
    pub async fn ask(&self, question: Question) -> Result<Answer, VenueError> {
        self.venue.ask(question).await
    }

    /// The next event. Dropped before it is there, it takes none.
    pub async fn next_event(&self) -> VenueEvent {
        self.venue.next_event().await
    }
}

impl<V: Venue> Connection<V, Reconciling> {
    /// A connection that has to be reconciled first.
    pub fn new(venue: V) -> Self {
        Self { venue: Arc::new(venue), stage: PhantomData }
    }

    /// Everything is settled: orders may be made.
    #[must_use]
    pub fn reconciled(self) -> Connection<V, Trading> {
        Connection { venue: self.venue, stage: PhantomData }
    }
}

impl<V: Venue> Connection<V, Trading> {
    /// Sends a new order, signed at this time, as it stands in the gateway's record. Where the venue offers it, the order is
    /// kept from trading with another one of the account.
    pub async fn create(&self, order: OrderCommand, signed_at: Timestamp) -> Outcome {
        let facts = self.facts();
        let request = Request::Create { order: Box::new(order), prevention: facts.prevents() };
        self.venue.request(request, facts.stamp(signed_at)).await
    }
}

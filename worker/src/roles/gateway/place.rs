//! Where an account's orders trade: at an exchange that is simulated in the gateway's own record, or at a venue elsewhere.

use engine::client_order_id::ClientOrderId;
use engine::instrument::Symbol;
use engine::messages::OrderCommand;
use engine::time::Timestamp;
use venue::{DoubtWindows, Outcome, Venue, VenueError, VenueReport};

use super::simulated::Simulated;

/// Where orders trade.
pub(super) enum Place<V> {
    /// In the record: what was not committed never happened, so nothing is ever in doubt.
    Simulated(Simulated),
    /// Elsewhere: a request can arrive without an answer.
    Elsewhere(V),
}

/// The venue of an account that has none elsewhere.
#[derive(Debug)]
pub(super) enum Nowhere {}

impl Venue for Nowhere {
    fn windows(&self) -> DoubtWindows {
        match *self {}
    }

    fn stamp(&mut self, _signed_at: Timestamp) {
        match *self {}
    }

    async fn submit(&mut self, _order: &OrderCommand) -> Outcome {
        match *self {}
    }

    async fn cancel(&mut self, _id: &ClientOrderId, _symbol: &Symbol) -> Outcome {
        match *self {}
    }

    async fn lookup(&mut self, _id: &ClientOrderId, _symbol: &Symbol) -> Result<Option<VenueReport>, VenueError> {
        match *self {}
    }

    fn take_reports(&mut self) -> Vec<VenueReport> {
        match *self {}
    }
}

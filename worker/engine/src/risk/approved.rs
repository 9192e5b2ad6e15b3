//! The mark of an order that passed every check.

use crate::client_order_id::{ClientOrderId, LedgerId};
use crate::instrument::Instrument;
use crate::messages::{CommandKind, OrderCommand, Transfer};
use crate::numbers::Quantity;
use crate::time::Timestamp;

/// A value that risk has let through. Nothing outside `risk` can make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved<T>(T);

impl<T> Approved<T> {
    pub(super) const fn new(value: T) -> Self {
        Self(value)
    }

    /// A look at it.
    pub const fn get(&self) -> &T {
        &self.0
    }
}

impl Approved<OrderCommand> {
    /// The cancel of an order. It needs no check, because it can only lower exposure; so it is built here, and
    /// nothing else can pass this way.
    pub(crate) fn cancel(strategy: &str, id: &ClientOrderId, instrument: &Instrument, now: Timestamp) -> Self {
        Self(OrderCommand::new(strategy, id.clone(), CommandKind::Cancel, instrument.symbol.clone(), now))
    }

    /// What tells the account of a transfer that is booked. No order is in it.
    pub(crate) fn transfer(
        strategy: &str,
        ledger: LedgerId,
        instrument: &Instrument,
        transfer: Transfer,
        now: Timestamp,
    ) -> Self {
        let (none, kind) = (ClientOrderId::new(ledger, 0), CommandKind::Transfer(transfer));
        Self(OrderCommand::new(strategy, none, kind, instrument.symbol.clone(), now))
    }

    /// The same order in the place of another, of which `known_quantity` is known to have traded.
    pub(crate) fn in_place_of(self, of: ClientOrderId, known_quantity: Quantity) -> Self {
        let kind = match self.0.kind {
            CommandKind::Create(order) | CommandKind::Replace { order, .. } => {
                CommandKind::Replace { of, known_quantity, order }
            }
            kind @ (CommandKind::Cancel | CommandKind::Advance { .. } | CommandKind::Transfer(_)) => kind,
        };
        Self(OrderCommand { kind, ..self.0 })
    }

    /// The message to publish, marked with the stream id of the tick that caused it.
    pub fn into_message(self, tick: Option<String>) -> OrderCommand {
        OrderCommand { tick, ..self.0 }
    }
}

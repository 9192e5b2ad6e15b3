//! The mark of an order that passed every check.

use crate::messages::OrderCommand;

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
    /// A cancel needs no check: it can only lower exposure.
    pub(crate) const fn cancel(command: OrderCommand) -> Self {
        Self(command)
    }

    /// The message to publish, marked with the stream id of the tick that caused it.
    pub fn into_message(self, tick: Option<String>) -> OrderCommand {
        OrderCommand { tick, ..self.0 }
    }
}

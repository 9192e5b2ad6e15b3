//! Where an account's orders trade: at an exchange that is simulated in the gateway's own record, or at a venue elsewhere.

use engine::client_order_id::{ClientOrderId, LedgerId};
use engine::instrument::Symbol;
use engine::messages::OrderCommand;
use engine::time::Timestamp;
use venue::sim::RecordError;

use super::Gateway;
use super::manager::{Changes, OrderManager, Verdict};
use super::order::News;
use crate::roles::{Bus, Stop};
use crds::roles::GatewayDesired;

/// What the kinds of places do each in their way.
pub(super) trait Place: Sized {
    /// Whether the venue keeps its orders elsewhere, so that a request can arrive without an answer.
    const IS_ELSEWHERE: bool;

    /// What of a register is followed already.
    fn follows(&self, desired: GatewayDesired) -> GatewayDesired {
        desired
    }

    /// Why a command can never be done here, as a stable word.
    fn refuses(&self, command: &OrderCommand) -> Option<&'static str>;

    /// As of when a command is judged, and its refusal told.
    fn judged_at(&self, command: &OrderCommand) -> Timestamp;

    /// Takes up the price as of which a command is, where it is at hand. Others are looked at now and then.
    async fn price<B: Bus>(_gateway: &mut Gateway<B, Self>, _command: &OrderCommand) -> Result<(), Stop> {
        Ok(())
    }

    /// Does what a command was judged to be: sends the order, or cancels it.
    async fn act<B: Bus>(gateway: &mut Gateway<B, Self>, command: &OrderCommand, verdict: &Verdict)
    -> Result<(), Stop>;

    /// Matches a ledger's orders as of a round of a tick.
    async fn advance<B: Bus>(
        gateway: &mut Gateway<B, Self>,
        command: &OrderCommand,
        round: u32,
        index: Option<u64>,
    ) -> Result<(), Stop>;

    /// Cancels an order as soon as it can be; gives what is known of that at once.
    fn cancel(&mut self, manager: &mut OrderManager, id: &ClientOrderId, symbol: &Symbol) -> News;

    /// Forgets a ledger that trades here no more.
    fn forget(&mut self, ledger: &LedgerId);

    /// What has changed since the last call, for the record.
    fn take_changes(&mut self, changes: &mut Changes) -> Result<(), RecordError>;
}

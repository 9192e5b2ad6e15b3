//! What an account's manifest says of its simulated exchange, in the exchange's own words.

use crds::account;
use crds::roles::AccountSpec;
use venue::sim::RestingFills;

/// When an order that rests at this account fills on a tick without quotes.
pub(crate) fn resting_fills(account: &AccountSpec) -> RestingFills {
    match account.resting_fills() {
        account::RestingFills::Through => RestingFills::Through,
        account::RestingFills::Touch => RestingFills::Touch,
    }
}

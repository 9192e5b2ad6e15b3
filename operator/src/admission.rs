//! Who may open a ledger next. An account grants its capital once, one strategy at a time: two that look at once would
//! either both count the other or both overlook it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// Namespace and name of an account.
type Account = (String, String);

/// One turn at a time for each account.
#[derive(Debug, Default)]
pub struct Admission(Mutex<HashMap<Account, Arc<tokio::sync::Mutex<()>>>>);

/// The right to look, decide and open a ledger; the next one's turn comes when it is dropped.
#[derive(Debug)]
pub struct Turn(#[allow(dead_code, reason = "held, never read")] OwnedMutexGuard<()>);

impl Admission {
    /// Waits for this account's turn.
    pub async fn turn(&self, namespace: &str, account: &str) -> Turn {
        let waited_for = {
            // A panic while this short lock is held leaves a whole state behind.
            let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody waits for those that only this map holds.
            accounts.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(accounts.entry((namespace.to_owned(), account.to_owned())).or_default())
        };
        Turn(waited_for.lock_owned().await)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_turn_of_an_account_ends_before_the_next_begins() {
        let admission = Admission::default();
        let first = admission.turn("ns", "paper").await;
        assert!(admission.turn("ns", "paper").now_or_never().is_none());
        assert!(admission.turn("ns", "other").now_or_never().is_some());
        drop(first);
        assert!(admission.turn("ns", "paper").now_or_never().is_some());
        assert!(admission.0.lock().unwrap().len() <= 2);
    }
}

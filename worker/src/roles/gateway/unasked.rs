//! Workers that send orders and do not say as of which tick these are to be matched: they are of the release before, whose
//! gateway followed ticks by itself. Their orders wait until such a worker is replaced, and that is told.

use std::collections::BTreeMap;

use engine::client_order_id::LedgerId;
use engine::time::Timestamp;

use super::Gateway;
use super::simulated::Simulated;
use crate::roles::{Bus, Stop};

/// How long an order waits for an Advance before that is told. A worker commits both at once.
const TOLD_AFTER_MS: i64 = 10_000;

/// Whose orders wait for an Advance.
#[derive(Debug, Default)]
pub(super) struct Unasked {
    /// The strategy of each ledger, and since when it was seen to wait.
    since: BTreeMap<LedgerId, (String, Option<Timestamp>)>,
}

impl Unasked {
    /// A command of this ledger waits.
    pub fn waits(&mut self, ledger: &LedgerId, strategy: &str) {
        if !self.since.contains_key(ledger) {
            self.since.insert(ledger.clone(), (strategy.to_owned(), None));
        }
    }

    /// The ledger's worker has asked, or is gone.
    pub fn asked(&mut self, ledger: &LedgerId) {
        self.since.remove(ledger);
    }

    /// What is to be told of those that have waited too long; empty where there are none.
    fn remark(&mut self, now: Timestamp) -> String {
        let waits = self.since.values_mut().filter_map(|(strategy, since)| {
            (now.millis_since(*since.get_or_insert(now)) >= TOLD_AFTER_MS).then_some(strategy.as_str())
        });
        let names = waits.collect::<Vec<_>>().join(",");
        if names.is_empty() {
            return names;
        }
        format!(
            "orders of {names} wait: the worker is of an older release and does not say as of which tick they are to be \
             matched. Run its pod with the image of this one"
        )
    }
}

impl<B: Bus> Gateway<B, Simulated> {
    /// What stands in the record without an Advance waits for one from now on.
    pub(super) fn expect_advances(&mut self) {
        for command in self.manager.open_commands().filter(|command| !self.place.was_asked(&command.ledger)) {
            self.unasked.waits(&command.ledger, &command.strategy);
        }
    }

    /// Says whose worker is older than this gateway.
    pub(super) async fn tell_older_workers(&mut self) -> Result<(), Stop> {
        let remark = if self.unasked.since.is_empty() {
            String::new()
        } else {
            let now = self.now().await?;
            self.unasked.remark(now)
        };
        if remark != self.remarks.unasked {
            if !remark.is_empty() {
                tracing::warn!("{remark}");
            }
            self.remarks.unasked = remark;
            self.tell_remarks();
        }
        Ok(())
    }
}

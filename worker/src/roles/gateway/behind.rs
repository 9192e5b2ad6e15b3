//! Strategies that do not take their news, so that their inboxes are at their bound. What is told to one of them waits in the
//! record, in its order, until there is room; everything else of the commit passes, and all others trade on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bus::{Bounds, Message, StreamKey};
use engine::client_order_id::LedgerId;
use engine::messages::Document;
use engine::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Place, SOON};
use crate::roles::session::Change;
use crate::roles::told::Told;
use crate::roles::{Bus, Stop};

/// What the name of a field begins with that holds an entry which waits: then ledger and number.
const UNDELIVERED: &str = "undelivered:";
/// Entries that are delivered at once, at most.
const AT_ONCE: usize = 256;
/// Entries of one strategy that may wait. Past it the gateway waits with them, and nothing is dropped.
const WAITING_MAX: usize = 1_000;

/// To whom an inbox belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub strategy: String,
    pub ledger: LedgerId,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    data: Arc<str>,
    is_saved: bool,
}

/// One strategy that is behind.
#[derive(Debug)]
struct Queue {
    address: Address,
    waiting: VecDeque<Waiting>,
    /// How many of them the commit under way delivers.
    offered: usize,
    /// The inbox was at its bound: it is tried again then.
    full_until: Option<Timestamp>,
}

/// A field of an entry that waits.
#[derive(Serialize, Deserialize)]
struct Saved {
    strategy: String,
    entry: Box<RawValue>,
}

/// All that wait, by inbox.
#[derive(Debug, Default)]
pub(super) struct Behind {
    queues: BTreeMap<StreamKey, Queue>,
    /// To whom the inboxes belong to which the next commit tells something.
    addressed: BTreeMap<StreamKey, Address>,
    /// Fields of entries that wait no more.
    delete: Vec<String>,
}

impl Behind {
    /// What waits as a record holds it; `inbox` names a strategy's inbox.
    pub fn restore<'a>(
        fields: impl Iterator<Item = (&'a str, &'a str)>,
        inbox: impl Fn(&str) -> StreamKey,
    ) -> Result<Self, String> {
        let mut behind = Self::default();
        for (name, value) in fields {
            let Some((ledger, number)) = name.strip_prefix(UNDELIVERED).and_then(|rest| rest.split_once(':')) else {
                continue;
            };
            let broken = |error: &dyn std::fmt::Display| format!("field {name}: {error}");
            let saved: Saved = serde_json::from_str(value).map_err(|error| broken(&error))?;
            let number = number.parse().map_err(|error| broken(&error))?;
            let ledger = ledger.parse().map_err(|error| broken(&error))?;
            let address = Address { strategy: saved.strategy, ledger };
            let queue = behind.queues.entry(inbox(&address.strategy)).or_insert_with(|| Queue::of(address));
            queue.waiting.push_back(Waiting { number, data: saved.entry.get().into(), is_saved: true });
        }
        for queue in behind.queues.values_mut() {
            queue.waiting.make_contiguous().sort_by_key(|waiting| waiting.number);
        }
        Ok(behind)
    }

    /// Whether nobody is behind.
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// Who is behind.
    pub fn ledgers(&self) -> BTreeSet<LedgerId> {
        self.queues.values().map(|queue| queue.address.ledger.clone()).collect()
    }

    /// To whom their inboxes belong.
    pub fn addresses(&self) -> Vec<Address> {
        self.queues.values().map(|queue| queue.address.clone()).collect()
    }

    /// Whether somebody's inbox is to be tried again.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.queues.values().any(|queue| queue.is_due(now))
    }

    /// The next commit tells something to this inbox.
    pub fn addressed(&mut self, inbox: &StreamKey, address: Address) {
        self.addressed.insert(inbox.clone(), address);
    }

    /// Nothing more is told to these ledgers.
    pub fn forget(&mut self, ledgers: &BTreeSet<LedgerId>) {
        for (_, queue) in self.queues.extract_if(.., |_, queue| ledgers.contains(&queue.address.ledger)) {
            let saved = queue.waiting.iter().filter(|waiting| waiting.is_saved);
            self.delete.extend(saved.map(|waiting| queue.field(waiting.number)));
        }
    }

    /// News to those who are behind waits behind what waits already.
    pub fn line_up(&mut self, messages: &mut Vec<Message>) {
        messages.retain(|message| {
            let queue = self.queues.get_mut(&message.stream);
            queue.is_none_or(|queue| {
                queue.push(Arc::clone(&message.data));
                false
            })
        });
    }

    /// What is delivered with a commit, and what waits on.
    pub fn add_to(&mut self, change: &mut Change, now: Timestamp) {
        let mut delivered = Vec::new();
        change.delete.extend(self.delete.iter().cloned());
        for (inbox, queue) in &mut self.queues {
            queue.offered = if queue.is_due(now) { queue.waiting.len().min(AT_ONCE) } else { 0 };
            for (place, waiting) in queue.waiting.iter().enumerate() {
                if place < queue.offered {
                    let message = Message::new(inbox.clone(), Told::VERSION, Arc::clone(&waiting.data));
                    delivered.push(message.with_bound(Bounds::INBOX.entries));
                    if waiting.is_saved {
                        change.delete.push(queue.field(waiting.number));
                    }
                } else if !waiting.is_saved {
                    change.set.push((queue.field(waiting.number), queue.saved(waiting)));
                }
            }
        }
        change.messages.splice(0..0, delivered);
    }

    /// An inbox is at its bound: what the commit tells to it waits. `false` where nothing more may wait, or it is nobody's.
    pub fn hold_back(&mut self, inbox: &StreamKey, messages: &mut Vec<Message>, now: Timestamp) -> bool {
        if !self.queues.contains_key(inbox) {
            let Some(address) = self.addressed.get(inbox) else { return false };
            tracing::warn!(strategy = address.strategy, "it does not take its news, which waits in the record");
            self.queues.insert(inbox.clone(), Queue::of(address.clone()));
        }
        self.line_up(messages);
        let Some(queue) = self.queues.get_mut(inbox) else { return false };
        let soon = i64::try_from(SOON.as_millis()).unwrap_or(i64::MAX);
        queue.full_until = Some(now.plus_millis(soon));
        queue.waiting.len() <= WAITING_MAX
    }

    /// The commit is stored.
    pub fn stored(&mut self) {
        self.addressed.clear();
        self.delete.clear();
        for queue in self.queues.values_mut() {
            queue.waiting.drain(..queue.offered);
            queue.offered = 0;
            queue.waiting.iter_mut().for_each(|waiting| waiting.is_saved = true);
        }
        self.queues.retain(|_, queue| !queue.waiting.is_empty());
    }

    /// What is to be told of them; empty where there are none.
    fn remark(&self) -> String {
        let names = self.queues.values().map(|queue| queue.address.strategy.as_str()).collect::<Vec<_>>().join(",");
        if names.is_empty() {
            return names;
        }
        format!("news of {names} waits in the record: its inbox is full. Look whether its worker runs")
    }
}

impl Queue {
    fn of(address: Address) -> Self {
        Self { address, waiting: VecDeque::new(), offered: 0, full_until: None }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.full_until.is_none_or(|until| now >= until)
    }

    fn push(&mut self, data: Arc<str>) {
        let number = self.waiting.back().map_or(0, |last| last.number.saturating_add(1));
        self.waiting.push_back(Waiting { number, data, is_saved: false });
    }

    fn field(&self, number: u64) -> String {
        format!("{UNDELIVERED}{}:{number}", self.address.ledger)
    }

    fn saved(&self, waiting: &Waiting) -> String {
        // Our own text: it is JSON.
        let strategy = serde_json::to_string(&self.address.strategy).unwrap_or_default();
        format!(r#"{{"strategy":{strategy},"entry":{}}}"#, waiting.data)
    }
}

impl<B: Bus, P: Place> super::Gateway<B, P> {
    /// Whether anything waits that may be delivered by now.
    pub(super) async fn may_deliver(&self) -> Result<bool, Stop> {
        Ok(!self.behind.is_empty() && self.behind.is_due(self.now().await?))
    }

    /// Says who is behind, and who not any more.
    pub(super) fn tell_behind(&mut self) {
        self.manager.behind(self.behind.ledgers());
        let remark = self.behind.remark();
        if remark != self.remarks.behind {
            self.remarks.behind = remark;
            self.tell_remarks();
        }
    }

    /// What is worth knowing of a gateway that is ready.
    pub(super) fn tell_remarks(&self) {
        let remarks = [self.remarks.unasked.as_str(), self.remarks.behind.as_str()];
        self.runtime.health.remark(&remarks.into_iter().filter(|one| !one.is_empty()).collect::<Vec<_>>().join("; "));
    }
}

/// What was told last of those whose workers are of an older release, and of those who are behind.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    pub unasked: String,
    pub behind: String,
}

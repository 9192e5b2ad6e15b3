//! The order protocol: which command is sent, what an outcome means, when an order may be sent again. Pure:
//! time is an argument, what it wants done comes back as data, and the role commits it before it acts.
//!
//! At most once: a command is sent only after its record is committed; a request without an answer is
//! `Unknown` until the venue tells, and is sent again only when it can no longer arrive and two full look-ups,
//! one visibility window apart, did not find it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use engine::client_order_id::{ClientOrderId, LedgerId};
use engine::fees::Fees;
use engine::messages::{OrderCommand, OrderStatus, OrderUpdate};
use engine::numbers::NumberError;
use engine::time::Timestamp;
use venue::{Outcome, Residence, VenueReport};

use super::books::Book;
use super::order::{GatewayOrder, News, Stage};
use crds::record::ORDER;
use crds::roles::GatewayDesired;

/// Ended orders that are remembered, so that a fill told again is known again.
const REMEMBERED: usize = 256;

/// What to do with a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send it, once the record is committed.
    Send,
    /// Ask the venue to cancel it.
    Cancel,
    /// Nothing; tell the strategy this.
    Tell(News),
    /// Its sequence was used before the store went back in time: tell the strategy the highest.
    Reissued(News, u64),
}

/// What a look-up leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// The venue told.
    News(News),
    /// It may still arrive or become visible: ask again later.
    Wait,
    /// It never arrived: it may be sent again, under a new stamp.
    Resend,
}

/// The account's orders and books.
#[derive(Debug, Clone, Default)]
pub(super) struct Desk {
    orders: BTreeMap<ClientOrderId, GatewayOrder>,
    ended: VecDeque<ClientOrderId>,
    books: BTreeMap<LedgerId, Book>,
    strategies: BTreeMap<LedgerId, String>,
    highest: BTreeMap<LedgerId, u64>,
    dirty_orders: BTreeSet<ClientOrderId>,
    dirty_ledgers: BTreeSet<LedgerId>,
}

/// What of the desk must be committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Fields to set.
    pub set: Vec<(String, String)>,
    /// Fields to remove.
    pub delete: Vec<String>,
}

const BOOK: &str = "book:";
const HIGHEST: &str = "highest:";

impl Desk {
    /// The desk as its record holds it.
    pub fn restore<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, serde_json::Error> {
        let mut desk = Self::default();
        for (name, value) in fields {
            let ledger = |text: &str| text.parse::<LedgerId>().map_err(serde::de::Error::custom);
            if name.starts_with(ORDER) {
                let order: GatewayOrder = serde_json::from_str(value)?;
                desk.orders.insert(order.command.client_order_id.clone(), order);
            } else if let Some(id) = name.strip_prefix(BOOK) {
                desk.books.insert(ledger(id)?, serde_json::from_str(value)?);
            } else if let Some(id) = name.strip_prefix(HIGHEST) {
                desk.highest.insert(ledger(id)?, serde_json::from_str(value)?);
            }
        }
        desk.ended = desk.orders.iter().filter(|(_, order)| order.is_over()).map(|(id, _)| id.clone()).collect();
        Ok(desk)
    }

    /// Opens books for the registered strategies that have none.
    pub fn register(&mut self, desired: &GatewayDesired) -> Result<(), NumberError> {
        for spec in &desired.books {
            self.strategies.insert(spec.ledger.clone(), spec.strategy.clone());
            if !self.books.contains_key(&spec.ledger) {
                self.books.insert(spec.ledger.clone(), Book::opening(spec)?);
                self.dirty_ledgers.insert(spec.ledger.clone());
            }
        }
        Ok(())
    }

    /// What has changed since the last call, for the record.
    pub fn take_changes(&mut self) -> Changes {
        let mut changes = Changes::default();
        for id in std::mem::take(&mut self.dirty_orders) {
            match self.orders.get(&id).map(serde_json::to_string) {
                Some(Ok(json)) => changes.set.push((format!("{ORDER}{id}"), json)),
                Some(Err(_)) | None => changes.delete.push(format!("{ORDER}{id}")),
            }
        }
        for ledger in std::mem::take(&mut self.dirty_ledgers) {
            if let Some(Ok(json)) = self.books.get(&ledger).map(serde_json::to_string) {
                changes.set.push((format!("{BOOK}{ledger}"), json));
            }
            if let Some(highest) = self.highest.get(&ledger) {
                changes.set.push((format!("{HIGHEST}{ledger}"), highest.to_string()));
            }
        }
        changes
    }

    /// The order of this id, while it is remembered.
    pub fn order(&self, id: &ClientOrderId) -> Option<&GatewayOrder> {
        self.orders.get(id)
    }

    /// The registered strategy of a ledger.
    pub fn strategy_of(&self, ledger: &LedgerId) -> Option<String> {
        self.strategies.get(ledger).cloned()
    }

    /// Judges a command. `Send` has recorded it as being sent with the stamp `now`.
    pub fn judge(&mut self, command: &OrderCommand, fees: &Fees, now: Timestamp) -> Verdict {
        let id = &command.client_order_id;
        if command.kind == engine::messages::CommandKind::Cancel {
            return match self.orders.get(id) {
                Some(order) if order.is_over() => Verdict::Tell(order.repeat(command.time)),
                Some(_) => Verdict::Cancel,
                None => Verdict::Tell(denied(command, "UnknownOrder")),
            };
        }
        if let Some(order) = self.orders.get(id) {
            // Asked again: the same id is the same order, never a second one.
            return Verdict::Tell(order.repeat(command.time));
        }
        let highest = self.highest.get(&command.ledger).copied().unwrap_or(0);
        if command.sequence <= highest {
            return Verdict::Reissued(denied(command, "SequenceUsed"), highest);
        }
        let Some(book) = self.books.get(&command.ledger) else {
            return Verdict::Tell(denied(command, "StrategyNotRegistered"));
        };
        let affordable = book.check(command, fees);
        self.highest.insert(command.ledger.clone(), command.sequence);
        self.dirty_ledgers.insert(command.ledger.clone());
        if affordable.is_err() {
            return Verdict::Tell(denied(command, "InsufficientBook"));
        }
        self.dirty_orders.insert(id.clone());
        self.orders.insert(id.clone(), GatewayOrder::new(command.clone(), now));
        Verdict::Send
    }

    /// Takes the outcome of a request to make an order.
    pub fn settle(&mut self, id: &ClientOrderId, outcome: &Outcome, now: Timestamp) -> News {
        match outcome {
            Outcome::Done(report) => self.hear(report),
            Outcome::Refused(reason) => {
                let news = self.change(id, |order| order.end_unsent(OrderStatus::Rejected, reason, now));
                self.forget_old(id);
                news
            }
            Outcome::Unknown(reason) => self.change(id, |order| order.doubt(reason, now)),
        }
    }

    /// Takes news from the venue. Orders that are not ours are reported nowhere and touched never.
    pub fn hear(&mut self, report: &VenueReport) -> News {
        let id = report.client_order_id.clone();
        let news = self.change(&id, |order| order.hear(report));
        for update in &news {
            if let Some(fill) = &update.fill
                && let Some(book) = self.books.get_mut(&fill.ledger)
                && book.apply(fill).is_ok()
            {
                self.dirty_ledgers.insert(fill.ledger.clone());
            }
        }
        self.forget_old(&id);
        news
    }

    /// After a restart: requests that were on their way are in doubt.
    pub fn doubt_sending(&mut self, now: Timestamp) -> News {
        let sending: Vec<_> = self
            .orders
            .iter()
            .filter(|(_, order)| matches!(order.stage, Stage::Sending { .. }))
            .map(|(id, _)| id.clone())
            .collect();
        sending.iter().flat_map(|id| self.change(id, |order| order.doubt("GatewayRestarted", now))).collect()
    }

    /// Orders to ask the venue about: in doubt, or live with trades missing.
    pub fn questions(&self) -> Vec<ClientOrderId> {
        let open = |order: &GatewayOrder| match order.stage {
            Stage::Unknown { .. } => true,
            Stage::Live => order.filled < order.cumulative,
            Stage::Sending { .. } | Stage::Over => false,
        };
        self.orders.iter().filter(|(_, order)| open(order)).map(|(id, _)| id.clone()).collect()
    }

    /// Takes the answer of a full look-up.
    pub fn found(
        &mut self,
        id: &ClientOrderId,
        answer: Option<&VenueReport>,
        residence: Residence,
        now: Timestamp,
    ) -> Found {
        if let Some(report) = answer {
            return Found::News(self.hear(report));
        }
        let Some(order) = self.orders.get_mut(id) else { return Found::Wait };
        let Stage::Unknown { signed_at, absent_since } = order.stage else { return Found::Wait };
        let Residence::External { receive_window_ms, visibility_ms } = residence else {
            return Found::Wait;
        };
        if now.millis_since(signed_at) <= receive_window_ms {
            return Found::Wait;
        }
        self.dirty_orders.insert(id.clone());
        match absent_since {
            None => order.stage = Stage::Unknown { signed_at, absent_since: Some(now) },
            Some(since) if now.millis_since(since) >= visibility_ms => {
                if now < order.command.expires_at {
                    order.stage = Stage::Sending { signed_at: now };
                    return Found::Resend;
                }
                let news = order.end_unsent(OrderStatus::Expired, "NeverArrived", now);
                self.forget_old(id);
                return Found::News(news);
            }
            Some(_) => {}
        }
        Found::Wait
    }

    fn change(&mut self, id: &ClientOrderId, change: impl FnOnce(&mut GatewayOrder) -> News) -> News {
        let Some(order) = self.orders.get_mut(id) else { return News::new() };
        self.dirty_orders.insert(id.clone());
        change(order)
    }

    /// Keeps the newest ended orders, forgets the others.
    fn forget_old(&mut self, id: &ClientOrderId) {
        if self.orders.get(id).is_some_and(GatewayOrder::is_over) && !self.ended.contains(id) {
            self.ended.push_back(id.clone());
        }
        while self.ended.len() > REMEMBERED {
            if let Some(old) = self.ended.pop_front() {
                self.orders.remove(&old);
                self.dirty_orders.insert(old);
            }
        }
    }
}

/// The news of a command that is not sent.
fn denied(command: &OrderCommand, reason: &str) -> News {
    vec![denial(command.client_order_id.clone(), reason, command.time)]
}

/// The news of a command that does not read but for its order's id.
pub(super) fn denied_unread(id: ClientOrderId, time: Timestamp) -> OrderUpdate {
    denial(id, "CommandUnreadable", time)
}

fn denial(client_order_id: ClientOrderId, reason: &str, time: Timestamp) -> OrderUpdate {
    OrderUpdate {
        client_order_id,
        status: OrderStatus::Denied,
        reason: reason.to_owned(),
        cumulative_quantity: engine::numbers::Quantity::ZERO,
        fill: None,
        matched: None,
        time,
    }
}

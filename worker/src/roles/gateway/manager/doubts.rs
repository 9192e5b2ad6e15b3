//! Orders in doubt: whom to ask about and when, and what an answer leads to. Nothing is guessed: an order is
//! sent again, or ended as never arrived, only when the venue has said twice that it is not there.

use std::collections::BTreeSet;

use engine::client_order_id::ClientOrderId;
use engine::messages::OrderStatus;
use engine::time::Timestamp;
use venue::{Question, VenueFacts, VenueReport};

use super::{News, OrderManager, Stage};
use crate::roles::gateway::order::Listed;

/// How often the venue is asked about an order in doubt, in milliseconds.
pub(in crate::roles::gateway) const DOUBT_INTERVAL_MS: i64 = 500;
/// How often it is asked about orders it has, all in one question: a report of an end may have been lost.
const LIVE_INTERVAL_MS: i64 = 5_000;

/// What an answer about one order leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::roles::gateway) enum Found {
    /// The venue told.
    News(News),
    /// It may still arrive or become visible: ask again later.
    Wait,
    /// It never arrived: it may be sent again, under a new stamp.
    Absent,
}

impl OrderManager {
    /// After a restart: requests that were on their way are in doubt.
    pub fn doubt_sending(&mut self, now: Timestamp) -> News {
        let sending: Vec<_> = self
            .orders
            .iter()
            .filter(|(_, order)| matches!(order.stage, Stage::Sending { .. }))
            .map(|(id, _)| id.clone())
            .collect();
        sending.iter().flat_map(|id| self.doubt(id, "GatewayRestarted", now)).collect()
    }

    /// The venue has taken a request to make an order, and tells by a report what becomes of it: until then nothing is asked.
    pub fn taken(&mut self, id: &ClientOrderId, until: Timestamp) {
        let _ = self.change(id, |order| {
            order.acknowledge(until);
            News::new()
        });
    }

    /// Nothing is asked about an order before, because an answer or a report is on its way; `None` ends that.
    pub fn quiet(&mut self, id: &ClientOrderId, until: Option<Timestamp>) {
        if let Some(order) = self.orders.get_mut(id) {
            order.quiet_until = until;
        }
    }

    /// What to ask the venue now: soon about each order in doubt, or with trades missing, or to be cancelled; now and then
    /// about those that only wait, all at once, since a report can be lost, and about one that may arrive at any time; once
    /// more about each that has ended, since a trade can show later than an end.
    pub fn questions(&mut self, now: Timestamp) -> Vec<Question> {
        let (mut due, mut waits) = (Vec::new(), false);
        for (id, order) in &mut self.orders {
            let interval = match order.stage {
                Stage::Unknown { .. } if order.listed == Listed::NotThere => LIVE_INTERVAL_MS,
                Stage::Unknown { .. } => DOUBT_INTERVAL_MS,
                Stage::Live if order.cancel || order.listed == Listed::NotOpen || order.filled < order.cumulative => {
                    DOUBT_INTERVAL_MS
                }
                Stage::Live => {
                    waits = true;
                    continue;
                }
                Stage::Closed if order.is_unsettled() => LIVE_INTERVAL_MS,
                Stage::Sending { .. } | Stage::Closed => continue,
            };
            if order.quiet_until.is_some_and(|until| now < until) {
                continue;
            }
            // What was asked before the end says nothing of what shows after it.
            let since = if order.is_closed() { order.asked.max(order.told_at) } else { order.asked };
            if since.is_none_or(|since| now.millis_since(since) >= interval) {
                order.asked = Some(now);
                due.push(Question::Order { id: id.clone(), symbol: order.command.symbol.clone() });
            }
        }
        if waits && now.millis_since(*self.listed.get_or_insert(now)) >= LIVE_INTERVAL_MS {
            self.listed = Some(now);
            due.push(Question::OpenOrders);
        }
        due
    }

    /// Takes it that the venue has told of all orders that were open at `asked`: one that was open before and is not among
    /// them is asked about by itself.
    pub fn listed(&mut self, open: &[VenueReport], asked: Timestamp, facts: &VenueFacts) {
        let open: BTreeSet<&ClientOrderId> = open.iter().map(|report| &report.client_order_id).collect();
        for (id, order) in &mut self.orders {
            let is_new = order.asked.is_some_and(|since| asked.millis_since(since) < facts.visibility_ms);
            if order.stage == Stage::Live && !is_new && !open.contains(id) {
                (order.listed, order.asked) = (Listed::NotOpen, None);
            }
        }
    }

    /// Whether the venue has told where each order stands that it may have: none is in doubt, and none lacks trades. One that
    /// may arrive at any time stays in doubt, and what it may take is held back.
    pub fn is_settled(&self) -> bool {
        self.orders.values().all(|order| match order.stage {
            Stage::Sending { .. } => false,
            Stage::Unknown { .. } => matches!(order.listed, Listed::Never | Listed::NotThere),
            Stage::Live => order.listed != Listed::NotOpen && order.filled >= order.cumulative,
            Stage::Closed => true,
        })
    }

    /// Whether the venue has an order that is to be cancelled.
    pub fn must_cancel(&self, id: &ClientOrderId) -> bool {
        self.orders.get(id).is_some_and(|order| order.cancel && order.stage == Stage::Live)
    }

    /// What was asked before the end, or so soon after it, says nothing of what shows later.
    fn settle_end(&mut self, id: &ClientOrderId, asked: Timestamp) {
        let is_late = |told: Timestamp| asked.millis_since(told) >= LIVE_INTERVAL_MS;
        let ended = self.orders.get(id).filter(|order| order.is_closed() && order.is_unsettled());
        if ended.and_then(|order| order.told_at).is_some_and(is_late) {
            let _ = self.change(id, |order| {
                order.settled = true;
                News::new()
            });
        }
    }

    /// The venue has acknowledged a request, and knows nothing of its order.
    fn doubt_unreported(&mut self, id: &ClientOrderId, asked: Timestamp) -> Option<News> {
        let news = self.orders.get_mut(id)?.doubt_unreported(asked)?;
        self.dirty_orders.insert(id.clone());
        Some(news)
    }

    /// Takes the answer to a question about one order that was asked at `asked`: what the venue did after that moment, the
    /// answer need not show, however late it came.
    pub fn found(
        &mut self,
        id: &ClientOrderId,
        answer: Option<&VenueReport>,
        facts: &VenueFacts,
        asked: Timestamp,
    ) -> Found {
        self.settle_end(id, asked);
        if let Some(report) = answer {
            return Found::News(self.hear(report));
        }
        if let Some(news) = self.doubt_unreported(id, asked) {
            return Found::News(news);
        }
        let Some(order) = self.orders.get_mut(id) else { return Found::Wait };
        order.listed = Listed::Nothing;
        let Stage::Unknown { signed_at, absent_since } = order.stage else { return Found::Wait };
        if order.exists {
            return Found::Wait;
        }
        if facts.dead_after_ms().is_none() {
            order.listed = Listed::NotThere;
        }
        if !facts.is_dead(signed_at, asked) {
            return Found::Wait;
        }
        match absent_since {
            None => {
                order.stage = Stage::Unknown { signed_at, absent_since: Some(asked) };
                self.dirty_orders.insert(id.clone());
                Found::Wait
            }
            Some(since) if asked.millis_since(since) < facts.visibility_ms => Found::Wait,
            Some(_) if order.cancel || asked >= order.command.expires_at => {
                let status = if order.cancel { OrderStatus::Canceled } else { OrderStatus::Expired };
                let news = self.change(id, |order| order.end_unsent(status, "NeverArrived", asked));
                self.forget_old(id.ledger());
                Found::News(news)
            }
            Some(_) => {
                order.listed = Listed::Never;
                Found::Absent
            }
        }
    }
}

//! Orders in doubt: whom to ask about and when, and what an answer leads to. Nothing is guessed: an order is
//! sent again, or ended as never arrived, only when the venue has said twice that it is not there.

use engine::client_order_id::ClientOrderId;
use engine::messages::OrderStatus;
use engine::time::Timestamp;
use venue::{DoubtWindows, VenueReport};

use super::{Desk, News, Stage};

/// How often the venue is asked about an order in doubt, in milliseconds.
pub(in crate::roles::gateway) const DOUBT_INTERVAL_MS: i64 = 500;
/// How often it is asked about an order it has: a report of its end may have been lost.
const LIVE_INTERVAL_MS: i64 = 5_000;

/// What a look-up leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::roles::gateway) enum Found {
    /// The venue told.
    News(News),
    /// It may still arrive or become visible: ask again later.
    Wait,
    /// It never arrived: it may be sent again, under a new stamp.
    Resend,
}

impl Desk {
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

    /// Whether there is anything to ask a venue elsewhere about, now or later.
    pub fn has_questions(&self) -> bool {
        self.orders.values().any(|order| !order.is_over() || order.is_unsettled())
    }

    /// Orders to ask the venue about now: soon those in doubt, or with trades missing, or to be cancelled; now
    /// and then those that only wait, since a report can be lost; once more those that have ended, since a trade can
    /// show later than an end.
    pub fn questions(&mut self, now: Timestamp) -> Vec<ClientOrderId> {
        let mut due = Vec::new();
        for (id, order) in &mut self.orders {
            let interval = match order.stage {
                Stage::Unknown { .. } => DOUBT_INTERVAL_MS,
                Stage::Live if order.cancel || order.filled < order.cumulative => DOUBT_INTERVAL_MS,
                Stage::Live => LIVE_INTERVAL_MS,
                Stage::Over if order.is_unsettled() => LIVE_INTERVAL_MS,
                Stage::Sending { .. } | Stage::Over => continue,
            };
            // What was asked before the end says nothing of what shows after it.
            let since = if order.is_over() { order.asked.max(order.told_at) } else { order.asked };
            if since.is_none_or(|since| now.millis_since(since) >= interval) {
                order.asked = Some(now);
                due.push(id.clone());
            }
        }
        due
    }

    /// Whether the venue has an order that is to be cancelled.
    pub fn must_cancel(&self, id: &ClientOrderId) -> bool {
        self.orders.get(id).is_some_and(|order| order.cancel && order.stage == Stage::Live)
    }

    fn settle_end(&mut self, id: &ClientOrderId) {
        if self.orders.get(id).is_some_and(|order| order.is_over() && order.is_unsettled()) {
            let _ = self.change(id, |order| {
                order.settled = true;
                News::new()
            });
        }
    }

    /// Takes the answer of a full look-up that was asked at `asked`: what the venue did after that moment, the
    /// answer need not show, however late it came.
    pub fn found(
        &mut self,
        id: &ClientOrderId,
        answer: Option<&VenueReport>,
        windows: DoubtWindows,
        asked: Timestamp,
    ) -> Found {
        self.settle_end(id);
        if let Some(report) = answer {
            return Found::News(self.hear(report));
        }
        let Some(order) = self.orders.get_mut(id) else { return Found::Wait };
        let Stage::Unknown { signed_at, absent_since } = order.stage else { return Found::Wait };
        let DoubtWindows { receive_ms, visibility_ms } = windows;
        if asked.millis_since(signed_at) <= receive_ms {
            return Found::Wait;
        }
        match absent_since {
            None => {
                order.stage = Stage::Unknown { signed_at, absent_since: Some(asked) };
                self.dirty_orders.insert(id.clone());
                Found::Wait
            }
            Some(since) if asked.millis_since(since) < visibility_ms => Found::Wait,
            Some(_) if order.cancel || asked >= order.command.expires_at => {
                let status = if order.cancel { OrderStatus::Canceled } else { OrderStatus::Expired };
                let news = self.change(id, |order| order.end_unsent(status, "NeverArrived", asked));
                self.forget_old(id.ledger());
                Found::News(news)
            }
            Some(_) => {
                order.stage = Stage::Sending { signed_at: asked };
                self.dirty_orders.insert(id.clone());
                Found::Resend
            }
        }
    }
}

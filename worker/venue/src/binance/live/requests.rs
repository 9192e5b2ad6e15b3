//! What one connection has asked for and was not answered yet, at the pace that the venue allows.

use std::collections::{BTreeMap, VecDeque};

use serde_json::json;

use super::product::Kind;

/// Streams in one request: it stays below 4 KiB.
const STREAMS_MAX: usize = 100;
/// The venue takes five messages a second, of futures ten, pongs among them; what is over ends the connection.
const PACE_MILLIS: u64 = 250;
/// A request without an answer for so long has none.
const ANSWER_MILLIS: u64 = 10_000;

/// Whether streams are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Subscribe,
    Unsubscribe,
}

/// The requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Requests {
    waiting: VecDeque<(Method, String)>,
    unanswered: BTreeMap<u64, u64>,
    last_id: u64,
    next_at: u64,
}

impl Requests {
    /// Asks for a stream of a market.
    pub(super) fn subscribe(&mut self, market: &str, kind: Kind) {
        self.waiting.push_back((Method::Subscribe, stream(market, kind)));
    }

    /// Asks for no more of it.
    pub(super) fn unsubscribe(&mut self, market: &str, kind: Kind) {
        self.waiting.push_back((Method::Unsubscribe, stream(market, kind)));
    }

    /// The next message, if one is due.
    pub(super) fn due(&mut self, now: u64) -> Option<String> {
        let (method, _) = *self.waiting.front().filter(|_| now >= self.next_at)?;
        let mut streams = Vec::new();
        while streams.len() < STREAMS_MAX
            && let Some((_, stream)) = self.waiting.pop_front_if(|(next, _)| *next == method)
        {
            streams.push(stream);
        }
        self.last_id += 1;
        self.unanswered.insert(self.last_id, now);
        self.next_at = now.saturating_add(PACE_MILLIS);
        let method = match method {
            Method::Subscribe => "SUBSCRIBE",
            Method::Unsubscribe => "UNSUBSCRIBE",
        };
        Some(json!({"method": method, "params": streams, "id": self.last_id}).to_string())
    }

    /// Takes note of an answer; whether one was awaited.
    pub(super) fn answered(&mut self, id: u64) -> bool {
        self.unanswered.remove(&id).is_some()
    }

    /// Whether all was sent and answered.
    pub(super) fn are_done(&self) -> bool {
        self.waiting.is_empty() && self.unanswered.is_empty()
    }

    /// Whether an answer is overdue.
    pub(super) fn are_overdue(&self, now: u64) -> bool {
        self.unanswered.values().any(|sent| now.saturating_sub(*sent) > ANSWER_MILLIS)
    }
}

fn stream(market: &str, kind: Kind) -> String {
    // Not of other alphabets: the venue lowers these letters alone.
    format!("{}@{}", market.to_ascii_lowercase(), kind.name())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn many_markets_are_asked_for_in_few_messages_at_the_venues_pace() {
        let mut requests = Requests::default();
        let both = [Kind::BookTicker, Kind::Trade];
        for market in 0..512 {
            for kind in both {
                requests.subscribe(&format!("M{market}USDT"), kind);
            }
        }
        for kind in both {
            requests.unsubscribe("OLDUSDT", kind);
        }
        let (mut sent, mut streams) = (Vec::new(), 0);
        for now in (0..10_000).step_by(50) {
            let Some(message) = requests.due(now) else { continue };
            assert!(message.len() < 4_096, "{}", message.len());
            let message: Value = serde_json::from_str(&message).unwrap();
            streams += message["params"].as_array().unwrap().len();
            sent.push((now, message));
        }
        assert_eq!((streams, sent.len()), (1_026, 12));
        assert!(sent.windows(5).all(|five| five[4].0 - five[0].0 >= 1_000), "at most five in any second");
        assert_eq!(sent[0].1["params"][0], "m0usdt@bookTicker");
        assert_eq!(sent[11].1["method"], "UNSUBSCRIBE");
        assert!(!requests.are_done() && requests.are_overdue(12_000));
        assert!((1..=12).all(|id| requests.answered(id)) && !requests.answered(7));
        assert!(requests.are_done() && !requests.are_overdue(1_000_000));
    }
}

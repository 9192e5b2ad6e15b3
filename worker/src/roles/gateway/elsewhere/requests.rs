//! What is to be sent to a venue elsewhere, and what is on its way there. Cancels go first, orders in the order in which they
//! were recorded, questions last; what is on its way is answered in any order, or not in time.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use engine::client_order_id::ClientOrderId;
use engine::instrument::Symbol;
use engine::time::Timestamp;
use venue::{Answer, Guarded, Outcome, Question, Switching, VenueError};

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sent {
    /// A request to make an order.
    Create(ClientOrderId),
    /// A request to cancel one.
    Cancel(ClientOrderId),
    /// What is done to a dead man's switch.
    Switch(Guarded, Switching),
    /// A question.
    Question(Question),
}

/// What came back.
#[derive(Debug)]
pub(super) enum Reply {
    Outcome(Outcome),
    Answer(Result<Answer, VenueError>),
    Switched(Result<(), VenueError>),
}

/// A reply, to what, and when that was sent.
#[derive(Debug)]
pub(super) struct Replied {
    pub to: Sent,
    pub sent_at: Timestamp,
    pub reply: Reply,
}

/// The reply of a request that may be dropped at any point.
pub(super) type Replying = Pin<Box<dyn Future<Output = Reply> + Send>>;

struct OnItsWay {
    what: Sent,
    sent_at: Timestamp,
    reply: Replying,
}

/// What waits to be sent, and what is on its way.
#[derive(Default)]
pub(super) struct Requests {
    cancels: VecDeque<(ClientOrderId, Symbol)>,
    /// Orders that are recorded as being sent.
    creates: VecDeque<ClientOrderId>,
    questions: VecDeque<Question>,
    on_their_way: Vec<OnItsWay>,
}

impl Requests {
    /// An order is to be cancelled; once, however often that is said meanwhile.
    pub fn cancel(&mut self, id: &ClientOrderId, symbol: &Symbol) {
        let is_sent = self.on_their_way.iter().any(|one| matches!(&one.what, Sent::Cancel(sent) if sent == id));
        if !is_sent && !self.cancels.iter().any(|(waits, _)| waits == id) {
            self.cancels.push_back((id.clone(), symbol.clone()));
        }
    }

    /// An order is to be made, once its record is committed.
    pub fn create(&mut self, id: &ClientOrderId) {
        self.creates.push_back(id.clone());
    }

    /// An answer is wanted; once, however often that is said meanwhile.
    pub fn ask(&mut self, question: Question) {
        let is_sent =
            self.on_their_way.iter().any(|one| matches!(&one.what, Sent::Question(sent) if *sent == question));
        if !is_sent && !self.questions.contains(&question) {
            self.questions.push_back(question);
        }
    }

    /// Whether orders wait to be sent.
    pub fn has_creates(&self) -> bool {
        !self.creates.is_empty()
    }

    /// Orders that wait to be sent.
    pub fn creates(&self) -> Vec<ClientOrderId> {
        self.creates.iter().cloned().collect()
    }

    /// The next cancel, while fewer than `at_once` requests are on their way.
    pub fn next_cancel(&mut self, at_once: usize) -> Option<(ClientOrderId, Symbol)> {
        if self.has_room(at_once) { self.cancels.pop_front() } else { None }
    }

    /// The next order, likewise.
    pub fn next_create(&mut self, at_once: usize) -> Option<ClientOrderId> {
        if self.has_room(at_once) { self.creates.pop_front() } else { None }
    }

    /// The next question, likewise.
    pub fn next_question(&mut self, at_once: usize) -> Option<Question> {
        if self.has_room(at_once) { self.questions.pop_front() } else { None }
    }

    /// Whether fewer than `at_once` requests are on their way.
    pub const fn has_room(&self, at_once: usize) -> bool {
        self.on_their_way.len() < at_once
    }

    /// It is on its way from now on.
    pub fn sent(&mut self, what: Sent, sent_at: Timestamp, reply: Replying) {
        self.on_their_way.push(OnItsWay { what, sent_at, reply });
    }

    /// The replies that are there, in the order in which their requests were sent.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Vec<Replied> {
        let mut replied = Vec::new();
        let mut left = Vec::with_capacity(self.on_their_way.len());
        for mut one in self.on_their_way.drain(..) {
            match one.reply.as_mut().poll(context) {
                Poll::Ready(reply) => replied.push(Replied { to: one.what, sent_at: one.sent_at, reply }),
                Poll::Pending => left.push(one),
            }
        }
        self.on_their_way = left;
        replied
    }

    /// What has not been answered within `answer_ms`: nobody listens for it any more.
    pub fn overdue(&mut self, now: Timestamp, answer_ms: i64) -> Vec<Sent> {
        let is_overdue = |one: &mut OnItsWay| now.millis_since(one.sent_at) > answer_ms;
        self.on_their_way.extract_if(.., is_overdue).map(|one| one.what).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn id(sequence: u64) -> ClientOrderId {
        ClientOrderId::new("abc".parse().unwrap(), sequence)
    }

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millis(milliseconds)
    }

    fn never() -> Replying {
        Box::pin(std::future::pending())
    }

    fn done() -> Replying {
        Box::pin(std::future::ready(Reply::Outcome(Outcome::Exists)))
    }

    #[test]
    fn what_is_answered_comes_back_in_order_and_what_is_not_is_overdue_once() {
        let mut requests = Requests::default();
        requests.sent(Sent::Create(id(1)), at(0), never());
        requests.sent(Sent::Create(id(2)), at(10), done());
        requests.sent(Sent::Create(id(3)), at(20), never());
        requests.sent(Sent::Cancel(id(4)), at(20), done());
        let replied = requests.poll(&mut Context::from_waker(Waker::noop()));
        let replied: Vec<_> = replied.into_iter().map(|one| one.to).collect();
        assert_eq!(replied, [Sent::Create(id(2)), Sent::Cancel(id(4))]);
        assert_eq!(requests.overdue(at(1_000), 1_000), []);
        assert_eq!(requests.overdue(at(1_001), 1_000), [Sent::Create(id(1))]);
        assert_eq!(requests.overdue(at(1_021), 1_000), [Sent::Create(id(3))]);
        assert_eq!(requests.overdue(at(9_000), 1_000), []);
    }

    #[test]
    fn no_more_are_sent_than_may_be_and_nothing_is_asked_twice_at_once() {
        let symbol: Symbol = "BNB/USDT".parse().unwrap();
        let mut requests = Requests::default();
        for _ in 0..2 {
            requests.cancel(&id(1), &symbol);
            requests.ask(Question::OpenOrders);
        }
        requests.create(&id(2));
        assert_eq!(requests.next_cancel(1).map(|(id, _)| id), Some(id(1)));
        assert_eq!(requests.next_cancel(1), None);
        requests.sent(Sent::Cancel(id(1)), at(0), never());
        requests.cancel(&id(1), &symbol);
        assert_eq!((requests.next_cancel(9), requests.next_create(1), requests.next_question(1)), (None, None, None));
        assert_eq!((requests.next_create(2), requests.next_create(2)), (Some(id(2)), None));
        assert_eq!((requests.next_question(2), requests.next_question(2)), (Some(Question::OpenOrders), None));
    }
}

//! A gateway whose venue keeps its orders elsewhere. What is about to happen is on record first; then it is sent, many
//! requests at once, each with a deadline, while news, commands and the register are heard. Before the first order is made
//! the record and the venue are settled with each other, by a gateway of another type that cannot make one.

mod inquiries;
mod reconciling;
mod reports;
mod requests;
mod switches;
mod trading;

use std::collections::BTreeSet;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bus::{Batch, StreamId, StreamKey};
use engine::client_order_id::{ClientOrderId, LedgerId};
use engine::instrument::Symbol;
use engine::messages::{CommandKind, Inbox, OrderCommand};
use engine::time::Timestamp;
use venue::sim::RecordError;
use venue::{Connection, Question, Venue, VenueEvent};

use super::manager::{Changes, DOUBT_INTERVAL_MS, OrderManager, Verdict};
use super::order::{GatewayOrder, News};
use super::{ENTRIES_MAX, Gateway, Place, SOON};
use crate::roles::session::patiently;
use crate::roles::{Bus, Stop};
use crds::roles::{BookSpec, GatewayDesired, Stance};
use inquiries::Inquiries;
pub(super) use reconciling::start;
use requests::{Replied, Reply, Requests, Sent};
use switches::Switches;

/// Events at most that are taken at once.
const EVENTS_MAX: usize = 256;

/// A read of streams that goes on while other news is taken: a connection on which a read is given up is lost.
type Reading = Pin<Box<dyn Future<Output = Result<Batch, Stop>> + Send>>;

/// A connection to the venue, and what is on its way there.
pub(super) struct Elsewhere<V, S> {
    connection: Connection<V, S>,
    requests: Requests,
    switches: Switches,
    reading: Option<Reading>,
    /// When this turn began.
    now: Timestamp,
    /// When this process last gave a sign of life.
    seen_at: Timestamp,
    /// Whether orders are made.
    trades: bool,
    /// Commands about orders that nobody here knows.
    inquiries: Inquiries,
    /// Since when events may be lost.
    deaf_since: Option<Timestamp>,
    /// What has happened since this time, while events were lost, is asked until it is answered.
    missed_since: Option<Timestamp>,
    /// When that was asked last.
    missed_asked: Timestamp,
    /// Orders that nobody here knows, as was told.
    told_unknown: BTreeSet<ClientOrderId>,
}

impl<V: Venue, S> Elsewhere<V, S> {
    fn of(connection: Connection<V, S>) -> Self {
        Self {
            connection,
            requests: Requests::default(),
            switches: Switches::default(),
            reading: None,
            now: Timestamp::default(),
            seen_at: Timestamp::default(),
            trades: false,
            inquiries: Inquiries::default(),
            deaf_since: None,
            missed_since: None,
            missed_asked: Timestamp::default(),
            told_unknown: BTreeSet::new(),
        }
    }

    /// An order is to be cancelled. Its answer tells what a question would, and is waited for first.
    fn ask_to_cancel(&mut self, manager: &mut OrderManager, id: &ClientOrderId, symbol: &Symbol) {
        self.requests.cancel(id, symbol);
        manager.quiet(id, Some(self.now.plus_millis(DOUBT_INTERVAL_MS)));
    }

    /// When the report of what was acknowledged just now is asked for.
    fn report_due(&self) -> Timestamp {
        self.now.plus_millis(self.connection.facts().answers.report_ms())
    }

    /// What there is of replies and events; and of entries, if the read has ended.
    fn poll(&mut self, event: Pin<&mut impl Future<Output = VenueEvent>>, context: &mut Context<'_>) -> Heard {
        let mut heard = Heard { replies: self.requests.poll(context), ..Heard::default() };
        if let Poll::Ready(event) = event.poll(context) {
            heard.events.push(event);
        }
        if let Some(reading) = &mut self.reading
            && let Poll::Ready(read) = reading.as_mut().poll(context)
        {
            (heard.read, self.reading) = (Some(read), None);
        }
        heard
    }
}

/// What is heard at once.
#[derive(Default)]
struct Heard {
    replies: Vec<Replied>,
    events: Vec<VenueEvent>,
    read: Option<Result<Batch, Stop>>,
}

impl Heard {
    fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.events.is_empty() && self.read.is_none()
    }
}

impl<V: Venue, S> Place for Elsewhere<V, S> {
    const IS_ELSEWHERE: bool = true;

    /// That a ledger is closed and has no order open is acknowledged only when the venue has told of all orders and the
    /// commands before that are answered; until then its orders are cancelled.
    fn follows(&self, mut desired: GatewayDesired) -> GatewayDesired {
        if !self.trades {
            let soften = |book: BookSpec| match book.stance() {
                Stance::Closed => book.with_stance(Stance::CancelOrders),
                Stance::Open | Stance::StopOpening | Stance::CancelOrders => book,
            };
            desired.books = desired.books.into_iter().map(soften).collect();
        }
        desired
    }

    fn refuses(&self, command: &OrderCommand) -> Option<&'static str> {
        match command.kind {
            CommandKind::Replace { .. } => Some("CommandUnsupported"),
            CommandKind::Create(_) => {
                let written = self.connection.facts().ids.encode(&command.client_order_id);
                written.is_none().then_some("IdUnsupported")
            }
            CommandKind::Cancel | CommandKind::Advance { .. } | CommandKind::Transfer(_) => None,
        }
    }

    fn judged_at(&self, _command: &OrderCommand) -> Timestamp {
        self.now
    }

    async fn act<B: Bus>(
        gateway: &mut Gateway<B, Self>,
        command: &OrderCommand,
        verdict: &Verdict,
    ) -> Result<(), Stop> {
        let (place, id) = (&mut gateway.place, &command.client_order_id);
        match verdict {
            Verdict::Cancel => place.ask_to_cancel(&mut gateway.manager, id, &command.symbol),
            Verdict::Send => place.requests.create(id),
            Verdict::Ask => place.inquiries.begin(command),
            Verdict::Tell(_) | Verdict::Repeat(_) | Verdict::NotRegistered | Verdict::Reissued(..) => {}
        }
        Ok(())
    }

    /// There is nothing to be matched here.
    async fn advance<B: Bus>(
        gateway: &mut Gateway<B, Self>,
        command: &OrderCommand,
        round: u32,
        _index: Option<u64>,
    ) -> Result<(), Stop> {
        let Some(tick) = command.tick.clone() else { return Ok(()) };
        let word = Inbox::Word { tick, symbol: Some(command.symbol.clone()), round };
        gateway.answer(&command.strategy, command.client_order_id.ledger(), vec![word.into()]).await
    }

    /// Without a definite yes the order stays as it is: the venue is asked, and asked to cancel again.
    fn cancel(&mut self, manager: &mut OrderManager, id: &ClientOrderId, symbol: &Symbol) -> News {
        self.ask_to_cancel(manager, id, symbol);
        News::new()
    }

    fn forget(&mut self, _ledger: &LedgerId) {}

    fn take_changes(&mut self, _changes: &mut Changes) -> Result<(), RecordError> {
        Ok(())
    }
}

impl<B: Bus, V: Venue, S: 'static> Gateway<B, Elsewhere<V, S>> {
    /// Waits for what there is to hear. `None` once asked to stop: what is on its way then is in doubt for who comes after.
    async fn hear(&mut self, cursors: Vec<(StreamKey, StreamId)>) -> Result<Option<Heard>, Stop> {
        let mut shutdown = self.runtime.shutdown.clone();
        shutdown.or(self.listen(cursors)).await.transpose()
    }

    /// Waits for replies, for events, and for entries of the streams, which are read for [`SOON`] at most.
    async fn listen(&mut self, cursors: Vec<(StreamKey, StreamId)>) -> Result<Heard, Stop> {
        let (runtime, bus) = (self.runtime.clone(), self.runtime.bus.clone());
        self.place.reading.get_or_insert_with(|| {
            Box::pin(async move { patiently(&runtime, || bus.read(&cursors, ENTRIES_MAX, Some(SOON))).await })
        });
        let connection = self.place.connection.clone();
        let mut event = pin!(connection.next_event());
        let place = &mut self.place;
        let heard = std::future::poll_fn(|context| {
            let mut heard = place.poll(event.as_mut(), context);
            let mut has_more = !heard.events.is_empty();
            while has_more && heard.events.len() < EVENTS_MAX {
                event.set(connection.next_event());
                let more = event.as_mut().poll(context);
                has_more = more.is_ready();
                if let Poll::Ready(event) = more {
                    heard.events.push(event);
                }
            }
            if heard.is_empty() { Poll::Pending } else { Poll::Ready(heard) }
        });
        let heard = heard.await;
        self.place.now = self.now().await?;
        Ok(heard)
    }

    /// Who may have been frozen shows that it lives before it does anything: it may have been replaced, or its register have
    /// changed, and what is sent is judged by what the register holds now.
    async fn shows_life(&mut self, acts: bool) -> Result<(), Stop> {
        let idle = i64::try_from(crate::roles::IDLE.as_millis()).unwrap_or(i64::MAX);
        if acts || self.place.now.millis_since(self.place.seen_at) >= idle {
            self.session.beat().await?;
            self.place.seen_at = self.place.now;
        }
        if self.session.register_is_news() {
            // Its nudge is lost or still on its way: the store has told.
            self.adopt_register().await?;
        }
        Ok(())
    }

    /// Asks what there is to ask, and stores what has become known.
    async fn store_turn(&mut self) -> Result<(), Stop> {
        for question in self.manager.questions(self.place.now) {
            self.place.requests.ask(question);
        }
        if let Some(since) = self.place.missed_since
            && self.place.now.millis_since(self.place.missed_asked) >= DOUBT_INTERVAL_MS
        {
            self.place.missed_asked = self.place.now;
            self.place.requests.ask(Question::OrdersSince(since));
        }
        for question in self.place.inquiries.questions(self.place.now) {
            self.place.requests.ask(question);
        }
        self.manager.forget_settled(self.place.now, self.place.connection.facts());
        if self.store_what_is_new().await? {
            self.place.seen_at = self.place.now;
        }
        Ok(())
    }

    /// Sends the cancels that wait.
    fn send_cancels(&mut self) {
        let Elsewhere { connection, requests, now, .. } = &mut self.place;
        let at_once = connection.facts().at_once;
        while let Some((id, symbol)) = requests.next_cancel(at_once) {
            if self.manager.order(&id).is_some_and(GatewayOrder::is_closed) {
                continue;
            }
            let (connection, sent, now) = (connection.clone(), Sent::Cancel(id.clone()), *now);
            let cancelling = async move { Reply::Outcome(connection.cancel(id, symbol, now).await) };
            requests.sent(sent, now, Box::pin(cancelling));
        }
    }

    /// Asks the questions that wait.
    fn send_questions(&mut self) {
        let Elsewhere { connection, requests, now, .. } = &mut self.place;
        let at_once = connection.facts().at_once;
        while let Some(question) = requests.next_question(at_once) {
            let (connection, sent) = (connection.clone(), Sent::Question(question.clone()));
            let asking = async move { Reply::Answer(connection.ask(question).await) };
            requests.sent(sent, *now, Box::pin(asking));
        }
    }
}

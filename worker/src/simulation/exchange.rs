//! An exchange that keeps its orders elsewhere and behaves as badly as real ones may: it answers late or not
//! at all, shows orders and trades late, reports twice, out of order or never, and checks client order ids
//! only among open orders. It keeps every promise that the gateway relies on, and notes each one the gateway
//! breaks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use engine::client_order_id::ClientOrderId;
use engine::instrument::Asset;
use engine::messages::{CommandKind, OrderCommand, OrderStatus, Side};
use engine::numbers::Notional;
use engine::testkit::quoting::Chance;
use engine::time::Timestamp;
use venue::{
    Alphabet, Answer, IdCodec, Outcome, Question, Request, Venue, VenueError, VenueEvent, VenueFacts, VenueReport,
    VenueTrade,
};

use super::account::CAPITAL;
use super::bus::{VirtualBus, pause};
use super::floor::Placed;
use super::script::{ANSWER_MS, Arrival, MARGIN_MS, RECEIVE_WINDOW_MS, Says, Script, VISIBILITY_MS, Weather};

/// A connection to the exchange; clones share the exchange.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    bus: VirtualBus,
    inner: Arc<Mutex<Inner>>,
}

/// It takes ids of either form, and answers within three seconds.
const FACTS: VenueFacts = VenueFacts {
    ids: IdCodec { alphabet: Alphabet::WithHyphens, length_max: 36 },
    receive_ms: RECEIVE_WINDOW_MS,
    margin_ms: MARGIN_MS,
    visibility_ms: VISIBILITY_MS,
    answer_ms: ANSWER_MS,
    at_once: 8,
};

#[derive(Debug, Default)]
struct Inner {
    /// What to do with the requests to come, in their order; then [`Inner::chance`], then the default.
    scripts: std::collections::VecDeque<Script>,
    chance: Option<Chance>,
    weather: Weather,
    placed: Vec<Placed>,
    in_flight: Vec<Received>,
    requests: Vec<Received>,
    absences: BTreeMap<ClientOrderId, Vec<i64>>,
    reports: Vec<(i64, VenueReport)>,
    silent_until: i64,
    /// Until then no event is delivered, and those that are due are lost.
    disconnected: Option<i64>,
    tells_disconnected: bool,
    /// It tells nothing of what the account holds.
    hides_balances: bool,
    /// Some answers to questions are doubled, or tell of other orders too.
    confuses: bool,
    /// Requests and questions in the order in which they came.
    log: Vec<String>,
    /// How often it did what.
    met: BTreeMap<&'static str, usize>,
    faults: Vec<String>,
}

/// A request to make an order, with the stamp it was signed with.
#[derive(Debug, Clone)]
struct Received {
    command: OrderCommand,
    signed_at: i64,
    script: Script,
    arrives_at: i64,
}

impl Exchange {
    pub fn on(bus: &VirtualBus) -> Self {
        Self { bus: bus.clone(), inner: Arc::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn now(&self) -> i64 {
        self.bus.clock().now()
    }

    /// What to do with the next request.
    pub fn next(&self, script: Script) {
        self.inner().scripts.push_back(script);
    }

    /// Draws a script for each request to come; `None` ends all trouble.
    pub fn draw_from(&self, chance: Option<Chance>, weather: Weather) {
        let mut inner = self.inner();
        (inner.chance, inner.weather) = (chance, weather);
        inner.silent_until = 0;
        inner.disconnected = inner.disconnected.map(|_| 0);
    }

    /// No look-up is answered for so long.
    pub fn fall_silent(&self, milliseconds: i64) {
        self.inner().silent_until = self.now() + milliseconds;
    }

    /// Events are lost for so long, which is told.
    pub fn disconnect(&self, milliseconds: i64) {
        let until = self.now() + milliseconds;
        let mut inner = self.inner();
        (inner.disconnected, inner.tells_disconnected) = (Some(until), true);
    }

    /// Whether it tells nothing of what the account holds.
    pub fn hide_balances(&self, hides: bool) {
        self.inner().hides_balances = hides;
    }

    /// Some answers to questions are doubled, or tell of other orders too, while there is chance.
    pub fn confuse_answers(&self) {
        self.inner().confuses = true;
    }

    /// Requests and questions in the order in which they came.
    pub fn log(&self) -> Vec<String> {
        self.inner().log.clone()
    }

    /// How often it did what.
    pub fn met(&self) -> BTreeMap<&'static str, usize> {
        self.inner().met.clone()
    }

    /// A report of an order that was not made here.
    pub fn report_foreign(&self, report: VenueReport) {
        let now = self.now();
        self.inner().reports.push((now, report));
    }

    /// What the gateway did wrong so far.
    pub fn faults(&self) -> Vec<String> {
        self.inner().faults.clone()
    }

    /// Requests that reached the exchange or were meant to, by id, with their stamps.
    pub fn requests(&self) -> Vec<(ClientOrderId, i64)> {
        self.inner().requests.iter().map(|one| (one.command.client_order_id.clone(), one.signed_at)).collect()
    }

    /// All orders it took, as they stand.
    pub fn placed(&self) -> Vec<Placed> {
        let mut inner = self.inner();
        inner.advance(self.now());
        inner.placed.clone()
    }

    /// Whether an order is open there.
    pub fn has_open_orders(&self) -> bool {
        self.placed().iter().any(|placed| !placed.is_closed())
    }

    /// All trades, in no special order.
    pub fn trades(&self) -> Vec<(OrderCommand, VenueTrade)> {
        let with = |placed: Placed| placed.trades.into_iter().map(move |trade| (placed.command.clone(), trade.1));
        self.placed().into_iter().flat_map(with).collect()
    }

    /// The way back of an answer can be slow: what it says is then old.
    async fn answer<T>(&self, answer: T, after_ms: i64) -> T {
        let due = self.now() + after_ms;
        while self.now() < due {
            pause().await;
        }
        while self.inner().chance.as_mut().is_some_and(|chance| chance.one_in(3)) {
            pause().await;
        }
        answer
    }

    fn take(&self, command: &OrderCommand, signed_at: i64) -> (Outcome, i64) {
        let now = self.now();
        let id = command.client_order_id.to_string();
        let mut inner = self.inner();
        inner.log.push(format!("create {}", command.sequence));
        let written = FACTS.ids.encode(&command.client_order_id).and_then(|text| FACTS.ids.decode(&text));
        if written.as_ref() != Some(&command.client_order_id) {
            inner.faults.push(format!("{id} is no id here"));
        }
        if !self.bus.was_sending(&id, signed_at) {
            inner.faults.push(format!("{id} was sent before it was on record as being sent at {signed_at}"));
        }
        if signed_at > command.expires_at.millis() {
            inner.faults.push(format!("{id} was sent after it had expired"));
        }
        inner.judge_repetition(command, signed_at);
        let script = inner.script();
        let arrives_at = match script.arrival {
            Arrival::Now => now,
            Arrival::Late(delay) => now + delay,
            Arrival::Never => i64::MAX,
        };
        let request = Received { command: command.clone(), signed_at, script, arrives_at };
        inner.requests.push(request.clone());
        if request.arrives_at > now {
            inner.in_flight.push(request);
            return (Outcome::Unknown("TimedOut".to_owned()), 0);
        }
        let Script { answered, says, answers_after_ms, .. } = request.script;
        let outcome = inner.arrive(request, now);
        if !answered {
            return (Outcome::Unknown("AnswerLost".to_owned()), answers_after_ms);
        }
        if answers_after_ms > ANSWER_MS {
            inner.meets("AnswerOverdue");
        }
        (inner.said(outcome, says), answers_after_ms)
    }

    fn cancel_now(&self, id: &ClientOrderId) -> Outcome {
        let now = self.now();
        let mut inner = self.inner();
        inner.log.push(format!("cancel {}", id.sequence()));
        inner.advance(now);
        let Some(placed) = inner.placed.iter_mut().find(|placed| placed.id() == id && !placed.is_closed()) else {
            return Outcome::Rejected("UnknownOrder".to_owned());
        };
        if placed.script.cancels_lost > 0 {
            placed.script.cancels_lost -= 1;
            return Outcome::Unknown("TimedOut".to_owned());
        }
        let reports = placed.close(OrderStatus::Canceled, now);
        let (answered, report) = (placed.script.cancel_answered, placed.shown(now));
        inner.reports.extend(reports);
        if answered { Outcome::Done(Box::new(report)) } else { Outcome::Unknown("AnswerLost".to_owned()) }
    }

    fn answer_now(&self, question: &Question) -> Result<Answer, VenueError> {
        let now = self.now();
        let mut inner = self.inner();
        inner.advance(now);
        inner.log.push(format!("ask {}", question.as_str()));
        if now < inner.silent_until {
            return Err(VenueError { question: question.as_str(), reason: "no answer".to_owned() });
        }
        let shown = |wanted: &dyn Fn(&Placed) -> bool| {
            let visible = inner.placed.iter().filter(|placed| placed.is_visible(now) && wanted(placed));
            visible.map(|placed| placed.shown(now)).collect::<Vec<_>>()
        };
        Ok(match question {
            Question::Order { id, .. } => {
                let mut found = shown(&|placed| placed.id() == id);
                inner.confuse(&mut found, now);
                if found.is_empty() {
                    inner.absences.entry(id.clone()).or_default().push(now);
                }
                Answer::Orders(found)
            }
            Question::OpenOrders => Answer::Orders(shown(&|placed| !placed.is_closed())),
            Question::OrdersSince(time) => Answer::Orders(shown(&|placed| placed.has_news_since(time.millis()))),
            Question::Balances if inner.hides_balances => Answer::Balances(BTreeMap::new()),
            Question::Balances => Answer::Balances(inner.balances()),
        })
    }

    fn event_now(&self) -> Option<VenueEvent> {
        let now = self.now();
        let mut inner = self.inner();
        inner.advance(now);
        if let Some(until) = inner.disconnected {
            inner.reports.retain(|(at, _)| *at > now);
            if std::mem::take(&mut inner.tells_disconnected) {
                inner.meets("Disconnected");
                return Some(VenueEvent::Disconnected);
            }
            inner.disconnected = Some(until).filter(|until| now < *until);
            return inner.disconnected.is_none().then_some(VenueEvent::Resumed);
        }
        let due = inner.reports.iter().enumerate().filter(|(_, (at, _))| *at <= now);
        let first = due.min_by_key(|(_, (at, _))| *at).map(|(place, _)| place)?;
        Some(VenueEvent::Order(Box::new(inner.reports.remove(first).1)))
    }
}

impl Inner {
    fn meets(&mut self, what: &'static str) {
        *self.met.entry(what).or_default() += 1;
    }

    /// The answer to a request, as it is said.
    fn said(&mut self, outcome: Outcome, says: Says) -> Outcome {
        let Outcome::Done(report) = outcome else { return outcome };
        let now = report.time.millis();
        match says {
            Says::Truth => Outcome::Done(report),
            Says::Exists => {
                self.meets("Exists");
                Outcome::Exists
            }
            Says::Another => {
                let another = self.placed.iter().find(|placed| *placed.id() != report.client_order_id);
                let Some(another) = another.map(|placed| placed.shown(now)) else { return Outcome::Done(report) };
                self.meets("AnswerOfAnother");
                Outcome::Done(Box::new(another))
            }
        }
    }

    /// Now and then the answer to a question about one order is told twice, or with another order in it.
    fn confuse(&mut self, found: &mut Vec<VenueReport>, now: i64) {
        let Some(chance) = self.chance.as_mut().filter(|_| self.confuses) else { return };
        if !found.is_empty() && chance.one_in(4) {
            found.extend_from_within(..);
            self.meets("AnsweredTwice");
        } else if chance.one_in(4)
            && let Some(another) = self.placed.first()
        {
            found.insert(0, another.shown(now));
            self.meets("AnsweredOfOthers");
        }
    }

    /// What the account holds: it opened with its strategy's capital.
    fn balances(&self) -> BTreeMap<Asset, Notional> {
        let amount = |text: &str| text.parse::<Notional>().unwrap();
        let (mut coins, mut cash) = (amount(CAPITAL.0), amount(CAPITAL.1));
        for placed in &self.placed {
            let CommandKind::Create(order) = &placed.command.kind else { continue };
            for (_, trade) in &placed.trades {
                let (quantity, worth) = (Notional::from(trade.quantity), trade.price.times(trade.quantity).unwrap());
                (coins, cash) = match order.side {
                    Side::Buy => (coins.plus(quantity).unwrap(), cash.minus(worth).unwrap()),
                    Side::Sell => (coins.minus(quantity).unwrap(), cash.plus(worth).unwrap()),
                };
                cash = cash.minus(trade.fee).unwrap();
            }
        }
        BTreeMap::from([("BNB".parse().unwrap(), coins), ("USDT".parse().unwrap(), cash)])
    }

    fn script(&mut self) -> Script {
        match (self.scripts.pop_front(), &mut self.chance) {
            (Some(script), _) => script,
            (None, Some(chance)) => Script::drawn(chance, self.weather),
            (None, None) => Script::default(),
        }
    }

    /// Lets everything happen that is due.
    fn advance(&mut self, now: i64) {
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.in_flight).into_iter().partition(|request| request.arrives_at <= now);
        self.in_flight = later;
        for request in due {
            let at = request.arrives_at;
            self.arrive(request, at);
        }
        for placed in &mut self.placed {
            self.reports.extend(placed.advance(now));
        }
    }

    fn arrive(&mut self, request: Received, at: i64) -> Outcome {
        let id = request.command.client_order_id.clone();
        if at > request.signed_at + RECEIVE_WINDOW_MS {
            return Outcome::Rejected("OutsideReceiveWindow".to_owned());
        }
        if let Some(reason) = request.script.refusal {
            return Outcome::Rejected(reason.to_owned());
        }
        // As real ones do: an id is looked for among open orders only.
        if self.placed.iter().any(|placed| placed.id() == &id && !placed.is_closed()) {
            return Outcome::Exists;
        }
        if self.placed.iter().any(|placed| placed.id() == &id) {
            self.faults.push(format!("{id} became a second order"));
        }
        let number = self.placed.len() + 1;
        let mut placed = Placed::new(number, request.command, request.script, at);
        self.reports.extend(placed.advance(at));
        let report = placed.shown(at);
        self.placed.push(placed);
        Outcome::Done(Box::new(report))
    }

    /// A second request under the same id is right only when the first one can no longer arrive and two
    /// look-ups, far enough apart, have not found it.
    fn judge_repetition(&mut self, command: &OrderCommand, signed_at: i64) {
        let id = &command.client_order_id;
        let Some(before) = self.requests.iter().rfind(|request| request.command.client_order_id == *id) else {
            return;
        };
        let mut fault = |what: &str| self.faults.push(format!("{id} was sent again {what}"));
        if before.command != *command {
            fault("with another meaning");
        }
        if signed_at == before.signed_at {
            fault("under the same stamp");
        }
        let dead_from = before.signed_at + RECEIVE_WINDOW_MS;
        let absences: Vec<_> =
            self.absences.get(id).into_iter().flatten().filter(|asked| **asked > dead_from).collect();
        match (absences.first(), absences.last()) {
            (Some(first), Some(last)) if *last - *first >= VISIBILITY_MS => {}
            _ => fault("before two look-ups had told that it never arrived"),
        }
    }
}

impl Venue for Exchange {
    fn facts(&self) -> &VenueFacts {
        &FACTS
    }

    async fn request(&self, request: Request, signed_at: Timestamp) -> Outcome {
        let (outcome, after_ms) = match request {
            Request::Create(order) => self.take(&order, signed_at.millis()),
            Request::Cancel { id, .. } => (self.cancel_now(&id), 0),
        };
        self.answer(outcome, after_ms).await
    }

    async fn ask(&self, question: Question) -> Result<Answer, VenueError> {
        let answer = self.answer_now(&question);
        self.answer(answer, 0).await
    }

    async fn next_event(&self) -> VenueEvent {
        loop {
            if let Some(event) = self.event_now() {
                return event;
            }
            pause().await;
        }
    }
}

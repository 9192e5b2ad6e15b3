//! An exchange that keeps its orders elsewhere and behaves as badly as real ones may: it answers late or not
//! at all, shows orders and trades late, reports twice, out of order or never, and checks client order ids
//! only among open orders. It keeps every promise that the gateway relies on, and notes each one the gateway
//! breaks.

mod answers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use engine::client_order_id::ClientOrderId;
use engine::messages::{OrderCommand, OrderStatus};
use engine::testkit::quoting::Chance;
use venue::{
    Answer, Answers, Guarded, Outcome, Question, Request, RequestExpiry, SelfTradePrevention, Stamp, Switching, Venue,
    VenueError, VenueEvent, VenueFacts, VenueReport, VenueTrade,
};

use super::bus::{VirtualBus, pause};
use super::floor::Placed;
use super::guard::Guards;
use super::kind::{self, PLAIN};
use super::script::{ANSWER_MS, ARRIVES_AT_LAST_MS, Arrival, Script, VISIBILITY_MS, Weather};

/// A connection to the exchange; clones share the exchange.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    bus: VirtualBus,
    facts: VenueFacts,
    inner: Arc<Mutex<Inner>>,
}

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
    refused: BTreeSet<String>,
    reports: Vec<(i64, VenueReport)>,
    guards: Guards,
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
    /// After this time it is refused; `None`: never.
    dies_at: Option<i64>,
    /// Whether it asks to be kept from trading with another order of the account.
    is_kept: bool,
    script: Script,
    arrives_at: i64,
}

impl Exchange {
    pub fn on(bus: &VirtualBus) -> Self {
        Self::like(PLAIN, bus)
    }

    /// One of this kind.
    pub fn like(facts: VenueFacts, bus: &VirtualBus) -> Self {
        Self { bus: bus.clone(), facts, inner: Arc::default() }
    }

    /// Whether it has an order of this id, or will have. One that it has refused shows in no list of it.
    pub fn shows(&self, id: &str) -> bool {
        let inner = self.inner();
        let asked = inner.requests.iter().any(|request| request.command.client_order_id.to_string() == id);
        asked && !inner.refused.contains(id)
    }

    /// Whether nothing bounds when a request arrives.
    pub fn never_refuses_as_late(&self) -> bool {
        self.facts.expiry == RequestExpiry::Never
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
        let mut met = self.inner().met.clone();
        met.extend(kind::words(&self.facts).map(|word| (word, 1)));
        met
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
        inner.advance(self.now(), self.facts.answers);
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

    fn take(&self, command: &OrderCommand, stamp: Stamp, prevention: Option<SelfTradePrevention>) -> (Outcome, i64) {
        let (now, signed_at) = (self.now(), stamp.signed_at().millis());
        let id = command.client_order_id.to_string();
        let mut inner = self.inner();
        inner.log.push(format!("create {}", command.sequence));
        let ids = self.facts.ids;
        let written = ids.encode(&command.client_order_id).and_then(|text| ids.decode(&text));
        if written.as_ref() != Some(&command.client_order_id) {
            inner.faults.push(format!("{id} is no id here"));
        }
        if prevention != self.facts.prevents() {
            inner.faults.push(format!("{id} asks for {prevention:?} of {:?}", self.facts.prevention));
        }
        let dies_at = match self.facts.expiry {
            RequestExpiry::ReceiveWindow { window_ms } => Some(signed_at + window_ms),
            RequestExpiry::Named { .. } => Some(stamp.expires_at().expect("the expiry is named").millis()),
            RequestExpiry::Never => None,
        };
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
            Arrival::Never if dies_at.is_none() && inner.chance.is_some() => now + ARRIVES_AT_LAST_MS,
            Arrival::Never => i64::MAX,
        };
        let is_kept = prevention.is_some();
        let request = Received { command: command.clone(), signed_at, dies_at, is_kept, script, arrives_at };
        inner.requests.push(request.clone());
        if request.arrives_at > now {
            inner.in_flight.push(request);
            return (Outcome::Unknown("TimedOut".to_owned()), 0);
        }
        let Script { answered, says, answers_after_ms, .. } = request.script;
        let outcome = inner.arrive(request, now, self.facts.answers);
        if !answered {
            return (Outcome::Unknown("AnswerLost".to_owned()), answers_after_ms);
        }
        if answers_after_ms > ANSWER_MS {
            inner.meets("AnswerOverdue");
        }
        let said = inner.said(outcome, says);
        (inner.acknowledged(said, self.facts.answers), answers_after_ms)
    }

    fn cancel_now(&self, id: &ClientOrderId) -> Outcome {
        let now = self.now();
        let mut inner = self.inner();
        inner.log.push(format!("cancel {}", id.sequence()));
        inner.advance(now, self.facts.answers);
        let Some(placed) = inner.placed.iter_mut().find(|placed| placed.id() == id && !placed.is_closed()) else {
            return Outcome::Rejected("UnknownOrder".to_owned());
        };
        if placed.script.cancels_lost > 0 {
            placed.script.cancels_lost -= 1;
            return Outcome::Unknown("TimedOut".to_owned());
        }
        let reports = placed.close(OrderStatus::Canceled, "", now);
        let (answered, report) = (placed.script.cancel_answered, placed.shown(now));
        inner.reports.extend(reports);
        if answered {
            inner.acknowledged(Outcome::Done(Box::new(report)), self.facts.answers)
        } else {
            Outcome::Unknown("AnswerLost".to_owned())
        }
    }

    fn switch_now(&self, guarded: &Guarded, switching: Switching) -> Result<(), VenueError> {
        let now = self.now();
        let mut inner = self.inner();
        inner.log.push(switching.as_str().to_owned());
        inner.advance(now, self.facts.answers);
        if now < inner.silent_until {
            return Err(VenueError { question: switching.as_str(), reason: "no answer".to_owned() });
        }
        match inner.guards.switched(self.facts.switch, guarded, switching, now) {
            Ok(met) => inner.meets(met),
            Err(fault) => inner.faults.push(fault),
        }
        Ok(())
    }

    fn answer_now(&self, question: &Question) -> Result<Answer, VenueError> {
        let now = self.now();
        let mut inner = self.inner();
        inner.advance(now, self.facts.answers);
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
        inner.advance(now, self.facts.answers);
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

    fn script(&mut self) -> Script {
        match (self.scripts.pop_front(), &mut self.chance) {
            (Some(script), _) => script,
            (None, Some(chance)) => Script::drawn(chance, self.weather),
            (None, None) => Script::default(),
        }
    }

    /// Lets everything happen that is due.
    fn advance(&mut self, now: i64, answers: Answers) {
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.in_flight).into_iter().partition(|request| request.arrives_at <= now);
        self.in_flight = later;
        for request in due {
            let at = request.arrives_at;
            self.arrive(request, at, answers);
        }
        let fired = self.guards.fire(now, &mut self.placed);
        if !fired.is_empty() {
            self.meets("Fired");
        }
        self.reports.extend(fired);
        for placed in &mut self.placed {
            self.reports.extend(placed.advance(now));
        }
    }

    fn arrive(&mut self, request: Received, at: i64, answers: Answers) -> Outcome {
        let id = request.command.client_order_id.clone();
        if request.dies_at.is_some_and(|dies_at| at > dies_at) {
            return Outcome::Rejected("OutsideReceiveWindow".to_owned());
        }
        if at > request.command.expires_at.millis() {
            self.meets("ArrivedLate");
        }
        let refusal = request.script.refusal;
        if let Some(reason) = refusal.filter(|_| answers == Answers::Final) {
            self.refused.insert(id.to_string());
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
        let mut placed = Placed::new(number, request.command, request.script, at).kept(request.is_kept);
        if let Some(reason) = refusal {
            // It has said yes to the request, and says no to the order.
            self.meets("RefusedLater");
            self.reports.extend(placed.close(OrderStatus::Rejected, reason, at));
        }
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
        let dead_from = before.dies_at.unwrap_or(i64::MAX);
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
        &self.facts
    }

    async fn request(&self, request: Request, stamp: Stamp) -> Outcome {
        let (outcome, after_ms) = match request {
            Request::Create { order, prevention } => self.take(&order, stamp, prevention),
            Request::Cancel { id, .. } => (self.cancel_now(&id), 0),
        };
        self.answer(outcome, after_ms).await
    }

    async fn switch(&self, guarded: Guarded, switching: Switching) -> Result<(), VenueError> {
        let done = self.switch_now(&guarded, switching);
        self.answer(done, 0).await
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

//! An exchange that keeps its orders elsewhere and behaves as badly as real ones may: it answers late or not
//! at all, shows orders and trades late, reports twice, out of order or never, and checks client order ids
//! only among open orders. It keeps every promise that the gateway relies on, and notes each one the gateway
//! breaks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use engine::client_order_id::ClientOrderId;
use engine::instrument::Symbol;
use engine::messages::{CommandKind, OrderCommand, OrderStatus};
use engine::testkit::quoting::Chance;
use engine::time::Timestamp;
use venue::{DoubtWindows, Outcome, Venue, VenueError, VenueReport, VenueTrade};

use super::bus::{VirtualBus, pause};
use super::floor::Placed;
use super::script::{Arrival, RECEIVE_WINDOW_MS, Script, VISIBILITY_MS, Weather};

/// A connection to the exchange; clones share the exchange.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    bus: VirtualBus,
    inner: Arc<Mutex<Inner>>,
    stamp: Option<i64>,
}

#[derive(Debug, Default)]
struct Inner {
    /// What to do with the requests to come, in their order; then [`Inner::chance`], then the default.
    scripts: std::collections::VecDeque<Script>,
    chance: Option<Chance>,
    weather: Weather,
    placed: Vec<Placed>,
    in_flight: Vec<Request>,
    requests: Vec<Request>,
    absences: BTreeMap<ClientOrderId, Vec<i64>>,
    reports: Vec<(i64, VenueReport)>,
    silent_until: i64,
    faults: Vec<String>,
}

/// A request to make an order, with the stamp it was signed with.
#[derive(Debug, Clone)]
struct Request {
    command: OrderCommand,
    signed_at: i64,
    script: Script,
    arrives_at: i64,
}

impl Exchange {
    pub fn on(bus: &VirtualBus) -> Self {
        Self { bus: bus.clone(), inner: Arc::default(), stamp: None }
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
    }

    /// No look-up is answered for so long.
    pub fn fall_silent(&self, milliseconds: i64) {
        self.inner().silent_until = self.now() + milliseconds;
    }

    /// A report of somebody else's order.
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
    async fn answer<T>(&self, answer: T) -> T {
        while self.inner().chance.as_mut().is_some_and(|chance| chance.one_in(3)) {
            pause().await;
        }
        answer
    }

    fn take(&mut self, command: &OrderCommand) -> Outcome {
        let now = self.now();
        let stamp = self.stamp.take();
        let id = command.client_order_id.to_string();
        let mut inner = self.inner();
        let signed_at = stamp.unwrap_or_else(|| {
            inner.faults.push(format!("{id} was sent without a stamp"));
            now
        });
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
        let request = Request { command: command.clone(), signed_at, script, arrives_at };
        inner.requests.push(request.clone());
        if request.arrives_at > now {
            inner.in_flight.push(request);
            return Outcome::Unknown("TimedOut".to_owned());
        }
        let answered = request.script.answered;
        let outcome = inner.arrive(request, now);
        if answered { outcome } else { Outcome::Unknown("AnswerLost".to_owned()) }
    }

    fn cancel_now(&self, id: &ClientOrderId) -> Outcome {
        let now = self.now();
        let mut inner = self.inner();
        inner.advance(now);
        let Some(placed) = inner.placed.iter_mut().find(|placed| placed.id() == id && !placed.is_closed()) else {
            return Outcome::Refused("UnknownOrder".to_owned());
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

    fn look_up_now(&self, id: &ClientOrderId) -> Result<Option<VenueReport>, VenueError> {
        let now = self.now();
        let mut inner = self.inner();
        inner.advance(now);
        if now < inner.silent_until {
            return Err(VenueError { question: "order by id", reason: "no answer".to_owned() });
        }
        let found = inner.placed.iter().rfind(|placed| placed.id() == id && placed.is_visible(now));
        let report = found.map(|placed| placed.shown(now));
        if report.is_none() {
            inner.absences.entry(id.clone()).or_default().push(now);
        }
        Ok(report)
    }
}

impl Inner {
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

    fn arrive(&mut self, request: Request, at: i64) -> Outcome {
        let id = request.command.client_order_id.clone();
        if at > request.signed_at + RECEIVE_WINDOW_MS {
            return Outcome::Refused("OutsideReceiveWindow".to_owned());
        }
        if let Some(reason) = request.script.refusal {
            return Outcome::Refused(reason.to_owned());
        }
        // As real ones do: an id is looked for among open orders only.
        if self.placed.iter().any(|placed| placed.id() == &id && !placed.is_closed()) {
            return Outcome::Refused("DuplicateClientOrderId".to_owned());
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
    fn windows(&self) -> DoubtWindows {
        DoubtWindows { receive_ms: RECEIVE_WINDOW_MS, visibility_ms: VISIBILITY_MS }
    }

    fn stamp(&mut self, signed_at: Timestamp) {
        self.stamp = Some(signed_at.millis());
    }

    async fn submit(&mut self, order: &OrderCommand) -> Outcome {
        if !matches!(order.kind, CommandKind::Create(_)) {
            return Outcome::Refused("NotAnOrder".to_owned());
        }
        let outcome = self.take(order);
        self.answer(outcome).await
    }

    async fn cancel(&mut self, id: &ClientOrderId, _symbol: &Symbol) -> Outcome {
        let outcome = self.cancel_now(id);
        self.answer(outcome).await
    }

    async fn lookup(&mut self, id: &ClientOrderId, _symbol: &Symbol) -> Result<Option<VenueReport>, VenueError> {
        let answer = self.look_up_now(id);
        self.answer(answer).await
    }

    fn take_reports(&mut self) -> Vec<VenueReport> {
        let now = self.now();
        let mut inner = self.inner();
        inner.advance(now);
        let (mut due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut inner.reports).into_iter().partition(|(at, _)| *at <= now);
        inner.reports = later;
        due.sort_by_key(|(at, _)| *at);
        due.into_iter().map(|(_, report)| report).collect()
    }
}

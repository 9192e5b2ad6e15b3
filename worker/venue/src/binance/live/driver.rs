//! What drives the machine: it gives it what comes and the time, and does what it says. All in one loop, whose pauses tell
//! whether this process was run at all.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::clock::{self, Now};
use super::connection::{self, Happened, Outgoing, Outlet};
use super::faults::Failure;
use super::machine::{Action, ConnectionId, Hosts, Machine};
use super::questions::{self, Answered, Question};
use super::{Config, TakenFrame};
use crate::live::{LiveSource, News, Wish};
use crate::net::{Network, Uri, place};

/// How often time goes on.
const STEP: Duration = Duration::from_millis(100);
/// A loop that was not run for longer was held up: what lies in its connections is old.
const HELD_UP_MILLIS: u64 = 2_000;
/// How often what has passed is told.
const TRAFFIC_MILLIS: u64 = 500;
/// Messages that wait for the loop, of all connections.
const HAPPENED_MAX: usize = 64;
/// Messages that wait to go out on one connection.
const OUTGOING_MAX: usize = 16;

type Channel<T> = (mpsc::Sender<T>, mpsc::Receiver<T>);

/// What waits for its reader.
enum Out {
    News(News),
    Frame(TakenFrame),
}

/// What one turn of the loop is about.
enum Turn {
    Time,
    Gave,
    Happened(ConnectionId, Happened),
    Answered(Answered),
    Wished(Wish),
    End,
}

/// The loop and what it holds.
pub(super) struct Driver {
    machine: Machine,
    config: Config,
    network: Arc<Network>,
    clock: Box<dyn Fn() -> Now + Send>,
    source: LiveSource,
    tap: Option<mpsc::Sender<TakenFrame>>,
    out: VecDeque<Out>,
    connections: HashMap<ConnectionId, Outlet>,
    happened: Channel<(ConnectionId, Happened)>,
    /// Asked one after the other, so that what the first answer forbids is not done by the second question.
    questions: VecDeque<Question>,
    asking: bool,
    answered: Channel<Answered>,
    /// Nothing more is wanted but what has come.
    ends: bool,
    /// All that runs for it; ends with it.
    tasks: JoinSet<()>,
}

impl Driver {
    pub(super) fn new(
        config: Config,
        network: Network,
        source: LiveSource,
        tap: Option<mpsc::Sender<TakenFrame>>,
    ) -> Self {
        let names = |hosts: &[Uri]| hosts.iter().map(|uri| place(uri).to_owned()).collect();
        let hosts = Hosts { requests: names(&config.rest), streams: names(&config.stream) };
        Self {
            machine: Machine::new(config.product, hosts, fastrand::u64(..)),
            config,
            network: Arc::new(network),
            clock: Box::new(clock::now),
            source,
            tap,
            out: VecDeque::new(),
            connections: HashMap::new(),
            happened: mpsc::channel(HAPPENED_MAX),
            questions: VecDeque::new(),
            asking: false,
            answered: mpsc::channel(1),
            ends: false,
            tasks: JoinSet::new(),
        }
    }

    /// With another clock.
    #[cfg(test)]
    pub(super) fn by(mut self, clock: impl Fn() -> Now + Send + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Runs until nobody listens.
    pub(super) async fn run(mut self) {
        let mut steps = interval(STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before = (self.clock)();
        let mut told = before.millis;
        loop {
            let turn = tokio::select! {
                biased;
                _ = steps.tick() => Turn::Time,
                wish = self.source.wishes.recv() => wish.map_or(Turn::End, Turn::Wished),
                Some(answered) = self.answered.1.recv() => Turn::Answered(answered),
                goes_on = give(&mut self.out, &self.source.news, &mut self.tap), if !self.out.is_empty() => {
                    if goes_on { Turn::Gave } else { Turn::End }
                }
                // While news wait for their reader, nothing more is read.
                Some((id, happened)) = self.happened.1.recv(), if self.out.is_empty() => Turn::Happened(id, happened),
            };
            let now = (self.clock)();
            let pause = now.millis.saturating_sub(before.millis);
            before = now;
            if pause > HELD_UP_MILLIS {
                self.machine.suspended(pause);
            }
            let is_frame = matches!(turn, Turn::Happened(_, Happened::Text(..) | Happened::Life) | Turn::Gave);
            match turn {
                Turn::End => return,
                Turn::Time if !self.out.is_empty() => self.machine.not_read(now),
                Turn::Time | Turn::Gave => {}
                Turn::Happened(id, happened) => self.take(id, happened, now),
                Turn::Answered(answered) => self.take_answer(answered, now),
                Turn::Wished(wish) => self.take_wish(wish),
            }
            if !is_frame && !self.ends {
                self.machine.tick(now);
            }
            self.act(now);
            if self.ends && self.connections.is_empty() && self.out.is_empty() {
                return;
            }
            if now.millis.saturating_sub(told) >= TRAFFIC_MILLIS {
                told = now.millis;
                self.source.traffic.send_replace(self.machine.traffic(now.millis));
            }
        }
    }

    fn take(&mut self, id: ConnectionId, happened: Happened, now: Now) {
        match happened {
            Happened::Opened => self.machine.opened(id, now),
            Happened::Text(nanos, text) => {
                let is_taken = self.machine.frame(id, &text, clock::timestamp(nanos), now.millis);
                if is_taken && self.tap.is_some() {
                    self.out.push_back(Out::Frame((nanos, text)));
                }
            }
            Happened::Binary(length) => self.machine.binary(id, length, now),
            Happened::Life => self.machine.heard_from(id, now),
            Happened::Ended(missing) => {
                self.connections.remove(&id);
                self.out.extend(missing.map(|words| Out::News(News::Notice(words))));
            }
            Happened::Lost(failure) => {
                self.connections.remove(&id);
                self.machine.lost(id, &failure, now.millis);
            }
        }
    }

    fn take_answer(&mut self, answered: Answered, now: Now) {
        self.asking = false;
        match answered {
            Answered::Rules(Ok((info, took))) => self.machine.rules_came(&info, took, now),
            Answered::Rules(Err(failure)) => self.machine.rules_failed(&failure, now.millis),
            Answered::Candles(Ok(count)) => self.machine.candles_came(count),
            Answered::Candles(Err(failure)) => {
                // Who asked was told.
                self.machine.request_failed(&failure, now.millis);
            }
        }
    }

    fn take_wish(&mut self, wish: Wish) {
        match wish {
            Wish::Follow(markets) => self.machine.follow(markets),
            Wish::Finish => {
                self.ends = true;
                for outlet in self.connections.values() {
                    let outlet = outlet.clone();
                    // Behind what waits to go out: while nobody read, that piled up. One that is gone needs no end.
                    self.tasks.spawn(async move { drop(outlet.send(Outgoing::End).await) });
                }
            }
            Wish::Candles(wanted, answer) => self.questions.push_back(Question::Candles(wanted, answer)),
        }
    }

    /// Does what the machine says, and asks the next question.
    fn act(&mut self, now: Now) {
        for action in self.machine.take_actions() {
            match action {
                Action::Connect { .. } if self.ends => {}
                Action::Connect { connection, host, path } => self.connect(connection, host, path),
                Action::Send { connection, text } => self.send(connection, Outgoing::Text(text)),
                Action::Ping { connection } => self.send(connection, Outgoing::Ping),
                Action::Close { connection } => drop(self.connections.remove(&connection)),
                Action::AskRules { names, .. } => self.questions.push_back(Question::Rules(names)),
            }
        }
        self.ask(now);
        self.out.extend(self.machine.take_news().into_iter().map(Out::News));
        // What has ended is forgotten.
        while self.tasks.try_join_next().is_some() {}
    }

    fn connect(&mut self, id: ConnectionId, host: usize, path: &str) {
        let Some(base) = self.config.stream.get(host) else { return };
        let (outlet, outgoing) = mpsc::channel(OUTGOING_MAX);
        self.connections.insert(id, outlet);
        let (network, happened) = (Arc::clone(&self.network), self.happened.0.clone());
        match questions::below(base, &format!("{path}/stream")) {
            Ok(uri) => drop(self.tasks.spawn(connection::serve(id, (network, uri), outgoing, happened))),
            Err(problem) => {
                let failure = Failure::unreachable(problem.to_string());
                self.tasks.spawn(async move { drop(happened.send((id, Happened::Lost(failure))).await) });
            }
        }
    }

    /// A connection that takes nothing for so long that its channel is full is found to be stale.
    fn send(&self, id: ConnectionId, outgoing: Outgoing) {
        if let Some(outlet) = self.connections.get(&id) {
            drop(outlet.try_send(outgoing));
        }
    }

    fn ask(&mut self, now: Now) {
        while !self.asking {
            // The pause behind a failure is one of all requests; why there are none is told at once.
            if self.machine.holding(now.millis).is_none() && now.millis < self.machine.requests_due() {
                return;
            }
            let Some(question) = self.questions.pop_front() else { return };
            let question = match (question, self.machine.holding(now.millis)) {
                (Question::Candles(_, answer), Some(fault)) => {
                    // Who waited may be gone.
                    let _ = answer.send(Err(fault));
                    continue;
                }
                (Question::Rules(_), Some(fault)) => {
                    self.machine.rules_failed(&Failure { fault, hold_millis: None }, now.millis);
                    continue;
                }
                (question, None) => question,
            };
            let Some(base) = self.config.rest.get(self.machine.request_host()).cloned() else { return };
            self.asking = true;
            let (network, answered) = (Arc::clone(&self.network), self.answered.0.clone());
            let product = self.config.product;
            self.tasks.spawn(async move {
                // If the driver is gone, nobody needs to know.
                let _ = answered.send(questions::ask(product, &network, &base, question).await).await;
            });
        }
    }
}

/// Gives out what waits, as much as its reader takes; whether one is there.
async fn give(out: &mut VecDeque<Out>, news: &mpsc::Sender<News>, tap: &mut Option<mpsc::Sender<TakenFrame>>) -> bool {
    while let Some(next) = out.front() {
        match (next, tap.clone()) {
            (Out::News(_), _) => {
                let Ok(place) = news.reserve().await else { return false };
                if let Some(Out::News(told)) = out.pop_front() {
                    place.send(told);
                }
            }
            (Out::Frame(_), Some(frames)) => match frames.reserve().await {
                Ok(place) => {
                    if let Some(Out::Frame(frame)) = out.pop_front() {
                        place.send(frame);
                    }
                }
                // Who recorded has ended.
                Err(_) => *tap = None,
            },
            (Out::Frame(_), None) => drop(out.pop_front()),
        }
    }
    true
}

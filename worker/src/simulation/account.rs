//! One account with one strategy on a virtual bus: its records and its roles, driven by hand.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bus::{
    Bounds, Closing, CreateOutcome, Desired, Fields, Keys, Message, MessageBus, Owner, Published, Scope, StateStore,
    StreamId, StreamKey, Topic,
};
use engine::client_order_id::ClientOrderId;
use engine::messages::{Inbox, Tick};
use engine::strategies::{DesiredState, Registry};
use engine::testkit::Market;
use engine::testkit::quoting::QUOTER;
use engine::time::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use venue::VenueFacts;

use super::bus::VirtualBus;
use super::exchange::Exchange;
use crate::process::admin::Health;
use crate::process::shutdown::Shutdown;
use crate::roles::gateway;
use crate::roles::strategy;
use crate::roles::strategy::COMMAND;
use crate::roles::{Identity, Runtime, Stop};
use crds::record::{KEPT, ORDER, STANCE};
use crds::roles::{AccountSpec, BookSpec, GatewayDesired, GatewaySpec, Stance, StrategyDesired, StrategySpec};

/// The opening capital of every simulated strategy.
pub(crate) const CAPITAL: (&str, &str) = ("5", "3000");
const NAMESPACE: &str = "default";
const NAME: &str = "grid";

/// A role at work. Dropped, it has crashed.
pub(crate) struct Role {
    future: Pin<Box<dyn Future<Output = Result<(), Stop>>>>,
    /// Without it the role would take itself for asked to stop.
    alive: watch::Sender<bool>,
    pub health: Health,
    pub epoch: u64,
    /// Starts its successor.
    start: fn(&Account, u64) -> Self,
}

impl Role {
    /// It is asked to stop, as by SIGTERM.
    pub fn ask_to_stop(&self) {
        self.alive.send(true).unwrap();
    }

    /// Lets it go on until it waits; tells how it ended, if it did.
    pub fn step(&mut self) -> Option<Result<(), Stop>> {
        match self.future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(ended) => Some(ended),
            Poll::Pending => None,
        }
    }

    /// One of its kind that takes over at this epoch.
    pub fn successor(&self, account: &Account, epoch: u64) -> Self {
        (self.start)(account, epoch)
    }

    /// Lets it go on until it waits. Stopped at a commit it has crashed, and its successor of the next epoch takes over.
    pub fn go_on(&mut self, account: &Account) {
        if let Some(ended) = self.step() {
            panic!("it ended: {ended:?}");
        }
        if account.bus.take_stopped().is_some() {
            *self = self.successor(account, self.epoch + 1);
        }
    }
}

/// The answer of a call that does not wait.
pub(crate) fn at_once<T>(call: impl Future<Output = T>) -> T {
    let mut call = std::pin::pin!(call);
    match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the call waits"),
    }
}

/// The records of an account and of its strategy.
pub(crate) struct Account {
    pub bus: VirtualBus,
    pub exchange: Exchange,
    pub gateway: Owner,
    pub strategy: Owner,
    pub ledger: String,
    gateway_ledger: String,
    keys: Keys,
    scope: Scope,
    pub spec: StrategySpec,
    pub registry: Registry,
    token: u64,
}

/// The ledger of a record that was not there before.
fn created(bus: &VirtualBus, owner: &Owner) -> String {
    match at_once(bus.create(owner, "test", &Fields::new())).unwrap() {
        CreateOutcome::Created { ledger } => ledger,
        CreateOutcome::Exists { .. } => panic!("the bus is new"),
    }
}

impl Account {
    pub fn open() -> Self {
        Self::with_latency(0)
    }

    /// An account at an exchange of this kind.
    pub fn at(facts: VenueFacts) -> Self {
        let mut account = Self::open();
        account.exchange = Exchange::like(facts, &account.bus);
        account
    }

    /// Open orders of the strategy that were never sent, or refused and nobody heard it, at an exchange where nothing bounds
    /// when a request arrives: nobody can ever say that they are not there.
    pub fn in_doubt_for_good(&self) -> BTreeSet<String> {
        if !self.exchange.never_refuses_as_late() {
            return BTreeSet::new();
        }
        let record = at_once(self.bus.record(&self.strategy)).unwrap().unwrap();
        let open = record.fields.keys().filter_map(|name| name.strip_prefix(COMMAND).map(str::to_owned));
        open.filter(|id| !self.exchange.shows(id) && self.bus.was_recorded_as_sending(id)).collect()
    }

    /// An account whose paper venue takes its time; the exchange has its own.
    pub fn with_latency(milliseconds: u32) -> Self {
        Self::of(spec(milliseconds), Registry::standard(), created)
    }

    /// An account whose records `open` puts on the bus, each with the ledger that it gives.
    pub fn with_records(latency_ms: u32, open: impl Fn(&VirtualBus, &Owner) -> String) -> Self {
        Self::of(spec(latency_ms), Registry::standard(), open)
    }

    /// An account whose strategy is the quoter of this seed.
    pub fn quoting(seed: u64, latency_ms: u32) -> Self {
        Self::quoting_under(seed, latency_ms, &json!({}), &Value::Null)
    }

    /// The same, under these limits and with this exit.
    pub fn quoting_under(seed: u64, latency_ms: u32, limits: &Value, exit: &Value) -> Self {
        let mut spec = spec(latency_ms);
        let mut risk = serde_json::to_value(&spec.spec.risk).unwrap();
        risk.as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
        (spec.spec.risk, spec.spec.exit) =
            (serde_json::from_value(risk).unwrap(), serde_json::from_value(exit.clone()).unwrap());
        assert_eq!(spec.spec.validate(), []);
        spec.spec.strategy =
            serde_json::from_value(json!({"custom": {"name": QUOTER.name, "parameters": {"seed": seed}}})).unwrap();
        let mut registry = Registry::standard();
        registry.register(QUOTER);
        Self::of(spec, registry, created)
    }

    /// An account whose strategy is a ladder of this seed in a market that moves by small steps around 600.
    pub fn laddering(seed: u64, latency_ms: u32) -> Self {
        let mut spec = spec(latency_ms);
        let is_narrow = seed.is_multiple_of(3);
        let (lower, upper, levels) = if is_narrow { (599, 600, 5) } else { (598, 602, 20) };
        let mut ladder = json!({"lowerPrice": lower, "upperPrice": upper, "levels": levels, "trailingUp": is_narrow});
        if seed.is_multiple_of(2) {
            ladder["quantity"] = json!("0.1");
        }
        spec.spec.strategy = serde_json::from_value(json!({"ladder": ladder})).unwrap();
        if seed.is_multiple_of(5) {
            // Coins are bought first, and some levels are left out.
            spec.spec.capital = serde_json::from_value(json!({"USDT": 700})).unwrap();
        }
        Self::of(spec, Registry::standard(), created)
    }

    /// An account with this strategy.
    pub fn trading(spec: StrategySpec, registry: Registry) -> Self {
        Self::of(spec, registry, created)
    }

    /// Another strategy of this account, by another name.
    pub fn beside(&self, spec: StrategySpec, registry: Registry) -> Self {
        let strategy = self.inbox_of(&spec.name);
        let ledger = created(&self.bus, &strategy);
        Self {
            bus: self.bus.clone(),
            exchange: self.exchange.clone(),
            gateway: self.gateway.clone(),
            strategy,
            ledger,
            gateway_ledger: self.gateway_ledger.clone(),
            keys: self.keys.clone(),
            scope: self.scope.clone(),
            spec,
            registry,
            token: 0,
        }
    }

    fn of(spec: StrategySpec, registry: Registry, open: impl Fn(&VirtualBus, &Owner) -> String) -> Self {
        let bus = VirtualBus::starting_at(1_700_000_000_000);
        let keys = Keys::new("glm").unwrap();
        let scope = Scope::account(NAMESPACE, &spec.account.name).unwrap();
        let (gateway, strategy) = (keys.gateway(&scope), keys.strategy(&scope, &spec.name));
        let (gateway_ledger, ledger) = (open(&bus, &gateway), open(&bus, &strategy));
        let exchange = Exchange::on(&bus);
        let mut account =
            Self { bus, exchange, gateway, strategy, ledger, gateway_ledger, keys, scope, spec, registry, token: 0 };
        account.follow(Stance::Open);
        account.nudge(&account.gateway);
        account
    }

    /// Sets a register, and tells nobody: as if the nudge was lost.
    pub fn register(&mut self, owner: &Owner, value: &impl serde::Serialize) {
        self.token += 1;
        let value = serde_json::to_string(value).unwrap().into();
        at_once(self.bus.set_desired(owner, &Desired { generation: 1, token: self.token, value })).unwrap();
    }

    pub fn nudge(&self, owner: &Owner) {
        self.publish(owner.inbox().clone(), &Inbox::Control);
    }

    /// The gateway's register asks for this stance of the strategy; no nudge tells of it.
    pub fn follow(&mut self, stance: Stance) {
        let ledger = self.ledger.parse().unwrap();
        let book = BookSpec::new(self.spec.name.clone(), ledger, self.spec.spec.capital.clone(), stance);
        self.register(&self.gateway.clone(), &GatewayDesired::of(vec![book]));
    }

    /// The stance that the gateway has acknowledged.
    pub fn acknowledged(&self) -> Option<Stance> {
        let stance = self.field(&self.gateway, &format!("{STANCE}{}", self.ledger))?;
        Some(serde_json::from_value(stance).unwrap())
    }

    /// The worker's register asks for this state; no nudge tells of it.
    pub fn want(&mut self, state: DesiredState) {
        self.register(&self.strategy.clone(), &StrategyDesired { state, ..StrategyDesired::default() });
    }

    /// A human wants the strategy elsewhere.
    pub fn wish(&mut self, state: DesiredState) {
        self.want(state);
        self.nudge(&self.strategy);
    }

    /// The id of an order of the strategy.
    pub fn order_id(&self, sequence: u64) -> String {
        ClientOrderId::new(self.ledger.parse().unwrap(), sequence).to_string()
    }

    /// Closes the strategy's ledger and deletes its inbox, as the operator does at the end of a deletion.
    pub fn close_strategy(&self) {
        let closing = Closing { drop: &self.keys.streams_of(&self.strategy), keep: &KEPT };
        at_once(self.bus.close(&self.strategy, &self.ledger, closing)).unwrap();
    }

    /// The ids of orders that the gateway's record holds as sent, whatever became of them.
    pub fn sent_on_record(&self) -> Vec<String> {
        let record = at_once(self.bus.record(&self.gateway)).unwrap().unwrap();
        let orders = record.fields.iter().filter_map(|(name, value)| Some((name.strip_prefix(ORDER)?, value)));
        let sent = orders.filter(|(_, value)| {
            let order: Value = serde_json::from_str(value).unwrap();
            order["status"] != "Denied"
        });
        sent.map(|(id, _)| id.to_owned()).collect()
    }

    /// Another strategy of this account, with a ledger of its own, which the gateway's register names beside the first.
    pub fn neighbour(&mut self, name: &str) -> (Owner, String) {
        let owner = self.inbox_of(name);
        let ledger = created(&self.bus, &owner);
        let capital = self.spec.spec.capital.clone();
        let book = |name: &str, ledger: &str| {
            BookSpec::new(name.to_owned(), ledger.parse().unwrap(), capital.clone(), Stance::Open)
        };
        let books = vec![book(NAME, &self.ledger), book(name, &ledger)];
        self.register(&self.gateway.clone(), &GatewayDesired::of(books));
        (owner, ledger)
    }

    /// Fills a strategy's inbox to its bound with entries that tell nothing; gives the last.
    pub fn fill_inbox(&self, owner: &Owner) -> StreamId {
        let publish = |_| self.publish(owner.inbox().clone(), &Inbox::Control);
        let filled: Vec<_> = (0..Bounds::INBOX.entries).map(publish).collect();
        filled[filled.len() - 1]
    }

    /// A strategy has taken the entries of its inbox up to one.
    pub fn empty_inbox(&self, owner: &Owner, up_to: StreamId) {
        at_once(self.bus.trim(owner.inbox(), up_to)).unwrap();
    }

    /// A strategy of this account by another name.
    pub fn inbox_of(&self, name: &str) -> Owner {
        self.keys.strategy(&self.scope, name)
    }

    /// The commands of the worker's open orders once more, as it gives them itself after half a minute of silence; its
    /// own clock stands still here.
    pub fn ask_again(&self) {
        let record = at_once(self.bus.record(&self.strategy)).unwrap().unwrap();
        let hopeless = self.in_doubt_for_good();
        let asked = |name: &str| name.strip_prefix(COMMAND).is_some_and(|id| !hopeless.contains(id));
        for (_, command) in record.fields.iter().filter(|(name, _)| asked(name)) {
            self.command(&serde_json::from_str::<Value>(command).unwrap());
        }
    }

    /// The gateway's record is gone, and made anew by hand: what only it knew is lost.
    pub fn lose_gateway(&mut self) {
        at_once(self.bus.close(&self.gateway, &self.gateway_ledger, Closing::default())).unwrap();
        match at_once(self.bus.create(&self.gateway, "test", &Fields::new())).unwrap() {
            CreateOutcome::Created { ledger } => self.gateway_ledger = ledger,
            CreateOutcome::Exists { .. } => panic!("it was closed"),
        }
    }

    /// Whether a stream exists.
    pub fn exists(&self, stream: &StreamKey) -> bool {
        at_once(self.bus.last_id(stream)).unwrap().is_some()
    }

    pub fn publish(&self, stream: StreamKey, document: &impl serde::Serialize) -> StreamId {
        let message = Message::new(stream, 1, serde_json::to_string(document).unwrap());
        match at_once(self.bus.publish(&message)).unwrap() {
            Published::Appended(id) => id,
            Published::Busy => panic!("it has no bound"),
        }
    }

    pub fn tick(&self, tick: &Tick) -> StreamId {
        let source = Scope::source(NAMESPACE, &self.spec.account.source()).unwrap();
        self.publish(self.keys.market_tick(&source, &tick.symbol.to_string()), tick)
    }

    /// The ticks of the first instrument from an id on, as they stand in their stream.
    pub fn ticks_from(&self, id: StreamId) -> Vec<Value> {
        let source = Scope::source(NAMESPACE, &self.spec.account.source()).unwrap();
        let symbol = self.spec.instrument().unwrap().symbol.to_string();
        let stream = self.keys.market_tick(&source, &symbol);
        let entries = at_once(self.bus.range(&stream, id, StreamId::MAX, 100)).unwrap();
        entries.iter().map(|entry| serde_json::from_str(entry.text()).unwrap()).collect()
    }

    /// All ticks so far are trimmed from their stream.
    pub fn trim_ticks(&self, tick: &Tick) {
        let source = Scope::source(NAMESPACE, &self.spec.account.source()).unwrap();
        let stream = self.keys.market_tick(&source, &tick.symbol.to_string());
        if let Some(last) = at_once(self.bus.last_id(&stream)).unwrap() {
            at_once(self.bus.trim(&stream, last)).unwrap();
        }
    }

    /// Whatever commands the gateway has not read are gone.
    pub fn lose_commands(&self) {
        let stream = self.topic(Topic::OrderCommand);
        if let Some(last) = at_once(self.bus.last_id(&stream)).unwrap() {
            at_once(self.bus.trim(&stream, last)).unwrap();
        }
    }

    /// A command as a worker gives it.
    pub fn command(&self, command: &impl serde::Serialize) {
        self.publish(self.topic(Topic::OrderCommand), command);
    }

    pub fn topic(&self, topic: Topic) -> StreamKey {
        self.keys.topic(&self.scope, topic)
    }

    /// How often the strategy's record was taken under its epoch.
    pub fn incarnation(&self) -> u64 {
        at_once(self.bus.record(&self.strategy)).unwrap().unwrap().incarnation
    }

    /// A field of a record, as JSON.
    pub fn field(&self, owner: &Owner, name: &str) -> Option<Value> {
        let record = at_once(self.bus.record(owner)).unwrap().unwrap();
        record.fields.get(name).map(|value| serde_json::from_str(value).unwrap())
    }

    fn runtime(&self, name: &'static str, ledger: &str, epoch: u64) -> (watch::Sender<bool>, Runtime<VirtualBus>) {
        let (alive, shutdown) = Shutdown::channel();
        let identity =
            Identity { keys: self.keys.clone(), namespace: NAMESPACE.to_owned(), ledger: ledger.to_owned(), epoch };
        (alive, Runtime { bus: self.bus.clone(), identity, health: Health::new(name), shutdown })
    }

    pub fn start_gateway(&self, epoch: u64) -> Role {
        let (alive, runtime) = self.runtime("gateway", &self.gateway_ledger, epoch);
        let health = runtime.health.clone();
        let spec = GatewaySpec { generation: 1, account: self.spec.account.clone() };
        let exchange = self.exchange.clone();
        let future = Box::pin(async move { gateway::run_with(runtime, &spec, || exchange.clone()).await });
        Role { future, alive, health, epoch, start: Self::start_gateway }
    }

    /// The gateway of the paper venue, which keeps its orders in the gateway's record.
    pub fn start_paper_gateway(&self, epoch: u64) -> Role {
        self.paper_gateway(epoch, self.bus.clone(), Self::start_paper_gateway)
    }

    /// The same of a release that knows of no transfers.
    pub fn start_older_gateway(&self, epoch: u64) -> Role {
        self.paper_gateway(epoch, self.bus.without_transfers(), Self::start_older_gateway)
    }

    fn paper_gateway(&self, epoch: u64, bus: VirtualBus, start: fn(&Self, u64) -> Role) -> Role {
        let (alive, runtime) = self.runtime("gateway", &self.gateway_ledger, epoch);
        let health = runtime.health.clone();
        let spec = GatewaySpec { generation: 1, account: self.spec.account.clone() };
        let future = Box::pin(gateway::run(Runtime { bus, ..runtime }, spec));
        Role { future, alive, health, epoch, start }
    }

    /// The worker at the scripted exchange, which keeps its orders itself.
    pub fn start_worker(&self, epoch: u64) -> Role {
        let (alive, runtime) = self.runtime("strategy", &self.ledger, epoch);
        let health = runtime.health.clone();
        let place = strategy::Place::Elsewhere;
        let future = Box::pin(strategy::run_at(place, runtime, self.spec.clone(), self.registry.clone()));
        Role { future, alive, health, epoch, start: Self::start_worker }
    }

    /// The worker at the simulated venue.
    pub fn start_paper_worker(&self, epoch: u64) -> Role {
        let (alive, runtime) = self.runtime("strategy", &self.ledger, epoch);
        let health = runtime.health.clone();
        let future = Box::pin(strategy::run(runtime, self.spec.clone(), self.registry.clone()));
        Role { future, alive, health, epoch, start: Self::start_paper_worker }
    }
}

/// A nervous grid: it trades on nearly every turn of the price.
fn spec(latency_ms: u32) -> StrategySpec {
    let capital = json!({"BNB": CAPITAL.0, "USDT": CAPITAL.1});
    let account = json!({
        "venue": {"paper": {
            "balances": capital, "fees": {"makerPercent": "0.1", "takerPercent": "0.1"}, "latencyMs": latency_ms,
        }},
        "marketData": {"replay": {"file": "none.csv"}},
    });
    let spec = json!({
        "accountRef": {"name": "test"},
        "instruments": [{"symbol": "BNB/USDT", "rules": {"tickSize": "0.01", "lotSize": "0.001", "minNotional": 5}}],
        "capital": capital,
        "strategy": {"grid": {"gridSizePercent": "0.5", "flipThresholdFactor": "0.1", "minTradeIntervalSeconds": 0}},
        "risk": {"maxOrdersPerMinute": 600},
    });
    let account = AccountSpec { name: "test".to_owned(), spec: serde_json::from_value(account).unwrap() };
    StrategySpec {
        name: NAME.to_owned(),
        generation: 1,
        spec: serde_json::from_value(spec).unwrap(),
        account,
        source_folder: None,
    }
}

/// A tick of BNB at a price in cents, without quotes.
pub(crate) fn tick(sequence: u64, cents: i64, now: i64) -> Tick {
    let now = Timestamp::from_millis(now);
    let price = rust_decimal::Decimal::new(cents, 2).to_string();
    Tick { time: Some(now), received: now, ..Market::USUAL.tick(sequence, &price) }
}

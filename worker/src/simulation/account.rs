//! One account with one strategy on a virtual bus: its records and its roles, driven by hand.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bus::{
    CreateOutcome, Desired, Fields, Keys, Message, MessageBus, Owner, Published, Scope, StateStore, StreamId,
    StreamKey, Topic,
};
use engine::messages::{Inbox, Tick};
use engine::strategy::{DesiredState, Registry};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::bus::VirtualBus;
use super::exchange::Exchange;
use crate::admin::Health;
use crate::role::{Identity, Runtime, Stop};
use crate::shutdown::Shutdown;
use crate::{gateway, strategy};
use crds::roles::{AccountSpec, BookSpec, GatewayDesired, GatewaySpec, StrategyDesired, StrategySpec};

/// The opening capital of every simulated strategy.
pub(crate) const CAPITAL: (&str, &str) = ("5", "3000");
const NAMESPACE: &str = "default";
const NAME: &str = "grid";

/// A role at work. Dropped, it has crashed.
pub(crate) struct Role {
    future: Pin<Box<dyn Future<Output = Result<(), Stop>>>>,
    /// Without it the role would take itself for asked to stop.
    _alive: watch::Sender<bool>,
    pub epoch: u64,
}

impl Role {
    /// Lets it go on until it waits; tells how it ended, if it did.
    pub fn step(&mut self) -> Option<Result<(), Stop>> {
        match self.future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(ended) => Some(ended),
            Poll::Pending => None,
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
    spec: StrategySpec,
    token: u64,
}

impl Account {
    pub fn open() -> Self {
        Self::with_latency(0)
    }

    /// An account whose paper venue takes its time; the exchange has its own.
    pub fn with_latency(milliseconds: u32) -> Self {
        let bus = VirtualBus::starting_at(1_700_000_000_000);
        let keys = Keys::new("glm").unwrap();
        let spec = spec(milliseconds);
        let scope = Scope::account(NAMESPACE, &spec.account.name).unwrap();
        let (gateway, strategy) = (keys.gateway(&scope), keys.strategy(&scope, NAME));
        let create = |owner: &Owner| match at_once(bus.create(owner, "test", &Fields::new())).unwrap() {
            CreateOutcome::Created { ledger } => ledger,
            CreateOutcome::Exists { .. } => panic!("the bus is new"),
        };
        let (gateway_ledger, ledger) = (create(&gateway), create(&strategy));
        let exchange = Exchange::on(&bus);
        let mut account =
            Self { bus, exchange, gateway, strategy, ledger, gateway_ledger, keys, scope, spec, token: 0 };
        let book = BookSpec {
            strategy: NAME.to_owned(),
            ledger: account.ledger.parse().unwrap(),
            capital: account.spec.spec.capital.clone(),
            closing: false,
        };
        account.register(&account.gateway.clone(), &GatewayDesired { books: vec![book] });
        account
    }

    fn register(&mut self, owner: &Owner, value: &impl serde::Serialize) {
        self.token += 1;
        let value = serde_json::to_string(value).unwrap().into();
        at_once(self.bus.set_desired(owner, &Desired { generation: 1, token: self.token, value })).unwrap();
        self.publish(owner.inbox().clone(), &Inbox::Control);
    }

    /// A human wants the strategy elsewhere.
    pub fn wish(&mut self, state: DesiredState) {
        self.register(&self.strategy.clone(), &StrategyDesired { state });
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

    /// A command as a worker gives it.
    pub fn command(&self, command: &impl serde::Serialize) {
        self.publish(self.topic(Topic::OrderCommand), command);
    }

    pub fn topic(&self, topic: Topic) -> StreamKey {
        self.keys.topic(&self.scope, topic)
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
        let spec = GatewaySpec { generation: 1, account: self.spec.account.clone() };
        let exchange = self.exchange.clone();
        let future = Box::pin(async move { gateway::run_with(runtime, &spec, || exchange.clone()).await });
        Role { future, _alive: alive, epoch }
    }

    /// The gateway of the paper venue, which keeps its orders in the gateway's record.
    pub fn start_paper_gateway(&self, epoch: u64) -> Role {
        let (alive, runtime) = self.runtime("gateway", &self.gateway_ledger, epoch);
        let spec = GatewaySpec { generation: 1, account: self.spec.account.clone() };
        Role { future: Box::pin(gateway::run(runtime, spec)), _alive: alive, epoch }
    }

    pub fn start_worker(&self, epoch: u64) -> Role {
        let (alive, runtime) = self.runtime("strategy", &self.ledger, epoch);
        let future = Box::pin(strategy::run(runtime, self.spec.clone(), Registry::standard()));
        Role { future, _alive: alive, epoch }
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
    StrategySpec { name: NAME.to_owned(), generation: 1, spec: serde_json::from_value(spec).unwrap(), account }
}

/// A tick of BNB at a price in cents, without quotes.
pub(crate) fn tick(sequence: u64, cents: i64, now: i64) -> Tick {
    let value = json!({
        "symbol": "BNB/USDT", "price": rust_decimal::Decimal::new(cents, 2).normalize().to_string(), "volume": "1",
        "time": now, "received": now, "sequence": sequence,
    });
    serde_json::from_value(value).unwrap()
}

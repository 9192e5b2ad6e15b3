//! Through a real Redis: the roles as they run in pods, each with a thread and a connection of its own, beside raw
//! sockets that do the least that the same path can do.

mod floor;
mod server;

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bus::{Batch, Message, MessageBus, Record, RedisBus, StateStore, StreamId, StreamKey, Topic};
use engine::messages::{Document, Tick};
use engine::strategies::Registry;
use engine::time::Timestamp;
use tokio::sync::watch;

use super::data::File;
use super::{START_MS, Taken, refuse};
use crate::fleet::Fleet;
use crate::fleet::provision::{Place, Places, Provisioner, identity};
use crate::process::admin::Health;
use crate::process::exit::Failure;
use crate::process::shutdown::Shutdown;
use crate::roles::feed;
use crate::roles::gateway;
use crate::roles::launch::{admit, in_runtime, keys, open};
use crate::roles::options::Store;
use crate::roles::strategy;
use crate::roles::{Identity, Runtime, Stop};
use crds::record::POSITION;
use floor::Floor;
use server::Server;

/// How long anything may take that is not measured.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often the record is looked at while ticks are taken.
const LOOK: Duration = Duration::from_millis(20);
/// How long after a tick or a fill nothing is under way any more.
const SETTLED: Duration = Duration::from_millis(5);
/// Prices around 600 of which the second makes a grid sell, and the fourth buy.
const TURNS: [&str; 4] = ["615", "612", "585", "588"];
/// Event time between two ticks: no grid waits, and no order rate is reached.
const STEP_MS: i64 = 60_000;

const MANIFEST: &str = r#"
apiVersion: glm.trading/v1alpha1
kind: TradingAccount
metadata: {name: bench}
spec:
  venue: {paper: {balances: {USDT: 1000000, BNB: 1000}}}
  marketData: {replay: {file: ticks.csv}}
---
apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata: {name: bench}
spec:
  accountRef: {name: bench}
  instruments: [{symbol: BNB/USDT, rules: {tickSize: "0.01", lotSize: "0.001"}}]
  capital: {USDT: 3000, BNB: 5}
  strategy: {grid: {basePrice: 600, quantity: "0.1"}}
"#;

/// How long each of some repetitions took.
#[derive(Debug, Default)]
pub(super) struct Spread(Vec<Duration>);

impl Spread {
    /// The time within which so many of a hundred were done.
    pub fn percentile(&mut self, percent: usize) -> Duration {
        self.0.sort_unstable();
        let place = self.0.len().saturating_mul(percent) / 100;
        self.0.get(place.min(self.0.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

/// From a tick to its fill, and what raw sockets take for as many steps of as many bytes.
#[derive(Debug, Default)]
pub(super) struct Path {
    pub fills: Spread,
    pub floor: Spread,
}

/// An account with one grid, in a store of its own.
struct Bench {
    store: Store,
    bus: RedisBus,
    places: Places,
    stop: watch::Sender<bool>,
    shutdown: Shutdown,
    roles: Vec<JoinHandle<Result<(), Failure>>>,
    // Dropped last: the roles end before their store does.
    _file: File,
    server: Server,
}

impl Bench {
    async fn start(rows: u32, price: impl Fn(u32) -> String) -> Result<Self, Failure> {
        let row = |row: u32| format!("{},{}\n", START_MS + i64::from(row) * 1_000, price(row));
        let text: String = std::iter::once("time,price\n".to_owned()).chain((0..rows).map(row)).collect();
        let file = File::of("ticks.csv", text.as_bytes())?;
        let manifest = file.beside("bench.yaml", MANIFEST.as_bytes())?;
        let server = Server::start()?;
        let store = Store { redis: server.url(), prefix: "glm".to_owned(), installation: "bench".to_owned() };
        let bus = open(&store)?;
        let (stop, shutdown) = Shutdown::channel();
        let nobody = Identity { keys: keys(&store)?, namespace: String::new(), ledger: String::new(), epoch: 0 };
        let runtime =
            Runtime { bus: bus.clone(), identity: nobody, health: Health::new("bench"), shutdown: shutdown.clone() };
        admit(&runtime, &store).await?;
        let fleet = Fleet::from_files(&[manifest])?;
        let group = fleet.accounts.first().ok_or_else(|| refuse("no account"))?;
        let places = Provisioner { runtime, uid: "bench", new_ledger: false, only: None }.provision(group).await?;
        Ok(Self { store, bus, places, stop, shutdown, roles: Vec::new(), _file: file, server })
    }

    /// Starts a role as its pod does: a thread, a runtime and a connection of its own.
    fn role<S, F>(
        &mut self,
        name: &'static str,
        place: Place<S>,
        work: impl FnOnce(Runtime<RedisBus>, S) -> F + Send + 'static,
    ) -> Result<(), Failure>
    where
        S: Clone + Send + 'static,
        F: Future<Output = Result<(), Stop>>,
    {
        let (store, shutdown) = (self.store.clone(), self.shutdown.clone());
        let identity = identity(&keys(&store)?, &self.places.namespace, &place);
        let role = move || {
            in_runtime(async {
                let runtime = Runtime { bus: open(&store)?, identity, health: Health::new(name), shutdown };
                work(runtime, place.spec).await.map_err(Failure::from)
            })
        };
        self.roles.push(std::thread::Builder::new().name(name.to_owned()).spawn(role).map_err(refuse)?);
        Ok(())
    }

    fn worker(&mut self, registry: &Registry) -> Result<StreamKey, Failure> {
        let place = self.places.strategies.first().cloned().ok_or_else(|| refuse("no strategy"))?;
        let source = self.places.source()?;
        let ticks = keys(&self.store)?.market_tick(&source, "BNB/USDT");
        let registry = registry.clone();
        self.role("strategy", place, move |runtime, spec| strategy::run(runtime, spec, registry))?;
        Ok(ticks)
    }

    fn gateway(&mut self) -> Result<(), Failure> {
        let place = self.places.gateway.clone();
        self.role("gateway", place, gateway::run)
    }

    async fn record(&self) -> Result<Record, Failure> {
        let place = self.places.strategies.first().ok_or_else(|| refuse("no strategy"))?;
        let record = self.bus.record(&place.owner).await.map_err(refuse)?;
        record.ok_or_else(|| refuse("the record is gone"))
    }

    /// Waits until the worker is at work: a strategy joins at the tick that is the last one then.
    async fn until_joined(&self) -> Result<(), Failure> {
        let started = Instant::now();
        while self.record().await?.version == 0 {
            if started.elapsed() > PATIENCE {
                return Err(refuse("the worker does not start"));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Waits until the worker has taken this tick.
    async fn until_taken(&self, sequence: u64) -> Result<(), Failure> {
        let mut since = Instant::now();
        let mut before = None;
        loop {
            let taken = self.record().await?.fields.get(POSITION).and_then(|text| text.parse::<u64>().ok());
            if taken >= Some(sequence) {
                return Ok(());
            }
            if taken != before {
                (before, since) = (taken, Instant::now());
            }
            if since.elapsed() > PATIENCE {
                return Err(refuse(format!("no tick was taken for {} s", PATIENCE.as_secs())));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn end(mut self) -> Result<(), Failure> {
        let _ = self.stop.send(true);
        for role in std::mem::take(&mut self.roles) {
            role.join().map_err(|_| refuse("a role broke"))??;
        }
        self.server.end();
        Ok(())
    }
}

/// Ticks from a feed through a worker that has nothing to do on them.
pub(super) fn ticks(registry: &Registry, ticks: u32) -> Result<Taken, Failure> {
    in_runtime(async {
        // Between the bands of the grid, and never the same twice in a row.
        let mut bench = Bench::start(ticks, |row| format!("60{}.{:02}", row % 10, row % 100)).await?;
        bench.worker(registry)?;
        let mut place = bench.places.feed.clone().ok_or_else(|| refuse("no feed"))?;
        // As fast as the worker is.
        place.spec.speed = None;
        let started = Instant::now();
        bench.role("feed", place, feed::replay::run)?;
        bench.until_taken(u64::from(ticks).saturating_sub(1)).await?;
        let time = started.elapsed();
        bench.end()?;
        Ok(Taken { ticks: u64::from(ticks), rows: None, time, instructions: None })
    })
}

/// From the tick that makes a grid order to the fill of it, each time with nothing else under way.
pub(super) fn fill(registry: &Registry, repetitions: u32) -> Result<Path, Failure> {
    in_runtime(async {
        let mut bench = Bench::start(2, |_| "600".to_owned()).await?;
        let stream = bench.worker(registry)?;
        bench.gateway()?;
        bench.until_joined().await?;
        let account = bench.places.gateway.owner.scope().clone();
        let fills = keys(&bench.store)?.topic(&account, Topic::OrderFill);
        let mut floor = Floor::start(bench.server.address())?;
        let mut path = Path::default();
        let mut cursor = StreamId::ZERO;
        for sequence in 0..u64::from(repetitions) * 2 {
            let place = usize::try_from(sequence).unwrap_or_default() % TURNS.len();
            let tick = message(&stream, TURNS[place], sequence)?;
            let started = Instant::now();
            bench.bus.publish(&tick).await.map_err(refuse)?;
            if sequence % 2 == 1 {
                cursor = next(&bench.bus, &fills, cursor).await?;
                path.fills.0.push(started.elapsed());
                // The worker books the fill still: neither way is measured while the other has something to do.
                tokio::time::sleep(SETTLED).await;
                path.floor.0.push(floor.round()?);
            }
            // Nothing else is under way: a worker keeps ticks without an order uncommitted, so nobody tells when.
            tokio::time::sleep(SETTLED).await;
        }
        bench.end()?;
        Ok(path)
    })
}

fn message(stream: &StreamKey, price: &str, sequence: u64) -> Result<Message, Failure> {
    let time = Timestamp::from_millis(START_MS).plus_millis(i64::try_from(sequence).unwrap_or(i64::MAX) * STEP_MS);
    let tick = Tick::trade("BNB/USDT".parse().map_err(refuse)?, price.parse().map_err(refuse)?, time, sequence);
    Ok(Message::new(stream.clone(), Tick::VERSION, serde_json::to_string(&tick).map_err(refuse)?))
}

/// The id of the next entry.
async fn next(bus: &RedisBus, stream: &StreamKey, cursor: StreamId) -> Result<StreamId, Failure> {
    let found: Batch = bus.read(&[(stream.clone(), cursor)], 16, Some(PATIENCE)).await.map_err(refuse)?;
    let last = found.iter().flat_map(|(_, entries)| entries).last();
    last.map(|entry| entry.id).ok_or_else(|| refuse(format!("no fill came for {} s", PATIENCE.as_secs())))
}

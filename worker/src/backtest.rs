//! The command `backtest`: the same engine, the same paper venue, the same gateway's desk, no bus.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use crds::TradingAccountSpec;
use crds::manifest::{Document, Manifest};
use engine::instrument::{Instrument, Symbol};
use engine::messages::Tick;
use engine::numbers::Price;
use engine::report::Trade;
use engine::strategy::Registry;
use engine::{Effect, Engine, Event};
use venue::paper::PaperVenue;
use venue::replay::{Replay, Summary};

use crate::clock::Clock;
use crate::exit::Failure;
use crate::fleet;
use crate::gateway::Counter;
use crate::hashes::{DataHash, Made, line};
use crate::outcome::{DataCounts, Outcome};
use crate::role::Stop;
use crate::saved;
use crate::untraded::{Ending, Untraded};
use crate::warning::{self, Warning};
use crds::roles::{AccountSpec, BookSpec, Stance, StrategySpec};

/// The ledger of a backtest: it is in no store, so its name means nothing.
const LEDGER: &str = "backtest";
/// How often within one tick orders may cause orders.
const ROUNDS_MAX: u32 = 16;
/// Ticks that are handed to the threads at a time.
const CHUNK: usize = 1_000;
/// Chunks at most that wait for a thread: the data are never in memory as a whole.
const CHUNKS_AHEAD: usize = 2;
/// How many strategies a warning names.
const NAMES_MAX: usize = 3;

/// One `[SYMBOL=]FILE`.
#[derive(Debug, Clone)]
pub struct Data {
    /// The market; all of them if absent.
    symbol: Option<Symbol>,
    file: PathBuf,
}

impl std::str::FromStr for Data {
    type Err = engine::instrument::SymbolError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A file name may hold an equals sign; a symbol before it must read as one.
        match text.split_once('=') {
            Some((symbol, file)) if !symbol.contains(['.', '\\']) && symbol.contains('/') && !text.starts_with('/') => {
                Ok(Self { symbol: Some(symbol.parse()?), file: file.into() })
            }
            Some(_) | None => Ok(Self { symbol: None, file: text.into() }),
        }
    }
}

/// Runs every strategy of the file on the data.
pub fn run(file: &PathBuf, data: &[Data], registry: &Registry) -> Result<Results, Failure> {
    let reading = fleet::read(std::slice::from_ref(file))?;
    if !reading.errors.is_empty() {
        return Err(Failure::refused(reading.errors.to_string()));
    }
    let specs = specs(&reading.manifests)?;
    if specs.is_empty() {
        return Err(Failure::refused(format!("{}: no TradingStrategy in it", file.display())));
    }
    let mut simulations: Vec<_> = specs.iter().map(|spec| Simulation::new(spec, registry)).collect::<Result<_, _>>()?;
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let markets = Market::all(&simulations, data)?;
    for warning in markets.values().flat_map(|market| &market.warnings).collect::<BTreeSet<_>>() {
        process::say(format_args!("warning: {}: {}", warning.kind, warning.message));
    }
    let mut hashes = BTreeMap::new();
    for (key, market) in &markets {
        let on_it = simulations.iter_mut().filter(|simulation| simulation.market() == *key);
        hashes.insert(key, market.replay(&mut on_it.collect::<Vec<_>>(), threads)?);
    }
    let result = |simulation: &Simulation| {
        let key = simulation.market();
        let (market, data) = markets.get(&key).zip(hashes.get(&key)).ok_or_else(|| simulation.without_ticks())?;
        let mut outcome = simulation.outcome(data)?;
        let ticks = market.summary.ticks;
        outcome.data = Some(DataCounts { ticks, missing: market.summary.missing });
        outcome.warnings.splice(0..0, market.warnings.iter().cloned());
        Ok(outcome)
    };
    // In the order of the file, whichever thread was first: the first that went wrong is told.
    let outcomes = simulations.iter().map(result).collect::<Result<_, Failure>>()?;
    tell_parameters(&simulations);
    let untraded = simulations.iter().flat_map(Simulation::untraded).collect();
    Ok(Results { outcomes, untraded })
}

/// What a backtest gives.
pub struct Results {
    /// One result for each strategy.
    pub outcomes: Vec<Outcome>,
    /// For people: the orders that did not trade, and why.
    pub untraded: Vec<String>,
}

/// Warns of parameters, once for all strategies of which the same is to be said.
fn tell_parameters(simulations: &[Simulation]) {
    let mut told: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for simulation in simulations {
        for warning in warning::of_parameters(&simulation.engine) {
            told.entry(format!("{}: {}", warning.kind, warning.message)).or_default().push(&simulation.spec.name);
        }
    }
    for (message, names) in told {
        let (shown, more) = names.split_at(names.len().min(NAMES_MAX));
        let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
        process::say(format_args!("warning: {}{more}: {message}", shown.join(", ")));
    }
}

/// The data of one symbol, as they are for orders of one tick size.
struct Market {
    summary: Arc<Summary>,
    warnings: Vec<Warning>,
}

impl Market {
    /// The markets of all strategies, each scanned once.
    fn all(simulations: &[Simulation], data: &[Data]) -> Result<BTreeMap<(Symbol, Price), Self>, Failure> {
        let traded: BTreeSet<Symbol> = simulations.iter().map(|simulation| simulation.market().0).collect();
        let mut markets = BTreeMap::new();
        for simulation in simulations {
            let Entry::Vacant(place) = markets.entry(simulation.market()) else { continue };
            let instrument = simulation.engine.instrument();
            let summary = scan(instrument, data)?;
            let warnings = warning::of_data(&summary, instrument, &traded);
            place.insert(Self { summary: Arc::new(summary), warnings });
        }
        Ok(markets)
    }

    /// Reads the data once, for all strategies on them, which share so many threads. Each takes the ticks in their order
    /// and knows nothing of the others, so it is the same on any thread. Gives their hash.
    fn replay(&self, simulations: &mut [&mut Simulation], threads: usize) -> Result<DataHash, Failure> {
        let clock = Clock::of(std::iter::once(&*self.summary));
        for simulation in simulations.iter_mut() {
            simulation.clock = clock;
        }
        let share = simulations.len().div_ceil(threads.max(1)).max(1);
        std::thread::scope(|scope| {
            let mut takers = Vec::new();
            for share in simulations.chunks_mut(share) {
                let (taker, chunks) = mpsc::sync_channel::<Arc<[Tick]>>(CHUNKS_AHEAD);
                let work = move || chunks.iter().for_each(|chunk| share.iter_mut().for_each(|one| one.take(&chunk)));
                let started = std::thread::Builder::new().spawn_scoped(scope, work);
                started.map_err(|error| Failure::error(format!("cannot start a thread: {error}")))?;
                takers.push(taker);
            }
            let mut data = DataHash::default();
            let mut ticks = Replay::open(Arc::clone(&self.summary));
            loop {
                let chunk = ticks.by_ref().take(CHUNK).collect::<Result<Vec<_>, _>>();
                let chunk: Arc<[Tick]> = chunk.map_err(|error| Failure::refused(error.to_string()))?.into();
                if chunk.is_empty() {
                    return Ok(data);
                }
                chunk.iter().for_each(|tick| data.update(&line(tick)));
                for taker in &takers {
                    // A thread takes chunks until there are no more.
                    let _ = taker.send(Arc::clone(&chunk));
                }
            }
        })
    }
}

/// Every strategy with its account, or with a free paper account where no file holds its own.
fn specs(manifests: &[Manifest]) -> Result<Vec<StrategySpec>, Failure> {
    let accounts: Vec<&Document<TradingAccountSpec>> = manifests
        .iter()
        .filter_map(|manifest| match manifest {
            Manifest::Account(document) => Some(document),
            Manifest::Strategy(_) => None,
        })
        .collect();
    let mut missing = BTreeSet::new();
    let mut specs = Vec::new();
    for manifest in manifests {
        let Manifest::Strategy(document) = manifest else { continue };
        let name = &document.spec.account_ref.name;
        let found = accounts.iter().find(|account| account.namespace == document.namespace && account.name == *name);
        let account = if let Some(account) = found {
            account.spec.clone()
        } else {
            missing.insert(name.to_string());
            TradingAccountSpec::free_paper(document.spec.capital.clone())
        };
        let account = AccountSpec { name: name.to_string(), spec: account };
        specs.push(fleet::strategy_spec(document, &account)?);
    }
    for name in missing {
        process::say(format_args!("account {name} is not in this file: paper, fee 0"));
    }
    Ok(specs)
}

fn scan(instrument: &Instrument, data: &[Data]) -> Result<Summary, Failure> {
    let symbol = &instrument.symbol;
    let files: Vec<_> = data
        .iter()
        .filter(|data| data.symbol.as_ref().is_none_or(|named| named == symbol))
        .map(|data| data.file.clone())
        .collect();
    if files.is_empty() {
        return Err(Failure::not_found(format!("no --data for {symbol}; write --data {symbol}=FILE")));
    }
    Ok(Replay::scan_for(&files, symbol, instrument.tick_size).map_err(Stop::from)?)
}

/// An engine, a gateway's counter and a paper venue, with nothing between them.
struct Simulation {
    spec: StrategySpec,
    engine: Engine,
    counter: Counter,
    venue: PaperVenue,
    /// What went wrong; nothing is taken after it.
    problem: Option<String>,
    trades: Vec<Trade>,
    clock: Clock,
    untraded: Untraded,
}

impl Simulation {
    fn new(spec: &StrategySpec, registry: &Registry) -> Result<Self, Failure> {
        let refuse = |error: &dyn std::fmt::Display| Failure::refused(error.to_string());
        let ledger = LEDGER.parse().map_err(|error| refuse(&error))?;
        let config = spec.engine_config(ledger).map_err(|error| refuse(&error))?;
        let venue = PaperVenue::new(config.fees.clone(), spec.account.latency_ms());
        let book = BookSpec::new(spec.name.clone(), config.ledger.clone(), spec.spec.capital.clone(), Stance::Open);
        let counter = Counter::new(&config.fees, book).map_err(|error| refuse(&error))?;
        let engine = saved::engine(spec, LEDGER, None, registry).map_err(|error| refuse(&error))?;
        let (trades, clock, untraded) = (Vec::new(), Clock::default(), Untraded::default());
        Ok(Self { spec: spec.clone(), engine, counter, venue, problem: None, trades, clock, untraded })
    }

    fn market(&self) -> (Symbol, Price) {
        let instrument = self.engine.instrument();
        (instrument.symbol.clone(), instrument.tick_size)
    }

    fn outcome(&self, data: &DataHash) -> Result<Outcome, Failure> {
        if let Some(problem) = &self.problem {
            return Err(Failure::refused(problem));
        }
        Outcome::of(&self.spec.name, &self.engine, &self.trades, Made::of(&self.spec), Some(data))
            .ok_or_else(|| self.without_ticks())
    }

    fn without_ticks(&self) -> Failure {
        Failure::refused(format!("{}: the data holds no tick", self.spec.name))
    }

    /// The orders that did not trade, and why, for people.
    fn untraded(&self) -> Vec<String> {
        let lines = self.untraded.lines(&self.engine.report(), "");
        let named = |line: String| if line.starts_with(' ') { line } else { format!("{}: {line}", self.spec.name) };
        lines.into_iter().map(named).collect()
    }

    /// Listens to why orders did not trade.
    fn hear(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::Signal(signal) = effect
                && let Some(status) = signal.outcome
            {
                self.untraded.note(Ending::of(status), self.clock, signal);
            }
        }
    }

    fn take(&mut self, ticks: &[Tick]) {
        for tick in ticks {
            if self.problem.is_none() {
                self.problem = self.tick(tick).err();
            }
        }
    }

    /// One tick: the engine first, then orders that wait, then the orders it made; each update is applied
    /// right after the tick it is as of, as a worker does. What an update causes acts on the same tick.
    fn tick(&mut self, tick: &Tick) -> Result<(), String> {
        let mut effects = self.engine.tick(tick.event_time(), tick);
        self.hear(&effects);
        let mut news = self.counter.tick(&mut self.venue, tick);
        for _ in 0..ROUNDS_MAX {
            for effect in std::mem::take(&mut effects) {
                match effect {
                    Effect::Command(command) => {
                        news.extend(self.counter.command(&mut self.venue, &command.into_message(None), tick));
                    }
                    Effect::Poison(problem) => return Err(problem),
                    Effect::Signal(_) | Effect::Position(_) | Effect::Alert(_) | Effect::Snapshot(_) => {}
                }
            }
            if news.is_empty() {
                return Ok(());
            }
            for update in std::mem::take(&mut news) {
                let (booked, trade) = (self.engine.trades(), update.fill.as_ref().map(Trade::of));
                let news = self.engine.step(update.time, Event::OrderUpdate(update));
                self.hear(&news);
                effects.extend(news);
                // What does not fit the books is no trade of the result; the strategy is halted then.
                self.trades.extend(trade.filter(|_| self.engine.trades() > booked));
            }
        }
        Err(format!("tick {}: orders caused orders for {ROUNDS_MAX} rounds", tick.sequence))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Grids of several sizes, on an account with a latency.
    fn simulations() -> Vec<Simulation> {
        let account = json!({"venue": {"paper": {"balances": {"USDT": 1_000_000, "BTC": 1_000}, "latencyMs": 1_500}},
            "marketData": {"replay": {"file": "none.csv"}}});
        let simulation = |grid: u32| {
            let spec = json!({"accountRef": {"name": "paper"},
                "instruments": [{"symbol": "BTC/USDT", "rules": {"tickSize": "0.01", "lotSize": "0.00001"}}],
                "capital": {"USDT": 3_000, "BTC": "0.34"},
                "strategy": {"grid": {"gridSizePercent": format!("1.{grid}"), "orderPercent": 5}}});
            let spec = json!({"name": format!("grid-{grid}"), "generation": 1, "spec": spec,
                "account": {"name": "paper", "spec": account}});
            Simulation::new(&serde_json::from_value(spec).unwrap(), &Registry::standard()).unwrap()
        };
        (0..5).map(simulation).collect()
    }

    fn replayed(mut simulations: Vec<Simulation>, threads: usize) -> Vec<Simulation> {
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/btcusdt-1h-2020q2.csv.gz");
        let summary = Replay::scan(&[data.into()], &"BTC/USDT".parse().unwrap()).unwrap();
        let market = Market { summary: Arc::new(summary), warnings: Vec::new() };
        market.replay(&mut simulations.iter_mut().collect::<Vec<_>>(), threads).unwrap();
        simulations
    }

    #[test]
    fn any_number_of_threads_gives_the_same_in_the_same_order() {
        let states = |threads| {
            let simulations = replayed(simulations(), threads);
            assert!(simulations.iter().all(|simulation| simulation.trades.len() > 10), "they trade");
            let states = simulations.into_iter().map(|one| (one.spec.name, one.engine.saved().unwrap(), one.trades));
            states.collect::<Vec<_>>()
        };
        let one = states(1);
        for threads in [0, 2, 3, 5, 64] {
            assert_eq!(states(threads), one, "{threads} threads");
        }
    }

    #[test]
    fn the_first_problem_of_the_file_is_told_and_nothing_is_taken_after_it() {
        let mut broken = simulations();
        for (index, problem) in [(3, "a later one"), (1, "the first")] {
            broken[index].problem = Some(problem.to_owned());
        }
        let replayed = replayed(broken, 3);
        let told =
            replayed.iter().map(|one| one.outcome(&DataHash::default())).collect::<Result<Vec<_>, _>>().unwrap_err();
        assert!(format!("{told:?}").contains("the first"), "{told:?}");
        let taken: Vec<_> = replayed.iter().map(|simulation| simulation.engine.last_sequence().is_some()).collect();
        assert_eq!(taken, [true, false, true, false, true]);
    }
}

//! The command `backtest`: the same engine, the same simulated exchange, the same gateway's desk, no bus.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use crds::TradingAccountSpec;
use crds::manifest::{Document, Manifest};
use engine::instrument::{Instrument, Symbol};
use engine::messages::{OrderCommand, Tick};
use engine::numbers::Price;
use engine::report::Trade;
use engine::risk::Approved;
use engine::strategy::Registry;
use engine::{Effect, Engine, Event};
use venue::replay::{Replay, Summary};
use venue::sim::Exchange;

use crate::fleet;
use crate::outcome::clock::Clock;
use crate::outcome::hashes::{DataHash, Made, line};
use crate::outcome::untraded::{Ending, Untraded};
use crate::outcome::warning::{self, Warning};
use crate::outcome::{DataCounts, Outcome};
use crate::process::exit::Failure;
use crate::roles::Stop;
use crate::roles::gateway::{Counter, News};
use crate::roles::paper::resting_fills;
use crate::roles::saved;
use crds::roles::{AccountSpec, BookSpec, Stance, StrategySpec};

/// The ledger of a backtest: it is in no store, so its name means nothing.
const LEDGER: &str = "backtest";
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

/// An engine and a gateway's counter, with nothing between them.
pub(crate) struct Simulation {
    spec: StrategySpec,
    engine: Engine,
    counter: Counter,
    /// What went wrong; nothing is taken after it.
    problem: Option<String>,
    trades: Vec<Trade>,
    clock: Clock,
    untraded: Untraded,
}

impl Simulation {
    /// A strategy that has seen nothing yet.
    pub fn new(spec: &StrategySpec, registry: &Registry) -> Result<Self, Failure> {
        Self::of_ledger(spec, LEDGER, registry)
    }

    fn of_ledger(spec: &StrategySpec, id: &str, registry: &Registry) -> Result<Self, Failure> {
        let refuse = |error: &dyn std::fmt::Display| Failure::refused(error.to_string());
        let ledger = id.parse().map_err(|error| refuse(&error))?;
        let config = spec.engine_config(ledger).map_err(|error| refuse(&error))?;
        let latency_ms = spec.account.latency_ms();
        let exchange = Exchange::new(config.fees.clone(), latency_ms, resting_fills(&spec.account));
        let book = BookSpec::new(spec.name.clone(), config.ledger.clone(), spec.spec.capital.clone(), Stance::Open);
        let counter = Counter::new(&config.fees, exchange, book).map_err(|error| refuse(&error))?;
        let engine = saved::engine(spec, id, None, registry).map_err(|error| refuse(&error))?;
        let (trades, clock, untraded) = (Vec::new(), Clock::default(), Untraded::default());
        Ok(Self { spec: spec.clone(), engine, counter, problem: None, trades, clock, untraded })
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

    /// How many trades were booked.
    pub const fn trades(&self) -> u64 {
        self.engine.trades()
    }

    /// How many orders are not closed.
    pub fn open_orders(&self) -> usize {
        self.engine.open_orders().len()
    }

    /// Takes ticks, unless one before them went wrong.
    pub fn take(&mut self, ticks: &[Tick]) {
        for tick in ticks {
            if self.problem.is_none() {
                self.problem = self.tick(tick).err();
            }
        }
    }

    /// One tick: what rests trades and is booked, the engine takes the tick, then what arrives on it acts, in rounds as
    /// its news causes more. As a worker does with its gateway.
    fn tick(&mut self, tick: &Tick) -> Result<(), String> {
        let filled = self.counter.match_resting(tick);
        let mut commands = self.book(filled)?;
        let effects = self.engine.tick(tick.event_time(), tick);
        self.take_effects(effects, &mut commands)?;
        let mut round = 1;
        while !commands.is_empty() || self.counter.has_arrivals(tick) {
            let mut news = News::new();
            for command in commands {
                news.extend(self.counter.command(&command.into_message(None), tick));
            }
            news.extend(self.counter.arrive(tick));
            // What this news causes is the next round's.
            round += 1;
            self.engine.begin_round(round);
            commands = self.book(news)?;
        }
        Ok(())
    }

    /// Steps the engine through news; gives what it sends.
    fn book(&mut self, news: News) -> Result<Vec<Approved<OrderCommand>>, String> {
        let mut commands = Vec::new();
        for update in news {
            let (booked, trade) =
                (self.engine.trades(), update.fill.as_ref().map(|fill| Trade::of(fill, self.engine.trade_index(fill))));
            let effects = self.engine.step(update.time, Event::OrderUpdate(update));
            self.take_effects(effects, &mut commands)?;
            // What does not fit the books is no trade of the result; the strategy is halted then.
            self.trades.extend(trade.filter(|_| self.engine.trades() > booked));
        }
        Ok(commands)
    }

    fn take_effects(&mut self, effects: Vec<Effect>, commands: &mut Vec<Approved<OrderCommand>>) -> Result<(), String> {
        self.hear(&effects);
        for effect in effects {
            match effect {
                Effect::Command(command) => commands.push(command),
                Effect::Poison(problem) => return Err(problem),
                Effect::Signal(_) | Effect::Position(_) | Effect::Alert(_) | Effect::StateChanged => {}
            }
        }
        Ok(())
    }
}

/// What a replay leaves, for who trades the same through a bus.
#[cfg(test)]
pub(crate) struct Replayed {
    /// The engine's state.
    pub state: String,
    /// All trades.
    pub trades: Vec<Trade>,
    /// What the strategy shows of itself.
    pub figures: engine::strategy::Figures,
}

/// Replays ticks for a strategy whose ledger has this id.
#[cfg(test)]
pub(crate) fn replayed(spec: &StrategySpec, ledger: &str, registry: &Registry, ticks: &[Tick]) -> Replayed {
    let mut simulation = Simulation::of_ledger(spec, ledger, registry).unwrap();
    simulation.take(ticks);
    assert_eq!(simulation.problem, None);
    let figures = simulation.engine.performance().unwrap().outcome;
    Replayed { state: simulation.engine.saved().unwrap(), trades: simulation.trades, figures }
}

#[cfg(test)]
mod tests;

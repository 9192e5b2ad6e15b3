//! The command `backtest`: the same engine, the same paper venue, the same gateway's desk, no bus.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crds::TradingAccountSpec;
use crds::manifest::{Document, Manifest};
use engine::instrument::{Instrument, Symbol};
use engine::messages::Tick;
use engine::numbers::Price;
use engine::report::Trade;
use engine::strategy::Registry;
use engine::time::Timestamp;
use engine::{Effect, Engine, Event};
use venue::paper::PaperVenue;
use venue::replay::{Replay, Summary};

use crate::exit::Failure;
use crate::fleet;
use crate::gateway::Counter;
use crate::hashes::DataHash;
use crate::outcome::{DataCounts, Outcome};
use crate::role::Stop;
use crate::saved;
use crate::unfilled::Unfilled;
use crate::warning::{self, Warning};
use crds::roles::{AccountSpec, BookSpec, Stance, StrategySpec};

/// The ledger of a backtest: it is in no store, so its name means nothing.
const LEDGER: &str = "backtest";
/// How often within one tick orders may cause orders.
const ROUNDS_MAX: u32 = 16;
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
    let markets = Market::all(&simulations, data)?;
    for warning in markets.values().flat_map(|market| &market.warnings).collect::<BTreeSet<_>>() {
        process::say(format_args!("warning: {}", warning.message));
    }
    let mut hashes = BTreeMap::new();
    for (key, market) in &markets {
        let on_it = simulations.iter_mut().filter(|simulation| simulation.market() == *key);
        hashes.insert(key, market.replay(&mut on_it.collect::<Vec<_>>())?);
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
    let outcomes = simulations.iter().map(result).collect::<Result<_, Failure>>()?;
    tell_parameters(&simulations);
    let unfilled = simulations.iter().flat_map(Simulation::unfilled).collect();
    Ok(Results { outcomes, unfilled })
}

/// What a backtest gives.
pub struct Results {
    /// One result for each strategy.
    pub outcomes: Vec<Outcome>,
    /// For people: the orders that did not trade, and why.
    pub unfilled: Vec<String>,
}

/// Warns of parameters, once for all strategies of which the same is to be said.
fn tell_parameters(simulations: &[Simulation]) {
    let mut told: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for simulation in simulations {
        for warning in warning::of_parameters(&simulation.engine) {
            told.entry(warning.message).or_default().push(&simulation.spec.name);
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

    /// Reads the data once, for all strategies on them; gives their hash.
    fn replay(&self, simulations: &mut [&mut Simulation]) -> Result<DataHash, Failure> {
        let mut data = DataHash::default();
        for tick in Replay::open(Arc::clone(&self.summary)) {
            let tick = tick.map_err(|error| Failure::refused(error.to_string()))?;
            data.update(&tick);
            for simulation in simulations.iter_mut() {
                simulation.tick(&tick).map_err(Failure::refused)?;
            }
        }
        Ok(data)
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
    trades: Vec<Trade>,
    unfilled: Unfilled,
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
        Ok(Self { spec: spec.clone(), engine, counter, venue, trades: Vec::new(), unfilled: Unfilled::default() })
    }

    fn market(&self) -> (Symbol, Price) {
        let instrument = self.engine.instrument();
        (instrument.symbol.clone(), instrument.tick_size)
    }

    fn outcome(&self, data: &DataHash) -> Result<Outcome, Failure> {
        Outcome::of(&self.spec, &self.engine, &self.trades, Some(data)).ok_or_else(|| self.without_ticks())
    }

    fn without_ticks(&self) -> Failure {
        Failure::refused(format!("{}: the data holds no tick", self.spec.name))
    }

    /// The orders that did not trade, and why, for people.
    fn unfilled(&self) -> Vec<String> {
        let mut lines = self.unfilled.lines();
        if let Some(first) = lines.first_mut() {
            *first = format!("{}: {first}", self.spec.name);
        }
        lines
    }

    /// Steps the engine and listens to why an order did not trade.
    fn step(&mut self, now: Timestamp, event: Event) -> Vec<Effect> {
        let effects = self.engine.step(now, event);
        for effect in &effects {
            if let Effect::Signal(signal) = effect {
                self.unfilled.hear(signal, self.engine.ended_orders());
            }
        }
        effects
    }

    /// One tick: the engine first, then orders that wait, then the orders it made; each update is applied
    /// right after the tick it is as of, as a worker does. What an update causes acts on the same tick.
    fn tick(&mut self, tick: &Tick) -> Result<(), String> {
        let mut effects = self.step(tick.event_time(), Event::Tick(tick.clone()));
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
                effects.extend(self.step(update.time, Event::OrderUpdate(update)));
                // What does not fit the books is no trade of the result; the strategy is halted then.
                self.trades.extend(trade.filter(|_| self.engine.trades() > booked));
            }
        }
        Err(format!("tick {}: orders caused orders for {ROUNDS_MAX} rounds", tick.sequence))
    }
}

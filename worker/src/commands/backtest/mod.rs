//! The command `backtest`: the same engine, the same simulated exchange, the same gateway's order manager, no bus.

mod data;
mod market;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;

use crds::TradingAccountSpec;
use crds::manifest::{Document, Manifest};
use engine::instrument::Symbol;
use engine::messages::{AlertKind, CommandKind, OrderCommand, Tick};
use engine::report::{Trade, TransferState};
use engine::risk::Approved;
use engine::strategies::process::messages::Mode;
use engine::strategies::{BarsOf, Registry};
use engine::time::Timestamp;
use engine::{Effect, Engine, Event};
use venue::replay::Summary;
use venue::sim::Exchange;

use crate::child::{self, Child, Fault, Opened};
use crate::fleet;
use crate::fleet::sources::{self, Folder};
use crate::outcome::candles;
use crate::outcome::clock::Clock;
use crate::outcome::hashes::{DataHash, Made};
use crate::outcome::untraded::{Ending, Untraded};
use crate::outcome::warning::{self, Warning};
use crate::outcome::{DataCounts, Outcome};
use crate::process::exit::Failure;
use crate::roles::gateway::{Counter, News};
use crate::roles::paper::resting_fills;
use crate::roles::whole::WholeBars;
use crds::roles::{AccountSpec, BookSpec, Stance, StrategySpec};
use market::Market;

pub use data::Data;
use data::{Markets, Source};

/// The ledger of a backtest: it is in no store, so its name means nothing.
const LEDGER: &str = "backtest";
/// How many strategies a warning names.
const NAMES_MAX: usize = 3;

/// Runs every strategy of the file on the data.
pub fn run(file: &PathBuf, data: &[Data], sources: &[Folder], registry: &Registry) -> Result<Results, Failure> {
    let reading = fleet::read(std::slice::from_ref(file))?;
    if !reading.errors.is_empty() {
        return Err(Failure::refused(reading.errors.to_string()));
    }
    let mut specs = specs(&reading.manifests)?;
    sources::place(sources, &mut specs)?;
    if specs.is_empty() {
        return Err(Failure::refused(format!("{}: no TradingStrategy in it", file.display())));
    }
    let mut simulations: Vec<_> = specs.iter().map(|spec| Simulation::new(spec, registry)).collect::<Result<_, _>>()?;
    whole::give(&mut simulations, data)?;
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let traded: BTreeSet<Symbol> = simulations.iter().flat_map(Simulation::markets).map(|(symbol, _)| symbol).collect();
    data::tell_left_out(data, &traded, file);
    data::are_named(data, &traded)?;
    let mut data_of: BTreeMap<Markets, MarketData> = BTreeMap::new();
    for market in Market::all(&simulations, data)? {
        let is_on_it =
            |simulation: &&mut Simulation| matches!(&simulation.markets()[..], [(one, _)] if *one == market.symbol);
        let on_it = simulations.iter_mut().filter(is_on_it);
        let (summaries, hash) = market.read(&mut on_it.collect::<Vec<_>>(), registry, threads)?;
        for (instrument, summary) in market.instruments.iter().zip(summaries) {
            let warnings = warning::of_data(&summary, instrument, &traded);
            let read = MarketData { hash: hash.clone(), summaries: vec![Arc::new(summary)], warnings };
            data_of.insert(vec![(market.symbol.clone(), instrument.tick_size)], read);
        }
    }
    for (markets, source) in Source::all(&simulations, data, &traded)? {
        let on_it = simulations.iter_mut().filter(|simulation| simulation.markets() == markets);
        let read = source.read(&mut on_it.collect::<Vec<_>>(), threads)?;
        data_of.insert(markets, read);
    }
    for warning in data_of.values().flat_map(|data| &data.warnings).collect::<BTreeSet<_>>() {
        process::say(format_args!("warning: {}: {}", warning.kind, warning.message));
    }
    let data_of =
        |simulation: &Simulation| data_of.get(&simulation.markets()).ok_or_else(|| simulation.without_outcome());
    let result = |simulation: &Simulation| {
        let data = data_of(simulation)?;
        candles::are_short_enough(&simulation.spec, &data.summaries)?;
        let mut outcome = simulation.outcome(&data.hash)?;
        outcome.data = Some(data.counts());
        outcome.warnings.splice(0..0, data.warnings.iter().cloned());
        Ok(outcome)
    };
    // In the order of the file, whichever thread was first: the first that went wrong is told.
    let outcomes = simulations.iter().map(result).collect::<Result<_, Failure>>()?;
    tell_parameters(&simulations);
    simulations.iter().for_each(Simulation::tell_refused);
    let (mut untraded, mut faults) = (Vec::new(), Vec::new());
    for simulation in &simulations {
        let clock = Clock::of(data_of(simulation)?.summaries.iter().map(|summary| &**summary));
        untraded.extend(simulation.untraded(clock));
        faults.extend(simulation.fault_line(clock));
    }
    Ok(Results { outcomes, untraded, faults })
}

/// What a backtest gives.
pub struct Results {
    /// One result for each strategy.
    pub outcomes: Vec<Outcome>,
    /// For people: the orders that did not trade, and why.
    pub untraded: Vec<String>,
    /// For people: the processes that failed, and why. Their strategies traded nothing more.
    pub faults: Vec<String>,
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

/// What was read of the markets of a strategy, as they are for orders of its tick sizes.
struct MarketData {
    hash: DataHash,
    /// In the order of its manifest.
    summaries: Vec<Arc<Summary>>,
    warnings: Vec<Warning>,
}

impl MarketData {
    /// What there is of all markets together.
    fn counts(&self) -> DataCounts {
        let sum = |count: fn(&Summary) -> u64| self.summaries.iter().map(|summary| count(summary)).sum();
        DataCounts { ticks: sum(|summary| summary.ticks), missing: sum(|summary| summary.missing) }
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
    let (mut missing, mut limited) = (BTreeSet::new(), BTreeSet::new());
    let mut specs = Vec::new();
    for manifest in manifests {
        let Manifest::Strategy(document) = manifest else { continue };
        let name = &document.spec.account_ref.name;
        let found = accounts.iter().find(|account| account.namespace == document.namespace && account.name == *name);
        let account = if let Some(account) = found {
            if account.spec.limits.is_some() {
                limited.insert(name.to_string());
            }
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
    for name in limited {
        process::say(format_args!(
            "account {name} has limits: its gateway judges them over all of its strategies, as in `run`; here each trades \
             without them, so `run` may give other trades"
        ));
    }
    Ok(specs)
}

/// An engine and a gateway's counter, with nothing between them.
pub(crate) struct Simulation {
    spec: StrategySpec,
    engine: Engine,
    /// What is asked, where the strategy is a process.
    child: Option<Child>,
    /// Since when its process is asked no more, and why.
    fault: Option<(Timestamp, Fault)>,
    counter: Counter,
    /// What went wrong; nothing is taken after it.
    problem: Option<String>,
    trades: Vec<Trade>,
    untraded: Untraded,
    /// The venue's bars of intervals of which its data lack ticks.
    whole: WholeBars<BarsOf>,
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
        let book = BookSpec::of(spec.name.clone(), config.ledger.clone(), &spec.spec, Stance::Open);
        let counter = Counter::new(&config.fees, exchange, book).map_err(|error| refuse(&error))?;
        let Opened { engine, child, fault } =
            child::open(spec, id, None, registry, Mode::Backtest).map_err(|error| refuse(&error))?;
        if let Some(fault) = fault {
            return Err(Failure::error(format!("{}: {fault}", spec.name)));
        }
        let (trades, untraded, whole) = (Vec::new(), Untraded::default(), WholeBars::default());
        Ok(Self { spec: spec.clone(), engine, child, fault: None, counter, problem: None, trades, untraded, whole })
    }

    fn markets(&self) -> Markets {
        let markets = self.engine.instruments().iter();
        markets.map(|(_, instrument)| (instrument.symbol.clone(), instrument.tick_size)).collect()
    }

    fn outcome(&self, data: &DataHash) -> Result<Outcome, Failure> {
        if let Some(problem) = &self.problem {
            return Err(Failure::refused(problem));
        }
        Outcome::of(&self.spec.name, &self.engine, &self.trades, Made::of(&self.spec), Some(data))
            .ok_or_else(|| self.without_outcome())
    }

    /// Why there is no outcome: nothing has come, or what is held is worth more than can be counted.
    fn without_outcome(&self) -> Failure {
        let name = &self.spec.name;
        let Some((symbol, _)) = self.engine.prices().find(|(_, price)| price.is_none()) else {
            return Failure::refused(format!(
                "{name}: spec.capital is worth too much at the data's prices: worths are counted below 10^15; lower it"
            ));
        };
        let of = if self.engine.instruments().len() > 1 { format!(" of {symbol}") } else { String::new() };
        Failure::refused(format!("{name}: the data holds no tick{of}"))
    }

    /// The orders that did not trade, and why, for people.
    fn untraded(&self, clock: Clock) -> Vec<String> {
        let lines = self.untraded.lines(&self.engine.report(), clock, "");
        let named = |line: String| if line.starts_with(' ') { line } else { format!("{}: {line}", self.spec.name) };
        lines.into_iter().map(named).collect()
    }

    /// When its process failed, and why.
    fn fault_line(&self, clock: Clock) -> Option<String> {
        let (time, fault) = self.fault.as_ref()?;
        Some(format!("{}: {}  {fault}", self.spec.name, clock.write(time.millis())))
    }

    /// Says which transfers were refused, and why.
    fn tell_refused(&self) {
        let transfers = self.engine.transfers();
        for refused in transfers.iter().filter(|transfer| transfer.state == TransferState::Refused) {
            let kind = AlertKind::TransferRefused.as_str();
            process::say(format_args!("{}: {kind}: {}", self.spec.name, refused.message));
        }
    }

    /// Listens to why orders did not trade.
    fn hear(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::Signal(signal) = effect
                && let Some(status) = signal.outcome
            {
                self.untraded.note(Ending::of(status), signal);
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
        let mut coming = ticks;
        while let Some((tick, behind)) = coming.split_first().filter(|_| self.problem.is_none()) {
            self.problem = self.tick(tick, behind).err();
            coming = behind;
        }
    }

    /// One tick: what rests trades and is booked, the engine takes the tick, then what arrives on it acts, in rounds as
    /// its news causes more. As a worker does with its gateway. A process may be told of what is `coming` too.
    fn tick(&mut self, tick: &Tick, coming: &[Tick]) -> Result<(), String> {
        let filled = self.counter.match_resting(tick);
        let mut commands = self.book(filled)?;
        let mut effects = self.put_in_whole_bars(tick);
        effects.extend(self.engine.tick(tick.event_time(), tick));
        self.take_effects(effects, &mut commands)?;
        self.consult(tick, coming, &mut commands)?;
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
            let effects = self.engine.end_round(tick.event_time());
            self.take_effects(effects, &mut commands)?;
            self.consult(tick, &[], &mut commands)?;
        }
        Ok(())
    }

    /// Asks the process until it has read all that has happened. One that fails is asked no more.
    fn consult(
        &mut self,
        tick: &Tick,
        coming: &[Tick],
        commands: &mut Vec<Approved<OrderCommand>>,
    ) -> Result<(), String> {
        while let Some(child) = self.child.as_mut().filter(|_| self.engine.asks()) {
            let is_quiet = commands.is_empty() && !self.counter.has_arrivals(tick);
            let goes_on = |tick: &&Tick| is_quiet && self.counter.is_quiet(tick) && !self.whole.has_any_before(tick);
            let quiet = coming.iter().take_while(goes_on).take(child.window());
            let asked = self.engine.ask_process(child.next_batch(), quiet).map_err(|error| error.to_string())?;
            let Some(asked) = asked else { return Ok(()) };
            let answered =
                child.ask(&asked).and_then(|answer| self.engine.process_answered(answer).map_err(|bad| child.bad(bad)));
            let effects = match answered {
                Ok(effects) => effects,
                Err(fault) => {
                    let effects = self.engine.process_failed(fault.kind, &fault.message);
                    (self.child, self.fault) = (None, Some((tick.event_time(), fault)));
                    effects
                }
            };
            self.take_effects(effects, commands)?;
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
                // The sub-account follows at once: an order behind it may need it.
                Effect::Command(command) if matches!(command.get().kind, CommandKind::Transfer(_)) => {
                    self.counter.follow(&command.into_message(None));
                }
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
    pub trades: Vec<Trade>,
    /// What the strategy shows of itself.
    pub figures: engine::strategies::Figures,
}

/// Replays ticks for a strategy whose ledger has this id.
#[cfg(test)]
pub(crate) fn replayed(spec: &StrategySpec, ledger: &str, registry: &Registry, ticks: &[Tick]) -> Replayed {
    replayed_behind(Vec::new(), (spec, ledger, registry), ticks)
}

/// The same for who has bars that closed before the first of these ticks.
#[cfg(test)]
pub(crate) fn replayed_behind(history: Vec<Event>, of: (&StrategySpec, &str, &Registry), ticks: &[Tick]) -> Replayed {
    let (spec, ledger, registry) = of;
    let mut simulation = Simulation::of_ledger(spec, ledger, registry).unwrap();
    for event in history {
        assert_eq!(simulation.engine.step(Timestamp::default(), event), []);
    }
    simulation.take(ticks);
    assert_eq!(simulation.problem, None);
    let figures = simulation.engine.performance().unwrap().outcome;
    Replayed { state: simulation.engine.saved().unwrap(), trades: simulation.trades, figures }
}

#[cfg(test)]
mod tests;

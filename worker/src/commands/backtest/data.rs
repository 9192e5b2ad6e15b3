//! What `--data` names, and the ticks of all markets that strategies trade, each scanned once. Tells what is wrong or odd
//! before anything trades.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use engine::instrument::{Instrument, Symbol};
use engine::messages::Tick;
use engine::numbers::Price;
use venue::replay::{Format, Replay, Summary, Tape};

use super::Simulation;
use crate::outcome::DataCounts;
use crate::outcome::clock::Clock;
use crate::outcome::hashes::{DataHash, line};
use crate::outcome::warning::{self, Warning};
use crate::process::exit::Failure;
use crate::roles::Stop;

/// Ticks that are handed to the threads at a time.
const CHUNK: usize = 1_000;
/// Chunks at most that wait for a thread: the data are never in memory as a whole.
const CHUNKS_AHEAD: usize = 2;

/// One `[SYMBOL=]FILE`.
#[derive(Debug, Clone)]
pub struct Data {
    /// The market; all of them if absent.
    pub(super) symbol: Option<Symbol>,
    pub(super) file: PathBuf,
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

/// Symbols and tick sizes of the markets that a strategy trades, in the order of its manifest.
pub(super) type Markets = Vec<(Symbol, Price)>;

/// The data of all markets of a strategy, as they are for orders of these tick sizes.
pub(super) struct Source {
    pub summaries: Vec<Arc<Summary>>,
    pub warnings: Vec<Warning>,
}

impl Source {
    /// Those of all strategies of `file`, each market scanned once.
    pub fn all(simulations: &[Simulation], data: &[Data], file: &Path) -> Result<BTreeMap<Markets, Self>, Failure> {
        let of_all = simulations.iter().flat_map(Simulation::markets);
        let traded: BTreeSet<Symbol> = of_all.map(|(symbol, _)| symbol).collect();
        let mut scanned: BTreeMap<(Symbol, Price), (Arc<Summary>, Vec<Warning>)> = BTreeMap::new();
        let mut sources = BTreeMap::new();
        for simulation in simulations {
            let Entry::Vacant(place) = sources.entry(simulation.markets()) else { continue };
            let instruments = simulation.engine.instruments();
            let (mut summaries, mut warnings) = (Vec::new(), Vec::new());
            for (_, instrument) in instruments.iter() {
                let market = (instrument.symbol.clone(), instrument.tick_size);
                let (summary, odd) = match scanned.entry(market) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => {
                        let summary = scan(instrument, data)?;
                        let odd = warning::of_data(&summary, instrument, &traded);
                        new.insert((Arc::new(summary), odd))
                    }
                };
                if instruments.len() > 1 {
                    named(summary, data)?;
                }
                summaries.push(Arc::clone(summary));
                warnings.extend(odd.iter().cloned());
            }
            warnings.extend(warning::of_spans(&summaries));
            place.insert(Self { summaries, warnings });
        }
        tell_left_out(data, &traded, file);
        Ok(sources)
    }

    /// What there is of all markets together.
    pub fn counts(&self) -> DataCounts {
        let sum = |count: fn(&Summary) -> u64| self.summaries.iter().map(|summary| count(summary)).sum();
        DataCounts { ticks: sum(|summary| summary.ticks), missing: sum(|summary| summary.missing) }
    }

    /// Reads the data once, for all strategies on them, which share so many threads. Each takes the ticks in their order
    /// and knows nothing of the others, so it is the same on any thread. Gives their hash.
    pub fn replay(&self, simulations: &mut [&mut Simulation], threads: usize) -> Result<DataHash, Failure> {
        let clock = Clock::of(self.summaries.iter().map(|summary| &**summary));
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
            let mut ticks = Tape::open(self.summaries.iter().cloned());
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

/// Says what of `--data` is left out, because no strategy trades it: it may be a typing error.
fn tell_left_out(data: &[Data], traded: &BTreeSet<Symbol>, file: &Path) {
    let names = || traded.iter().map(Symbol::as_str).collect::<Vec<_>>().join(", ");
    for Data { symbol, file: data } in data {
        if let Some(symbol) = symbol.as_ref().filter(|symbol| !traded.contains(symbol)) {
            let (data, file, kind) = (data.display(), file.display(), warning::UNKNOWN_SYMBOL_TICKS);
            process::say(format_args!(
                "warning: {kind}: --data {symbol}={data} is left out: no strategy in {file} trades {symbol}; they trade {}",
                names()
            ));
        }
    }
}

/// Of several markets only a recording says itself which prices are whose.
fn named(summary: &Summary, data: &[Data]) -> Result<(), Failure> {
    let nameless = |path: &Path| data.iter().any(|data| data.symbol.is_none() && data.file == path);
    let file = summary.files.iter().find(|file| file.format != Format::BinanceStream && nameless(&file.path));
    let Some(file) = file else { return Ok(()) };
    let (name, symbol) = (file.path.display(), &summary.symbol);
    Err(Failure::refused(format!(
        "--data {name}: does not say of which market it is, and a strategy here trades several; write --data {symbol}={name}"
    )))
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

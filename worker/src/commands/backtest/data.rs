//! What `--data` names, and the ticks of all markets that strategies trade, each scanned once. Tells what is wrong or odd
//! before anything trades.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::instrument::{Instrument, Symbol, SymbolError};
use engine::numbers::Price;
use venue::replay::{Format, Replay, Summary, Tape};

use super::market::replay;
use super::{MarketData, Simulation};
use crate::outcome::warning::{self, Warning};
use crate::process::exit::Failure;
use crate::roles::Stop;

/// One `[SYMBOL=]FILE`.
#[derive(Debug, Clone)]
pub struct Data {
    /// The market; all of them if absent.
    pub(super) symbol: Option<Symbol>,
    pub(super) file: PathBuf,
}

/// Why `--data` cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum DataArgumentError {
    /// What stands before the equals sign is no symbol.
    #[error("{0}. A file with = in its path is written with ./ before it")]
    Symbol(#[from] SymbolError),
    /// Nothing, or nothing behind the equals sign.
    #[error("names no file; write [SYMBOL=]FILE, such as BTC/USDT=btc.csv")]
    NoFile,
}

impl std::str::FromStr for Data {
    type Err = DataArgumentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A file name may hold an equals sign; a symbol before it must read as one.
        let (symbol, file) = match text.split_once('=') {
            Some((symbol, file)) if !symbol.contains(['.', '\\']) && symbol.contains('/') && !text.starts_with('/') => {
                (Some(symbol.parse()?), file)
            }
            Some(_) | None => (None, text),
        };
        if file.is_empty() {
            return Err(DataArgumentError::NoFile);
        }
        Ok(Self { symbol, file: file.into() })
    }
}

/// Symbols and tick sizes of the markets that a strategy trades, in the order of its manifest.
pub(super) type Markets = Vec<(Symbol, Price)>;

/// The data of a strategy that trades several markets, as they are for orders of these tick sizes.
pub(super) struct Source {
    summaries: Vec<Arc<Summary>>,
    warnings: Vec<Warning>,
}

impl Source {
    /// Those of all such strategies, each market scanned once.
    pub fn all(
        simulations: &[Simulation],
        data: &[Data],
        traded: &BTreeSet<Symbol>,
    ) -> Result<BTreeMap<Markets, Self>, Failure> {
        let mut scanned: BTreeMap<(Symbol, Price), (Arc<Summary>, Vec<Warning>)> = BTreeMap::new();
        let mut sources = BTreeMap::new();
        for simulation in simulations.iter().filter(|simulation| simulation.markets().len() > 1) {
            let Entry::Vacant(place) = sources.entry(simulation.markets()) else { continue };
            let (mut summaries, mut warnings) = (Vec::new(), Vec::new());
            for (_, instrument) in simulation.engine.instruments().iter() {
                let market = (instrument.symbol.clone(), instrument.tick_size);
                let (summary, odd) = match scanned.entry(market) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => {
                        let summary = scan(instrument, data)?;
                        let odd = warning::of_data(&summary, instrument, traded);
                        new.insert((Arc::new(summary), odd))
                    }
                };
                summaries.push(Arc::clone(summary));
                warnings.extend(odd.iter().cloned());
            }
            warnings.extend(warning::of_spans(&summaries));
            place.insert(Self { summaries, warnings });
        }
        Ok(sources)
    }

    /// Reads the data once, for all strategies on them.
    pub fn read(self, on_it: &mut [&mut Simulation], threads: usize) -> Result<MarketData, Failure> {
        let hash = replay(on_it, threads, &mut Tape::open(self.summaries.iter().cloned()))?;
        let hash = hash.map_err(|error| Failure::refused(error.to_string()))?;
        Ok(MarketData { hash, summaries: self.summaries, warnings: self.warnings })
    }
}

/// Says what of `--data` is left out, because no strategy trades it: it may be a typing error.
pub(super) fn tell_left_out(data: &[Data], traded: &BTreeSet<Symbol>, file: &Path) {
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

/// Refuses a file that does not say of which market it is, where several are traded: only a recording says so itself, and
/// one market would be traded on the prices of another.
pub(super) fn are_named(data: &[Data], traded: &BTreeSet<Symbol>) -> Result<(), Failure> {
    let (Some(first), true) = (traded.first(), traded.len() > 1) else { return Ok(()) };
    // What cannot be read is told where it is read.
    let is_of_one_market =
        |file: &Path| Replay::format(file, first).is_ok_and(|format| format != Format::BinanceStream);
    let nameless = data.iter().filter(|data| data.symbol.is_none()).find(|data| is_of_one_market(&data.file));
    let Some(Data { file, .. }) = nameless else { return Ok(()) };
    let (name, symbols) = (file.display(), traded.iter().map(Symbol::as_str).collect::<Vec<_>>().join(", "));
    Err(Failure::refused(format!(
        "--data {name}: does not say of which market it is, and {symbols} are traded; write --data {first}={name}, if it \
         is of {first}"
    )))
}

/// The files of a symbol: those that name it, and those that name none.
pub(super) fn files_of(symbol: &Symbol, data: &[Data]) -> Result<Vec<PathBuf>, Failure> {
    let named = |data: &&Data| data.symbol.as_ref().is_none_or(|named| named == symbol);
    let files: Vec<_> = data.iter().filter(named).map(|data| data.file.clone()).collect();
    if files.is_empty() {
        return Err(Failure::not_found(format!("no --data for {symbol}; write --data {symbol}=FILE")));
    }
    Ok(files)
}

fn scan(instrument: &Instrument, data: &[Data]) -> Result<Summary, Failure> {
    let symbol = &instrument.symbol;
    Ok(Replay::scan_for(&files_of(symbol, data)?, symbol, instrument.tick_size).map_err(Stop::from)?)
}

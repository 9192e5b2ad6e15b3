//! The data of one symbol, which are read once while the strategies that trade it alone trade on them. May not know results.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use engine::instrument::{Instrument, Symbol};
use engine::messages::Tick;
use engine::strategies::Registry;
use venue::replay::{Reading, Replay, Summary, Void};

use super::data::files_of;
use super::{Data, Simulation};
use crate::outcome::hashes::{DataHash, write_line};
use crate::process::exit::Failure;
use crate::roles::Stop;

/// Ticks that are handed to the threads at a time.
const CHUNK: usize = 1_000;
/// Chunks at most that wait for a thread: the data are never in memory as a whole.
const CHUNKS_AHEAD: usize = 2;

/// The data of one symbol.
pub(super) struct Market {
    pub symbol: Symbol,
    files: Vec<PathBuf>,
    /// An instrument of each tick size that its strategies have.
    pub instruments: Vec<Instrument>,
}

impl Market {
    /// The markets of all strategies that trade one, in their order.
    pub fn all(simulations: &[Simulation], data: &[Data]) -> Result<Vec<Self>, Failure> {
        let mut markets: Vec<Self> = Vec::new();
        for simulation in simulations.iter().filter(|simulation| simulation.markets().len() == 1) {
            let instrument = simulation.engine.instrument();
            let symbol = &instrument.symbol;
            let known = markets.iter_mut().find(|market| market.symbol == *symbol);
            if let Some(market) = known {
                if market.instruments.iter().all(|known| known.tick_size != instrument.tick_size) {
                    market.instruments.push(instrument.clone());
                }
                continue;
            }
            let files = match files_of(symbol, data) {
                Ok(files) => files,
                Err(missing) => {
                    // What is wrong with the data of a strategy before it in the file, is told before.
                    for market in &markets {
                        Replay::scan(&market.files, &market.symbol).map_err(Stop::from)?;
                    }
                    return Err(missing);
                }
            };
            markets.push(Self { symbol: symbol.clone(), files, instruments: vec![instrument.clone()] });
        }
        Ok(markets)
    }

    /// Reads the data for all strategies on them: what they hold for each tick size, and their hash. Files are read once,
    /// checked while the strategies trade on them; whatever is wrong with them, no result comes of it.
    pub fn read(
        &self,
        on_it: &mut [&mut Simulation],
        registry: &Registry,
        threads: usize,
    ) -> Result<(Vec<Summary>, DataHash), Failure> {
        match self.read_once(on_it, threads)? {
            Ok(read) => return Ok(read),
            Err(Void::Refused(error)) => return Err(Stop::from(error).into()),
            Err(Void::ScanFirst) => {}
        }
        // The strategies have taken ticks that are none, so they start afresh.
        for simulation in on_it.iter_mut() {
            let whole = simulation.whole.afresh();
            **simulation = Simulation { whole, ..Simulation::new(&simulation.spec, registry)? };
        }
        let scan = |instrument: &Instrument| Replay::scan_for(&self.files, &self.symbol, instrument.tick_size);
        let summaries: Vec<_> = self.instruments.iter().map(scan).collect::<Result<_, _>>().map_err(Stop::from)?;
        let summary = summaries.first().cloned().ok_or_else(|| Failure::refused("the data holds no tick"))?;
        let hash = replay(on_it, threads, &mut Replay::open(summary))?;
        Ok((summaries, hash.map_err(|error| Failure::refused(error.to_string()))?))
    }

    fn read_once(
        &self,
        on_it: &mut [&mut Simulation],
        threads: usize,
    ) -> Result<Result<(Vec<Summary>, DataHash), Void>, Failure> {
        let tick_sizes: Vec<_> = self.instruments.iter().map(|instrument| instrument.tick_size).collect();
        let mut reading = match Reading::open(&self.files, &self.symbol, &tick_sizes) {
            Ok(reading) => reading,
            Err(void) => return Ok(Err(void)),
        };
        let hash = replay(on_it, threads, &mut reading)?;
        Ok(hash.and_then(|hash| Ok((reading.finish()?, hash))))
    }
}

/// Hands all ticks to all strategies on them, which share so many threads. Each takes the ticks in their order and knows
/// nothing of the others, so it is the same on any thread. Gives the hash of the ticks.
pub(super) fn replay<E>(
    simulations: &mut [&mut Simulation],
    threads: usize,
    ticks: &mut impl Iterator<Item = Result<Tick, E>>,
) -> Result<Result<DataHash, E>, Failure> {
    let share = simulations.len().div_ceil(threads.max(1)).max(1);
    std::thread::scope(|scope| {
        let mut takers = Vec::new();
        for share in simulations.chunks_mut(share) {
            let (taker, chunks) = mpsc::sync_channel::<Arc<Vec<Tick>>>(CHUNKS_AHEAD);
            let work = move || chunks.iter().for_each(|chunk| share.iter_mut().for_each(|one| one.take(&chunk)));
            let started = std::thread::Builder::new().spawn_scoped(scope, work);
            started.map_err(|error| Failure::error(format!("cannot start a thread: {error}")))?;
            takers.push(taker);
        }
        let (mut data, mut line) = (DataHash::default(), String::new());
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            for tick in ticks.by_ref().take(CHUNK) {
                match tick {
                    Ok(tick) => chunk.push(tick),
                    Err(error) => return Ok(Err(error)),
                }
            }
            if chunk.is_empty() {
                return Ok(Ok(data));
            }
            for tick in &chunk {
                line.clear();
                write_line(&mut line, tick);
                data.update(&line);
            }
            let chunk = Arc::new(chunk);
            for taker in &takers {
                // A thread takes chunks until there are no more.
                let _ = taker.send(Arc::clone(&chunk));
            }
        }
    })
}

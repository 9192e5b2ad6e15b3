//! The data of a replay: what they are, and their ticks. Files are read on a thread of their own, because a large or
//! slow one must not keep the process from answering probes and from stopping.

use std::collections::VecDeque;
use std::sync::Arc;

use bus::Fields;
use crds::roles::ReplaySpec;
use engine::messages::Tick;
use serde::{Deserialize, Serialize};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};
use venue::MarketData;
use venue::replay::{DataError, Summary, Tape};

use crate::roles::Stop;

/// The field of a feed's record that tells which data its position is in.
pub(super) const DATA: &str = "data";
/// Ticks at most that the thread reads at a time; it is at most so far ahead, twice.
const CHUNK: usize = 1_000;

/// The data that a position is in. In the record, so only fields with a default are added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Data {
    ticks: u64,
    bytes: u64,
    crc32: String,
}

impl Data {
    pub(super) fn of(markets: &[Arc<Summary>]) -> Self {
        let digests = markets.iter().flat_map(|summary| &summary.files).map(|file| file.digest);
        Self {
            ticks: markets.iter().map(|summary| summary.ticks).sum(),
            bytes: digests.clone().map(|digest| digest.bytes).sum(),
            crc32: digests.map(|digest| format!("{:08x}", digest.crc32)).collect::<Vec<_>>().join(","),
        }
    }

    /// The record's field. Numbers and a short text: this cannot fail but in words.
    pub(super) fn to_field(&self) -> Result<(String, String), Stop> {
        let text = serde_json::to_string(self).map_err(|error| Stop::MarketData(error.to_string()))?;
        Ok((DATA.to_owned(), text))
    }

    fn told(&self) -> String {
        format!("{} ticks, {} bytes, crc32 {}", self.ticks, self.bytes, self.crc32)
    }
}

/// Refuses data in which the record's position means something else than when it was stored: a replay that went on
/// with others would equal no backtest, and one that is past their end would wait for ever.
pub(super) fn check(
    fields: &Fields,
    next: u64,
    ended: bool,
    spec: &ReplaySpec,
    markets: &[Arc<Summary>],
) -> Result<(), Stop> {
    const REMEDY: &str =
        "put the file back as it was, or start afresh with `run --new-ledger` or an account of another name";
    let files: Vec<_> = spec.markets().iter().map(|market| market.file.display().to_string()).collect();
    let file = files.join(", ");
    let now = Data::of(markets);
    // A release that did not keep it has no such field.
    if let Some(text) = fields.get(DATA) {
        let problem = |error| Stop::Record { owner: "feed".to_owned(), problem: format!("its field {DATA}: {error}") };
        let begun: Data = serde_json::from_str(text).map_err(problem)?;
        if begun != now {
            return Err(Stop::MarketData(format!(
                "{file}: is not the file that this replay began with: that had {}, this has {}. The replay stands before \
                 tick {next}; {REMEDY}",
                begun.told(),
                now.told()
            )));
        }
    }
    let past = if ended { next > now.ticks } else { next >= now.ticks };
    if past && !spec.repeat {
        return Err(Stop::MarketData(format!(
            "{file}: has {} ticks, but the replay stands before tick {next}, counted from 0, and does not repeat; {REMEDY}",
            now.ticks
        )));
    }
    Ok(())
}

/// Reads the files once, on a thread of their own; by symbol.
pub(super) async fn scan(spec: ReplaySpec) -> Result<Vec<Arc<Summary>>, Stop> {
    let scan = move || spec.markets().iter().map(|market| Ok(Arc::new(super::scan(market, None)?))).collect();
    spawn_blocking(scan).await.map_err(|error| Stop::MarketData(error.to_string()))?
}

/// Why no tick came.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The file.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The thread that read it.
    #[error("the reading of the market data broke off: {0}")]
    Thread(#[from] JoinError),
    /// An earlier error; there is nothing more to read from.
    #[error("the market data could not be read before, and are not read on")]
    Over,
}

/// A replay that is read a little ahead on a thread of its own. A call that is dropped while it waits loses nothing.
pub(super) struct ReadAhead {
    ready: VecDeque<Tick>,
    source: Source,
}

/// Where the tape is.
enum Source {
    /// With the thread.
    Reading(JoinHandle<Chunk>),
    /// Here: there is nothing more in it.
    Ended(Tape),
    /// Here: that is why there is nothing more.
    Failed(Tape, Option<DataError>),
    /// Lost with the thread.
    Lost,
}

/// What the thread gives back.
struct Chunk {
    tape: Tape,
    ticks: Vec<Tick>,
    end: Option<Result<(), DataError>>,
}

impl Chunk {
    /// Reads on, or from `from`.
    fn read(mut tape: Tape, from: Option<u64>) -> Self {
        let mut ticks = Vec::new();
        if let Some(sequence) = from
            && let Err(error) = tape.seek(sequence)
        {
            return Self { tape, ticks, end: Some(Err(error)) };
        }
        while ticks.len() < CHUNK {
            match tape.next() {
                Some(Ok(tick)) => ticks.push(tick),
                Some(Err(error)) => return Self { tape, ticks, end: Some(Err(error)) },
                None => return Self { tape, ticks, end: Some(Ok(())) },
            }
        }
        Self { tape, ticks, end: None }
    }
}

impl ReadAhead {
    /// Stands before the first tick; reads nothing yet.
    pub(super) fn open(tape: Tape) -> Self {
        Self { ready: VecDeque::new(), source: Source::Ended(tape) }
    }

    fn start(&mut self, tape: Tape, from: Option<u64>) {
        self.source = Source::Reading(spawn_blocking(move || Chunk::read(tape, from)));
    }

    /// Takes what the thread has read and, if `go_on`, sends it for more.
    async fn take(&mut self, go_on: bool) -> Result<(), ReadError> {
        let Source::Reading(reading) = &mut self.source else { return Ok(()) };
        let done = reading.await;
        self.source = Source::Lost;
        let Chunk { tape, ticks, end } = done?;
        self.ready.extend(ticks);
        match end {
            Some(Err(error)) => self.source = Source::Failed(tape, Some(error)),
            None if go_on => self.start(tape, None),
            Some(Ok(())) | None => self.source = Source::Ended(tape),
        }
        Ok(())
    }
}

impl MarketData for ReadAhead {
    type Error = ReadError;

    async fn next(&mut self) -> Result<Option<Tick>, ReadError> {
        loop {
            if let Some(tick) = self.ready.pop_front() {
                return Ok(Some(tick));
            }
            match &mut self.source {
                Source::Reading(_) => self.take(true).await?,
                Source::Ended(_) => return Ok(None),
                Source::Failed(_, error) => return Err(error.take().map_or(ReadError::Over, ReadError::Data)),
                Source::Lost => return Err(ReadError::Over),
            }
        }
    }

    async fn seek(&mut self, sequence: u64) -> Result<(), ReadError> {
        self.take(false).await?;
        self.ready.clear();
        match std::mem::replace(&mut self.source, Source::Lost) {
            Source::Ended(tape) | Source::Failed(tape, _) => self.start(tape, Some(sequence)),
            Source::Reading(_) | Source::Lost => return Err(ReadError::Over),
        }
        self.take(true).await?;
        match &mut self.source {
            Source::Failed(_, error) if self.ready.is_empty() => {
                Err(error.take().map_or(ReadError::Over, ReadError::Data))
            }
            Source::Failed(..) | Source::Reading(_) | Source::Ended(_) | Source::Lost => Ok(()),
        }
    }
}

//! A strategy that looks back on bars and joins a replay under way: what its feed has kept of them is read before its first
//! tick, as of the tick before that one, so that it decides as if it had seen all ticks.
//!
//! Its first commit says what it needs and has no cursor of ticks: it has not joined. The feed then keeps these bars, and its
//! record tells what is unfinished as of its position. Cursors right behind that position and the bars are one commit: who
//! dies before it joins later, who dies after it has them. What does not fit is read again, and nothing is traded meanwhile.

use std::time::Duration;

use bus::{Acquired, Fields, Owner, Scope, StreamId, StreamKey};
use engine::instrument::Symbol;
use engine::market::{History, LookBack};
use engine::strategies::{BarsOf, DesiredState};
use engine::{Engine, Event};

use super::markets::Markets;
use super::{TICKS_MAX, Worker, joins_after};
use crate::outcome::hashes::LinedTick;
use crate::roles::session::patiently;
use crate::roles::source::{ENDED, KeptBars, LIST_MAX, NEEDS, NeededBars, kept, position};
use crate::roles::{Bus, Runtime, Stop};
use crds::roles::AccountSpec;

/// How often it looks whether the feed keeps what it needs.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// Where a strategy stands in the streams of its markets.
type Streams = Vec<(Symbol, StreamKey, StreamId)>;

/// A strategy waits for the bars that closed before its first tick.
#[derive(Debug)]
pub(super) struct Joining {
    needs: Vec<(BarsOf, NeededBars)>,
    streams: Vec<(Symbol, StreamKey)>,
    source: Scope,
    feed: Owner,
    /// For what it waits, in words.
    why: String,
}

/// What it joins with.
struct Joined {
    streams: Streams,
    history: Vec<Event>,
}

/// The bars that a strategy needs, by their market's place and by its symbol.
fn needs_of(engine: &Engine) -> Vec<(BarsOf, NeededBars)> {
    let need = |(of, look_back): (BarsOf, LookBack)| {
        let symbol = engine.instruments().get(of.instrument)?.symbol.clone();
        Some((of, NeededBars { symbol, interval: of.interval, look_back }))
    };
    engine.needed_bars().filter_map(need).collect()
}

impl Joining {
    /// Whether a strategy has to wait: it looks back on bars, has taken no tick, stands nowhere yet, and ticks are out.
    pub fn of<B: Bus>(
        runtime: &Runtime<B>,
        account: &AccountSpec,
        engine: &Engine,
        streams: &Streams,
        acquired: &Acquired,
    ) -> Result<Option<Self>, Stop> {
        let (needs, is_live) = (needs_of(engine), account.is_live());
        let has_begun = engine.ticks() > 0 || streams.iter().any(|one| acquired.cursors.contains_key(&one.1));
        // A live feed keeps what closed before its first tick too.
        let nothing_is_out = !is_live && streams.iter().all(|(_, _, last)| *last == StreamId::ZERO);
        if needs.is_empty() || has_begun || nothing_is_out {
            return Ok(None);
        }
        let source = runtime.source_scope(&account.source())?;
        let feed = runtime.identity.keys.feed(&source);
        let streams = streams.iter().map(|(symbol, stream, _)| (symbol.clone(), stream.clone())).collect();
        let why = "The feed has not read yet which bars it needs.".to_owned();
        Ok(Some(Self { needs, streams, source, feed, why }))
    }

    /// What it joins with as of the feed's position, or why it cannot yet.
    async fn found<B: Bus>(&self, runtime: &Runtime<B>) -> Result<Result<Joined, String>, Stop> {
        let feed = &self.feed;
        let Some(record) = patiently(runtime, || runtime.bus.record(feed)).await? else {
            return Ok(Err(format!("There is no record of {feed}.")));
        };
        if record.fields.contains_key(ENDED) {
            // It takes the last tick alone, and trades on none.
            return Ok(Ok(Joined { streams: self.at_the_end(runtime).await?, history: Vec::new() }));
        }
        let (next, kept) = match position(&record.fields).and_then(|next| Ok((next, kept(&record.fields)?))) {
            Ok(told) => told,
            Err(problem) => return Ok(Err(format!("The record of {feed} does not read: {problem}."))),
        };
        let mut history = Vec::new();
        for (of, need) in &self.needs {
            match self.history(runtime, *of, need, &kept).await? {
                Ok(event) => history.push(event),
                Err(why) => return Ok(Err(why)),
            }
        }
        let mut streams = Vec::new();
        for (symbol, stream) in &self.streams {
            let Some(cursor) = behind(runtime, stream, next).await? else {
                return Ok(Err(format!("Ticks of {symbol} went by while their place was looked for.")));
            };
            streams.push((symbol.clone(), stream.clone(), cursor));
        }
        Ok(Ok(Joined { streams, history }))
    }

    /// The bars of one series, or why they cannot be had yet.
    async fn history<B: Bus>(
        &self,
        runtime: &Runtime<B>,
        of: BarsOf,
        need: &NeededBars,
        kept: &[KeptBars],
    ) -> Result<Result<Event, String>, Stop> {
        let NeededBars { symbol, interval, look_back } = need;
        let is_it = |kept: &&KeptBars| kept.symbol == *symbol && kept.interval == *interval;
        let Some(kept) = kept.iter().find(is_it).filter(|kept| kept.look_back >= *look_back) else {
            return Ok(Err(format!(
                "The feed does not keep {look_back} bars of {interval} of {symbol} yet; one of the release before keeps none."
            )));
        };
        let stream = runtime.identity.keys.bars(&self.source, symbol.as_str(), interval.as_str());
        let list = patiently(runtime, || runtime.bus.range(&stream, StreamId::ZERO, StreamId::MAX, LIST_MAX)).await?;
        Ok(match kept.series(&stream, &list) {
            Ok(series) => {
                let surplus = series.bars().len().saturating_sub(look_back.get());
                let bars = series.bars().get(surplus..).unwrap_or_default().to_vec();
                let unfinished = series.unfinished().clone();
                Ok(Event::History { of, history: History { bars, unfinished, partial: kept.partial } })
            }
            // While ticks come quickly, bars go by between two looks; what stays so was changed by somebody else.
            Err(problem) => Err(format!("{problem}. If it stays so, restart the feed: it makes the list anew.")),
        })
    }

    async fn at_the_end<B: Bus>(&self, runtime: &Runtime<B>) -> Result<Streams, Stop> {
        let mut streams = Vec::new();
        for (symbol, stream) in &self.streams {
            streams.push((symbol.clone(), stream.clone(), joins_after(runtime, stream).await?));
        }
        Ok(streams)
    }
}

/// The place in a market's stream right before tick `next` of its source; `None` if it is not there any more.
async fn behind<B: Bus>(runtime: &Runtime<B>, stream: &StreamKey, next: u64) -> Result<Option<StreamId>, Stop> {
    let (mut from, mut found) = (StreamId::ZERO, None);
    loop {
        let entries = patiently(runtime, || runtime.bus.range(stream, from, StreamId::MAX, TICKS_MAX)).await?;
        for entry in &entries {
            // One that does not read stands behind the one before it.
            let Ok(tick) = entry.lend::<LinedTick>() else { continue };
            if tick.source_sequence >= next {
                return Ok(found.or_else(|| (tick.sequence == 0).then_some(StreamId::ZERO)));
            }
            // Behind the last tick of a market nothing comes: it takes that one, and has seen the end.
            found = Some(if tick.last { entry.id.previous() } else { entry.id });
        }
        match entries.last() {
            Some(last) if entries.len() >= TICKS_MAX => from = last.id.next(),
            Some(_) | None => return Ok(Some(found.unwrap_or(StreamId::ZERO))),
        }
    }
}

impl<B: Bus> Worker<'_, B> {
    /// Tells the feed which bars are needed; of none nothing is said.
    pub(super) fn tell_needs(&mut self, saved: &Fields) -> Result<(), Stop> {
        let needs: Vec<_> = needs_of(&self.engine).into_iter().map(|(_, need)| need).collect();
        if !needs.is_empty() {
            let needs = serde_json::to_string(&needs).map_err(|error| self.unsaved(error.to_string()))?;
            self.batch.set.push((NEEDS.to_owned(), needs));
        } else if saved.contains_key(NEEDS) {
            self.batch.delete.push(NEEDS.to_owned());
        }
        Ok(())
    }

    /// Why nothing is traded while the bars that closed before are awaited.
    pub(super) fn awaits_bars(&self) -> Option<String> {
        self.joining.as_ref().map(|joining| joining.why.clone())
    }

    /// Joins, once the feed keeps what is needed; a strategy that is stopped does when it is no longer.
    pub(super) async fn join(&mut self) -> Result<(), Stop> {
        let Some(joining) = self.joining.as_ref().filter(|_| self.engine.desired() != DesiredState::Stopped) else {
            return Ok(());
        };
        match joining.found(&self.runtime).await? {
            Ok(Joined { streams, history }) => {
                let now = self.engine.report().as_of;
                for event in history {
                    let effects = self.engine.step(now, event);
                    self.absorb(effects);
                }
                self.markets = Markets::of(streams, None);
                self.joining = None;
                self.batch.touch();
                self.store().await?;
                tracing::info!("the bars that closed before are there: the strategy has joined");
            }
            Err(why) if why != joining.why => {
                tracing::warn!("the strategy waits for bars: {why}");
                self.joining.iter_mut().for_each(|joining| joining.why.clone_from(&why));
                self.batch.touch();
            }
            Err(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bus::{Body, Keys, MemoryBus};
    use engine::messages::{Document, Tick};
    use engine::time::Timestamp;

    use super::*;
    use crate::process::admin::Health;
    use crate::process::shutdown::Shutdown;
    use crate::roles::Identity;

    fn put(bus: &MemoryBus, stream: &StreamKey, number: u64, sequence: u64, last: bool) -> StreamId {
        let price = "600".parse().unwrap();
        let tick = Tick::trade("BNB/USDT".parse().unwrap(), price, Timestamp::from_millis(0), sequence);
        let tick = Tick { source_sequence: number, last, ..tick };
        let data = serde_json::to_string(&tick).unwrap();
        bus.append_body(stream, Body::Document { version: Tick::VERSION, data: data.into() })
    }

    /// Of a market among others: between its ticks stand those of others, and entries that do not read.
    #[tokio::test]
    async fn the_place_before_a_tick_of_the_source_is_behind_the_last_one_before_it() {
        let (_stop, shutdown) = Shutdown::channel();
        let keys = Keys::new("glm").unwrap();
        let identity = Identity { keys, namespace: "n".to_owned(), ledger: String::new(), epoch: 1 };
        let runtime = Runtime { bus: MemoryBus::new(), identity, health: Health::new("strategy"), shutdown };
        let (whole, trimmed, none) =
            (StreamKey::from_name("whole"), StreamKey::from_name("trimmed"), StreamKey::from_name("none"));
        let first = put(&runtime.bus, &whole, 3, 0, false);
        runtime.bus.append_body(&whole, Body::poison("no field data", "?"));
        let second = put(&runtime.bus, &whole, 4, 1, false);
        let third = put(&runtime.bus, &whole, 9, 2, true);
        let later = put(&runtime.bus, &trimmed, 7, 5, false);
        for (stream, next, expected) in [
            (&whole, 0, Some(StreamId::ZERO)),
            (&whole, 3, Some(StreamId::ZERO)),
            (&whole, 4, Some(first)),
            (&whole, 5, Some(second)),
            (&whole, 9, Some(second)),
            // The last tick of a market is taken in any case: nothing else would tell of the end.
            (&whole, 10, Some(third.previous())),
            (&trimmed, 8, Some(later)),
            (&trimmed, 7, None),
            (&none, 8, Some(StreamId::ZERO)),
        ] {
            assert_eq!(behind(&runtime, stream, next).await.unwrap(), expected, "{stream} {next}");
        }
        // As many as one read gives, and more.
        let long = StreamKey::from_name("long");
        let ids: Vec<_> = (0..1_300).map(|n| put(&runtime.bus, &long, 2 * n, n, false)).collect();
        for next in [1, 2, 999, 1_000, 1_001, 2_599, 2_600] {
            let expected = ids[usize::try_from((next - 1) / 2).unwrap()];
            assert_eq!(behind(&runtime, &long, next).await.unwrap(), Some(expected), "{next}");
        }
    }
}

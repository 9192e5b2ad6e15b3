//! The bars that a feed keeps for its readers: made of its ticks, each told in the commit of the tick that closed it.
//!
//! The record tells what is kept and what is unfinished as of its position, so a restart goes on where it stood. Whose need
//! comes later finds the bars that closed before: where they come from, each kind of feed knows.

use std::collections::{BTreeMap, BTreeSet};

use bus::{Fields, Keys, Message, Retention, Scope, StreamId, StreamKey};
use engine::instrument::Symbol;
use engine::market::{BarSeries, Interval, LookBack};
use engine::messages::Tick;
use engine::time::Timestamp;

use crate::roles::document::message;
use crate::roles::session::{Change, patiently};
use crate::roles::source::{BARS, KeptBars, LIST_MAX, NeededBars, kept};
use crate::roles::{Bus, Runtime, Stop};

/// Which bars: of which market, and how long they are.
pub(super) type Of = (Symbol, Interval);

/// All series of a feed.
#[derive(Debug)]
pub(super) struct Bars {
    keys: Keys,
    source: Scope,
    /// When the data of each market begin.
    begins: BTreeMap<Symbol, Timestamp>,
    pub(super) kept: BTreeMap<Of, Kept>,
    /// What readers need beyond that.
    pub(super) lacking: BTreeMap<Of, LookBack>,
    /// The numbers of the last ticks of markets of which some may be missing.
    pub(super) last: BTreeMap<Symbol, u64>,
}

/// One series and its list.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) stream: StreamKey,
    pub(super) series: BarSeries,
}

impl Bars {
    /// Of a source whose markets' data begin then; of live prices nobody knows.
    pub fn new(keys: Keys, source: Scope, begins: BTreeMap<Symbol, Timestamp>) -> Self {
        Self { keys, source, begins, kept: BTreeMap::new(), lacking: BTreeMap::new(), last: BTreeMap::new() }
    }

    pub fn stream(&self, of: &Of) -> StreamKey {
        self.keys.bars(&self.source, of.0.as_str(), of.1.as_str())
    }

    /// A reader needs these. Once asked for, a series is kept for as long as the feed has its ledger, with the longest look-back
    /// that was asked for.
    pub fn need(&mut self, needs: Vec<NeededBars>) {
        for NeededBars { symbol, interval, look_back } in needs {
            let of = (symbol, interval);
            if self.kept.get(&of).is_some_and(|kept| kept.series.look_back() >= look_back) {
                continue;
            }
            let lacking = self.lacking.entry(of).or_insert(look_back);
            *lacking = look_back.max(*lacking);
        }
    }

    /// The lists of all, those that are to be made too.
    pub fn streams(&self) -> BTreeSet<StreamKey> {
        self.kept.keys().chain(self.lacking.keys()).map(|of| self.stream(of)).collect()
    }

    /// Takes ticks that go out; bars of which some are missing between them are not whole. Gives the bars that they close, and
    /// the field that the record needs of it.
    pub fn take(&mut self, ticks: &[Tick]) -> (Vec<Message>, Option<(String, String)>) {
        let mut closed = Vec::new();
        for tick in ticks {
            if is_behind_hole(&mut self.last, tick) {
                let of_market = self.kept.iter_mut().filter(|((symbol, _), _)| *symbol == tick.symbol);
                of_market.for_each(|(_, kept)| kept.series.on_gap());
            }
            closed.extend(self.closed_by(tick));
        }
        if ticks.is_empty() || self.kept.is_empty() {
            return (Vec::new(), None);
        }
        (closed, Some(self.field()))
    }

    /// The bars that this tick closes.
    pub fn closed_by(&mut self, tick: &Tick) -> Vec<Message> {
        let mut closed = Vec::new();
        for ((symbol, _), Kept { stream, series }) in &mut self.kept {
            if *symbol == tick.symbol
                && let Some(bar) = series.take(tick)
            {
                let bar = message(stream.clone(), bar);
                closed.push(bar.with_retention(retention(series.look_back())));
            }
        }
        closed
    }

    pub fn field(&self) -> (String, String) {
        let kept = self.kept.iter();
        let kept = kept.map(|((symbol, _), kept)| KeptBars::of(symbol, &kept.series, self.begins.get(symbol).copied()));
        let kept: Vec<_> = kept.collect();
        // Numbers and names: this cannot fail.
        (BARS.to_owned(), serde_json::to_string(&kept).unwrap_or_default())
    }
}

/// Whether ticks of its market are missing between the last one and this one, which is the last from now on.
pub(super) fn is_behind_hole(last: &mut BTreeMap<Symbol, u64>, tick: &Tick) -> bool {
    if let Some(last) = last.get_mut(&tick.symbol) {
        return std::mem::replace(last, tick.sequence).saturating_add(1) < tick.sequence;
    }
    last.insert(tick.symbol.clone(), tick.sequence);
    false
}

/// Takes up the series that a record tells of. One whose list is not what the feed has put there is made anew.
pub(super) async fn take_up<B: Bus>(runtime: &Runtime<B>, bars: &mut Bars, fields: &Fields) -> Result<(), Stop> {
    let unread = |problem| Stop::Record { owner: "feed".to_owned(), problem };
    for kept in kept(fields).map_err(unread)? {
        let of = (kept.symbol.clone(), kept.interval);
        let stream = bars.stream(&of);
        let list = patiently(runtime, || runtime.bus.range(&stream, StreamId::ZERO, StreamId::MAX, LIST_MAX)).await?;
        match kept.series(&stream, &list) {
            Ok(series) => {
                bars.kept.insert(of, Kept { stream, series });
            }
            Err(problem) => {
                tracing::error!(%problem, "a list of bars was changed by somebody else; it is made anew");
                bars.lacking.insert(of, kept.look_back);
            }
        }
    }
    Ok(())
}

/// Puts a series into its list in place of what is there, and keeps it from then on.
pub(super) async fn put<B: Bus>(
    runtime: &Runtime<B>,
    bars: &mut Bars,
    symbol: Symbol,
    series: BarSeries,
) -> Result<Change, Stop> {
    let of = (symbol, series.interval());
    let stream = bars.stream(&of);
    let (count, look_back) = (series.bars().len(), series.look_back());
    let last = patiently(runtime, || runtime.bus.last_id(&stream)).await?;
    let messages = series.bars().iter().map(|bar| message(stream.clone(), bar)).collect();
    let trims = last.filter(|last| *last != StreamId::ZERO).map(|last| (stream.clone(), last)).into_iter().collect();
    tracing::info!(%stream, bars = count, %look_back, "bars are kept");
    bars.lacking.remove(&of);
    bars.kept.insert(of, Kept { stream, series });
    Ok(Change { set: vec![bars.field()], messages, trims, ..Change::default() })
}

fn retention(look_back: LookBack) -> Retention {
    Retention { max_len: Some(look_back.get() as u64), max_age_ms: None }
}

#[cfg(test)]
pub(super) mod tests {
    use std::fmt::Write as _;
    use std::sync::Arc;

    use venue::replay::{Replay, Summary, Tape};

    use super::*;

    pub(in crate::roles::feed) const BTC: &str = "BTC/USDT";
    pub(in crate::roles::feed) const ETH: &str = "ETH/USDT";

    /// A market with a tick each so many seconds, the first 20 seconds into a minute.
    pub(in crate::roles::feed) fn data(
        folder: &tempfile::TempDir,
        symbol: &str,
        every: i64,
        ticks: i64,
    ) -> Arc<Summary> {
        let file = folder.path().join(symbol.replace('/', "-"));
        let mut rows = "time,price,volume\n".to_owned();
        for n in 0..ticks {
            let _ = writeln!(rows, "{},{},0.5", 1_700_000_000_000 + every * 1_000 * n, 600 + (n * 7) % 31);
        }
        std::fs::write(&file, rows).unwrap();
        Arc::new(Replay::scan(&[file], &symbol.parse().unwrap()).unwrap())
    }

    pub(in crate::roles::feed) fn need(symbol: &str, interval: Interval, look_back: usize) -> NeededBars {
        NeededBars { symbol: symbol.parse().unwrap(), interval, look_back: LookBack::new(look_back).unwrap() }
    }

    #[test]
    fn the_largest_look_back_is_kept_and_what_is_kept_is_not_made_again() {
        let mut bars =
            Bars::new(Keys::new("glm").unwrap(), Scope::source("n", "replay-paper").unwrap(), BTreeMap::new());
        let of = |bars: &Bars| bars.lacking.iter().map(|(of, n)| (of.0.to_string(), of.1, n.get())).collect::<Vec<_>>();
        bars.need(vec![need(BTC, Interval::OneMinute, 6), need(ETH, Interval::OneDay, 2)]);
        bars.need(vec![need(BTC, Interval::OneMinute, 9), need(BTC, Interval::OneMinute, 3)]);
        assert_eq!(of(&bars), [(BTC.to_owned(), Interval::OneMinute, 9), (ETH.to_owned(), Interval::OneDay, 2)]);
        for ((symbol, interval), look_back) in std::mem::take(&mut bars.lacking) {
            let stream = bars.stream(&(symbol.clone(), interval));
            bars.kept.insert((symbol, interval), Kept { stream, series: BarSeries::new(interval, look_back) });
        }
        bars.need(vec![need(BTC, Interval::OneMinute, 9), need(ETH, Interval::OneDay, 1)]);
        assert_eq!(of(&bars), []);
        bars.need(vec![need(BTC, Interval::OneMinute, 10)]);
        assert_eq!(of(&bars), [(BTC.to_owned(), Interval::OneMinute, 10)]);
        let streams: Vec<_> = bars.streams().iter().map(ToString::to_string).collect();
        assert_eq!(streams, ["glm:{n/replay-paper}:bars:BTC/USDT:1m", "glm:{n/replay-paper}:bars:ETH/USDT:1d"]);
    }

    #[test]
    fn a_bar_is_told_with_the_tick_that_closes_it_and_who_keeps_none_tells_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let data = data(&folder, BTC, 20, 7);
        let mut bars = Bars::new(
            Keys::new("glm").unwrap(),
            Scope::source("n", "replay-paper").unwrap(),
            BTreeMap::from([(data.symbol.clone(), data.first)]),
        );
        let ticks: Vec<_> = Tape::open([data]).map(Result::unwrap).collect();
        assert_eq!(bars.take(&ticks), (Vec::new(), None));
        let of = (BTC.parse().unwrap(), Interval::OneMinute);
        let stream = bars.stream(&of);
        let series = BarSeries::new(of.1, LookBack::new(3).unwrap());
        bars.kept.insert(of, Kept { stream: stream.clone(), series });
        assert_eq!(bars.take(&[]), (Vec::new(), None));
        let (closed, field) = bars.take(&ticks);
        let told: Vec<_> = closed.iter().map(|bar| &*bar.data).collect();
        assert_eq!(
            told,
            [
                r#"{"openTime":1699999980000,"open":"600","high":"607","low":"600","close":"607","volume":"1","ticks":2}"#,
                r#"{"openTime":1700000040000,"open":"614","high":"628","low":"614","close":"628","volume":"1.5","ticks":3}"#
            ]
        );
        let expected = Retention { max_len: Some(3), max_age_ms: None };
        assert!(closed.iter().all(|bar| bar.stream == stream && bar.retention == expected));
        let expected = r#"[{"symbol":"BTC/USDT","interval":"1m","lookBack":3,"count":2,"oldest":1699999980000,"unfinished":{"bar":{"openTime":1700000100000,"open":"604","high":"611","low":"604","close":"611","volume":"1","ticks":2}},"partial":1699999980000}]"#;
        assert_eq!(field, Some((BARS.to_owned(), expected.to_owned())));
    }
}

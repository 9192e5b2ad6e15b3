//! The markets of a replay: the stream of each, how far each has gone out, and how a repeated replay goes on. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use bus::{Fields, Keys, Scope, StreamKey};
use engine::instrument::Symbol;
use engine::messages::Tick;
use venue::replay::Summary;

use crate::roles::Stop;

/// The field that tells, of several markets, the number in the source of the newest tick that is out of each.
const OUT: &str = "out";

/// All markets of one source.
#[derive(Debug, Clone)]
pub(super) struct Markets {
    by_symbol: BTreeMap<Symbol, Market>,
    /// Of all of them, in one round.
    ticks: u64,
    span_ms: i64,
}

#[derive(Debug, Clone)]
struct Market {
    stream: StreamKey,
    /// Numbers that its ticks have in one round, those of trades that are missing among them.
    numbers: u64,
    /// The newest tick that is out, by its number in the source; `None` before the first.
    out: Option<u64>,
}

impl Markets {
    /// As the data and the feed's record say.
    pub fn of(keys: &Keys, source: &Scope, data: &[Arc<Summary>], fields: &Fields) -> Result<Self, Stop> {
        let broken = |error| Stop::Record { owner: "feed".to_owned(), problem: format!("its field {OUT}: {error}") };
        let out = fields.get(OUT).map(|text| serde_json::from_str(text)).transpose().map_err(broken)?;
        let mut out: BTreeMap<Symbol, u64> = out.unwrap_or_default();
        let first = data.iter().map(|summary| summary.first).min().unwrap_or_default();
        let ends = |summary: &Arc<Summary>| {
            let interval = summary.files.iter().find_map(|file| file.interval_ms).unwrap_or(1);
            summary.last.millis_since(first).saturating_add(interval)
        };
        let market = |summary: &Arc<Summary>| {
            let stream = keys.market_tick(source, summary.symbol.as_str());
            let market = Market {
                stream,
                numbers: summary.ticks.saturating_add(summary.missed),
                out: out.remove(&summary.symbol),
            };
            (summary.symbol.clone(), market)
        };
        Ok(Self {
            by_symbol: data.iter().map(market).collect(),
            ticks: data.iter().map(|summary| summary.ticks).sum::<u64>().max(1),
            span_ms: data.iter().map(ends).max().unwrap_or(1),
        })
    }

    /// The streams of all.
    pub fn streams(&self) -> Vec<StreamKey> {
        self.by_symbol.values().map(|market| market.stream.clone()).collect()
    }

    /// The stream of one.
    pub fn stream(&self, symbol: &Symbol) -> Option<StreamKey> {
        self.by_symbol.get(symbol).map(|market| market.stream.clone())
    }

    /// Whether there is more than one.
    pub fn are_several(&self) -> bool {
        self.by_symbol.len() > 1
    }

    /// Ticks of all markets, in one round; at least 1.
    pub const fn ticks(&self) -> u64 {
        self.ticks
    }

    /// Whether nothing comes any more in the round that starts with tick 0.
    pub const fn have_ended(&self, next: u64) -> bool {
        next >= self.ticks
    }

    /// A tick of a later round: sequences and times go on where the last round ended.
    pub fn in_round(&self, round: u64, tick: Tick) -> Tick {
        let shift = i64::try_from(round).unwrap_or(0).saturating_mul(self.span_ms);
        let numbers = self.by_symbol.get(&tick.symbol).map_or(0, |market| market.numbers);
        Tick {
            source_sequence: round * self.ticks + tick.source_sequence,
            sequence: round.saturating_mul(numbers).saturating_add(tick.sequence),
            time: tick.time.map(|time| time.plus_millis(shift)),
            received: tick.received.plus_millis(shift),
            last: false,
            ..tick
        }
    }

    /// These ticks go out. Gives the field that a record of several markets needs of it.
    pub fn went_out(&mut self, ticks: &[Tick]) -> Option<(String, String)> {
        for tick in ticks {
            if let Some(market) = self.by_symbol.get_mut(&tick.symbol) {
                market.out = Some(tick.source_sequence);
            }
        }
        if !self.are_several() || ticks.is_empty() {
            return None;
        }
        let out: BTreeMap<_, _> =
            self.by_symbol.iter().filter_map(|(symbol, market)| Some((symbol, market.out?))).collect();
        // Numbers under texts: this cannot fail.
        Some((OUT.to_owned(), serde_json::to_string(&out).unwrap_or_default()))
    }

    /// Whether a reader that stands behind tick `taken` of the source has all that is out of the markets that it reads; all
    /// markets, where nothing is said.
    pub fn has_all(&self, taken: Option<u64>, reads: Option<&[Symbol]>) -> bool {
        let is_read = |symbol: &Symbol| reads.is_none_or(|reads| reads.contains(symbol));
        self.by_symbol.iter().filter(|(symbol, _)| is_read(symbol)).all(|(_, market)| market.out <= taken)
    }
}

#[cfg(test)]
mod tests {
    use engine::time::Timestamp;
    use venue::replay::Replay;

    use super::*;

    const BTC: &str = "BTC/USDT";
    const ETH: &str = "ETH/USDT";

    fn data(folder: &tempfile::TempDir, symbol: &str, rows: &str) -> Arc<Summary> {
        let file = folder.path().join(symbol.replace('/', "-"));
        std::fs::write(&file, format!("time,price\n{rows}")).unwrap();
        Arc::new(Replay::scan(&[file], &symbol.parse().unwrap()).unwrap())
    }

    fn markets(fields: &Fields) -> Markets {
        let folder = tempfile::tempdir().unwrap();
        let btc = data(&folder, BTC, "1700000000000,1\n1700000001000,2\n1700000002000,3\n");
        let eth = data(&folder, ETH, "1700000001000,5\n1700000004000,6\n");
        let (keys, source) = (Keys::new("glm").unwrap(), Scope::source("n", "replay-paper").unwrap());
        Markets::of(&keys, &source, &[btc, eth], fields).unwrap()
    }

    fn tick(symbol: &str, sequence: u64, source_sequence: u64) -> Tick {
        let time = Timestamp::from_millis(1_700_000_000_000);
        let tick = Tick::trade(symbol.parse().unwrap(), "1".parse().unwrap(), time, sequence);
        Tick { source_sequence, ..tick }
    }

    #[test]
    fn a_later_round_goes_on_behind_the_last_of_all_markets() {
        let markets = markets(&Fields::default());
        assert_eq!(markets.ticks(), 5);
        let later = markets.in_round(2, Tick { last: true, ..tick(ETH, 1, 4) });
        assert_eq!((later.sequence, later.source_sequence, later.last), (2 * 2 + 1, 2 * 5 + 4, false));
        // From the first tick of BTC to the last of ETH, and a millisecond.
        assert_eq!(later.event_time().millis(), 1_700_000_000_000 + 2 * 4_001);
        assert_eq!(markets.in_round(0, tick(BTC, 1, 1)), tick(BTC, 1, 1));
        assert!(markets.have_ended(5) && !markets.have_ended(4));
    }

    /// A market can be silent for longer than the feed may be ahead: who reads only that one is behind in nothing.
    #[test]
    fn who_has_all_of_its_own_markets_is_not_behind() {
        let mut markets = markets(&Fields::default());
        let (btc, eth) = ([BTC.parse().unwrap()], [ETH.parse().unwrap()]);
        assert!(markets.has_all(None, None), "nothing is out");
        let out = markets.went_out(&[tick(BTC, 0, 0), tick(ETH, 0, 1), tick(BTC, 1, 2)]).unwrap();
        assert_eq!(out, ("out".to_owned(), r#"{"BTC/USDT":2,"ETH/USDT":1}"#.to_owned()));
        for (taken, reads, has_all) in [
            (None, Some(&eth[..]), false),
            (Some(0), Some(&eth[..]), false),
            (Some(1), Some(&eth[..]), true),
            (Some(1), Some(&btc[..]), false),
            (Some(1), None, false),
            (Some(2), None, true),
        ] {
            assert_eq!(markets.has_all(taken, reads), has_all, "{taken:?} {reads:?}");
        }
        // A successor knows the same.
        let restarted = self::markets(&Fields::from([(out.0, out.1.as_str().into())]));
        assert!(restarted.has_all(Some(1), Some(&eth)) && !restarted.has_all(Some(1), Some(&btc)));
        assert_eq!(markets.went_out(&[]), None);
    }
}

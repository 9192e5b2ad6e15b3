//! The ticks of a strategy's markets, each a stream of its own, as the one sequence that their source gave them.
//!
//! A feed commits the ticks of all its markets at once and a read finds all streams as of one moment, so what was read is
//! complete up to the last entry of a stream of which not all was read.

use std::collections::VecDeque;

use bus::{Entry, StreamId, StreamKey};
use engine::instrument::Symbol;

use crate::outcome::hashes::LinedTick;

/// One market.
#[derive(Debug)]
struct Market {
    symbol: Symbol,
    stream: StreamKey,
    /// The last entry that was taken.
    cursor: StreamId,
}

/// A tick that was read but not taken.
#[derive(Debug)]
pub(super) struct Unread {
    /// Its market's place.
    pub market: usize,
    /// Where it stands in that market's stream, and what it says.
    pub entry: Entry,
}

/// Where in its source a strategy stands.
#[derive(Debug)]
pub(super) struct Markets {
    markets: Vec<Market>,
    /// The market of the last tick that was taken.
    last: usize,
}

impl Markets {
    /// The markets of a strategy, each with its stream and how far that was taken, and of which of them the last tick was.
    pub fn of(markets: impl IntoIterator<Item = (Symbol, StreamKey, StreamId)>, last: Option<&Symbol>) -> Self {
        let market = |(symbol, stream, cursor)| Market { symbol, stream, cursor };
        let markets: Vec<_> = markets.into_iter().map(market).collect();
        let last = markets.iter().position(|market| Some(&market.symbol) == last).unwrap_or(0);
        Self { markets, last }
    }

    /// Whether there is more than one.
    pub fn are_several(&self) -> bool {
        self.markets.len() > 1
    }

    /// How far each stream was taken.
    pub fn cursors(&self) -> impl Iterator<Item = (StreamKey, StreamId)> {
        self.markets.iter().map(|market| (market.stream.clone(), market.cursor))
    }

    /// The market that a stream is of.
    pub fn of_stream(&self, stream: &StreamKey) -> Option<usize> {
        self.markets.iter().position(|market| market.stream == *stream)
    }

    /// A market's stream.
    pub fn stream(&self, market: usize) -> Option<&StreamKey> {
        self.markets.get(market).map(|market| &market.stream)
    }

    /// A tick was taken.
    pub fn took(&mut self, market: usize, id: StreamId) {
        self.last = market;
        if let Some(market) = self.markets.get_mut(market) {
            market.cursor = id;
        }
    }

    /// Where the last tick that was taken stands: its market's place, and its place in that market's stream.
    pub fn last(&self) -> Option<(usize, StreamId)> {
        self.markets.get(self.last).map(|market| (self.last, market.cursor))
    }

    /// What one read of at most `most` entries of each stream gave, in the order of the source. Where a stream gave as many,
    /// more may stand behind it: what comes later than its last is left to be read again.
    pub fn merge(&self, mut read: Vec<(usize, Vec<Entry>)>, most: usize) -> VecDeque<Unread> {
        if let [_] = &self.markets[..] {
            let entries = read.pop().map(|(_, entries)| entries).unwrap_or_default();
            return entries.into_iter().map(|entry| Unread { market: 0, entry }).collect();
        }
        let (mut ticks, mut complete) = (Vec::new(), u64::MAX);
        for (market, entries) in read {
            let (is_cut, mut sequence) = (entries.len() >= most, 0);
            for entry in entries {
                // One that does not read stands behind the one before it.
                sequence = entry.lend::<LinedTick>().map_or(sequence, |tick| tick.source_sequence);
                ticks.push((sequence, Unread { market, entry }));
            }
            if is_cut {
                complete = complete.min(sequence);
            }
        }
        ticks.retain(|(sequence, _)| *sequence <= complete);
        ticks.sort_by_key(|(sequence, _)| *sequence);
        ticks.into_iter().map(|(_, unread)| unread).collect()
    }
}

#[cfg(test)]
mod tests {
    use bus::{Body, Keys, Scope};
    use engine::messages::{Document, Tick};
    use engine::time::Timestamp;

    use super::*;

    const SYMBOLS: [&str; 2] = ["BTC/USDT", "ETH/USDT"];

    fn markets() -> Markets {
        let (keys, source) = (Keys::new("glm").unwrap(), Scope::source("n", "replay-paper").unwrap());
        let market = |text: &str| (text.parse().unwrap(), keys.market_tick(&source, text), StreamId::ZERO);
        Markets::of(SYMBOLS.map(market), None)
    }

    fn entry(market: usize, source_sequence: u64) -> Entry {
        let symbol: Symbol = SYMBOLS[market].parse().unwrap();
        let tick = Tick::trade(symbol, "1".parse().unwrap(), Timestamp::from_millis(0), source_sequence);
        let tick = Tick { source_sequence, ..tick };
        let data = serde_json::to_string(&tick).unwrap();
        Entry::new(StreamId { ms: 7, seq: 0 }, Body::Document { version: Tick::VERSION, data: data.into() })
    }

    fn poison() -> Entry {
        Entry::new(StreamId { ms: 8, seq: 0 }, Body::Poison { raw: "?".into(), reason: "no field data".into() })
    }

    /// Of each tick the market and the number in the source; a poison has none.
    fn merged(read: [Vec<Entry>; 2], most: usize) -> Vec<(usize, Option<u64>)> {
        let read = read.into_iter().enumerate().collect();
        let number = |entry: &Entry| entry.decode_once::<LinedTick>().ok().map(|tick| tick.source_sequence);
        markets().merge(read, most).iter().map(|unread| (unread.market, number(&unread.entry))).collect()
    }

    #[test]
    fn ticks_of_several_streams_come_in_the_order_of_their_source() {
        let of = |market, numbers: &[u64]| numbers.iter().map(|number| entry(market, *number)).collect::<Vec<_>>();
        let all = |numbers: &[(usize, u64)]| numbers.iter().map(|(m, n)| (*m, Some(*n))).collect::<Vec<_>>();
        let merge = |btc: &[u64], eth: &[u64]| merged([of(0, btc), of(1, eth)], 4);
        assert_eq!(merge(&[0, 3], &[1, 2, 4]), all(&[(0, 0), (1, 1), (1, 2), (0, 3), (1, 4)]));
        assert_eq!(merge(&[], &[5]), all(&[(1, 5)]));
        assert_eq!(merge(&[], &[]), []);
        // More may stand behind 5: of the other nothing later is taken.
        assert_eq!(merge(&[0, 1, 2, 5], &[3, 4, 6]), all(&[(0, 0), (0, 1), (0, 2), (1, 3), (1, 4), (0, 5)]));
        // Both are cut: the one that is cut first decides.
        assert_eq!(merge(&[0, 1, 2, 9], &[3, 4, 5, 6]), all(&[(0, 0), (0, 1), (0, 2), (1, 3), (1, 4), (1, 5), (1, 6)]));
    }

    #[test]
    fn what_does_not_read_stands_behind_the_one_before_it() {
        let read = [vec![entry(0, 0), poison(), entry(0, 4)], vec![entry(1, 2)]];
        assert_eq!(merged(read, 9), [(0, Some(0)), (0, None), (1, Some(2)), (0, Some(4))]);
        assert_eq!(merged([vec![poison()], vec![entry(1, 0)]], 9), [(0, None), (1, Some(0))]);
    }
}

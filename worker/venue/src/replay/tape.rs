//! The recorded data of several markets as the ticks of one source: by time, and those of one time by symbol, bytewise.
//! The same files give the same order, each time.

use std::sync::Arc;

use engine::instrument::Symbol;
use engine::messages::Tick;

use super::{DataError, Replay, Summary};

/// The ticks of a source, each with its `source_sequence`. After an error it gives nothing more.
pub struct Tape {
    /// By symbol.
    lanes: Vec<Lane>,
    /// The number of the next tick, over all markets.
    position: u64,
}

/// One market, and its tick that is next.
struct Lane {
    replay: Replay,
    next: Option<Tick>,
}

impl Lane {
    fn symbol(&self) -> &Symbol {
        &self.replay.summary().symbol
    }

    /// Reads the tick behind the one that was taken.
    fn read(&mut self) -> Result<(), DataError> {
        self.next = self.replay.next().transpose()?;
        Ok(())
    }
}

impl Tape {
    /// Stands before the first tick; reads nothing yet. Each summary is of another market.
    pub fn open(markets: impl IntoIterator<Item = Arc<Summary>>) -> Self {
        let mut lanes: Vec<_> =
            markets.into_iter().map(|summary| Lane { replay: Replay::open(summary), next: None }).collect();
        lanes.sort_by(|one, other| one.symbol().cmp(other.symbol()));
        Self { lanes, position: 0 }
    }

    /// Goes to the tick with this number over all markets, forward or back; past the last tick there is none. Of several
    /// markets all ticks before it are read, because only their times tell how many of each there are.
    pub fn seek(&mut self, position: u64) -> Result<(), DataError> {
        if let [lane] = &mut self.lanes[..] {
            lane.next = None;
            lane.replay.seek(position)?;
            self.position = lane.replay.position();
            return Ok(());
        }
        for lane in &mut self.lanes {
            lane.next = None;
            lane.replay.seek(0)?;
        }
        self.position = 0;
        while self.position < position && self.tick()?.is_some() {}
        Ok(())
    }

    fn tick(&mut self) -> Result<Option<Tick>, DataError> {
        for lane in &mut self.lanes {
            if lane.next.is_none() {
                lane.read()?;
            }
        }
        // Lanes stand by symbol, and of equal times the first is taken.
        let times = self.lanes.iter_mut().filter(|lane| lane.next.is_some());
        let first = times.min_by_key(|lane| lane.next.as_ref().map(Tick::event_time));
        let Some(tick) = first.and_then(|lane| lane.next.take()) else { return Ok(None) };
        let source_sequence = self.position;
        self.position += 1;
        Ok(Some(Tick { source_sequence, ..tick }))
    }
}

impl Iterator for Tape {
    type Item = Result<Tick, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let tick = self.tick();
        if tick.is_err() {
            self.lanes.clear();
        }
        tick.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn market(folder: &tempfile::TempDir, symbol: &str, rows: &[(u64, u64)]) -> Arc<Summary> {
        let row = |(second, price): &(u64, u64)| format!("{}000,{price}", 1_700_000_000 + second);
        let rows = rows.iter().map(row).collect::<Vec<_>>().join("\n");
        let file = folder.path().join(symbol.replace('/', "-"));
        std::fs::write(&file, format!("time,price\n{rows}\n")).unwrap();
        Arc::new(Replay::scan(&[file], &symbol.parse().unwrap()).unwrap())
    }

    /// Of each tick its market, its numbers in the source and there, and whether it is that market's last.
    fn told(tape: impl Iterator<Item = Result<Tick, DataError>>) -> Vec<(String, u64, u64, bool)> {
        let told = |tick: Tick| (tick.symbol.base().to_string(), tick.source_sequence, tick.sequence, tick.last);
        tape.map(|tick| told(tick.unwrap())).collect()
    }

    #[test]
    fn ticks_come_by_time_and_those_of_one_time_by_symbol() {
        let folder = tempfile::tempdir().unwrap();
        let eth = market(&folder, "ETH/USDT", &[(1, 10), (2, 11), (9, 12)]);
        let btc = market(&folder, "BTC/USDT", &[(0, 20), (2, 21), (2, 22), (3, 23)]);
        let expected = [
            ("BTC", 0, 0, false),
            ("ETH", 1, 0, false),
            ("BTC", 2, 1, false),
            ("BTC", 3, 2, false),
            ("ETH", 4, 1, false),
            // It ends before the other, and its readers must know.
            ("BTC", 5, 3, true),
            ("ETH", 6, 2, true),
        ]
        .map(|(symbol, source, sequence, last)| (symbol.to_owned(), source, sequence, last));
        // Whichever is named first.
        for markets in [[&eth, &btc], [&btc, &eth]] {
            let open = || Tape::open(markets.map(Arc::clone));
            assert_eq!(told(open()), expected);
            for position in 0..=7 {
                let mut tape = open();
                tape.seek(position).unwrap();
                assert_eq!(told(tape), expected[usize::try_from(position).unwrap()..], "from {position}");
            }
        }
        let mut tape = Tape::open([btc, eth]);
        tape.by_ref().take(4).for_each(drop);
        tape.seek(2).unwrap();
        assert_eq!(told(tape), expected[2..], "back");
    }

    #[test]
    fn of_one_market_both_numbers_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let btc = market(&folder, "BTC/USDT", &[(0, 20), (2, 21)]);
        let mut tape = Tape::open([btc]);
        tape.seek(1).unwrap();
        assert_eq!(told(tape), [("BTC".to_owned(), 1, 1, true)]);
    }

    #[test]
    fn after_a_file_that_has_changed_nothing_more_comes() {
        let folder = tempfile::tempdir().unwrap();
        let [btc, eth] = [("BTC/USDT", 20), ("ETH/USDT", 10)]
            .map(|(symbol, price)| market(&folder, symbol, &[(0, price), (5, price)]));
        std::fs::write(&btc.files[0].path, "time,price\n1700000000000,20\n").unwrap();
        let told: Vec<_> = Tape::open([btc, eth]).map(|tick| tick.is_ok()).collect();
        assert_eq!(told, [true, false]);
    }
}

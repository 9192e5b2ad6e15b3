//! A live source makes the ticks that a replay makes of the same frames.

use std::io::Read as _;
use std::path::PathBuf;

use engine::messages::Tick;
use engine::time::Timestamp;
use flate2::read::GzDecoder;
use proptest::prelude::*;

use super::super::product::Product;
use super::stage::Stage;
use crate::live::LiveTrade;
use crate::replay::Replay;

/// A recording of one product.
#[derive(Debug, Clone, Copy)]
pub struct Recording {
    pub product: Product,
    pub symbol: &'static str,
    file: &'static str,
    pub trades: usize,
}

pub const SPOT: Recording =
    Recording { product: Product::Spot, symbol: "BTC/USDT", file: "binance-spot-btcusdt-20240808.gz", trades: 69 };
pub const USD_MARGINED: Recording = Recording {
    product: Product::UsdMargined,
    symbol: "BTC/USDT:USDT",
    file: "binance-usdm-btcusdt-20240808.gz",
    trades: 59,
};

impl Recording {
    fn path(self) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata").join(self.file)
    }

    /// Receive times and frames.
    pub fn frames(self) -> Vec<(i64, String)> {
        let mut text = String::new();
        GzDecoder::new(std::fs::File::open(self.path()).unwrap()).read_to_string(&mut text).unwrap();
        let split = |line: &str| {
            let (stamp, frame) = line.split_once(' ').unwrap();
            (stamp.parse().unwrap(), frame.to_owned())
        };
        text.lines().map(split).collect()
    }

    /// The ticks that a replay makes of it.
    pub fn ticks(self) -> Vec<Tick> {
        self.replayed(self.path())
    }

    pub fn replayed(self, path: PathBuf) -> Vec<Tick> {
        let summary = Replay::scan(&[path], &self.symbol.parse().unwrap()).unwrap();
        Replay::open(summary).collect::<Result<_, _>>().unwrap()
    }

    /// A machine that follows its market and has its streams.
    pub fn stage(self) -> Stage {
        let mut stage = Stage::of(self.product, 7);
        stage.follow(&[self.symbol], None);
        stage.run(2_000);
        stage
    }
}

/// What a tick says of a trade.
pub fn assert_same(trades: &[&LiveTrade], ticks: &[Tick]) {
    assert_eq!(trades.len(), ticks.len());
    for (trade, tick) in trades.iter().zip(ticks) {
        assert_eq!(
            (&trade.symbol, trade.price, trade.volume, Some(trade.time), trade.received),
            (&tick.symbol, tick.price, tick.volume, tick.time, tick.received)
        );
        assert_eq!(
            (trade.bid, trade.ask, Some(trade.bid_size), Some(trade.ask_size)),
            (tick.bid, tick.ask, tick.bid_size, tick.ask_size)
        );
    }
}

/// Gives frames as they were received; those that were taken, as lines of a recording.
fn play(stage: &mut Stage, frames: &[(i64, String)]) -> String {
    let connection = stage.newest();
    let mut taken = String::new();
    for (nanos, frame) in frames {
        if stage.machine.frame(connection, frame, Timestamp::from_millis(nanos / 1_000_000), stage.now) {
            taken.extend([&nanos.to_string(), " ", frame, "\n"]);
        }
    }
    stage.step();
    taken
}

#[test]
fn the_frames_of_a_recording_make_its_ticks() {
    for recording in [SPOT, USD_MARGINED] {
        let mut stage = recording.stage();
        let taken = play(&mut stage, &recording.frames());
        let ticks = recording.ticks();
        assert_eq!(ticks.len(), recording.trades);
        assert_same(&stage.trades(), &ticks);
        // What was taken is a recording of the same.
        let folder = tempfile::tempdir().unwrap();
        let again = folder.path().join("taken.txt");
        std::fs::write(&again, taken).unwrap();
        assert_same(&stage.trades(), &recording.replayed(again));
    }
}

/// What may come between two frames of the recording without changing anything.
fn noise() -> impl Strategy<Value = (usize, String)> {
    let frames = SPOT.frames();
    let count = frames.len();
    let cut = (0..count, any::<prop::sample::Index>()).prop_map(move |(frame, at)| {
        let text = &frames[frame].1;
        text[..at.index(text.len())].to_owned()
    });
    let other = prop::sample::select(
        &[
            "",
            "{}",
            "[]",
            "null",
            "{\"result\":null,\"id\":99}",
            "\u{1}\u{2}",
            r#"{"stream":"btcusdt@trade","data":{"s":"BTCUSDT","t":-1,"p":"1","q":"1","T":1,"m":true}}"#,
            r#"{"stream":"btcusdt@trade","data":{"s":"BTCUSDT","t":3735683300,"p":"0","q":"1","T":1,"m":true}}"#,
            r#"{"stream":"btcusdt@bookTicker","data":{"u":99999999999999,"s":"BTCUSDT","b":"2","B":"1","a":"1","A":"1"}}"#,
            r#"{"e":"trade","s":"BTCUSDT","t":3735683300,"p":"5","q":"1","T":1,"m":true}"#,
        ][..],
    );
    (0..count, prop_oneof![cut, other.prop_map(str::to_owned)])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn malformed_frames_are_counted_and_change_nothing(noise in prop::collection::vec(noise(), 1..20)) {
        let mut stage = Stage::following(7, &["BTC/USDT"]);
        let mut mixed = Vec::new();
        for (index, frame) in SPOT.frames().into_iter().enumerate() {
            mixed.extend(noise.iter().filter(|(at, _)| *at == index).map(|(_, text)| (frame.0, text.clone())));
            mixed.push(frame);
        }
        play(&mut stage, &mixed);
        assert_same(&stage.trades(), &SPOT.ticks());
        prop_assert_eq!(stage.holes(), vec![]);
        // The first is told at once, the others a minute later.
        stage.run(61_000);
        let counts = stage.news.iter().filter_map(|news| match news {
            crate::live::News::Malformed { count, .. } => Some(*count),
            _ => None,
        });
        prop_assert_eq!(counts.sum::<u64>(), noise.len() as u64);
    }
}

/// A byte of a frame changed, taken out or put in; the frame stays text.
fn mutation() -> impl Strategy<Value = (usize, prop::sample::Index, u8, u8)> {
    // In the first part of the recording, with all of its first trades.
    (0_usize..150, any::<prop::sample::Index>(), 0_u8..3, b' '..=b'~')
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn frames_that_are_mutated_do_not_decide_what_follows(mutations in prop::collection::vec(mutation(), 1..30)) {
        let mut stage = Stage::following(7, &["BTC/USDT"]);
        let mut frames = SPOT.frames();
        for (index, at, how, byte) in mutations {
            let mut text = std::mem::take(&mut frames[index].1).into_bytes();
            let at = at.index(text.len().max(1));
            match how {
                0 if !text.is_empty() => text[at] = byte,
                1 if !text.is_empty() => drop(text.remove(at)),
                _ => text.insert(at, byte),
            }
            frames[index].1 = String::from_utf8(text).unwrap();
        }
        play(&mut stage, &frames);
        let (trades, ticks) = (stage.trades(), SPOT.ticks());
        // An id that is wrong by fewer than are taken for a gap is caught up with.
        assert_same(&trades[trades.len() - 3..], &ticks[ticks.len() - 3..]);
    }
}

//! A row that is read allocates nothing, in any format, whether it is scanned, replayed or both: counted by the allocator.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod files;

use std::path::PathBuf;

use allocation_counter::measure;
use files::{Folder, gzip, symbol, text};
use venue::replay::{Reading, Replay};

const ROWS: usize = 12_000;
/// Rows before the count starts: until then buffers grow.
const FIRST: usize = 3_000;

fn ticks() -> String {
    let rows = (0..ROWS).map(|n| {
        let cents = 60_000 + n % 997;
        let (price, bid) =
            (format!("{}.{:02}", cents / 100, cents % 100), format!("{}.{:02}000", cents / 100, cents % 100));
        format!("{},{price},{bid},700.5,1.25,0.75,0.{:05}", 1_700_000_000_000 + n * 1_000, n % 9_000 + 1)
    });
    format!("time,price,bid,ask,bidSize,askSize,volume\n{}", text(rows))
}

fn candles() -> String {
    let rows = (0..ROWS).map(|n| {
        let minute = 28_333_333 + n + n / 1_000;
        format!("{},600.25,60{}.5,599,600.{:02},{n}.5", minute * 60_000, 1 + n % 9, n % 100)
    });
    format!("open_time_ms,open,high,low,close,volume\n{}", text(rows))
}

/// Quotes and trades, every seventh of another market, some messages of other streams, with blanks, or of futures.
fn recording() -> String {
    let rows = (0..ROWS).map(|n| {
        let market = if n % 7 == 0 { "ETHUSDT" } else { "BTCUSDT" };
        let time = 1_700_000_000_000 + n * 10;
        let quote = format!(
            "{time}000000 {{\"stream\":\"x@bookTicker\",\"data\":{{\"u\":{},\"s\":\"{market}\",\"b\":\"600.10000000\",\
             \"B\":\"1.25000000\",\"a\":\"600.20000000\",\"A\":\"0.75000000\"}}}}",
            1_000 + n
        );
        let kind = ["", ", \"X\": \"MARKET\"", ", \"x\": {\"y\": [null, 1.5e3]}"][n % 3];
        let trade = format!(
            "{{\"stream\":\"x@trade\",\"data\":{{\"e\":\"trade\",\"E\":{time},\"s\":\"{market}\",\"t\":{n},\
             \"p\":\"600.1{}000000\",\"q\":\"0.00100000\",\"T\":{time},\"m\":true{kind}}}}}",
            n % 10
        );
        match n % 10 {
            9 => format!("{quote}\n{{\"stream\":\"x@depth\",\"data\":{{\"b\":[[\"1\",\"2\"]]}}}}\n{trade}"),
            _ => format!("{quote}\n{trade}"),
        }
    });
    text(rows)
}

/// How often memory was taken for all behind the first items.
fn allocations<T>(mut items: impl Iterator<Item = T>) -> u64 {
    assert_eq!(items.by_ref().take(FIRST).count(), FIRST);
    let mut rest = 0;
    // The last one comes with the end of its file, which takes memory.
    let counted = measure(|| rest = items.by_ref().take(5_000).count());
    assert_eq!(rest, 5_000);
    counted.count_total
}

fn files(folder: &Folder) -> [PathBuf; 6] {
    [("t.csv", ticks()), ("c.csv", candles()), ("r.jsonl", recording())]
        .map(|(name, text)| [folder.write(name, &text), folder.write(&format!("{name}.gz"), gzip(text.as_bytes()))])
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

#[test]
fn a_row_of_any_format_allocates_nothing() {
    let folder = Folder::new();
    for path in files(&folder) {
        let (paths, tick_sizes) = ([path], [tick_size("0.01"), tick_size("0.05")]);
        let summary = Replay::scan_for(&paths, &symbol(), tick_sizes[0]).unwrap();
        assert_eq!(allocations(Replay::open(summary).map(Result::unwrap)), 0, "replay of {paths:?}");
        let reading = Reading::open(&paths, &symbol(), &tick_sizes).unwrap();
        assert_eq!(allocations(reading.map(Result::unwrap)), 0, "reading of {paths:?}");
    }
    assert!(measure(|| drop(Box::new(1_u64))).count_total > 0, "the counter counts");
}

fn tick_size(text: &str) -> engine::numbers::Price {
    text.parse().unwrap()
}

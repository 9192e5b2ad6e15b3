//! What is wrong with a file comes out when it is scanned, with its place and the remedy, word for word.
#![allow(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

mod files;

use std::fs;
use std::path::Path;

use engine::messages::Tick;
use files::{Folder, damaged, gzip, symbol};
use proptest::prelude::*;
use venue::replay::Replay;

const TICKS: &str = "time,price,bid,ask,volume\n1000,600,599,601,1\n";
const CANDLES: &str = "open_time_ms,open,high,low,close,volume\n";
const BOOK: &str =
    r#"{"stream":"btcusdt@bookTicker","data":{"u":5,"s":"BTCUSDT","b":"599","B":"1","a":"601","A":"2"}}"#;
const TRADE: &str = r#"{"stream":"btcusdt@trade","data":{"s":"BTCUSDT","t":1,"p":"600","q":"1","T":1000,"m":true}}"#;
const KNOWN: &str = "known are time,price[,bid,ask[,bidSize,askSize]][,volume] for ticks, \
    open_time_ms,open,high,low,close,volume for candles, Binance's downloads of 12 columns and recordings of its \
    combined streams, and candles as TradingView, ccxt and CryptoDataDownload write them";

/// Scans a file with `content` and expects `expected` after its name.
#[track_caller]
fn refuses(content: impl AsRef<[u8]>, expected: &str) {
    let folder = Folder::new();
    let path = folder.write("btc.csv", content);
    assert_eq!(folder.error(&[path]), format!("btc.csv{expected}"));
}

fn candles(rows: &[&str]) -> String {
    format!("{CANDLES}{}\n", rows.join("\n"))
}

#[test]
fn ticks() {
    let cases = [
        ("2000,abc,1,2,3", ":3: price: \"abc\" is not a plain decimal; write it like 600 or 0.25"),
        ("2000,0,1,2,3", ":3: price: 0 is out of range for a price: above 0 and below 10^12"),
        ("2000,-600,1,2,3", ":3: price: -600 is out of range for a price: above 0 and below 10^12"),
        (
            "2000,6.0000000001,1,2,3",
            ":3: price: \"6.0000000001\" has more than 9 digits after the point; round it to 9",
        ),
        ("2000,600,,601,3", ":3: bid: \"\" is not a plain decimal; write it like 600 or 0.25"),
        (
            "2000,600,602,601,3",
            ":3: bid: 602 is above ask 601; the rows before it are fine: correct this one, or remove it",
        ),
        (
            "2000,600,602,601,3\n3000,600,599,601,3\n4000,600,603,601,3",
            ":3: bid: 602 is above ask 601; the rows before it are fine: correct this one, or remove it; 1 more row is \
             like it",
        ),
        ("2000,600,599,601,-3", ":3: volume: -3 is out of range for a volume: 0 or more and below 10^28"),
        ("999,600,599,601,3", ":3: time: 999 comes after 1000; sort the rows by time"),
        ("2020-01-01,600,599,601,3", ":3: time: \"2020-01-01\" is not a time in ms; write it like 1700000000000"),
        (
            "1700000000000000,600,1,2,3",
            ":3: time: 1700000000000000 is a time in µs; write ms: 1700000000000, and so in each row",
        ),
        (
            "1700000000000,600,1,2,3\n1700000060,600,1,2,3",
            ":4: time: 1700000060 is a time in seconds; write ms: 1700000060000, and so in each row",
        ),
        ("2000,600,599", ":3: row: 3 columns where 5 belong; write all columns in each row"),
        ("2000,600,599,601,3,4", ":3: row: 6 columns where 5 belong; write all columns in each row"),
    ];
    for (row, expected) in cases {
        refuses(format!("{TICKS}{row}\n"), expected);
    }
}

#[test]
fn candles_alone() {
    let cases = [
        ("0,5,9,x,6,1", ":2: low: \"x\" is not a plain decimal; write it like 600 or 0.25"),
        ("0,5,2,9,6,1", ":2: high: 2 is below low 9; check the order of the columns"),
        ("0,1,9,2,6,1", ":2: open: 1 is not between low 2 and high 9; check the order of the columns"),
        ("0,5,9,2,10,1", ":2: close: 10 is not between low 2 and high 9; check the order of the columns"),
        ("0,5,9,2,6,", ":2: volume: \"\" is not a plain decimal; write it like 600 or 0.25"),
        ("0,5,9,2,6", ":2: row: 5 columns where 6 belong; write all columns in each row"),
        ("1.5,5,9,2,6,1", ":2: open_time_ms: \"1.5\" is not a time in ms; write it like 1700000000000"),
    ];
    for (row, expected) in cases {
        refuses(candles(&[row]), expected);
    }
    let one = ": holds one candle, and its length shows only between two; name a file with at least two candles";
    refuses(candles(&["0,5,9,2,6,1"]), one);
}

#[test]
fn candles_together() {
    let cases: [(&[&str], &str); 4] = [
        (&["60000,5,9,2,6,1", "0,5,9,2,6,1"], ":3: open_time_ms: 0 comes after 60000; sort the rows by time"),
        (
            &["0,5,9,2,6,1", "60000,5,9,2,6,1", "60000,5,9,2,6,1"],
            ":4: open_time_ms: 60000 is there twice; remove one of the two candles",
        ),
        (
            &["0,5,9,2,6,1", "60,5,9,2,6,1", "130,5,9,2,6,1", "215,5,9,2,6,1", "312,5,9,2,6,1"],
            ":4: open_time_ms: most rows follow no interval: 60 ms after the row before is the most frequent, in 1 of \
             4; write candles of one interval to a file, or prices as time,price",
        ),
        (
            &["0,5,9,2,6,1", "60000,9.5,9,2,6,1", "120000,5,9,2,6,1", "180000,5,9,2,1,1", "240000,5,1,2,5,1"],
            ":3: open: 9.5 is not between low 2 and high 9; the rows before it are fine: correct this one, or remove \
             it; 2 more rows are like it",
        ),
    ];
    for (rows, expected) in cases {
        refuses(candles(rows), expected);
    }
}

#[test]
fn binance_candles() {
    let row = |open: &str, close: &str| format!("{open},5,9,2,6,1,{close},8,9,4,3,0\n");
    let cases = [
        (
            row("1735689600000001", "1735689659999999"),
            ":1: open_time: \"1735689600000001\" lies between two milliseconds; candles begin on one",
        ),
        (row("1735689600000", "x"), ":1: close_time: \"x\" is not a time in ms or µs; write it like 1700000000000"),
        (
            row("1735689600000", "1735689599999"),
            ": holds one candle, and its length shows only between two; name a file with at least two candles",
        ),
        (row("0", "59999") + &row("0", "59999"), ":2: open_time: 0 is there twice; remove one of the two candles"),
        (row("0", "59999") + "1,2\n", ":2: row: 2 columns where 12 belong; write all columns in each row"),
    ];
    for (content, expected) in cases {
        refuses(content, expected);
    }
}

#[test]
fn recordings() {
    let bad_price = TRADE.replace("600", "abc");
    let no_price = TRADE.replace("\"p\":\"600\",", "");
    let crossed = BOOK.replace("599", "602");
    let back = TRADE.replace("\"t\":1", "\"t\":2").replace("1000", "999");
    let cases = [
        (format!("{BOOK}\n{bad_price}"), ":2: data.p: \"abc\" is not a plain decimal; write it like 600 or 0.25"),
        (format!("{BOOK}\n{no_price}"), ":2: message: missing field `p` at byte 80; remove the line, or record again"),
        (
            format!("{BOOK}\n{}", &TRADE[..50]),
            ":2: message: EOF while parsing a string at byte 50; remove the line, or record again",
        ),
        (format!("{BOOK}\nstopped"), ":2: message: no object of JSON at byte 1; remove the line, or record again"),
        (
            format!("{BOOK}\n17 {TRADE}"),
            ":2: receive time: \"17\" is not a time in ns; write it like 1700000000000000000",
        ),
        (crossed, ":1: data.b: 602 is above ask 601; no market is so: remove this message"),
        (format!("{BOOK}\n{TRADE}\n{back}"), ":3: data.T: 999 comes after 1000; sort the rows by time"),
        (
            format!("{TRADE}\n{BOOK}"),
            ": symbol: BTCUSDT has 1 trades and 1 quotes, but no trade after a quote; \
             record its trade and bookTicker streams together",
        ),
        (BOOK.replace("BTCUSDT", "ETHUSDT"), ": symbol: BTCUSDT is not in this recording; it has: ETHUSDT"),
        (
            [BOOK, TRADE].map(|line| line.split_once("\"data\":").unwrap().1.strip_suffix('}').unwrap()).join("\n"),
            ": symbol: BTCUSDT is not told in this recording: its 2 messages of trades and quotes come without \
             \"stream\"; record combined streams, such as /stream?streams=btcusdt@trade/btcusdt@bookTicker",
        ),
        (
            "{\"lastUpdateId\":5}".to_owned(),
            ": symbol: BTCUSDT is not in this recording; it has: no trade and no bookTicker message at all",
        ),
    ];
    for (content, expected) in cases {
        refuses(content, expected);
    }
    let many: String = (10..22).map(|n| BOOK.replace("BTCUSDT", &format!("A{n}")) + "\n").collect();
    let names = "A10, A11, A12, A13, A14, A15, A16, A17, A18, A19 and more";
    refuses(many, &format!(": symbol: BTCUSDT is not in this recording; it has: {names}"));
}

#[test]
fn mixed_formats() {
    let apart = "write each format to a file of its own";
    let kline = "0,5,9,2,6,1,59999,8,9,4,3,0\n";
    let cases = [
        (
            format!("{TICKS}{BOOK}"),
            format!(":3: row: is a recording of Binance's streams, but the file began as CSV of ticks; {apart}"),
        ),
        (
            format!("{TICKS}{CANDLES}"),
            format!(":3: row: is CSV of candles, but the file began as CSV of ticks; {apart}"),
        ),
        (
            format!("{CANDLES}{kline}"),
            format!(":2: row: is Binance's CSV of candles, but the file began as CSV of candles; {apart}"),
        ),
        (
            format!("{kline}{TICKS}"),
            format!(":2: row: is CSV of ticks, but the file began as Binance's CSV of candles; {apart}"),
        ),
        (
            format!("{BOOK}\n{TICKS}"),
            format!(":2: row: is CSV of ticks, but the file began as a recording of Binance's streams; {apart}"),
        ),
    ];
    for (content, expected) in cases {
        refuses(content, &expected);
    }
}

#[test]
fn headers() {
    refuses("date,close\n", &format!(":1: header: \"date,close\" is of no known format; {KNOWN}"));
    refuses("\ntime,volume\n", &format!(":2: header: column price is missing; {KNOWN}"));
}

#[test]
fn empty_files() {
    let expected = ": holds no rows; name a file with data";
    for content in ["", "\n\n", "time,price\n", CANDLES] {
        refuses(content, expected);
    }
    refuses(gzip(b""), expected);
}

#[test]
fn what_is_no_text() {
    refuses(b"time,price\n1000,6\xff0\n", ":2: the line is not UTF-8 text; save the file as UTF-8");
    for (start, what, remedy) in [
        (&b"PAR1\x15\x04"[..], "a Parquet file", "export it as CSV, plain or gzipped"),
        (b"ARROW1\x00\x00", "an Arrow or Feather file", "export it as CSV, plain or gzipped"),
        (b"FEA1\x00", "a Feather file", "export it as CSV, plain or gzipped"),
        (b"\x89HDF\r\n", "an HDF5 file", "export it as CSV, plain or gzipped"),
        (b"\x28\xb5\x2f\xfd\x04", "zstd data", "unpack it, or pack it with gzip"),
        (b"\xfd7zXZ\x00\x00", "xz data", "unpack it, or pack it with gzip"),
        (b"BZh91AY", "bzip2 data", "unpack it, or pack it with gzip"),
        (b"\xff\xfet\x00i\x00", "UTF-16 text", "save the file as UTF-8"),
        (b"\xfe\xff\x00t\x00i", "UTF-16 text", "save the file as UTF-8"),
    ] {
        refuses(start, &format!(": is {what}; {remedy}"));
    }
    refuses(b"PK\x03\x04\x14\x00", ": is a zip archive; unpack it and name the CSV file inside");
}

#[test]
fn compression() {
    let folder = Folder::new();
    let plain = folder.write("btc.csv.gz", TICKS);
    let expected = "btc.csv.gz: is named .gz but is not gzip data; compress it or take .gz off its name";
    assert_eq!(folder.error(&[plain]), expected);

    let long: String = (0..20_000).map(|n| format!("{n},{n}.5\n")).skip(1).collect();
    let whole = gzip(format!("time,price\n{long}").as_bytes());
    let torn = folder.write("torn.csv.gz", &whole[..whole.len() / 2]);
    let error = folder.error(&[torn]);
    assert!(error.starts_with("torn.csv.gz:"), "{error}");
    assert!(error.contains(": the gzip data are torn or damaged: "), "{error}");
    assert!(error.ends_with("; copy the file again"), "{error}");
}

#[test]
fn files_that_are_not_there() {
    let folder = Folder::new();
    let expected = "no.csv: cannot be opened: No such file or directory (os error 2); check its name and permissions";
    assert_eq!(folder.error(&[folder.path("no.csv")]), expected);
    let expected = "BTCUSDT=no.csv: cannot be opened: No such file or directory (os error 2); write the symbol with a slash: \
                    BTC/USDT=no.csv";
    assert_eq!(
        folder.shortened(&Replay::scan(&["BTCUSDT=no.csv".into()], &symbol()).unwrap_err().to_string()),
        expected
    );
    assert_eq!(folder.error(&[]), "no file of market data is named; name at least one");
    fs::create_dir(folder.path("sub")).unwrap();
    assert!(folder.error(&[folder.path("sub")]).starts_with("sub: is a directory, and data are read more than once; "));
    assert!(!Path::new("no.csv").exists());
}

proptest! {
    /// Whatever happened to a file, reading it ends with ticks in order or with words, never with a panic.
    #[test]
    fn a_damaged_file_is_read_or_refused(bytes in damaged()) {
        let folder = Folder::new();
        let path = folder.write("damaged.csv", bytes);
        match Replay::scan(&[path], &symbol()) {
            Ok(summary) => {
                let ticks = Replay::open(summary.clone()).collect::<Result<Vec<_>, _>>().unwrap();
                prop_assert_eq!(ticks.len() as u64, summary.ticks);
                prop_assert!(ticks.is_sorted_by_key(Tick::event_time));
            }
            Err(error) => prop_assert!(folder.shortened(&error.to_string()).starts_with("damaged.csv:")),
        }
    }
}

//! Market data that is missing or wrong: the file, the line, the remedy, and the exit code; nothing is traded on it.

use super::folder::{Folder, MANIFEST, gzip, prices, with};

const QUOTE: &str =
    r#"{"stream":"bnbusdt@bookTicker","data":{"u":5,"s":"BNBUSDT","b":"599","B":"1","a":"601","A":"2"}}"#;
const TRADE: &str = r#"{"stream":"bnbusdt@trade","data":{"s":"BNBUSDT","t":1,"p":"600","q":"1","T":1000,"m":true}}"#;

#[test]
fn wrong_data_are_refused_with_their_line_by_backtest_and_run() {
    let candles = |rows: &str| format!("open_time_ms,open,high,low,close,volume\n{rows}");
    let cases = [
        (
            "time,price\n1700000000000,600\n1700000060000,abc\n".to_owned(),
            "prices.csv:3: price: \"abc\" is not a plain decimal; write it like 600 or 0.25",
        ),
        (
            "time,price\n1700000060000,600\n1700000000000,601\n".to_owned(),
            "prices.csv:3: time: 1700000000000 comes after 1700000060000; sort the rows by time",
        ),
        (
            "time,price\n1700000060000\n".to_owned(),
            "prices.csv:2: row: 1 columns where 2 belong; write all columns in each row",
        ),
        ("time,price\n".to_owned(), "prices.csv: holds no rows; name a file with data"),
        (
            candles("60000,600,601,599,600,1\n0,600,601,599,600,1\n"),
            "prices.csv:3: open_time_ms: 0 comes after 60000; sort the rows by time",
        ),
        (
            candles("0,600,601,599,600,1\n60000,600,601,599,600,1\n60000,600,601,599,600,1\n"),
            "prices.csv:4: open_time_ms: 60000 is there twice; remove one of the two candles",
        ),
        (
            candles("0,600,599,601,600,1\n60000,600,601,599,600,1\n"),
            "prices.csv:2: high: 599 is below low 601; check the order of the columns",
        ),
        (
            format!("{QUOTE}\n{TRADE}\n{}\n", &TRADE[..22]),
            "prices.csv:3: message: EOF while parsing a string at byte 22; remove the line, or record again",
        ),
        (
            format!("{QUOTE}\n{}\n", TRADE.replace("600", "six")),
            "prices.csv:2: data.p: \"six\" is not a plain decimal; write it like 600 or 0.25",
        ),
        (
            format!("{QUOTE}\n{TRADE}\n").replace("BNB", "ETH").replace("bnb", "eth"),
            "prices.csv: symbol: BNBUSDT is not in this recording; it has: ETHUSDT",
        ),
    ];
    for (data, words) in cases {
        let folder = Folder::of(MANIFEST, &data);
        folder.refuses("backtest grid.yaml --data prices.csv", 4, words);
        folder.refuses("run grid.yaml", 4, words);
    }
}

/// Of candles of a day no bar of 4 hours can be made; of those of 4 hours each is one.
#[test]
fn candles_that_are_too_long_for_an_adaptive_grid_are_refused() {
    let candles = |hours: u64| {
        let row = |n: u64| format!("{},600,601,599,600,1\n", n * hours * 3_600_000);
        format!("open_time_ms,open,high,low,close,volume\n{}", (0..9).map(row).collect::<String>())
    };
    let manifest = with(MANIFEST, "gridSizePercent: 2", "adaptive: {}");
    let folder = Folder::of(&manifest, &candles(24));
    let words = "grid-bnb-1: spec.strategy.grid.adaptive: prices.csv has candles of 24 h, of which no bars of 4 h can be \
                 made; give candles of 4 h or less, or write gridSizePercent instead";
    folder.refuses("backtest grid.yaml --data prices.csv", 4, words);
    folder.refuses("run grid.yaml", 4, words);
    for (manifest, hours) in [(&*manifest, 4), (MANIFEST, 24)] {
        let finished = Folder::of(manifest, &candles(hours)).worker("backtest grid.yaml --data prices.csv");
        assert_eq!(finished.code, Some(0), "{finished:?}");
    }
}

#[test]
fn a_header_that_is_not_known_says_which_are() {
    let finished = Folder::of(MANIFEST, "date,close\n").worker("backtest grid.yaml --data prices.csv");
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(4), ""));
    let words = "prices.csv:1: header: \"date,close\" is of no known format; known are time,price[,bid,ask";
    assert!(finished.stderr.starts_with(words), "{}", finished.stderr);
}

#[test]
fn torn_gzip_is_refused() {
    let folder = Folder::with(&[("grid.yaml", MANIFEST)]);
    let whole = gzip(&prices("600 601 602"));
    folder.write("prices.csv.gz", &whole[..whole.len() - 9]);
    let finished = folder.worker("backtest grid.yaml --data prices.csv.gz");
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(4), ""));
    assert!(finished.stderr.contains("the gzip data are torn or damaged"), "{}", finished.stderr);
}

#[test]
fn what_is_not_there_is_another_failure() {
    let folder = Folder::of(MANIFEST, &prices("600 601"));
    let nowhere =
        "nowhere.csv: cannot be opened: No such file or directory (os error 2); check its name and permissions";
    folder.refuses("backtest grid.yaml --data nowhere.csv", 3, nowhere);
    folder.refuses(
        "backtest grid.yaml --data ETH/USDT=prices.csv",
        3,
        "warning: UnknownSymbolTicks: --data ETH/USDT=prices.csv is left out: no strategy in grid.yaml trades ETH/USDT; \
         they trade BNB/USDT\nno --data for BNB/USDT; write --data BNB/USDT=FILE",
    );
    let lost = Folder::of(&with(MANIFEST, "file: prices.csv", "file: nowhere.csv"), "");
    lost.refuses("run grid.yaml", 3, nowhere);
    for command in ["validate nowhere.yaml", "run nowhere.yaml", "backtest nowhere.yaml --data prices.csv"] {
        folder.refuses(command, 3, "nowhere.yaml: No such file or directory (os error 2)");
    }
}

#[test]
fn what_has_no_end_or_only_one_reading_is_no_data() {
    let folder = Folder::of(&with(MANIFEST, "file: prices.csv", "file: pipe.csv"), "");
    folder.pipe("pipe.csv");
    let remedy = "and data are read more than once; write them to a file and name that";
    for (name, what) in [("pipe.csv", "a pipe"), ("/dev/zero", "a device"), (".", "a directory")] {
        folder.refuses(&format!("backtest grid.yaml --data {name}"), 4, &format!("{name}: is {what}, {remedy}"));
    }
    folder.refuses("run grid.yaml", 4, &format!("pipe.csv: is a pipe, {remedy}"));
}

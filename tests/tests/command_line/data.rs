//! What `--data` takes: every format gives the same trades, files are told apart by symbol and joined in time.

use std::fs;

use super::folder::{Folder, MANIFEST, START_MS, V1, figures, gzip, prices, repository_file, strategy_of, with};
use super::outcome::Outcome;
use super::vectors::V1_LINE;

/// Open, high, low and close of three candles of a minute.
const CANDLES: [[&str; 4]; 3] =
    [["600", "612", "598", "606"], ["616", "620", "612", "613"], ["613", "625", "611", "624"]];

/// 600 598 612 606, then the falling candle 616 620 612 613, then 613 611 625 624: the third of its ticks sells
/// at 612, inclusively in the zone.
const SOLD: Outcome<'_> = Outcome {
    ticks: 12,
    trades: &[(6, "Sell", "612.00", "0.99", "0")],
    position: ("4.01", "3605.88"),
    price: "624",
    equity: "6108.12",
    base_price: "612.00",
    pnl: ["11.88", "96.24", "0", "108.12"],
};

/// One row for each candle.
fn rows(row: impl Fn(i64, [&str; 4]) -> String) -> String {
    let starts = (0..).map(|index| START_MS + 60_000 * index);
    starts.zip(CANDLES).map(|(start, prices)| row(start, prices)).collect()
}

fn with_header() -> String {
    let row = |start: i64, prices: [&str; 4]| format!("{start},{},5\n", prices.join(","));
    format!("open_time_ms,open,high,low,close,volume\n{}", rows(row))
}

#[test]
fn candles_are_four_ticks_each_in_every_form() {
    let folder = Folder::with(&[("grid.yaml", MANIFEST)]);
    let download = |unit: i64| {
        rows(|start, prices| {
            let (opened, closed) = (start * unit, (start + 60_000) * unit - 1);
            format!("{opened},{},5,{closed},3000,7,2,1200,0\n", prices.join(","))
        })
    };
    folder.write("candles.csv", with_header());
    folder.write("candles.csv.gz", gzip(&with_header()));
    folder.write("download.csv", download(1));
    folder.write("download-2025.csv", download(1_000));
    for name in ["candles.csv", "candles.csv.gz", "download.csv", "download-2025.csv"] {
        let line = figures(&folder.prints(&format!("backtest grid.yaml --data {name}")));
        assert_eq!(line, SOLD.line_of(1, 15_000), "{name}");
    }
}

#[test]
fn downloads_of_binance_are_the_candles_they_hold() {
    let bitcoin = MANIFEST.replace("BNB", "BTC").replace("600", "9100");
    let folder = Folder::with(&[("grid.yaml", &bitcoin)]);
    let line_on = |name: &str| {
        let file = repository_file(&format!("worker/venue/testdata/{name}"));
        figures(&folder.worker(&format!("backtest grid.yaml --data BTC/USDT={file}")).stdout)
    };
    let line = line_on("binance-candles-btcusdt-1h.csv");
    assert_eq!(line, line_on("candles-btcusdt-1h.csv.gz"));
    assert!(line.starts_with("{\"strategy\":\"grid-bnb-1\",\"ticks\":96,"), "{line}");
}

#[test]
fn a_recording_gives_a_tick_for_each_trade() {
    let mut manifest = MANIFEST.replace("BNB", "BTC");
    for (old, new) in [
        ("BTC: 5}", "BTC: \"0.05\"}"),
        ("lotSize: \"0.001\"", "lotSize: \"0.00001\""),
        ("basePrice: 600", "flipThresholdFactor: 0"),
        ("gridSizePercent: 2", "gridSizePercent: \"0.01\""),
    ] {
        manifest = with(&manifest, old, new);
    }
    let folder = Folder::with(&[("grid.yaml", &manifest)]);
    let file = repository_file("worker/venue/testdata/binance-spot-btcusdt-20240808.gz");
    assert_eq!(
        figures(&folder.prints(&format!("backtest grid.yaml --data {file}"))),
        "{\"strategy\":\"grid-bnb-1\",\"ticks\":69,\"trades\":[\
         {\"index\":29,\"time\":1723161255640,\"symbol\":\"BTC/USDT\",\"side\":\"Buy\",\"price\":\"61830.02\",\
         \"quantity\":\"0.00985\",\"fee\":\"0\",\"feeAsset\":\"USDT\"}],\
         \"final\":{\"position\":{\"BTC\":\"0.05985\",\"USDT\":\"2390.974303\"},\"price\":\"61824.01\",\
         \"equity\":\"6091.1413015\",\"strategy\":{\"basePrice\":\"61830.02\"}},\
         \"pnl\":{\"currency\":\"USDT\",\"realized\":\"0\",\"unrealized\":\"-0.7401985\",\"fees\":\"0\",\
         \"funding\":\"0\",\"net\":\"-0.7401985\"}}\n"
    );
}

/// Two strategies in two markets, without an account: each its own line.
fn two_markets() -> String {
    let bnb = strategy_of(MANIFEST);
    let eth = with(&bnb.replace("BNB", "ETH"), "grid-bnb-1", "grid-eth-1");
    format!("{bnb}---\n{eth}")
}

#[test]
fn each_strategy_has_its_line_on_the_data_of_its_symbol() {
    let folder = Folder::with(&[("grid.yaml", &two_markets()), ("bnb.csv", &prices(V1)), ("eth.csv", &with_header())]);
    let finished = folder.worker("backtest grid.yaml --data ETH/USDT=eth.csv BNB/USDT=bnb.csv");
    assert_eq!(finished.stderr, "account paper is not in this file: paper, fee 0\n");
    let eth = SOLD.line_of(1, 15_000).replace("BNB", "ETH").replace("grid-bnb-1", "grid-eth-1");
    assert_eq!(figures(&finished.stdout), format!("{V1_LINE}{eth}"));
    let apart = folder.worker("backtest grid.yaml --data BNB/USDT=bnb.csv --data ETH/USDT=eth.csv --output json");
    assert_eq!(apart, finished, "the option may be repeated");
}

/// One market would be traded on the prices of the other.
#[test]
fn a_file_that_does_not_say_of_which_of_two_markets_it_is_is_refused() {
    let folder = Folder::with(&[("grid.yaml", &two_markets()), ("bnb.csv", &prices(V1)), ("eth.csv", &with_header())]);
    for (data, file) in [("bnb.csv", "bnb.csv"), ("BNB/USDT=bnb.csv eth.csv", "eth.csv")] {
        let words = format!(
            "account paper is not in this file: paper, fee 0\n--data {file}: does not say of which market it is, and \
             BNB/USDT, ETH/USDT are traded; write --data BNB/USDT={file}, if it is of BNB/USDT"
        );
        folder.refuses(&format!("backtest grid.yaml --data {data}"), 4, &words);
    }
}

#[test]
fn a_recording_says_itself_of_which_market_its_prices_are() {
    let manifest = two_markets().replace("BNB", "BTC").replace("basePrice: 600", "basePrice: 61800");
    let folder = Folder::with(&[("grid.yaml", &manifest)]);
    let file = repository_file("worker/venue/testdata/binance-spot-btcusdt-20240808.gz");
    let finished = folder.worker(&format!("backtest grid.yaml --data {file}"));
    assert!(finished.stderr.ends_with("symbol: ETHUSDT is not in this recording; it has: BTCUSDT\n"), "{finished:?}");
}

#[test]
fn data_without_a_file_are_refused() {
    let folder = Folder::of(MANIFEST, &prices(V1));
    for data in ["BNB/USDT=", ""] {
        let finished = folder.worker(&format!("backtest grid.yaml --data {data}"));
        let words = "names no file; write [SYMBOL=]FILE, such as BTC/USDT=btc.csv";
        assert!(finished.code == Some(2) && finished.stderr.contains(words), "{data}: {finished:?}");
    }
}

#[test]
fn files_of_one_symbol_are_joined_in_time() {
    let all = prices(V1);
    let lines: Vec<&str> = all.lines().collect();
    let part = |range: std::ops::Range<usize>| format!("{}\n{}\n", lines[0], lines[range].join("\n"));
    let folder = Folder::with(&[("grid.yaml", MANIFEST)]);
    folder.write("early.csv", part(1..9));
    folder.write("middle.csv.gz", gzip(&part(9..15)));
    folder.write("late.csv", part(15..23));
    folder.write("across.csv", part(13..20));
    for files in ["early.csv middle.csv.gz late.csv", "late.csv early.csv middle.csv.gz"] {
        assert_eq!(figures(&folder.prints(&format!("backtest grid.yaml --data {files}"))), V1_LINE, "{files}");
    }
    folder.refuses(
        "backtest grid.yaml --data across.csv early.csv middle.csv.gz",
        4,
        "across.csv: begins at 1700000720000 ms, but middle.csv.gz, which begins before it, lasts until 1700000780000 \
         ms; name files of one symbol that do not overlap",
    );
}

#[test]
fn a_file_name_may_hold_an_equals_sign() {
    let folder = Folder::with(&[("grid.yaml", MANIFEST), ("symbol=BNB.csv", &prices(V1))]);
    assert_eq!(figures(&folder.prints("backtest grid.yaml --data symbol=BNB.csv")), V1_LINE);
    assert_eq!(figures(&folder.prints("backtest grid.yaml --data BNB/USDT=symbol=BNB.csv")), V1_LINE);
    assert_eq!(figures(&folder.prints("backtest grid.yaml --data ./symbol=BNB.csv")), V1_LINE);
    fs::create_dir_all(folder.path().join("data/symbol=BNB")).unwrap();
    folder.write("data/symbol=BNB/1.csv", prices(V1));
    assert_eq!(figures(&folder.prints("backtest grid.yaml --data ./data/symbol=BNB/1.csv")), V1_LINE);
    let taken_for_a_symbol = folder.worker("backtest grid.yaml --data data/symbol=BNB/1.csv");
    let remedy = "A file with = in its path is written with ./ before it";
    assert!(taken_for_a_symbol.code == Some(2) && taken_for_a_symbol.stderr.contains(remedy), "{taken_for_a_symbol:?}");
}

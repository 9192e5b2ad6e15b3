//! What users have, through the program: files of exchanges and exporters, manifests that tools print, slips that
//! public reports show.

use super::folder::{Folder, MANIFEST, backtest, prices, ticks, with};
use super::outcome::Outcome;

/// A sell at 612 after a high of 620, all in seconds.
const SECONDS: &str = "1700000000,600\n1700000060,606\n1700000120,620\n1700000180,612\n";

#[test]
fn a_fill_that_the_size_on_offer_bounds_is_whole_lots() {
    let rows =
        ["600,600,600,0.257,0.257", "606,606,606,0.257,0.257", "620,620,620,0.257,0.257", "612,612,612,0.257,0.257"];
    let expected = Outcome {
        ticks: 4,
        trades: &[(3, "Sell", "612.00", "0.2", "0")],
        position: ("4.8", "3122.4"),
        price: "612",
        equity: "6060",
        base_price: "612.00",
        // 0.2 x 12; 4.8 x 12
        pnl: ["2.4", "57.6", "0", "60"],
    };
    let lot = with(MANIFEST, "lotSize: \"0.001\"", "lotSize: \"0.1\"");
    assert_eq!(backtest(&lot, &ticks("time,price,bid,ask,bidSize,askSize", rows)), expected.line());
}

#[test]
fn nothing_is_sold_where_nobody_buys() {
    let expected = Outcome {
        ticks: 5,
        trades: &[(4, "Sell", "613.00", "0.989", "0")],
        position: ("4.011", "3606.257"),
        price: "613",
        equity: "6065",
        base_price: "613.00",
        // 0.989 x 13; 4.011 x 13
        pnl: ["12.857", "52.143", "0", "65"],
    };
    let rows = ["600,600,600", "606,606,606", "620,620,620", "612,0,612", "613,613,613"];
    assert_eq!(backtest(MANIFEST, &ticks("time,price,bid,ask", rows)), expected.line());
}

#[test]
fn seconds_are_refused_or_read_as_they_are() {
    let folder = Folder::of(MANIFEST, &format!("time,price\n{SECONDS}"));
    let words = "prices.csv:2: time: 1700000000 is a time in seconds; write ms: 1700000000000, and so in each row";
    folder.refuses("backtest grid.yaml --data prices.csv", 4, words);
    folder.refuses("run grid.yaml", 4, words);
    // TradingView writes seconds; a candle of one price is four ticks of it.
    let candle = |line: &str| {
        let (time, price) = line.split_once(',').unwrap();
        format!("{time},{price},{price},{price},{price}\n")
    };
    let exported: String = SECONDS.lines().map(candle).collect();
    let line = backtest(MANIFEST, &format!("time,open,high,low,close\n{exported}"));
    assert!(
        line.contains("\"time\":1700000180000,\"symbol\":\"BNB/USDT\",\"side\":\"Sell\",\"price\":\"612.00\""),
        "{line}"
    );
}

#[test]
fn a_list_with_foreign_kinds_is_validated_with_a_note() {
    let folder = Folder::of(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: bots}}\n---\n{MANIFEST}"), "");
    let finished = folder.worker("validate grid.yaml");
    let valid = "TradingAccount paper is valid\nTradingStrategy grid-bnb-1 is valid\n";
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), valid));
    assert_eq!(finished.stderr, "note: grid.yaml:1: Namespace \"bots\" of v1 is not ours and is left out\n");
}

#[test]
fn slips_are_told_with_what_to_write() {
    let folder = Folder::of(MANIFEST, &prices("600 601"));
    let said = "BNBUSDT=prices.csv: cannot be opened: No such file or directory (os error 2); write the symbol with a \
                slash: BNB/USDT=prices.csv";
    folder.refuses("backtest grid.yaml --data BNBUSDT=prices.csv", 3, said);

    let utf16: Vec<u8> = MANIFEST.encode_utf16().flat_map(u16::to_le_bytes).collect();
    folder.write("wide.yaml", [&b"\xff\xfe"[..], &utf16].concat());
    folder.write("bad.yaml", with(MANIFEST, "gridSizePercent: 2", "gridSize: 2\n      orderPercent: 1000"));
    let said = "wide.yaml:1: is UTF-16 text; save the file as UTF-8, in PowerShell with: | Out-File -Encoding utf8 FILE\n\
                bad.yaml:29: spec.strategy.grid.gridSize: unknown field; did you mean gridSizePercent?\n\
                bad.yaml:30: spec.strategy.grid.orderPercent: 1000 is out of range; write above 0, up to 100";
    folder.refuses("validate wide.yaml bad.yaml", 4, said);

    folder.write("prices.csv", b"PAR1\x15\x04");
    folder.refuses("run grid.yaml", 4, "prices.csv: is a Parquet file; export it as CSV, plain or gzipped");
}

#[test]
fn what_exporters_write_in_another_form_is_told_with_the_form_that_is_read() {
    let folder = Folder::of(MANIFEST, "");
    let candle = "1700006400000,600,600,600,600,1\n1700010000000,600,600,600,600,1\n";
    for (content, said) in [
        (
            "time,price\n1700006400000000,600\n".to_owned(),
            "2: time: 1700006400000000 is a time in µs; write ms: 1700006400000, and so in each row",
        ),
        (
            "time,price\n1700006400.123,600\n".to_owned(),
            "2: time: 1700006400.123 is a time in seconds; write ms: 1700006400123, and so in each row",
        ),
        (
            "time,price\n1.7E+12,600\n".to_owned(),
            "2: time: 1.7E+12 is a time in scientific notation, which loses digits; write ms: 1700000000000, and so in each \
             row",
        ),
        (
            "time,price\n1700006400000,600\n1700006460,600\n".to_owned(),
            "3: time: 1700006460 is a time in seconds; write ms: 1700006460000, and so in each row",
        ),
        (
            format!("open_time_ms,open,high,low,close,volume\n{candle}1700013600,600,600,600,600,1\n"),
            "4: open_time_ms: 1700013600 is a time in seconds; write ms: 1700013600000, and so in each row",
        ),
        (
            "time,price,bid,ask\n1000,600,599,601\n2000,600,602,601\n3000,600,602,601\n4000,600,599,601\n".to_owned(),
            "3: bid: 602 is above ask 601; the rows before it are fine: correct this one, or remove it; 1 more row is like \
             it",
        ),
    ] {
        folder.write("prices.csv", content);
        folder.refuses("backtest grid.yaml --data prices.csv", 4, &format!("prices.csv:{said}"));
    }
    let utf16: Vec<u8> = "time,price\n1000,600\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    folder.write("prices.csv", utf16);
    folder.refuses("run grid.yaml", 4, "prices.csv: is UTF-16 text; save the file as UTF-8");
    // TradingView's average of the volume is left out.
    let rows = candle.replace('\n', ",7\n");
    folder.write("prices.csv", format!("time,open,high,low,close,Volume,Volume MA\n{rows}"));
    assert_eq!(folder.worker("backtest grid.yaml --data prices.csv").code, Some(0));
}

#[test]
fn a_header_of_another_form_is_told_with_the_one_that_is_read() {
    let folder = Folder::of(MANIFEST, "");
    for (header, said) in [
        (
            "date,open,high,low,close,volume",
            "\"date,open,high,low,close,volume\" is of no known format: dates are not read; write the time in s, ms or µs, \
             and name its column time; known are ",
        ),
        (
            "time;price",
            "\"time;price\" is of no known format: its columns are separated by semicolons; separate them by commas; known are ",
        ),
        (
            ",timestamp,open,high,low,close,volume",
            "the first column has no name; remove it, in pandas with to_csv(FILE, index=False); known are ",
        ),
        ("time,open,high,low,close,RSI", "column \"RSI\" is not known; correct its name, or remove it; known are "),
    ] {
        folder.write("prices.csv", format!("{header}\n1,2,3\n"));
        let finished = folder.worker("backtest grid.yaml --data prices.csv");
        assert_eq!(finished.code, Some(4), "{finished:?}");
        assert!(finished.stderr.starts_with(&format!("prices.csv:1: header: {said}")), "{finished:?}");
    }
}

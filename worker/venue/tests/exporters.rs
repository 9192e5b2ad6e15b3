//! Files as exchanges and exporters write them: what is unambiguous is read exactly, each with its own times.
#![allow(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

mod files;

use engine::messages::Tick;
use files::{Folder, gzip, scan, text, ticks};

/// The ticks of a file with `content`.
#[track_caller]
fn read(content: impl AsRef<[u8]>) -> Vec<Tick> {
    let folder = Folder::new();
    ticks(&[folder.write("btc.csv", content)])
}

#[track_caller]
fn refuses(content: &str, expected: &str) {
    let folder = Folder::new();
    let path = folder.write("btc.csv", content);
    assert_eq!(folder.error(&[path]), format!("btc.csv{expected}"));
}

fn times(ticks: &[Tick]) -> Vec<i64> {
    ticks.iter().map(|tick| tick.event_time().millis()).collect()
}

/// Three candles of an hour each.
const OURS: &str = "open_time_ms,open,high,low,close,volume\n\
    1700006400000,600,610,590,605,10.5\n1700010000000,605,620,600,601,11\n1700013600000,601,602,580,590,12\n";

/// Writes a row of ours, split, as an exporter does.
type Form<'a> = &'a dyn Fn(&[&str]) -> String;

#[test]
fn candles_of_exporters_give_the_same_ticks_as_ours() {
    let ours = read(OURS);
    let rows: Vec<Vec<&str>> = OURS.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let forms: [(&str, Form<'_>); 7] = [
        ("time,open,high,low,close,Volume", &|f| format!("{},{}", &f[0][..10], f[1..].join(","))),
        ("timestamp,open,high,low,close,volume", &|f| f.join(",")),
        ("open_time,open,high,low,close,volume", &|f| f.join(",")),
        ("Timestamp,Open,High,Low,Close,Volume", &|f| format!("{}.0,{}", &f[0][..10], f[1..].join(", "))),
        ("timestamp,open,high,low,close,volume", &|f| format!("{}000,{}", f[0], f[1..].join(","))),
        ("unix,date,symbol,open,high,low,close,Volume BTC,Volume USDT,tradecount", &|f| {
            format!("{},2023-11-15 00:00:00,BTC/USDT,{},9999.5,77", f[0], f[1..].join(","))
        }),
        (
            "Open time,Open,High,Low,Close,Volume,Close time,Quote asset volume,Number of trades,\
             Taker buy base asset volume,Taker buy quote asset volume,Ignore",
            &|f| format!("{},{},9,8,7,6,0", f.join(","), f[0].parse::<i64>().unwrap() + 3_599_999),
        ),
    ];
    for (header, form) in forms {
        let oldest = text([header.to_owned()].into_iter().chain(rows.iter().map(|row| form(row))));
        assert_eq!(read(&oldest), ours, "{oldest}");
        let newest = text([header.to_owned()].into_iter().chain(rows.iter().rev().map(|row| form(row))));
        assert_eq!(read(&newest), ours, "{newest}");
        assert_eq!(read(gzip(newest.as_bytes())), ours, "{newest}");
        let named = format!("https://www.CryptoDataDownload.com\n{newest}");
        assert_eq!(read(named.trim_end()), ours, "{named}");
    }
}

#[test]
fn the_newest_row_first_is_turned_with_true_line_numbers() {
    let head = "https://www.CryptoDataDownload.com\nunix,date,symbol,open,high,low,close,Volume BTC,Volume USDT\n";
    let row = |hour: i64, close: &str| format!("{},x,BTC/USDT,5,9,2,{close},1,1\n", 1_700_006_400 + 3_600 * hour);
    let bad = format!("{head}{}{}{}{}", row(3, "6"), row(2, "abc"), row(1, "6"), row(0, "6"));
    refuses(&bad, ":4: close: \"abc\" is not a plain decimal; write it like 600 or 0.25");
    let other = format!("{head}{}{}", row(1, "6"), row(0, "6")).replace("BTC/USDT", "ETH/USDT");
    refuses(&other, ":4: symbol: \"ETH/USDT\" is not BTC/USDT; name the file of this market");
    let disorder = format!("{head}{}{}{}", row(2, "6"), row(0, "6"), row(1, "6"));
    refuses(&disorder, ":4: unix: 1700006400000 comes after 1700010000000; sort the rows by time");
    // CryptoDataDownload changed from seconds to milliseconds within its files.
    let mixed = format!("{head}{}{}", row(1, "6").replace("1700010000,", "1700010000000,"), row(0, "6"));
    assert_eq!(times(&read(mixed))[..5].to_vec(), [0, 900, 1_800, 2_700, 3_600].map(|s| (1_700_006_400 + s) * 1_000));
}

#[test]
fn a_file_with_the_newest_row_first_has_one_digest_packed_or_not_and_another_if_a_row_differs() {
    let row = |hour: i64, close: &str| format!("{},5,9,2,{close},1\n", 1_700_006_400 + 3_600 * hour);
    let rows = |oldest: &str| format!("time,open,high,low,close,volume\n{}{}{}", row(2, "6"), row(1, "6"), oldest);
    let digest = |content: &[u8]| {
        let folder = Folder::new();
        scan(&[folder.write("btc.csv", content)]).files[0].digest
    };
    let whole = rows(&row(0, "6"));
    let read = digest(whole.as_bytes());
    assert_eq!(read.bytes, whole.len() as u64, "the head and every row");
    assert_eq!(digest(&gzip(whole.as_bytes())), read);
    for other in [rows(&row(0, "7")), rows(""), whole.replace("time", "Time")] {
        assert_ne!(digest(other.as_bytes()), read, "{other}");
    }
}

#[test]
fn seconds_in_our_own_forms_are_refused_with_what_to_write() {
    let said = "1700000000 is a time in seconds; write ms: 1700000000000, and so in each row";
    refuses("time,price\n1700000000,600\n1700000060,606\n", &format!(":2: time: {said}"));
    refuses("time,price,volume\n\n1700000000,600,1\n", &format!(":3: time: {said}"));
    let candles = OURS.replace("1700006400000", "1700000000").replace("1700010000000", "1700003600");
    refuses(&candles, &format!(":2: open_time_ms: {said}"));
    let kline = "1700000000,5,9,2,6,1,1700003599,8,9,4,3,0\n";
    refuses(kline, &format!(":1: open_time: {said}"));
    let book = r#"{"stream":"btcusdt@bookTicker","data":{"u":5,"s":"BTCUSDT","b":"5","B":"1","a":"6","A":"2"}}"#;
    let trade = r#"{"stream":"btcusdt@trade","data":{"s":"BTCUSDT","t":1,"p":"6","q":"1","T":1700000000,"m":true}}"#;
    refuses(&format!("{book}\n{trade}\n"), &format!(":2: data.T: {said}"));
    // A file may count from 0, and pass the window on its way.
    let counted = text((0..400).map(|hour| format!("{},600", 3_600_000 * hour)));
    assert_eq!(read(format!("time,price\n{counted}")).len(), 400);
}

#[test]
fn numbers_are_exact_however_exporters_write_them() {
    let prices = "6.21e-06 0.00000621 6.2100000000000000000E-6 600.5000000000 1e3";
    let rows = prices.split(' ').enumerate().map(|(n, price)| format!("{},{price}", 1_000 * n));
    let found: Vec<String> = read(format!("time,price\n{}", text(rows))).iter().map(|t| t.price.to_string()).collect();
    assert_eq!(found, ["0.00000621", "0.00000621", "0.00000621", "600.5", "1000"]);
    refuses(
        "time,price\n1000,0.0000000015\n",
        ":2: price: \"0.0000000015\" is too small to be kept exactly in 9 digits after the point, and rounding would \
         change its worth; count the coin in thousands: trade a symbol such as 1000X/USDT, with prices times 1000 and \
         volumes and sizes divided by 1000",
    );
    refuses(
        "time,price\n1000,\"1,600.50\"\n",
        ":2: price: \"1,600.50\" has a comma; write it without, with a point before the fraction, like 1600.5",
    );
}

#[test]
fn a_volume_of_any_size_and_digits_is_read() {
    let rows = "open_time_ms,open,high,low,close,volume\n\
        1700006400000,0.000006,0.000007,0.000005,0.000006,1234567890123456.00\n\
        1700092800000,0.000006,0.000007,0.000005,0.000006,10.12345678901\n\
        1700179200000,0.000006,0.000007,0.000005,0.000006,1.5e17\n";
    let volumes: Vec<String> =
        read(rows).iter().map(|tick| tick.volume.to_string()).filter(|volume| volume != "0").collect();
    assert_eq!(volumes, ["1234567890123456", "10.12345678901", "150000000000000000"]);
}

#[test]
fn blanks_after_commas_and_quotes_do_not_matter() {
    let plain = read("time,price,bid,ask\n1000,600,599,601\n2000,601,600,602\n");
    for other in [
        "time, price, bid, ask\n1000, 600, 599, 601\n2000,\t601 , 600,602 \n",
        "\"time\", \"price\", \"bid\", \"ask\"\n\"1000\", \"600\", \"599\", \"601\"\n2000,601,\"600\",602\n",
        "  time,price,bid,ask\n  1000,600,599,601\n  2000,601,600,602\n",
    ] {
        assert_eq!(read(other), plain, "{other}");
    }
}

#[test]
fn a_side_quoted_as_zero_is_empty_until_the_next_quote() {
    let head = "time,price,bid,ask,bidSize,askSize\n";
    let sides = |ticks: &[Tick]| -> Vec<(Option<String>, Option<String>, bool, bool)> {
        let side = |price: Option<engine::numbers::Price>| price.map(|price| price.to_string());
        ticks.iter().map(|t| (side(t.bid), side(t.ask), t.has_no_bid(), t.has_no_ask())).collect()
    };
    let price = |text: &str| Some(text.to_owned());
    let expected = [
        (price("599"), price("601"), false, false),
        (None, price("601"), true, false),
        (price("599"), None, false, true),
        (None, None, true, true),
    ];
    let csv = "1000,600,599,601,1,2\n2000,600,0,601,0,2\n3000,600,599,0.00000000,1,0\n4000,600,0,0,0,0\n";
    assert_eq!(sides(&read(format!("{head}{csv}"))), expected);
    let bare = "time,price,bid,ask\n1000,600,599,601\n2000,600,0,601\n3000,600,599,0.0\n4000,600,0,0\n";
    assert_eq!(sides(&read(bare)), expected);

    let message = |n: i64, bid: &str, ask: &str| {
        format!(
            "{{\"stream\":\"btcusdt@bookTicker\",\"data\":{{\"u\":{n},\"s\":\"BTCUSDT\",\"b\":\"{bid}\",\"B\":\"1\",\
             \"a\":\"{ask}\",\"A\":\"2\"}}}}\n{{\"stream\":\"btcusdt@trade\",\"data\":{{\"s\":\"BTCUSDT\",\"t\":{n},\
             \"p\":\"600\",\"q\":\"1\",\"T\":{n},\"m\":true}}}}\n"
        )
    };
    let zero = "0.00000000";
    let stream = [(1, "599", "601"), (2, zero, "601"), (3, "599", zero), (4, zero, zero)];
    let recording: String = stream.iter().map(|(n, bid, ask)| message(*n, bid, ask)).collect();
    assert_eq!(sides(&read(&recording)), expected);

    let folder = Folder::new();
    let summary = scan(&[folder.write("a.jsonl", &recording)]);
    let first = summary.empty_quotes.first.map(|place| folder.shortened(&place.to_string()));
    assert_eq!((summary.empty_quotes.count, first.as_deref()), (3, Some("a.jsonl:4")));
}

#[test]
fn prices_finer_than_the_tick_are_counted_with_their_first_place() {
    let folder = Folder::new();
    let finer = |name: &str, content: &str, tick_size: &str| {
        let path = folder.write(name, content);
        let summary = venue::replay::Replay::scan_for(&[path], &files::symbol(), tick_size.parse().unwrap()).unwrap();
        let first = summary.finer.first.map(|place| folder.shortened(&place.to_string()));
        (summary.finer.count, first)
    };
    let ticks = "time,price,bid,ask\n1000,600,599,601\n2000,600.001,599,601\n3000,600.1,599.999,601\n";
    assert_eq!(finer("a.csv", ticks, "0.01"), (2, Some("a.csv:3".to_owned())));
    assert_eq!(finer("a.csv", ticks, "0.001"), (0, None));
    assert_eq!(finer("b.csv", OURS, "5"), (3, Some("b.csv:3".to_owned())));
    assert_eq!(scan(&[folder.path("a.csv")]).finer.count, 0, "no tick size, nothing to hold prices against");
}

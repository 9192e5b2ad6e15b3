//! Candles and ticks from CSV in all spellings, on real candles and on any.
#![allow(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

mod files;

use engine::messages::Tick;
use files::{Folder, gzip, scan, testdata, text, ticks};
use proptest::prelude::*;
use venue::replay::Format;

const CANDLES: &str = "candles-btcusdt-1h.csv.gz";
const BINANCE: &str = "binance-candles-btcusdt-1h.csv";

#[test]
fn real_candles_give_four_ticks_each() {
    let summary = scan(&[testdata(CANDLES)]);
    let file = &summary.files[0];
    assert_eq!((file.format, file.rows, file.ticks, file.interval_ms), (Format::Candles, 24, 96, Some(3_600_000)));
    assert_eq!((summary.gaps, summary.missing), (1, 3));
    assert_eq!((summary.first.millis(), summary.last.millis()), (1_593_259_200_000, 1_593_352_800_000));

    let ticks = ticks(&[testdata(CANDLES)]);
    assert_eq!(ticks.len(), 96);
    // Both sums were counted apart from this code; the second one depends on the order of the ticks.
    let weighted = |tick: &Tick, weight: u64| tick.price.times(weight.to_string().parse().unwrap()).unwrap();
    let price = ticks.iter().map(|tick| weighted(tick, 1)).reduce(|a, b| a.plus(b).unwrap()).unwrap();
    let ordered = ticks.iter().map(|tick| weighted(tick, tick.sequence)).reduce(|a, b| a.plus(b).unwrap()).unwrap();
    assert_eq!((price.to_string(), ordered.to_string()), ("868962.83".to_owned(), "41209422.94".to_owned()));
    let volume = ticks.iter().map(|tick| tick.volume.get()).reduce(|a, b| a + b).unwrap();
    assert_eq!(volume.to_string(), "51953.274626");
    assert_eq!(
        serde_json::to_string(&ticks[95]).unwrap(),
        "{\"symbol\":\"BTC/USDT\",\"price\":\"9154\",\"volume\":\"4185.036348\",\"time\":1593355500000,\
         \"received\":1593355500000,\"sourceSequence\":95,\"sequence\":95,\"last\":true}"
    );
}

#[test]
fn all_spellings_of_the_same_candles_give_the_same_ticks() {
    let expected = ticks(&[testdata(CANDLES)]);
    assert_eq!(ticks(&[testdata(BINANCE)]), expected);
    assert_eq!(scan(&[testdata(BINANCE)]).files[0].format, Format::BinanceCandles);

    let folder = Folder::new();
    let plain = std::fs::read_to_string(testdata(BINANCE)).unwrap();
    let header = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,\
                  taker_buy_quote_volume,ignore\n";
    let micros = text(plain.lines().map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        format!("{}000,{},{}999,{}\r", fields[0], fields[1..6].join(","), fields[6], fields[7..].join(","))
    }));
    let quoted = text(plain.lines().map(|line| format!("\"{}\"", line.replace(',', "\",\""))));
    let spellings = [header.to_owned() + &plain, micros, quoted];
    for (n, spelling) in spellings.iter().enumerate() {
        assert_eq!(ticks(&[folder.write("a.csv", spelling)]), expected, "spelling {n}");
        assert_eq!(ticks(&[folder.write("a.data", gzip(spelling.as_bytes()))]), expected, "packed spelling {n}");
    }
}

#[test]
fn one_binance_candle_tells_its_own_length() {
    let folder = Folder::new();
    let times = |row: &str| -> Vec<i64> {
        ticks(&[folder.write("one.csv", row)]).iter().map(|tick| tick.event_time().millis()).collect()
    };
    let expected = [1_735_689_600_000, 1_735_689_615_000, 1_735_689_630_000, 1_735_689_645_000];
    assert_eq!(times("1735689600000,5,9,2,6,1,1735689659999,8,9,4,3,0"), expected);
    assert_eq!(times("1735689600000000,5,9,2,6,1,1735689659999999,8,9,4,3,0\n"), expected);
}

#[test]
fn ticks_of_csv_keep_what_they_have() {
    let folder = Folder::new();
    let read = |content: &str| -> Vec<String> {
        let shown = |tick: &Tick| serde_json::to_string(tick).unwrap();
        ticks(&[folder.write("t.csv", content)]).iter().map(shown).collect()
    };
    assert_eq!(
        read("time,price\n1000,600.50\n1000,601\n"),
        [
            "{\"symbol\":\"BTC/USDT\",\"price\":\"600.5\",\"volume\":\"0\",\"time\":1000,\"received\":1000,\"sourceSequence\":0,\"sequence\":0}",
            "{\"symbol\":\"BTC/USDT\",\"price\":\"601\",\"volume\":\"0\",\"time\":1000,\"received\":1000,\"sourceSequence\":1,\"sequence\":1,\
             \"last\":true}",
        ]
    );
    assert_eq!(
        read("volume,askSize,bidSize,ask,bid,price,time\n1.0,2.50,3,601,599.0,600,1000\n"),
        [
            "{\"symbol\":\"BTC/USDT\",\"price\":\"600\",\"volume\":\"1\",\"bid\":\"599\",\"ask\":\"601\",\"bidSize\":\"3\",\
          \"askSize\":\"2.5\",\"time\":1000,\"received\":1000,\"sourceSequence\":0,\"sequence\":0,\"last\":true}"
        ]
    );
}

/// A candle in units of 0.01: open, high, low, close, and how many intervals after the one before.
fn candle() -> impl Strategy<Value = ([u64; 4], i64)> {
    ([1_u64..10_000_000, 0..1_000, 0..1_000, 0..1_000], 1_i64..4).prop_map(|([low, a, b, extra], steps)| {
        let high = low + a.max(b) + extra;
        ([low + a, high, low, low + b], steps)
    })
}

fn cents(tick: &Tick) -> u64 {
    tick.price.times("100".parse().unwrap()).unwrap().to_string().parse().unwrap()
}

proptest! {
    #[test]
    fn any_candles_give_four_ticks_each_within_low_and_high(
        candles in prop::collection::vec(candle(), 2..40),
        interval in 4_i64..100_000,
        packed: bool,
    ) {
        let mut time = 0;
        let rows = candles.iter().enumerate().map(|(n, ([open, high, low, close], steps))| {
            // The interval shows only where two candles follow each other without a gap: the first two do.
            time += interval * if n == 1 { 1 } else { *steps };
            let prices = [open, high, low, close].map(|n| format!("{}.{:02}", n / 100, n % 100));
            format!("{time},{},1", prices.join(","))
        });
        let content = "open_time_ms,open,high,low,close,volume\n".to_owned() + &text(rows);
        let folder = Folder::new();
        let bytes = if packed { gzip(content.as_bytes()) } else { content.into_bytes() };
        let ticks = ticks(&[folder.write("any.csv", bytes)]);

        prop_assert_eq!(ticks.len(), 4 * candles.len());
        prop_assert!(ticks.is_sorted_by_key(Tick::event_time));
        for (n, ([open, high, low, close], _)) in candles.iter().enumerate() {
            let four = &ticks[4 * n..4 * n + 4];
            let cents: Vec<u64> = four.iter().map(cents).collect();
            prop_assert_eq!((cents[0], cents[3]), (*open, *close));
            prop_assert_eq!(cents.iter().max(), Some(high));
            prop_assert_eq!(cents.iter().min(), Some(low));
        }
        prop_assert_eq!(ticks.iter().filter(|tick| tick.last).count(), 1);
    }
}

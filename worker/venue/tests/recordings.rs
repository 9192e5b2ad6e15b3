//! Real recordings of both of Binance's markets, and what is done with holes and repetitions in them.
#![allow(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

mod files;

use std::fs;
use std::io::Read;

use engine::messages::Tick;
use engine::numbers::Quantity;
use files::{Folder, scan, symbol, testdata, ticks};
use flate2::read::GzDecoder;
use venue::replay::{Format, Reading, Replay};

const SPOT: &str = "binance-spot-btcusdt-20240808.gz";
const FUTURES: &str = "binance-usdm-btcusdt-20240808.gz";

/// A cut as lines of text.
fn lines(name: &str) -> Vec<String> {
    let mut text = String::new();
    GzDecoder::new(fs::File::open(testdata(name)).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn is_trade(line: &str) -> bool {
    line.contains("@trade\"")
}

/// Sums that the counting of the cut gave apart from this code: price, volume, bid, ask size.
fn sums(ticks: &[Tick]) -> [String; 4] {
    let volume = ticks.iter().map(|tick| tick.volume.get()).reduce(|a, b| a + b).unwrap();
    let ask_size = ticks.iter().fold(Quantity::ZERO, |sum, tick| sum.plus(tick.ask_size.unwrap()).unwrap());
    let price = ticks.iter().map(|tick| tick.price.get()).reduce(|a, b| a + b).unwrap();
    let bid = ticks.iter().map(|tick| tick.bid.unwrap().get()).reduce(|a, b| a + b).unwrap();
    [price.to_string(), volume.to_string(), bid.to_string(), ask_size.to_string()]
}

#[test]
fn the_spot_recording_gives_its_trades_with_quotes() {
    let summary = scan(&[testdata(SPOT)]);
    let file = &summary.files[0];
    assert_eq!((file.format, file.rows, file.ticks, summary.ticks), (Format::BinanceStream, 69, 69, 69));
    assert_eq!((summary.gaps, summary.missing, file.repeated, file.interval_ms), (0, 0, 0, None));
    assert_eq!((summary.first.millis(), summary.last.millis()), (1_723_161_255_342, 1_723_161_256_515));

    let ticks = ticks(&[testdata(SPOT)]);
    assert_eq!(ticks.len(), 69);
    assert_eq!(sums(&ticks), ["4266333.03", "0.36578", "4266240.95", "121.50992"]);
    assert_eq!(
        serde_json::to_string(&ticks[0]).unwrap(),
        "{\"symbol\":\"BTC/USDT\",\"price\":\"61837.63\",\"volume\":\"0.02\",\"bid\":\"61837.63\",\
         \"ask\":\"61837.64\",\"bidSize\":\"3.78826\",\"askSize\":\"1.54698\",\"time\":1723161255342,\
         \"received\":1723161254087,\"sourceSequence\":0,\"sequence\":0}"
    );
    let last = ticks.last().unwrap();
    assert_eq!((last.sequence, last.last, last.price.to_string()), (68, true, "61824.01".to_owned()));
    assert_eq!((last.event_time().millis(), last.received.millis()), (1_723_161_256_515, 1_723_161_255_244));
}

#[test]
fn the_futures_recording_gives_its_trades_with_quotes() {
    let summary = scan(&[testdata(FUTURES)]);
    assert_eq!((summary.files[0].rows, summary.ticks, summary.gaps, summary.missing), (59, 59, 0, 0));
    assert_eq!((summary.first.millis(), summary.last.millis()), (1_723_161_256_322, 1_723_161_258_061));
    let ticks = ticks(&[testdata(FUTURES)]);
    assert_eq!(sums(&ticks), ["3646207.3", "9.287", "3646205.7", "178.931"]);
    assert!(ticks.iter().zip(0..).all(|(tick, n)| tick.sequence == n && tick.last == (n == 58)));
    assert!(ticks.is_sorted_by_key(Tick::event_time));
}

#[test]
fn trades_before_the_first_quote_give_no_tick() {
    let lines = lines(SPOT);
    let fourth_trade = lines.iter().enumerate().filter(|(_, line)| is_trade(line)).nth(3).unwrap().0;
    let kept = lines.iter().enumerate().filter(|(n, line)| *n > fourth_trade || !line.contains("@bookTicker\""));
    let folder = Folder::new();
    let path = folder.write("late.jsonl", kept.map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n"));
    let summary = scan(std::slice::from_ref(&path));
    let ticks = ticks(&[path]);
    assert_eq!(summary.files[0].rows, 69);
    assert_eq!(summary.ticks, 59);
    assert_eq!(ticks.len(), 59);
    assert!(ticks.iter().all(|tick| tick.bid.is_some() && tick.ask.is_some()));
    assert_eq!(ticks[0].sequence, 0);
}

#[test]
fn a_missing_trade_is_a_gap_and_a_repeated_one_is_left_out() {
    let mut lines = lines(FUTURES);
    let trades: Vec<usize> = (0..lines.len()).filter(|n| is_trade(&lines[*n])).collect();
    lines[trades[30]] = lines[trades[29]].clone();
    lines[trades[41]] = lines[trades[10]].clone();
    lines[trades[42]].clear();
    let folder = Folder::new();
    let path = folder.write("holes.jsonl", lines.join("\n"));
    let summary = scan(std::slice::from_ref(&path));
    let file = &summary.files[0];
    assert_eq!((file.rows, file.ticks, file.repeated), (58, 56, 2));
    assert_eq!((summary.gaps, summary.missing), (2, 3));
    assert_eq!(ticks(&[path]).len(), 56);
}

/// As a live source numbers them: who takes such ticks sees the hole.
#[test]
fn the_numbers_of_missing_trades_are_left_out() {
    let mut lines = lines(FUTURES);
    let trades: Vec<usize> = (0..lines.len()).filter(|n| is_trade(&lines[*n])).collect();
    for missing in [30, 41, 42] {
        lines[trades[missing]].clear();
    }
    let folder = Folder::new();
    let paths = [folder.write("holes.jsonl", lines.join("\n"))];
    let summary = scan(&paths);
    assert_eq!((summary.ticks, summary.missed), (56, 3));
    let ticks = ticks(&paths);
    let numbers: Vec<_> = ticks.iter().map(|tick| tick.sequence).collect();
    assert_eq!(numbers, (0..59).filter(|number| ![30, 41, 42].contains(number)).collect::<Vec<u64>>());
    assert!(ticks.iter().map(|tick| tick.source_sequence).eq(0..56));
    assert_eq!(ticks.iter().position(|tick| tick.last), Some(55));
    let read: Vec<_> = Reading::open(&paths, &symbol(), &[]).unwrap().map(Result::unwrap).collect();
    assert_eq!(read, ticks);
    for position in 0..=56 {
        let rest: Vec<_> = Replay::open_at(scan(&paths), position).unwrap().map(Result::unwrap).collect();
        assert_eq!(rest, ticks[usize::try_from(position).unwrap()..], "from {position}");
    }
}

#[test]
fn without_receive_times_a_tick_is_received_when_it_was_traded() {
    let lines = lines(SPOT);
    let bare: Vec<&str> = lines.iter().map(|line| line.split_once(' ').unwrap().1).collect();
    let folder = Folder::new();
    let ticks_bare = ticks(&[folder.write("bare", bare.join("\n"))]);
    let mut stamped = ticks(&[testdata(SPOT)]);
    assert!(ticks_bare.iter().all(|tick| tick.time == Some(tick.received)));
    for tick in &mut stamped {
        tick.received = tick.event_time();
    }
    assert_eq!(ticks_bare, stamped);
}

#[test]
fn a_late_quote_is_not_taken_over_a_newer_one() {
    let folder = Folder::new();
    let quote = |id: u32, bid: u32| {
        format!(
            "{{\"stream\":\"btcusdt@bookTicker\",\"data\":{{\"u\":{id},\"s\":\"BTCUSDT\",\
             \"b\":\"{bid}\",\"B\":\"1\",\"a\":\"700\",\"A\":\"2\"}}}}\n"
        )
    };
    let trade = "{\"stream\":\"btcusdt@trade\",\"data\":{\"s\":\"BTCUSDT\",\"t\":1,\"p\":\"600\",\"q\":\"1\",\
                 \"T\":1000,\"m\":true}}\n";
    let path = folder.write("late", quote(5, 599) + &quote(4, 598) + trade);
    let ticks = ticks(&[path]);
    assert_eq!(ticks[0].best_bid().to_string(), "599");
}

#[test]
fn a_symbol_that_is_not_there_is_refused_with_those_that_are() {
    let error = Replay::scan(&[testdata(SPOT)], &"ETH/USDT".parse().unwrap()).unwrap_err().to_string();
    let expected = format!("{SPOT}: symbol: ETHUSDT is not in this recording; it has: BTCUSDT");
    assert!(error.ends_with(&expected), "{error}");
}

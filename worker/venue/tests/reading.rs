//! Ticks that come while their files are scanned: the same as after a scan, or none, and each file is read once.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may stop at the first surprise")]

mod files;

use std::fs;
use std::path::PathBuf;

use engine::messages::Tick;
use engine::numbers::Price;
use files::{Folder, damaged, gzip, symbol, testdata, text};
use proptest::prelude::*;
use venue::replay::{Reading, Replay, Summary, Void};

/// All ticks and what the files hold, or why there are none.
fn read(paths: &[PathBuf], tick_sizes: &[Price]) -> Result<(Vec<Tick>, Vec<Summary>), Void> {
    let mut reading = Reading::open(paths, &symbol(), tick_sizes)?;
    let ticks = reading.by_ref().collect::<Result<_, _>>()?;
    Ok((ticks, reading.finish()?))
}

/// The same in two steps: a scan for each tick size, then a replay.
fn scanned(paths: &[PathBuf], tick_sizes: &[Price]) -> Result<(Vec<Tick>, Vec<Summary>), String> {
    let scan = |tick_size: &Price| Replay::scan_for(paths, &symbol(), *tick_size);
    let summaries: Vec<_> = tick_sizes.iter().map(scan).collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    let ticks = Replay::open(summaries[0].clone()).collect::<Result<_, _>>().unwrap();
    Ok((ticks, summaries))
}

fn tick_sizes() -> [Price; 2] {
    ["0.01", "0.5"].map(|price| price.parse().unwrap())
}

/// Reads the files both ways. `false` where only a scan tells their ticks.
#[track_caller]
fn agrees(paths: &[PathBuf]) -> bool {
    let expected = scanned(paths, &tick_sizes());
    match read(paths, &tick_sizes()) {
        Ok(found) => assert_eq!(Ok(found), expected),
        Err(Void::Refused(error)) => assert_eq!(Err(error.to_string()), expected),
        // Then a scan says what is wrong, if anything is.
        Err(Void::ScanFirst) => return false,
    }
    true
}

const CANDLES: &str = "open_time_ms,open,high,low,close,volume\n";

/// Candles that follow each other after so many minutes.
fn candles(steps: impl IntoIterator<Item = i64>) -> String {
    let mut minute = 28_333_333_i64;
    let rows = std::iter::once(0).chain(steps).map(|step| {
        minute += step;
        format!("{},600,61{}.125,599,600.5,1.5", minute * 60_000, minute % 10)
    });
    format!("{CANDLES}{}", text(rows))
}

#[test]
fn real_files_of_each_format_read_the_same() {
    let folder = fs::read_dir(testdata("")).unwrap();
    let files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 3, "{files:?}");
    for file in files {
        assert!(agrees(std::slice::from_ref(&file)), "{}", file.display());
    }
}

#[test]
fn gaps_and_calendars_do_not_need_a_scan() {
    let folder = Folder::new();
    let gaps = candles((0..20_000).map(|n| if n % 700 == 3 { 5 } else { 1 }));
    let late = candles((0..20_000).map(|n| if n > 19_990 { 7 } else { 1 }));
    let days = candles((0..6_000).map(|n| match (n % 180, n / 180 % 2) {
        (0, 0) => 1_380,
        (0, _) => 1_500,
        _ => 1_440,
    }));
    for (name, content) in [("gaps.csv", gaps), ("late.csv", late), ("days.csv", days), ("two.csv", candles([1]))] {
        assert!(agrees(&[folder.write(name, content)]), "{name}");
    }
}

#[test]
fn candles_whose_length_shows_late_are_scanned_first() {
    let folder = Folder::new();
    let longer = folder.write("a.csv", candles((0..12_000).map(|n| if n < 5_000 { 2 } else { 1 })));
    assert!(!agrees(&[longer]));
    // As many are read ahead before the first tick goes out.
    let soon = folder.write("b.csv", candles((0..12_000).map(|n| if n < 4_000 { 2 } else { 1 })));
    assert!(agrees(&[soon]));
}

#[test]
fn files_come_in_the_order_of_their_times() {
    let folder = Folder::new();
    let file = |name: &str, rows: &str| folder.write(name, format!("time,price,bid,ask\n{rows}\n"));
    let (early, late) = (file("z.csv", "1000,5.01,5,6\n2000,5.3,5,6"), file("a.csv", "3000,7,0,8\n4000,8.001,7,9"));
    assert!(agrees(&[late.clone(), early.clone()]));
    // It begins where the other one ends.
    assert!(agrees(&[early.clone(), file("b.csv", "2000,7,6,8")]));
    // Both begin at one time, and lie one behind the other all the same.
    assert!(!agrees(&[file("c.csv", "1000,4,3,5"), early.clone()]));
    let candles = [
        folder.write("d.csv", candles([1, 1])),
        folder.write("e.csv.gz", gzip(candles([1, 9]).replace(",599,", ",598,").as_bytes())),
    ];
    assert!(!agrees(&candles));
}

/// What is wrong is told in the words of a scan, whichever file the reading met first.
#[test]
fn of_several_bad_files_the_first_that_was_named_is_told() {
    let folder = Folder::new();
    let file = |name: &str, rows: &str| folder.write(name, format!("time,price,bid,ask\n{rows}\n"));
    let good = file("good.csv", "1000,5,5,6\n2000,5,5,6");
    let bad_row = file("row.csv", "3000,5,5,6\n4000,x,5,6");
    let crossed = file("crossed.csv", "5000,5,5,6\n6000,5,7,6\n7000,5,8,6");
    let bad_start = file("start.csv", "8000,y,5,6");
    let overlaps = file("overlaps.csv", "1500,5,5,6");
    let missing = folder.path("missing.csv");
    let empty = folder.write("empty.csv", "");
    let files = [good, bad_row, crossed, bad_start, overlaps, missing, empty];
    for first in &files {
        assert!(agrees(std::slice::from_ref(first)));
        for second in files.iter().filter(|second| *second != first) {
            assert!(agrees(&[first.clone(), second.clone()]), "{} {}", first.display(), second.display());
            let third = &files[0];
            if first != third && second != third {
                assert!(agrees(&[first.clone(), second.clone(), third.clone()]));
            }
        }
    }
    assert!(agrees(&[folder.write("header.csv", "time,price\n")]));
    assert!(matches!(read(&[], &[]), Err(Void::Refused(_))));
}

#[test]
fn nothing_comes_after_an_error_and_no_summary() {
    let folder = Folder::new();
    let path = folder.write("t.csv", "time,price\n1000,5\n2000,6\n3000,x\n");
    let mut reading = Reading::open(&[path], &symbol(), &tick_sizes()).unwrap();
    assert_eq!(reading.next().unwrap().unwrap().price.to_string(), "5");
    assert!(matches!(reading.next(), Some(Err(Void::Refused(_)))));
    assert!(reading.next().is_none());
    assert!(matches!(reading.finish(), Err(Void::ScanFirst)));
}

/// Bytes that this thread has read from files.
#[cfg(target_os = "linux")]
fn bytes_read() -> u64 {
    let counts = fs::read_to_string("/proc/thread-self/io").unwrap();
    counts.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn each_file_is_read_once() {
    let folder = Folder::new();
    let rows = |first: i64| {
        text((first..first + 200_000).map(|n| format!("{},600.{:02}", 1_700_000_000_000 + n * 1_000, n % 100)))
    };
    let ticks = |first: i64| format!("time,price\n{}", rows(first));
    let plain = [folder.write("b.csv", ticks(1_000_000)), folder.write("a.csv", ticks(0))];
    let packed = [folder.write("c.csv.gz", gzip(candles((0..200_000).map(|n| 1 + n % 3)).as_bytes()))];
    for paths in [&plain[..1], &plain[..], &packed] {
        let size: u64 = paths.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        let before = bytes_read();
        let (ticks, _) = read(paths, &tick_sizes()).unwrap();
        let read = bytes_read() - before;
        assert!(ticks.len() >= 200_000);
        // Of several the first rows are read before, and the counter's own file is read too.
        assert!((size..size + 64 * 1_024 * paths.len() as u64 + 8_192).contains(&read), "{read} of {size}");
    }
}

proptest! {
    /// Whatever happened to a file, a reading ends as a scan does.
    #[test]
    fn a_damaged_file_is_read_or_refused_alike(bytes in damaged()) {
        let folder = Folder::new();
        prop_assert!(agrees(&[folder.write("damaged.csv", bytes)]));
    }
}

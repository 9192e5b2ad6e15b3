//! Several files of one symbol, going to any tick, and files that change under the replay.
#![allow(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

mod files;

use std::path::PathBuf;

use engine::messages::Tick;
use files::{Folder, gzip, scan, symbol, testdata, text, ticks};
use venue::replay::Replay;

const HEADER: &str = "open_time_ms,open,high,low,close,volume\n";

fn hours(hours: std::ops::Range<i64>) -> String {
    HEADER.to_owned() + &text(hours.map(|hour| format!("{},5,9,2,{},1", hour * 3_600_000, 3 + hour % 6)))
}

/// Three files, given in the wrong order, with two hours missing before the last.
fn three(folder: &Folder) -> Vec<PathBuf> {
    vec![
        folder.write("c.csv", hours(12..15)),
        folder.write("a.csv.gz", gzip(hours(0..4).as_bytes())),
        folder.write("b.csv", hours(4..10)),
    ]
}

#[test]
fn files_are_joined_in_time() {
    let folder = Folder::new();
    let paths = three(&folder);
    let summary = scan(&paths);
    let names: Vec<String> = summary.files.iter().map(|file| folder.shortened(&file.name)).collect();
    assert_eq!(names, ["a.csv.gz", "b.csv", "c.csv"]);
    assert_eq!((summary.ticks, summary.gaps, summary.missing), (52, 1, 2));
    assert_eq!((summary.first.millis(), summary.last.millis()), (0, 14 * 3_600_000));

    let ticks = ticks(&paths);
    assert!(ticks.is_sorted_by_key(Tick::event_time));
    assert!(ticks.iter().zip(0..).all(|(tick, n)| tick.sequence == n && tick.last == (n == 51)));
}

#[test]
fn overlapping_files_are_refused_with_names_and_times() {
    let folder = Folder::new();
    let (a, b) = (folder.write("a.csv", hours(0..4)), folder.write("b.csv", hours(3..6)));
    let expected = "b.csv: begins at 10800000 ms, but a.csv, which begins before it, lasts until 14400000 ms; \
                    name files of one symbol that do not overlap";
    assert_eq!(folder.error(&[b, a.clone()]), expected);
    assert_eq!(folder.error(&[a.clone(), a]), "a.csv: is named twice; name it once");

    let first = folder.write("first.csv", "time,price\n1000,5\n2000,6\n");
    let touching = folder.write("touching.csv", "time,price\n2000,7\n3000,8\n");
    let inside = folder.write("inside.csv", "time,price\n1999,7\n3000,8\n");
    assert_eq!(ticks(&[touching, first.clone()]).len(), 4);
    assert!(folder.error(&[first, inside]).starts_with("inside.csv: begins at 1999 ms, but first.csv, which"));
}

#[test]
fn a_replay_goes_on_at_any_tick() {
    let folder = Folder::new();
    let sets = [three(&folder), vec![testdata("binance-spot-btcusdt-20240808.gz")]];
    for paths in sets {
        let all = ticks(&paths);
        let summary = scan(&paths);
        let mut replay = Replay::open(summary.clone());
        for start in (0..=all.len() + 1).rev() {
            replay.seek(start as u64).unwrap();
            let next = replay.next().transpose().unwrap();
            assert_eq!(next.as_ref(), all.get(start), "tick {start}");
        }
        let rest: Vec<Tick> = Replay::open_at(summary, 17).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(rest, all[17..]);
    }
}

#[test]
fn a_position_is_the_number_of_the_next_tick() {
    let mut replay = Replay::open(scan(&[testdata("candles-btcusdt-1h.csv.gz")]));
    assert_eq!(replay.position(), 0);
    assert!(replay.by_ref().take(5).all(|tick| tick.is_ok()));
    assert_eq!(replay.position(), 5);
    replay.seek(1_000).unwrap();
    assert_eq!(replay.position(), 96);
    assert!(replay.next().is_none());
}

#[test]
fn a_file_that_changes_after_the_scan_is_refused() {
    let changes = [hours(0..3), hours(0..5), "time,price\n1000,5\n".to_owned()];
    for change in changes {
        let folder = Folder::new();
        let path = folder.write("a.csv", hours(0..4));
        let mut replay = Replay::open(Replay::scan(&[path], &symbol()).unwrap());
        folder.write("a.csv", change);
        let error = replay.find_map(Result::err).unwrap().to_string();
        let expected = "a.csv: has changed since it was scanned; leave it alone and start again";
        assert_eq!(folder.shortened(&error), expected);
        assert!(replay.next().is_none(), "nothing comes after an error");
    }
}

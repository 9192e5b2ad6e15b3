//! A run that is asked to stop: it finishes what it is at, prints where it stands, and that is a success.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::folder::{Folder, MANIFEST, V1, prices};

/// A batch is over in far less.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

/// Starts a run, asks it to stop once it has said `words`, and gives the strategy's status.
fn stopped_after(arguments: &str, words: &str) -> Value {
    let folder = Folder::of(MANIFEST, &prices(V1));
    let mut running = folder.start(arguments);
    running.await_talk(words);
    running.terminate();
    let asked = Instant::now();
    let finished = running.end();
    assert!(asked.elapsed() < STOPS_WITHIN, "it took {:?} to stop", asked.elapsed());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let strategy = finished.stdout.lines().last().unwrap();
    serde_json::from_str::<Value>(strategy).unwrap()["status"].take()
}

#[test]
fn at_the_speed_of_life_it_stops_between_two_ticks() {
    // The next tick is a minute away.
    let status = stopped_after("run grid.yaml --speed 1 --output json", "  start 600.00: ");
    assert_eq!(status["orders"]["filled"], 0);
    assert_eq!(status["state"], "Running", "the strategy was not asked to stop, only this process");
}

#[test]
fn what_was_traded_is_told() {
    // A tick each 200 ms: after the first sale, two more trades are seconds away.
    let status = stopped_after("run grid.yaml --speed 300 --output json", "Sell  0.989 @ 612.50");
    assert_eq!(status["orders"]["filled"], 1);
    assert_eq!(status["position"], json!({"BNB": "4.011", "USDT": "3605.7625"}));
    assert_eq!(status["recentTrades"][0]["price"], "612.50");
    assert_eq!(status["strategy"]["basePrice"], "612.50");
}

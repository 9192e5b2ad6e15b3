//! A run that is asked to stop: it finishes what it is at, prints where it stands, and that is a success.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::folder::{Folder, MANIFEST, V1, prices};

/// A batch is over in far less, and the next tick is further away.
const STOPS_WITHIN: Duration = Duration::from_secs(30);

/// Starts a run, asks it to stop once it has said `words`, and gives the strategy's status.
fn stopped_after(data: &str, arguments: &str, words: &str) -> Value {
    let folder = Folder::of(MANIFEST, data);
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
    let status = stopped_after(&prices(V1), "run grid.yaml --speed 1 --output json", "  start 600.00: ");
    assert_eq!(status["orders"]["filled"], 0);
    assert_eq!(status["state"], "Running", "the strategy was not asked to stop, only this process");
}

/// The same data, in which the ticks after this price come a day later.
fn with_a_day_without_ticks(data: &str, price: &str) -> String {
    const DAY_MS: i64 = 86_400_000;
    let mut late = 0;
    let mut text = String::new();
    for line in data.lines() {
        let (time, rest) = line.split_once(',').unwrap();
        let time = time.parse().map_or_else(|_| time.to_owned(), |time: i64| (time + late).to_string());
        writeln!(text, "{time},{rest}").unwrap();
        if rest == price {
            late = DAY_MS;
        }
    }
    assert_eq!(late, DAY_MS, "{price} is in the data");
    text
}

#[test]
fn what_was_traded_is_told() {
    // A tick each 200 ms up to the first sale; then none for five minutes.
    let data = with_a_day_without_ticks(&prices(V1), "612.50");
    let status = stopped_after(&data, "run grid.yaml --speed 300 --output json", "Sell  0.989 @ 612.50");
    assert_eq!(status["orders"]["filled"], 1);
    assert_eq!(status["position"], json!({"BNB": "4.011", "USDT": "3605.7625"}));
    assert_eq!(status["recentTrades"][0]["price"], "612.50");
    assert_eq!(status["strategy"]["basePrice"], "612.50");
}

#[test]
fn what_a_manifest_wants_stopped_is_not_said_to_have_ended() {
    let manifest = super::folder::with(MANIFEST, "  strategy:\n", "  state: Stopped\n  strategy:\n");
    let finished = Folder::of(&manifest, &prices(V1)).worker("run grid.yaml");
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.stderr.contains("stopped as the manifest says (state: Stopped): 0 ticks"), "{}", finished.stderr);
}

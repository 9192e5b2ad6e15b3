//! Manifests, made from the quickstart: what users copy is what is tested.

use std::fs;
use std::time::Duration;

use super::repository;

/// The example, word for word.
pub const QUICKSTART: &str = "examples/quickstart.yaml";
/// The data that it replays.
pub const DATA: &str = "examples/btcusdt-1h-2020q2.csv.gz";

/// The example's text.
pub fn quickstart() -> String {
    fs::read_to_string(repository().join(QUICKSTART)).expect("the example is there")
}

/// `text` with one part of it replaced; a part that is not there would make the test say nothing.
#[must_use]
pub fn edit(text: &str, part: &str, by: &str) -> String {
    assert!(text.contains(part), "{part:?} is not in: {text}");
    text.replace(part, by)
}

/// The example at another speed of its replay.
pub fn at_speed(speed: u32) -> String {
    edit(&quickstart(), "speed: 3600", &format!("speed: {speed}"))
}

/// How long an outage lasts: a minute, or what `GLM_OUTAGE_SECONDS` says.
pub fn outage() -> Duration {
    let seconds = std::env::var("GLM_OUTAGE_SECONDS").ok().map(|text| text.parse().expect("GLM_OUTAGE_SECONDS"));
    Duration::from_secs(seconds.unwrap_or(60))
}

/// The quickstart so slow that it is still trading after an outage.
pub fn beyond_an_outage() -> String {
    per_minute_of_outage(14_400)
}

/// The quickstart so slow that it is still trading after an outage, and ends before four more have passed.
pub fn around_an_outage() -> String {
    per_minute_of_outage(18_000)
}

/// At a speed that is for an outage of a minute, and less for a longer one.
fn per_minute_of_outage(speed: u32) -> String {
    let seconds = u32::try_from(outage().as_secs()).expect("an outage is short");
    at_speed(speed * 60 / seconds.max(60))
}

/// The account alone, or the strategy alone.
pub fn part(manifest: &str, kind: &str) -> String {
    let mut parts = manifest.split("\n---\n").filter(|part| part.contains(&format!("kind: {kind}\n")));
    parts.next().expect("the example has that kind").to_owned()
}

/// What a [`watcher`] has, in USDT.
pub const WATCHER_CAPITAL: u32 = 100;

/// A strategy of the example's account under a name, that watches and never trades: its bands are out of reach. Of its
/// money a hundredth is BTC, so that prices move its figures, but never by as much as is worth a write.
pub fn watcher(name: &str) -> String {
    let strategy = part(&quickstart(), "TradingStrategy");
    let strategy = edit(&strategy, "grid-btc-1", name);
    let strategy =
        edit(&strategy, "{USDT: 3000, BTC: \"0.34\"}", &format!("{{USDT: {WATCHER_CAPITAL}, BTC: \"0.0001\"}}"));
    edit(&strategy, "gridSizePercent: 2 ", "gridSizePercent: 50 ")
}

/// The example in a namespace, for programs that know of no cluster.
pub fn in_namespace(manifest: &str, namespace: &str) -> String {
    edit(manifest, "metadata:\n", &format!("metadata:\n  namespace: {namespace}\n"))
}

//! A recording that lacks trades and has the venue's own bars of them: bars and what is made of them are as without the hole.

use std::fmt::Write as _;

use engine::market::{Bar, Interval};
use engine::strategies::BarsOf;
use venue::replay::whole_bars;

use super::*;

const BARS: BarsOf = BarsOf::first(Interval::FourHours);
/// Trades in a bar, and in all.
const IN_BAR: i64 = 8;
const TRADES: i64 = 60 * IN_BAR;

fn adaptive() -> Simulation {
    let mut spec = simulations().remove(0).spec;
    spec.spec.strategy =
        serde_json::from_value(json!({"grid": {"adaptive": {}, "orderPercent": 5}})).expect("a strategy");
    Simulation::new(&spec, &Registry::standard()).unwrap()
}

/// A recording of all trades but these, with these bars behind it.
fn recording(missing: std::ops::Range<i64>, bars: &[Bar]) -> String {
    let mut text = String::new();
    for id in (0..TRADES).filter(|id| !missing.contains(id)) {
        let time = 1_700_006_400_000 + id * Interval::FourHours.millis() / IN_BAR;
        let price = 60_000 + (id * id * 7_919) % 601;
        let _ = writeln!(
            text,
            "{time}000000 {{\"stream\":\"btcusdt@bookTicker\",\"data\":{{\"u\":{id},\"s\":\"BTCUSDT\",\"b\":\"{price}\",\"B\":\"2\",\"a\":\"{price}\",\"A\":\"3\"}}}}\n\
             {time}000000 {{\"stream\":\"btcusdt@trade\",\"data\":{{\"e\":\"trade\",\"E\":{time},\"s\":\"BTCUSDT\",\"t\":{id},\"p\":\"{price}\",\"q\":\"0.{}\",\"T\":{time},\"m\":true,\"M\":true}}}}",
            id % 7 + 1
        );
    }
    if !bars.is_empty() {
        let symbol = "BTC/USDT".parse().unwrap();
        let _ = writeln!(text, "{}000000 {}", 1_800_000_000_000_i64, whole_bars(&symbol, BARS.interval, bars));
    }
    text
}

/// The bars at the end, and the grid's size.
fn outcome(text: &str) -> (Vec<Bar>, serde_json::Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("btc");
    std::fs::write(&file, text).unwrap();
    let mut simulations = vec![adaptive()];
    whole::give(&mut simulations, &[Data { symbol: None, file: file.clone() }]).unwrap();
    let mut ticks = Reading::open(&[file], &"BTC/USDT".parse().unwrap(), &[]).unwrap();
    replay(&mut simulations.iter_mut().collect::<Vec<_>>(), 1, &mut ticks).unwrap().unwrap();
    let simulation = simulations.remove(0);
    assert_eq!(simulation.problem, None);
    let figures = serde_json::to_value(simulation.engine.performance().unwrap().outcome).unwrap();
    (simulation.engine.bars(BARS).to_vec(), figures["gridSizePercent"].clone())
}

#[test]
fn the_venues_bars_stand_in_place_of_those_with_a_hole() {
    let (bars, size) = outcome(&recording(0..0, &[]));
    assert!(bars.len() == 44 && size.is_string(), "{size}");
    // From within bar 50 to within bar 53.
    let missing = 50 * IN_BAR + 3..53 * IN_BAR + 2;
    assert_ne!(outcome(&recording(missing.clone(), &[])).0, bars, "a hole changes them");
    let opens = |bar: &&Bar| {
        (50..=53).map(|n| 1_700_006_400_000 + n * BARS.interval.millis()).any(|open| open == bar.open_time.millis())
    };
    let whole: Vec<Bar> = bars.iter().filter(opens).copied().collect();
    assert_eq!(whole.len(), 4);
    assert_eq!(outcome(&recording(missing, &whole)), (bars, size));
}

#[test]
fn bars_that_do_not_read_refuse_the_recording() {
    let (bars, _) = outcome(&recording(0..0, &[]));
    let text = recording(0..0, &bars[..1]).replace("\"ticks\":8", "\"ticks\":0");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("btc");
    std::fs::write(&file, text).unwrap();
    let told = whole::give(&mut [adaptive()], &[Data { symbol: None, file }]).unwrap_err();
    assert!(format!("{told:?}").contains("has no tick"), "{told:?}");
}

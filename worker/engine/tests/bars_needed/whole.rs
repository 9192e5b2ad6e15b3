//! Bars of which ticks are missing, put in whole by who knows them: the strategy goes on as if none had been missed.

use engine::market::{Bar, Interval};
use engine::messages::AlertKind;
use engine::strategies::BarsOf;
use engine::time::Timestamp;
use engine::{Effect, Engine, Event};
use serde_json::{Value, json};

use crate::{MARKET, MINUTES, TELLER, take, told};

const FIVE: BarsOf = BarsOf::first(Interval::FiveMinutes);

fn parameters() -> Value {
    json!({"bars": [["1m", 9], ["5m", 2]], "meanwhile": true})
}

fn engine() -> Engine {
    Engine::new(MARKET.config(&parameters()), &TELLER).unwrap()
}

fn price(sequence: u64) -> u64 {
    600 + sequence * 7 % 31
}

/// Puts in what `whole` knows, once it knows the newest bar that is missing. Gives of which series.
fn fill(engine: &mut Engine, whole: &Engine) -> Vec<BarsOf> {
    let holes: Vec<_> = engine.bars_with_hole().collect();
    let mut filled = Vec::new();
    for (of, hole) in holes {
        let bars: Vec<Bar> = whole.bars(of).iter().filter(|bar| bar.open_time <= hole).copied().collect();
        if bars.last().is_some_and(|bar| bar.open_time == hole) {
            assert_eq!(engine.step(Timestamp::default(), Event::WholeBars { of, bars }), []);
            filled.push(of);
        }
    }
    filled
}

fn minutes_told(engine: &Engine) -> Vec<String> {
    told(engine).into_iter().filter(|line| line.starts_with("bar 0:1m")).collect()
}

#[test]
fn wherever_ticks_were_missed_the_bars_are_told_as_if_none_had_been() {
    const TICKS: u64 = 40;
    for first in 1..20 {
        for missed in 1..12 {
            let (mut undisturbed, mut holed) = (engine(), engine());
            for sequence in 0..TICKS {
                fill(&mut holed, &undisturbed);
                take(&mut undisturbed, sequence, price(sequence));
                if !(first..first + missed).contains(&sequence) {
                    take(&mut holed, sequence, price(sequence));
                }
            }
            let place = format!("{missed} from {first}");
            for of in [MINUTES, FIVE] {
                assert_eq!(holed.bars(of), undisturbed.bars(of), "{of}, {place}");
            }
            assert_eq!(minutes_told(&holed), minutes_told(&undisturbed), "{place}");
            assert_eq!(holed.bars_with_hole().count(), 0, "{place}");
        }
    }
}

#[test]
fn a_hole_is_known_and_filled_over_a_restart() {
    let (mut undisturbed, mut holed) = (engine(), engine());
    for sequence in 0..10 {
        take(&mut undisturbed, sequence, price(sequence));
        if !(3..7).contains(&sequence) {
            take(&mut holed, sequence, price(sequence));
        }
    }
    let fields = holed.changes().unwrap().set;
    let mut restarted = {
        let fields = fields.iter().map(|(name, value)| (&**name, &**value));
        Engine::restore_fields(MARKET.config(&parameters()), &TELLER, fields).unwrap()
    };
    assert_eq!(restarted.bars_with_hole().collect::<Vec<_>>(), holed.bars_with_hole().collect::<Vec<_>>());
    assert_eq!(fill(&mut restarted, &undisturbed), [MINUTES]);
    assert_eq!(restarted.bars(MINUTES), undisturbed.bars(MINUTES));
    // Told with the next tick, the oldest first, and once.
    let before = minutes_told(&restarted).len();
    take(&mut restarted, 10, price(10));
    take(&mut restarted, 11, price(11));
    let after = minutes_told(&restarted);
    take(&mut undisturbed, 10, price(10));
    take(&mut undisturbed, 11, price(11));
    assert_eq!(after[before..], minutes_told(&undisturbed)[before..]);
}

#[test]
fn what_is_no_series_of_bars_is_left_out_and_named() {
    let (mut undisturbed, mut holed) = (engine(), engine());
    for sequence in 0..10 {
        take(&mut undisturbed, sequence, price(sequence));
        if !(3..7).contains(&sequence) {
            take(&mut holed, sequence, price(sequence));
        }
    }
    let before = holed.bars(MINUTES).to_vec();
    let mut bars: Vec<Bar> = undisturbed.bars(MINUTES).to_vec();
    bars.reverse();
    let effects = holed.step(Timestamp::default(), Event::WholeBars { of: MINUTES, bars });
    let [Effect::Alert(alert)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(alert.kind, AlertKind::MarketDataGap);
    assert!(alert.message.contains("the oldest comes first"), "{}", alert.message);
    assert_eq!(holed.bars(MINUTES), before);
}

//! Bars that closed before the first tick: what a joiner goes on with, and of which bars ticks are missing.

use engine::market::{Bar, BarSeries, History, Interval, LookBack};
use engine::messages::{AlertKind, Tick};
use engine::strategies::BarsOf;
use engine::testkit::{START_MS, alerts};
use engine::time::Timestamp;
use engine::{Engine, Event};
use serde_json::json;

use crate::{MARKET, MINUTES, TELLER, bench, take, told};

fn history(closes: &[&str]) -> Vec<Bar> {
    let first = (START_MS / 60_000 - i64::try_from(closes.len()).unwrap()) * 60_000;
    let bar = |(n, close): (i64, &&str)| {
        let price = close.parse().unwrap();
        let open_time = Timestamp::from_millis(first + n * 60_000);
        Bar { open_time, open: price, high: price, low: price, close: price, volume: "1".parse().unwrap(), ticks: 4 }
    };
    (0..).zip(closes).map(bar).collect()
}

fn given(bars: Vec<Bar>) -> Event {
    Event::History { of: MINUTES, history: History { bars, ..History::default() } }
}

/// What a source has made of the ticks before, its joiner goes on with: the interval in which it joins is whole. The first of
/// all, within which the data begin, counts for it as for who saw all ticks.
#[test]
fn who_joins_in_the_middle_of_a_bar_goes_on_with_it() {
    let first = Some(Timestamp::from_millis(START_MS - 20_000));
    for (join, whole) in (1..15).flat_map(|join| [(join, false), (join, true)]) {
        let parameters = json!({"bars": [["1m", 9]], "meanwhile": true, "whole": whole});
        let mut source = BarSeries::new(Interval::OneMinute, LookBack::new(9).unwrap());
        let mut undisturbed = Engine::new(MARKET.config(&parameters), &TELLER).unwrap();
        let mut joined = Engine::new(MARKET.config(&parameters), &TELLER).unwrap();
        for sequence in 0..20 {
            if sequence == join {
                let (bars, unfinished) = (source.bars().to_vec(), source.unfinished().clone());
                let _ = joined.step(
                    Timestamp::default(),
                    Event::History { of: MINUTES, history: History { bars, unfinished, partial: first } },
                );
            }
            take(&mut undisturbed, sequence, 600 + sequence);
            source.take(&Tick {
                volume: "0.25".parse().unwrap(),
                ..MARKET.tick(sequence, &(600 + sequence).to_string())
            });
            if sequence >= join {
                take(&mut joined, sequence, 600 + sequence);
            }
        }
        assert_eq!(joined.bars(MINUTES), undisturbed.bars(MINUTES), "joined at {join}, {whole}");
    }
}

#[test]
fn history_before_the_first_tick_spares_the_warming_up() {
    let mut bench = bench(&json!({"bars": [["1m", 2]], "buysAt": "600"}));
    let event = given(history(&["1", "2", "3"]));
    bench.step(Timestamp::from_millis(START_MS), event);
    assert_eq!(bench.engine.warming_up(), None);
    assert_eq!(bench.tick("600").len(), 1, "it trades on the first tick");
    assert_eq!(told(&bench.engine), ["tick 600, 2 there", "order 1"]);
    // Once ticks have made bars, what comes later is left out.
    bench.run(["600.5", "600.5", "600.5"]);
    let before = bench.engine.bars(MINUTES).to_vec();
    bench.step(Timestamp::from_millis(START_MS), given(history(&["7", "8"])));
    assert_eq!(bench.engine.bars(MINUTES), before);
    assert_eq!(alerts(&bench.effects), Vec::<AlertKind>::new());
}

#[test]
fn history_that_cannot_be_is_left_out_and_said() {
    let good = history(&["1", "2", "3"]);
    let cases = [vec![good[1], good[0]], vec![good[0], good[0]], vec![Bar { ticks: 0, ..good[0] }]];
    for bars in cases {
        let mut bench = bench(&json!({"bars": [["1m", 2]]}));
        bench.step(Timestamp::from_millis(START_MS), given(bars));
        assert_eq!(alerts(&bench.effects), [AlertKind::MarketDataGap]);
        assert!(bench.engine.warming_up().unwrap().starts_with("0 of 2"));
    }
    // Of a market or an interval that nobody asked for there is nothing to take up.
    let mut bench = bench(&json!({"bars": [["1m", 2]]}));
    let hours = Event::History { of: BarsOf::first(Interval::OneHour), history: History::default() };
    bench.step(Timestamp::from_millis(START_MS), hours);
    assert!(bench.effects.is_empty());
}

#[test]
fn bars_of_which_ticks_are_missing_are_left_out() {
    let closes = |sequences: &[u64]| {
        let mut engine = Engine::new(MARKET.config(&json!({"bars": [["1m", 9]], "meanwhile": true})), &TELLER).unwrap();
        for sequence in sequences {
            take(&mut engine, *sequence, 600 + sequence);
        }
        engine.bars(MINUTES).iter().map(|bar| bar.close.to_string()).collect::<Vec<_>>()
    };
    let all: Vec<u64> = (0..15).collect();
    assert_eq!(closes(&all), ["601", "604", "607", "610", "613"]);
    // 603 to 606 are missing: the bar that ended with 604 and that which ended with 607 with them.
    let holed: Vec<u64> = all.iter().copied().filter(|n| !(3..=6).contains(n)).collect();
    assert_eq!(closes(&holed), ["601", "610", "613"]);
    // Doubled and delivered once more, they count once.
    let doubled: Vec<u64> = [0, 0, 1, 2, 1, 2, 3, 3, 4, 5].into();
    assert_eq!(closes(&doubled), ["601", "604"]);
    // Who joins in the middle has not seen the first bar whole.
    assert_eq!(closes(&all[3..]), ["607", "610", "613"]);
}

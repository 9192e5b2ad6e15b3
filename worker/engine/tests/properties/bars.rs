//! Any ticks make the bars that a list of all of them gives, counted apart from the product's code: the intervals by
//! division, the volumes in integers, and whatever the number of restarts.

use std::collections::BTreeMap;

use engine::market::{Bar, BarSeries, Interval, LookBack, Unfinished};
use engine::messages::Tick;
use engine::numbers::Price;
use engine::time::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;

use crate::bench::cases;

/// A tick: how far its time is from the one before, price and volume in hundredths, whether the process restarts behind
/// it, and whether ticks were missing before it.
type Step = (i64, u32, u32, bool, bool);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => 0_i64..120_000,
        2 => select(vec![0, 1, 59_999, 60_000, 60_001, 3_600_000, 86_400_000, 400 * 86_400_000]),
        1 => -4_000_000_i64..0,
    ];
    let one = (step, 1_u32..500_000, 0_u32..1_000_000, prop::bool::weighted(0.1), prop::bool::weighted(0.02));
    prop::collection::vec(one, 1..300)
}

/// What the rule in words gives: open time, prices in hundredths, volume in hundredths, ticks.
type Plain = (i64, [u32; 4], u64, u64);

/// By the list of all ticks. Those that come late are not among those of any interval.
fn naive(length: i64, ticks: &[(i64, u32, u32, bool)]) -> Vec<Plain> {
    let (mut newest, mut gone) = (i64::MIN, Vec::new());
    let mut intervals: BTreeMap<i64, Vec<(u32, u32)>> = BTreeMap::new();
    for (time, price, volume, is_behind_gap) in ticks {
        let open = time.div_euclid(length) * length;
        if *is_behind_gap {
            // Neither the interval that went on when they were missed, nor that of this tick, nor what comes late.
            gone.push(newest);
            newest = newest.max(open);
            gone.push(newest);
        }
        if open >= newest {
            newest = open;
            intervals.entry(open).or_default().push((*price, *volume));
        }
    }
    let last = *intervals.keys().next_back().unwrap();
    let is_kept = |open: &i64| *open < last && !gone.contains(open);
    let bar = |(open, ticks): (i64, Vec<(u32, u32)>)| {
        let prices: Vec<u32> = ticks.iter().map(|tick| tick.0).collect();
        let (high, low) = (prices.iter().max().unwrap(), prices.iter().min().unwrap());
        let prices4 = [prices[0], *high, *low, prices[prices.len() - 1]];
        (open, prices4, ticks.iter().map(|tick| u64::from(tick.1)).sum(), ticks.len() as u64)
    };
    intervals.into_iter().filter(|(open, _)| is_kept(open)).map(bar).collect()
}

fn hundredths(text: &str) -> u64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    whole.parse::<u64>().unwrap() * 100 + format!("{fraction:0<2}").parse::<u64>().unwrap()
}

fn plain(bar: &Bar) -> Plain {
    let price = |price: Price| u32::try_from(hundredths(&price.to_string())).unwrap();
    let prices = [bar.open, bar.high, bar.low, bar.close].map(price);
    (bar.open_time.millis(), prices, hundredths(&bar.volume.to_string()), bar.ticks)
}

/// As a process that ends and the one that takes up what it has kept, as text.
fn restarted(series: &BarSeries) -> BarSeries {
    let text = serde_json::to_string(&(series.bars(), series.unfinished())).unwrap();
    let (bars, unfinished): (Vec<Bar>, Unfinished) = serde_json::from_str(&text).unwrap();
    BarSeries::saved(series.interval(), series.look_back(), bars, unfinished).unwrap()
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn they_are_those_of_the_list(
        start in prop_oneof![Just(0_i64), -4_000_000_000_000_i64..4_000_000_000_000],
        interval in select(Interval::ALL.to_vec()),
        look_back in 1_usize..40,
        steps in steps(),
    ) {
        let mut series = BarSeries::new(interval, LookBack::new(look_back).unwrap());
        let (mut time, mut taken, mut told) = (start, Vec::new(), Vec::new());
        for (step, price, volume, restarts, is_behind_gap) in steps {
            time += step;
            let is_behind_gap = is_behind_gap && !taken.is_empty();
            taken.push((time, price, volume, is_behind_gap));
            if is_behind_gap {
                series.on_gap();
            }
            let decimal = |hundredths: u32| format!("{}.{:02}", hundredths / 100, hundredths % 100);
            let at = Timestamp::from_millis(time);
            let tick = Tick::trade("BTC/USDT".parse().unwrap(), decimal(price).parse().unwrap(), at, 0);
            told.extend(series.take(&Tick { volume: decimal(volume).parse().unwrap(), ..tick }).map(plain));
            if restarts {
                series = restarted(&series);
            }
        }
        let expected = naive(interval.millis(), &taken);
        prop_assert_eq!(&told, &expected);
        let kept: Vec<_> = series.bars().iter().map(plain).collect();
        prop_assert_eq!(kept, &expected[expected.len().saturating_sub(look_back)..]);
    }
}

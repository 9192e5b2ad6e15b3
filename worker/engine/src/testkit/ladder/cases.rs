//! Random ladders, and random markets for them.

use rust_decimal::Decimal;

use crate::messages::Tick;
use crate::numbers::{Price, Quantity};
use crate::testkit::quoting::Chance;
use crate::time::Timestamp;

/// A ladder, its market and its account. Shares are shares, not percent; `latency` is in milliseconds.
#[allow(clippy::struct_excessive_bools, reason = "each is one parameter")]
#[expect(missing_docs, reason = "each is what the manifest calls so")]
#[derive(Debug, Clone)]
pub struct Case {
    pub lower: Decimal,
    pub upper: Decimal,
    pub levels: usize,
    pub geometric: bool,
    pub quantity: Option<Decimal>,
    pub reserve: Decimal,
    pub trailing: bool,
    pub trigger: Option<Decimal>,
    pub slippage: Decimal,
    pub tick_size: Decimal,
    pub lot: Decimal,
    pub min_notional: Decimal,
    pub max_notional: Option<Decimal>,
    pub cash: Decimal,
    pub coins: Decimal,
    pub maker: Decimal,
    pub taker: Decimal,
    pub received: bool,
    pub touch: bool,
    pub latency: i64,
}

fn decimal(chance: &mut Chance, least: u64, most: u64, places: u32) -> Decimal {
    let value = least + chance.below(most - least + 1);
    Decimal::new(i64::try_from(value).expect("a number in range"), places)
}

/// The case of a seed: of three one far, two near.
pub fn case_of(seed: u64, chance: &mut Chance) -> Case {
    if seed % 3 == 2 { far_case(chance) } else { near_case(chance) }
}

/// A case of everything, mostly small enough that it is reached.
pub fn near_case(chance: &mut Chance) -> Case {
    let lower = decimal(chance, 50_000, 59_000, 2);
    let levels = usize::try_from(2 + chance.below(12)).expect("a number in range");
    let rates = [0, 0, 75, 100];
    let rate = |chance: &mut Chance| Decimal::new(chance.pick(&rates), 5);
    let (quantity, trigger) = (decimal(chance, 10, 400, 3), decimal(chance, 56_000, 63_000, 2));
    Case {
        lower,
        upper: lower + decimal(chance, 500, 15_000, 2),
        levels,
        geometric: chance.one_in(2),
        quantity: (!chance.one_in(3)).then_some(quantity),
        reserve: Decimal::new(chance.pick(&[0, 1, 5]), 2),
        trailing: chance.one_in(2),
        trigger: chance.one_in(4).then_some(trigger),
        slippage: Decimal::new(chance.pick(&[1, 1, 5]), 3),
        tick_size: Decimal::new(chance.pick(&[1, 1, 5, 100]), 2),
        lot: Decimal::new(chance.pick(&[1, 10]), 3),
        min_notional: Decimal::from(chance.pick(&[0, 5, 30])),
        max_notional: chance.one_in(6).then(|| Decimal::from(100)),
        cash: Decimal::from(chance.below(3_000)),
        coins: decimal(chance, 0, 3_000, 3) * Decimal::from(chance.below(2)) + Decimal::new(1, 3),
        maker: rate(chance),
        taker: rate(chance),
        received: chance.one_in(2),
        touch: chance.one_in(2),
        latency: chance.pick(&[0, 0, 100, 1_500, 6_000]),
    }
}

/// The same, of a ladder that follows the price from so far away that it meets its own buys on their way.
pub fn far_case(chance: &mut Chance) -> Case {
    let lower = decimal(chance, 55_000, 60_000, 2);
    Case {
        lower,
        upper: lower + decimal(chance, 400, 1_500, 2),
        levels: usize::try_from(2 + chance.below(4)).expect("a number in range"),
        trailing: true,
        trigger: None,
        tick_size: Decimal::new(1, 2),
        latency: chance.pick(&[2_500, 6_000]),
        ..near_case(chance)
    }
}

/// Prices that stroll, and jump once in a while. Quotes and sizes on some.
pub fn ticks(chance: &mut Chance, count: u64) -> Vec<Tick> {
    let (has_quotes, has_sizes) = (chance.one_in(2), chance.one_in(2));
    let (mut cents, mut time) = (57_000 + chance.below(6_000), 1_700_000_000_000_i64);
    let price = |cents: u64| format!("{}.{:02}", cents / 100, cents % 100).parse::<Price>().expect("a number in range");
    let step = 100 + chance.below(700);
    // Once in a while so wide that a level is inside of it.
    let half = chance.pick(&[3, 3, 3, 60, 900]);
    let tick = |sequence| {
        time += 200 + chance.below_i64(2_000);
        let reach = if chance.one_in(25) { step * 5 } else { step };
        cents = (cents + chance.below(2 * reach + 1)).saturating_sub(reach).clamp(54_000, 68_000);
        // Whole steps are met too.
        if chance.one_in(4) {
            cents -= cents % 100;
        }
        let tick = Tick {
            last: sequence + 1 == count,
            ..Tick::trade(
                "BNB/USDT".parse().expect("a number in range"),
                price(cents).normalised(),
                Timestamp::from_millis(time),
                sequence,
            )
        };
        if !has_quotes {
            return tick;
        }
        let mut side = |cents: u64| {
            let size: Quantity = format!("0.{:03}", chance.below(400)).parse().expect("a number in range");
            if chance.one_in(40) {
                (None, Some(Quantity::ZERO))
            } else {
                (Some(price(cents)), has_sizes.then_some(size))
            }
        };
        let ((bid, bid_size), (ask, ask_size)) = (side(cents - half), side(cents + half));
        Tick { bid, ask, bid_size, ask_size, ..tick }
    };
    (0..count).map(tick).collect()
}

//! A market in which every limit is breached and every exit reached: it drifts for a while, turns, jumps once in a while,
//! and days pass.

use engine::messages::Tick;
use engine::numbers::{Price, Quantity};
use engine::testkit::quoting::Chance;
use engine::time::Timestamp;

/// When the first tick is.
const START_MS: i64 = 1_700_000_000_000;
const HOUR_MS: i64 = 3_600_000;
/// The bounds of the price, in cents.
const BOUNDS: (i64, i64) = (45_000, 80_000);

/// Where it is going.
struct Drift {
    cents: i64,
    left: u64,
}

/// So many ticks of one market, the last of them marked. The same for the same chance.
pub(super) fn ticks(chance: &mut Chance, count: u64) -> Vec<Tick> {
    let (has_quotes, has_sizes) = (!chance.one_in(4), !chance.one_in(4));
    let (mut cents, mut time) = (60_000_i64, START_MS);
    let mut drift = Drift { cents: 0, left: 0 };
    let tick = |sequence| {
        time += step(chance);
        cents = (cents + moved(chance, &mut drift)).clamp(BOUNDS.0, BOUNDS.1);
        let at = Timestamp::from_millis(time);
        let tick = Tick {
            last: sequence + 1 == count,
            ..Tick::trade("BNB/USDT".parse().unwrap(), price(cents).normalised(), at, sequence)
        };
        if !has_quotes {
            return tick;
        }
        let half = if chance.one_in(40) { 90 } else { 1 + chance.below_i64(4) };
        let (bid, bid_size) = side(chance, cents - half, has_sizes);
        let (ask, ask_size) = side(chance, cents + half, has_sizes);
        Tick { bid, ask, bid_size, ask_size, ..tick }
    };
    (0..count).map(tick).collect()
}

/// Mostly shorter than a latency, a minute now and then, and hours so often that days pass.
fn step(chance: &mut Chance) -> i64 {
    match chance.below(120) {
        0 => HOUR_MS * (1 + chance.below_i64(9)),
        1..8 => 61_000,
        _ => chance.pick(&[100, 300, 500, 1_000, 2_000]),
    }
}

fn moved(chance: &mut Chance, drift: &mut Drift) -> i64 {
    let mut jump = 0;
    if drift.left == 0 {
        *drift = Drift { cents: chance.pick(&[0, 0, -25, -10, 10, 25]), left: 20 + chance.below(80) };
        if chance.one_in(8) {
            jump = chance.below_i64(4_001) - 2_000;
        }
    }
    drift.left -= 1;
    jump + drift.cents + chance.below_i64(81) - 40
}

/// A side of the book: empty once in a while, seldom large.
fn side(chance: &mut Chance, cents: i64, has_size: bool) -> (Option<Price>, Option<Quantity>) {
    if chance.one_in(50) {
        return (None, Some(Quantity::ZERO));
    }
    let most = if chance.one_in(3) { 4_000 } else { 300 };
    let size = format!("{}.{:03}", chance.below(most) / 1_000, chance.below(1_000).max(1));
    (Some(price(cents)), has_size.then(|| size.parse().unwrap()))
}

fn price(cents: i64) -> Price {
    format!("{}.{:02}", cents / 100, cents % 100).parse().unwrap()
}

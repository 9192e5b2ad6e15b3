//! Prices and volumes of a seed, with holes and stretches without volume, for strategies that look at bars.

use proptest::test_runner::{Config, FileFailurePersistence};
use rust_decimal::Decimal;

/// How many cases, and where failing ones are kept: beside the test's source.
pub fn cases(count: u32) -> Config {
    Config {
        cases: count,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..Config::default()
    }
}

pub fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// One tick of a path.
#[derive(Debug, Clone)]
pub struct Step {
    pub time: i64,
    pub price: String,
    #[allow(dead_code, reason = "not every test looks at volumes")]
    pub volume: String,
}

/// How a path goes.
#[derive(Debug, Clone, Copy)]
pub struct Path {
    pub seed: u64,
    pub ticks: usize,
    /// The time of the first tick.
    pub start: i64,
    /// How far ticks lie apart at most, in milliseconds.
    pub step: i64,
    /// How far apart they lie at a hole, which one tick in `hole_each` is behind.
    pub hole: i64,
    pub hole_each: u64,
}

impl Path {
    pub fn steps(self) -> Vec<Step> {
        let mut state = self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut next = move |bound: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.wrapping_mul(0x2545_F491_4F6C_DD1D) % bound
        };
        let (mut time, mut cents, mut swing, mut dry) = (self.start, 60_000_i64, 100, false);
        let mut steps = Vec::with_capacity(self.ticks);
        for _ in 0..self.ticks {
            let volume = if dry { "0".to_owned() } else { format!("{}.{:02}", next(40), next(100)) };
            steps.push(Step { time, price: format!("{}.{:02}", cents / 100, cents % 100), volume });
            time += i64::try_from(next(self.step.unsigned_abs())).unwrap() + 1;
            if next(self.hole_each) == 0 {
                time += self.hole;
            }
            // Calm and wild times, wet and dry ones, each lasting a while.
            if next(60) == 0 {
                swing = [20, 60, 150, 500][usize::try_from(next(4)).unwrap()];
                dry = next(3) == 0;
            }
            let moved = i64::try_from(next(2 * swing + 1)).unwrap() - i64::try_from(swing).unwrap();
            cents = (cents + moved).clamp(20_000, 200_000);
        }
        steps
    }
}

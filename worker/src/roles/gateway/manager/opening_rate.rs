//! At most so many orders that open, of all strategies of the account, in any 60 seconds. Pure.

use engine::time::Timestamp;
use serde::{Deserialize, Serialize};

const WINDOW_MS: i64 = 60_000;

/// When they were sent, in order. In a replay strategies stand at different times: an order counts where it lies, for those
/// that are behind it too.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct OpeningRate(Vec<Timestamp>);

impl OpeningRate {
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one more fits under `per_minute` at `now`.
    pub fn allows(&self, now: Timestamp, per_minute: u32) -> bool {
        let from = self.0.partition_point(|time| now.millis_since(*time) >= WINDOW_MS);
        let to = self.0.partition_point(|time| time.millis_since(now) < WINDOW_MS);
        to.saturating_sub(from) < per_minute as usize
    }

    /// Counts one at `now`. The oldest are forgotten that can no longer matter to who is not behind.
    pub fn count(&mut self, now: Timestamp, per_minute: u32) {
        let place = self.0.partition_point(|time| *time <= now);
        self.0.insert(place, now);
        let kept = (per_minute as usize).saturating_mul(2);
        let too_many = self.0.len().saturating_sub(kept);
        self.0.drain(..too_many);
    }
}

#[cfg(test)]
mod tests {
    use engine::risk::OrderRate;
    use engine::testkit::quoting::Chance;

    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millis(milliseconds)
    }

    /// Where time only goes on it is the rate of a strategy.
    #[test]
    fn it_is_the_rate_of_a_strategy_where_time_goes_on() {
        for seed in 0..50 {
            let mut chance = Chance::of(seed);
            let most = 1 + u32::try_from(chance.below(9)).unwrap();
            let (mut rate, mut strategys, mut now) = (OpeningRate::default(), OrderRate::default(), 0);
            for step in 0..500 {
                now += i64::try_from(chance.below(30_000)).unwrap();
                let allowed = rate.allows(at(now), most);
                assert_eq!(allowed, strategys.allows(at(now), most), "seed {seed}, step {step}");
                if allowed {
                    rate.count(at(now), most);
                    strategys.count(at(now));
                }
                assert!(rate.0.len() <= 2 * most as usize);
            }
        }
    }

    #[test]
    fn who_is_behind_in_a_replay_is_held_to_what_lies_around_it_and_to_no_more() {
        let mut rate = OpeningRate::default();
        for second in [100, 110, 120] {
            assert!(rate.allows(at(second * 1_000), 3));
            rate.count(at(second * 1_000), 3);
        }
        assert!(!rate.allows(at(90_000), 3), "all three lie within a minute of it");
        assert!(rate.allows(at(60_000), 3), "the last lies a minute beyond it");
        assert!(rate.allows(at(160_000), 3) && !rate.allows(at(159_999), 3));
    }

    #[test]
    fn it_is_written_as_a_list_of_times() {
        let mut rate = OpeningRate::default();
        rate.count(at(2_000), 60);
        rate.count(at(1_000), 60);
        let text = serde_json::to_string(&rate).unwrap();
        assert_eq!(text, "[1000,2000]");
        assert_eq!(serde_json::from_str::<OpeningRate>(&text).unwrap(), rate);
    }
}

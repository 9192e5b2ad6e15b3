//! Bars of which trades were missed: the venue's own are put into the recording once they are over, so that `backtest` has
//! the bars that a strategy on live prices has.

use std::collections::BTreeMap;
use std::pin::Pin;

use engine::instrument::Symbol;
use engine::market::{Bar, Interval, LOOK_BACK_MAX};
use engine::time::Timestamp;
use venue::live::{CandlesWanted, Hole, LinkFault, Live};
use venue::replay::whole_bars;

/// How long after its end a bar is asked for, in milliseconds, and after which it is asked for again.
const AGAIN_MS: i64 = 2_000;

type Of = (Symbol, Interval);
type Candles = Pin<Box<dyn Future<Output = Result<Vec<Bar>, LinkFault>> + Send>>;

/// The bars that are not whole.
#[derive(Default)]
pub(super) struct Holes {
    broken: BTreeMap<Of, Broken>,
    asked: Option<(Of, Broken, Candles)>,
}

/// When the first and the last of them open, and when the venue is to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Broken {
    from: Timestamp,
    to: Timestamp,
    due: Timestamp,
}

impl Holes {
    /// Trades are missing: of each interval some bars are not whole.
    pub fn add(&mut self, hole: &Hole) {
        for interval in Interval::ALL {
            let (from, to) = (interval.open_of(hole.from), interval.open_of(hole.to));
            let due = to.plus_millis(interval.millis()).plus_millis(AGAIN_MS);
            self.join((hole.symbol.clone(), interval), Broken { from, to, due });
        }
    }

    fn join(&mut self, of: Of, more: Broken) {
        let interval = of.1;
        let broken = self.broken.entry(of).or_insert(more);
        let (from, to) = (broken.from.min(more.from), broken.to.max(more.to));
        // Nobody looks back further.
        let reach = i64::try_from(LOOK_BACK_MAX).unwrap_or(i64::MAX).saturating_mul(interval.millis());
        *broken = Broken { from: from.max(to.plus_millis(-reach)), to, due: broken.due.max(more.due) };
    }

    /// Asks for what is over; one series at a time, because the venue counts requests.
    pub fn ask(&mut self, live: &Live, now: Timestamp) {
        let due = self.broken.iter().filter(|(_, broken)| broken.due <= now);
        let Some(of) = due.min_by_key(|(_, broken)| broken.due).map(|(of, _)| of.clone()) else { return };
        if self.asked.is_some() {
            return;
        }
        let Some(broken) = self.broken.remove(&of) else { return };
        let (symbol, interval) = of.clone();
        let to = broken.to.plus_millis(interval.millis());
        let candles = live.candles(CandlesWanted { symbol, interval, from: broken.from, to });
        self.asked = Some((of, broken, Box::pin(candles)));
    }

    /// The line of bars for the recording, when they come; never while nothing is asked. `Err` says why there is none yet.
    pub async fn answered(&mut self, now: impl Fn() -> Timestamp) -> Result<String, String> {
        let Some((_, _, candles)) = &mut self.asked else { return std::future::pending().await };
        let answer = candles.await;
        let Some((of, broken, _)) = self.asked.take() else { return std::future::pending().await };
        let problem = match answer {
            // A trade before the hole and one behind it were told: the bars of both are there.
            Ok(bars) if bars.last().is_some_and(|bar| bar.open_time == broken.to) => {
                return Ok(whole_bars(&of.0, of.1, &bars));
            }
            Ok(_) => "the venue does not have them yet".to_owned(),
            Err(fault) => fault.to_string(),
        };
        let told = format!("{}: bars of {} behind a hole: {problem}; they are asked for again", of.0, of.1);
        self.join(of, Broken { due: now().plus_millis(AGAIN_MS), ..broken });
        Err(told)
    }

    /// How many series have bars that were not over, or not answered.
    pub fn open(&self) -> usize {
        self.broken.len() + usize::from(self.asked.is_some())
    }
}

#[cfg(test)]
mod tests {
    use venue::live::{HoleCause, Wish, live};

    use super::*;

    const SYMBOL: &str = "BTC/USDT";

    fn at(minute: i64, second: i64) -> Timestamp {
        // Midnight.
        Timestamp::from_millis(1_699_920_000_000 + 60_000 * minute + 1_000 * second)
    }

    fn hole(from: Timestamp, to: Timestamp) -> Hole {
        Hole { symbol: SYMBOL.parse().unwrap(), cause: HoleCause::Disconnect, from, to, missed: 3 }
    }

    fn bar(open_time: Timestamp) -> Bar {
        let price = "600".parse().unwrap();
        Bar { open_time, open: price, high: price, low: price, close: price, volume: "1".parse().unwrap(), ticks: 1 }
    }

    #[tokio::test]
    async fn each_interval_is_asked_for_once_it_is_over_and_again_until_the_venue_has_it() {
        let (live, mut source) = live();
        let mut holes = Holes::default();
        holes.add(&hole(at(3, 10), at(6, 20)));
        // Two seconds behind the end of minute 6.
        holes.ask(&live, at(7, 1));
        assert!(source.wishes.try_recv().is_err());
        holes.ask(&live, at(7, 2));
        let Wish::Candles(wanted, answer) = source.wishes.try_recv().unwrap() else { panic!("no candles") };
        assert_eq!((wanted.interval, wanted.from, wanted.to), (Interval::OneMinute, at(3, 0), at(7, 0)));
        holes.ask(&live, at(9, 0));
        assert!(source.wishes.try_recv().is_err(), "one at a time");
        answer.send(Ok(vec![bar(at(3, 0))])).unwrap();
        let told = holes.answered(|| at(7, 3)).await.unwrap_err();
        assert!(told.contains("BTC/USDT: bars of 1m") && told.contains("asked for again"), "{told}");
        // Meanwhile another hole: both are asked for.
        holes.add(&hole(at(7, 3), at(7, 4)));
        holes.ask(&live, at(8, 2));
        let Wish::Candles(wanted, answer) = source.wishes.try_recv().unwrap() else { panic!("no candles") };
        assert_eq!((wanted.from, wanted.to), (at(3, 0), at(8, 0)));
        let bars: Vec<Bar> = (3..8).map(|minute| bar(at(minute, 0))).collect();
        answer.send(Ok(bars.clone())).unwrap();
        let told = holes.answered(|| at(8, 3)).await.unwrap();
        assert_eq!(told, whole_bars(&SYMBOL.parse().unwrap(), Interval::OneMinute, &bars));
        assert_eq!(holes.open(), Interval::ALL.len() - 1);
        holes.ask(&live, at(10, 2));
        let Wish::Candles(wanted, answer) = source.wishes.try_recv().unwrap() else { panic!("no candles") };
        assert_eq!((wanted.interval, wanted.from, wanted.to), (Interval::FiveMinutes, at(0, 0), at(10, 0)));
        answer.send(Err(LinkFault::Unreachable("down".to_owned()))).unwrap();
        assert!(holes.answered(|| at(10, 3)).await.unwrap_err().contains("down"));
    }

    #[test]
    fn nobody_looks_back_further_than_the_longest_look_back() {
        let mut holes = Holes::default();
        holes.add(&hole(at(-100_000, 0), at(0, 0)));
        let minutes = holes.broken[&(SYMBOL.parse().unwrap(), Interval::OneMinute)];
        assert_eq!(minutes.from, at(-1_000, 0));
    }
}

//! The intervals of klines.

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// The epoch began on a Thursday, weeks begin on Mondays.
const MONDAY: i64 = 4 * DAY;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Fixed(i64),
    Week,
    Month,
}

/// One of the exchange's intervals; all begin in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// As requests and streams call it.
    pub name: &'static str,
    length: Length,
}

const fn fixed(name: &'static str, length: i64) -> Interval {
    Interval { name, length: Length::Fixed(length) }
}

/// All of them, from the shortest.
pub const ALL: [Interval; 16] = [
    fixed("1s", SECOND),
    fixed("1m", MINUTE),
    fixed("3m", 3 * MINUTE),
    fixed("5m", 5 * MINUTE),
    fixed("15m", 15 * MINUTE),
    fixed("30m", 30 * MINUTE),
    fixed("1h", HOUR),
    fixed("2h", 2 * HOUR),
    fixed("4h", 4 * HOUR),
    fixed("6h", 6 * HOUR),
    fixed("8h", 8 * HOUR),
    fixed("12h", 12 * HOUR),
    fixed("1d", DAY),
    fixed("3d", 3 * DAY),
    Interval { name: "1w", length: Length::Week },
    Interval { name: "1M", length: Length::Month },
];

impl Interval {
    /// The interval of that name; case counts, as `1m` is a minute and `1M` a month.
    pub fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|interval| interval.name == name)
    }

    /// Whether its klines need the bars of seconds.
    pub fn is_second(self) -> bool {
        self.length == Length::Fixed(SECOND)
    }

    /// When the kline begins in which `time` lies; both in ms since the epoch.
    pub fn open(self, time: i64) -> i64 {
        match self.length {
            Length::Fixed(length) => time.div_euclid(length) * length,
            Length::Week => (time - MONDAY).div_euclid(7 * DAY) * 7 * DAY + MONDAY,
            Length::Month => month_of(time).and_then(start_of).unwrap_or(0),
        }
    }

    /// When the kline after the one begins that began at `open`.
    pub fn next(self, open: i64) -> i64 {
        match self.length {
            Length::Fixed(length) => open + length,
            Length::Week => open + 7 * DAY,
            Length::Month => month_of(open)
                .and_then(|month| month.checked_add(1.month()).ok())
                .and_then(start_of)
                .unwrap_or(i64::MAX),
        }
    }
}

fn month_of(time: i64) -> Option<Date> {
    let day = Timestamp::from_millisecond(time).ok()?.to_zoned(TimeZone::UTC).date();
    Some(day.first_of_month())
}

fn start_of(day: Date) -> Option<i64> {
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("a time").as_millisecond()
    }

    #[test]
    fn klines_begin_where_the_exchange_begins_them() {
        // A Tuesday.
        let now = time("2022-12-13T13:31:59.999Z");
        for (name, open, next) in [
            ("1s", "2022-12-13T13:31:59Z", "2022-12-13T13:32:00Z"),
            ("15m", "2022-12-13T13:30:00Z", "2022-12-13T13:45:00Z"),
            ("4h", "2022-12-13T12:00:00Z", "2022-12-13T16:00:00Z"),
            ("1w", "2022-12-12T00:00:00Z", "2022-12-19T00:00:00Z"),
            ("1M", "2022-12-01T00:00:00Z", "2023-01-01T00:00:00Z"),
        ] {
            let interval = Interval::named(name).expect("an interval");
            assert_eq!(interval.open(now), time(open), "{name}");
            assert_eq!(interval.next(time(open)), time(next), "{name}");
        }
        assert_eq!(Interval::named("7m"), None);
    }
}

//! How long a bar is. Bars are aligned to UTC: one of four hours opens at 0, 4, 8, 12, 16 or 20 o'clock, one of a day at
//! midnight.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// How long a bar is. The shorter one is the smaller one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Interval {
    /// A minute.
    #[serde(rename = "1m")]
    OneMinute,
    /// Five minutes.
    #[serde(rename = "5m")]
    FiveMinutes,
    /// A quarter of an hour.
    #[serde(rename = "15m")]
    FifteenMinutes,
    /// Half an hour.
    #[serde(rename = "30m")]
    ThirtyMinutes,
    /// An hour.
    #[serde(rename = "1h")]
    OneHour,
    /// Two hours.
    #[serde(rename = "2h")]
    TwoHours,
    /// Four hours.
    #[serde(rename = "4h")]
    FourHours,
    /// Six hours.
    #[serde(rename = "6h")]
    SixHours,
    /// Half a day.
    #[serde(rename = "12h")]
    TwelveHours,
    /// A day.
    #[serde(rename = "1d")]
    OneDay,
}

/// No bar is of this length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no interval of bars; write one of {}", Interval::names())]
pub struct IntervalError {
    text: String,
}

impl Interval {
    /// All of them, the shortest first.
    pub const ALL: [Self; 10] = [
        Self::OneMinute,
        Self::FiveMinutes,
        Self::FifteenMinutes,
        Self::ThirtyMinutes,
        Self::OneHour,
        Self::TwoHours,
        Self::FourHours,
        Self::SixHours,
        Self::TwelveHours,
        Self::OneDay,
    ];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneMinute => "1m",
            Self::FiveMinutes => "5m",
            Self::FifteenMinutes => "15m",
            Self::ThirtyMinutes => "30m",
            Self::OneHour => "1h",
            Self::TwoHours => "2h",
            Self::FourHours => "4h",
            Self::SixHours => "6h",
            Self::TwelveHours => "12h",
            Self::OneDay => "1d",
        }
    }

    /// Its length in milliseconds. Each one divides a day.
    pub const fn millis(self) -> i64 {
        match self {
            Self::OneMinute => MINUTE_MS,
            Self::FiveMinutes => 5 * MINUTE_MS,
            Self::FifteenMinutes => 15 * MINUTE_MS,
            Self::ThirtyMinutes => 30 * MINUTE_MS,
            Self::OneHour => HOUR_MS,
            Self::TwoHours => 2 * HOUR_MS,
            Self::FourHours => 4 * HOUR_MS,
            Self::SixHours => 6 * HOUR_MS,
            Self::TwelveHours => 12 * HOUR_MS,
            Self::OneDay => 24 * HOUR_MS,
        }
    }

    /// When the bar opens in which `time` lies. A time on the boundary opens its own. The first bar that 64 bits can name
    /// may be shorter: it opens at the first of all times.
    pub const fn open_of(self, time: Timestamp) -> Timestamp {
        let ms = time.millis();
        Timestamp::from_millis(ms.saturating_sub(ms.rem_euclid(self.millis())))
    }

    fn names() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Interval {
    type Err = IntervalError;

    fn from_str(text: &str) -> Result<Self, IntervalError> {
        let found = Self::ALL.into_iter().find(|interval| interval.as_str() == text);
        found.ok_or_else(|| IntervalError { text: text.chars().take(40).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::rfc3339;

    #[test]
    fn each_one_is_read_as_it_is_written() {
        for interval in Interval::ALL {
            assert_eq!(interval.to_string().parse(), Ok(interval));
            let json = format!("\"{interval}\"");
            assert_eq!(serde_json::to_string(&interval).unwrap(), json);
            assert_eq!(serde_json::from_str::<Interval>(&json).unwrap(), interval);
            assert_eq!(Interval::OneDay.millis() % interval.millis(), 0, "{interval} divides a day");
        }
        assert!(Interval::ALL.is_sorted_by(|one, next| one < next && one.millis() < next.millis()));
    }

    #[test]
    fn what_is_none_is_refused_with_all_there_are() {
        for bad in ["", "3m", "1M", "1H", " 1h", "60", "1w", "4h0"] {
            assert_eq!(
                bad.parse::<Interval>().unwrap_err().to_string(),
                format!("{bad:?} is no interval of bars; write one of 1m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 12h, 1d")
            );
        }
    }

    #[test]
    fn bars_open_where_utc_does() {
        for (interval, time, opens) in [
            ("1m", "2020-05-01T10:15:59.999Z", "2020-05-01T10:15:00Z"),
            ("1m", "2020-05-01T10:16:00Z", "2020-05-01T10:16:00Z"),
            ("5m", "2020-05-01T10:19:00Z", "2020-05-01T10:15:00Z"),
            ("15m", "2020-05-01T10:29:59.999Z", "2020-05-01T10:15:00Z"),
            ("30m", "2020-05-01T10:30:00Z", "2020-05-01T10:30:00Z"),
            ("1h", "2020-05-01T10:59:59Z", "2020-05-01T10:00:00Z"),
            ("2h", "2020-05-01T11:00:00Z", "2020-05-01T10:00:00Z"),
            ("4h", "2020-05-01T11:59:59.999Z", "2020-05-01T08:00:00Z"),
            ("6h", "2020-05-01T11:59:59.999Z", "2020-05-01T06:00:00Z"),
            ("12h", "2020-05-01T12:00:00Z", "2020-05-01T12:00:00Z"),
            ("1d", "2020-02-29T23:59:59.999Z", "2020-02-29T00:00:00Z"),
            // Before 1970 too, bars go up to the next boundary.
            ("1d", "1969-12-31T23:59:59.999Z", "1969-12-31T00:00:00Z"),
            ("4h", "1969-12-31T20:00:00Z", "1969-12-31T20:00:00Z"),
            ("1m", "1900-02-28T23:59:30Z", "1900-02-28T23:59:00Z"),
            ("1h", "9999-12-31T23:59:59.999Z", "9999-12-31T23:00:00Z"),
        ] {
            let (interval, time): (Interval, _) = (interval.parse().unwrap(), rfc3339::parse(time).unwrap());
            assert_eq!(rfc3339::text(interval.open_of(time)), opens);
        }
    }

    #[test]
    fn the_first_and_the_last_of_all_times_have_a_bar() {
        for interval in Interval::ALL {
            let [first, last] = [i64::MIN, i64::MAX].map(|ms| interval.open_of(Timestamp::from_millis(ms)).millis());
            assert_eq!(first, i64::MIN, "{interval}");
            assert!(last % interval.millis() == 0 && i64::MAX - last < interval.millis(), "{interval}");
            // All times of the first bar, which is cut short, open the same one.
            let next = i64::MIN + interval.millis() - i64::MIN.rem_euclid(interval.millis());
            assert_eq!(interval.open_of(Timestamp::from_millis(next - 1)).millis(), i64::MIN, "{interval}");
            assert_eq!(interval.open_of(Timestamp::from_millis(next)).millis(), next, "{interval}");
        }
    }
}

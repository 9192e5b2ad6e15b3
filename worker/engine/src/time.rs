//! Points in time as the engine sees them: an argument, never read from a clock.

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01 UTC.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The point `milliseconds` after 1970-01-01 UTC.
    pub const fn from_millis(milliseconds: i64) -> Self {
        Self(milliseconds)
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This much later.
    #[must_use]
    pub const fn plus_millis(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// Milliseconds from `earlier` to `self`; 0 where `earlier` is later, because a negative age counts as 0.
    pub fn millis_since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0).max(0)
    }
}

/// Times as people and Kubernetes write them, `2020-05-01T10:15:00Z`, for what is shown; the bus keeps
/// milliseconds. For `#[serde(with = "...")]`.
#[allow(
    clippy::arithmetic_side_effects,
    reason = "days and milliseconds of a day follow from 64 bits by division, and what is read has at most nine digits"
)]
pub mod rfc3339 {
    use std::fmt::Write as _;

    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::Timestamp;

    const DAY_MS: i64 = 86_400_000;

    /// The text of a time; milliseconds only where there are some.
    pub fn text(time: Timestamp) -> String {
        let (days, ms) = (time.0.div_euclid(DAY_MS), time.0.rem_euclid(DAY_MS));
        let (year, month, day) = date_of(days);
        let (hour, minute, second, rest) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
        let mut text = String::with_capacity("2020-05-01T10:15:00.000Z".len());
        match u32::try_from(year) {
            Ok(year @ ..=9_999) => digits(&mut text, year.into(), 1_000),
            // No exchange has such data.
            Ok(_) | Err(_) => {
                // A text takes all that is written to it.
                let _ = write!(text, "{year:04}");
            }
        }
        let parts = [('-', month), ('-', day), ('T', hour), (':', minute), (':', second)];
        for (before, part) in parts {
            text.push(before);
            digits(&mut text, part, 10);
        }
        if rest != 0 {
            text.push('.');
            digits(&mut text, rest, 100);
        }
        text.push('Z');
        text
    }

    /// Writes a number of as many digits as `first`, the worth of the first of them, has.
    fn digits(text: &mut String, number: i64, mut first: i64) {
        while first > 0 {
            text.push(char::from(b'0' + u8::try_from(number / first % 10).unwrap_or_default()));
            first /= 10;
        }
    }

    /// The time of a text; `None` if it is not one of [`text`]'s.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
        let is_number = |text: &str| text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
        let number = |text: &str| is_number(text).then(|| text.parse::<i64>().ok()).flatten();
        let mut date = date.splitn(3, '-').map(number);
        let (year, month, day) = (date.next()??, date.next()??, date.next()??);
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        let mut clock = clock.splitn(3, ':').map(number);
        let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
        let seconds = days_of(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
        Some(Timestamp(seconds.checked_mul(1000)?.checked_add(number(fraction)?)?))
    }

    /// Days since 1970-01-01 to a date of the proleptic Gregorian calendar, by eras of 400 years (146,097
    /// days) that begin on 1 March, so that the leap day is a year's last.
    fn date_of(days: i64) -> (i64, i64, i64) {
        let shifted = days + 719_468;
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        (year + era * 400 + i64::from(month <= 2), month, day)
    }

    fn days_of(year: i64, month: i64, day: i64) -> i64 {
        let year = year - i64::from(month <= 2);
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let from_march = if month > 2 { month - 3 } else { month + 9 };
        let of_year = (153 * from_march + 2) / 5 + day - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    /// Writes the text.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text(*time))
    }

    /// Reads the text.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let found = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        parse(&found).ok_or_else(|| de::Error::custom(format!("{found:?} is not a time like 2020-05-01T10:15:00Z")))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn known_times_are_written_and_read() {
            let cases = [
                (0, "1970-01-01T00:00:00Z"),
                (951_782_400_000, "2000-02-29T00:00:00Z"),
                (1_588_328_100_000, "2020-05-01T10:15:00Z"),
                (1_723_161_255_342, "2024-08-08T23:54:15.342Z"),
                (-1, "1969-12-31T23:59:59.999Z"),
                (-62_135_596_800_000, "0001-01-01T00:00:00Z"),
                (253_402_300_799_099, "9999-12-31T23:59:59.099Z"),
                (253_402_300_800_000, "10000-01-01T00:00:00Z"),
            ];
            for (ms, expected) in cases {
                assert_eq!(text(Timestamp(ms)), expected);
                assert_eq!(parse(expected), Some(Timestamp(ms)), "{expected}");
            }
            for bad in [
                "",
                "2020-05-01",
                "2020-05-01T10:15:00",
                "2020-05-01T10:15Z",
                "x-05-01T10:15:00Z",
                "9223372036854775807-01-01T00:00:00Z",
            ] {
                assert_eq!(parse(bad), None, "{bad}");
            }
        }

        #[test]
        fn every_day_of_four_centuries_is_read_back() {
            for day in -146_097..146_097 {
                let time = Timestamp(day * DAY_MS);
                assert_eq!(parse(&text(time)), Some(time));
            }
        }
    }
}

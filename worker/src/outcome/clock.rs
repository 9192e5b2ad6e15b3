//! How times are written in one run: all alike, and so that two of them that differ read differently.

use venue::replay::Summary;

/// A minute.
const MINUTE_MS: i64 = 60_000;
/// A second.
const SECOND_MS: i64 = 1_000;

/// How exactly times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    Minutes,
    Seconds,
    Milliseconds,
}

/// The form of times in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clock {
    year: bool,
    precision: Precision,
}

impl Default for Clock {
    /// Of data whose end and density nobody knows yet: they may go on into another year.
    fn default() -> Self {
        Self { year: true, precision: Precision::Seconds }
    }
}

impl Clock {
    /// With the year where the data reach from one into another, with seconds where ticks are denser than a minute,
    /// with milliseconds where they are denser than a second.
    pub fn of<'a>(summaries: impl Iterator<Item = &'a Summary> + Clone) -> Self {
        let first = summaries.clone().map(|summary| summary.first.millis()).min();
        let last = summaries.clone().map(last_tick).max();
        let (Some(first), Some(last)) = (first, last) else { return Self::default() };
        let year = |milliseconds| text(milliseconds, "%Y");
        Self {
            year: year(first) != year(last),
            precision: precision(summaries.filter_map(|summary| summary.step_ms).min()),
        }
    }

    /// Day and time, UTC.
    pub fn write(self, milliseconds: i64) -> String {
        let format = match (self.year, self.precision) {
            (false, Precision::Minutes) => "%m-%d %H:%M",
            (false, Precision::Seconds) => "%m-%d %H:%M:%S",
            (false, Precision::Milliseconds) => "%m-%d %H:%M:%S%.3f",
            (true, Precision::Minutes) => "%Y-%m-%d %H:%M",
            (true, Precision::Seconds) => "%Y-%m-%d %H:%M:%S",
            (true, Precision::Milliseconds) => "%Y-%m-%d %H:%M:%S%.3f",
        };
        text(milliseconds, format)
    }

    /// How wide these times are.
    pub fn width(self) -> usize {
        self.write(0).len()
    }
}

/// The first and the last time of data, with the year; to the second where their ticks are denser than a minute.
pub(crate) fn span(summary: &Summary) -> String {
    let precision = precision(summary.step_ms).min(Precision::Seconds);
    let clock = Clock { year: true, precision };
    format!("{} to {} UTC", clock.write(summary.first.millis()), clock.write(summary.last.millis()))
}

/// Times of a result, with the year: to the second, or to the millisecond where one of them has some.
pub(crate) fn exact(times: impl Iterator<Item = i64>) -> Clock {
    let precision =
        if times.into_iter().any(|time| time % SECOND_MS != 0) { Precision::Milliseconds } else { Precision::Seconds };
    Clock { year: true, precision }
}

fn precision(step_ms: Option<i64>) -> Precision {
    match step_ms {
        Some(step) if step < SECOND_MS => Precision::Milliseconds,
        Some(step) if step < MINUTE_MS => Precision::Seconds,
        Some(_) | None => Precision::Minutes,
    }
}

/// Of candles the last tick comes after their open time, but before their end.
fn last_tick(summary: &Summary) -> i64 {
    let ends = summary.files.last().map_or(summary.last, |file| file.ends);
    summary.last.millis().max(ends.millis().saturating_sub(1))
}

fn text(milliseconds: i64, format: &str) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| milliseconds.to_string(), |time| time.strftime(format).to_string())
}

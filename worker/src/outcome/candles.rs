//! Whether candles are short enough for the bars that a strategy makes of them. May not read any.

use std::sync::Arc;

use crds::roles::StrategySpec;
use venue::replay::{Format, Summary};

use crate::process::exit::Failure;

const MINUTE_MS: i64 = 60_000;

/// Refuses candles that are longer than the bars that a strategy makes: each would be in one of them, and none in the others.
pub fn are_short_enough<'a>(
    spec: &StrategySpec,
    summaries: impl IntoIterator<Item = &'a Arc<Summary>>,
) -> Result<(), Failure> {
    let Some(bars) = spec.spec.strategy.bars() else { return Ok(()) };
    let longest = bars.interval.millis();
    let files = summaries.into_iter().flat_map(|summary| &summary.files);
    let candles = files.filter(|file| matches!(file.format, Format::Candles | Format::BinanceCandles));
    let mut too_long = candles.filter_map(|file| Some((file, file.interval_ms.filter(|length| *length > longest)?)));
    let Some((file, length)) = too_long.next() else { return Ok(()) };
    Err(Failure::refused(format!(
        "{}: spec.strategy.{}: {} has candles of {}, of which no bars of {longest} can be made; give candles of {longest} \
         or less, or write {} instead",
        spec.name,
        bars.field,
        file.name,
        in_words(length),
        bars.instead,
        longest = in_words(longest),
    )))
}

fn in_words(length_ms: i64) -> String {
    let minutes = length_ms / MINUTE_MS;
    if minutes % 60 == 0 { format!("{} h", minutes / 60) } else { format!("{minutes} min") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_as_people_say_them() {
        assert_eq!(in_words(24 * 60 * MINUTE_MS), "24 h");
        assert_eq!(in_words(270 * MINUTE_MS), "270 min");
    }
}

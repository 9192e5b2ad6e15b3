//! Names of streams.

use crate::interval::Interval;

/// Kinds of streams that are served, klines apart.
const KINDS: [&str; 7] = ["trade", "aggTrade", "bookTicker", "miniTicker", "ticker", "depth@100ms", "depth@0ms"];

/// Whether a name has the shape `<symbol>@<kind>` of a stream that is served; the symbol need not exist.
pub fn known(name: &str) -> bool {
    let Some((symbol, kind)) = name.split_once('@') else { return false };
    let kline = kind.strip_prefix("kline_").is_some_and(|interval| Interval::named(interval).is_some());
    !symbol.is_empty() && symbol == symbol.to_lowercase() && (kline || KINDS.contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::known;

    #[test]
    fn streams_have_a_small_symbol_and_a_kind_that_is_served() {
        for name in ["btcusdt@trade", "btcusdt@kline_1M", "btcusdt@depth@100ms", "这是测试币456@bookTicker"] {
            assert!(known(name), "{name}");
        }
        for name in ["", "0", "BTCUSDT@trade", "@trade", "btcusdt", "btcusdt@kline_7m", "btcusdt@trades"] {
            assert!(!known(name), "{name}");
        }
    }
}

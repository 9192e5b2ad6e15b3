//! Markets in the exchange's spelling.

use engine::instrument::{Contract, Symbol};

/// The exchange's name of a market: `BTCUSDT` of spot and of a perpetual, `BTCUSDT_260327` of a future with an end.
pub fn name(symbol: &Symbol) -> String {
    match symbol.contract() {
        Contract::Spot | Contract::Perpetual(_) | Contract::Option { .. } => symbol.joined(),
        Contract::Dated { expires, .. } => format!("{}_{expires}", symbol.joined()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_future_with_an_end_has_its_day_in_its_name() {
        for (symbol, expected) in
            [("BTC/USDT", "BTCUSDT"), ("BTC/USDT:USDT", "BTCUSDT"), ("BTC/USDT:USDT-260327", "BTCUSDT_260327")]
        {
            assert_eq!(name(&symbol.parse().unwrap()), expected);
        }
    }
}

//! Candles as trades: open, low and high, close, a quarter of the candle apart, with quotes around them.

use std::path::Path;

use super::{Change, Event, Origin, Quote, Source, SourceError, repeated, text_of};
use crate::amount::Amount;

/// The least steps of a symbol.
#[derive(Debug, Clone, Copy)]
pub struct Steps {
    /// Of its price.
    pub tick: Amount,
    /// Of its quantity.
    pub lot: Amount,
}

/// Steps of a candle.
const STEPS: i64 = 4;

/// Reads candles: a header, then open time in ms, open, high, low, close, volume. `steps` are the least ones of the
/// symbol's price and quantity.
pub fn read(path: &Path, symbol: &str, steps: Steps, loops: bool) -> Result<Source, SourceError> {
    let text = text_of(path)?;
    let mut candles = Vec::new();
    for (line, number) in text.lines().zip(1..).skip(1) {
        let wrong = |what| SourceError::Line { file: path.display().to_string(), line: number, what };
        candles.push(Candle::parse(line).map_err(wrong)?);
    }
    let wrong = |what: String| SourceError::File { file: path.display().to_string(), what };
    let times = || candles.windows(2).map(|pair| pair[1].open_time - pair[0].open_time);
    if times().any(|step| step <= 0) {
        return Err(wrong("its open times do not rise: sort it by the first column, each candle once".to_owned()));
    }
    let step = times().min().ok_or_else(|| wrong("it holds fewer than two candles".to_owned()))?;
    let mut events = Vec::new();
    for candle in &candles {
        candle.play(step, steps, &mut events).map_err(wrong)?;
    }
    let begin = candles.first().map_or(0, |candle| candle.open_time);
    let symbol = symbol.to_owned();
    Ok(Source { symbol, first_trade: 1, lag: 0, step, begin, events: Box::new(repeated(events, step, loops)) })
}

struct Candle {
    open_time: i64,
    open: Amount,
    high: Amount,
    low: Amount,
    close: Amount,
    volume: Amount,
}

impl Candle {
    fn parse(line: &str) -> Result<Self, String> {
        let columns: Vec<&str> = line.split(',').collect();
        let [time, open, high, low, close, volume, ..] = columns[..] else {
            return Err("fewer than 6 columns: open_time_ms,open,high,low,close,volume".to_owned());
        };
        let amount = |text: &str| text.parse().map_err(|error: crate::amount::NoAmount| error.to_string());
        let open_time = time.parse().map_err(|error| format!("open time {time:?}: {error}"))?;
        let [open, high, low, close]: [Amount; 4] = [amount(open)?, amount(high)?, amount(low)?, amount(close)?];
        if low > open.min(close) || high < open.max(close) || low <= Amount::ZERO {
            return Err(format!("low {low} and high {high} do not enclose open {open} and close {close}"));
        }
        Ok(Self { open_time, open, high, low, close, volume: amount(volume)? })
    }

    /// Its trades, with a quote before each; none where nothing was traded.
    fn play(&self, length: i64, steps: Steps, events: &mut Vec<Event>) -> Result<(), String> {
        let units = self.volume.units();
        if units == 0 {
            return Ok(());
        }
        if units < i128::from(STEPS) {
            return Err(format!(
                "the candle at {} has volume {}: too little for {STEPS} trades",
                self.open_time, self.volume
            ));
        }
        // Down first where it ends higher: the way that most candles go.
        let rises = self.close >= self.open;
        let (second, third) = if rises { (self.low, self.high) } else { (self.high, self.low) };
        let lot = steps.lot.units();
        let quarter = units / i128::from(STEPS);
        let quarter = if quarter >= lot { quarter / lot * lot } else { quarter };
        let mut last = self.open;
        for (price, step) in [self.open, second, third, self.close].into_iter().zip(0..) {
            let rest = if step == STEPS - 1 { units - quarter * i128::from(STEPS) } else { 0 };
            let quantity = Amount::from_units(quarter + rest);
            let time = self.open_time + step * length / STEPS;
            let buyer_maker = price < last;
            last = price;
            let quote = around(price, quantity, buyer_maker, steps.tick);
            events.push(Event { at: time, time, change: Change::Quote(quote) });
            events.push(Event {
                at: time,
                time,
                change: Change::Trade { price, quantity, buyer_maker, time, origin: Origin::Market },
            });
        }
        Ok(())
    }
}

/// The quote that a trade has hit: on the bid where the seller was the taker. Below the lowest price nobody bids.
pub(super) fn around(price: Amount, quantity: Amount, buyer_maker: bool, tick: Amount) -> Quote {
    let (bid, ask) = if buyer_maker { (price, price + tick) } else { (price - tick, price) };
    let bid = if bid > Amount::ZERO { (bid, quantity) } else { (Amount::ZERO, Amount::ZERO) };
    Quote { bid, ask: (ask, quantity), update: 0, time: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trades_of_a_candle_are_that_candle() {
        let candle = Candle::parse("1670889600000,17212.12,17216.55,17208.88,17208.88,110.66042").expect("a candle");
        let mut events = Vec::new();
        let step = |text: &str| text.parse::<Amount>().expect("a step");
        let steps = Steps { tick: step("0.01"), lot: step("0.00001") };
        candle.play(60_000, steps, &mut events).expect("it has volume");
        let trades: Vec<(Amount, Amount, i64)> = events
            .iter()
            .filter_map(|event| match event.change {
                Change::Trade { price, quantity, time, .. } => Some((price, quantity, time - 1_670_889_600_000)),
                Change::Quote(_) | Change::Depth { .. } | Change::Snapshot { .. } => None,
            })
            .collect();
        let prices: Vec<Amount> = trades.iter().map(|trade| trade.0).collect();
        assert_eq!(prices, [candle.open, candle.high, candle.low, candle.close]);
        assert_eq!(trades.iter().map(|trade| trade.1).sum::<Amount>(), candle.volume);
        assert!(trades.iter().all(|trade| trade.1.units() % steps.lot.units() == 0), "{trades:?}");
        assert_eq!(trades.iter().map(|trade| trade.2).collect::<Vec<_>>(), [0, 15_000, 30_000, 45_000]);
    }

    #[test]
    fn below_the_lowest_price_nobody_bids() {
        let amount = |text: &str| text.parse::<Amount>().expect("an amount");
        let bid = |price: &str| around(amount(price), amount("8"), false, amount("0.01")).bid;
        assert_eq!(bid("0.02"), (amount("0.01"), amount("8")));
        for price in ["0.01", "0.00012345"] {
            assert_eq!(bid(price), (Amount::ZERO, Amount::ZERO), "{price}");
        }
    }

    #[test]
    fn what_is_no_candle_is_named() {
        for (line, part) in [
            ("1,2,3", "fewer than 6 columns"),
            ("x,1,1,1,1,1", "open time \"x\""),
            ("1,1,2,3,1,1", "do not enclose"),
            ("1,1,1,1,1,1e3", "\"1e3\" is no decimal"),
        ] {
            let error = Candle::parse(line).err().expect("no candle");
            assert!(error.contains(part), "{error}");
        }
    }
}

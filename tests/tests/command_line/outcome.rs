//! The line that `backtest` must print, from figures that were made apart from it.

use super::folder::{START_MS, STEP_MS};

/// One strategy's expected result on ticks that are a minute apart.
#[derive(Clone, Copy)]
pub struct Outcome<'a> {
    /// How many ticks.
    pub ticks: u64,
    /// Minute, side, price, quantity and fee; a fee in another asset than USDT names it.
    pub trades: &'a [(i64, &'a str, &'a str, &'a str, &'a str)],
    /// BNB and USDT at the end.
    pub position: (&'a str, &'a str),
    /// The last price.
    pub price: &'a str,
    /// What all is worth at it.
    pub equity: &'a str,
    /// Where the grid's base has moved to.
    pub base_price: &'a str,
    /// Realized, unrealized, fees, net.
    pub pnl: [&'a str; 4],
}

impl Outcome<'_> {
    /// The line for ticks that came once each.
    pub fn line(&self) -> String {
        self.line_of(1, STEP_MS)
    }

    /// The line for ticks that came so many times each, so far apart.
    pub fn line_of(&self, times: i64, step_ms: i64) -> String {
        let trades: Vec<String> = self.trades.iter().map(|trade| trade_of(trade, times, step_ms)).collect();
        let [realized, unrealized, fees, net] = self.pnl;
        let (ticks, trades, (base, quote)) = (self.ticks, trades.join(","), self.position);
        let (price, equity, base_price) = (self.price, self.equity, self.base_price);
        format!(
            "{{\"strategy\":\"grid-bnb-1\",\"ticks\":{ticks},\"trades\":[{trades}],\
             \"final\":{{\"position\":{{\"BNB\":\"{base}\",\"USDT\":\"{quote}\"}},\"price\":\"{price}\",\
             \"equity\":\"{equity}\",\"strategy\":{{\"basePrice\":\"{base_price}\"}}}},\
             \"pnl\":{{\"currency\":\"USDT\",\"realized\":\"{realized}\",\"unrealized\":\"{unrealized}\",\
             \"fees\":\"{fees}\",\"funding\":\"0\",\"net\":\"{net}\"}}}}\n"
        )
    }
}

fn trade_of((step, side, price, quantity, fee): &(i64, &str, &str, &str, &str), times: i64, step_ms: i64) -> String {
    let (fee, asset) = fee.split_once(' ').unwrap_or((fee, "USDT"));
    let (index, time) = (step * times, START_MS + step_ms * step);
    format!(
        "{{\"index\":{index},\"time\":{time},\"symbol\":\"BNB/USDT\",\"side\":\"{side}\",\"price\":\"{price}\",\
         \"quantity\":\"{quantity}\",\"fee\":\"{fee}\",\"feeAsset\":\"{asset}\"}}"
    )
}

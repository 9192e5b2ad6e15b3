//! The fields of trades and quotes, as the exchange writes them. May not judge them.

use std::borrow::Cow;

use serde::Deserialize;

/// Of a trade.
#[derive(Deserialize)]
pub(super) struct TradeData<'a> {
    #[serde(borrow)]
    pub s: Cow<'a, str>,
    pub t: u64,
    pub p: &'a str,
    pub q: &'a str,
    #[serde(rename = "T")]
    pub time: i64,
    /// When the message was written.
    #[serde(rename = "E")]
    pub event_time: Option<i64>,
    pub m: bool,
    /// Only futures have it.
    #[serde(rename = "X", borrow)]
    pub kind: Option<Cow<'a, str>>,
}

/// Of trades that came at one price, at one time and from one order, told as one.
#[derive(Deserialize)]
pub(super) struct AggregateData<'a> {
    #[serde(borrow)]
    pub s: Cow<'a, str>,
    pub a: u64,
    pub p: &'a str,
    pub q: &'a str,
    /// The first and the last of the trades.
    pub f: u64,
    pub l: u64,
    #[serde(rename = "T")]
    pub time: i64,
    #[serde(rename = "E")]
    pub event_time: Option<i64>,
    pub m: bool,
}

/// Of a mark price, which only futures have.
#[derive(Deserialize)]
pub(super) struct MarkPriceData<'a> {
    #[serde(borrow)]
    pub s: Cow<'a, str>,
    pub p: &'a str,
    /// The index that it follows.
    pub i: &'a str,
    /// The next funding; empty where the contract has none.
    pub r: &'a str,
    #[serde(rename = "T")]
    pub funding_time: i64,
    #[serde(rename = "E")]
    pub event_time: i64,
}

/// Of a quote.
#[derive(Deserialize)]
pub(super) struct BookTickerData<'a> {
    #[serde(borrow)]
    pub s: Cow<'a, str>,
    pub u: u64,
    pub b: &'a str,
    #[serde(rename = "B")]
    pub bid_size: &'a str,
    pub a: &'a str,
    #[serde(rename = "A")]
    pub ask_size: &'a str,
}

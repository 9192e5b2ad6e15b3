//! A recording of the combined stream: receive time in ns, a space, the frame.

use std::path::Path;

use serde::Deserialize;

use super::{Change, Event, Origin, Quote, Sides, Source, SourceError, repeated, text_of};
use crate::amount::Amount;

#[derive(Deserialize)]
struct Combined<'a> {
    #[serde(borrow)]
    stream: &'a str,
    #[serde(borrow)]
    data: &'a serde_json::value::RawValue,
}

#[derive(Deserialize)]
struct Trade<'a> {
    #[serde(rename = "E")]
    time: i64,
    t: u64,
    p: &'a str,
    q: &'a str,
    #[serde(rename = "T")]
    traded: i64,
    m: bool,
    /// Only of futures.
    #[serde(rename = "X", default)]
    origin: Origin,
}

#[derive(Deserialize)]
struct BookTicker<'a> {
    u: u64,
    b: &'a str,
    #[serde(rename = "B")]
    bid_quantity: &'a str,
    a: &'a str,
    #[serde(rename = "A")]
    ask_quantity: &'a str,
    /// These two only of futures.
    #[serde(rename = "T", default)]
    changed: i64,
    #[serde(rename = "E")]
    time: Option<i64>,
}

#[derive(Deserialize)]
struct Depth<'a> {
    #[serde(rename = "E")]
    time: i64,
    #[serde(rename = "U")]
    first: u64,
    u: u64,
    #[serde(borrow)]
    b: Vec<(&'a str, &'a str)>,
    #[serde(borrow)]
    a: Vec<(&'a str, &'a str)>,
}

#[derive(Deserialize)]
struct Snapshot<'a> {
    #[serde(rename = "lastUpdateId")]
    update: u64,
    #[serde(borrow)]
    bids: Vec<(&'a str, &'a str)>,
    #[serde(borrow)]
    asks: Vec<(&'a str, &'a str)>,
}

/// What a line holds: when it was received, its stream, its event time if it has one, and the change.
struct Read {
    received: i64,
    time: Option<i64>,
    change: Change,
    trade: Option<u64>,
}

/// Reads a recording of one symbol. Frames of other streams and symbols are left out.
pub fn read(path: &Path, symbol: Option<&str>, loops: bool) -> Result<Source, SourceError> {
    let text = text_of(path)?;
    let mut recorded = None;
    let mut lines = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let wrong = |what| SourceError::Line { file: path.display().to_string(), line: number, what };
        lines.extend(parse(line, &mut recorded).map_err(wrong)?);
    }
    let wrong = |what: &str| SourceError::File { file: path.display().to_string(), what: what.to_owned() };
    let recorded = recorded.ok_or_else(|| wrong("no frame of a stream `symbol@…` is in it"))?;
    let first_trade = lines.iter().find_map(|line| line.trade).unwrap_or(1);
    // The receiver's clock need not agree with the exchange's: nothing is sent before it happened.
    let ahead = lines.iter().filter_map(|line| Some(line.time? - line.received)).max().unwrap_or(0);
    let opening = lines.first().map_or(0, |line| line.received);
    let mut events: Vec<Event> = lines
        .into_iter()
        .map(|line| {
            // A book is asked for after its stream has begun; known from the beginning, it fits each change too.
            let first = matches!(line.change, Change::Snapshot { .. });
            let at = if first { opening } else { line.received } + ahead;
            Event { at, time: line.time.unwrap_or(at), change: line.change }
        })
        .collect();
    events.sort_by_key(|event| event.at);
    let begin = events.first().map(|event| event.at).ok_or_else(|| wrong("it is empty"))?;
    let lag = events.iter().filter_map(|event| match event.change {
        Change::Trade { time, .. } => Some(event.at - time),
        Change::Quote(_) | Change::Depth { .. } | Change::Snapshot { .. } => None,
    });
    let lag = lag.max().unwrap_or(0);
    let symbol = symbol.map_or_else(|| recorded.to_uppercase(), str::to_owned);
    Ok(Source { symbol, first_trade, lag, step: 1, begin, events: Box::new(repeated(events, 1000, loops)) })
}

fn parse(line: &str, symbol: &mut Option<String>) -> Result<Option<Read>, String> {
    let (received, frame) = line.split_once(' ').ok_or("no `<received ns> <frame>`")?;
    let received: i64 = received.parse().map_err(|error| format!("receive time {received:?}: {error}"))?;
    let received = received / 1_000_000;
    let read = |time, change, trade| Ok(Some(Read { received, time, change, trade }));
    let json = |error: serde_json::Error| error.to_string();
    if !frame.contains("\"stream\"") {
        // What a recorder says of its recording is no message of the exchange.
        if !frame.contains("\"lastUpdateId\"") {
            return Ok(None);
        }
        let book: Snapshot<'_> = serde_json::from_str(frame).map_err(json)?;
        let sides = Sides { bids: levels(&book.bids)?, asks: levels(&book.asks)? };
        return read(None, Change::Snapshot { update: book.update, sides }, None);
    }
    let combined: Combined<'_> = serde_json::from_str(frame).map_err(json)?;
    let (of, stream) = combined.stream.split_once('@').unwrap_or((combined.stream, ""));
    if symbol.get_or_insert_with(|| of.to_owned()) != of {
        return Ok(None);
    }
    let data = combined.data.get();
    match stream {
        "trade" => {
            let trade: Trade<'_> = serde_json::from_str(data).map_err(json)?;
            let (price, quantity) = (amount(trade.p)?, amount(trade.q)?);
            let change =
                Change::Trade { price, quantity, buyer_maker: trade.m, time: trade.traded, origin: trade.origin };
            read(Some(trade.time), change, Some(trade.t))
        }
        "bookTicker" => {
            let quote: BookTicker<'_> = serde_json::from_str(data).map_err(json)?;
            let bid = (amount(quote.b)?, amount(quote.bid_quantity)?);
            let ask = (amount(quote.a)?, amount(quote.ask_quantity)?);
            let change = Change::Quote(Quote { bid, ask, update: quote.u, time: quote.changed });
            read(quote.time, change, None)
        }
        "depth@100ms" | "depth@0ms" => {
            let depth: Depth<'_> = serde_json::from_str(data).map_err(json)?;
            let sides = Sides { bids: levels(&depth.b)?, asks: levels(&depth.a)? };
            read(Some(depth.time), Change::Depth { updates: (depth.first, depth.u), sides }, None)
        }
        _ => Ok(None),
    }
}

fn amount(text: &str) -> Result<Amount, String> {
    text.parse().map_err(|error: crate::amount::NoAmount| error.to_string())
}

fn levels(levels: &[(&str, &str)]) -> Result<Vec<(Amount, Amount)>, String> {
    levels.iter().map(|(price, quantity)| Ok((amount(price)?, amount(quantity)?))).collect()
}

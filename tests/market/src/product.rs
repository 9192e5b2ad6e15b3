//! What is traded on the exchange: the paths, the bounds and the words that differ.

use std::time::Duration;

use clap::ValueEnum;
use serde_json::Value;

/// A product of the exchange.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Product {
    /// Coins, at once.
    #[default]
    Spot,
    /// Futures that settle in USDT and the like.
    Usdm,
}

/// Kinds of streams that come on connections of futures at `/public`; all others come at `/market`.
const PUBLIC: [&str; 3] = ["bookTicker", "trade", "depth@0ms"];
/// Columns that only spot tells, of requests and of streams.
const SPOT_ONLY: [(&str, &[&str]); 5] = [
    ("trades", &["isBestMatch"]),
    ("historicalTrades", &["isBestMatch"]),
    ("aggTrades", &["M"]),
    ("ticker/24hr", &["prevClosePrice", "bidPrice", "bidQty", "askPrice", "askQty"]),
    ("ticker", &["x", "b", "B", "a", "A"]),
];

impl Product {
    /// What stands before the routes of requests.
    pub const fn requests(self) -> &'static str {
        match self {
            Self::Spot => "/api/v3/",
            Self::Usdm => "/fapi/v1/",
        }
    }

    /// Requests' weight in a minute.
    pub const fn weight(self) -> u64 {
        match self {
            Self::Spot => 6_000,
            Self::Usdm => 2_400,
        }
    }

    /// Streams of one connection. Of futures the exchange's texts say 200, and later ones 1,024.
    pub const fn streams_max(self) -> usize {
        match self {
            Self::Spot => 1_024,
            Self::Usdm => 200,
        }
    }

    /// Messages of a client in a second.
    pub const fn messages_max(self) -> u32 {
        match self {
            Self::Spot => 5,
            Self::Usdm => 10,
        }
    }

    /// Between two pings, and how long their pong may take.
    pub const fn pings(self) -> (Duration, Duration) {
        match self {
            Self::Spot => (Duration::from_secs(20), Duration::from_mins(1)),
            Self::Usdm => (Duration::from_mins(3), Duration::from_mins(10)),
        }
    }

    /// The kind of the stream of changes of the book.
    pub const fn depth(self) -> &'static str {
        match self {
            Self::Spot => "depth@100ms",
            Self::Usdm => "depth@0ms",
        }
    }

    /// What of a path is left behind its route, and the route; nothing where there is none such.
    pub fn route(self, path: &str) -> (Route, &str) {
        let routes = [("/public", Route::Public), ("/market", Route::Market)];
        let mut routes = routes.into_iter().filter(|_| self == Self::Usdm);
        let found = routes.find_map(|(prefix, route)| Some((route, path.strip_prefix(prefix)?)));
        found.unwrap_or((if self == Self::Spot { Route::All } else { Route::Old }, path))
    }

    /// What a route or a kind of stream tells, in this product's words, from spot's.
    pub fn worded(self, route: &str, told: Value) -> Value {
        let columns = SPOT_ONLY.iter().find(|(of, _)| *of == route).map_or(&[][..], |(_, columns)| columns);
        match self {
            Self::Spot => told,
            Self::Usdm => futures(columns, told),
        }
    }
}

/// Where a connection of streams was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// All kinds come there.
    All,
    /// Of futures, quotes, trades and changes of the book.
    Public,
    /// Of futures, all others.
    Market,
    /// Of futures, where clients of before the routes connect: what is public comes still.
    Old,
}

impl Route {
    /// Whether a stream comes there. Where not, a subscription is taken all the same.
    pub fn has(self, stream: &str) -> bool {
        let is_public = stream.split_once('@').is_some_and(|(_, kind)| PUBLIC.contains(&kind));
        match self {
            Self::All => true,
            Self::Public | Self::Old => is_public,
            Self::Market => !is_public,
        }
    }
}

/// Without these columns, and numbers without zeros that say nothing.
fn futures(columns: &[&str], value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(|value| futures(columns, value)).collect(),
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(name, _)| !columns.contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name, futures(columns, value))).collect())
        }
        Value::String(text) => Value::String(short(&text)),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
    }
}

/// A number with eight decimals without its zeros; any other text as it is.
fn short(text: &str) -> String {
    let is_number = text.split_once('.').is_some_and(|(whole, part)| {
        part.len() == 8 && (whole.to_owned() + part).trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit())
    });
    if is_number { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_stream_comes_on_one_route() {
        assert_eq!(Product::Usdm.route("/public/stream"), (Route::Public, "/stream"));
        assert_eq!(Product::Usdm.route("/market/ws/a"), (Route::Market, "/ws/a"));
        assert_eq!(Product::Usdm.route("/stream"), (Route::Old, "/stream"));
        assert_eq!(Product::Spot.route("/public/stream"), (Route::All, "/public/stream"));
        for (stream, public) in [("btcusdt@trade", true), ("btcusdt@bookTicker", true), ("btcusdt@aggTrade", false)] {
            assert_eq!((Route::Public.has(stream), Route::Old.has(stream)), (public, public), "{stream}");
            assert_eq!((Route::Market.has(stream), Route::All.has(stream)), (!public, true), "{stream}");
        }
    }

    #[test]
    fn futures_have_shorter_numbers_and_fewer_columns() {
        let row = json!({"price": "61800.30000000", "M": true, "id": 7, "symbol": "BTC.00000000"});
        assert_eq!(
            Product::Usdm.worded("aggTrades", row),
            json!({"price": "61800.3", "id": 7, "symbol": "BTC.00000000"})
        );
        assert_eq!(Product::Usdm.worded("klines", json!(["0.00000000", "-5.00000000"])), json!(["0", "-5"]));
    }
}

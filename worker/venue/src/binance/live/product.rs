//! The exchange's products: their paths, their bounds, and the connection that each kind of stream comes on.

use engine::instrument::{Contract, Settlement, Symbol};

/// What is traded there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// Coins, at once.
    Spot,
    /// Futures that settle in their quote, such as USDT.
    UsdMargined,
}

/// A kind of stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Best prices.
    BookTicker,
    /// Trades.
    Trade,
    /// Trades at one price, at one time and from one order, told as one.
    Aggregate,
}

impl Kind {
    /// As streams are named.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::BookTicker => "bookTicker",
            Self::Trade => "trade",
            Self::Aggregate => "aggTrade",
        }
    }
}

/// Where each kind of stream comes, by the path before `/stream`. On another path the exchange takes a subscription, and sends
/// nothing.
const ROUTES: [(Product, Kind, &str); 6] = [
    (Product::Spot, Kind::BookTicker, ""),
    (Product::Spot, Kind::Trade, ""),
    (Product::Spot, Kind::Aggregate, ""),
    (Product::UsdMargined, Kind::BookTicker, "/public"),
    (Product::UsdMargined, Kind::Trade, "/public"),
    (Product::UsdMargined, Kind::Aggregate, "/market"),
];

impl Product {
    /// The path of connections that carry this kind.
    pub(super) fn path(self, kind: Kind) -> &'static str {
        ROUTES.iter().find(|(product, routed, _)| (*product, *routed) == (self, kind)).map_or("", |(_, _, path)| path)
    }

    /// The path of requests.
    pub(super) const fn requests(self) -> &'static str {
        match self {
            Self::Spot => "/api/v3",
            Self::UsdMargined => "/fapi/v1",
        }
    }

    /// Streams on one connection, at most. Of futures the exchange's documents say 200, and later ones 1,024.
    pub(super) const fn streams_max(self) -> usize {
        match self {
            Self::Spot => 1_024,
            Self::UsdMargined => 200,
        }
    }

    /// Whether trades may come in aggregates: where the exchange documents no other stream of trades, though it has one.
    pub(super) const fn may_aggregate(self) -> bool {
        matches!(self, Self::UsdMargined)
    }

    /// Whether the symbol is one of its markets.
    pub(super) fn has(self, symbol: &Symbol) -> bool {
        match (self, symbol.contract()) {
            (Self::Spot, Contract::Spot) => true,
            (Self::UsdMargined, Contract::Perpetual(settlement) | Contract::Dated { settlement, .. }) => {
                *settlement == Settlement::Linear
            }
            _ => false,
        }
    }
}

//! What is traded: symbol, kind and the venue's rules for orders.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::numbers::shown::Digits;
use crate::numbers::{ExactDecimal, Notional, NumberError, Price, Quantity};
use crate::validation::Violation;

// The code lies in the value itself: a symbol is in every tick, and a copy of it must allocate nothing.
/// An asset's code: 1 to 20 capital letters and digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Asset {
    /// Zeros past the end, so that codes are in the order of their text.
    code: [u8; Self::LENGTH_MAX],
    length: u8,
}

impl Asset {
    /// The most letters and digits of a code.
    const LENGTH_MAX: usize = 20;

    /// The code.
    pub fn as_str(&self) -> &str {
        let code = self.code.get(..usize::from(self.length)).unwrap_or_default();
        // Only letters and digits were let in.
        std::str::from_utf8(code).unwrap_or_default()
    }
}

impl fmt::Debug for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Asset({self})")
    }
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Asset {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let letters = text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        let refuse = || SymbolError { text: text.chars().take(60).collect() };
        if text.is_empty() || !letters {
            return Err(refuse());
        }
        let mut code = [0; Self::LENGTH_MAX];
        code.get_mut(..text.len()).ok_or_else(refuse)?.copy_from_slice(text.as_bytes());
        Ok(Self { code, length: u8::try_from(text.len()).map_err(|_| refuse())? })
    }
}

impl TryFrom<String> for Asset {
    type Error = SymbolError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Asset> for String {
    fn from(asset: Asset) -> Self {
        asset.as_str().to_owned()
    }
}

/// The text is not an asset or a symbol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not BASE/QUOTE in capital letters and digits; write it like BTC/USDT")]
pub struct SymbolError {
    /// What was read.
    pub text: String,
}

/// A market's name, `BASE/QUOTE`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Symbol {
    base: Asset,
    quote: Asset,
}

impl Symbol {
    /// What a manifest's schema accepts.
    pub const PATTERN: &str = "^[A-Z0-9]{1,20}/[A-Z0-9]{1,20}$";

    /// The asset that is bought and sold.
    pub const fn base(&self) -> &Asset {
        &self.base
    }

    /// The asset that prices are in.
    pub const fn quote(&self) -> &Asset {
        &self.quote
    }

    /// Exchanges' own spelling, such as `BTCUSDT`.
    pub fn joined(&self) -> String {
        format!("{}{}", self.base, self.quote)
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.quote)
    }
}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || SymbolError { text: text.chars().take(60).collect() };
        let (base, quote) = text.split_once('/').ok_or_else(refuse)?;
        let symbol = Self { base: base.parse().map_err(|_| refuse())?, quote: quote.parse().map_err(|_| refuse())? };
        if symbol.base == symbol.quote { Err(refuse()) } else { Ok(symbol) }
    }
}

impl TryFrom<String> for Symbol {
    type Error = SymbolError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Symbol> for String {
    fn from(symbol: Symbol) -> Self {
        symbol.to_string()
    }
}

impl JsonSchema for Symbol {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Symbol".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": Self::PATTERN, "maxLength": 41 })
    }
}

/// What kind of contract an instrument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum InstrumentKind {
    /// Coins change hands at once.
    #[default]
    Spot,
}

/// The venue's rules for orders, as written in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rules {
    /// Prices of orders are multiples of this, for example "0.01". Quote decimals.
    pub tick_size: ExactDecimal,
    /// Quantities of orders are multiples of this, for example "0.00001". Quote decimals.
    pub lot_size: ExactDecimal,
    /// The least worth of an order, in quote. Orders below it are denied. Default 0: no least worth.
    #[serde(default = "Rules::default_min_notional")]
    pub min_notional: ExactDecimal,
}

impl Rules {
    /// Digits that tick size and lot size may have together, so that fees stay exact in 28 digits.
    pub const PLACES_MAX: u32 = 12;

    const fn default_min_notional() -> ExactDecimal {
        ExactDecimal::from_integer(0)
    }

    /// All that is wrong with these rules.
    pub fn validate(&self, path: &str) -> Vec<Violation> {
        let mut violations = Vec::new();
        for (name, value) in [("tickSize", self.tick_size), ("lotSize", self.lot_size)] {
            if value.get().is_zero() {
                violations.push(Violation::new(
                    format!("{path}.{name}"),
                    value,
                    "is zero; write the venue's step, such as \"0.01\"",
                ));
            }
        }
        let places = self.tick_size.get().normalize().scale().saturating_add(self.lot_size.get().normalize().scale());
        if places > Self::PLACES_MAX {
            let remedy = format!(
                "and tickSize have {places} digits after the point together; at most {} stay exact",
                Self::PLACES_MAX
            );
            violations.push(Violation::new(format!("{path}.lotSize"), self.lot_size, remedy));
        }
        violations
    }
}

/// A market with its rules, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instrument {
    /// The market's name.
    pub symbol: Symbol,
    /// The kind of contract.
    pub kind: InstrumentKind,
    /// Prices of orders are multiples of this.
    pub tick_size: Price,
    /// Quantities of orders are multiples of this.
    pub lot_size: Quantity,
    /// The least worth of an order.
    pub min_notional: Notional,
}

impl Instrument {
    /// An instrument under `rules`, which have been validated.
    pub fn new(symbol: Symbol, kind: InstrumentKind, rules: &Rules) -> Result<Self, NumberError> {
        Ok(Self {
            symbol,
            kind,
            tick_size: Price::new(rules.tick_size.get().normalize())?,
            lot_size: Quantity::new(rules.lot_size.get())?,
            min_notional: Notional::new(rules.min_notional.get())?,
        })
    }

    /// The digits that people read of this market's money, for an account worth `equity`.
    pub fn digits(&self, equity: Notional) -> Digits {
        Digits::of(self.tick_size, self.lot_size, equity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_is_base_and_quote_in_capitals() {
        let symbol: Symbol = "BTC/USDT".parse().unwrap();
        assert_eq!(
            (symbol.base().as_str(), symbol.quote().as_str(), symbol.joined().as_str()),
            ("BTC", "USDT", "BTCUSDT")
        );
        for bad in ["BTCUSDT", "btc/usdt", "BTC/", "/USDT", "BTC/USDT/X", "BTC-USDT", "BTC/BTC", ""] {
            assert!(bad.parse::<Symbol>().is_err(), "{bad}");
        }
    }

    #[test]
    fn rules_with_too_many_digits_are_refused() {
        let rules = |tick: &str, lot: &str| Rules {
            tick_size: tick.parse().unwrap(),
            lot_size: lot.parse().unwrap(),
            min_notional: ExactDecimal::from_integer(5),
        };
        assert!(rules("0.01", "0.00001").validate("r").is_empty());
        assert_eq!(rules("0", "1").validate("r")[0].path, "r.tickSize");
        assert_eq!(rules("0.00000001", "0.00001").validate("r")[0].path, "r.lotSize");
    }
}

//! The unified symbol: one text for each market, which says the kind of contract too.
//!
//! | text | contract |
//! |---|---|
//! | `BTC/USDT` | spot |
//! | `BTC/USDT:USDT` | perpetual, settled in the quote (linear) |
//! | `BTC/USD:BTC` | perpetual, settled in the base (inverse) |
//! | `BTC/USDT:USDT-260327` | dated future, with its last day as yymmdd |
//! | `BTC/USDT:USDT-260327-60000-C` | option, with its strike, a call (C) or a put (P) |

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::contract::{Contract, Date, Right, Settlement};
use super::{Asset, start_of};
use crate::numbers::Price;

/// A market's unified name. A clone shares the text; equal, ordered and hashed by the bytes of the text alone, which a
/// market has in one form only.
pub struct Symbol(Arc<Parsed>);

#[derive(Debug)]
struct Parsed {
    text: Box<str>,
    base: Asset,
    quote: Asset,
    contract: Contract,
}

/// The text is not a symbol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    /// It does not begin with two assets.
    #[error("{text:?} is not BASE/QUOTE in capital letters and digits; write it like BTC/USDT")]
    Pair {
        /// What was read.
        text: String,
    },
    /// It settles in a third asset, or in none.
    #[error("{text:?} does not settle in its quote or its base; write {base}/{quote}:{quote} or {base}/{quote}:{base}")]
    Settlement {
        /// What was read.
        text: String,
        /// What is traded.
        base: Asset,
        /// What prices are in.
        quote: Asset,
    },
    /// There is no such day.
    #[error("{text:?} does not expire on a day that there is; write the day as yymmdd, like BTC/USDT:USDT-260327")]
    Expiry {
        /// What was read.
        text: String,
    },
    /// The strike is not a price, or could be written shorter.
    #[error(
        "{text:?} has no strike above 0, written without zeros that say nothing; write it like BTC/USDT:USDT-260327-60000-C"
    )]
    Strike {
        /// What was read.
        text: String,
    },
    /// It is neither a call nor a put.
    #[error("{text:?} is neither a call nor a put; end it with -C or -P, like BTC/USDT:USDT-260327-60000-C")]
    Right {
        /// What was read.
        text: String,
    },
}

impl Symbol {
    /// What a manifest's schema accepts.
    pub const PATTERN: &str =
        "^[A-Z0-9]{1,20}/[A-Z0-9]{1,20}(:[A-Z0-9]{1,20}(-[0-9]{6}(-[0-9]{1,12}(\\.[0-9]{1,9})?-[CP])?)?)?$";
    /// The most letters of a text that [`Self::PATTERN`] accepts.
    pub const LENGTH_MAX: usize = 20 + 1 + 20 + 1 + 20 + 1 + 6 + 1 + 22 + 2;
    /// Digits after the point that a strike may have.
    const STRIKE_PLACES: u32 = 9;

    /// The asset that is bought and sold.
    pub fn base(&self) -> &Asset {
        &self.0.base
    }

    /// The asset that prices are in.
    pub fn quote(&self) -> &Asset {
        &self.0.quote
    }

    /// What is bought and sold under this name.
    pub fn contract(&self) -> &Contract {
        &self.0.contract
    }

    /// The asset that profit and loss are paid in.
    pub fn settles_in(&self) -> &Asset {
        match self.0.contract.settlement() {
            None | Some(Settlement::Linear) => &self.0.quote,
            Some(Settlement::Inverse) => &self.0.base,
        }
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Whether both are clones of one: then they are equal, and no text was compared.
    pub(crate) fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Exchanges' own spelling of a spot market, such as `BTCUSDT`.
    pub fn joined(&self) -> String {
        format!("{}{}", self.0.base, self.0.quote)
    }
}

/// The contract of what follows the pair, if anything does.
fn contract(text: &str, pair: (&Asset, &Asset), rest: Option<&str>) -> Result<Contract, SymbolError> {
    let text = || start_of(text);
    let Some(rest) = rest else { return Ok(Contract::Spot) };
    let mut parts = rest.splitn(4, '-');
    let (base, quote) = pair;
    let settlement = match parts.next().unwrap_or_default() {
        asset if asset == quote.as_str() => Settlement::Linear,
        asset if asset == base.as_str() => Settlement::Inverse,
        _ => return Err(SymbolError::Settlement { text: text(), base: base.clone(), quote: quote.clone() }),
    };
    let Some(date) = parts.next() else { return Ok(Contract::Perpetual(settlement)) };
    let expires = Date::of(date).ok_or_else(|| SymbolError::Expiry { text: text() })?;
    let Some(strike) = parts.next() else { return Ok(Contract::Dated { settlement, expires }) };
    let strike = strike_of(strike).ok_or_else(|| SymbolError::Strike { text: text() })?;
    let right = match parts.next() {
        Some("C") => Right::Call,
        Some("P") => Right::Put,
        Some(_) | None => return Err(SymbolError::Right { text: text() }),
    };
    Ok(Contract::Option { settlement, expires, strike, right })
}

/// A strike in its one form.
fn strike_of(text: &str) -> Option<Price> {
    let strike = text.parse::<Price>().ok()?.normalised();
    (strike.to_string() == text && strike.get().scale() <= Symbol::STRIKE_PLACES).then_some(strike)
}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Self, SymbolError> {
        let refuse = || SymbolError::Pair { text: start_of(text) };
        let (pair, rest) = text.split_once(':').map_or((text, None), |(pair, rest)| (pair, Some(rest)));
        let (base, quote) = pair.split_once('/').ok_or_else(refuse)?;
        let [base, quote] = [base, quote].map(|asset| asset.parse::<Asset>().map_err(|_| refuse()));
        let (base, quote) = (base?, quote?);
        if base == quote {
            return Err(refuse());
        }
        let contract = contract(text, (&base, &quote), rest)?;
        Ok(Self(Arc::new(Parsed { text: text.into(), base, quote, contract })))
    }
}

impl Clone for Symbol {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    fn clone_from(&mut self, source: &Self) {
        if !Arc::ptr_eq(&self.0, &source.0) {
            self.0 = Arc::clone(&source.0);
        }
    }
}

impl PartialEq for Symbol {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.text == other.0.text
    }
}

impl Eq for Symbol {}

impl PartialOrd for Symbol {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Symbol {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.text.as_bytes().cmp(other.0.text.as_bytes())
    }
}

impl Hash for Symbol {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.text.hash(state);
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Symbol({self})")
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Symbol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Symbol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SymbolText)
    }
}

struct SymbolText;

impl Visitor<'_> for SymbolText {
    type Value = Symbol;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Symbol, E> {
        text.parse().map_err(E::custom)
    }
}

impl schemars::JsonSchema for Symbol {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Symbol".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": Self::PATTERN, "maxLength": Self::LENGTH_MAX })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(text: &str) -> Symbol {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn each_form_is_read_and_written_as_it_was() {
        let expires = Date::of("260327").unwrap();
        let option = |settlement, strike: &str, right| Contract::Option {
            settlement,
            expires,
            strike: strike.parse().unwrap(),
            right,
        };
        for (text, contract, settles_in) in [
            ("BTC/USDT", Contract::Spot, "USDT"),
            ("1INCH/USDT", Contract::Spot, "USDT"),
            ("ABCDEFGHIJKLMNOPQRST/ABCDEFGHIJKLMNOPQRSU", Contract::Spot, "ABCDEFGHIJKLMNOPQRSU"),
            ("BTC/USDT:USDT", Contract::Perpetual(Settlement::Linear), "USDT"),
            ("BTC/USD:BTC", Contract::Perpetual(Settlement::Inverse), "BTC"),
            ("BTC/USDT:USDT-260327", Contract::Dated { settlement: Settlement::Linear, expires }, "USDT"),
            ("BTC/USD:BTC-260327", Contract::Dated { settlement: Settlement::Inverse, expires }, "BTC"),
            ("BTC/USDT:USDT-260327-60000-C", option(Settlement::Linear, "60000", Right::Call), "USDT"),
            ("XRP/USD:XRP-260327-0.55-P", option(Settlement::Inverse, "0.55", Right::Put), "XRP"),
            (
                "ABCDEFGHIJKLMNOPQRST/A:ABCDEFGHIJKLMNOPQRST-260327-999999999999.123456789-C",
                option(Settlement::Inverse, "999999999999.123456789", Right::Call),
                "ABCDEFGHIJKLMNOPQRST",
            ),
        ] {
            let read = symbol(text);
            assert_eq!(read.contract(), &contract, "{text}");
            assert_eq!((read.to_string(), read.as_str(), read.settles_in().as_str()), (text.into(), text, settles_in));
            assert_eq!(serde_json::to_string(&read).unwrap(), format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Symbol>(&format!("\"{text}\"")).unwrap(), read);
            assert!(text.len() <= Symbol::LENGTH_MAX, "{text}");
        }
        let spot = symbol("BTC/USDT");
        assert_eq!((spot.base().as_str(), spot.quote().as_str(), spot.joined().as_str()), ("BTC", "USDT", "BTCUSDT"));
    }

    /// What is told of texts, and the texts.
    const REFUSED: [(&str, &[&str]); 5] = [
        (
            "is not BASE/QUOTE in capital letters and digits; write it like BTC/USDT",
            &[
                "",
                "/",
                ":",
                "BTCUSDT",
                "btc/usdt",
                "BTC/",
                "/USDT",
                "BTC/USDT/X",
                "BTC-USDT",
                "BTC/BTC",
                "BTC/BTC:BTC",
                " BTC/USDT",
                "BTC/USDT-260327",
                "ABCDEFGHIJKLMNOPQRSTU/USDT",
                "BTC/ABCDEFGHIJKLMNOPQRSTU",
            ],
        ),
        (
            "does not settle in its quote or its base; write BTC/USDT:USDT or BTC/USDT:BTC",
            &[
                "BTC/USDT:",
                "BTC/USDT:USDC",
                "BTC/USDT:usdt",
                "BTC/USDT:USDT:USDT",
                "BTC/USDT: USDT",
                "BTC/USDT:-260327",
            ],
        ),
        (
            "does not expire on a day that there is",
            &[
                "BTC/USDT:USDT-",
                "BTC/USDT:USDT-260231",
                "BTC/USDT:USDT-20260327",
                "BTC/USDT:USDT-26032",
                "BTC/USDT:USDT-C",
                "BTC/USDT:USDT--60000-C",
            ],
        ),
        (
            "has no strike above 0",
            &[
                "BTC/USDT:USDT-260327-",
                "BTC/USDT:USDT-260327-0-C",
                "BTC/USDT:USDT-260327--C",
                "BTC/USDT:USDT-260327-060000-C",
                "BTC/USDT:USDT-260327-60000.0-C",
                "BTC/USDT:USDT-260327-6e4-C",
                "BTC/USDT:USDT-260327-+6-C",
                "BTC/USDT:USDT-260327-60_000-C",
                "BTC/USDT:USDT-260327-.5-C",
                "BTC/USDT:USDT-260327-0.0000000001-C",
                "BTC/USDT:USDT-260327-1000000000000-C",
                "BTC/USDT:USDT-260327-C",
            ],
        ),
        (
            "is neither a call nor a put",
            &[
                "BTC/USDT:USDT-260327-60000",
                "BTC/USDT:USDT-260327-60000-",
                "BTC/USDT:USDT-260327-60000-c",
                "BTC/USDT:USDT-260327-60000-X",
                "BTC/USDT:USDT-260327-60000-C-C",
                "BTC/USDT:USDT-260327-60000-CALL",
            ],
        ),
    ];

    #[test]
    fn what_is_no_symbol_is_refused_with_what_to_write() {
        for (told, texts) in REFUSED {
            for text in texts {
                let error = text.parse::<Symbol>().unwrap_err().to_string();
                assert!(error.starts_with(&format!("{text:?} {told}")), "{error}");
            }
        }
        let long = "B".repeat(200).parse::<Symbol>().unwrap_err().to_string();
        assert!(long.len() < 150, "{long}");
    }

    #[test]
    fn markets_of_one_pair_are_others_and_ordered_by_their_text() {
        let texts = [
            "BTC/USDT:USDT-260327-60000-P",
            "BTC/USDT:USDT",
            "ETH/USDT",
            "BTC/USDT",
            "BTC/USD:BTC",
            "BTC/USDT:USDT-260327",
        ];
        let mut symbols = texts.map(symbol);
        symbols.sort();
        let mut sorted = texts;
        sorted.sort_unstable();
        assert_eq!(symbols.each_ref().map(Symbol::as_str), sorted);
        let [one, same] = ["BTC/USDT", "BTC/USDT"].map(symbol);
        let mut copy = symbol("ETH/USDT");
        copy.clone_from(&one);
        assert!(one == same && one == copy && one != symbol("BTC/USDT:USDT"));
        assert_eq!(std::collections::HashSet::from([one, same, copy]).len(), 1);
    }
}

//! exchangeInfo: the rules of the symbols, from a recorded answer.

use serde_json::{Map, Value, json};

use crate::amount::Amount;
use crate::product::Product;

/// The recorded answers.
const SPOT: &str = include_str!("../../testdata/exchange-info.json");
const USDM: &str = include_str!("../../testdata/exchange-info-usdm.json");
/// The symbol whose rules a symbol gets that was not recorded.
const PATTERN: &str = "BTCUSDT";
/// Assets that a symbol's name may end with.
const QUOTES: [&str; 10] = ["USDT", "BUSD", "USDC", "FDUSD", "TUSD", "BTC", "ETH", "BNB", "EUR", "TRY"];
/// Statuses that a symbol can have.
pub const STATUSES: [&str; 5] = ["TRADING", "HALT", "BREAK", "CANCEL_ONLY", "SETTLING"];

/// What rules can be wrong.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The text is no such answer.
    #[error("no answer of exchangeInfo: {0}")]
    NoAnswer(String),
    /// A status that there is not.
    #[error("status {0:?} is none of TRADING, HALT, BREAK, CANCEL_ONLY, SETTLING")]
    NoStatus(String),
    /// A filter that the symbol has not.
    #[error("{symbol} has no filter {filter:?}; it has {has}")]
    NoFilter {
        /// The symbol.
        symbol: String,
        /// What was asked for.
        filter: String,
        /// What there is.
        has: String,
    },
}

/// The rules of all symbols that can be played.
pub struct Book {
    /// What is traded.
    pub product: Product,
    answer: Map<String, Value>,
    symbols: Vec<Value>,
}

impl Book {
    /// Reads an answer of exchangeInfo; the recorded one, of August 2025, if there is none.
    pub fn read(product: Product, answer: Option<&str>) -> Result<Self, RulesError> {
        let recorded = if product == Product::Spot { SPOT } else { USDM };
        let wrong = |error: &str| RulesError::NoAnswer(error.to_owned());
        let answer: Value =
            serde_json::from_str(answer.unwrap_or(recorded)).map_err(|error| wrong(&error.to_string()))?;
        let Value::Object(mut answer) = answer else { return Err(wrong("it is no object")) };
        let Some(Value::Array(symbols)) = answer.remove("symbols") else { return Err(wrong("it has no symbols")) };
        Ok(Self { product, answer, symbols })
    }

    /// The rules of a symbol; those of another one under its name if it is not known.
    pub fn of(&self, symbol: &str) -> Result<Rules, RulesError> {
        let find = |name: &str| self.symbols.iter().find(|rules| rules["symbol"] == *name);
        if let Some(Value::Object(rules)) = find(symbol) {
            return Ok(Rules(rules.clone()));
        }
        let pattern = find(PATTERN).or_else(|| self.symbols.first());
        let Some(Value::Object(rules)) = pattern else {
            return Err(RulesError::NoAnswer("it has no symbols".to_owned()));
        };
        let mut rules = rules.clone();
        let split = QUOTES.iter().find_map(|quote| Some((symbol.strip_suffix(quote)?, *quote)));
        let (base, quote) = split.filter(|(base, _)| !base.is_empty()).unwrap_or((symbol, "USDT"));
        let named =
            [("symbol", symbol), ("pair", symbol), ("baseAsset", base), ("quoteAsset", quote), ("marginAsset", quote)];
        for (key, value) in named.into_iter().chain([("status", "TRADING")]) {
            // What this product does not tell stays untold.
            if let Some(known) = rules.get_mut(key) {
                *known = json!(value);
            }
        }
        Ok(Rules(rules))
    }

    /// The answer with these symbols.
    pub fn answer(&self, time: i64, symbols: Vec<Value>) -> Value {
        let mut answer = self.answer.clone();
        answer.insert("serverTime".to_owned(), json!(time));
        answer.insert("symbols".to_owned(), Value::Array(symbols));
        Value::Object(answer)
    }
}

/// The rules of one symbol.
pub struct Rules(Map<String, Value>);

impl Rules {
    /// As exchangeInfo tells them.
    pub fn answer(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// Its status.
    pub fn status(&self) -> &str {
        self.0.get("status").and_then(Value::as_str).unwrap_or("BREAK")
    }

    /// Whether it trades.
    pub fn trading(&self) -> bool {
        self.status() == "TRADING"
    }

    /// Decimals that futures' prices and quantities are written with.
    pub fn places(&self) -> (usize, usize) {
        let places =
            |field: &str| self.0.get(field).and_then(Value::as_u64).and_then(|places| usize::try_from(places).ok());
        (places("pricePrecision").unwrap_or(8), places("quantityPrecision").unwrap_or(8))
    }

    /// Changes the status.
    pub fn set_status(&mut self, status: &str) -> Result<(), RulesError> {
        if !STATUSES.contains(&status) {
            return Err(RulesError::NoStatus(status.to_owned()));
        }
        self.0.insert("status".to_owned(), json!(status));
        Ok(())
    }

    /// The least step of its price.
    pub fn tick(&self) -> Amount {
        self.least("PRICE_FILTER", "tickSize")
    }

    /// The least step of its quantity.
    pub fn lot(&self) -> Amount {
        self.least("LOT_SIZE", "stepSize")
    }

    fn least(&self, name: &str, field: &str) -> Amount {
        let filters = self.0.get("filters").and_then(Value::as_array).into_iter().flatten();
        let step = filters
            .filter(|filter| filter["filterType"] == *name)
            .find_map(|filter| filter[field].as_str()?.parse().ok());
        step.filter(|step| *step > Amount::ZERO).unwrap_or(Amount::from_units(1))
    }

    /// Changes fields of a filter.
    pub fn set_filter(&mut self, filter: &str, fields: &Map<String, Value>) -> Result<(), RulesError> {
        let symbol = self.0.get("symbol").and_then(Value::as_str).unwrap_or("").to_owned();
        let filters = self.0.get_mut("filters").and_then(Value::as_array_mut);
        let filters: &mut [Value] = filters.map_or(&mut [], Vec::as_mut_slice);
        let names: Vec<String> =
            filters.iter().filter_map(|filter| filter["filterType"].as_str()).map(str::to_owned).collect();
        let found = filters.iter_mut().find(|found| found["filterType"] == *filter).and_then(Value::as_object_mut);
        let Some(found) = found else {
            return Err(RulesError::NoFilter { symbol, filter: filter.to_owned(), has: names.join(", ") });
        };
        found.extend(fields.clone());
        Ok(())
    }
}

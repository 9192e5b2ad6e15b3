//! The venue's list of markets and their rules, as text. May not ask for it.

use engine::instrument::{Asset, Symbol};
use engine::numbers::Notional;
use engine::time::{Timestamp, rfc3339};
use serde::Deserialize;

use super::product::Product;
use crate::binance::symbols;
use crate::data;
use crate::live::{CandlesWanted, MarketState, MarketSteps};

/// Names in one question, at most: a longer one becomes an address that proxies refuse, and the whole list is no longer.
const NAMES_MAX: usize = 100;
/// The step where a market has none: the smallest that the venue writes.
const SMALLEST_STEP: &str = "0.00000001";

/// What the venue answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExchangeInfo {
    /// Its clock.
    pub server_time: Timestamp,
    pub markets: Vec<Listed>,
}

/// One market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    /// The unified name; of other alphabets too, in which no symbol is written.
    pub symbol: String,
    pub state: MarketState,
    pub steps: Option<MarketSteps>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    server_time: i64,
    symbols: Vec<SymbolData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SymbolData {
    status: String,
    base_asset: String,
    quote_asset: String,
    /// These three only of futures.
    contract_type: Option<String>,
    margin_asset: Option<String>,
    delivery_date: Option<i64>,
    filters: Vec<Filter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    #[serde(rename = "filterType")]
    kind: String,
    tick_size: Option<String>,
    step_size: Option<String>,
    min_notional: Option<String>,
    /// Of futures.
    notional: Option<String>,
}

/// The question for the rules of these markets; for those of all where there are many, or none is named.
pub(super) fn question(product: Product, names: &[String]) -> String {
    let all = format!("{}/exchangeInfo", product.requests());
    if product == Product::UsdMargined {
        // It answers for all markets whatever is asked.
        return all;
    }
    // Permissions are most of the list, and nothing here asks for them.
    let all = format!("{all}?showPermissionSets=false");
    if names.is_empty() || names.len() > NAMES_MAX {
        return all;
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("%22{}%22", encoded(name))).collect();
    format!("{all}&symbols=%5B{}%5D", quoted.join(","))
}

/// The question for the venue's clock.
pub(super) fn time_question(product: Product) -> String {
    format!("{}/time", product.requests())
}

/// Reads the venue's clock.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        server_time: i64,
    }
    let answer: Answer = serde_json::from_str(text).map_err(|problem| problem.to_string())?;
    server_time(answer.server_time)
}

fn server_time(time: i64) -> Result<Timestamp, String> {
    data::checked_millis(time).map_err(|problem| format!("serverTime: {problem}"))
}

/// The question for closed candles of a market that open from `from` to before the end of what is wanted.
pub(super) fn candles_question(product: Product, wanted: &CandlesWanted, from: Timestamp) -> String {
    let CandlesWanted { symbol, interval, to, .. } = wanted;
    format!(
        "{}/klines?symbol={}&interval={interval}&startTime={}&endTime={}&limit=1000",
        product.requests(),
        encoded(&symbols::name(symbol)),
        from.millis(),
        to.millis().saturating_sub(1)
    )
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Whether a refusal says that one of the markets is unknown.
pub(super) fn is_unknown_symbol(status: u16, body: &str) -> bool {
    #[derive(Deserialize)]
    struct Refused {
        code: i64,
    }
    status == 400 && serde_json::from_str::<Refused>(body).is_ok_and(|refused| matches!(refused.code, -1121 | -1100))
}

impl ExchangeInfo {
    /// Reads the answer.
    pub(super) fn read(product: Product, text: &str) -> Result<Self, String> {
        let answer: Answer = serde_json::from_str(text).map_err(|problem| problem.to_string())?;
        let server_time = server_time(answer.server_time)?;
        let listed = answer.symbols.into_iter().filter_map(|data| Listed::of(product, &data));
        Ok(Self { server_time, markets: listed.collect() })
    }

    /// The market whose name is nearest to one that the venue does not have.
    pub(super) fn nearest(&self, symbol: &Symbol) -> Option<String> {
        // By what is traded, so that who named another kind of contract of the same pair is told this one.
        let wanted = format!("{}/{}", symbol.base(), symbol.quote());
        let pair = |name: &str| name.split_once(':').map_or(name, |(pair, _)| pair).to_owned();
        // One that a manifest cannot name is no suggestion.
        let named = self.markets.iter().map(|listed| &listed.symbol).filter(|name| name.parse::<Symbol>().is_ok());
        let ranked = named.map(|name| (strsim::osa_distance(&wanted, &pair(name)), name.len(), name));
        let (distance, _, nearest) = ranked.min()?;
        (distance <= wanted.chars().count() / 3).then(|| nearest.clone())
    }
}

impl Listed {
    /// A market that has a unified name.
    fn of(product: Product, data: &SymbolData) -> Option<Self> {
        let symbol = match product {
            Product::Spot => format!("{}/{}", data.base_asset, data.quote_asset),
            Product::UsdMargined => future(data)?,
        };
        Some(Self { symbol, state: state(&data.status), steps: steps(data) })
    }
}

/// The unified name of a future: `BTC/USDT:USDT`, with its day where it has an end.
fn future(data: &SymbolData) -> Option<String> {
    let pair = format!("{}/{}:{}", data.base_asset, data.quote_asset, data.margin_asset.as_deref()?);
    match data.contract_type.as_deref()? {
        "PERPETUAL" | "TRADIFI_PERPETUAL" => Some(pair),
        // One that is not listed yet or no more has no kind.
        "" => None,
        _ => {
            let moment = rfc3339::text(data::checked_millis(data.delivery_date?).ok()?);
            let (day, _) = moment.split_once('T')?;
            Some(format!("{pair}-{}", day.get(2..)?.replace('-', "")))
        }
    }
}

fn state(status: &str) -> MarketState {
    match status {
        "TRADING" => MarketState::Trading,
        "CANCEL_ONLY" => MarketState::CancelOnly,
        // HALT, BREAK, PRE_TRADING, END_OF_DAY and whatever comes: nothing that is known to be allowed.
        _ => MarketState::Halted,
    }
}

/// The steps; none where one of them does not read.
fn steps(data: &SymbolData) -> Option<MarketSteps> {
    let filter = |kinds: &[&str]| data.filters.iter().find(|filter| kinds.contains(&filter.kind.as_str()));
    let is_zero = |text: &&String| text.bytes().all(|b| matches!(b, b'0' | b'.'));
    let step =
        |text: Option<&String>| text.filter(|text| !is_zero(text)).map_or(SMALLEST_STEP, String::as_str).to_owned();
    let tick_size = step(filter(&["PRICE_FILTER"]).and_then(|filter| filter.tick_size.as_ref()));
    let lot_size = step(filter(&["LOT_SIZE"]).and_then(|filter| filter.step_size.as_ref()));
    let least = filter(&["NOTIONAL", "MIN_NOTIONAL"]);
    let least = least.and_then(|filter| filter.min_notional.as_deref().or(filter.notional.as_deref()));
    let min_notional = match least {
        Some(text) => text.parse().ok()?,
        None => Notional::ZERO,
    };
    Some(MarketSteps {
        tick_size: data::price(&tick_size).ok()?,
        lot_size: data::size(&lot_size).ok()?,
        min_notional,
        base: data.base_asset.parse::<Asset>().ok()?,
        quote: data.quote_asset.parse::<Asset>().ok()?,
    })
}

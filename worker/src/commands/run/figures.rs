//! How figures are written for people. Pure but for a look at the data's own list of sources.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use engine::Performance;
use engine::fees::PaidIn;
use engine::numbers::shown::{self, Digits};
use engine::numbers::{Notional, Price, Quantity};
use engine::report::Trade;
use engine::strategies::{Registry, Strategy};
use rust_decimal::Decimal;
use venue::replay::{Replay, Summary};

use super::ended::Ended;
use crate::fleet::provision::Places;
use crate::outcome::clock;
use crate::outcome::{EndedTransfer, Outcome};
use crate::process::exit::Failure;
use crds::roles::StrategySpec;

/// The most bytes of a list of sources that are looked at.
const SOURCES_MAX: u64 = 1 << 20;

/// With commas between thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The first tick's price.
pub(super) fn first_price(data: Option<&Arc<Summary>>) -> Result<Price, Failure> {
    match data.and_then(|summary| Replay::open(Arc::clone(summary)).next()) {
        Some(Ok(tick)) => Ok(tick.price),
        Some(Err(error)) => Err(Failure::refused(error.to_string())),
        None => Err(Failure::refused("the data holds no tick")),
    }
}

/// `10000 USDT, 1 BTC; fees 0.1 %, paid in USDT`
pub(super) fn account_line(places: &Places) -> String {
    let account = &places.gateway.spec.account;
    let Some(paper) = &account.spec.venue.paper else { return String::new() };
    let quote = places.strategies.first().map(|place| place.spec.spec.instruments[0].symbol.quote());
    let mut balances: Vec<_> = paper.balances.iter().collect();
    // The quote asset first: it is what people count in.
    balances.sort_by_key(|(asset, _)| Some(*asset) != quote);
    let balances: Vec<_> = balances.iter().map(|(asset, amount)| format!("{amount} {asset}")).collect();
    let paid_in = match (paper.fees.paid_in, quote) {
        (PaidIn::Quote, Some(quote)) => quote.to_string(),
        (PaidIn::Quote, None) => "the quote asset".to_owned(),
        (PaidIn::Received, _) => "the asset received".to_owned(),
    };
    format!("{}; fees {} %, paid in {paid_in}", balances.join(", "), paper.fees.taker_percent)
}

/// `BTC/USDT, grid 2 %, 10 % of equity per order; capital 3000 USDT + 0.34 BTC = 5998.51 USDT`
pub(super) fn strategy_line(spec: &StrategySpec, strategy: &dyn Strategy, first: Price) -> Result<String, Failure> {
    let symbol = &spec.spec.instruments[0].symbol;
    let instruments = spec.instruments().map_err(|error| Failure::refused(error.to_string()))?;
    let symbols: Vec<_> = instruments.iter().map(|(_, instrument)| instrument.symbol.as_str()).collect();
    let symbols = symbols.join(" + ");
    let described = strategy.described(&instruments);
    let described = if described.is_empty() { spec.spec.strategy.name().to_owned() } else { described };
    let mut capital: Vec<_> = spec.spec.capital.iter().collect();
    capital.sort_by_key(|(asset, _)| *asset != symbol.quote());
    let worth = opening_equity(spec, first);
    let capital: Vec<_> = capital.iter().map(|(asset, amount)| format!("{amount} {asset}")).collect();
    let worth = digits(spec, worth).show(worth);
    let capital = capital.join(" + ");
    if instruments.len() > 1 {
        // The first prices of the others are not looked at here.
        return Ok(format!("{symbols}, {described}; capital {capital}"));
    }
    Ok(format!("{symbols}, {described}; capital {capital} = {worth} {}", symbol.quote()))
}

/// The same before the first price, and before rules that the venue tells.
pub(super) fn live_line(spec: &StrategySpec, strategy: &dyn Strategy) -> String {
    let symbols: Vec<_> = spec.spec.instruments.iter().map(|instrument| instrument.symbol.as_str()).collect();
    let described = spec.instruments().map(|instruments| strategy.described(&instruments)).unwrap_or_default();
    let described = if described.is_empty() { spec.spec.strategy.name().to_owned() } else { described };
    let capital: Vec<_> = spec.spec.capital.iter().map(|(asset, amount)| format!("{amount} {asset}")).collect();
    format!("{}, {described}; capital {}", symbols.join(" + "), capital.join(" + "))
}

/// A strategy under the parameters of its manifest, before its first tick: it says itself what there is to say of it.
pub(super) fn strategy_of(spec: &StrategySpec, registry: &Registry) -> Result<Box<dyn Strategy>, Failure> {
    fn refuse(error: impl std::fmt::Display) -> Failure {
        Failure::refused(error.to_string())
    }
    let (name, parameters) = spec.strategy().map_err(refuse)?;
    let definition = registry.get(&name).map_err(refuse)?;
    (definition.start)(&parameters, None).map_err(refuse)
}

/// What the capital is worth at the first price.
fn opening_equity(spec: &StrategySpec, first: Price) -> Notional {
    let symbol = &spec.spec.instruments[0].symbol;
    let worth: Decimal = spec
        .spec
        .capital
        .iter()
        .map(|(asset, amount)| if asset == symbol.base() { amount.get() * first.get() } else { amount.get() })
        .sum();
    // Beyond the range of money the engine refuses it; nothing is shown of it then.
    Notional::new(worth).unwrap_or(Notional::ZERO)
}

/// The digits of a strategy's money; two where its rules do not read.
fn digits(spec: &StrategySpec, equity: Notional) -> Digits {
    spec.instrument().map_or(Digits::ORDINARY, |instrument| instrument.digits(equity))
}

/// The digits of a strategy's money, from its capital at the first price.
pub(super) fn opening_digits(spec: &StrategySpec, first: Price) -> Digits {
    digits(spec, opening_equity(spec, first))
}

/// `btcusdt.csv.gz: 1,468 real candles, 2020-04-30 21:00 to 2020-07-01 03:00 UTC, 3 missing`
pub(super) fn data_line(summary: &Summary) -> String {
    let files: Vec<_> = summary.files.iter().map(|file| file_name(&file.path)).collect();
    let rows: u64 = summary.files.iter().map(|file| file.rows).sum();
    let file = &summary.files[0];
    let origin = origin(&file.path).map_or_else(String::new, |origin| format!("{origin} "));
    let missing = if summary.missing > 0 { format!(", {} missing", grouped(summary.missing)) } else { String::new() };
    format!("{}: {} {origin}{}, {}{missing}", files.join(", "), grouped(rows), file.format.rows(), clock::span(summary))
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// What the `SOURCES.md` beside a file says of it: real market data, or synthetic. Nothing where it is silent.
fn origin(path: &Path) -> Option<&'static str> {
    let list = path.with_file_name("SOURCES.md");
    if !std::fs::metadata(&list).ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    File::open(list).ok()?.take(SOURCES_MAX).read_to_string(&mut text).ok()?;
    let name = file_name(path);
    let row = text.lines().find(|line| line.contains(&name))?;
    Some(if row.contains("synthetic") { "synthetic" } else { "real" })
}

/// The columns of `kubectl get`.
pub(super) fn columns(strategies: &[Ended]) -> String {
    let head =
        ["NAME", "MODE", "SYMBOL", "STATE", "READY", "TRADES", "POSITION", "NET-PNL", "ALERT"].map(str::to_owned);
    let mut rows = vec![head];
    for ended in strategies {
        let status = &ended.status;
        let ready = status.conditions.iter().find(|condition| condition.type_ == crds::condition::READY);
        let summary = status.report.as_ref().map(|report| report.summary.clone()).unwrap_or_default();
        rows.push([
            ended.place.spec.name.clone(),
            "Paper".to_owned(),
            summary.symbol,
            status.state.map_or_else(String::new, |state| format!("{state:?}")),
            ready.map_or_else(String::new, |ready| format!("{:?}", ready.status)),
            status.report.as_ref().map_or_else(String::new, |report| report.orders.filled.to_string()),
            summary.position,
            summary.net_pnl,
            summary.alert,
        ]);
    }
    let mut widths = [0; 9];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    let line = |row: &[String; 9]| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", cells.join("   ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// The figures of a whole run, three lines.
pub(super) fn performance(spec: &StrategySpec, performance: &Performance) -> String {
    let symbol = &spec.spec.instruments[0].symbol;
    let quote = symbol.quote();
    let digits = digits(spec, performance.opening_equity);
    let profit = &performance.profit;
    let (before, after) = (performance.opening_equity, performance.equity);
    // What was put in is no gain.
    let earned = after.minus(performance.transferred).unwrap_or(after);
    let [change, holding] = [earned, performance.holding_equity].map(|after| change(before, after));
    let fall = shown::percent(performance.max_drawdown.percent());
    let [before, after] = digits.apart([before, after]);
    let moved = if performance.transferred == Notional::ZERO {
        String::new()
    } else {
        format!(" with {} by transfers", digits.signed(performance.transferred))
    };
    let equity = format!(
        "  equity    {before} -> {after} {quote}{moved}, {change} % (buy-and-hold: {holding} %); max drawdown {fall} %\n"
    );
    let [net, realized, unrealized, fees] = digits.line([profit.net, profit.realized, profit.unrealized, profit.fees]);
    let net = format!("  net       {net} = realized {realized} + unrealized {unrealized} - fees {fees}\n");
    format!("{equity}{net}  holds     {}\n", holds(spec, performance, digits))
}

/// `6.027 BNB at 592.00 + 2409.74 USDT; would sell above 598.13, buy below 574.67`
fn holds(spec: &StrategySpec, performance: &Performance, digits: Digits) -> String {
    let Ok(instruments) = spec.instruments() else { return String::new() };
    let coins = performance.prices.iter().zip(&performance.holdings).map(|((symbol, price), (asset, held))| {
        let instrument = instruments.index_of(symbol).and_then(|index| instruments.get(index));
        let instrument = instrument.unwrap_or_else(|| instruments.first());
        let lot = instrument.lot_size.get();
        let held = shown::fixed(held.get(), lot.scale().max(held.get().scale()));
        format!("{held} {asset} at {}", price.shown_in(instrument.tick_size))
    });
    let cash = performance.holdings.last().map(|(asset, cash)| format!("{} {asset}", digits.show(*cash)));
    let held = coins.chain(cash).collect::<Vec<_>>().join(" + ");
    let outlook = performance.outlook.as_ref().map_or_else(String::new, |outlook| format!("; {outlook}"));
    format!("{held}{outlook}")
}

/// With the digits of the lots, or more where it has more.
pub(super) fn quantity(quantity: Quantity, lot_size: Quantity) -> String {
    shown::fixed(quantity.get(), lot_size.get().scale().max(quantity.get().scale()))
}

fn change(before: Notional, after: Notional) -> String {
    // Only of nothing is there no share.
    shown::change_percent(before, after).map_or_else(|| "?".to_owned(), shown::signed_percent)
}

/// The results of a backtest, each with its trades.
pub(super) fn outcomes(outcomes: &[Outcome]) -> String {
    let mut lines = Vec::new();
    for outcome in outcomes {
        let (ticks, trades) = (grouped(outcome.ticks), outcome.trades.len());
        let noun = if trades == 1 { "trade" } else { "trades" };
        let clock = clock::exact(outcome.trades.iter().map(|trade| trade.time.millis()));
        lines.push(format!("{}: {ticks} ticks, {trades} {noun}", outcome.strategy));
        for trade in &outcome.trades {
            let when = clock.write(trade.time.millis());
            let fee = format!("fee {} {}", trade.fee, trade.fee_asset);
            let Trade { index, side, quantity, price, .. } = trade;
            lines.push(format!("  {index:>6}  {when}  {side:<4}  {quantity} @ {price}  {fee}"));
        }
        let held: Vec<_> = outcome.end.position.iter().map(|(asset, amount)| format!("{amount} {asset}")).collect();
        let pnl = &outcome.pnl;
        lines.push(format!(
            "  holds   {} = {} {} at {}",
            held.join(" + "),
            outcome.end.equity,
            pnl.currency,
            outcome.end.price
        ));
        for EndedTransfer { id, state } in &outcome.end.transfers {
            lines.push(format!("  transfer {id} {state:?}"));
        }
        lines.push(format!(
            "  net     {} {} = realized {} + unrealized {} - fees {}",
            pnl.net, pnl.currency, pnl.realized, pnl.unrealized, pnl.fees
        ));
    }
    lines.join("\n") + "\n"
}

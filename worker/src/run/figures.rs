//! How figures are written for people. Pure but for a look at the data's own list of sources.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use engine::Performance;
use engine::fees::PaidIn;
use engine::numbers::{Notional, Price, Ratio};
use engine::report::Trade;
use engine::strategy::{Figures, OrderSize};
use rust_decimal::Decimal;
use venue::replay::{Replay, Summary};

use super::ended::Ended;
use crate::exit::Failure;
use crate::outcome::Outcome;
use crate::provision::Places;
use crds::roles::StrategySpec;

/// The most bytes of a list of sources that are looked at.
const SOURCES_MAX: u64 = 1 << 20;

/// Rounded half to even to `places` digits, all of them shown.
pub(super) fn fixed(value: Decimal, places: u32) -> String {
    let mut value = value.round_dp(places);
    value.rescale(places);
    value.to_string()
}

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

fn time(milliseconds: i64, format: &str) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| milliseconds.to_string(), |time| time.strftime(format).to_string())
}

/// Day and minute, UTC.
pub(super) fn clock(milliseconds: i64) -> String {
    time(milliseconds, "%m-%d %H:%M")
}

/// The first tick's price.
pub(super) fn first_price(summary: &std::sync::Arc<Summary>) -> Result<Price, Failure> {
    let first = Replay::open(std::sync::Arc::clone(summary)).next();
    match first {
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
pub(super) fn strategy_line(spec: &StrategySpec, first: Price) -> String {
    let symbol = &spec.spec.instruments[0].symbol;
    let grid = spec.spec.strategy.grid.as_ref().map_or_else(String::new, |grid| {
        let size = match grid.order_size() {
            OrderSize::EquityShare(share) => format!("{} % of equity", share.percent()),
            OrderSize::Fixed(quantity) => format!("{quantity} {}", symbol.base()),
        };
        format!("grid {} %, {size} per order", grid.grid_size_percent)
    });
    let mut capital: Vec<_> = spec.spec.capital.iter().collect();
    capital.sort_by_key(|(asset, _)| *asset != symbol.quote());
    let worth: Decimal = capital
        .iter()
        .map(|(asset, amount)| if *asset == symbol.base() { amount.get() * first.get() } else { amount.get() })
        .sum();
    let capital: Vec<_> = capital.iter().map(|(asset, amount)| format!("{amount} {asset}")).collect();
    format!("{symbol}, {grid}; capital {} = {} {}", capital.join(" + "), fixed(worth, 2), symbol.quote())
}

/// `start 8819.15: sells after a turn above 8995.53, buys after a turn below 8642.77`
pub(super) fn start_line(spec: &StrategySpec, first: Price) -> Option<String> {
    let grid = spec.spec.strategy.grid.as_ref()?;
    let places = price_places(spec);
    let base = grid.base_price.and_then(|base| Price::new(base.get()).ok()).unwrap_or(first);
    let share = Ratio::from_percent(grid.grid_size_percent);
    let band = |factor: Ratio| base.scaled(factor).ok().map(|band| fixed(band.get(), places));
    let (upper, lower) = (band(share.above_one())?, band(share.below_one())?);
    let base = fixed(base.get(), places.max(base.normalised().get().scale()));
    Some(format!("start {base}: sells after a turn above {upper}, buys after a turn below {lower}"))
}

fn price_places(spec: &StrategySpec) -> u32 {
    spec.instrument().map_or(2, |instrument| instrument.tick_size.get().scale())
}

/// `btcusdt.csv.gz: 1,468 real candles, 2020-04-30 21:00 to 2020-07-01 03:00 UTC, 3 missing`
pub(super) fn data_line(summary: &Summary) -> String {
    let minute = |milliseconds| time(milliseconds, "%Y-%m-%d %H:%M");
    let files: Vec<_> = summary.files.iter().map(|file| file_name(&file.path)).collect();
    let rows: u64 = summary.files.iter().map(|file| file.rows).sum();
    let file = &summary.files[0];
    let origin = origin(&file.path).map_or_else(String::new, |origin| format!("{origin} "));
    let missing = if summary.missing > 0 { format!(", {} missing", grouped(summary.missing)) } else { String::new() };
    format!(
        "{}: {} {origin}{}, {} to {} UTC{missing}",
        files.join(", "),
        grouped(rows),
        file.format.rows(),
        minute(summary.first.millis()),
        minute(summary.last.millis()),
    )
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
pub(super) fn performance(spec: &StrategySpec, performance: &Performance, figures: &Figures) -> String {
    let symbol = &spec.spec.instruments[0].symbol;
    let (base, quote) = (symbol.base(), symbol.quote());
    let instrument = spec.instrument();
    let places = price_places(spec);
    let lots = instrument.as_ref().map_or(8, |instrument| instrument.lot_size.get().scale());
    let profit = &performance.profit;
    let money = |amount: Notional| fixed(amount.get(), 2);
    let change = percent_change(performance.opening_equity, performance.equity);
    let holding = percent_change(performance.opening_equity, performance.holding_equity);
    let fall = fixed(performance.deepest_fall.percent(), 2);
    let equity = format!(
        "  equity    {} -> {} {quote}, {change} % (only holding: {holding} %); deepest fall {fall} %\n",
        money(performance.opening_equity),
        money(performance.equity),
    );
    let net = format!(
        "  net       {} = realized {} + unrealized {} - fees {}\n",
        money(profit.net),
        money(profit.realized),
        money(profit.unrealized),
        money(profit.fees),
    );
    let band =
        |name: &str| figures.get(name).and_then(|text| text.parse::<Decimal>().ok()).map(|band| fixed(band, places));
    let bands = match (band("upperBand"), band("lowerBand")) {
        (Some(upper), Some(lower)) => format!("; would sell above {upper}, buy below {lower}"),
        _ => String::new(),
    };
    let held = fixed(performance.base.get(), lots.max(performance.base.get().scale()));
    format!(
        "{equity}{net}  holds     {held} {base} at {} + {} {quote}{bands}\n",
        fixed(performance.price.get(), places),
        money(performance.quote)
    )
}

fn percent_change(before: Notional, after: Notional) -> String {
    if before.get().is_zero() {
        return "+0.00".to_owned();
    }
    format!("{:+.2}", ((after.get() - before.get()) / before.get() * Decimal::ONE_HUNDRED).round_dp(2))
}

/// The results of a backtest, each with its trades.
pub(super) fn outcomes(outcomes: &[Outcome]) -> String {
    let mut lines = Vec::new();
    for outcome in outcomes {
        let (ticks, trades) = (grouped(outcome.ticks), outcome.trades.len());
        lines.push(format!("{}: {ticks} ticks, {trades} trades", outcome.strategy));
        for trade in &outcome.trades {
            let when = time(trade.time.millis(), "%Y-%m-%d %H:%M:%S");
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
        lines.push(format!(
            "  net     {} {} = realized {} + unrealized {} - fees {}",
            pnl.net, pnl.currency, pnl.realized, pnl.unrealized, pnl.fees
        ));
    }
    lines.join("\n") + "\n"
}

//! What an engine shows: the report, and the figures of a whole run. Reads only.

use std::collections::BTreeMap;

use super::Engine;
use super::state::State;
use crate::instrument::{Asset, Symbol};
use crate::ledger::Profit;
use crate::messages::AlertKind;
use crate::numbers::{Notional, Price, Ratio};
use crate::orders::OrderState;
use crate::report::{Decision, Pnl, Report, RiskReport, Summary};
use crate::risk::RiskState;
use crate::strategies::process::messages::Risk;
use crate::strategies::{Figures, Standing};
use crate::time::rfc3339;

/// Figures of a whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Performance {
    /// How many ticks were taken.
    pub ticks: u64,
    /// The first price of the first market.
    pub opening_price: Price,
    /// What the opening amounts were worth.
    pub opening_equity: Notional,
    /// The last price of the first market.
    pub price: Price,
    /// What all is worth now.
    pub equity: Notional,
    /// What was put in since the opening less what was taken out, each at its worth then.
    pub transferred: Notional,
    /// What the opening amounts would be worth now.
    pub holding_equity: Notional,
    /// The largest fall of equity from a peak, as a share of that peak.
    pub max_drawdown: Ratio,
    /// The last price of each market, in their order.
    pub prices: Vec<(Symbol, Price)>,
    /// What is held, each asset once: the coins of the markets in their order, then the cash.
    pub holdings: Vec<(Asset, Notional)>,
    /// Profit so far.
    pub profit: Profit,
    /// What the strategy's outcome is.
    pub outcome: Figures,
    /// What it would do next, for people.
    pub outlook: Option<String>,
}

pub(super) fn performance(engine: &Engine) -> Option<Performance> {
    let state = &engine.state;
    let ledger = &state.ledger;
    let profit = state.profit()?;
    let symbols = engine.prices().map(|(symbol, price)| Some((symbol.clone(), price?)));
    let prices: Vec<_> = symbols.collect::<Option<_>>()?;
    let holding: Vec<_> = prices.iter().map(|(_, price)| *price).collect();
    let price = *holding.first()?;
    let opening_equity = ledger.opening_equity_in(ledger.currency()).ok()??;
    let holding_equity = ledger.opening_worth_at(&holding).ok()?;
    Some(Performance {
        ticks: state.ticks,
        opening_price: ledger.opening()?.price,
        opening_equity,
        price,
        outlook: engine.strategy.outlook(price, &engine.config.instruments),
        equity: state.equity().ok()?,
        transferred: engine.transferred().ok()?,
        holding_equity,
        max_drawdown: state.max_drawdown,
        prices,
        holdings: ledger.holdings().map(|(asset, amount)| (asset.clone(), amount)).collect(),
        profit,
        outcome: standing(engine)
            .map_or_else(|| engine.strategy.outcome(), |standing| engine.strategy.outcome_at(&standing)),
    })
}

/// What the books say at the last prices; `None` while a market has none.
fn standing(engine: &Engine) -> Option<Standing> {
    let (state, ledger) = (&engine.state, &engine.state.ledger);
    let prices: Vec<_> = state.markets.prices().collect::<Option<_>>()?;
    let opening = ledger.opening_equity_in(ledger.currency()).ok()??;
    let holding = ledger.opening_worth_at(&prices).ok()?.minus(opening).ok()?;
    Some(Standing { net: state.profit()?.net, holding })
}

pub(super) fn report(engine: &Engine) -> Report {
    let state = &engine.state;
    let several = engine.config.instruments.len() > 1;
    let prices = engine.prices().filter(|_| several).filter_map(|(symbol, price)| Some((symbol.to_string(), price?)));
    let pnl = state.profit().map(|profit| Pnl {
        currency: state.ledger.currency().to_string(),
        realized: profit.realized,
        unrealized: profit.unrealized,
        fees: profit.fees,
        funding: Notional::ZERO,
        net: profit.net,
    });
    let mut orders = state.counts.clone();
    orders.open = state.orders.iter().len() as u64;
    orders.unknown = state.orders.iter().filter(|order| order.state == OrderState::Unknown).count() as u64;
    Report {
        as_of: state.as_of,
        price: state.markets.prices().next().flatten(),
        prices: prices.collect(),
        position: position(engine),
        summary: summary(engine, pnl.as_ref()),
        pnl,
        orders,
        risk: risk(state),
        stopped: state.stops.shown_exit(),
        transfers: engine.transfers(),
        decision: decision(engine),
        recent_trades: state.recent_trades.clone(),
        strategy: figures(engine),
    }
}

/// What the strategy shows of itself, and until when it waits for bars if none is missed.
fn figures(engine: &Engine) -> Figures {
    let standing = standing(engine);
    let mut figures =
        standing.map_or_else(|| engine.strategy.figures(), |standing| engine.strategy.figures_at(&standing));
    let until = engine.state.bars.warm_until();
    figures.extend(until.map(|until| ("warmUntil".to_owned(), rfc3339::text(until))));
    figures
}

fn position(engine: &Engine) -> BTreeMap<String, Notional> {
    engine.state.ledger.holdings().map(|(asset, amount)| (asset.to_string(), amount)).collect()
}

fn risk(state: &State) -> RiskReport {
    let reason = match state.risk {
        RiskState::AllowAll => "",
        RiskState::BuyOnly => "BelowMinPosition",
        RiskState::SellOnly => "AboveMaxPosition",
        RiskState::ReduceOnly => "NoEquity",
        RiskState::Halted => state.halt.unwrap_or(AlertKind::LedgerBroken).as_str(),
    };
    RiskReport { state: state.risk, reason: reason.to_owned(), limits: state.stops.shown_limits() }
}

/// The same for a process: why not everything may be sent, in words.
pub(super) fn risk_told(state: &State) -> Risk {
    let RiskReport { state, mut reason, limits } = risk(state);
    if reason.is_empty() {
        reason = limits.into_iter().map(|limit| limit.name).collect::<Vec<_>>().join(", ");
    }
    Risk { state, reason }
}

/// The last decision, in the words of now where it is a hold: bands move with each trade.
fn decision(engine: &Engine) -> Decision {
    let reason = &engine.state.decision.reason;
    if engine.state.markets.without_tick().is_some() || engine.is_at_rest() {
        return engine.state.decision.clone();
    }
    let words = engine.strategy.explain(reason);
    if words.is_empty() { engine.state.decision.clone() } else { Decision::new(reason.clone(), words) }
}

fn summary(engine: &Engine, pnl: Option<&Pnl>) -> Summary {
    let symbol = &engine.config.instruments.first().symbol;
    let warnings = engine.warnings.iter().map(|warning| warning.kind);
    let latched = engine.state.stops.limits().iter().map(|(limit, _)| limit.alert());
    let ended = engine.state.stops.exit().map(|_| AlertKind::ExitReached);
    let refused = engine.has_refused_transfer().then_some(AlertKind::TransferRefused);
    let warnings = warnings.chain(engine.strategy.alerts()).chain(refused);
    let alerts = warnings.chain(latched).chain(ended).chain(engine.state.halts.iter().copied());
    let alerts: Vec<_> = alerts.map(AlertKind::as_str).collect();
    Summary {
        strategy: engine.kind.to_owned(),
        symbol: symbol.to_string(),
        position: format!("{} {}", engine.state.ledger.base(), symbol.base()),
        net_pnl: pnl.map_or_else(String::new, |pnl| net_pnl(engine, pnl)),
        last_trade: engine
            .state
            .recent_trades
            .first()
            .map_or_else(String::new, |trade| format!("{} {} @ {}", trade.side, trade.quantity, trade.price)),
        alert: alerts.join(", "),
    }
}

/// With a sign, such as `+282.22 USDT`. The equity at the start gives the digits, so they stay.
fn net_pnl(engine: &Engine, pnl: &Pnl) -> String {
    let ledger = &engine.state.ledger;
    let opening = ledger.opening_equity_in(ledger.currency()).ok().flatten();
    let digits = engine.config.instruments.first().digits(opening.unwrap_or(ledger.quote()));
    format!("{} {}", digits.signed(pnl.net), pnl.currency)
}

//! What a person sees: talk on stderr, the result on stdout. No colour, and a bar only on a terminal.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::time::Instant;

use engine::client_order_id::{ClientOrderId, LedgerId};
use engine::messages::{AlertKind, Fill, Liquidity, RiskAlert, Side, SignalSide, StrategySignal};
use engine::numbers::shown::Digits;
use engine::numbers::{Price, Quantity};
use engine::report::Report;
use engine::strategies::Registry;
use engine::time::Timestamp;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use process::say;

use super::bar;
use super::data::Scanned;
use super::drawn::Drawn;
use super::ended::{End, Ended};
use super::figures::{
    account_line, columns, data_line, first_price, grouped, live_line, opening_digits, performance, quantity,
    strategy_line, strategy_of,
};
use crate::fleet::provision::{Place, Places};
use crate::outcome::clock::Clock;
use crate::outcome::untraded::{Ending, Untraded, why};
use crate::outcome::warning::Warning;
use crate::process::exit::Failure;
use crds::roles::StrategySpec;

/// What each line begins with.
const MARGIN: &str = "  ";

/// Trades that a fast replay shows before it only counts.
const TRADES_SHOWN: u64 = 2;

/// Signals of orders at rest that are remembered; past that all are forgotten.
const RESTING_MAX: usize = 1_024;

/// The talk of one run.
pub(super) struct Screen {
    verbose: bool,
    paced: bool,
    redis: Option<String>,
    started: Instant,
    bar: ProgressBar,
    /// What lives below the talk, on a terminal, while prices are live.
    drawn: Drawn,
    /// Whether it is so.
    is_live: bool,
    ticks: u64,
    trades: u64,
    clock: Clock,
    strategies: BTreeMap<LedgerId, Shown>,
}

/// A signal of an order.
#[derive(Debug)]
struct Told {
    time: Timestamp,
    /// The worst price.
    price: Option<Price>,
    message: String,
    /// The first order that a trade has shown with it.
    order: Option<ClientOrderId>,
}

impl Told {
    /// Whether a trade may be of another order, where another signal came at the same time.
    fn is_of_another(&self, fill: &Fill) -> bool {
        let is_beyond = |price| if fill.side == Side::Buy { price < fill.price } else { price > fill.price };
        self.order.as_ref().is_some_and(|order| *order != fill.client_order_id) || self.price.is_some_and(is_beyond)
    }
}

/// A strategy on the screen.
#[derive(Debug)]
struct Shown {
    /// What its lines begin with: its name where there are several.
    prefix: String,
    /// The step of its quantities.
    lot_size: Quantity,
    /// The digits of its money.
    digits: Digits,
    /// Its signals of each side, oldest first, until a trade has shown them.
    signals: BTreeMap<Side, VecDeque<Told>>,
    /// Of each side and price the last signal: what rests there trades long after it.
    resting: BTreeMap<(Side, Price), String>,
    /// Its orders that did not trade.
    untraded: Untraded,
}

impl Screen {
    pub fn new(verbose: bool, paced: bool, redis: Option<&str>) -> Self {
        let bar = ProgressBar::with_draw_target(None, bar::target());
        bar.set_style(
            ProgressStyle::with_template("  {bar:40} {pos}/{len} ticks")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        Self {
            verbose,
            paced,
            redis: redis.map(str::to_owned),
            started: Instant::now(),
            bar,
            drawn: Drawn::default(),
            is_live: false,
            ticks: 0,
            trades: 0,
            clock: Clock::default(),
            strategies: BTreeMap::new(),
        }
    }

    /// Whether it shows every hold.
    pub const fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// What is about to run.
    pub fn head(
        &mut self,
        accounts: &[Places],
        scanned: &[Option<Scanned>],
        registry: &Registry,
    ) -> Result<(), Failure> {
        say(format_args!(
            "{}",
            match &self.redis {
                None =>
                    "Paper trading: no exchange, no key, no server. State is in memory and forgotten at exit (keep it: --redis URL).",
                Some(_) => "Paper trading: no exchange, no key. State is kept in Redis; start again to go on.",
            }
        ));
        say(format_args!(""));
        let names = accounts.iter().flat_map(|places| {
            let strategies = places.strategies.iter().map(|place| place.spec.name.len());
            strategies.chain([places.gateway.spec.account.name.len()])
        });
        let width = names.max().unwrap_or(0);
        let several = accounts.iter().map(|places| places.strategies.len()).sum::<usize>() > 1;
        self.clock = Clock::of(scanned.iter().flatten().flat_map(|scanned| &scanned.markets).map(|summary| &**summary));
        let (mut total, mut starts) = (0, String::new());
        for (places, scanned) in accounts.iter().zip(scanned) {
            say(format_args!("  account   {:width$}  {}", places.gateway.spec.account.name, account_line(places)));
            if places.gateway.spec.account.spec.limits.is_some() {
                let told =
                    "hold over all its strategies: who comes first takes the room, so another run may trade otherwise";
                say(format_args!("  limits    {:width$}  {told}", places.gateway.spec.account.name));
            }
            let Some(scanned) = scanned else {
                self.head_of_live(places, width, several, registry)?;
                continue;
            };
            for place in &places.strategies {
                let spec = &place.spec;
                total += scanned.of(spec).map(|summary| summary.ticks).sum::<u64>();
                let first = first_price(scanned.of(spec).next())?;
                let strategy = strategy_of(spec, registry)?;
                say(format_args!("  strategy  {:width$}  {}", spec.name, strategy_line(spec, &*strategy, first)?));
                let prefix = if several { format!("{:width$}  ", spec.name) } else { String::new() };
                let goes_on = || "goes on where it stood; --new-ledger starts afresh".to_owned();
                let starts_at = || strategy.start_line(first, &spec.instruments().ok()?);
                let line = if place.epoch > 1 { Some(goes_on()) } else { starts_at() };
                if let Some(line) = line {
                    let _ = writeln!(starts, "  {prefix}{line}");
                }
                self.know(place, prefix, opening_digits(spec, first));
            }
            let has_several = scanned.markets.len() > 1;
            for summary in &scanned.markets {
                let market = if has_several { format!("{}  ", summary.symbol) } else { String::new() };
                say(format_args!("  data      {market}{}", data_line(summary)));
            }
            for Warning { kind, message } in &scanned.warnings {
                say(format_args!("  warning   {kind}: {message}"));
            }
        }
        let starts = starts.trim_end();
        say(format_args!("{}{starts}", if starts.is_empty() { "" } else { "\n" }));
        if accounts.iter().any(|places| places.gateway.spec.account.is_live()) {
            self.paced = true;
            self.is_live = bar::is_drawn();
            self.bar.set_draw_target(ProgressDrawTarget::hidden());
            say(format_args!("  Ctrl-C ends it, with the result.\n"));
        } else {
            // What has a length is drawn with it, and live prices have none.
            self.bar.set_length(total);
        }
        Ok(())
    }

    /// The same of an account with live prices, of which nobody knows the first one.
    fn head_of_live(
        &mut self,
        places: &Places,
        width: usize,
        several: bool,
        registry: &Registry,
    ) -> Result<(), Failure> {
        for place in &places.strategies {
            let spec = &place.spec;
            say(format_args!("  strategy  {:width$}  {}", spec.name, live_line(spec, &*strategy_of(spec, registry)?)));
            let prefix = if several { format!("{:width$}  ", spec.name) } else { String::new() };
            self.know(place, prefix, Digits::ORDINARY);
        }
        let source = places.gateway.spec.account.source();
        say(format_args!("  data      live prices of the venue, {source}; without a key"));
        Ok(())
    }

    /// How wide the lines may be that are drawn anew; `None` where none are.
    pub fn drawn_width(&self) -> Option<usize> {
        // Less the margin, and a column that stays free.
        self.is_live.then(|| bar::size().columns.saturating_sub(MARGIN.len() + 1))
    }

    /// Draws these lines in place of the last ones.
    pub fn draw(&mut self, lines: &[String]) {
        let lines: Vec<_> = lines.iter().map(|line| format!("{MARGIN}{line}")).collect();
        bar::write(&self.drawn.draw(&lines, bar::size()));
    }

    /// This process was stopped, as by Ctrl-Z, and goes on: its shell has written below what was drawn.
    pub fn goes_on(&mut self) {
        self.drawn.leave();
    }

    fn know(&mut self, place: &Place<StrategySpec>, prefix: String, digits: Digits) {
        if let Ok(ledger) = place.ledger.parse() {
            // Rules that the venue tells are not known yet: then amounts are shown with the digits that they have.
            let lot_size = place.spec.instrument().map_or(Quantity::ZERO, |instrument| instrument.lot_size);
            let (signals, untraded) = (BTreeMap::new(), Untraded::default());
            let resting = BTreeMap::new();
            self.strategies.insert(ledger, Shown { prefix, lot_size, digits, signals, resting, untraded });
        }
    }

    pub fn progress(&mut self, ticks: u64) {
        self.ticks = ticks;
        self.bar.set_position(ticks);
    }

    /// A signal explains the next trade; a hold is shown when everything is, and of an order that did not trade the
    /// first of its kind at the end.
    pub fn signal(&mut self, signal: StrategySignal) {
        let Some(shown) = self.strategies.get_mut(&signal.ledger) else { return };
        if let Some(side) = order_side(signal.side) {
            let StrategySignal { time, target_price: price, message, .. } = signal;
            if let Some(price) = price {
                if shown.resting.len() >= RESTING_MAX {
                    shown.resting.clear();
                }
                shown.resting.insert((side, price), message.clone());
            }
            shown.signals.entry(side).or_default().push_back(Told { time, price, message, order: None });
            return;
        }
        let ending = signal.outcome.map(Ending::of);
        if self.verbose {
            let when = self.clock.write(signal.time.millis());
            let (word, prefix) = (ending.map_or("Hold", Ending::word), &shown.prefix);
            let text = format!("{when}  {prefix}{word}  {}", why(&signal));
            self.line(&text);
        } else if let Some(ending) = ending {
            shown.untraded.note(ending, &signal);
        }
    }

    pub fn fill(&mut self, fill: &Fill) {
        let Some(shown) = self.strategies.get_mut(&fill.ledger) else { return };
        self.trades += 1;
        // The last signal at its price before a trade is what caused it; where there is none, the last one of its side, or
        // of several at once the first that no other trade was shown with.
        let signals = shown.signals.entry(fill.side).or_default();
        while let [first, next, ..] = &*signals.make_contiguous()
            && next.time <= fill.time
            && (first.time < next.time || first.is_of_another(fill))
        {
            signals.pop_front();
        }
        if self.verbose || self.paced || self.trades <= TRADES_SHOWN {
            let last = signals.front_mut().filter(|told| told.time <= fill.time);
            let is_its = last.as_ref().is_some_and(|told| told.price == Some(fill.price));
            let resting = shown.resting.get(&(fill.side, fill.price)).filter(|_| !is_its).cloned();
            let signal = resting.or_else(|| {
                let told = last?;
                told.order.get_or_insert_with(|| fill.client_order_id.clone());
                if let Some(of) = told.price.map(|price| (fill.side, price))
                    && fill.liquidity == Liquidity::Taker
                    && shown.resting.get(&of) == Some(&told.message)
                {
                    // It has not waited for its price.
                    shown.resting.remove(&of);
                }
                Some(told.message.clone())
            });
            let text = format!(
                "{}  {}{:<4}  {} @ {}  fee {}   {}",
                self.clock.write(fill.time.millis()),
                shown.prefix,
                fill.side,
                quantity(fill.quantity, shown.lot_size),
                fill.price,
                shown.digits.show(fill.fee_quote),
                signal.unwrap_or_default(),
            );
            self.line(&text);
        }
    }

    /// A limit that comes and goes is part of trading; the rest wants a human.
    pub fn alert(&mut self, alert: &RiskAlert) {
        if alert.kind == AlertKind::PositionLimit && !self.verbose {
            return;
        }
        let prefix = self.strategies.get(&alert.ledger).map_or("", |shown| &shown.prefix);
        self.line(&format!(
            "{}  {prefix}{:?}  {}: {}",
            self.clock.write(alert.time.millis()),
            alert.severity,
            alert.kind.as_str(),
            alert.message
        ));
    }

    /// Says a line.
    pub fn line(&self, text: &str) {
        let line = format!("{MARGIN}{text}");
        if self.is_live {
            bar::write(&self.drawn.say(&line, bar::size()));
        } else {
            self.bar.suspend(|| say(format_args!("{line}")));
        }
    }

    /// How it ended, and what did not happen, by the last reports of the strategies.
    pub fn end(&mut self, end: &End, reports: &[(LedgerId, Report)]) {
        self.bar.finish_and_clear();
        if self.is_live {
            bar::write(&self.drawn.clear(bar::size()));
        }
        if !self.verbose && !self.paced && self.trades > TRADES_SHOWN {
            let more = self.trades - TRADES_SHOWN;
            let width = self.clock.width();
            say(format_args!("  {:width$}  {more} more (-v shows all, and each order not sent, with why)", "..."));
        }
        let hint = if self.verbose { "" } else { " (-v shows each)" };
        for (ledger, report) in reports {
            let Some(shown) = self.strategies.get(ledger) else { continue };
            for line in shown.untraded.lines(report, self.clock, hint) {
                say(format_args!("  {}{line}", shown.prefix));
            }
        }
        let what = match end {
            End::Data => "data ended",
            End::OnRequest => "stopped as the manifest says (state: Stopped)",
            End::Stopped => "stopped",
            End::Quarantined(_) => "ended by a quarantine",
        };
        let ticks = if self.ticks == 1 { "1 tick".to_owned() } else { format!("{} ticks", grouped(self.ticks)) };
        say(format_args!("  {what}: {ticks} in {:.2} s\n", self.started.elapsed().as_secs_f64()));
    }

    /// The table of `kubectl get`, and the figures of the whole run.
    pub fn table(strategies: &[Ended]) -> String {
        let mut text = format!("{}\n", columns(strategies));
        for ended in strategies {
            if strategies.len() > 1 {
                let _ = writeln!(text, "  {}", ended.place.spec.name);
            }
            if let Some(engine) = &ended.engine
                && let Some(run) = engine.performance()
            {
                text.push_str(&performance(&ended.place.spec, &run));
            }
        }
        text
    }

    /// What to try next: another value of this parameter.
    pub fn next(parameter: &str) {
        say(format_args!(
            "\nNext: change {parameter}, run again | worker backtest ... --data FILE | kubectl apply -f examples/quickstart.yaml"
        ));
    }
}

/// The side of the order that a signal tells of.
const fn order_side(side: SignalSide) -> Option<Side> {
    match side {
        SignalSide::Buy => Some(Side::Buy),
        SignalSide::Sell => Some(Side::Sell),
        SignalSide::Hold => None,
    }
}

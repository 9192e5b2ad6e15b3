//! What a person sees: talk on stderr, the result on stdout. No colour, and a bar only on a terminal.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use engine::messages::{AlertKind, Fill, RiskAlert, SignalSide, StrategySignal};
use engine::time::Timestamp;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use venue::replay::Summary;

use super::figures::{
    account_line, clock, columns, data_line, first_price, fixed, grouped, performance, start_line, strategy_line,
};
use super::status::Ended;
use crate::exit::Failure;
use crate::fleet::Fleet;

/// Trades that a fast replay shows before it only counts.
const TRADES_SHOWN: u64 = 2;

/// The talk of one run.
pub(super) struct Screen {
    verbose: bool,
    paced: bool,
    redis: Option<String>,
    started: Instant,
    bar: ProgressBar,
    ticks: u64,
    trades: u64,
    /// Signals by strategy, oldest first, until a trade has shown them.
    reasons: BTreeMap<String, VecDeque<(Timestamp, String)>>,
    /// The digits of each strategy's lots.
    lot_places: BTreeMap<String, u32>,
}

impl Screen {
    pub fn new(verbose: bool, paced: bool, redis: Option<&str>) -> Self {
        // Hidden by itself where stderr is no terminal.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
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
            ticks: 0,
            trades: 0,
            reasons: BTreeMap::new(),
            lot_places: BTreeMap::new(),
        }
    }

    /// What is about to run.
    pub fn head(&mut self, fleet: &Fleet, summaries: &[(String, Arc<Summary>)]) -> Result<(), Failure> {
        match &self.redis {
            None => eprintln!(
                "Paper trading: no exchange, no key, no server. State is in memory and forgotten at exit (keep it: --redis URL)."
            ),
            Some(_) => eprintln!("Paper trading: no exchange, no key. State is kept in Redis; start again to go on."),
        }
        eprintln!();
        let mut total = 0;
        let names = fleet.accounts.iter().flat_map(|group| {
            group.strategies.iter().map(|spec| spec.name.len()).chain([group.gateway.account.name.len()])
        });
        let width = names.max().unwrap_or(0);
        let mut starts = String::new();
        for group in &fleet.accounts {
            eprintln!("  account   {:width$}  {}", group.gateway.account.name, account_line(group));
            let summary = summaries.iter().find(|(account, _)| *account == group.gateway.account.name);
            let Some((_, summary)) = summary else { continue };
            total += summary.ticks * group.strategies.len() as u64;
            let first = first_price(summary)?;
            for spec in &group.strategies {
                eprintln!("  strategy  {:width$}  {}", spec.name, strategy_line(spec, first));
                if let Ok(instrument) = spec.instrument() {
                    self.lot_places.insert(spec.name.clone(), instrument.lot_size.get().scale());
                }
                if let Some(line) = start_line(spec, first) {
                    let _ = writeln!(starts, "  {line}");
                }
            }
            eprintln!("  data      {}", data_line(summary));
        }
        eprintln!("\n{}", starts.trim_end());
        self.bar.set_length(total);
        Ok(())
    }

    pub fn progress(&mut self, ticks: u64) {
        self.ticks = ticks;
        self.bar.set_position(ticks);
    }

    /// A signal explains the next trade; a hold is shown when everything is.
    pub fn signal(&mut self, signal: StrategySignal) {
        if signal.side == SignalSide::Hold {
            if self.verbose {
                self.line(&format!("{}  Hold  {}: {}", clock(signal.time.millis()), signal.reason, signal.message));
            }
        } else {
            self.reasons.entry(signal.strategy).or_default().push_back((signal.time, signal.message));
        }
    }

    pub fn fill(&mut self, fill: &Fill) {
        self.trades += 1;
        if self.verbose || self.paced || self.trades <= TRADES_SHOWN {
            let reason = self.reason_of(fill);
            let places = self.lot_places.get(&fill.strategy).copied().unwrap_or(8);
            self.line(&format!(
                "{}  {:<4}  {} @ {}  fee {}   {reason}",
                clock(fill.time.millis()),
                fill.side,
                fixed(fill.quantity.get(), places),
                fill.price,
                fixed(fill.fee_quote.get(), 2),
            ));
        }
    }

    /// The last signal before a trade is what caused it.
    fn reason_of(&mut self, fill: &Fill) -> String {
        let Some(signals) = self.reasons.get_mut(&fill.strategy) else { return String::new() };
        while signals.get(1).is_some_and(|(time, _)| *time <= fill.time) {
            signals.pop_front();
        }
        signals.front().filter(|(time, _)| *time <= fill.time).map_or_else(String::new, |(_, message)| message.clone())
    }

    /// A limit that comes and goes is part of trading; the rest wants a human.
    pub fn alert(&mut self, alert: &RiskAlert) {
        if alert.kind == AlertKind::PositionLimit && !self.verbose {
            return;
        }
        self.line(&format!(
            "{}  {:?}  {}: {}",
            clock(alert.time.millis()),
            alert.severity,
            alert.kind.as_str(),
            alert.message
        ));
    }

    fn line(&self, text: &str) {
        self.bar.suspend(|| eprintln!("  {text}"));
    }

    pub fn end(&mut self) {
        self.bar.finish_and_clear();
        if !self.verbose && !self.paced && self.trades > TRADES_SHOWN {
            let more = self.trades - TRADES_SHOWN;
            eprintln!("  ...          {more} more (-v shows all, and each order not sent, with why)");
        }
        eprintln!("  data ended: {} ticks in {:.2} s\n", grouped(self.ticks), self.started.elapsed().as_secs_f64());
    }

    /// The table of `kubectl get`, and the figures of the whole run.
    pub fn table(strategies: &[Ended]) {
        println!("{}", columns(strategies));
        for ended in strategies {
            if strategies.len() > 1 {
                println!("  {}", ended.place.spec.name);
            }
            if let Some(engine) = &ended.engine
                && let Some(run) = engine.performance()
            {
                let figures = ended.status.report.as_ref().map(|report| report.strategy.clone()).unwrap_or_default();
                print!("{}", performance(&ended.place.spec, &run, &figures));
            }
        }
        eprintln!(
            "\nNext: change gridSizePercent, run again | worker backtest ... --data FILE | kubectl apply -f examples/quickstart.yaml"
        );
    }
}

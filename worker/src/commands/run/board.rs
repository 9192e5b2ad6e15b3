//! What lives on the screen while prices are live: each strategy with its price and that price's age, its orders, its position
//! and its profit, and how the way to each venue is. On a terminal it is drawn anew each second; off one it is a line a minute.

use std::time::{Duration, Instant};

use bus::{Owner, StreamKey};
use crds::record::{PHASE, Phase, REPORT};
use crds::source::{self, ALIVE, Fault, LINK};
use engine::instrument::Symbol;
use engine::messages::Tick;
use engine::report::Report;
use engine::time::Timestamp;

use crate::fleet::provision::{LivePlace, Places};
use crate::process::exit::Failure;
use crate::roles::clock::StoreClock;
use crate::roles::session::patiently;
use crate::roles::{Bus, Runtime};

use super::screen::Screen;

/// How often it is drawn.
const LOOK: Duration = Duration::from_secs(1);
/// How often a line is said where nothing is drawn.
const SAY: Duration = Duration::from_mins(1);

/// All that is shown.
#[derive(Debug, Default)]
pub(super) struct Board {
    feeds: Vec<Feed>,
    rows: Vec<Row>,
    clock: Option<StoreClock>,
    looked: Option<Instant>,
    said: Option<Instant>,
}

/// A feed.
#[derive(Debug)]
struct Feed {
    owner: Owner,
    source: String,
    symbols: Vec<Symbol>,
    /// What was said of it last: why there are no prices, or nothing where there are.
    told: Option<String>,
}

/// A strategy in one of its markets.
#[derive(Debug)]
struct Row {
    name: String,
    owner: Owner,
    symbol: Symbol,
    ticks: StreamKey,
}

/// The figures of a row, as text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Cells([String; 8]);

impl Board {
    /// Of live feeds, and of the strategies that read them.
    pub fn of<B: Bus>(runtime: &Runtime<B>, lives: &[LivePlace], accounts: &[Places]) -> Result<Self, Failure> {
        let keys = &runtime.identity.keys;
        let mut board = Self::default();
        for LivePlace { feed, .. } in lives {
            let (owner, source) = (feed.owner.clone(), feed.spec.source.clone());
            board.feeds.push(Feed { owner, source, symbols: Vec::new(), told: None });
        }
        for places in accounts.iter().filter(|places| places.gateway.spec.account.is_live()) {
            let source = places.source()?;
            let feed = board.feeds.iter_mut().find(|feed| *feed.owner.scope() == source);
            let strategies = places.strategies.iter();
            let symbols = strategies.flat_map(|place| {
                place.spec.spec.instruments.iter().map(move |instrument| (place, instrument.symbol.clone()))
            });
            let symbols: Vec<_> = symbols.collect();
            if let Some(feed) = feed {
                feed.symbols.extend(symbols.iter().map(|(_, symbol)| symbol.clone()));
            }
            board.rows.extend(symbols.into_iter().map(|(place, symbol)| Row {
                name: place.spec.name.clone(),
                owner: place.owner.clone(),
                ticks: keys.market_tick(&source, symbol.as_str()),
                symbol,
            }));
        }
        Ok(board)
    }

    /// Draws, or says, what is due.
    pub async fn look<B: Bus>(&mut self, runtime: &Runtime<B>, screen: &mut Screen) -> Result<(), Failure> {
        if self.feeds.is_empty() || self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        let mut clock = match self.clock {
            Some(clock) => clock,
            None => StoreClock::look(runtime).await?,
        };
        clock.refresh(runtime).await?;
        self.clock = Some(clock);
        let now = clock.now();
        let mut lines = Vec::new();
        for feed in &mut self.feeds {
            lines.push(feed.look(runtime, now, screen).await?);
        }
        let head = ["STRATEGY", "SYMBOL", "PRICE", "AGE", "ORDERS", "POSITION", "NET-PNL", "STATE"].map(str::to_owned);
        let mut rows = vec![Cells(head)];
        for row in &self.rows {
            rows.push(row.look(runtime, now).await?);
        }
        let is_due = self.said.is_none_or(|said| said.elapsed() >= SAY);
        if screen.is_drawn() {
            lines.extend(table(&rows));
            screen.draw(&lines);
        } else if is_due {
            // The first one after a minute: before that there is nothing to say that was not said.
            if self.said.replace(Instant::now()).is_some() {
                screen.line(&status(&lines, &rows));
            }
        }
        Ok(())
    }
}

/// Strategies whose rules are the source's are valued by them.
pub(super) async fn know_rules<B: Bus>(runtime: &Runtime<B>, accounts: &mut [Places]) -> Result<(), Failure> {
    for places in accounts.iter_mut().filter(|places| places.gateway.spec.account.is_live()) {
        let feed = runtime.identity.keys.feed(&places.source()?);
        let record = patiently(runtime, || runtime.bus.record(&feed)).await?;
        let field = |name: &str| record.as_ref()?.fields.get(name).map(|text| &**text);
        let markets =
            source::markets(field).map_err(|problem| Failure::error(format!("the record of the feed: {problem}")))?;
        for place in &mut places.strategies {
            place.spec = place.spec.clone().with_rules(&markets);
        }
    }
    Ok(())
}

impl Feed {
    /// One line about it. What has changed of it is said at once.
    async fn look<B: Bus>(&mut self, runtime: &Runtime<B>, now: Timestamp, screen: &Screen) -> Result<String, Failure> {
        let record = patiently(runtime, || runtime.bus.record(&self.owner)).await?;
        let field = |name: &str| record.as_ref()?.fields.get(name).map(|text| &**text);
        if field(LINK).is_none() {
            return Ok(format!("feed {}: connecting", self.source));
        }
        let fault = source::fault(field, &self.symbols, now);
        let words = fault.as_ref().map(|Fault { reason, message }| format!("{reason}: {message}"));
        let words = words.unwrap_or_else(|| "prices come".to_owned());
        if self.told.as_ref() != Some(&words) {
            screen.line(&format!("feed {}: {words}", self.source));
            self.told = Some(words);
        }
        let alive = field(ALIVE).and_then(|text| text.parse().ok()).map(Timestamp::from_millis);
        let heard = alive.map_or_else(String::new, |alive| format!(", heard of {} ago", age(now, alive)));
        Ok(match fault {
            Some(fault) => format!("feed {}: {}{heard}", self.source, fault.reason),
            None => format!("feed {}: up{heard}", self.source),
        })
    }
}

impl Row {
    async fn look<B: Bus>(&self, runtime: &Runtime<B>, now: Timestamp) -> Result<Cells, Failure> {
        let bus = &runtime.bus;
        let last = patiently(runtime, || bus.last_id(&self.ticks)).await?;
        let (mut price, mut old) = ("-".to_owned(), "-".to_owned());
        if let Some(last) = last {
            let found = patiently(runtime, || bus.range(&self.ticks, last, last, 1)).await?;
            if let Some(tick) = found.first().and_then(|entry| entry.decode::<Tick>().ok()) {
                price = tick.price.to_string();
                old = age(now, tick.event_time());
            }
        }
        let record = patiently(runtime, || bus.record(&self.owner)).await?;
        let field = |name: &str| record.as_ref()?.fields.get(name);
        let report: Option<Report> = field(REPORT).and_then(|text| serde_json::from_str(text).ok());
        let phase = Phase::of(field(PHASE)).map_or_else(|| "Starting".to_owned(), |phase| phase.reason);
        let held = report.as_ref().map(|report| {
            let (base, quote) = (self.symbol.base(), self.symbol.quote());
            let of = |asset: &str| report.position.get(asset).map(|held| format!("{held} {asset}"));
            [of(base.as_str()), of(quote.as_str())].into_iter().flatten().collect::<Vec<_>>().join(" + ")
        });
        let net = report.as_ref().map_or_else(String::new, |report| report.summary.net_pnl.clone());
        let orders = report.as_ref().map_or_else(String::new, |report| report.orders.open.to_string());
        let cells =
            [self.name.clone(), self.symbol.to_string(), price, old, orders, held.unwrap_or_default(), net, phase];
        Ok(Cells(cells))
    }
}

/// `0.3 s`, `42 s`, `7 min`
fn age(now: Timestamp, then: Timestamp) -> String {
    match now.millis_since(then).max(0) {
        millis @ 0..10_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        millis @ 10_000..180_000 => format!("{} s", millis / 1_000),
        millis => format!("{} min", millis / 60_000),
    }
}

/// In columns.
fn table(rows: &[Cells]) -> Vec<String> {
    let mut widths = [0; 8];
    for Cells(cells) in rows {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |Cells(cells): &Cells| {
        let cells: Vec<_> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// In one line.
fn status(feeds: &[String], rows: &[Cells]) -> String {
    let row = |Cells([name, symbol, price, old, orders, held, net, state]): &Cells| {
        format!("{name}: {symbol} {price} ({old} old), {orders} open, {held}, net {net}, {state}")
    };
    feeds.iter().cloned().chain(rows.iter().skip(1).map(row)).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_as_exactly_as_they_matter() {
        let told = |millis: i64| age(Timestamp::from_millis(1_000_000 + millis), Timestamp::from_millis(1_000_000));
        assert_eq!(
            [0_i64, 349, 9_999, 10_000, 179_999, 180_000].map(told),
            ["0.0 s", "0.3 s", "9.9 s", "10 s", "179 s", "3 min"]
        );
        assert_eq!(told(-5_000), "0.0 s", "the venue's clock is ahead");
    }

    #[test]
    fn a_board_is_a_table_on_a_terminal_and_one_line_off_it() {
        let cells = |text: [&str; 8]| Cells(text.map(str::to_owned));
        let rows = [
            cells(["STRATEGY", "SYMBOL", "PRICE", "AGE", "ORDERS", "POSITION", "NET-PNL", "STATE"]),
            cells(["grid", "BTC/USDT", "61000.5", "0.3 s", "2", "0.1 BTC + 5 USDT", "-1.20 USDT", "Trading"]),
        ];
        assert_eq!(
            table(&rows),
            [
                "STRATEGY  SYMBOL    PRICE    AGE    ORDERS  POSITION          NET-PNL     STATE",
                "grid      BTC/USDT  61000.5  0.3 s  2       0.1 BTC + 5 USDT  -1.20 USDT  Trading",
            ]
        );
        assert_eq!(
            status(&["feed binance-spot: up".to_owned()], &rows),
            "feed binance-spot: up; grid: BTC/USDT 61000.5 (0.3 s old), 2 open, 0.1 BTC + 5 USDT, net -1.20 USDT, Trading"
        );
    }
}

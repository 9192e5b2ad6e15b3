//! What may differ between a live session and the replay of its recording, and why. What has no cause here is an error.

use std::collections::BTreeMap;

use engine::messages::Tick;
use serde_json::Value;
use tests::result::comparable;

/// Why something differs. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A tick that the session did not see: it lies in a hole that its feed has named.
    Hole,
    /// A tick right behind a hole has the quotes of before it, until the new connection tells of some.
    QuoteBehindHole,
    /// A trade behind a hole: other ticks before it made other orders.
    TradeBehindHole,
}

/// How often each cause was met.
pub type Causes = BTreeMap<Cause, u64>;

/// A hole as the feed has named it, in `market.gap`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    pub cause: String,
    /// Times of the trades before and after.
    pub from: i64,
    pub to: i64,
    pub missed: u64,
}

impl Gap {
    pub fn read(data: &Value) -> Self {
        Self {
            cause: data["cause"].as_str().expect("a cause").to_owned(),
            from: data["from"].as_i64().expect("a time"),
            to: data["to"].as_i64().expect("a time"),
            missed: data["missed"].as_u64().expect("a count"),
        }
    }
}

/// What a tick says, apart from its quotes, from when it was received, and from its numbers.
fn traded(tick: &Tick) -> impl PartialEq + use<> {
    (tick.symbol.clone(), tick.event_time(), tick.price, tick.volume)
}

fn quoted(tick: &Tick) -> impl PartialEq + use<> {
    (tick.bid, tick.ask, tick.bid_size, tick.ask_size)
}

/// Compares the ticks of a session with those of its recording, which has all of them: both begin with one trade, and numbers
/// in the session count what it missed.
pub fn of_ticks(session: &[Tick], recorded: &[Tick], gaps: &[Gap]) -> Result<Causes, String> {
    let (mut causes, mut gaps) = (Causes::new(), gaps.iter());
    let (mut next, mut is_behind_hole) = (0, false);
    for tick in session {
        let place = usize::try_from(tick.sequence).map_err(|error| error.to_string())?;
        let same = recorded.get(place).ok_or_else(|| format!("tick {place} is not in the recording"))?;
        if place != next {
            let before = next.checked_sub(1).and_then(|before| recorded.get(before));
            let before = before.ok_or("a hole before the first tick")?;
            let missed = place.checked_sub(next).ok_or_else(|| format!("tick {place} came after {next}"))? as u64;
            let (from, to) = (before.event_time().millis(), same.event_time().millis());
            let named = gaps.next().filter(|gap| (gap.from, gap.to, gap.missed) == (from, to, missed));
            named.ok_or_else(|| format!("ticks {next} to {place} are missing, and no hole is named"))?;
            *causes.entry(Cause::Hole).or_default() += missed;
            is_behind_hole = true;
        }
        if traded(tick) != traded(same) {
            return Err(format!("tick {place}: {tick:?} is {same:?} in the recording"));
        }
        let has_quotes = quoted(tick) == quoted(same);
        is_behind_hole &= !has_quotes;
        match (has_quotes, is_behind_hole) {
            (true, _) => {}
            (false, true) => *causes.entry(Cause::QuoteBehindHole).or_default() += 1,
            (false, false) => {
                return Err(format!("tick {place}: {tick:?} has the quotes of {same:?} in the recording"));
            }
        }
        next = place + 1;
    }
    if next != recorded.len() {
        return Err(format!("the session has taken {next} ticks of {}", recorded.len()));
    }
    if let Some(gap) = gaps.next() {
        return Err(format!("no tick is missing where a hole is named: {gap:?}"));
    }
    Ok(causes)
}

/// Compares the trades of a session with those of the replay of its recording.
pub fn of_trades(session: &[Value], replay: &[Value], gaps: &[Gap]) -> Result<Causes, String> {
    let first_hole = gaps.iter().map(|gap| gap.from).min().unwrap_or(i64::MAX);
    let time = |trade: &Value| trade["time"].as_i64().unwrap_or(i64::MAX);
    let split = |trades: &[Value]| trades.iter().position(|trade| time(trade) >= first_hole).unwrap_or(trades.len());
    let (before, behind) = session.split_at(split(session));
    let (replayed_before, replayed_behind) = replay.split_at(split(replay));
    let mut pairs = before.iter().zip(replayed_before);
    if let Some((one, other)) = pairs.find(|(one, other)| one != other) {
        return Err(format!("{one} is {other} in the replay, with no hole before it"));
    }
    if before.len() != replayed_before.len() {
        return Err(format!("{} trades are {} in the replay, with no hole", before.len(), replayed_before.len()));
    }
    // The number of its tick counts what was missed.
    let without_index = |trade: &Value| {
        let mut trade = trade.clone();
        trade["index"] = Value::Null;
        trade.to_string()
    };
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for trade in behind {
        *counts.entry(without_index(trade)).or_default() += 1;
    }
    for trade in replayed_behind {
        *counts.entry(without_index(trade)).or_default() -= 1;
    }
    let differ = counts.values().map(|count| count.unsigned_abs()).sum();
    Ok((differ > 0).then_some((Cause::TradeBehindHole, differ)).into_iter().collect())
}

/// What `backtest` or `ledger show` prints, a line for each strategy.
#[derive(Debug)]
pub struct Results(BTreeMap<String, (String, Value)>);

impl Results {
    /// Reads them.
    pub fn of(lines: &str) -> Self {
        let read = |line: &str| {
            let value: Value = serde_json::from_str(line).expect("a result");
            (value["strategy"].as_str().expect("a name").to_owned(), (line.to_owned(), value))
        };
        Self(lines.lines().map(read).collect())
    }

    fn line(&self, name: &str) -> &(String, Value) {
        self.0.get(name).unwrap_or_else(|| panic!("{name} has a result"))
    }

    /// That of a strategy.
    pub fn of_strategy(&self, name: &str) -> &Value {
        &self.line(name).1
    }

    /// The same without what only one of the two can know.
    pub fn without_own(&self, name: &str) -> String {
        comparable(&self.line(name).0)
    }

    pub fn trades(&self, name: &str) -> &[Value] {
        self.of_strategy(name)["trades"].as_array().expect("trades")
    }
}

//! What may differ between a live session and the replay of its recording, and why. What has no cause here is an error.

use std::collections::BTreeMap;

use engine::messages::Tick;
use serde_json::Value;
use tests::result::comparable;

/// Why something differs. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A trade that neither the session nor its recording has: both name the hole that it lies in, with the same ends.
    HoleOfBoth,
    /// A tick that the recording has and the session did not see: it lies in a hole that its feed has named.
    Hole,
    /// A tick right behind a hole has the quotes of before it, until the new connection tells of some.
    QuoteBehindHole,
    /// A trade behind a hole of the session alone: other ticks before it made other orders.
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

/// Where numbers of ticks are left out: the times of the ticks before and behind, and how many.
pub fn holes(ticks: &[Tick]) -> Vec<(i64, i64, u64)> {
    let hole = |pair: &[Tick]| {
        let missed = pair[1].sequence - pair[0].sequence - 1;
        (missed > 0).then(|| (pair[0].event_time().millis(), pair[1].event_time().millis(), missed))
    };
    ticks.windows(2).filter_map(hole).collect()
}

/// Compares the ticks of a session with those of its recording: both begin with one trade, and numbers count what was missed.
/// What the recording lacks the session lacks too.
pub fn of_ticks(session: &[Tick], recorded: &[Tick], gaps: &[Gap]) -> Result<Causes, String> {
    let mut causes = Causes::new();
    let told: Vec<_> = gaps.iter().map(|gap| (gap.from, gap.to, gap.missed)).collect();
    if told != holes(session) {
        return Err(format!("the holes {told:?} are named, and ticks are missing at {:?}", holes(session)));
    }
    let of_both: Vec<_> = holes(recorded);
    if let Some(hole) = of_both.iter().find(|hole| !told.contains(hole)) {
        return Err(format!("the recording lacks trades that the session does not: {hole:?} of {told:?}"));
    }
    let by_number: BTreeMap<u64, &Tick> = recorded.iter().map(|tick| (tick.sequence, tick)).collect();
    let (mut next, mut is_behind_hole) = (0, false);
    for tick in session {
        let place = tick.sequence;
        let same = by_number.get(&place).ok_or_else(|| format!("tick {place} is not in the recording"))?;
        if place != next {
            let seen = by_number.range(next..place).count() as u64;
            for (cause, count) in [(Cause::Hole, seen), (Cause::HoleOfBoth, place - next - seen)] {
                if count > 0 {
                    *causes.entry(cause).or_default() += count;
                }
            }
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
    if by_number.last_key_value().is_some_and(|(last, _)| next != last + 1) {
        return Err(format!("the session has taken ticks up to {next}, and the recording has more"));
    }
    Ok(causes)
}

/// Compares the trades of a session with those of the replay of its recording. A hole of both makes no difference, one of the
/// session alone from then on.
pub fn of_trades(session: &[Value], replay: &[Value], gaps: &[Gap], recorded: &[Tick]) -> Result<Causes, String> {
    let of_both = holes(recorded);
    let alone = gaps.iter().filter(|gap| !of_both.contains(&(gap.from, gap.to, gap.missed)));
    let first_hole = alone.map(|gap| gap.from).min().unwrap_or(i64::MAX);
    let time = |trade: &Value| trade["time"].as_i64().unwrap_or(i64::MAX);
    let split = |trades: &[Value]| trades.iter().position(|trade| time(trade) >= first_hole).unwrap_or(trades.len());
    let (before, behind) = session.split_at(split(session));
    let (replayed_before, replayed_behind) = replay.split_at(split(replay));
    let mut pairs = before.iter().zip(replayed_before);
    if let Some((one, other)) = pairs.find(|(one, other)| one != other) {
        return Err(format!("{one} is {other} in the replay, with no hole of the session alone before it"));
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

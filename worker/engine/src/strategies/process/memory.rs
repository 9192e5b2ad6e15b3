//! What is remembered of a process between two answers, and saved with everything else.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::messages::{Event, NeededBars, OrderEvent, Ready, Timer};
use crate::instrument::Instruments;
use crate::messages::AlertKind;
use crate::numbers::{Notional, Quantity};
use crate::strategies::{BarsOf, Needs, NeedsError};
use crate::time::Timestamp;

/// An open order of the process.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mark {
    /// Its own mark of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tag: String,
    /// What was ordered.
    pub quantity: Quantity,
    /// What was told to have traded.
    #[serde(default = "nothing")]
    pub filled: Quantity,
    /// Whether it may only make the position smaller.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reduces: bool,
}

const fn nothing() -> Quantity {
    Quantity::ZERO
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde lends it")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// It failed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failed {
    /// How.
    pub kind: AlertKind,
    /// Which program, under which parameters.
    #[serde(default)]
    pub program: Option<String>,
    /// Why, in words.
    pub why: String,
}

/// What is told beside events, by its name, and the equity when it became so.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Standing {
    name: String,
    equity: Notional,
}

/// All that is remembered.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Memory {
    /// What it needs.
    #[serde(default)]
    pub ready: Ready,
    /// What it answered last, as text: its numbers stay as they were written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// What it was not told yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queue: Vec<Event>,
    /// Orders that were denied: told with what happens next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<OrderEvent>,
    /// So many of its answers to denials were denied again since the last tick.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// Its open orders, by sequence.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub orders: BTreeMap<u64, Mark>,
    /// Up to when timers were told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timed: Option<Timestamp>,
    /// The series of which it was told what it looks back on.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub told_bars: BTreeSet<String>,
    /// Markets of which ticks are missing before the next event.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub gaps: BTreeSet<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    standing: Option<Standing>,
    /// It has seen a tick.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_begun: bool,
    /// Events went by while it had failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missed: bool,
    /// It failed, and is told nothing more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failed>,
}

impl Memory {
    /// Behind what waits. What was denied comes before what happened after it.
    pub fn record(&mut self, event: Event) {
        self.queue.extend(self.denied.drain(..).map(Event::Order));
        self.queue.push(event);
    }

    pub fn fail(&mut self, failed: Failed) {
        self.failed = Some(failed);
        (self.missed, self.told_bars) = (true, BTreeSet::new());
        self.queue.clear();
        self.denied.clear();
        self.retries = 0;
    }

    /// Another program, or other parameters, are asked again: for what the one before failed.
    pub fn released_by(&mut self, program: Option<&str>) -> Option<AlertKind> {
        let failed = self.failed.take_if(|failed| program.is_some() && failed.program.as_deref() != program)?;
        Some(failed.kind)
    }

    /// The timers that a tick at this time makes due, each once.
    pub fn timers_due(&mut self, now: Timestamp) -> Vec<Event> {
        let Some(before) = self.timed.replace(self.timed.map_or(now, |before| before.max(now))) else {
            return Vec::new();
        };
        let due = |timer: &Timer| {
            let every = i64::from(timer.every_seconds).saturating_mul(1000);
            let passed = now.millis().checked_div_euclid(every)?;
            let time = Timestamp::from_millis(passed.saturating_mul(every));
            (time > before).then_some(Event::Timer { time, every_seconds: timer.every_seconds })
        };
        self.ready.timers.iter().filter_map(due).collect()
    }

    /// What it needs of these markets.
    pub fn needs(&self, instruments: &Instruments) -> Result<Needs, NeedsError> {
        let series = |bars: &NeededBars| {
            let found = instruments.iter().find(|(_, one)| one.symbol.as_str() == bars.symbol);
            let (instrument, _) = found.ok_or_else(|| NeedsError::UnknownSymbol { symbol: bars.symbol.clone() })?;
            Ok((BarsOf { instrument, interval: bars.interval }, bars.look_back))
        };
        Ok(Needs { bars: self.ready.bars.iter().map(series).collect::<Result<_, _>>()?, ..Needs::default() })
    }

    /// The equity that is told with a standing of this name: that of now where the standing is another one.
    pub fn equity_of(&mut self, name: String, now: Notional) -> Notional {
        match &self.standing {
            Some(standing) if standing.name == name => standing.equity,
            Some(_) | None => {
                self.standing = Some(Standing { name, equity: now });
                now
            }
        }
    }
}

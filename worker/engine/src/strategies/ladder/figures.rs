//! What a ladder shows of itself: figures that add up, words for people, and what they should know.

use super::levels::Formula;
use super::memory::{Seen, Stage};
use super::plan::{Gains, Plan};
use super::{
    LADDER_RESTS, LAID_ANEW, LEVELS_MERGE, Ladder, ORDER_OPEN, OUTSIDE, SHORT, TRADING_HELD, WAITING_FOR_TRIGGER,
};
use crate::fees::Fees;
use crate::instrument::Instruments;
use crate::messages::{AlertKind, Side};
use crate::numbers::Price;
use crate::strategies::{Figures, Standing, Warning};
use crate::time::rfc3339;

impl Ladder {
    /// What it has gained. The profit of its pairs and the rest of the net profit add up to the last digit.
    pub(super) fn profit_figures(&self, standing: Option<&Standing>) -> Figures {
        let grid_profit = self.memory.grid_profit;
        let mut figures = Figures::new();
        figures.insert("matchedTrades", self.memory.matched_trades);
        figures.insert("gridProfit", grid_profit.to_string());
        if let Some(Standing { net, holding }) = standing {
            if let Ok(floating) = net.minus(grid_profit) {
                figures.insert("floatingProfit", floating.to_string());
            }
            figures.insert("buyAndHold", holding.to_string());
        }
        figures
    }

    pub(super) fn all_figures(&self, standing: Option<&Standing>) -> Figures {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let mut figures = self.profit_figures(standing);
        figures.insert("levels", u64::from(self.parameters.levels));
        if let Some(empty) = self.memory.empty().and_then(|empty| self.price_of(empty)) {
            figures.insert("empty", empty.to_string());
        }
        let mut resting = Figures::new();
        resting.insert("buys", count(self.memory.resting(Side::Buy)));
        resting.insert("sells", count(self.memory.resting(Side::Sell)));
        figures.insert("resting", resting);
        figures.insert("left", count(self.memory.left()));
        figures
    }

    /// The levels between its bounds, wherever it was moved to.
    fn levels(&self) -> Vec<Price> {
        let all = self.parameters.levels.saturating_add(1);
        let started = self.memory.prices.get(..all as usize).map(<[Price]>::to_vec);
        let formula = || Formula::of(&self.parameters, self.memory.tick_size?);
        started.or_else(|| formula().map(|formula| formula.prices(0, all))).unwrap_or_default()
    }

    pub(super) fn below_fees(&self, fees: &Fees) -> Option<Warning> {
        let Gains { least, losing, first, .. } = Gains::of(&self.levels(), fees)?;
        let first = first?;
        Some(Warning {
            kind: AlertKind::LadderBelowFees,
            message: format!(
                "{losing} of {} steps cost more in fees than they gain, the first above {first}: write fewer levels.",
                self.parameters.levels
            ),
            current_value: least.to_string(),
            threshold: "0".to_owned(),
        })
    }

    pub(super) fn short_warning(&self) -> Option<Warning> {
        let Seen { count, first, at } = self.memory.short.as_ref()?;
        let (levels, are, first) = (if *count == 1 { "level" } else { "levels" }, was(*count), rfc3339::text(*first));
        Some(Warning {
            kind: AlertKind::LadderShort,
            message: format!(
                "{count} {levels} {are} left out, the first at {at} on {first}: not covered, or denied. Lower quantity, write \
                 fewer levels, or give it more capital."
            ),
            current_value: count.to_string(),
            threshold: "0".to_owned(),
        })
    }

    pub(super) fn outside_warning(&self) -> Option<Warning> {
        let Seen { count, first, at } = self.memory.outside.as_ref()?;
        let (lower, upper) = (self.parameters.lower_price, self.parameters.upper_price);
        let (ticks, first) = (if *count == 1 { "tick" } else { "ticks" }, rfc3339::text(*first));
        Some(Warning {
            kind: AlertKind::LadderOutside,
            message: format!(
                "{count} {ticks} before its start lay outside {lower} to {upper}, the first at {at} on {first}: nothing is \
                 placed there. Move the bounds, or wait."
            ),
            current_value: at.to_string(),
            threshold: format!("{lower} to {upper}"),
        })
    }

    /// What holds now of what it has found.
    pub(super) fn standing_alerts(&self) -> Vec<AlertKind> {
        let is_short = self.resting_reason() == SHORT;
        let is_outside = self.memory.stage == Stage::Waiting && self.memory.outside.is_some();
        let alerts = [(is_short, AlertKind::LadderShort), (is_outside, AlertKind::LadderOutside)];
        alerts.into_iter().filter(|(holds, _)| *holds).map(|(_, kind)| kind).collect()
    }

    pub(super) fn words_for(&self, reason: &str) -> String {
        let (lower, upper) = (self.parameters.lower_price, self.parameters.upper_price);
        match reason {
            LADDER_RESTS | SHORT => self.rests(),
            OUTSIDE => format!("Starts once the price is between {lower} and {upper}."),
            ORDER_OPEN => "Waits for its order to be over.".to_owned(),
            LAID_ANEW => "It was edited: its orders are cancelled, then it is laid anew.".to_owned(),
            TRADING_HELD => "Nothing may be placed now; it starts once both sides may be.".to_owned(),
            LEVELS_MERGE => "Two levels are one price at this tick size; write fewer levels.".to_owned(),
            WAITING_FOR_TRIGGER => {
                let trigger = self.parameters.trigger_price.map_or_else(String::new, |trigger| trigger.to_string());
                format!("Starts once the price has reached {trigger}.")
            }
            _ => String::new(),
        }
    }

    fn rests(&self) -> String {
        let side = |side: Side| {
            let orders = self.memory.gaps.iter().enumerate();
            let mut prices: Vec<_> = orders
                .filter(|(_, gap)| gap.side == side && gap.open.is_some())
                .filter_map(|(place, _)| Some(self.level_of(place)?.1))
                .collect();
            prices.sort_unstable();
            let nearest = if side == Side::Buy { prices.last() } else { prices.first() };
            (prices.len(), nearest.map_or_else(String::new, |nearest| format!(" from {nearest}")))
        };
        let ((buys, highest), (sells, lowest)) = (side(Side::Buy), side(Side::Sell));
        let left = match self.memory.left() {
            0 => String::new(),
            left => format!("; {left} left out"),
        };
        format!("{buys} buys rest{highest} down, {sells} sells{lowest} up{left}.")
    }

    pub(super) fn in_words(&self, instruments: &Instruments) -> String {
        let base = instruments.first().symbol.base();
        let LadderWords { levels, lower, upper } = LadderWords::of(self);
        let size = match self.parameters.fixed_quantity() {
            Some(quantity) => format!("{quantity} {base} per order"),
            None => format!("{} % of equity in its orders", self.parameters.usable_share().percent()),
        };
        format!("ladder of {levels} steps from {lower} to {upper}, {size}")
    }

    pub(super) fn first_words(&self, first: Price, instruments: &Instruments) -> Option<String> {
        let LadderWords { lower, upper, .. } = LadderWords::of(self);
        if let Some(trigger) = self.parameters.trigger_price.filter(|_| !self.memory.triggered) {
            return Some(format!("starts once the price has reached {trigger}"));
        }
        if first.get() < self.parameters.lower_price.get() || first.get() > self.parameters.upper_price.get() {
            return Some(format!("starts once the price is between {lower} and {upper}"));
        }
        let plan = Plan::of(&self.parameters, instruments.first(), &Fees::default())?;
        let empty = plan.nearest(first)?;
        let sells = self.parameters.levels as usize;
        let (buys, sells) = (empty.0, sells.saturating_sub(empty.0));
        Some(format!(
            "start {}: {buys} buys below {}, {sells} sells above",
            first.shown_in(instruments.first().tick_size),
            empty.1
        ))
    }

    pub(super) fn next_words(&self) -> Option<String> {
        let is_placed = self.memory.stage == Stage::Working;
        is_placed.then(|| self.rests().trim_end_matches('.').to_owned())
    }
}

/// What names a ladder.
struct LadderWords {
    levels: u32,
    lower: String,
    upper: String,
}

impl LadderWords {
    fn of(ladder: &Ladder) -> Self {
        let parameters = &ladder.parameters;
        let (lower, upper) = (parameters.lower_price.to_string(), parameters.upper_price.to_string());
        Self { levels: parameters.levels, lower, upper }
    }
}

const fn was(count: u64) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

//! What a strategy's schema cannot say: bounds and relations between fields. All faults are collected.

use std::collections::BTreeSet;

use engine::instrument::Asset;
use engine::validation::Violation;

use engine::instrument::Rules;
use engine::numbers::ExactDecimal;
use engine::strategies::grid::GridParameters;
use engine::strategies::ladder::LadderParameters;
use engine::transfers::TRANSFERS_MAX;

use super::{InstrumentSpec, StrategyChoice, TradingStrategySpec, TransferSpec};
use crate::ENTRIES_MAX;
use crate::symbol::spot;

impl TradingStrategySpec {
    /// All that is wrong with this spec, with paths from the document's root. An accepted spec has none.
    pub fn validate(&self) -> Vec<Violation> {
        let mut violations = self.validate_instruments();
        violations.extend(self.validate_capital());
        violations.extend(self.validate_transfers());
        violations.extend(self.strategy.validate("spec.strategy"));
        violations.extend(self.risk.validate("spec.risk", self.strategy.position_bounds()));
        violations.extend(self.exit.iter().flat_map(|exit| exit.validate("spec.exit")));
        violations.extend(self.validate_quotes());
        violations.extend(self.validate_orders());
        violations.extend(self.worker.validate("spec.worker"));
        violations
    }

    /// What could never be traded, seen without any price.
    fn validate_orders(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        for instrument in &self.instruments {
            let Some(rules) = &instrument.rules else { continue };
            let quote = instrument.symbol.quote();
            if let Some(limit) = self.risk.max_order_notional.get(quote)
                && *limit < rules.min_notional
            {
                let remedy = format!(
                    "is below minNotional {min} of {}, so no order could pass; write {min} or more",
                    instrument.symbol,
                    min = rules.min_notional,
                );
                violations.push(Violation::new(format!("spec.risk.maxOrderNotional.{quote}"), limit, remedy));
            }
        }
        if let [InstrumentSpec { rules: Some(rules), .. }] = &self.instruments[..] {
            violations.extend(self.strategy.grid.iter().flat_map(|grid| grid_within(grid, rules)));
            violations.extend(self.strategy.ladder.iter().flat_map(|ladder| ladder_within(ladder, rules)));
        }
        violations
    }

    fn validate_instruments(&self) -> Vec<Violation> {
        let path = "spec.instruments";
        let count = self.instruments.len();
        let mut violations = Vec::new();
        if count == 0 || count > ENTRIES_MAX {
            violations.push(Violation::new(path, "", format!("{count} entries; write 1 to {ENTRIES_MAX}")));
        } else if let Some(strategy) = self.strategy.of_one_instrument().filter(|_| count > 1) {
            let remedy = format!(
                "{count} entries, but {strategy} trades exactly one; keep one and create a strategy for each other"
            );
            violations.push(Violation::new(path, "", remedy));
        }
        for (index, instrument) in self.instruments.iter().enumerate() {
            if self.instruments.iter().take(index).any(|other| other.symbol == instrument.symbol) {
                violations.push(Violation::new(
                    format!("{path}[{index}].symbol"),
                    &instrument.symbol,
                    "is written twice; keep one entry for each symbol",
                ));
            }
            violations.extend(spot(&instrument.symbol, &format!("{path}[{index}].symbol")));
            if let Some(rules) = &instrument.rules {
                violations.extend(rules.validate(&format!("{path}[{index}].rules")));
            }
        }
        violations
    }

    fn validate_capital(&self) -> Vec<Violation> {
        let path = "spec.capital";
        let count = self.capital.len();
        if count == 0 || count > ENTRIES_MAX {
            let remedy = format!("{count} entries; write 1 to {ENTRIES_MAX}, such as {{USDT: 3000}}");
            return vec![Violation::new(path, "", remedy)];
        }
        let mut violations: Vec<Violation> =
            self.capital.keys().filter_map(|asset| self.not_traded(asset, format!("{path}.{asset}"))).collect();
        if self.capital.values().all(|amount| amount.get().is_zero()) {
            violations.push(Violation::new(path, "", "all amounts are 0; give the strategy something to trade with"));
        }
        violations
    }

    /// An asset that no instrument trades.
    fn not_traded(&self, asset: &Asset, path: String) -> Option<Violation> {
        let symbols = self.instruments.iter().map(|instrument| &instrument.symbol);
        let assets: BTreeSet<&Asset> = symbols.flat_map(|symbol| [symbol.base(), symbol.quote()]).collect();
        let names: Vec<&str> = assets.iter().map(|asset| asset.as_str()).collect();
        let remedy = || format!("is not traded by an instrument; write {}", names.join(" or "));
        (!assets.contains(asset)).then(|| Violation::new(path, asset, remedy()))
    }

    fn validate_transfers(&self) -> Vec<Violation> {
        let path = "spec.transfers";
        let count = self.transfers.len();
        if count > TRANSFERS_MAX {
            return vec![Violation::new(path, "", format!("{count} entries; write 0 to {TRANSFERS_MAX}"))];
        }
        let mut violations = Vec::new();
        for (index, TransferSpec { id, asset, amount }) in self.transfers.iter().enumerate() {
            let path = format!("{path}[{index}]");
            if self.transfers.iter().take(index).any(|other| other.id == *id) {
                let remedy = "is written twice; give each transfer an id of its own";
                violations.push(Violation::new(format!("{path}.id"), id, remedy));
            }
            violations.extend(self.not_traded(asset, format!("{path}.asset")));
            if amount.get().is_zero() {
                let remedy = "is zero; write an amount above 0 to add, or one such as \"-500\" to take out";
                violations.push(Violation::new(format!("{path}.amount"), amount, remedy));
            }
        }
        violations
    }

    /// An order's worth is counted in quote, so a bound in another asset would bind nothing.
    fn validate_quotes(&self) -> Vec<Violation> {
        let quotes: BTreeSet<&Asset> = self.instruments.iter().map(|instrument| instrument.symbol.quote()).collect();
        let names: Vec<&str> = quotes.iter().map(|quote| quote.as_str()).collect();
        let bounds = [("maxOrderNotional", &self.risk.max_order_notional), ("maxExposure", &self.risk.max_exposure)];
        let all = bounds.into_iter().flat_map(|(name, bound)| bound.keys().map(move |asset| (name, asset)));
        all.filter(|(_, asset)| !quotes.contains(asset))
            .map(|(name, asset)| {
                let remedy = format!("is not the quote asset of an instrument; write {}", names.join(" or "));
                Violation::new(format!("spec.risk.{name}.{asset}"), asset, remedy)
            })
            .collect()
    }
}

/// A grid's prices and sizes against the steps of its market.
fn grid_within(grid: &GridParameters, rules: &Rules) -> Vec<Violation> {
    let mut violations = Vec::new();
    if let Some(base) = grid.base_price
        && base < rules.tick_size
    {
        let remedy = format!("is below tickSize {}; write the tick size of this market", rules.tick_size);
        violations.push(Violation::new("spec.strategy.grid.basePrice", base, remedy));
    }
    violations.extend(grid.quantity.and_then(|quantity| in_lots(quantity, rules, "spec.strategy.grid.quantity")));
    violations
}

/// A ladder's levels and sizes against the steps of its market.
fn ladder_within(ladder: &LadderParameters, rules: &Rules) -> Vec<Violation> {
    let path = "spec.strategy.ladder";
    let mut violations = Vec::new();
    if ladder.lower_price < rules.tick_size {
        let remedy = format!("is below tickSize {}; write the tick size of this market", rules.tick_size);
        violations.push(Violation::new(format!("{path}.lowerPrice"), ladder.lower_price, remedy));
    }
    // What is wrong by itself gives no levels to judge.
    if violations.is_empty() && ladder.validate(path).is_empty() {
        violations.extend(ladder.validate_levels(rules, path));
    }
    violations.extend(ladder.quantity.and_then(|quantity| in_lots(quantity, rules, &format!("{path}.quantity"))));
    violations
}

/// A size that is no multiple of the lot size.
fn in_lots(quantity: ExactDecimal, rules: &Rules, path: &str) -> Option<Violation> {
    let lot = rules.lot_size.get();
    if lot.is_zero() {
        return None;
    }
    let rest = quantity.get() % lot;
    let below = quantity.get() - rest;
    let above = (below + lot).normalize();
    let remedy = if rest.is_zero() {
        return None;
    } else if below.is_zero() {
        format!("is not a multiple of lotSize {}, but below it; write {above} or a multiple of it", rules.lot_size)
    } else {
        format!("is not a multiple of lotSize {}; write {} or {above}", rules.lot_size, below.normalize())
    };
    Some(Violation::new(path, quantity, remedy))
}

impl StrategyChoice {
    /// All that is wrong with the choice and its parameters.
    pub fn validate(&self, path: &str) -> Vec<Violation> {
        // What the parameters of a custom one must be only the program knows that has it.
        let Self { grid, ladder, position_control, custom, process } = self;
        let set = [grid.is_some(), ladder.is_some(), position_control.is_some(), custom.is_some(), process.is_some()];
        let all = "custom, grid, ladder, positionControl, process";
        match set.into_iter().filter(|set| *set).count() {
            0 => vec![Violation::new(path, "", format!("no member is set; write exactly one of: {all}"))],
            1 => {
                let grid = grid.iter().flat_map(|grid| grid.validate(&format!("{path}.grid")));
                let ladder = ladder.iter().flat_map(|ladder| ladder.validate(&format!("{path}.ladder")));
                let control =
                    position_control.iter().flat_map(|control| control.validate(&format!("{path}.positionControl")));
                let process = process.iter().flat_map(|process| process.validate(&format!("{path}.process")));
                grid.chain(ladder).chain(control).chain(process).collect()
            }
            _ => vec![Violation::new(path, "", format!("several members are set; keep one of: {all}"))],
        }
    }
}

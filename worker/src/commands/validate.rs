//! The command `validate`: all errors of all files at once, offline.

use std::path::PathBuf;

use crds::manifest::{Document, Manifest};
use crds::{TradingAccountSpec, TradingStrategySpec};
use engine::fees::Fees;
use engine::instrument::{Asset, Instrument};
use engine::numbers::{Notional, Quantity};
use engine::strategies::ladder::Plan;

use crate::fleet;
use crate::process::exit::{Failure, print};

/// Checks files. Notes go to stderr and fail nothing: an account may exist elsewhere.
pub fn run(files: &[PathBuf]) -> Result<(), Failure> {
    let reading = fleet::read(files)?;
    for note in &reading.unresolved {
        process::say(format_args!("note: {note}"));
    }
    if !reading.errors.is_empty() {
        return Err(Failure::refused(reading.errors.to_string()));
    }
    for manifest in &reading.manifests {
        print(&format!("{} {} is valid\n", manifest.kind(), manifest.name()))?;
        if let Manifest::Strategy(document) = manifest {
            for line in ladder_lines(document, &reading.manifests) {
                print(&format!("  {line}\n"))?;
            }
        }
    }
    Ok(())
}

/// What a ladder gains at each step and needs at each level, under the fees of its account; none of one that no file holds.
fn ladder_lines(document: &Document<TradingStrategySpec>, manifests: &[Manifest]) -> Vec<String> {
    let spec = &document.spec;
    let Some((ladder, first)) = spec.strategy.ladder.as_ref().zip(spec.instruments.first()) else { return Vec::new() };
    let instrument = first.rules.as_ref().and_then(|rules| Instrument::new(first.symbol.clone(), rules).ok());
    let amount = |asset: &Asset| spec.capital.get(asset).and_then(|amount| Quantity::new(amount.get()).ok());
    let (coins, cash) = (amount(first.symbol.base()), amount(first.symbol.quote()));
    let plan = instrument.and_then(|instrument| Plan::of(ladder, &instrument, &fees_of(document, manifests)));
    plan.map_or_else(Vec::new, |plan| plan.lines(coins.unwrap_or_default(), Notional::from(cash.unwrap_or_default())))
}

fn fees_of(document: &Document<TradingStrategySpec>, manifests: &[Manifest]) -> Fees {
    let is_its = |account: &&Document<TradingAccountSpec>| {
        account.namespace == document.namespace && account.name == document.spec.account_ref.name
    };
    let accounts = manifests.iter().filter_map(|manifest| match manifest {
        Manifest::Account(account) => Some(account),
        Manifest::Strategy(_) => None,
    });
    let paper = accounts.filter(is_its).find_map(|account| account.spec.venue.paper.as_ref());
    paper.map_or_else(Fees::default, |paper| paper.fees.clone())
}

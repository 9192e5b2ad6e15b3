//! What lies between documents: names, accounts, shared money and shared prices.

use std::collections::{BTreeMap, HashMap};

use engine::instrument::{Asset, Symbol};

use super::document::{Document, Subject};
use super::error::ManifestError;
use super::schema::Kind;
use super::tree::Node;
use super::{Manifest, document};
use crate::account::TradingAccountSpec;
use crate::roles::SpecError;
use crate::strategy::TradingStrategySpec;
use crate::symbol::{self, Claim};

/// What is wrong between documents.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct References {
    /// Accounts that no file holds, rules that no source gives: a note to who only reads, an error to who runs.
    pub unresolved: Vec<ManifestError>,
    /// Duplicate names, capital above the account, several symbols on one replay.
    pub errors: Vec<ManifestError>,
}

/// Checks what lies between the manifests of all files.
pub fn check_references(manifests: &[Manifest]) -> References {
    let subjects: Vec<Subject> = manifests.iter().map(subject).collect();
    check(&subjects)
}

fn subject(manifest: &Manifest) -> Subject {
    let (kind, source) = match manifest {
        Manifest::Strategy(document) => (Kind::Strategy, &document.source),
        Manifest::Account(document) => (Kind::Account, &document.source),
    };
    Subject {
        kind,
        namespace: manifest.namespace().to_owned(),
        name: manifest.name().to_string(),
        source: std::sync::Arc::clone(source),
        manifest: Some(manifest.clone()),
        valid: true,
    }
}

pub(super) fn check(subjects: &[Subject]) -> References {
    let mut errors = duplicates(subjects);
    let mut unresolved = unknown_accounts(subjects);
    // With a name twice nobody knows whose money and whose prices are meant: more errors would only mislead.
    let accounts = if errors.is_empty() { subjects } else { &[] };
    for subject in accounts {
        if let Some(Manifest::Account(account)) = &subject.manifest {
            let strategies = strategies_of(account, subjects);
            errors.extend(check_capital(account, &strategies));
            errors.extend(check_symbols(account, &strategies));
            unresolved.extend(missing_rules(account, &strategies));
        }
    }
    References { unresolved, errors }
}

/// Documents with the kind, namespace and name of an earlier one.
pub(super) fn duplicates(subjects: &[Subject]) -> Vec<ManifestError> {
    let mut first: HashMap<(Kind, &str, &str), &document::Source> = HashMap::new();
    let mut errors = Vec::new();
    for subject in subjects.iter().filter(|subject| !subject.name.is_empty()) {
        let key = (subject.kind, subject.namespace.as_str(), subject.name.as_str());
        if let Some(earlier) = first.get(&key) {
            let place = format!("{}:{}", earlier.file, earlier.root.line_of("metadata.name"));
            let message = format!("duplicate name {:?}; first at {place}; rename one", subject.name);
            errors.push(subject.source.error("metadata.name", message));
        } else {
            first.insert(key, &subject.source);
        }
    }
    errors
}

fn unknown_accounts(subjects: &[Subject]) -> Vec<ManifestError> {
    let mut accounts: BTreeMap<&str, Vec<&Subject>> = BTreeMap::new();
    for account in subjects.iter().filter(|subject| subject.kind == Kind::Account) {
        accounts.entry(&account.namespace).or_default().push(account);
    }
    let path = "spec.accountRef.name";
    let mut unknown = Vec::new();
    for strategy in subjects.iter().filter(|subject| subject.kind == Kind::Strategy) {
        let known = accounts.get(strategy.namespace.as_str()).map(Vec::as_slice).unwrap_or_default();
        let Some(name) = strategy.source.root.at(path).and_then(Node::text) else { continue };
        if known.iter().any(|account| account.name == name) {
            continue;
        }
        let in_one_file = subjects.iter().all(|subject| subject.source.file == strategy.source.file);
        let (place, have) = if in_one_file { ("this file", "it has") } else { ("these files", "they have") };
        let names: Vec<&str> = known.iter().map(|account| account.name.as_str()).collect();
        let message = if names.is_empty() {
            let namespace = &strategy.namespace;
            format!("{name:?} not found in {place}; add a TradingAccount of that name in namespace {namespace}")
        } else {
            format!("{name:?} not found in {place}; {have}: {}", names.join(", "))
        };
        unknown.push(strategy.source.error(path, message));
    }
    unknown
}

type Strategy = Document<TradingStrategySpec>;

fn strategies_of<'a>(account: &Document<TradingAccountSpec>, subjects: &'a [Subject]) -> Vec<&'a Strategy> {
    subjects
        .iter()
        .filter_map(|subject| match &subject.manifest {
            Some(Manifest::Strategy(strategy)) => Some(strategy),
            Some(Manifest::Account(_)) | None => None,
        })
        .filter(|strategy| strategy.namespace == account.namespace && strategy.spec.account_ref.name == account.name)
        .collect()
}

/// Strategies are served in the order of the files: the first that asks for more than is left is refused. What its transfers
/// take out is given back once it is booked, which no file tells.
fn check_capital(account: &Document<TradingAccountSpec>, strategies: &[&Strategy]) -> Vec<ManifestError> {
    let Some(paper) = &account.spec.venue.paper else { return Vec::new() };
    let balance = |asset: &Asset| paper.balances.get(asset).map(|amount| amount.get()).unwrap_or_default();
    let mut left: BTreeMap<&Asset, _> = BTreeMap::new();
    let mut errors = Vec::new();
    for strategy in strategies {
        let capital = strategy.spec.capital.iter().map(|(asset, amount)| (asset, amount.get()));
        let capital = capital.map(|(asset, amount)| (format!("spec.capital.{asset}"), asset, amount));
        let added = strategy.spec.transfers.iter().enumerate().map(|(index, transfer)| {
            (format!("spec.transfers[{index}].amount"), &transfer.asset, transfer.amount.get())
        });
        for (path, asset, amount) in capital.chain(added.filter(|(.., amount)| amount.is_sign_positive())) {
            let left = left.entry(asset).or_insert_with(|| balance(asset));
            if amount > *left {
                let message = format!(
                    "{amount} exceeds what account \"{}\" has left: {left} of {} {asset}; lower it or raise balances",
                    account.name,
                    balance(asset),
                );
                errors.push(strategy.error(&path, message));
            } else {
                *left -= amount;
            }
        }
    }
    errors
}

/// A replay gives no rules, so the spec must before anything runs.
fn missing_rules(account: &Document<TradingAccountSpec>, strategies: &[&Strategy]) -> Vec<ManifestError> {
    if account.spec.market_data.replay.is_none() {
        return Vec::new();
    }
    let mut errors = Vec::new();
    for strategy in strategies {
        for (index, instrument) in strategy.spec.instruments.iter().enumerate() {
            if instrument.rules.is_none() {
                let error = SpecError::NoInstrumentRules { symbol: instrument.symbol.to_string() };
                errors.push(strategy.error(&format!("spec.instruments[{index}].rules"), error.to_string()));
            }
        }
    }
    errors
}

/// Each symbol is replayed: by its own file, or by the lone file, of which no ledger is known here: who stands first is the
/// oldest.
fn check_symbols(account: &Document<TradingAccountSpec>, strategies: &[&Strategy]) -> Vec<ManifestError> {
    let Some(replay) = &account.spec.market_data.replay else { return Vec::new() };
    let mut errors = Vec::new();
    for strategy in strategies {
        let (name, first) = (account.name.as_str(), symbol_of(strategy));
        for (index, instrument) in strategy.spec.instruments.iter().enumerate() {
            let symbol = &instrument.symbol;
            let refused = first.and_then(|first| symbol::refuses(replay, first, symbol, name));
            let place = format!("spec.instruments[{index}].symbol");
            errors.extend(refused.map(|message| strategy.error(&place, message)));
        }
    }
    if replay.file.is_some() {
        errors.extend(check_lone_file(account, strategies));
    }
    errors
}

fn check_lone_file(account: &Document<TradingAccountSpec>, strategies: &[&Strategy]) -> Vec<ManifestError> {
    let path = "spec.instruments[0].symbol";
    let claims = strategies.iter().enumerate().filter_map(|(made, strategy)| {
        Some(Claim { name: strategy.name.as_str(), symbol: symbol_of(strategy)?, opened: None, made })
    });
    let Some(holder) = symbol::holder(claims) else { return Vec::new() };
    let Some(first) = strategies.get(holder.made) else { return Vec::new() };
    let place = format!("\"{}\" ({}:{})", first.name, first.file(), first.line_of(path));
    let refused = strategies.iter().filter_map(|strategy| {
        let message = holder.refuses(symbol_of(strategy)?, &place, account.name.as_str())?;
        Some(strategy.error(path, message))
    });
    refused.collect()
}

fn symbol_of(strategy: &Strategy) -> Option<&Symbol> {
    strategy.spec.instruments.first().map(|instrument| &instrument.symbol)
}

//! Whether a strategy can be run as it is, and what its worker is told. Pure: no client, no clock.

use crds::roles::{self, AccountSpec, StrategySpec};
use crds::strategy::WorkerSpec;
use crds::strategy::status::Ledger;
use crds::symbol::{self, Claim};
use crds::{TradingAccount, TradingStrategy};
use engine::instrument::Asset;
use engine::risk::{PositionBounds, RiskParameters};
use engine::strategies::DesiredState;
use engine::transfers::WantedTransfer;
use k8s_openapi::jiff::Timestamp;
use rust_decimal::Decimal;

use super::observe::Observed;
use super::{granted, source};
use crate::placement::Stored;
use crate::reason::Reason;
use crate::report::word;

/// Why a strategy is not run as it is written: field, value, remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// A stable word.
    pub reason: Reason,
    /// All that is wrong.
    pub message: String,
}

impl Invalid {
    fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// What the worker is told, or why not.
pub fn validate(observed: &Observed) -> Result<StrategySpec, Invalid> {
    let violations: Vec<_> = observed.spec.validate().iter().map(ToString::to_string).collect();
    if !violations.is_empty() {
        return Err(Invalid::new(Reason::InvalidSpec, violations.join("; ")));
    }
    if observed.spec.strategy.process.is_some() && !observed.allows_processes {
        return Err(Invalid::new(
            Reason::InvalidSpec,
            "spec.strategy.process: processes are switched off in this installation; set processStrategies.enabled=true in \
             the chart's values, or choose another strategy",
        ));
    }
    source::check(observed)?;
    let name = &observed.spec.account_ref.name;
    let account = observed.account.as_ref().map_err(|why| {
        let message = format!("spec.accountRef.name: account {name:?} does not read: {why}; apply it again");
        Invalid::new(Reason::Unreadable, message)
    })?;
    let Some(account) = account else {
        let message =
            format!("spec.accountRef.name: {name:?} not found in namespace {}; create it", observed.namespace);
        return Err(Invalid::new(Reason::AccountNotFound, message));
    };
    let spec = StrategySpec {
        name: observed.name.clone(),
        generation: observed.generation,
        spec: observed.spec.clone(),
        account: AccountSpec { name: name.to_string(), spec: account.spec.clone() },
        source_folder: None,
    };
    check_rules(&spec)?;
    check_symbol(observed, account)?;
    check_capital(observed, account)?;
    check_transfers(observed, account)?;
    Ok(spec)
}

/// The first market has rules that can be used. With live prices the worker waits for the venue's where none are written.
fn check_rules(spec: &StrategySpec) -> Result<(), Invalid> {
    let is_written = spec.spec.instruments.first().is_some_and(|instrument| instrument.rules.is_some());
    if spec.account.is_live() && !is_written {
        return Ok(());
    }
    let refused = |error| Invalid::new(Reason::NoInstrumentRules, format!("spec.instruments[0].rules: {error}"));
    spec.instrument().map(drop).map_err(refused)
}

/// Each symbol is replayed: by its own file, or by the lone file; of which market that is, who came first says.
fn check_symbol(observed: &Observed, account: &TradingAccount) -> Result<(), Invalid> {
    let Some(instrument) = observed.spec.instruments.first() else { return Ok(()) };
    let Some(replay) = &account.spec.market_data.replay else { return Ok(()) };
    let name = observed.spec.account_ref.name.as_str();
    for (index, other) in observed.spec.instruments.iter().enumerate() {
        if let Some(why) = symbol::refuses(replay, &instrument.symbol, &other.symbol, name) {
            return Err(Invalid::new(Reason::SymbolMismatch, format!("spec.instruments[{index}].symbol: {why}")));
        }
    }
    if replay.file.is_none() {
        return Ok(());
    }
    let opened = observed.status.ledger.as_ref().map(Age::of_ledger);
    let account = name;
    let refuse = |why| Invalid::new(Reason::SymbolMismatch, format!("spec.instruments[0].symbol: {why}"));
    if let Some((name, symbol)) = &observed.kept {
        // It was there before, though it is not known now since when.
        let holder = Claim { name, symbol, opened: None, made: () };
        return holder
            .refuses(&instrument.symbol, &format!("\"{name}\""), account)
            .map_or(Ok(()), |why| Err(refuse(why)));
    }
    let own = Claim {
        name: observed.name.as_str(),
        symbol: &instrument.symbol,
        opened,
        made: Age(observed.made.unwrap_or_default()),
    };
    let others = observed.neighbours.iter().filter_map(|other| claim(other));
    let Some(holder) = symbol::holder(others.chain([own])) else { return Ok(()) };
    let refused = holder.refuses(&instrument.symbol, &format!("\"{}\"", holder.name), account);
    refused.map_or(Ok(()), |why| Err(refuse(why)))
}

/// When something came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age(Timestamp);

impl Age {
    fn of_ledger(ledger: &Ledger) -> Self {
        Self(ledger.started_at.parse().unwrap_or_default())
    }
}

/// What a strategy says of its account's symbol. One that is being deleted has nothing to say without a ledger.
pub fn claim(strategy: &TradingStrategy) -> Option<Claim<'_, Age>> {
    let opened = strategy.status.as_ref().and_then(|status| status.ledger.as_ref()).map(Age::of_ledger);
    if opened.is_none() && strategy.metadata.deletion_timestamp.is_some() {
        return None;
    }
    Some(Claim {
        name: strategy.metadata.name.as_deref()?,
        symbol: &strategy.spec.instruments.first()?.symbol,
        opened,
        made: Age(strategy.metadata.creation_timestamp.as_ref().map(|time| time.0).unwrap_or_default()),
    })
}

/// The capital must be there when the ledger is opened, and that is judged once: what an account has granted is not
/// taken back because of what others did since.
fn check_capital(observed: &Observed, account: &TradingAccount) -> Result<(), Invalid> {
    let Some(paper) = account.spec.venue.paper.as_ref() else { return Ok(()) };
    let is_open = match &observed.stored {
        Stored::Found(record) => !record.closed,
        Stored::Away(_) | Stored::Missing => false,
    };
    if observed.status.ledger.is_some() || is_open {
        return Ok(());
    }
    for (asset, wanted) in &observed.spec.capital {
        let balance = paper.balances.get(asset).map(|amount| amount.get()).unwrap_or_default();
        let left = (balance - taken(observed, asset)).max(Decimal::ZERO);
        if wanted.get() > left {
            let account = &observed.spec.account_ref.name;
            let message = format!(
                "spec.capital.{asset}: {wanted} exceeds what account {account:?} has left: {left} of {balance} {asset}; \
                 lower it or raise balances"
            );
            return Err(Invalid::new(Reason::CapitalExceedsAccount, message));
        }
    }
    Ok(())
}

/// What others have of an asset.
fn taken(observed: &Observed, asset: &Asset) -> Decimal {
    observed.granted.values().filter_map(|granted| granted.get(asset)).sum()
}

/// Money that is added must be there when it is asked for first, and that is judged once too: what the register asks for was
/// granted.
fn check_transfers(observed: &Observed, account: &TradingAccount) -> Result<(), Invalid> {
    let Some(paper) = account.spec.venue.paper.as_ref() else { return Ok(()) };
    let record = match &observed.stored {
        Stored::Found(record) => word(record),
        Stored::Missing => None,
        // Nothing is done now, and what nobody can say is not refused.
        Stored::Away(_) => return Ok(()),
    };
    let report = record.and_then(|word| word.report).or_else(|| observed.status.report.clone());
    let asked = roles::transfers(&observed.spec, observed.generation).list;
    let before = granted::registered(observed.register.as_ref()).unwrap_or_default();
    let mut own = granted::of(&observed.spec.capital, report.as_ref(), &before);
    for (index, WantedTransfer { id, asset, amount }) in granted::added(&asked, report.as_ref()) {
        if before.iter().any(|granted| granted.id == *id) {
            continue;
        }
        let balance = paper.balances.get(asset).map(|amount| amount.get()).unwrap_or_default();
        let own = own.entry(asset.clone()).or_default();
        let left = (balance - taken(observed, asset) - *own).max(Decimal::ZERO);
        if amount.get() > left {
            let account = &observed.spec.account_ref.name;
            let message = format!(
                "spec.transfers[{index}].amount: {amount} exceeds what account {account:?} has left: {left} of {balance} \
                 {asset}; ask for less under another id, or raise balances"
            );
            return Err(Invalid::new(Reason::CapitalExceedsAccount, message));
        }
        *own += amount.get();
    }
    Ok(())
}

/// The documents of a strategy's pod.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodDocuments {
    /// What its worker is told when it starts. The state comes by the register alone.
    pub told: String,
    /// What of that asks for a new pod: neither state nor generation, neither parameters, bounds, limits and exit nor
    /// transfers, as the register tells them.
    pub steady: String,
    /// The same with the parameters, to the byte as the release before has it: its workers follow them by a new pod.
    pub whole: String,
}

impl PodDocuments {
    /// Those of an accepted spec.
    pub fn of(spec: &StrategySpec) -> Result<Self, serde_json::Error> {
        let mut told = spec.clone();
        told.spec.state = DesiredState::Running;
        told.spec.worker = WorkerSpec::default();
        told.account = told.account.steady();
        let mut whole = StrategySpec { generation: 0, ..told.clone() };
        // With the position limits that each spec had in the release before.
        let risk = RiskParameters::default().with_position_defaults(PositionBounds::Bind);
        (whole.spec.risk, whole.spec.exit, whole.spec.transfers) = (risk, None, Vec::new());
        let mut steady = whole.clone();
        steady.spec.strategy = steady.spec.strategy.steady();
        Ok(Self {
            told: serde_json::to_string(&told)?,
            steady: serde_json::to_string(&steady)?,
            whole: serde_json::to_string(&whole)?,
        })
    }
}

#[cfg(test)]
mod tests;

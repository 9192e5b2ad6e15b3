//! Whether a strategy can be run as it is, and what its worker is told. Pure: no client, no clock.

use crds::TradingAccount;
use crds::roles::{AccountSpec, StrategySpec};
use engine::strategy::DesiredState;

use super::has_ledger;
use super::observe::Observed;
use crate::reason::Reason;

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
    };
    if let Err(error) = spec.instrument() {
        return Err(Invalid::new(Reason::NoInstrumentRules, format!("spec.instruments[0].rules: {error}")));
    }
    check_capital(observed, account)?;
    Ok(spec)
}

/// The capital of all strategies of an account together must be there.
fn check_capital(observed: &Observed, account: &TradingAccount) -> Result<(), Invalid> {
    let Some(paper) = account.spec.venue.paper.as_ref() else { return Ok(()) };
    for (asset, wanted) in &observed.spec.capital {
        let balance = paper.balances.get(asset).map(|amount| amount.get()).unwrap_or_default();
        // Those that hold a ledger were there first.
        let taken: rust_decimal::Decimal = observed
            .neighbours
            .iter()
            .filter(|other| has_ledger(other))
            .map(|other| &other.spec.capital)
            .chain(observed.kept_books.iter().map(|book| &book.capital))
            .filter_map(|capital| capital.get(asset))
            .map(|amount| amount.get())
            .sum();
        let left = (balance - taken).max(rust_decimal::Decimal::ZERO);
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

/// The document a pod is made from: a change of the state alone, or of the generation alone, makes no new pod.
pub fn pod_document(spec: &StrategySpec) -> Result<String, serde_json::Error> {
    let mut steady = spec.clone();
    steady.spec.state = DesiredState::Running;
    steady.generation = 0;
    serde_json::to_string(&steady)
}

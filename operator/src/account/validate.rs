//! Whether an account can be run as it is, and what its gateway and feed are told. Pure: no client, no clock.

use std::path::PathBuf;

use crds::TradingStrategy;
use crds::roles::{AccountSpec, BookSpec, FeedDesired, FeedSpec, GatewayDesired, GatewaySpec, Stance};
use crds::symbol;
use engine::instrument::Symbol;
use engine::strategy::DesiredState;
use kube::ResourceExt;

use super::observe::Observed;
use crate::kept;
use crate::reason::Reason;
use crate::strategy::has_ledger;
use crate::strategy::validate::{Invalid, claim};

/// What the account's processes are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// For the gateway.
    pub gateway: GatewaySpec,
    /// For the feed; absent while nobody reads.
    pub feed: Option<FeedSpec>,
    /// The feed's register.
    pub readers: FeedDesired,
}

/// What the processes are told, or why not.
pub fn validate(observed: &Observed) -> Result<Accepted, Invalid> {
    let violations: Vec<_> = observed.spec.validate().iter().map(ToString::to_string).collect();
    if !violations.is_empty() {
        return Err(Invalid { reason: Reason::InvalidSpec, message: violations.join("; ") });
    }
    let account = AccountSpec { name: observed.name.clone(), spec: observed.spec.clone() };
    let symbol = symbol(observed);
    let of_symbol = |strategy: &&TradingStrategy| {
        let own = strategy.spec.instruments.first().map(|instrument| &instrument.symbol);
        symbol.is_none() || own == symbol.as_ref()
    };
    let reading: Vec<&TradingStrategy> =
        observed.strategies.iter().filter(|strategy| reads(strategy)).filter(of_symbol).collect();
    Ok(Accepted {
        feed: symbol.clone().filter(|_| !reading.is_empty()).and_then(|symbol| feed(observed, &account, symbol)),
        readers: readers(observed, &reading, symbol),
        gateway: GatewaySpec { generation: 0, account },
    })
}

/// The gateway's register, whatever the account's own spec says: its strategies' books do not hang on it.
pub fn books(observed: &Observed) -> GatewayDesired {
    let mut books: Vec<BookSpec> = observed.strategies.iter().filter_map(book).collect();
    books.extend(observed.kept_books.iter().cloned());
    books.sort_by(|one, other| one.strategy.cmp(&other.strategy));
    GatewayDesired { books }
}

/// What the account replays: its oldest strategy's symbol, or what those need that are not known now. A feed is never made
/// anew for a neighbour of another.
fn symbol(observed: &Observed) -> Option<Symbol> {
    observed.spec.market_data.replay.as_ref()?;
    let kept = kept::holder(&observed.kept_readers, &observed.kept_books).and(observed.kept_symbol.as_ref());
    if let Some(kept) = kept {
        return Some(kept.clone());
    }
    symbol::holder(observed.strategies.iter().filter_map(claim)).map(|holder| holder.symbol.clone())
}

fn readers(observed: &Observed, reading: &[&TradingStrategy], symbol: Option<Symbol>) -> FeedDesired {
    let mut readers: Vec<String> = reading.iter().map(|strategy| strategy.name_any()).collect();
    readers.extend(observed.kept_readers.iter().cloned());
    readers.sort();
    // Without any strategy it stays: the stream of that name goes with the feed's ledger.
    FeedDesired { readers, symbol: symbol.or_else(|| observed.kept_symbol.clone()) }
}

/// A strategy with a ledger has a book.
fn book(strategy: &TradingStrategy) -> Option<BookSpec> {
    let ledger = strategy.status.as_ref()?.ledger.as_ref()?.id.parse().ok()?;
    // Read apart from the rest of the spec: a human's stop passes whatever else is wrong with it.
    let stance = match strategy.metadata.deletion_timestamp {
        Some(_) => Stance::Closed,
        None => Stance::of_state(strategy.spec.state),
    };
    Some(BookSpec::new(strategy.name_any(), ledger, strategy.spec.capital.clone(), stance))
}

/// Whether a strategy reads the feed.
fn reads(strategy: &TradingStrategy) -> bool {
    strategy.metadata.deletion_timestamp.is_none()
        && strategy.spec.state != DesiredState::Stopped
        && has_ledger(strategy)
}

fn feed(observed: &Observed, account: &AccountSpec, symbol: Symbol) -> Option<FeedSpec> {
    let replay = observed.spec.market_data.replay.as_ref()?;
    Some(FeedSpec {
        account: observed.name.clone(),
        source: observed.source.clone(),
        symbol,
        file: PathBuf::from(replay.file.as_str()),
        speed: Some(replay.speed),
        repeat: replay.repeat,
        latency_ms: account.latency_ms(),
    })
}

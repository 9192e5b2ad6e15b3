//! Whether an account can be run as it is, and what its gateway and feed are told. Pure: no client, no clock.

use std::path::PathBuf;

use crds::TradingStrategy;
use crds::name::FileName;
use crds::roles::{AccountSpec, BookSpec, FeedDesired, GatewayDesired, GatewaySpec, ReplaySpec, Stance};
use crds::symbol;
use engine::instrument::Symbol;
use engine::strategies::DesiredState;
use kube::ResourceExt;

use super::observe::Observed;
use crate::kept;
use crate::reason::Reason;
use crate::strategy::has_ledger;
use crate::strategy::validate::{Invalid, claim};

/// What the account's processes are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    #[expect(missing_docs, reason = "the name says it")]
    pub gateway: GatewaySpec,
    /// For the feed; absent while nobody reads, and where others share it.
    pub feed: Option<ReplaySpec>,
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
    check_endpoint(observed)?;
    let markets = markets(observed);
    let is_served = |strategy: &&TradingStrategy| {
        markets.is_empty() || strategy.spec.instruments.iter().all(|instrument| markets.contains(&instrument.symbol))
    };
    let reading: Vec<&TradingStrategy> = observed
        .strategies
        .iter()
        .map(|strategy| &**strategy)
        .filter(|strategy| reads(strategy))
        .filter(is_served)
        .collect();
    let place = |file: &FileName| PathBuf::from(file.as_str());
    let feed = ReplaySpec::of(&account, observed.source.clone(), markets.first(), place);
    Ok(Accepted {
        feed: feed.filter(|_| !reading.is_empty()),
        readers: readers(observed, &reading, &markets),
        // What its register tells makes no pod anew.
        gateway: GatewaySpec { generation: 0, account: account.steady() },
    })
}

/// An endpoint of one's own is one that this installation knows.
fn check_endpoint(observed: &Observed) -> Result<(), Invalid> {
    let binance = observed.spec.market_data.binance.as_ref();
    let Some(name) = binance.and_then(|binance| binance.endpoint.as_ref()).filter(|_| !observed.knows_endpoint) else {
        return Ok(());
    };
    let message = format!(
        "spec.marketData.binance.endpoint: {name:?} is not known to this installation; add it to the chart's value \
         endpoints, or leave it out to use the venue's public hosts"
    );
    Err(Invalid { reason: Reason::InvalidSpec, message })
}

/// The gateway's register, whatever the account's own spec says: its strategies' books do not hang on it.
pub fn books(observed: &Observed) -> GatewayDesired {
    let mut books: Vec<BookSpec> = observed.strategies.iter().filter_map(|strategy| book(strategy)).collect();
    books.extend(observed.kept_books.iter().cloned());
    books.sort_by(|one, other| one.strategy.cmp(&other.strategy));
    GatewayDesired::of(books)
}

/// What the account replays, by symbol: what its files name; of a lone file its oldest strategy's symbol, or what those need
/// that are not known now. A feed is never made anew for a neighbour of another.
fn markets(observed: &Observed) -> Vec<Symbol> {
    let Some(replay) = &observed.spec.market_data.replay else { return Vec::new() };
    if replay.file.is_none() {
        let mut markets: Vec<_> = replay.files().iter().map(|file| file.symbol.clone()).collect();
        markets.sort();
        return markets;
    }
    let kept = kept::holder(&observed.kept_readers, &observed.kept_books).and(observed.kept_markets.first());
    let oldest = || {
        symbol::holder(observed.strategies.iter().filter_map(|strategy| claim(strategy)))
            .map(|holder| holder.symbol.clone())
    };
    kept.cloned().or_else(oldest).into_iter().collect()
}

fn readers(observed: &Observed, reading: &[&TradingStrategy], markets: &[Symbol]) -> FeedDesired {
    let reads = |strategy: &&TradingStrategy| {
        let symbols = strategy.spec.instruments.iter().map(|instrument| instrument.symbol.clone());
        (strategy.name_any(), symbols.collect())
    };
    // What those read that are not known now is not known either: the feed waits for them on all markets.
    let kept = observed.kept_readers.iter().map(|name| (name.clone(), markets.to_vec()));
    // Without any strategy they stay: the streams of their names go with the feed's ledger.
    let markets = if markets.is_empty() { &observed.kept_markets } else { markets };
    FeedDesired::of(markets, reading.iter().map(reads).chain(kept))
}

/// A strategy with a ledger has a book.
fn book(strategy: &TradingStrategy) -> Option<BookSpec> {
    let ledger = strategy.status.as_ref()?.ledger.as_ref()?.id.parse().ok()?;
    // Read apart from the rest of the spec: a human's stop passes whatever else is wrong with it.
    let stance = match strategy.metadata.deletion_timestamp {
        Some(_) => Stance::Closed,
        None => Stance::of_state(strategy.spec.state),
    };
    Some(BookSpec::of(strategy.name_any(), ledger, &strategy.spec, stance))
}

/// Whether a strategy reads the feed.
pub fn reads(strategy: &TradingStrategy) -> bool {
    strategy.metadata.deletion_timestamp.is_none()
        && strategy.spec.state != DesiredState::Stopped
        && has_ledger(strategy)
}

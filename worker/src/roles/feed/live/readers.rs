//! Who reads a live source: the register names them and the markets that they read, their records tell which bars they need.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bus::{Desired, Owner, RegisterVersion};
use crds::roles::FeedDesired;
use engine::instrument::Symbol;

use super::LiveFeed;
use crate::roles::session::patiently;
use crate::roles::source::needs;
use crate::roles::{Bus, Stop};

/// How often the register is looked at, and those of whom nothing was read yet.
const LOOK: Duration = Duration::from_millis(500);
/// How often all readers are looked at: what they need changes with an edit.
const LOOK_AT_ALL: Duration = Duration::from_secs(10);

/// The readers.
#[derive(Debug, Default)]
pub(super) struct Readers {
    owners: BTreeMap<String, Owner>,
    register: Option<RegisterVersion>,
    /// Those of whom nothing was read yet.
    unheard: BTreeSet<String>,
    looked: Option<Instant>,
    looked_at_all: Option<Instant>,
}

impl Readers {
    pub fn are_due(&self) -> bool {
        self.looked.is_none_or(|looked| looked.elapsed() >= LOOK)
    }
}

impl<B: Bus> LiveFeed<B> {
    /// Follows the markets of the register. Those that are followed already go on; one that nobody reads any more is left.
    pub(super) async fn follow_register(&mut self) -> Result<(), Stop> {
        self.readers.looked = Some(Instant::now());
        let Some(desired) = patiently(&self.runtime, || self.runtime.bus.desired(&self.owner)).await? else {
            return Ok(());
        };
        let version = Desired::version(&desired);
        if self.readers.register == Some(version) {
            return Ok(());
        }
        let broken = |problem: String| Stop::Record {
            owner: self.owner.name().to_owned(),
            problem: format!("the register: {problem}"),
        };
        let desired: FeedDesired = serde_json::from_str(&desired.value).map_err(|error| broken(error.to_string()))?;
        let keys = self.runtime.identity.keys.clone();
        let mut owners = BTreeMap::new();
        for name in &desired.readers {
            let (account, strategy) =
                name.split_once('/').ok_or_else(|| broken(format!("{name:?} is no ACCOUNT/STRATEGY")))?;
            owners.insert(name.clone(), keys.strategy(&self.runtime.account_scope(account)?, strategy));
        }
        self.session.follow(Some(version));
        self.readers.unheard = owners.keys().cloned().collect();
        (self.readers.owners, self.readers.register) = (owners, Some(version));
        let stream = |symbol: Symbol| {
            let stream = keys.market_tick(&self.source, symbol.as_str());
            (symbol, stream)
        };
        self.streams = desired.markets().into_iter().map(stream).collect();
        self.session.own(self.streams.values().cloned().chain([keys.market_gap(&self.source)]));
        self.live.follow(self.streams.keys().map(|symbol| (symbol.clone(), self.numbers.last(symbol))).collect());
        Ok(())
    }

    /// Reads what readers need: of those who have not said yet, now and then of all.
    pub(super) async fn hear_readers(&mut self) -> Result<(), Stop> {
        let all = self.readers.looked_at_all.is_none_or(|looked| looked.elapsed() >= LOOK_AT_ALL);
        if all {
            self.readers.looked_at_all = Some(Instant::now());
        }
        let due = |name: &String| all || self.readers.unheard.contains(name);
        let owners: Vec<_> =
            self.readers.owners.iter().filter(|(name, _)| due(name)).map(|(n, o)| (n.clone(), o.clone())).collect();
        for (name, owner) in owners {
            let record = patiently(&self.runtime, || self.runtime.bus.record(&owner)).await?;
            let Some(record) = record.filter(|record| record.version > 0 && !record.closed) else { continue };
            match needs(&record.fields) {
                Ok(needs) => self.bars.need(needs),
                // Told once: it is read no more before it is due again.
                Err(problem) => tracing::error!("the record of {name} does not read: {problem}"),
            }
            self.readers.unheard.remove(&name);
        }
        Ok(())
    }
}

//! What every reconcile works with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{BusError, Desired, Failure, Keys, MessageBus as _, Owner, RedisBus, StateStore};
use crds::TradingStrategy;
use crds::record::STARTED_AT;
use kube::api::ListParams;
use kube::runtime::events::Recorder;
use kube::runtime::reflector::Store;
use kube::{Api, Client, ResourceExt};
use serde::de::DeserializeOwned;

use crate::admission::Admission;
use crate::build::Image;
use crate::feed::Feeds;
use crate::known::Caches;
use crate::metrics::{CountedStore, Metrics};
use crate::pace::Pace;
use crate::placement::{RecordFacts, Stored};
use crate::seen::Seen;
use crate::since::Since;
use crate::strategy::has_ledger;
use crate::written::Written;
use crate::{Error, GuardedAccount, GuardedStrategy, kept};

/// Shared by all reconciles.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// The store.
    pub bus: CountedStore<RedisBus>,
    /// Names of keys.
    pub keys: Keys,
    /// What pods are made from.
    pub image: Image,
    /// Kubernetes Events.
    pub recorder: Recorder,
    /// When figures may be written.
    pub pace: Pace,
    /// Who may open a ledger next.
    pub admission: Admission,
    /// Since when the store answers, and stops wait.
    pub since: Since,
    /// What it wrote into each status.
    pub written: Written,
    /// What is counted.
    pub metrics: Metrics,
    /// All strategies, as last seen.
    pub strategies: Store<GuardedStrategy>,
    /// All accounts, as last seen.
    pub accounts: Store<GuardedAccount>,
    /// Whether these are all.
    pub known: Caches,
    /// Which live sources are to be looked at.
    pub feeds: Feeds,
}

/// An account's strategies.
#[derive(Debug, Clone, Default)]
pub struct Strategies {
    /// Those that read, by name.
    pub read: Vec<Seen<TradingStrategy>>,
    /// Names of strategies of the namespace that do not read, and whether they are being deleted. Whose they are, the
    /// account's registers still know.
    pub unreadable: BTreeMap<String, bool>,
}

impl Strategies {
    /// Names of strategies whose ledger only a register may know now, and whether they are being deleted: those that
    /// do not read, and those whose status has no ledger, yet or after a restored backup.
    pub fn unrecorded(&self) -> BTreeMap<String, bool> {
        let mut names = self.unreadable.clone();
        names.extend(
            self.read
                .iter()
                .filter(|strategy| !has_ledger(strategy))
                .map(|strategy| (strategy.name_any(), strategy.metadata.deletion_timestamp.is_some())),
        );
        names
    }
}

/// Those of one account among a namespace's.
fn strategies_of<'a>(all: impl Iterator<Item = &'a GuardedStrategy>, account: &str) -> Strategies {
    let mut found = Strategies::default();
    for object in all {
        match &object.0 {
            Ok(strategy) if strategy.spec.account_ref.name.as_str() == account => found.read.push(strategy.clone()),
            Ok(_) => {}
            Err(invalid) => {
                found.unreadable.insert(object.name_any(), invalid.metadata.deletion_timestamp.is_some());
            }
        }
    }
    found.read.sort_by_key(ResourceExt::name_any);
    found
}

/// How long one look into the store may take before it counts as away.
const STORE_PATIENCE: Duration = Duration::from_secs(3);

impl Context {
    /// An account's strategies by name, as last seen; each change of one wakes its account. They are looked at once
    /// all have been seen: after a start, one that is not yet there would look like one that is gone, and its
    /// account's feed, books and hold with it.
    pub async fn strategies_of(&self, namespace: &str, account: &str) -> Result<Strategies, Error> {
        self.known.strategies.wait().await;
        let seen = self.strategies.state();
        let here = seen.iter().filter(|object| object.namespace().as_deref() == Some(namespace));
        Ok(strategies_of(here.map(|object| &**object), account))
    }

    /// The same, asked of the API server now: who decides on a share of the account must not overlook anybody.
    pub async fn strategies_now(&self, namespace: &str, account: &str) -> Result<Strategies, Error> {
        let api: Api<GuardedStrategy> = Api::namespaced(self.client.clone(), namespace);
        let listed = api.list(&ListParams::default()).await.map_err(Error::api("list strategies of", account))?;
        Ok(strategies_of(listed.items.iter(), account))
    }

    /// All accounts as last seen, once all have been.
    pub async fn accounts_seen(&self) -> Result<Vec<Arc<GuardedAccount>>, Error> {
        self.known.accounts.wait().await;
        Ok(self.accounts.state())
    }

    /// An owner's record, or that the store is away.
    pub async fn stored(&self, owner: &Owner) -> Stored {
        let looked = async {
            // The clock after the record: who has just spoken is never taken for silent.
            let record = self.bus.record(owner).await?;
            Ok((record, self.bus.now_ms().await?))
        };
        match self.within(looked).await {
            Ok((None, _)) => Stored::Missing,
            Ok((Some(record), now_ms)) => Stored::Found(Box::new(RecordFacts {
                seen_ms: record.seen_ms(),
                now_ms,
                answered_ms: Some(self.since.store_answers_ms(Instant::now())),
                followed: record.followed,
                cursors: record.cursors,
                uid: record.uid,
                ledger: record.ledger,
                epoch: record.epoch,
                version: record.version,
                closed: record.closed,
                started_at: record.fields.get(STARTED_AT).and_then(|text| text.parse().ok()).unwrap_or_default(),
                fields: record.fields.iter().map(|(name, value)| (name.clone(), value.to_string())).collect(),
            })),
            Err(why) => Stored::Away(why),
        }
    }

    /// An owner's register, and its record after that; where either could not be told, the store is away.
    pub async fn register_and_record<T: DeserializeOwned + Default>(&self, owner: &Owner) -> (T, Stored) {
        let (_, register, stored) = self.raw_register_and_record(owner).await;
        (register, stored)
    }

    /// The same, with the register as it stands, for who writes over what was read.
    pub async fn raw_register_and_record<T: DeserializeOwned + Default>(
        &self,
        owner: &Owner,
    ) -> (Option<Desired>, T, Stored) {
        match kept::read(self, owner).await {
            Ok((raw, register)) => (raw, register, self.stored(owner).await),
            Err(why) => (None, T::default(), Stored::Away(why)),
        }
    }

    /// A call to the store, bounded in time.
    pub async fn within<T>(&self, call: impl Future<Output = Result<T, BusError>>) -> Result<T, String> {
        match tokio::time::timeout(STORE_PATIENCE, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                if matches!(error.failure(), Some(Failure::Unavailable | Failure::ReadOnly)) {
                    self.since.store_was_away(Instant::now());
                }
                Err(error.to_string())
            }
            Err(_) => {
                self.since.store_was_away(Instant::now());
                Err("Redis gave no answer within 3 s".to_owned())
            }
        }
    }
}

/// Shared by reference count, as the controllers want it.
pub type Shared = Arc<Context>;

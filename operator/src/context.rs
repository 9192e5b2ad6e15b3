//! What every reconcile works with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{BusError, Desired, Failure, Keys, MessageBus as _, Owner, RedisBus, StateStore};
use crds::TradingStrategy;
use crds::record::STARTED_AT;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::Store;
use kube::{Client, Resource as _, ResourceExt};
use serde::de::DeserializeOwned;

use crate::admission::{self, Admission};
use crate::build::Image;
use crate::feed::Feeds;
use crate::groups::Groups;
use crate::known::Caches;
use crate::looks::Looks;
use crate::metrics::{CountedStore, Metrics};
use crate::names::OPERATOR;
use crate::pace::Pace;
use crate::partners::Recent;
use crate::placement::{RecordFacts, Stored};
use crate::seen::Seen;
use crate::since::Since;
use crate::strategy::{self, has_ledger};
use crate::written::Written;
use crate::{Error, GuardedAccount, GuardedStrategy, kept, observe};

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
    /// The same by their accounts.
    pub by_account: Groups<GuardedStrategy, strategy::Place>,
    /// All accounts, as last seen.
    pub accounts: Store<GuardedAccount>,
    /// Whether these are all.
    pub known: Caches,
    /// All pods, as last seen, by who owns them.
    pub pods: Groups<Pod, String>,
    /// What the store last said of gateways and feeds.
    pub partners: Recent,
    /// What is remembered of looks at each object.
    pub looks: Looks,
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

/// How long one look into the store may take before it counts as away.
const STORE_PATIENCE: Duration = Duration::from_secs(3);

/// What a context is given; all else begins empty.
#[expect(missing_docs, reason = "the fields of [`Context`] say it")]
pub struct Given {
    pub client: Client,
    pub bus: CountedStore<RedisBus>,
    pub keys: Keys,
    pub image: Image,
    pub metrics: Metrics,
    pub strategies: Store<GuardedStrategy>,
    pub accounts: Store<GuardedAccount>,
}

impl Context {
    /// One that has seen nothing yet.
    pub fn new(given: Given) -> Self {
        let Given { client, bus, keys, image, metrics, strategies, accounts } = given;
        let reporter = Reporter { controller: OPERATOR.to_owned(), instance: None };
        Self {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            bus,
            keys,
            image,
            metrics,
            strategies,
            accounts,
            pace: Pace::default(),
            admission: Admission::default(),
            since: Since::default(),
            written: Written::default(),
            by_account: Groups::new(strategy::places),
            pods: Groups::new(observe::places),
            partners: Recent::default(),
            looks: Looks::default(),
            known: Caches::default(),
            feeds: Feeds::default(),
        }
    }

    /// An account's strategies by name, as last seen; each change of one wakes its account. They are looked at once
    /// all have been seen: after a start, one that is not yet there would look like one that is gone, and its
    /// account's feed, books and hold with it.
    pub async fn strategies_of(&self, namespace: &str, account: &str) -> Result<Strategies, Error> {
        self.known.strategies.wait().await;
        let read = self.by_account.of(&strategy::of_account(namespace, account));
        let mut read: Vec<_> = read.into_iter().filter_map(|object| object.0.ok()).collect();
        read.sort_by_key(ResourceExt::name_any);
        Ok(Strategies { read, unreadable: self.unreadable(namespace) })
    }

    /// Of a strategy's neighbours, as last seen, those that concern it while it trades: who says which symbol the account
    /// replays, and of whom only a register may know. `None`: not all have been seen.
    pub fn neighbours_seen(&self, namespace: &str, account: &str, name: &str) -> Option<Strategies> {
        if !self.by_account.is_whole() {
            return None;
        }
        let other = |object: &GuardedStrategy| object.0.as_ref().ok().filter(|other| other.name_any() != name).cloned();
        let has_say =
            |object: &GuardedStrategy| other(object).filter(|other| strategy::validate::claim(other).is_some());
        let holder = self.by_account.first(&strategy::of_account(namespace, account), has_say);
        let unrecorded = self.by_account.of(&strategy::unrecorded_of(namespace, account));
        let read = holder.into_iter().chain(unrecorded.iter().filter_map(other)).collect();
        let mut unreadable = self.unreadable(namespace);
        unreadable.remove(name);
        Some(Strategies { read, unreadable })
    }

    fn unreadable(&self, namespace: &str) -> BTreeMap<String, bool> {
        let all = self.by_account.of(&strategy::unreadable_of(namespace));
        all.iter().map(|object| (object.name_any(), object.meta().deletion_timestamp.is_some())).collect()
    }

    /// Whether the caches hold what a turn wrote. Ledgers are opened in turns alone, so who looks then overlooks nobody.
    pub fn has_seen(&self, namespace: &str, written: &admission::Written) -> bool {
        let version = |text: &str| text.parse::<u64>().ok();
        // One that is not there any more has gone.
        let Some(seen) = self.by_account.version(namespace, &written.name) else { return true };
        version(&seen) >= version(&written.resource_version)
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
            Ok((Some(record), now_ms)) => Stored::Found(Arc::new(RecordFacts {
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
            Ok(Ok(value)) => {
                self.since.store_answered();
                Ok(value)
            }
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

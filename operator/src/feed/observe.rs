//! What there is of a live source in a namespace: the accounts that take its prices with their strategies, its feed's pods,
//! register and record. Reads only.

use std::collections::{BTreeMap, BTreeSet};

use bus::{Desired, Owner, Scope};
use crds::account::Binance;
use crds::roles::{AccountSpec, FeedDesired};
use crds::strategy::status::Ledger;
use crds::{TradingAccount, TradingStrategy};
use engine::instrument::Symbol;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};

use crate::account::validate::reads;
use crate::context::{Context, Strategies};
use crate::observe::{Look, SharedPod, ends, shared_pods};
use crate::placement::{Ends, Stored};
use crate::{Error, GuardedAccount, moment};

/// All that a look at a live source sees.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names of these fields say it")]
pub struct Observed {
    pub namespace: String,
    /// The source's name in keys.
    pub source: String,
    /// Whose record its feed's is.
    pub owner: Owner,
    /// The accounts that take its prices, by name.
    pub takers: Vec<Taker>,
    /// The register as it was read, before the record.
    pub register: Option<Desired>,
    /// What it holds.
    pub registered: FeedDesired,
    /// The feed's record.
    pub stored: Stored,
    /// The feed's pods, and foreign ones of its names.
    pub pods: Vec<SharedPod>,
    /// Feeds that ended before they were ready, up to now.
    pub ends: Option<Ends>,
    /// When it was looked.
    pub now: Timestamp,
}

/// An account that takes the source's prices.
#[derive(Debug, Clone)]
pub struct Taker {
    #[expect(missing_docs, reason = "the name says it")]
    pub name: String,
    /// A reference for the pod, which it does not control.
    pub reference: OwnerReference,
    /// The way to the venue; absent where the account does not read now.
    pub binance: Option<Binance>,
    /// Epoch and pod of the feed as its status has them.
    pub placed: (u64, String),
    /// Those of its strategies that read, each with its markets.
    pub readers: Vec<(String, Vec<Symbol>)>,
    /// Its strategies of whom only the register may know what they read, and whether they are being deleted.
    pub unrecorded: BTreeMap<String, bool>,
}

impl Observed {
    /// Who the record is made for.
    pub fn uid(&self) -> String {
        uid(&self.namespace, &self.source)
    }

    /// The ledger that stands in the store, if it is this source's and open.
    pub fn ledger(&self) -> Option<Ledger> {
        let Stored::Found(record) = &self.stored else { return None };
        let started_at = Timestamp::from_millisecond(record.started_at).ok()?;
        (record.uid == self.uid() && !record.closed).then(|| Ledger {
            id: record.ledger.clone(),
            resource_uid: record.uid.clone(),
            started_at: moment::written(started_at),
        })
    }
}

/// Who the record of a live source's feed is made for: no resource, but the source itself.
pub fn uid(namespace: &str, source: &str) -> String {
    format!("feed/{namespace}/{source}")
}

/// Looks. Accounts and strategies are as last seen: each change of one leads to another look.
pub async fn observe(context: &Context, look: Look, namespace: &str, source: &str) -> Result<Observed, Error> {
    let owner = context.keys.feed(&Scope::source(namespace, source)?);
    let (register, registered, stored) = context.raw_register_and_record::<FeedDesired>(&owner).await;
    let accounts = context.accounts_seen().await?;
    let here: Vec<_> = accounts.iter().filter(|account| account.namespace().as_deref() == Some(namespace)).collect();
    let uids: BTreeSet<String> = here.iter().filter_map(|account| account.uid()).collect();
    let pods = shared_pods(context, look, (namespace, source), &uids, registered.epoch).await?;
    let mut takers = Vec::new();
    for account in here {
        let strategies = context.strategies_of(namespace, &account.name_any()).await?;
        let (name, uid) = (account.name_any(), account.uid().unwrap_or_default());
        let is_known = registered.readers.iter().any(|reader| reader.starts_with(&format!("{name}/")))
            || pods.iter().any(|pod| pod.owners.iter().any(|owner| owner.uid == uid));
        takers.extend(taker(account, &strategies, source, is_known));
    }
    takers.sort_by(|one, other| one.name.cmp(&other.name));
    let now = Timestamp::now();
    let ends = ends(registered.restarts.as_ref(), now);
    let (namespace, source) = (namespace.to_owned(), source.to_owned());
    Ok(Observed { namespace, source, owner, takers, register, registered, stored, pods, ends, now })
}

/// An account as a taker of the source; `None`: it takes other prices, or it is going and nobody uses it any more. Of one that
/// does not read now, `is_known` says whether the source has it.
fn taker(account: &GuardedAccount, strategies: &Strategies, source: &str, is_known: bool) -> Option<Taker> {
    let (meta, binance, placed) = match &account.0 {
        Ok(account) => {
            let spec = AccountSpec { name: account.name_any(), spec: account.spec.clone() };
            if !spec.is_live() || spec.source() != source {
                return None;
            }
            let feed = account.status.as_ref().and_then(|status| status.feed.as_ref());
            let feed = feed.filter(|feed| feed.source == source).map(|feed| (feed.epoch, feed.pod.clone()));
            (&account.metadata, spec.spec.market_data.binance, feed.unwrap_or_default())
        }
        Err(invalid) => {
            if !is_known {
                return None;
            }
            (&invalid.metadata, None, Default::default())
        }
    };
    let is_unused = strategies.read.is_empty() && (strategies.unreadable.is_empty() || !is_known);
    if meta.deletion_timestamp.is_some() && is_unused {
        return None;
    }
    Some(Taker {
        name: account.name_any(),
        reference: reference(meta),
        binance,
        placed,
        unrecorded: strategies.unrecorded(),
        readers: strategies.read.iter().filter(|strategy| reads(strategy)).map(|strategy| reader(strategy)).collect(),
    })
}

fn reader(strategy: &TradingStrategy) -> (String, Vec<Symbol>) {
    let symbols = strategy.spec.instruments.iter().map(|instrument| instrument.symbol.clone());
    (strategy.name_any(), symbols.collect())
}

/// A reference that neither controls the pod nor blocks its owner's deletion: the pod goes with the last of its owners.
fn reference(meta: &ObjectMeta) -> OwnerReference {
    OwnerReference {
        api_version: TradingAccount::api_version(&()).into_owned(),
        kind: TradingAccount::kind(&()).into_owned(),
        name: meta.name.clone().unwrap_or_default(),
        uid: meta.uid.clone().unwrap_or_default(),
        controller: Some(false),
        block_owner_deletion: Some(false),
    }
}

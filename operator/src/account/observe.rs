//! What there is of an account: itself, its strategies, its pods, its records. Reads only.

use std::collections::{BTreeMap, BTreeSet};

use bus::{Desired, Owner, Scope};
use crds::record::{LATCHED, latched};
use crds::roles::{AccountSpec, BookSpec, FeedDesired, GatewayDesired};
use crds::{TradingAccount, TradingAccountSpec, TradingAccountStatus, TradingStrategy};
use engine::instrument::Symbol;
use engine::report::LatchedLimit;
use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube::{Resource, ResourceExt};

use crate::context::Context;
use crate::feed::{self, Shared};
use crate::names::Role;
use crate::observe::Look;
use crate::placement::{Ends, PodFacts, Stored};
use crate::seen::Seen;
use crate::{Error, kept, observe};

/// All that a reconcile of an account looks at.
#[expect(missing_docs, reason = "the names of these fields say it")]
pub struct Observed {
    pub name: String,
    pub namespace: String,
    pub uid: String,
    /// As it was read.
    pub resource_version: String,
    /// The generation of its spec.
    pub generation: u64,
    /// Since when it is being deleted.
    pub deleting_since: Option<Timestamp>,
    pub finalizers: Vec<String>,
    pub annotations: BTreeMap<String, String>,
    pub spec: TradingAccountSpec,
    /// Fields of its stored spec that are not known here.
    pub unknown_fields: Vec<String>,
    pub status: TradingAccountStatus,
    /// A reference for what it owns.
    pub owner_reference: OwnerReference,
    /// A reference for Events.
    pub reference: ObjectReference,
    /// The name of its market data in keys.
    pub source: String,
    /// Whose record the gateway's is.
    pub gateway: Owner,
    /// Whose record the feed's is.
    pub feed: Owner,
    /// The gateway's record.
    pub gateway_stored: Stored,
    /// The feed's record.
    pub feed_stored: Stored,
    /// The gateway's pods.
    pub gateway_pods: Vec<PodFacts>,
    /// The feed's pods.
    pub feed_pods: Vec<PodFacts>,
    /// Its strategies, those being deleted included, by name.
    pub strategies: Vec<Seen<TradingStrategy>>,
    /// Strategies of the namespace that do not read now.
    pub unreadable: BTreeMap<String, bool>,
    /// The gateway's register, as it was read before its record.
    pub gateway_register: Option<Desired>,
    /// What it holds.
    pub registered: GatewayDesired,
    /// The register of a feed that is its own, as it was read before its record.
    pub feed_register: Option<Desired>,
    /// Books of strategies whose ledger no status tells now.
    pub kept_books: Vec<BookSpec>,
    /// Such readers of the feed.
    pub kept_readers: Vec<String>,
    /// The markets that the feed was last made for.
    pub kept_markets: Vec<Symbol>,
    /// Gateways that ended before they were ready, up to now.
    pub gateway_ends: Option<Ends>,
    /// Feeds that did.
    pub feed_ends: Option<Ends>,
    /// The feed that it shares with others; absent where its prices are its own.
    pub shared: Option<Shared>,
    /// Whether this installation knows the endpoint that it names.
    pub knows_endpoint: bool,
}

impl Observed {
    /// Whether a role's record is the one that this account's status names. Another's register is not written, nor that of a
    /// feed which it shares.
    pub fn is_own(&self, role: Role) -> bool {
        let ledger = match role {
            Role::Gateway | Role::Strategy => self.status.ledger.as_ref(),
            Role::Feed => self.status.feed.as_ref().and_then(|feed| feed.ledger.as_ref()),
        };
        let Stored::Found(record) = self.stored(role) else { return false };
        ledger.is_some_and(|ledger| ledger.id == record.ledger && ledger.resource_uid == self.uid)
    }

    /// Names of who uses the account. Without its register nobody knows whose a strategy is that does not read: each
    /// of the namespace may be its own.
    pub fn users(&self) -> BTreeSet<String> {
        let mut users: BTreeSet<String> = self.strategies.iter().map(ResourceExt::name_any).collect();
        if matches!(self.gateway_stored, Stored::Found(_)) {
            users.extend(self.unreadable_users().map(str::to_owned));
        } else {
            users.extend(self.unreadable.keys().cloned());
        }
        users
    }

    /// Names of strategies with a book here that do not read.
    pub fn unreadable_users(&self) -> impl Iterator<Item = &str> {
        let names = self.kept_books.iter().map(|book| book.strategy.as_str());
        names.filter(|name| self.unreadable.contains_key(*name))
    }

    /// The limits that the gateway has latched; `None` where that cannot be read.
    pub fn latched(&self) -> Option<Vec<LatchedLimit>> {
        match &self.gateway_stored {
            Stored::Found(record) if self.is_own(Role::Gateway) => latched(record.fields.get(LATCHED)),
            Stored::Found(_) | Stored::Away(_) | Stored::Missing => None,
        }
    }

    /// Processes of a role that ended before they were ready, up to now.
    pub const fn ends(&self, role: Role) -> Option<&Ends> {
        match role {
            Role::Gateway | Role::Strategy => self.gateway_ends.as_ref(),
            Role::Feed => self.feed_ends.as_ref(),
        }
    }

    /// A role's record.
    pub const fn stored(&self, role: Role) -> &Stored {
        match role {
            Role::Gateway | Role::Strategy => &self.gateway_stored,
            Role::Feed => &self.feed_stored,
        }
    }

    /// Whose record a role's is.
    pub const fn owner(&self, role: Role) -> &Owner {
        match role {
            Role::Gateway | Role::Strategy => &self.gateway,
            Role::Feed => &self.feed,
        }
    }
}

/// What there is of an account's feed.
struct Feed {
    owner: Owner,
    stored: Stored,
    pods: Vec<PodFacts>,
    ends: Option<Ends>,
    /// The register of one that is its own, and what it holds.
    register: Option<Desired>,
    registered: FeedDesired,
    shared: Option<Shared>,
}

async fn feed(
    context: &Context,
    look: Look,
    pods_of: observe::Owner<'_>,
    pods: &[Pod],
    (account, status): (&AccountSpec, &TradingAccountStatus),
) -> Result<Feed, Error> {
    let source = account.source();
    let owner = context.keys.feed(&Scope::source(pods_of.namespace, &source)?);
    if account.is_live() {
        let shared = feed::look(context, look, pods_of.namespace, &source).await?;
        let (stored, pods, ends) = (shared.stored.clone(), shared.pods.clone(), shared.ends.clone());
        let registered = FeedDesired::default();
        return Ok(Feed { owner, stored, pods, ends, register: None, registered, shared: Some(shared) });
    }
    let (register, registered, stored) = context.raw_register_and_record(&owner).await;
    let status = status.feed.as_ref();
    let epoch = status.map_or(0, |feed| feed.epoch);
    let pods = observe::in_role(context, look, pods_of, pods, (Role::Feed, epoch)).await?;
    let ends = observe::ends(status.and_then(|feed| feed.restarts.as_ref()), Timestamp::now());
    Ok(Feed { owner, stored, pods, ends, register, registered, shared: None })
}

/// Looks. `None` if it is gone; or, by what is remembered, if only a fresh look can say what there is.
pub async fn observe(context: &Context, look: Look, seen: &Seen<TradingAccount>) -> Result<Option<Observed>, Error> {
    let (name, namespace) = (seen.name_any(), seen.namespace().unwrap_or_default());
    let account = match look {
        Look::Remembered if seen.metadata.deletion_timestamp.is_some() => return Ok(None),
        Look::Remembered => seen.clone(),
        Look::Fresh => match observe::read(&context.client, seen).await? {
            Some(account) => account,
            None => return Ok(None),
        },
    };
    let uid = account.uid().unwrap_or_default();
    let spec = AccountSpec { name: name.clone(), spec: account.spec.clone() };
    let gateway = context.keys.gateway(&Scope::account(&namespace, &name)?);
    let status = account.status.clone().unwrap_or_default();
    let gateway_epoch = status.epoch.unwrap_or(0);
    let deleting_since = account.metadata.deletion_timestamp.as_ref().map(|time| time.0);
    let strategies = context.strategies_of(&namespace, &name).await?;
    let unrecorded = strategies.unrecorded();
    let (gateway_register, registered, gateway_stored) =
        context.raw_register_and_record::<GatewayDesired>(&gateway).await;
    let pods_of = observe::Owner { namespace: &namespace, name: &name, uid: &uid };
    let pods = observe::pods(context, look, pods_of).await?;
    let feed = feed(context, look, pods_of, &pods, (&spec, &status)).await?;
    let endpoint = spec.spec.market_data.binance.as_ref().and_then(|binance| binance.endpoint.as_ref());
    Ok(Some(Observed {
        gateway_pods: observe::in_role(context, look, pods_of, &pods, (Role::Gateway, gateway_epoch)).await?,
        gateway_ends: observe::ends(status.restarts.as_ref(), Timestamp::now()),
        gateway_stored,
        feed_pods: feed.pods,
        feed_ends: feed.ends,
        feed_stored: feed.stored,
        shared: feed.shared,
        knows_endpoint: endpoint.is_none_or(|name| context.image.endpoints.contains_key(name.as_str())),
        strategies: strategies.read,
        unreadable: strategies.unreadable,
        kept_books: kept::books(&registered, &unrecorded),
        gateway_register,
        registered,
        kept_readers: kept::readers(&feed.registered, &unrecorded),
        kept_markets: feed.registered.markets(),
        feed_register: feed.register,
        resource_version: account.resource_version().unwrap_or_default(),
        generation: account.metadata.generation.and_then(|generation| u64::try_from(generation).ok()).unwrap_or(0),
        deleting_since,
        finalizers: account.finalizers().to_vec(),
        annotations: account.annotations().clone(),
        owner_reference: observe::owner_reference(&*account),
        reference: account.object_ref(&()),
        spec: account.spec.clone(),
        unknown_fields: account.unknown_fields().to_vec(),
        status,
        source: spec.source(),
        gateway,
        feed: feed.owner,
        name,
        namespace,
        uid,
    }))
}

//! What there is of a strategy: itself, its account, its neighbours, its pods, its record. Reads only.

use std::collections::BTreeMap;

use bus::{Owner, Scope};
use crds::roles::BookSpec;
use crds::{TradingAccount, TradingStrategy, TradingStrategySpec, TradingStrategyStatus};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Api, Resource, ResourceExt};

use crate::context::Context;
use crate::names::Role;
use crate::placement::{PodFacts, Stored};
use crate::{Error, GuardedAccount, kept, observe};

/// All that a reconcile of a strategy looks at.
pub struct Observed {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its uid.
    pub uid: String,
    /// As it was read.
    pub resource_version: String,
    /// The generation of its spec.
    pub generation: u64,
    /// Since when it is being deleted.
    pub deleting_since: Option<k8s_openapi::jiff::Timestamp>,
    /// Its finalizers.
    pub finalizers: Vec<String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its spec.
    pub spec: TradingStrategySpec,
    /// Fields of its stored spec that are not known here.
    pub unknown_fields: Vec<String>,
    /// Its status.
    pub status: TradingStrategyStatus,
    /// A reference for what it owns: a foreground deletion does not wait for it, so that a replacement made
    /// meanwhile lives.
    pub owner_reference: OwnerReference,
    /// A reference for Events.
    pub reference: ObjectReference,
    /// Whose record.
    pub owner: Owner,
    /// Its account, if it exists; or why it does not read.
    pub account: Result<Option<TradingAccount>, String>,
    /// Other strategies of the account.
    pub neighbours: Vec<TradingStrategy>,
    /// Books of other strategies of the account whose ledger no status tells now.
    pub kept_books: Vec<BookSpec>,
    /// Its pods, and foreign ones of its names.
    pub pods: Vec<PodFacts>,
    /// Its record.
    pub stored: Stored,
    /// The gateway's record; looked at when it is being deleted.
    pub gateway: Stored,
}

/// Looks, freshly: what is decided on must not be a cache's past. `None` if it is gone.
pub async fn observe(context: &Context, seen: &TradingStrategy) -> Result<Option<Observed>, Error> {
    let (name, namespace) = (seen.name_any(), seen.namespace().unwrap_or_default());
    let Some((strategy, unknown_fields)) = observe::read(&context.client, seen).await? else {
        return Ok(None);
    };
    let uid = strategy.uid().unwrap_or_default();
    let account_name = strategy.spec.account_ref.name.to_string();
    let accounts: Api<GuardedAccount> = Api::namespaced(context.client.clone(), &namespace);
    let account = accounts.get_opt(&account_name).await.map_err(Error::api("get account", account_name.clone()))?;
    let account = match account {
        Some(GuardedAccount { 0: Ok(account) }) => Ok(Some(account)),
        Some(GuardedAccount { 0: Err(invalid) }) => Err(invalid.error),
        None => Ok(None),
    };
    let scope = Scope::account(&namespace, &account_name)?;
    let owner = context.keys.strategy(&scope, &name);
    let status = strategy.status.clone().unwrap_or_default();
    let epoch = status.epoch.unwrap_or(0);
    let deleting_since = strategy.metadata.deletion_timestamp.as_ref().map(|time| time.0);
    let gateway_owner = context.keys.gateway(&scope);
    let gateway = match deleting_since {
        Some(_) => context.stored(&gateway_owner).await,
        None => Stored::Missing,
    };
    let mut neighbours = context.strategies_of(&namespace, &account_name).await?;
    neighbours.read.retain(|other| other.name_any() != name);
    neighbours.unreadable.remove(&name);
    let kept_books = kept::books(context, &gateway_owner, &neighbours.unrecorded()).await;
    let (kept_books, stored) = context.stored_beside(&owner, kept_books).await;
    let pods_of = observe::Owner { namespace: &namespace, name: &name, uid: &uid };
    Ok(Some(Observed {
        pods: observe::pods(&context.client, pods_of, Role::Strategy, epoch).await?,
        stored,
        gateway,
        neighbours: neighbours.read,
        kept_books,
        resource_version: strategy.resource_version().unwrap_or_default(),
        generation: strategy.metadata.generation.and_then(|generation| u64::try_from(generation).ok()).unwrap_or(0),
        deleting_since,
        finalizers: strategy.finalizers().to_vec(),
        annotations: strategy.annotations().clone(),
        owner_reference: observe::owner_reference(&strategy),
        reference: strategy.object_ref(&()),
        spec: strategy.spec,
        unknown_fields,
        status,
        name,
        namespace,
        uid,
        owner,
        account,
    }))
}

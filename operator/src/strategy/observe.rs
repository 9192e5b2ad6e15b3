//! What there is of a strategy: itself, its account, its neighbours, its pods, its record. Reads only.

use std::collections::BTreeMap;
use std::sync::Arc;

use bus::{Desired, MessageBus as _, Owner, Scope, StateStore as _, StreamId, StreamKey};
use crds::roles::BookSpec;
use crds::{TradingAccount, TradingStrategy, TradingStrategySpec, TradingStrategyStatus};
use engine::instrument::Symbol;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Resource, ResourceExt};

use super::granted::{self, Granted};
use super::{source, waits_for_account};
use crate::admission::Turn;
use crate::context::{Context, Strategies};
use crate::names::Role;
use crate::observe::Look;
use crate::partners::{Of, Partners};
use crate::placement::{Ends, PodFacts, Stored};
use crate::seen::Seen;
use crate::stop::InboxFacts;
use crate::{Error, GuardedAccount, kept, observe, partners};

/// All that a reconcile of a strategy looks at.
#[expect(missing_docs, reason = "the names of these fields say it")]
pub struct Observed {
    pub name: String,
    pub namespace: String,
    pub uid: String,
    /// As it was read.
    pub resource_version: String,
    /// The generation of its spec.
    pub generation: u64,
    /// When it was made.
    pub made: Option<Timestamp>,
    /// Since when it is being deleted.
    pub deleting_since: Option<Timestamp>,
    pub finalizers: Vec<String>,
    pub annotations: BTreeMap<String, String>,
    pub spec: TradingStrategySpec,
    /// Fields of its stored spec that are not known here.
    pub unknown_fields: Vec<String>,
    pub status: TradingStrategyStatus,
    /// A reference for what it owns: a foreground deletion does not wait for it, so that a replacement made
    /// meanwhile lives.
    pub owner_reference: OwnerReference,
    /// A reference for Events.
    pub reference: ObjectReference,
    /// Whose record.
    pub owner: Owner,
    /// Whose record its gateway's is.
    pub gateway_owner: Owner,
    /// Its account, if it exists; or why it does not read.
    pub account: Result<Option<Seen<TradingAccount>>, String>,
    /// Other strategies of the account.
    pub neighbours: Vec<Seen<TradingStrategy>>,
    /// Another of the account's strategies that is not known now, and the symbol that the feed was last made for: it needs
    /// that.
    pub kept: Option<(String, Symbol)>,
    /// What others have of the account, by their names; looked at before a ledger is opened or money is added.
    pub granted: BTreeMap<String, Granted>,
    /// Its pods, and foreign ones of its names.
    pub pods: Vec<PodFacts>,
    /// Ends before readiness, up to now.
    pub ends: Option<Ends>,
    /// Whether strategies may be processes here.
    pub allows_processes: bool,
    /// The files of its process, if it asks for any and they exist.
    pub files: source::Found,
    /// Its register, read before its record.
    pub register: Option<Desired>,
    /// Its record.
    pub stored: Stored,
    /// Its book in the gateway's register, read before the gateway's record.
    pub book: Option<BookSpec>,
    /// The gateway's record.
    pub gateway: Stored,
    /// The feed's record.
    pub feed: Stored,
    /// The stream of its ticks, and the last one that its feed has given out.
    pub ticks: Option<(StreamKey, StreamId)>,
    pub inbox: InboxFacts,
}

/// What the store says of a strategy alone.
struct Own {
    register: Option<Desired>,
    stored: Stored,
    /// The last tick that its feed has given out.
    ticks: Option<(StreamKey, StreamId)>,
    inbox: InboxFacts,
}

/// What is put together from the API server, or from what its watches told, and from the store.
struct Parts {
    strategy: Seen<TradingStrategy>,
    account: Result<Option<Seen<TradingAccount>>, String>,
    neighbours: Strategies,
    granted: BTreeMap<String, Granted>,
    pods: Vec<PodFacts>,
    files: source::Found,
    owner: Owner,
    gateway_owner: Owner,
    own: Own,
    partners: Arc<Partners>,
}

/// Looks, freshly: what is decided on must not be a cache's past. `None` if it is gone. Who has no ledger yet, or asks for
/// money, is looked at in its account's turn, or not at all.
pub async fn observe(
    context: &Context,
    seen: &Seen<TradingStrategy>,
    turn: Option<&Turn>,
) -> Result<Option<Observed>, Error> {
    let (name, namespace) = (seen.name_any(), seen.namespace().unwrap_or_default());
    let Some(strategy) = observe::read(&context.client, seen).await? else {
        return Ok(None);
    };
    if turn.is_none() && waits_for_account(&strategy) {
        return Err(Error::Changed { subject: name });
    }
    let account_name = strategy.spec.account_ref.name.to_string();
    let account = account(context, &namespace, &account_name).await?;
    let scope = Scope::account(&namespace, &account_name)?;
    let owner = context.keys.strategy(&scope, &name);
    let mut neighbours = context.strategies_of(&namespace, &account_name).await?;
    neighbours.read.retain(|other| other.name_any() != name);
    neighbours.unreadable.remove(&name);
    let of =
        Of { namespace: &namespace, name: &account_name, account: account.as_ref().ok().and_then(Option::as_deref) };
    let partners = partners::read(context, of).await?;
    let mut own = own(context, &strategy, &owner, partners.source.as_ref()).await;
    let granted = match turn {
        Some(_) => granted_or_away(context, &scope, &neighbours, (&partners, &mut own)).await,
        None => BTreeMap::new(),
    };
    let uid = strategy.uid().unwrap_or_default();
    let pods_of = observe::Owner { namespace: &namespace, name: &name, uid: &uid };
    Ok(Some(together(
        context,
        Parts {
            pods: pods(context, Look::Fresh, pods_of, &strategy).await?,
            files: files(context, &namespace, &strategy).await?,
            gateway_owner: context.keys.gateway(&scope),
            strategy,
            account,
            neighbours,
            granted,
            owner,
            own,
            partners: Arc::new(partners),
        },
    )))
}

/// Looks by what the watches last told, and asks the API server nothing: whether anything is to be done at all. `None`: only
/// a fresh look can say.
pub async fn remembered(context: &Context, seen: &Seen<TradingStrategy>) -> Result<Option<Observed>, Error> {
    if waits_for_account(seen) || seen.metadata.deletion_timestamp.is_some() || source::config_map(&seen.spec).is_some()
    {
        return Ok(None);
    }
    let (name, namespace) = (seen.name_any(), seen.namespace().unwrap_or_default());
    let account_name = seen.spec.account_ref.name.to_string();
    let found = context.accounts.get(&ObjectRef::new(&account_name).within(&namespace));
    let Some(account) = found.and_then(|account| account.0.as_ref().ok().cloned()) else { return Ok(None) };
    let Some(neighbours) = context.neighbours_seen(&namespace, &account_name, &name) else { return Ok(None) };
    let of = Of { namespace: &namespace, name: &account_name, account: Some(&*account) };
    let partners = context.partners.read(context, of).await?;
    let scope = Scope::account(&namespace, &account_name)?;
    let owner = context.keys.strategy(&scope, &name);
    let own = own(context, seen, &owner, partners.source.as_ref()).await;
    let uid = seen.uid().unwrap_or_default();
    let pods_of = observe::Owner { namespace: &namespace, name: &name, uid: &uid };
    Ok(Some(together(
        context,
        Parts {
            strategy: seen.clone(),
            account: Ok(Some(account)),
            neighbours,
            granted: BTreeMap::new(),
            pods: pods(context, Look::Remembered, pods_of, seen).await?,
            files: Ok(None),
            gateway_owner: context.keys.gateway(&scope),
            owner,
            own,
            partners,
        },
    )))
}

async fn pods(
    context: &Context,
    look: Look,
    owner: observe::Owner<'_>,
    strategy: &TradingStrategy,
) -> Result<Vec<PodFacts>, Error> {
    let epoch = strategy.status.as_ref().and_then(|status| status.epoch).unwrap_or(0);
    let pods = observe::pods(context, look, owner).await?;
    observe::in_role(context, look, owner, &pods, (Role::Strategy, epoch)).await
}

fn together(context: &Context, parts: Parts) -> Observed {
    let Parts { strategy, account, neighbours, granted, pods, files, owner, gateway_owner, own, partners } = parts;
    let name = strategy.name_any();
    let status = strategy.status.clone().unwrap_or_default();
    Observed {
        pods,
        register: own.register,
        stored: own.stored,
        book: partners.books.books.iter().find(|book| book.strategy == name).cloned(),
        gateway: partners.gateway.clone(),
        feed: partners.feed.clone(),
        ticks: own.ticks,
        inbox: own.inbox,
        kept: kept(&neighbours, &partners),
        neighbours: neighbours.read,
        granted,
        ends: observe::ends(status.restarts.as_ref(), Timestamp::now()),
        allows_processes: context.image.processes,
        files,
        resource_version: strategy.resource_version().unwrap_or_default(),
        generation: strategy.metadata.generation.and_then(|generation| u64::try_from(generation).ok()).unwrap_or(0),
        made: strategy.metadata.creation_timestamp.as_ref().map(|time| time.0),
        deleting_since: strategy.metadata.deletion_timestamp.as_ref().map(|time| time.0),
        finalizers: strategy.finalizers().to_vec(),
        annotations: strategy.annotations().clone(),
        owner_reference: observe::owner_reference(&*strategy),
        reference: strategy.object_ref(&()),
        spec: strategy.spec.clone(),
        unknown_fields: strategy.unknown_fields().to_vec(),
        status,
        namespace: strategy.namespace().unwrap_or_default(),
        uid: strategy.uid().unwrap_or_default(),
        name,
        owner,
        gateway_owner,
        account,
    }
}

/// Its files. Where processes are switched off, so is the right to look; and who is being deleted needs none.
async fn files(context: &Context, namespace: &str, strategy: &TradingStrategy) -> Result<source::Found, Error> {
    if !context.image.processes || strategy.metadata.deletion_timestamp.is_some() {
        return Ok(Ok(None));
    }
    source::read(&context.client, namespace, &strategy.spec).await
}

/// Its account, if there is one; else what of it does not read.
async fn account(
    context: &Context,
    namespace: &str,
    name: &str,
) -> Result<Result<Option<Seen<TradingAccount>>, String>, Error> {
    let accounts: Api<GuardedAccount> = Api::namespaced(context.client.clone(), namespace);
    Ok(match accounts.get_opt(name).await.map_err(Error::api("get account", name))? {
        Some(GuardedAccount { 0: Ok(account) }) => Ok(Some(account)),
        Some(GuardedAccount { 0: Err(invalid) }) => Err(invalid.error),
        None => Ok(None),
    })
}

/// In this order, after what its gateway and its feed have said: the gateway, which after its acknowledgement writes to the
/// inbox no more, before the inbox's end; and that before how far the worker has come. Its register before its record.
async fn own(context: &Context, strategy: &TradingStrategy, owner: &Owner, source: Option<&Scope>) -> Own {
    let register = context.within(context.bus.desired(owner)).await;
    let last = context.within(context.bus.last_id(owner.inbox())).await;
    let mut stored = context.stored(owner).await;
    let mut ticks = None;
    if let (Some(source), Some(instrument)) = (source, strategy.spec.instruments.first()) {
        let stream = context.keys.market_tick(source, &instrument.symbol.to_string());
        let last = context.within(context.bus.last_id(&stream)).await;
        ticks = last.ok().flatten().map(|last| (stream, last));
    }
    if let Some(why) = [register.as_ref().err(), last.as_ref().err()].into_iter().flatten().next() {
        stored = Stored::Away(why.clone());
    }
    let (register, last) = (register.ok().flatten(), last.ok().flatten());
    Own { register, stored, ticks, inbox: InboxFacts { stream: owner.inbox().clone(), last } }
}

/// Who else needs the feed as it is, and is not known now.
fn kept(neighbours: &Strategies, partners: &Partners) -> Option<(String, Symbol)> {
    let feed = partners.readers.as_ref().ok()?;
    let unrecorded = neighbours.unrecorded();
    if unrecorded.is_empty() {
        return None;
    }
    let (readers, books) = (kept::readers(feed, &unrecorded), kept::books(&partners.books, &unrecorded));
    Some((kept::holder(&readers, &books)?.to_owned(), feed.markets().into_iter().next()?))
}

/// The capital that others have; where nobody can say that, or which symbol the account replays, nothing is opened.
async fn granted_or_away(
    context: &Context,
    account: &Scope,
    neighbours: &Strategies,
    (partners, own): (&Partners, &mut Own),
) -> BTreeMap<String, Granted> {
    let granted = match &partners.readers {
        Ok(_) => granted::to_others(context, account, neighbours, &partners.books).await,
        Err(why) => Err(why.clone()),
    };
    granted.unwrap_or_else(|why| {
        own.stored = Stored::Away(why);
        BTreeMap::new()
    })
}

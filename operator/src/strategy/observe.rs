//! What there is of a strategy: itself, its account, its neighbours, its pods, its record. Reads only.

use std::collections::BTreeMap;

use bus::{Desired, MessageBus as _, Owner, Scope, StateStore as _, StreamId, StreamKey};
use crds::roles::{AccountSpec, BookSpec, FeedDesired, GatewayDesired};
use crds::{TradingAccount, TradingStrategy, TradingStrategySpec, TradingStrategyStatus};
use engine::instrument::Symbol;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube::{Api, Resource, ResourceExt};

use super::granted::{self, Granted};
use super::{source, waits_for_account};
use crate::admission::Turn;
use crate::context::{Context, Strategies};
use crate::names::Role;
use crate::placement::{Ends, PodFacts, Stored};
use crate::seen::Seen;
use crate::stop::InboxFacts;
use crate::{Error, GuardedAccount, kept, observe};

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
    pub account: Result<Option<TradingAccount>, String>,
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

/// What the store says of a strategy and of those it trades with.
struct Records {
    register: Option<Desired>,
    stored: Stored,
    books: GatewayDesired,
    gateway: Stored,
    readers: Result<FeedDesired, String>,
    feed: Stored,
    ticks: Option<(StreamKey, StreamId)>,
    inbox: InboxFacts,
}

/// Looks, freshly: what is decided on must not be a cache's past. `None` if it is gone. Who has no ledger yet, or asks for
/// money, is looked at in its account's turn, or not at all.
pub async fn observe(
    context: &Context,
    seen: &TradingStrategy,
    turn: Option<&Turn>,
) -> Result<Option<Observed>, Error> {
    let (name, namespace) = (seen.name_any(), seen.namespace().unwrap_or_default());
    let Some((strategy, unknown_fields)) = observe::read(&context.client, seen).await? else {
        return Ok(None);
    };
    if turn.is_none() && waits_for_account(&strategy) {
        return Err(Error::Changed { subject: name });
    }
    let uid = strategy.uid().unwrap_or_default();
    let account_name = strategy.spec.account_ref.name.to_string();
    let account = account(context, &namespace, &account_name).await?;
    let scope = Scope::account(&namespace, &account_name)?;
    let owner = context.keys.strategy(&scope, &name);
    let gateway_owner = context.keys.gateway(&scope);
    let mut neighbours = match turn {
        Some(_) => context.strategies_now(&namespace, &account_name).await?,
        None => context.strategies_of(&namespace, &account_name).await?,
    };
    neighbours.read.retain(|other| other.name_any() != name);
    neighbours.unreadable.remove(&name);
    let mut records = records(context, &strategy, (&owner, &gateway_owner), account.as_ref().ok()).await?;
    let granted = match turn {
        Some(_) => granted_or_away(context, &scope, &neighbours, &mut records).await,
        None => BTreeMap::new(),
    };
    let kept = kept(&neighbours, &records);
    let status = strategy.status.clone().unwrap_or_default();
    let epoch = status.epoch.unwrap_or(0);
    let pods_of = observe::Owner { namespace: &namespace, name: &name, uid: &uid };
    let ends = observe::ends(status.restarts.as_ref(), Timestamp::now());
    let client = &context.client;
    let pods = observe::pods(client, pods_of).await?;
    Ok(Some(Observed {
        pods: observe::in_role(client, pods_of, &pods, Role::Strategy, epoch).await?,
        register: records.register,
        stored: records.stored,
        book: records.books.books.into_iter().find(|book| book.strategy == name),
        gateway: records.gateway,
        feed: records.feed,
        ticks: records.ticks,
        inbox: records.inbox,
        neighbours: neighbours.read,
        kept,
        granted,
        ends,
        allows_processes: context.image.processes,
        files: files(context, &namespace, &strategy).await?,
        resource_version: strategy.resource_version().unwrap_or_default(),
        generation: strategy.metadata.generation.and_then(|generation| u64::try_from(generation).ok()).unwrap_or(0),
        made: strategy.metadata.creation_timestamp.as_ref().map(|time| time.0),
        deleting_since: strategy.metadata.deletion_timestamp.as_ref().map(|time| time.0),
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
        gateway_owner,
        account,
    }))
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
) -> Result<Result<Option<TradingAccount>, String>, Error> {
    let accounts: Api<GuardedAccount> = Api::namespaced(context.client.clone(), namespace);
    Ok(match accounts.get_opt(name).await.map_err(Error::api("get account", name))? {
        Some(GuardedAccount { 0: Ok(account) }) => Ok(Some(account)),
        Some(GuardedAccount { 0: Err(invalid) }) => Err(invalid.error),
        None => Ok(None),
    })
}

/// In this order: a register before the record of who follows it; the gateway, which after its acknowledgement writes to
/// the inbox no more, before the inbox's end; and that before how far the worker has come.
async fn records(
    context: &Context,
    strategy: &TradingStrategy,
    (owner, gateway_owner): (&Owner, &Owner),
    account: Option<&Option<TradingAccount>>,
) -> Result<Records, Error> {
    let register = context.within(context.bus.desired(owner)).await;
    let (books, gateway) = context.register_and_record::<GatewayDesired>(gateway_owner).await;
    let last = context.within(context.bus.last_id(owner.inbox())).await;
    let mut stored = context.stored(owner).await;
    let (mut readers, mut feed, mut ticks) = (Ok(FeedDesired::default()), Stored::Missing, None);
    if let Some(Some(account)) = account {
        let name = strategy.spec.account_ref.name.to_string();
        let source = AccountSpec { name, spec: account.spec.clone() }.source();
        let scope = Scope::source(&strategy.namespace().unwrap_or_default(), &source)?;
        let owner = context.keys.feed(&scope);
        readers = kept::register(context, &owner).await;
        feed = context.stored(&owner).await;
        if let Some(instrument) = strategy.spec.instruments.first() {
            let stream = context.keys.market_tick(&scope, &instrument.symbol.to_string());
            let last = context.within(context.bus.last_id(&stream)).await;
            ticks = last.ok().flatten().map(|last| (stream, last));
        }
    }
    if let Some(why) = [register.as_ref().err(), last.as_ref().err()].into_iter().flatten().next() {
        stored = Stored::Away(why.clone());
    }
    let (register, last) = (register.ok().flatten(), last.ok().flatten());
    let inbox = InboxFacts { stream: owner.inbox().clone(), last };
    Ok(Records { register, stored, books, gateway, readers, feed, ticks, inbox })
}

/// Who else needs the feed as it is, and is not known now.
fn kept(neighbours: &Strategies, records: &Records) -> Option<(String, Symbol)> {
    let feed = records.readers.as_ref().ok()?;
    let unrecorded = neighbours.unrecorded();
    let (readers, books) = (kept::readers(feed, &unrecorded), kept::books(&records.books, &unrecorded));
    Some((kept::holder(&readers, &books)?.to_owned(), feed.markets().into_iter().next()?))
}

/// The capital that others have; where nobody can say that, or which symbol the account replays, nothing is opened.
async fn granted_or_away(
    context: &Context,
    account: &Scope,
    neighbours: &Strategies,
    records: &mut Records,
) -> BTreeMap<String, Granted> {
    let granted = match &records.readers {
        Ok(_) => granted::to_others(context, account, neighbours, &records.books).await,
        Err(why) => Err(why.clone()),
    };
    granted.unwrap_or_else(|why| {
        records.stored = Stored::Away(why);
        BTreeMap::new()
    })
}

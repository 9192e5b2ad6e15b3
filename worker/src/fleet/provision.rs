//! Making and finding the records of a fleet, as the operator does: created only here, and never silently
//! remade. Also the registers: which sub-accounts a gateway keeps, which readers a feed has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bus::{Closing, CreateOutcome, Desired, DesiredOutcome, Fields, Keys, Owner, Scope};
use engine::client_order_id::LedgerId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fleet::{AccountGroup, LiveGroup};
use crate::process::exit::Failure;
use crate::roles::session::patiently;
use crate::roles::{Bus, Runtime};
use crds::record::{KEPT, STARTED_AT};
use crds::roles::{
    BookSpec, FeedDesired, GatewayDesired, GatewaySpec, LiveSpec, ReplaySpec, Stance, StrategyDesired, StrategySpec,
};

/// The field that holds what may never change under a ledger.
const IMMUTABLE: &str = "immutable";

/// How many other writers of a register are tried to be newer than.
const WRITERS_MAX: u32 = 8;

/// A record that is ready for a process.
#[derive(Debug, Clone)]
pub struct Place<S> {
    /// Whose.
    pub owner: Owner,
    pub ledger: String,
    /// The epoch of the next process.
    pub epoch: u64,
    /// When the ledger was opened.
    pub started_at: i64,
    /// What the process is told.
    pub spec: S,
}

/// An account's records.
#[derive(Debug, Clone)]
pub struct Places {
    pub namespace: String,
    pub gateway: Place<GatewaySpec>,
    /// The feed; absent without strategies.
    pub feed: Option<Place<ReplaySpec>>,
    pub strategies: Vec<Place<StrategySpec>>,
}

impl Places {
    /// Where the account's prices are.
    pub fn source(&self) -> Result<Scope, Failure> {
        let source = Scope::source(&self.namespace, &self.gateway.spec.account.source());
        source.map_err(|error| Failure::refused(error.to_string()))
    }
}

/// A live feed's record.
#[derive(Debug, Clone)]
pub struct LivePlace {
    pub namespace: String,
    pub feed: Place<LiveSpec>,
}

/// Who makes records, and how.
#[derive(Debug, Clone)]
pub struct Provisioner<B> {
    /// Where; its health and its wish to stop are followed.
    pub runtime: Runtime<B>,
    /// The first part of uids: who holds the records.
    pub uid: &'static str,
    /// Close what is there and start afresh.
    pub new_ledger: bool,
    /// Only this strategy; what the registers say of others stays.
    pub only: Option<String>,
}

impl<B: Bus> Provisioner<B> {
    /// Makes or finds all records of an account and sets its registers.
    pub async fn provision(&self, group: &AccountGroup) -> Result<Places, Failure> {
        let keys = &self.runtime.identity.keys;
        let name = |error: bus::KeyError| Failure::refused(error.to_string());
        let account = &group.gateway.account;
        let scope = Scope::account(&group.namespace, &account.name).map_err(name)?;
        let uid = |name: &str| format!("{}/{}/{name}", self.uid, group.namespace);
        let identity = gateway_identity(&group.gateway);
        let gateway = self.place(keys.gateway(&scope), &uid(&account.name), &identity, group.gateway.clone()).await?;
        let known: GatewayDesired =
            if self.new_ledger { GatewayDesired::default() } else { self.present(&gateway).await? };
        let known: BTreeMap<_, _> = known.books.iter().map(|book| (book.strategy.as_str(), &book.ledger)).collect();
        let mut strategies = Vec::new();
        for spec in group.strategies.iter().filter(|spec| self.only.as_ref().is_none_or(|only| *only == spec.name)) {
            let owner = keys.strategy(&scope, &spec.name);
            if let Some(ledger) = known.get(spec.name.as_str()) {
                self.refuse_lost(&owner, ledger).await?;
            }
            strategies.push(self.place(owner, &uid(&spec.name), &strategy_identity(spec), spec.clone()).await?);
        }
        let mut feed = None;
        if let Some(spec) = &group.feed {
            let source = Scope::source(&group.namespace, &spec.source).map_err(name)?;
            feed = Some(self.place(keys.feed(&source), &uid(&spec.source), &feed_identity(spec), spec.clone()).await?);
        }
        let places = Places { namespace: group.namespace.clone(), gateway, feed, strategies };
        self.register(&places).await?;
        Ok(places)
    }

    /// Makes or finds the record of a live feed, and says in its register who reads it.
    pub async fn provision_live(&self, group: &LiveGroup) -> Result<LivePlace, Failure> {
        let source = Scope::source(&group.namespace, &group.feed.source);
        let source = source.map_err(|error| Failure::refused(error.to_string()))?;
        let uid = format!("{}/{}/{}", self.uid, group.namespace, group.feed.source);
        // Its name is all that never changes: whatever was read from it is the same.
        let identity = BTreeMap::from([("source", group.feed.source.as_str())]);
        let owner = self.runtime.identity.keys.feed(&source);
        let feed = self.place(owner, &uid, &identity, group.feed.clone()).await?;
        let markets: BTreeSet<_> = group.readers.iter().flat_map(|(_, symbols)| symbols.iter().cloned()).collect();
        let markets: Vec<_> = markets.into_iter().collect();
        self.set(&feed, &FeedDesired::of(&markets, group.readers.iter().cloned())).await?;
        Ok(LivePlace { namespace: group.namespace.clone(), feed })
    }

    /// Refuses a strategy without a record that its gateway still has a sub-account of this ledger for: anew it would trade on
    /// the declared capital once more, beside what it has traded.
    async fn refuse_lost(&self, owner: &Owner, ledger: &LedgerId) -> Result<(), Failure> {
        if patiently(&self.runtime, || self.runtime.bus.record(owner)).await?.is_some() {
            return Ok(());
        }
        Err(Failure::refused(format!(
            "LedgerLost: the store has no record of {}, but its account's gateway has ledger {ledger} of it: it was lost, or \
             closed by hand. Restore the store from its backup, or start the account afresh with --new-ledger",
            owner.name()
        )))
    }

    async fn place<S>(&self, owner: Owner, uid: &str, identity: &impl Serialize, spec: S) -> Result<Place<S>, Failure> {
        let runtime = &self.runtime;
        let immutable = serde_json::to_string(identity).map_err(|error| Failure::error(error.to_string()))?;
        let now = patiently(runtime, || runtime.bus.now_ms()).await?;
        let fields = Fields::from([
            (IMMUTABLE.to_owned(), Arc::from(immutable.as_str())),
            (STARTED_AT.to_owned(), Arc::from(now.to_string())),
        ]);
        if self.new_ledger
            && let Some(record) = patiently(runtime, || runtime.bus.record(&owner)).await?
            && record.uid == uid
        {
            let closing = Closing { drop: &runtime.identity.keys.streams_of(&owner), keep: &KEPT };
            patiently(runtime, || runtime.bus.close(&owner, &record.ledger, closing)).await?;
        }
        match patiently(runtime, || runtime.bus.create(&owner, uid, &fields)).await? {
            CreateOutcome::Created { ledger } => {
                let started_at = i64::try_from(now).unwrap_or_default();
                Ok(Place { owner, ledger, epoch: 1, started_at, spec })
            }
            CreateOutcome::Exists { uid: found, .. } if found != uid => Err(Failure::refused(format!(
                "{} in {} belongs to {found:?}, not {uid:?}; use another --prefix, or close it with what made it",
                owner.name(),
                owner.scope().tag()
            ))),
            CreateOutcome::Exists { .. } => self.resume(owner, &immutable, spec).await,
        }
    }

    async fn resume<S>(&self, owner: Owner, immutable: &str, spec: S) -> Result<Place<S>, Failure> {
        let runtime = &self.runtime;
        let record = patiently(runtime, || runtime.bus.record(&owner))
            .await?
            .ok_or_else(|| Failure::error(format!("the record of {} vanished", owner.name())))?;
        let before = record.fields.get(IMMUTABLE).map_or("", |text| &**text);
        if before != immutable {
            return Err(Failure::refused(format!(
                "{}: a field that cannot change was changed. Its ledger was opened with {before}; the file now says \
                 {immutable}. Take the change back, use another name, or start afresh with --new-ledger",
                owner.name()
            )));
        }
        let started_at = record.fields.get(STARTED_AT).and_then(|text| text.parse().ok()).unwrap_or_default();
        Ok(Place { owner, ledger: record.ledger, epoch: record.epoch + 1, started_at, spec })
    }

    async fn register(&self, places: &Places) -> Result<(), Failure> {
        let mut books = Vec::new();
        for strategy in &places.strategies {
            let ledger: LedgerId = strategy.ledger.parse().map_err(|error| Failure::error(format!("{error}")))?;
            let (name, spec) = (strategy.spec.name.clone(), &strategy.spec.spec);
            books.push(BookSpec::of(name, ledger, spec, Stance::of_state(spec.state)));
        }
        let limits = places.gateway.spec.account.spec.limits.clone();
        let mut gateway = GatewayDesired { limits, ..GatewayDesired::of(books) };
        if self.only.is_some() {
            let others: GatewayDesired = self.present(&places.gateway).await?;
            let ours = |book: &BookSpec| gateway.books.iter().any(|our| our.strategy == book.strategy);
            let kept: Vec<_> = others.books.into_iter().filter(|book| !ours(book)).collect();
            gateway.books.extend(kept);
        }
        self.set(&places.gateway, &gateway).await?;
        if let Some(feed) = &places.feed {
            let reads = |spec: &StrategySpec| spec.spec.instruments.iter().map(|one| one.symbol.clone()).collect();
            let readers = places.strategies.iter().map(|strategy| (strategy.spec.name.clone(), reads(&strategy.spec)));
            let markets: Vec<_> = feed.spec.markets().into_iter().map(|market| market.symbol).collect();
            let mut desired = FeedDesired::of(&markets, readers);
            if self.only.is_some() {
                let others: FeedDesired = self.present(feed).await?;
                let kept: Vec<_> = others.readers.into_iter().filter(|name| !desired.readers.contains(name)).collect();
                desired.reads.extend(others.reads.into_iter().filter(|(name, _)| kept.contains(name)));
                desired.readers.extend(kept);
            }
            self.set(feed, &desired).await?;
        }
        for strategy in &places.strategies {
            self.set(strategy, &StrategyDesired::of(&strategy.spec.spec, strategy.spec.generation)).await?;
        }
        Ok(())
    }

    /// What a register says now.
    async fn present<S, D: Default + DeserializeOwned>(&self, place: &Place<S>) -> Result<D, Failure> {
        let Some(desired) = patiently(&self.runtime, || self.runtime.bus.desired(&place.owner)).await? else {
            return Ok(D::default());
        };
        serde_json::from_str(&desired.value)
            .map_err(|error| Failure::refused(format!("the register of {}: {error}", place.owner.name())))
    }

    async fn set<S>(&self, place: &Place<S>, value: &impl Serialize) -> Result<(), Failure> {
        set_register(&self.runtime, &place.owner, value).await
    }
}

/// Writes an owner's register.
pub async fn set_register<B: Bus>(runtime: &Runtime<B>, owner: &Owner, value: &impl Serialize) -> Result<(), Failure> {
    let value = serde_json::to_string(value).map_err(|error| Failure::error(error.to_string()))?;
    for _ in 0..WRITERS_MAX {
        // One more than what stands there: a clock can be set back, and then nothing would be newer for long.
        let present = patiently(runtime, || runtime.bus.desired(owner)).await?;
        let present = present.as_ref().map(Desired::version).unwrap_or_default();
        let token = present.token.checked_add(1).ok_or_else(|| {
            Failure::refused(format!("the register of {} cannot be counted up any more", owner.name()))
        })?;
        let generation = present.generation.max(1);
        let desired = Desired { generation, token, value: value.as_str().into() };
        match patiently(runtime, || runtime.bus.set_desired(owner, &desired)).await? {
            DesiredOutcome::Applied => return Ok(()),
            // Somebody else has written in between.
            DesiredOutcome::Older { .. } => {}
        }
    }
    Err(Failure::error(format!("{} is being set up by somebody else too; try again", owner.name())))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StrategyIdentity<'a> {
    account_ref: &'a str,
    instruments: Vec<String>,
    capital: Vec<String>,
    strategy: &'a str,
}

/// What may never change under a strategy's ledger. Amounts are compared as numbers.
fn strategy_identity(spec: &StrategySpec) -> impl Serialize {
    // As the release before wrote it, whose manifests said the kind apart from the symbol.
    let instrument = |spec: &crds::strategy::InstrumentSpec| format!("{} Spot", spec.symbol);
    StrategyIdentity {
        account_ref: &spec.account.name,
        instruments: spec.spec.instruments.iter().map(instrument).collect(),
        capital: spec
            .spec
            .capital
            .iter()
            .map(|(asset, amount)| format!("{} {asset}", amount.get().normalize()))
            .collect(),
        strategy: spec.spec.strategy.name(),
    }
}

/// What may never change under an account's ledger: which venue it is.
fn gateway_identity(spec: &GatewaySpec) -> impl Serialize {
    let venue = if spec.account.spec.venue.paper.is_some() { "paper" } else { "" };
    BTreeMap::from([("venue", venue)])
}

/// What may never change under a replay's ledger: the data, and so the meaning of its position.
fn feed_identity(spec: &ReplaySpec) -> impl Serialize {
    let file = spec.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    BTreeMap::from([("file", file), ("symbol", spec.symbol.to_string())])
}

/// The identity of a process at a place.
pub fn identity<S>(keys: &Keys, namespace: &str, place: &Place<S>) -> crate::roles::Identity {
    crate::roles::Identity {
        keys: keys.clone(),
        namespace: namespace.to_owned(),
        ledger: place.ledger.clone(),
        epoch: place.epoch,
    }
}

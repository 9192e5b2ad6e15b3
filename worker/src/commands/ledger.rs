//! The command `ledger`: does by hand what the operator does.

mod release;

use std::path::PathBuf;

use bus::{CloseOutcome, Closing, MessageBus, Owner, RedisBus, Scope, StateStore, StreamId, Topic};
use clap::{Args, Subcommand};
use crds::record::KEPT;
use engine::Engine;
use engine::messages::Fill;
use engine::report::Trade;
use engine::strategies::Registry;
use serde::Serialize;

use crate::commands::endpoint::{self, Named};
use crate::fleet::provision::{LivePlace, Place, Provisioner};
use crate::fleet::{AccountGroup, Fleet, LiveGroup};
use crate::outcome::hashes::{DATA, DataHash, MADE, Made};
use crate::outcome::{OpenOrder, Outcome};
use crate::process::admin::Health;
use crate::process::exit::{Failure, print};
use crate::process::telemetry;
use crate::roles::launch::{admit, in_runtime, keys, on_signals, open};
use crate::roles::options::Store;
use crate::roles::saved;
use crate::roles::session::patiently;
use crate::roles::{Identity, Runtime};

/// What to do with ledgers.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create the records of a manifest's accounts and strategies; prints the command of each role.
    Create(Created),
    /// Print a strategy's result from its record and its trades, in the JSON of backtest.
    Show(Target),
    /// Close ledgers for good: no process can take them again.
    Close(Target),
    /// Release a breached limit of one strategy or of the account, or an exit that a strategy has reached.
    Release(release::Named),
}

/// Which ledgers.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// The manifest.
    file: PathBuf,
    /// The store.
    #[command(flatten)]
    store: Store,
    /// Only this account, with its gateway and its feed.
    #[arg(long, conflicts_with = "strategy")]
    account: Option<String>,
    /// Only this strategy.
    #[arg(long)]
    strategy: Option<String>,
}

/// What is to be created.
#[derive(Debug, Clone, Args)]
pub struct Created {
    /// Whose ledgers.
    #[command(flatten)]
    target: Target,
    /// The hosts of a name that an account's marketData.binance.endpoint has: requests, and streams if from another one.
    #[arg(long, value_name = "NAME=URL[,URL]")]
    endpoint: Vec<Named>,
}

/// Does what the command says.
pub fn run(command: &Command, registry: &Registry) -> Result<(), Failure> {
    telemetry::start("warn");
    let (Command::Create(Created { target, .. })
    | Command::Show(target)
    | Command::Close(target)
    | Command::Release(release::Named { target, .. })) = command;
    let fleet = Fleet::from_files(std::slice::from_ref(&target.file))?;
    let lives = match command {
        Command::Create(created) => fleet.live(|name| endpoint::hosts(&created.endpoint, name))?,
        Command::Show(_) | Command::Close(_) | Command::Release(_) => Vec::new(),
    };
    let groups: Vec<_> = fleet.accounts.into_iter().filter(|group| target.names_account(group)).collect();
    if groups.is_empty() {
        return Err(Failure::not_found(format!("{}: nothing of that name in it", target.file.display())));
    }
    in_runtime(async {
        let runtime = Runtime {
            bus: open(&target.store)?,
            identity: Identity {
                keys: keys(&target.store)?,
                namespace: String::new(),
                ledger: String::new(),
                epoch: 0,
            },
            health: Health::new("ledger"),
            shutdown: on_signals()?,
        };
        admit(&runtime, &target.store).await?;
        for group in &groups {
            match command {
                Command::Create(_) => create(&runtime, target, group).await?,
                Command::Show(_) => show(&runtime, target, group, registry).await?,
                Command::Close(_) => close(&runtime, target, group).await?,
                Command::Release(named) => named.release(&runtime, group).await?,
            }
        }
        // Made by `create` alone; a feed that is there goes on when one strategy joins.
        if target.strategy.is_none() { create_live(&runtime, target, &groups, &lives).await } else { Ok(()) }
    })
}

impl Target {
    fn names_account(&self, group: &AccountGroup) -> bool {
        let account = self.account.as_ref().is_none_or(|name| *name == group.gateway.account.name);
        let strategy = self.strategy.as_ref().is_none_or(|name| group.strategies.iter().any(|spec| spec.name == *name));
        account && strategy
    }

    fn names_strategy(&self, name: &str) -> bool {
        self.strategy.as_ref().is_none_or(|named| named == name)
    }
}

async fn create(runtime: &Runtime<RedisBus>, target: &Target, group: &AccountGroup) -> Result<(), Failure> {
    let only = target.strategy.clone();
    let provisioner = Provisioner { runtime: runtime.clone(), uid: "hand", new_ledger: false, only };
    let mut places = provisioner.provision(group).await?;
    for strategy in &places.strategies {
        print_command("strategy", target, &group.namespace, strategy)?;
    }
    if target.strategy.is_some() {
        return Ok(());
    }
    print_command("gateway", target, &group.namespace, &places.gateway)?;
    if let Some(feed) = &mut places.feed {
        // The command works from any folder.
        feed.spec.file = std::path::absolute(&feed.spec.file).unwrap_or(feed.spec.file.clone());
        print_command("feed", target, &group.namespace, feed)?;
    }
    Ok(())
}

/// The live feeds that these accounts read. Others of the file may share one, so its register names the readers of the whole
/// file.
async fn create_live(
    runtime: &Runtime<RedisBus>,
    target: &Target,
    groups: &[AccountGroup],
    lives: &[LiveGroup],
) -> Result<(), Failure> {
    let provisioner = Provisioner { runtime: runtime.clone(), uid: "hand", new_ledger: false, only: None };
    let reads = |group: &AccountGroup, live: &LiveGroup| {
        group.namespace == live.namespace && group.readers().any(|reader| live.readers.contains(&reader))
    };
    for live in lives.iter().filter(|live| groups.iter().any(|group| reads(group, live))) {
        let LivePlace { namespace, feed } = provisioner.provision_live(live).await?;
        print_command("feed", target, &namespace, &feed)?;
    }
    Ok(())
}

/// The command of a role, as a shell takes it.
fn print_command<S: Serialize>(role: &str, target: &Target, namespace: &str, place: &Place<S>) -> Result<(), Failure> {
    let spec = serde_json::to_string(&place.spec).map_err(|error| Failure::error(error.to_string()))?;
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    print(&format!(
        "worker {role} --redis {} --prefix {} --installation {} --namespace {} --owner {} --ledger {} --epoch {} --spec {}\n",
        quoted(&target.store.redis),
        target.store.prefix,
        target.store.installation,
        namespace,
        place.owner.name(),
        place.ledger,
        place.epoch,
        quoted(&spec),
    ))
}

async fn show(
    runtime: &Runtime<RedisBus>,
    target: &Target,
    group: &AccountGroup,
    registry: &Registry,
) -> Result<(), Failure> {
    let scope = scope(group)?;
    for spec in group.strategies.iter().filter(|spec| target.names_strategy(&spec.name)) {
        let owner = runtime.identity.keys.strategy(&scope, &spec.name);
        let record = patiently(runtime, || runtime.bus.record(&owner))
            .await?
            .ok_or_else(|| Failure::not_found(format!("no ledger of strategy {}; create one first", spec.name)))?;
        if record.closed {
            let ledger = &record.ledger;
            return Err(Failure::not_found(format!("the ledger {ledger} of strategy {} is closed", spec.name)));
        }
        let refuse = |problem: String| Failure::refused(format!("the record of {}: {problem}", spec.name));
        let saved = saved::fields(record.version, &record.fields)
            .map_err(refuse)?
            .ok_or_else(|| Failure::not_found(format!("strategy {} has not run yet", spec.name)))?;
        let engine = saved::engine(spec, &record.ledger, Some(saved), registry).map_err(refuse)?;
        let trades = trades(runtime, &scope, &engine, &record.ledger).await?;
        let data = DataHash::saved(record.fields.get(DATA).map(|saved| &**saved), &engine);
        let made = Made::saved(record.fields.get(MADE).map(|saved| &**saved));
        let mut outcome = Outcome::of(&spec.name, &engine, &trades, made, data.as_ref())
            .ok_or_else(|| Failure::not_found(format!("strategy {} has seen no tick yet", spec.name)))?;
        outcome.trades_missing = engine.trades().saturating_sub(trades.len() as u64);
        outcome.open_orders = Some(OpenOrder::all(&engine));
        print(&format!("{}\n", serde_json::to_string(&outcome).map_err(|error| refuse(error.to_string()))?))?;
    }
    Ok(())
}

/// The trades of a ledger that the engine has booked, as far as the topic for outsiders keeps them.
async fn trades(
    runtime: &Runtime<RedisBus>,
    scope: &Scope,
    engine: &Engine,
    ledger: &str,
) -> Result<Vec<Trade>, Failure> {
    let stream = runtime.identity.keys.topic(scope, Topic::OrderFill);
    let mut trades = Vec::new();
    let mut from = StreamId::ZERO;
    loop {
        let entries = patiently(runtime, || runtime.bus.range(&stream, from, StreamId::MAX, 1_000)).await?;
        let Some(last) = entries.last() else { return Ok(trades) };
        from = last.id.next();
        for entry in &entries {
            if let Ok(fill) = entry.decode::<Fill>()
                && fill.ledger.as_str() == ledger
                && is_booked(engine, &fill)
            {
                trades.push(Trade::of(&fill, fill.index.or(fill.tick_sequence).unwrap_or_default()));
            }
        }
    }
}

/// Whether the engine knows of this trade: during a run the topic is ahead of the record that was read before.
fn is_booked(engine: &Engine, fill: &Fill) -> bool {
    let id = &fill.client_order_id;
    let open = engine.open_order(id);
    id.sequence() <= engine.highest_order() && open.is_none_or(|order| fill.cumulative_quantity <= order.filled)
}

async fn close(runtime: &Runtime<RedisBus>, target: &Target, group: &AccountGroup) -> Result<(), Failure> {
    let keys = &runtime.identity.keys;
    let scope = scope(group)?;
    let mut owners: Vec<Owner> = Vec::new();
    if target.strategy.is_none() {
        // First the gateway: once its ledger is closed it commits no news any more, so no inbox comes back.
        owners.push(keys.gateway(&scope));
    }
    for spec in group.strategies.iter().filter(|spec| target.names_strategy(&spec.name)) {
        owners.push(keys.strategy(&scope, &spec.name));
    }
    if target.strategy.is_none() {
        let source = Scope::source(&group.namespace, &group.gateway.account.source());
        owners.push(keys.feed(&source.map_err(|error| Failure::refused(error.to_string()))?));
    }
    for owner in owners {
        let Some(record) = patiently(runtime, || runtime.bus.record(&owner)).await? else {
            print(&format!("{}: no ledger\n", owner.name()))?;
            continue;
        };
        let closing = Closing { drop: &keys.streams_of(&owner), keep: &KEPT };
        match patiently(runtime, || runtime.bus.close(&owner, &record.ledger, closing)).await? {
            CloseOutcome::Closed => print(&format!("{}: ledger {} is closed\n", owner.name(), record.ledger))?,
            CloseOutcome::Missing | CloseOutcome::OtherLedger { .. } => {
                return Err(Failure::error(format!("{} changed meanwhile; try again", owner.name())));
            }
        }
    }
    Ok(())
}

fn scope(group: &AccountGroup) -> Result<Scope, Failure> {
    Scope::account(&group.namespace, &group.gateway.account.name).map_err(|error| Failure::refused(error.to_string()))
}

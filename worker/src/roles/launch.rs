//! Starting the roles of the pods: the runtime, the store, signals, the admin address.

use std::convert::Infallible;
use std::time::Duration;

use bus::{Keys, RedisBus};
use engine::strategies::Registry;
use serde::de::DeserializeOwned;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::Instrument;

use crate::process::admin::{self, Health};
use crate::process::exit::Failure;
use crate::process::shutdown::Shutdown;
use crate::process::telemetry;
use crate::roles::feed;
use crate::roles::gateway;
use crate::roles::options::{Role, Store};
use crate::roles::session::patiently;
use crate::roles::strategy;
use crate::roles::{Bus, Identity, Runtime, Stop};
use crds::roles::StrategySpec;

/// How often to look whether a store that was fit still is.
const FIT_LOOK: Duration = Duration::from_secs(30);
/// How often to look whether a store that was not fit is by now.
const UNFIT_LOOK: Duration = Duration::from_secs(1);

/// Runs the role `strategy`.
pub fn strategy(role: &Role, registry: &Registry) -> Result<(), Failure> {
    launch(role, "strategy", |runtime, spec: StrategySpec| strategy::run(runtime, spec, registry.clone()))
}

/// Runs the role `gateway`.
pub fn gateway(role: &Role) -> Result<(), Failure> {
    launch(role, "gateway", gateway::run)
}

/// Runs the role `feed`.
pub fn feed(role: &Role) -> Result<(), Failure> {
    launch(role, "feed", feed::run)
}

fn launch<S, F>(role: &Role, name: &'static str, work: impl FnOnce(Runtime<RedisBus>, S) -> F) -> Result<(), Failure>
where
    S: DeserializeOwned,
    F: Future<Output = Result<(), Stop>>,
{
    telemetry::start("info");
    let expected = match name {
        "strategy" => role.owner.starts_with("strategy-"),
        _ => role.owner == name,
    };
    if !expected {
        return Err(Failure::refused(format!("--owner {:?} is not the owner of a {name}", role.owner)));
    }
    let spec =
        serde_json::from_str(&role.spec).map_err(|error| Failure::refused(format!("--spec does not read: {error}")))?;
    // At the level of errors, so that no filter takes the names off a line.
    let span = tracing::error_span!("role", role = name, owner = role.owner, epoch = role.epoch, ledger = role.ledger);
    let work = async {
        let shutdown = on_signals()?;
        let health = Health::new(name);
        let runtime = Runtime {
            bus: open(&role.store)?,
            identity: Identity {
                keys: keys(&role.store)?,
                namespace: role.namespace.clone(),
                ledger: role.ledger.clone(),
                epoch: role.epoch,
            },
            health: health.clone(),
            shutdown: shutdown.clone(),
        };
        let served = match role.admin {
            Some(address) => {
                let refuse = |error| Failure::error(format!("--admin {address}: {error}; choose a free address"));
                let listener = process::admin::open(address).await.map_err(refuse)?;
                Some(tokio::spawn(admin::serve(listener, health)))
            }
            None => None,
        };
        let work = async {
            admit(&runtime, &role.store).await?;
            let work = work(runtime.clone(), spec);
            tokio::select! {
                biased;
                done = work => done,
                never = watch_store(runtime.clone()) => match never {},
            }
        };
        let done = work.await;
        if let Some(served) = served {
            served.abort();
        }
        done.map_err(|stop| {
            // Told once: as a line of the log, which off a terminal is JSON.
            tracing::error!("{stop}");
            Failure::from(stop).silent()
        })
    };
    in_runtime(work.instrument(span))
}

/// One thread is enough for every role, and cheaper than two.
pub fn in_runtime<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::error(format!("cannot start the runtime: {error}")))?;
    let done = runtime.block_on(work);
    // A thread that still reads a file has nothing to finish, and is not waited for.
    runtime.shutdown_background();
    done
}

/// Asked to stop by SIGTERM or SIGINT.
pub fn on_signals() -> Result<Shutdown, Failure> {
    let (sender, shutdown) = Shutdown::channel();
    let listen = |kind| signal(kind).map_err(|error| Failure::error(format!("cannot listen for signals: {error}")));
    let (mut term, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let mut hangup = if outlives_its_terminal() { None } else { Some(listen(SignalKind::hangup())?) };
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
            () = heard(&mut hangup) => {}
        }
        let _ = sender.send(true);
    });
    Ok(shutdown)
}

/// Whether who started this process has it go on when its terminal is closed, as nohup does; or nobody knows.
fn outlives_its_terminal() -> bool {
    /// SIGHUP in the list of signals that are ignored.
    const HANGUP: u64 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|ignored| u64::from_str_radix(ignored.trim(), 16).ok());
    ignored.is_none_or(|ignored| ignored & HANGUP == HANGUP)
}

/// Waits for a signal; for ever where none is listened to.
async fn heard(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// The store of the options.
pub fn open(store: &Store) -> Result<RedisBus, Failure> {
    RedisBus::open(&store.redis).map_err(|error| Failure::refused(error.to_string()))
}

/// The key names of the options.
pub fn keys(store: &Store) -> Result<Keys, Failure> {
    Keys::new(&store.prefix).map_err(|error| Failure::refused(format!("--prefix: {error}")))
}

/// Waits until the store is fit for use, and refuses what can never be.
pub async fn admit<B: Bus>(runtime: &Runtime<B>, store: &Store) -> Result<(), Stop> {
    loop {
        let health = patiently(runtime, || runtime.bus.health()).await?;
        let unfit = unfit(&health);
        runtime.health.store_unfit(&unfit);
        if unfit.is_empty() {
            for warning in health.warnings() {
                tracing::warn!("{}: {}", warning.problem, warning.remedy);
            }
            break;
        }
        // Not ready until it is mended: who mends it need not restart anything.
        let mut shutdown = runtime.shutdown.clone();
        shutdown.sleep(UNFIT_LOOK).await;
        if shutdown.asked() {
            return Err(Stop::Store(unfit));
        }
    }
    let claim =
        patiently(runtime, || runtime.bus.claim_installation(&runtime.identity.keys, &store.installation)).await?;
    match claim {
        bus::Claim::Claimed => Ok(()),
        bus::Claim::Other { id } => Err(Stop::Store(format!(
            "the prefix {:?} belongs to installation {id:?}, not {:?}; choose another --prefix, or another Redis",
            store.prefix, store.installation
        ))),
    }
}

/// What forbids to use the store, with the remedies; empty if nothing does.
fn unfit(health: &bus::Health) -> String {
    let findings = health.refusals();
    findings.iter().map(|finding| format!("{}: {}", finding.problem, finding.remedy)).collect::<Vec<_>>().join("; ")
}

/// Looks again and again whether the store is still fit for use, until it is dropped: who changes its policy, or
/// makes a replica of it, tells nobody.
pub async fn watch_store<B: Bus>(runtime: Runtime<B>) -> Infallible {
    let mut pause = FIT_LOOK;
    loop {
        tokio::time::sleep(pause).await;
        // A store that is away is told of by who wants something of it.
        if let Ok(health) = runtime.bus.health().await {
            let unfit = unfit(&health);
            pause = if unfit.is_empty() { FIT_LOOK } else { UNFIT_LOOK };
            runtime.health.store_unfit(&unfit);
        }
    }
}

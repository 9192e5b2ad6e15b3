//! The command `run`: the roles of the given manifests in one process, on the bus in memory or on Redis. The
//! very same role code as in the pods; this file only plays the operator: records, registers, and who reads
//! the reports.

mod bar;
mod board;
mod data;
mod drawn;
mod ended;
mod figures;
mod observe;
mod rows;
mod screen;
mod status;

use std::path::PathBuf;

use bus::MemoryBus;
use clap::{Args, ValueEnum};
use engine::numbers::ExactDecimal;
use engine::strategies::Registry;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::child::FAULTS;
use crate::commands::endpoint::{self, Named};
use crate::fleet::provision::{Place, Places, Provisioner, identity};
use crate::fleet::sources::{self, Folder};
use crate::fleet::{Fleet, LiveGroup};
use crate::outcome::{Outcome, candles};
use crate::process::admin::Health;
use crate::process::exit::{Failure, print};
use crate::process::shutdown::Shutdown;
use crate::process::telemetry;
use crate::roles::feed;
use crate::roles::gateway;
use crate::roles::launch::{admit, in_runtime, keys, on_signals, open, watch_store};
use crate::roles::options::Store;
use crate::roles::strategy;
use crate::roles::{Bus, Identity, Runtime, Stop};

use board::Board;
use data::Scanned;
use ended::End;
use observe::Observer;
use screen::Screen;

/// The options of `run`.
#[derive(Debug, Args)]
pub struct Options {
    /// Manifests with accounts and strategies.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Keep state in this Redis, such as redis://localhost:6379; without it, it is forgotten at exit.
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// What all keys start with.
    #[arg(long, default_value = "glm", requires = "redis")]
    prefix: String,
    /// Replay so much faster than it happened; without it, as fast as this machine can.
    #[arg(long, value_name = "N")]
    speed: Option<ExactDecimal>,
    /// The folder with the files of a process's ConfigMap, NAME=FOLDER.
    #[arg(long, num_args = 1.., value_name = "NAME=FOLDER")]
    source: Vec<Folder>,
    /// The hosts of an endpoint that a manifest names, in place of the venue's: where requests go, and where streams come from
    /// if that is another host, NAME=URL[,URL].
    #[arg(long, value_name = "NAME=URL")]
    endpoint: Vec<Named>,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Close the ledgers that are there and start afresh.
    #[arg(long, requires = "redis")]
    new_ledger: bool,
    /// Show every trade, and each order not sent, with why.
    #[arg(short, long)]
    verbose: bool,
}

/// How to print the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Table,
    /// One object a line.
    Json,
    /// One document each.
    Yaml,
}

/// Runs the manifests until their data ends or the process is asked to stop.
pub fn run(options: &Options, registry: &Registry) -> Result<(), Failure> {
    // A fault of a process is on the screen, as an alert.
    telemetry::start(&format!("{},{FAULTS}=off", if options.redis.is_some() { "warn" } else { "error" }));
    if options.speed.is_some_and(|speed| speed.get().is_zero()) {
        return Err(Failure::refused("--speed: 0 would never end; write a number above 0"));
    }
    let mut fleet = Fleet::from_files(&options.files)?;
    sources::place(&options.source, fleet.accounts.iter_mut().flat_map(|account| &mut account.strategies))?;
    let (mut data, mut scanned) = (data::Data::default(), Vec::new());
    for group in &mut fleet.accounts {
        if let Some(feed) = &mut group.feed {
            // A run replays once, and at its own speed.
            (feed.speed, feed.repeat) = (options.speed, false);
        }
        let read = data.scan(group)?;
        for strategy in &group.strategies {
            candles::are_short_enough(strategy, read.iter().flat_map(|read| read.of(strategy)))?;
        }
        scanned.push(read);
    }
    let lives = fleet.live(|name| endpoint::hosts(&options.endpoint, name))?;
    in_runtime(async {
        if let Some(url) = &options.redis {
            let store = Store { redis: url.clone(), prefix: options.prefix.clone(), installation: "run".to_owned() };
            let runtime = runtime(open(&store)?, &store)?;
            admit(&runtime, &store).await?;
            Session { options, registry, runtime }.run(fleet, lives, &scanned).await
        } else {
            let store = Store { redis: String::new(), prefix: "glm".to_owned(), installation: "run".to_owned() };
            let runtime = runtime(MemoryBus::new(), &store)?;
            Session { options, registry, runtime }.run(fleet, lives, &scanned).await
        }
    })
}

fn runtime<B: Bus>(bus: B, store: &Store) -> Result<Runtime<B>, Failure> {
    let identity = Identity { keys: keys(store)?, namespace: String::new(), ledger: String::new(), epoch: 0 };
    Ok(Runtime { bus, identity, health: Health::new("run"), shutdown: on_signals()? })
}

/// One run.
struct Session<'a, B> {
    options: &'a Options,
    registry: &'a Registry,
    runtime: Runtime<B>,
}

impl<B: Bus> Session<'_, B> {
    async fn run(&self, fleet: Fleet, groups: Vec<LiveGroup>, scanned: &[Option<Scanned>]) -> Result<(), Failure> {
        let provisioner =
            Provisioner { runtime: self.runtime.clone(), uid: "run", new_ledger: self.options.new_ledger, only: None };
        let (mut lives, mut accounts) = (Vec::new(), Vec::new());
        for group in &groups {
            lives.push(provisioner.provision_live(group).await?);
        }
        for group in &fleet.accounts {
            accounts.push(provisioner.provision(group).await?);
        }
        let mut screen = Screen::new(self.options.verbose, self.options.speed.is_some(), self.options.redis.as_deref());
        screen.head(&accounts, scanned, self.registry)?;
        let board = Board::of(&self.runtime, &lives, &accounts).await?;
        let (stop, shutdown) = Shutdown::channel();
        // Before the roles start, so that nothing is missed.
        let mut observer = Observer::new(self.runtime.clone(), &accounts, screen, board).await?;
        let mut roles = self.start(&accounts, scanned, &shutdown);
        for live in lives {
            let runtime = self.role("feed", &live.namespace, &live.feed, &shutdown);
            roles.spawn(feed::live::run(runtime, live.feed.spec, feed::live::open));
        }
        let ended = self.watch(&mut roles, &mut observer).await;
        let finished = finish(roles, &stop).await;
        ended?;
        finished?;
        let end = observer.catch_up().await?;
        board::know_rules(&self.runtime, &mut accounts).await?;
        status::print(&observer, &accounts, self.options.output, self.registry).await?;
        match end {
            End::Data | End::OnRequest | End::Stopped => Ok(()),
            // After the result, which is worth having all the same.
            End::Quarantined(strategies) => Err(Failure::error(strategies.join("\n"))),
        }
    }

    fn start(
        &self,
        accounts: &[Places],
        scanned: &[Option<Scanned>],
        shutdown: &Shutdown,
    ) -> JoinSet<Result<(), Stop>> {
        let mut roles = JoinSet::new();
        for (places, scanned) in accounts.iter().zip(scanned) {
            roles.spawn(gateway::run(
                self.role("gateway", &places.namespace, &places.gateway, shutdown),
                places.gateway.spec.clone(),
            ));
            for place in &places.strategies {
                let runtime = self.role("strategy", &places.namespace, place, shutdown);
                roles.spawn(strategy::run(runtime, place.spec.clone(), self.registry.clone()));
            }
            if let (Some(place), Some(scanned)) = (&places.feed, scanned) {
                let runtime = self.role("feed", &places.namespace, place, shutdown);
                roles.spawn(feed::replay::replay(runtime, place.spec.clone(), scanned.markets.clone()));
            }
        }
        roles
    }

    fn role<S>(&self, name: &'static str, namespace: &str, place: &Place<S>, shutdown: &Shutdown) -> Runtime<B> {
        Runtime {
            bus: self.runtime.bus.clone(),
            identity: identity(&self.runtime.identity.keys, namespace, place),
            health: Health::new(name),
            shutdown: shutdown.clone(),
        }
    }

    /// Until every replay has ended, a role has stopped, or the process is asked to stop.
    async fn watch(&self, roles: &mut JoinSet<Result<(), Stop>>, observer: &mut Observer<B>) -> Result<(), Failure> {
        let mut shutdown = self.runtime.shutdown.clone();
        tokio::select! {
            biased;
            () = shutdown.wait() => Ok(()),
            Some(ended) = roles.join_next() => flatten(ended),
            ended = observer.until_ended() => ended,
            never = watch_store(self.runtime.clone()) => match never {},
        }
    }
}

/// Asks the roles to stop and waits: each finishes its batch and commits.
async fn finish(mut roles: JoinSet<Result<(), Stop>>, stop: &watch::Sender<bool>) -> Result<(), Failure> {
    let _ = stop.send(true);
    let mut first = Ok(());
    while let Some(ended) = roles.join_next().await {
        first = first.and(flatten(ended));
    }
    first
}

fn flatten(ended: Result<Result<(), Stop>, tokio::task::JoinError>) -> Result<(), Failure> {
    match ended {
        Ok(done) => done.map_err(Failure::from),
        Err(error) => Err(Failure::error(format!("a role broke: {error}"))),
    }
}

/// The result of a backtest, for people.
pub fn print_outcomes(outcomes: &[Outcome]) -> Result<(), Failure> {
    print(&figures::outcomes(outcomes))
}

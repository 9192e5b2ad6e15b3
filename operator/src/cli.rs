//! The command line: run, or print the definitions of the kinds.

use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use bus::{Backoff, Claim, Keys, RedisBus, StateStore};
use clap::{Args, Parser, Subcommand};
use futures::FutureExt;
use kube::Config;
use kube::runtime::reflector::{self, Store};
use operator::build::{Image, endpoints};
use operator::context::{Context, Given};
use operator::controller::{self, Sources};
use operator::metrics::{self, CountedStore, Metrics};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::reports::Reports;

/// Runs one worker pod for each TradingStrategy and tells in its status what it does.
#[derive(Debug, Parser)]
#[command(name = "operator", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator.
    Run(Box<Options>),
    /// Print the definitions of the kinds.
    Crds,
}

#[derive(Debug, Args)]
struct Options {
    /// Redis, as the operator reaches it.
    #[arg(long, env = "GLM_REDIS", value_name = "URL")]
    redis: String,
    /// Redis, as pods reach it; default: the same.
    #[arg(long, env = "GLM_POD_REDIS", value_name = "URL")]
    pod_redis: Option<String>,
    /// The Secret that holds Redis' address for pods, NAME/KEY. It is only referred to.
    #[arg(long, env = "GLM_POD_REDIS_SECRET", value_name = "NAME/KEY")]
    pod_redis_secret: Option<String>,
    /// What all keys start with.
    #[arg(long, env = "GLM_PREFIX", default_value = "glm")]
    prefix: String,
    /// The installation the prefix belongs to.
    #[arg(long, env = "GLM_INSTALLATION", default_value = "glm")]
    installation: String,
    /// The namespaces to watch.
    #[arg(long, env = "GLM_NAMESPACES", value_delimiter = ',', required = true)]
    namespaces: Vec<String>,
    /// The image of pods.
    #[arg(long, env = "GLM_IMAGE")]
    image: String,
    /// When the image is pulled.
    #[arg(long, env = "GLM_IMAGE_PULL_POLICY", default_value = "IfNotPresent")]
    image_pull_policy: String,
    /// The pods' service account.
    #[arg(long, env = "GLM_WORKER_SERVICE_ACCOUNT", default_value = "glm-worker")]
    worker_service_account: String,
    /// Let strategies be processes: whoever may write one runs its command in the worker's pod.
    #[arg(long, env = "GLM_PROCESS_STRATEGIES")]
    process_strategies: bool,
    /// Hosts in place of a venue's public ones, as JSON: [{"name", "rest", "stream"}]; accounts choose them by name.
    #[arg(long, env = "GLM_ENDPOINTS", value_name = "JSON", default_value = "[]")]
    endpoints: String,
    /// The Secret with HTTPS_PROXY, ALL_PROXY and NO_PROXY for live feeds. It is only referred to.
    #[arg(long, env = "GLM_PROXY_SECRET", value_name = "NAME")]
    proxy_secret: Option<String>,
    /// Where to serve /healthz, /readyz and /metrics.
    #[arg(long, env = "GLM_ADMIN", default_value = "0.0.0.0:9090")]
    admin: SocketAddr,
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    process::run(|cli: Cli| command(cli.command))
}

fn command(command: Command) -> ExitCode {
    let done = match command {
        Command::Crds => {
            crds::yaml().iter().try_for_each(|file| print(&format!("---\n{}", file.text)).context("print"))
        }
        Command::Run(options) => start(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            process::say(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints data to stdout. A reader that has gone away is no failure: it has what it wanted.
fn print(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn start(options: &Options) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_env("GLM_LOG").unwrap_or_else(|_| EnvFilter::new("info,kube=warn"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        // One span is around each reconcile, and none within it.
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(process::talk)
        .log_internal_errors(false)
        .init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(run(options))
}

fn image(options: &Options) -> anyhow::Result<Image> {
    let secret = options
        .pod_redis_secret
        .as_ref()
        .map(|text| {
            text.split_once('/')
                .map(|(name, key)| (name.to_owned(), key.to_owned()))
                .context("--pod-redis-secret: write NAME/KEY")
        })
        .transpose()?;
    let url = options.pod_redis.clone().unwrap_or_else(|| options.redis.clone());
    Ok(Image {
        name: options.image.clone(),
        pull_policy: options.image_pull_policy.clone(),
        service_account: options.worker_service_account.clone(),
        redis_url: secret.is_none().then_some(url),
        redis_secret: secret,
        prefix: options.prefix.clone(),
        installation: options.installation.clone(),
        processes: options.process_strategies,
        endpoints: endpoints(&options.endpoints).context("--endpoints")?,
        proxy_secret: options.proxy_secret.clone().filter(|name| !name.is_empty()),
    })
}

async fn run(options: &Options) -> anyhow::Result<()> {
    let admin = options.admin;
    let listener =
        process::admin::open(admin).await.with_context(|| format!("--admin {admin}: choose a free address"))?;
    let metrics = Metrics::default();
    let config = Config::infer().await.context("find the API server")?;
    let client = metrics::client(config, &metrics).context("make a client of the API server")?;
    let bus = CountedStore::new(RedisBus::open(&options.redis).context("open Redis")?, metrics.clone());
    let keys = Keys::new(&options.prefix).context("--prefix")?;
    let claimed = claim(bus.clone(), keys.clone(), options.installation.clone());
    let stop = stop()?.shared();
    let mut running = Vec::new();
    for namespace in &options.namespaces {
        let (strategies, strategy_writer) = reflector::store();
        let (accounts, account_writer) = reflector::store();
        let context = Arc::new(Context::new(Given {
            client: client.clone(),
            bus: bus.clone(),
            keys: keys.clone(),
            image: image(options)?,
            metrics: metrics.clone(),
            strategies,
            accounts: accounts.clone(),
        }));
        let caches = (Store::clone(&context.strategies), Store::clone(&context.accounts));
        metrics.keep(namespace, caches, context.known.clone());
        let sources = Sources {
            client: client.clone(),
            namespace: namespace.clone(),
            strategies: strategy_writer,
            accounts: account_writer,
            reports: Reports::new(bus.clone(), keys.clone(), accounts).stream(),
        };
        tracing::info!(namespace, "watching");
        running.push(controller::run(sources, context, stop.clone()));
    }
    // Not before each namespace is known: who is asked whether it is ready must know what of.
    let served = tokio::spawn(metrics::serve(listener, metrics));
    let done = tokio::select! {
        _ = futures::future::join_all(running) => Ok(()),
        refused = claimed => refused,
    };
    served.abort();
    done
}

/// Waits until the prefix is ours; ends with an error if it is another installation's. A store that is away
/// holds nothing up: strategies say so until it is back.
async fn claim(bus: CountedStore<RedisBus>, keys: Keys, installation: String) -> anyhow::Result<()> {
    let mut backoff = Backoff::default();
    loop {
        match bus.claim_installation(&keys, &installation).await {
            Ok(Claim::Claimed) => return std::future::pending().await,
            Ok(Claim::Other { id }) => anyhow::bail!(
                "the prefix {:?} belongs to installation {id:?}, not {installation:?}; choose another prefix or another Redis",
                keys.prefix()
            ),
            Err(error) => {
                tracing::warn!(%error, "Redis is away");
                tokio::time::sleep(backoff.delay()).await;
            }
        }
    }
}

fn stop() -> anyhow::Result<impl Future<Output = ()> + Send> {
    let mut term = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

//! A server: its options, and how it starts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::control::{Endpoints, Scheduled};
use crate::exchange::Exchange;
use crate::product::Product;
use crate::source::{Source, SourceError, candles, random, recording};
use crate::stream::hub::Hub;
use crate::venue::Venue;
use crate::venue::rules::{Book, RulesError};
use crate::written::Written;
use crate::{command, faults, serve, tls};

/// Plays an exchange's public prices: REST and streams, from recordings, candles or chance, with faults.
#[derive(Debug, Clone, Parser)]
#[command(name = "market-server")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Options {
    /// A recording of the combined stream, `<receive time in ns> <frame>` a line; may be packed (.gz). With
    /// SYMBOL= it is played as that symbol
    #[arg(long, value_name = "[SYMBOL=]FILE")]
    pub recording: Vec<String>,
    /// Candles as CSV with a header: open time in ms, open, high, low, close, volume; may be packed (.gz)
    #[arg(long, value_name = "SYMBOL=FILE")]
    pub candles: Vec<String>,
    /// A random walk with bursts, the same for the same seed
    #[arg(long, value_name = "[SYMBOL=]SEED")]
    pub random: Vec<String>,
    /// Where playing begins, in the source's own time; what lies before is history. The beginning, if left out
    #[arg(long, value_name = "TIME", conflicts_with = "history")]
    pub from: Option<Timestamp>,
    /// So many seconds of each source are history when playing begins
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub history: i64,
    /// How many times faster than the machine's clock the exchange's runs
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,
    /// Keep the source's own times, instead of shifting them to now
    #[arg(long)]
    pub as_recorded: bool,
    /// Begin again where a source ends
    #[arg(long = "loop")]
    pub repeat: bool,
    /// The exchange's clock stands still until the control interface lets it run
    #[arg(long)]
    pub paused: bool,
    /// An answer of exchangeInfo, instead of the one that is built in
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// What is traded: its paths, its bounds, its words
    #[arg(long, value_enum, default_value_t)]
    pub product: Product,
    /// Take subscriptions to @trade and send none, as an exchange that has given that stream up
    #[arg(long)]
    pub without_trades: bool,
    /// The request weight of a minute; 6000 of spot and 2400 of futures, if left out
    #[arg(long, value_name = "N")]
    pub weight_limit: Option<u64>,
    /// Faults and when they happen, JSON: [{"at_ms": 5000, "fault": {"kind": "reset"}}, …]
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Note when trades were written to connections: `<ns since 1970> <stream> <trade id>` a line
    #[arg(long, value_name = "FILE")]
    pub written: Option<PathBuf>,
    /// Serve https and wss with a certificate of an authority whose ca.pem is written there
    #[arg(long, value_name = "DIR")]
    pub tls: Option<PathBuf>,
    /// The address of this machine on which it listens, for clients in other network namespaces
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub address: IpAddr,
    /// The port of requests; one that is free, if 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub rest_port: u16,
    /// The port of streams
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub stream_port: u16,
    /// The port of the control interface
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub control_port: u16,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().map_err(|error| format!("{error}"))?;
    if f64::is_finite(speed) && speed > 0.0 { Ok(speed) } else { Err("a number above 0 is expected".to_owned()) }
}

/// Why no server started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The rules.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// An option.
    #[error("{0}")]
    Option(String),
    /// A port.
    #[error("{0}: {1}; choose an address of this machine and a port that is free, or 0")]
    Port(SocketAddr, std::io::Error),
}

/// A running server; it ends when this is dropped.
pub struct Running {
    /// Where it listens.
    pub endpoints: Endpoints,
    exchange: Arc<Exchange>,
    tasks: JoinSet<()>,
}

impl Running {
    /// Ends all WebSockets in order, then all else.
    pub async fn stop(mut self) {
        let fault = crate::control::Fault::Close { code: 1001, reason: "the server stops".to_owned() };
        let order = crate::control::Order { aim: crate::control::Aim::default(), fault };
        // Closing connections names no symbol and no status, so it cannot fail.
        drop(faults::order(&self.exchange, &order));
        let patience = tokio::time::Instant::now() + std::time::Duration::from_secs(2);
        while !self.exchange.hub.met(&order.aim).is_empty() && tokio::time::Instant::now() < patience {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        self.tasks.shutdown().await;
    }
}

/// Starts a server.
pub async fn start(options: &Options) -> Result<Running, StartError> {
    let (exchange, scenario) = prepare(options)?;
    let tls = options.tls.as_deref().map(tls::acceptor).transpose()?;
    let (ca, tls) = tls.unzip();
    let secure = if tls.is_some() { "s" } else { "" };
    let mut tasks = JoinSet::new();
    let (rest, rest_at) = listen((options.address, options.rest_port)).await?;
    let (stream, stream_at) = listen((options.address, options.stream_port)).await?;
    let (control, control_at) = listen((options.address, options.control_port)).await?;
    for listener in [rest, stream] {
        tasks.spawn(serve::accept(Arc::clone(&exchange), listener, tls.clone()));
    }
    tasks.spawn(command::accept(Arc::clone(&exchange), control));
    let playing = Arc::clone(&exchange);
    tasks.spawn(async move { playing.play().await });
    let following = Arc::clone(&exchange);
    tasks.spawn(async move { faults::follow(&following, scenario).await });
    let endpoints = Endpoints {
        rest: format!("http{secure}://{rest_at}"),
        stream: format!("ws{secure}://{stream_at}"),
        control: format!("http://{control_at}"),
        ca,
    };
    Ok(Running { endpoints, exchange, tasks })
}

async fn listen(at: (IpAddr, u16)) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |error| StartError::Port(at.into(), error);
    let listener = TcpListener::bind(at).await.map_err(failed)?;
    let at = listener.local_addr().map_err(failed)?;
    Ok((listener, at))
}

fn prepare(options: &Options) -> Result<(Arc<Exchange>, Vec<Scheduled>), StartError> {
    let read = |path: &PathBuf| {
        let failed = |error| StartError::Source(SourceError::Unread { file: path.display().to_string(), error });
        std::fs::read_to_string(path).map_err(failed)
    };
    let rules = Book::read(options.product, options.rules.as_ref().map(read).transpose()?.as_deref())?;
    let scenario = options.scenario.as_ref().map(read).transpose()?.unwrap_or_else(|| "[]".to_owned());
    let scenario =
        serde_json::from_str(&scenario).map_err(|error| StartError::Option(format!("--scenario: {error}")))?;
    let sources = sources(options, &rules)?;
    let from = |source: &Source| options.from.map_or(source.begin + options.history * 1_000, Timestamp::as_millisecond);
    let sources: Vec<(Source, i64)> =
        sources.into_iter().map(|source| (from(&source), source)).map(|(f, s)| (s, f)).collect();
    let Some(first) = sources.first() else {
        return Err(StartError::Option("nothing to play: give --recording, --candles or --random".to_owned()));
    };
    let start = if options.as_recorded { first.1 } else { Timestamp::now().as_millisecond() };
    let venue = Venue::new(rules, sources, start)?;
    // A moment before the first event, so that who starts it paused and then listens hears all.
    let clock = Clock::new(start - 1, options.speed, options.paused);
    let written = |path: &PathBuf| {
        Written::create(path).map_err(|error| StartError::Option(format!("--written {}: {error}", path.display())))
    };
    let written = options.written.as_ref().map(written).transpose()?;
    let weight_limit = options.weight_limit.unwrap_or(options.product.weight());
    let mut exchange = Exchange::new(clock, venue, weight_limit, written);
    exchange.hub = Hub::without(options.without_trades.then_some("trade"));
    Ok((Arc::new(exchange), scenario))
}

fn sources(options: &Options, rules: &Book) -> Result<Vec<Source>, StartError> {
    let mut sources = Vec::new();
    for option in &options.recording {
        let (symbol, file) =
            option.split_once('=').map_or((None, option.as_str()), |(symbol, file)| (Some(symbol), file));
        sources.push(recording::read(file.as_ref(), symbol, options.repeat)?);
    }
    for option in &options.candles {
        let wrong = || StartError::Option(format!("--candles {option}: SYMBOL=FILE is expected"));
        let (symbol, file) = option.split_once('=').ok_or_else(wrong)?;
        let rules = rules.of(symbol)?;
        let steps = candles::Steps { tick: rules.tick(), lot: rules.lot() };
        sources.push(candles::read(file.as_ref(), symbol, steps, options.repeat)?);
    }
    for option in &options.random {
        let (symbol, seed) = option.split_once('=').unwrap_or(("BTCUSDT", option));
        let seed = seed.parse().map_err(|error| StartError::Option(format!("--random {option}: {error}")))?;
        sources.push(random::walk(symbol, seed, rules.of(symbol)?.tick()));
    }
    let mut symbols: Vec<&str> = sources.iter().map(|source| source.symbol.as_str()).collect();
    symbols.sort_unstable();
    match symbols.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(StartError::Option(format!("{} has two sources: each symbol can have one", pair[0]))),
        None => Ok(sources),
    }
}

//! The command `record`: what a venue says, as it says it, for `backtest`.

mod holes;
mod statements;
#[cfg(test)]
mod tests;
mod writer;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use crds::account::ProxyUrl;
use engine::instrument::Symbol;
use engine::time::{Timestamp, rfc3339};
use tokio::sync::mpsc;
use tokio::time::Instant;
use venue::binance::live::{Config, TakenFrame, start_with_tap};
use venue::live::{Link, Live, MarketState, News};

use crate::commands::endpoint::{self, Named};
use crate::process::exit::Failure;
use crate::process::shutdown::Shutdown;
use crate::process::telemetry;
use crate::roles::feed::live::way;
use crate::roles::launch::{in_runtime, on_signals};

use holes::Holes;
use statements::Statements;
use writer::{WriteError, Writer};

/// How often what waits is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How often counts are told.
const SAY: Duration = Duration::from_mins(1);
/// How long what has come is waited for when it is asked to stop: a pod has 30 s.
const ENDS_WITHIN: Duration = Duration::from_secs(10);
/// Frames that wait for the disk.
const FRAMES_MAX: usize = 4_096;

/// The options of `record`.
#[derive(Debug, Args)]
pub struct Options {
    /// The file, such as btc.gz; one that is there is not written over.
    file: PathBuf,
    /// What is recorded.
    #[arg(long, value_enum)]
    source: Source,
    /// The markets, such as BTC/USDT,ETH/USDT; of futures BTC/USDT:USDT.
    #[arg(long, required = true, value_delimiter = ',', value_name = "A,B")]
    symbols: Vec<Symbol>,
    /// A file for each such period, by UTC, with its start in its name: 30m, 1h, 1d.
    #[arg(long, value_parser = period, value_name = "1h")]
    rotate: Option<Duration>,
    /// The proxy to the venue; without it what `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    #[arg(long, value_name = "URL")]
    proxy: Option<ProxyUrl>,
    /// Other hosts of the source, such as binance-spot=URL[,URL]: where requests go, and where streams come from.
    #[arg(long, value_name = "NAME=URL")]
    endpoint: Option<Named>,
}

/// What can be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Source {
    /// Trades and best prices of Binance Spot.
    BinanceSpot,
    /// Trades and best prices of Binance's futures that settle in USDT and the like; nothing trades them yet.
    BinanceUsdm,
}

impl Source {
    /// Its name, as on the command line.
    const fn name(self) -> &'static str {
        match self {
            Self::BinanceSpot => "binance-spot",
            Self::BinanceUsdm => "binance-usdm",
        }
    }

    fn config(self) -> Config {
        match self {
            Self::BinanceSpot => Config::spot(),
            Self::BinanceUsdm => Config::usd_margined(),
        }
    }
}

/// `30m`, `1h`, `1d`; at most a day.
fn period(text: &str) -> Result<Duration, String> {
    let refuse = || "write a period of 1m to 1d, such as 30m or 1h".to_owned();
    let unit = text.chars().last().ok_or_else(refuse)?;
    let seconds = match unit {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(refuse()),
    };
    let count: u64 = text.strip_suffix(unit).and_then(|count| count.parse().ok()).ok_or_else(refuse)?;
    let seconds = count.checked_mul(seconds).filter(|seconds| (60..=86_400).contains(seconds)).ok_or_else(refuse)?;
    Ok(Duration::from_secs(seconds))
}

/// What was recorded so far.
#[derive(Debug, Default)]
struct Counts {
    frames: u64,
    trades: u64,
    holes: u64,
    missed: u64,
    malformed: u64,
    /// Times that the venue's own bars were put in.
    whole: u64,
    /// When the last trade was, by the venue.
    last: Option<Timestamp>,
    /// The way is there, and no price has come on it yet.
    waits: bool,
}

/// Records until asked to stop.
pub fn run(options: &Options) -> Result<(), Failure> {
    telemetry::start("warn");
    in_runtime(async {
        let shutdown = on_signals()?;
        let mut writer = Writer::create(&options.file, options.rotate, now())?;
        if options.source == Source::BinanceUsdm {
            // Spot and futures of one pair have one name there.
            writer = writer.saying(Statements::of(options.source.name(), &options.symbols));
        }
        process::say(format_args!(
            "recording {} into {}; Ctrl-C ends it",
            told(&options.symbols),
            writer.path().display()
        ));
        let source = open(options)?;
        record(source, writer, shutdown).await
    })
}

/// The source and the frames that it takes.
fn open(options: &Options) -> Result<(Live, mpsc::Receiver<TakenFrame>), Failure> {
    let name = options.source.name();
    let hosts =
        options.endpoint.as_ref().map(|named| endpoint::hosts(std::slice::from_ref(named), name)).transpose()?;
    let (tap, frames) = mpsc::channel(FRAMES_MAX);
    let config = way(options.source.config(), hosts.as_ref(), options.proxy.as_ref());
    let config = config.map_err(|problem| Failure::refused(problem.to_string()))?;
    let live = start_with_tap(config, tap).map_err(|error| Failure::refused(error.to_string()))?;
    live.follow(options.symbols.iter().map(|symbol| (symbol.clone(), None)).collect());
    Ok((live, frames))
}

/// Writes what comes until asked to stop.
async fn record(
    (mut live, mut frames): (Live, mpsc::Receiver<TakenFrame>),
    mut writer: Writer,
    mut shutdown: Shutdown,
) -> Result<(), Failure> {
    let mut holes = Holes::default();
    let (mut look, mut counts) = (tokio::time::interval(LOOK), Counts::default());
    let mut said = Instant::now();
    // Until when what has come is waited for; nothing before it is asked to stop.
    let mut ends = None;
    let has_ended =
        |ends: Option<Instant>| ends.map(|_| ()).ok_or_else(|| Failure::error("the source of live prices has ended"));
    let ended = loop {
        tokio::select! {
            biased;
            () = shutdown.wait(), if ends.is_none() => {
                live.finish();
                ends = Some(Instant::now() + ENDS_WITHIN);
            }
            () = until(ends) => {
                process::say(format_args!("not all that had come was read within {} s", ENDS_WITHIN.as_secs()));
                break Ok(());
            }
            frame = frames.recv() => match frame {
                Some(frame) => take(&mut writer, &mut counts, &frame)?,
                None => break has_ended(ends),
            },
            news = live.news.recv() => match news {
                Some(news) => {
                    if let News::Hole(hole) = &news {
                        holes.add(hole);
                    }
                    counts.hear(news)?;
                }
                None => break has_ended(ends),
            },
            whole = holes.answered(now) => match whole {
                Ok(bars) => {
                    counts.whole += 1;
                    writer.frame(&(now().millis().saturating_mul(1_000_000), bars), bus::since_boot())?;
                }
                Err(problem) => process::say(format_args!("{problem}")),
            },
            _ = look.tick() => {
                holes.ask(&live, now());
                writer.flush_if_due(bus::since_boot())?;
            }
        }
        if said.elapsed() >= SAY {
            said = Instant::now();
            process::say(format_args!("{}", counts.told(&writer)));
        }
    };
    while let Ok(frame) = frames.try_recv() {
        take(&mut writer, &mut counts, &frame)?;
    }
    writer.close()?;
    while let Ok(news) = live.news.try_recv() {
        counts.hear(news)?;
    }
    process::say(format_args!("{}", counts.told(&writer)));
    if holes.open() > 0 {
        process::say(format_args!(
            "bars of {} intervals with a hole were not over: the recording lacks them",
            holes.open()
        ));
    }
    ended
}

/// Until that moment; for ever where there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn take(writer: &mut Writer, counts: &mut Counts, frame: &TakenFrame) -> Result<(), Failure> {
    counts.frames += 1;
    Ok(writer.frame(frame, bus::since_boot())?)
}

impl Counts {
    fn hear(&mut self, news: News) -> Result<(), Failure> {
        match news {
            News::Trade(trade) => {
                self.trades += 1;
                self.last = self.last.max(Some(trade.time));
                if std::mem::take(&mut self.waits) {
                    process::say(format_args!("prices come"));
                }
            }
            News::Hole(hole) => {
                self.holes += 1;
                self.missed = self.missed.saturating_add(hole.missed);
                process::say(format_args!(
                    "{}: {} trades are missing, {}",
                    hole.symbol,
                    hole.missed,
                    hole.cause.as_str()
                ));
            }
            News::Rules(markets) => {
                if let Some((symbol, market)) = markets.iter().find(|(_, market)| market.state == MarketState::Unknown)
                {
                    let nearest = market.suggestion.as_ref().map(|nearest| format!("; did you mean {nearest}?"));
                    let nearest = nearest.unwrap_or_default();
                    return Err(Failure::not_found(format!("--symbols: the venue has no market {symbol}{nearest}")));
                }
            }
            News::Link(Link::Up) => {
                self.waits = true;
                process::say(format_args!("connected"));
            }
            News::Link(Link::Down(fault)) => process::say(format_args!("{fault}")),
            News::Malformed { count, problem } => {
                self.malformed = self.malformed.saturating_add(count);
                process::say(format_args!("{count} frames do not read, the last one: {problem}"));
            }
            News::Notice(words) => process::say(format_args!("{words}")),
            News::Suspended { millis } => process::say(format_args!("this process did not run for {millis} ms")),
            News::Unquoted(symbol) => process::say(format_args!("{}", crds::source::without_quotes(&symbol))),
            News::Alive { .. } => {}
        }
        Ok(())
    }

    fn told(&self, writer: &Writer) -> String {
        let Self { frames, trades, holes, missed, malformed, whole, last, waits: _ } = self;
        let last = last.map_or_else(String::new, |last| format!("; the last trade is of {}", rfc3339::text(last)));
        let kib = writer.bytes.div_ceil(1_024);
        let file = writer.path().display();
        format!(
            "{file}: {frames} frames, {trades} trades, {holes} holes with {missed} trades, {whole} times bars of the venue, \
             {malformed} malformed; {kib} KiB{last}"
        )
    }
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn told(symbols: &[Symbol]) -> String {
    symbols.iter().map(Symbol::as_str).collect::<Vec<_>>().join(", ")
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        if error.cause.kind() == std::io::ErrorKind::AlreadyExists {
            return Self::refused(format!("{error}; name another file: what is recorded is not written over"));
        }
        Self::error(format!("{error}; is there room, and may this user write there?"))
    }
}

//! The command `bench`: how fast the parts are on this machine, each alone and on data made in memory or in a folder
//! of its own. It decides nothing; figures are told per tick.

mod data;
mod engine;
mod instructions;
mod orders;
mod redis;

use std::hint::black_box;
use std::time::{Duration, Instant};

use ::engine::strategies::Registry;
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::process::exit::{Failure, print};
use instructions::Instructions;

/// When the made data begin.
const START_MS: i64 = 1_700_000_000_000;

fn refuse(error: impl std::fmt::Display) -> Failure {
    Failure::error(format!("bench: {error}"))
}

/// What is measured, and how it is printed.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What to measure; default: all.
    #[arg(value_enum)]
    names: Vec<Name>,
    /// How many ticks each measures, and how many fills; default: 10,000,000 of quiet ones, 300,000 through Redis,
    /// 1,000 fills, 1,000,000 of all others. The cost of an order is measured over as many as its name says.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    ticks: Option<u32>,
    /// One object a line instead of a table.
    #[arg(long)]
    json: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// A grid that has nothing to do.
    EngineQuiet,
    /// A grid that makes one order in 100 ticks, each filled at once.
    EngineOrders,
    /// One order at rest, through engine, gateway and simulated exchange; one in 100 ticks fills.
    #[value(name = "engine-resting-1")]
    EngineResting1,
    /// The same with 20 orders at rest.
    #[value(name = "engine-resting-20")]
    EngineResting20,
    /// The same with 200 orders at rest.
    #[value(name = "engine-resting-200")]
    EngineResting200,
    /// A thousand orders that trade at once, through the same.
    #[value(name = "order-cost-1k")]
    OrderCost1k,
    /// A hundred thousand.
    #[value(name = "order-cost-100k")]
    OrderCost100k,
    /// A million.
    #[value(name = "order-cost-1m")]
    OrderCost1m,
    /// A file of ticks with quotes.
    Csv,
    /// A gzipped file of candles, four ticks each.
    CandlesGz,
    /// A recording of trades, each behind a quote, with the times when they were received.
    Recordings,
    /// Ticks from a feed through a worker over Redis.
    RedisTicks,
    /// From a tick over an order to its fill, over Redis, beside raw sockets.
    RedisFill,
}

impl Name {
    const fn ticks(self) -> u32 {
        match self {
            Self::EngineQuiet => 10_000_000,
            Self::EngineOrders
            | Self::EngineResting1
            | Self::EngineResting20
            | Self::EngineResting200
            | Self::OrderCost1m
            | Self::Csv
            | Self::CandlesGz
            | Self::Recordings => 1_000_000,
            Self::OrderCost100k => 100_000,
            Self::RedisTicks => 300_000,
            Self::OrderCost1k | Self::RedisFill => 1_000,
        }
    }
}

/// One figure.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Figure {
    /// Of ticks.
    #[serde(rename_all = "camelCase")]
    Rate {
        name: String,
        per_second: u64,
        /// A tick's; `None` where this machine does not count them, or other processes do some of the work.
        instructions: Option<u64>,
        /// For people: of data, which have more rows than ticks or fewer.
        #[serde(skip)]
        rows_per_second: Option<u64>,
    },
    /// Of one thing after another: within which time half of them, and 99 of 100, were done. Microseconds.
    #[serde(rename_all = "camelCase")]
    Times { name: String, p50: u128, p99: u128, floor_p50: u128, floor_p99: u128 },
}

/// What a measured piece of work took.
struct Taken {
    ticks: u64,
    /// Of data: how many rows these ticks came from.
    rows: Option<u64>,
    time: Duration,
    instructions: Option<u64>,
}

/// Measures a piece of work that gives back how many ticks it took.
fn measure<T>(counter: &mut Instructions, work: impl FnOnce() -> Result<(u64, T), Failure>) -> Result<Taken, Failure> {
    counter.start();
    let start = Instant::now();
    let (ticks, left) = work()?;
    let time = start.elapsed();
    let instructions = counter.stop();
    black_box(left);
    Ok(Taken { ticks, rows: None, time, instructions })
}

/// Measures what is asked for and prints it.
pub(crate) fn run(options: &Options, registry: &Registry) -> Result<(), Failure> {
    let mut counter = Instructions::new();
    if let Some(problem) = counter.problem() {
        process::say(format_args!("instructions are not counted: perf_event_open: {problem}"));
    }
    let names = if options.names.is_empty() { Name::value_variants() } else { &options.names };
    for name in names {
        let ticks = options.ticks.unwrap_or(name.ticks());
        let figure = match name {
            Name::EngineQuiet => rate(*name, &engine::quiet(&mut counter, registry, ticks)?),
            Name::EngineOrders => rate(*name, &engine::orders(&mut counter, registry, ticks)?),
            Name::EngineResting1 => rate(*name, &orders::resting(&mut counter, 1, ticks)?),
            Name::EngineResting20 => rate(*name, &orders::resting(&mut counter, 20, ticks)?),
            Name::EngineResting200 => rate(*name, &orders::resting(&mut counter, 200, ticks)?),
            // As many as the name says: what one costs must not follow from how many there were.
            Name::OrderCost1k | Name::OrderCost100k | Name::OrderCost1m => {
                rate(*name, &orders::cost(&mut counter, name.ticks())?)
            }
            Name::Csv => rate(*name, &data::csv(&mut counter, ticks)?),
            Name::CandlesGz => rate(*name, &data::candles_gz(&mut counter, ticks)?),
            Name::Recordings => rate(*name, &data::recordings(&mut counter, ticks)?),
            Name::RedisTicks => rate(*name, &redis::ticks(registry, ticks)?),
            Name::RedisFill => times(*name, redis::fill(registry, ticks)?),
        };
        print(&line(&figure, options.json)?)?;
    }
    Ok(())
}

fn word(name: Name) -> String {
    name.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn rate(name: Name, taken: &Taken) -> Figure {
    let nanos = taken.time.as_nanos().max(1);
    let per_second = |count: u64| {
        let count = u128::from(count).saturating_mul(1_000_000_000) / nanos;
        u64::try_from(count).unwrap_or(u64::MAX)
    };
    let instructions = taken.instructions.map(|all| all / taken.ticks.max(1));
    let rows_per_second = taken.rows.map(per_second);
    Figure::Rate { name: word(name), per_second: per_second(taken.ticks), instructions, rows_per_second }
}

fn times(name: Name, mut path: redis::Path) -> Figure {
    let [p50, p99] = [50, 99].map(|percent| path.fills.percentile(percent).as_micros());
    let [floor_p50, floor_p99] = [50, 99].map(|percent| path.floor.percentile(percent).as_micros());
    Figure::Times { name: word(name), p50, p99, floor_p50, floor_p99 }
}

fn line(figure: &Figure, json: bool) -> Result<String, Failure> {
    if json {
        let line = serde_json::to_string(figure).map_err(|error| Failure::error(error.to_string()))?;
        return Ok(format!("{line}\n"));
    }
    Ok(match figure {
        Figure::Rate { name, per_second, instructions, rows_per_second } => {
            let rows = rows_per_second.map_or_else(String::new, |rows| format!("  {rows:>12} rows/s"));
            let instructions =
                instructions.map_or_else(String::new, |count| format!("  {count:>7} instructions a tick"));
            format!("{name:<18} {per_second:>12} ticks/s{rows}{instructions}\n")
        }
        Figure::Times { name, p50, p99, floor_p50, floor_p99 } => {
            let floor = format!("raw sockets {floor_p50} µs, 99 of 100 within {floor_p99} µs");
            format!("{name:<18} {p50:>12} µs to a fill, 99 of 100 within {p99} µs; {floor}\n")
        }
    })
}

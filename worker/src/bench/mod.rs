//! The command `bench`: how fast the parts are on this machine, each alone and on data made in memory or in a folder
//! of its own. It decides nothing; figures are told per tick.

mod data;
mod engine;
mod instructions;

use std::hint::black_box;
use std::time::{Duration, Instant};

use ::engine::strategy::Registry;
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::exit::{Failure, print};
use instructions::Instructions;

/// What is measured, and how it is printed.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What to measure; default: all.
    #[arg(value_enum)]
    names: Vec<Name>,
    /// How many ticks each measures; default: 10,000,000 of quiet ones, 1,000,000 of all others.
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
    /// A file of ticks with quotes.
    Csv,
    /// A gzipped file of candles, four ticks each.
    CandlesGz,
}

/// One figure; all of them are per tick.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Figure {
    name: String,
    per_second: u64,
    /// `None` where this machine does not count them.
    instructions: Option<u64>,
}

/// What a measured piece of work took.
struct Taken {
    ticks: u64,
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
    Ok(Taken { ticks, time, instructions })
}

/// Measures what is asked for and prints it.
pub(crate) fn run(options: &Options, registry: &Registry) -> Result<(), Failure> {
    let mut counter = Instructions::new();
    if let Some(problem) = counter.problem() {
        process::say(format_args!("instructions are not counted: perf_event_open: {problem}"));
    }
    let names = if options.names.is_empty() { Name::value_variants() } else { &options.names };
    for name in names {
        let ticks = options.ticks.unwrap_or(if *name == Name::EngineQuiet { 10_000_000 } else { 1_000_000 });
        let taken = match name {
            Name::EngineQuiet => engine::quiet(&mut counter, registry, ticks),
            Name::EngineOrders => engine::orders(&mut counter, registry, ticks),
            Name::Csv => data::csv(&mut counter, ticks),
            Name::CandlesGz => data::candles_gz(&mut counter, ticks),
        }?;
        let name = name.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        print(&line(&figure(name, &taken), options.json)?)?;
    }
    Ok(())
}

fn figure(name: String, taken: &Taken) -> Figure {
    let nanos = taken.time.as_nanos().max(1);
    let per_second = u128::from(taken.ticks).saturating_mul(1_000_000_000) / nanos;
    let instructions = taken.instructions.map(|all| all / taken.ticks.max(1));
    Figure { name, per_second: u64::try_from(per_second).unwrap_or(u64::MAX), instructions }
}

fn line(figure: &Figure, json: bool) -> Result<String, Failure> {
    if json {
        let line = serde_json::to_string(figure).map_err(|error| Failure::error(error.to_string()))?;
        return Ok(format!("{line}\n"));
    }
    let instructions =
        figure.instructions.map_or_else(String::new, |count| format!("  {count:>7} instructions a tick"));
    Ok(format!("{:<14} {:>12} ticks/s{instructions}\n", figure.name, figure.per_second))
}

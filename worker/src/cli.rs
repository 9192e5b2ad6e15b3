//! The command line: what can be asked, and who does it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use engine::strategies::Registry;

use crate::commands::backtest::{self, Data, Results};
use crate::commands::bench;
use crate::commands::ledger;
use crate::commands::record;
use crate::commands::run;
use crate::commands::validate;
use crate::fleet::sources::Folder;
use crate::guard;
use crate::process::exit::{Failure, print};
use crate::process::telemetry;
use crate::roles::launch;
use crate::roles::options::Role;

/// Runs crypto trading strategies: on a laptop, on recorded data, or as the pods of an operator.
#[derive(Debug, Parser)]
#[command(name = "worker", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the accounts and strategies of manifests in this process, on paper.
    Run(run::Options),
    /// Run strategies on recorded data, without any bus, and print their trades and profit.
    Backtest {
        /// A manifest with strategies, and their account if its fees matter.
        file: PathBuf,
        /// Recorded data, [SYMBOL=]FILE: CSV of ticks or candles, gzipped or not, or a recorded stream.
        #[arg(long, required = true, num_args = 1.., value_name = "[SYMBOL=]FILE")]
        data: Vec<Data>,
        /// The folder with the files of a process's ConfigMap, NAME=FOLDER.
        #[arg(long, num_args = 1.., value_name = "NAME=FOLDER")]
        source: Vec<Folder>,
        /// How to print; default: table on a terminal, json off it.
        #[arg(long, value_enum)]
        output: Option<BacktestOutput>,
    },
    /// Record what a venue says of its markets, as it says it, in the form that backtest reads. No key is needed.
    Record(record::Options),
    /// Measure how fast this machine takes ticks, and print it per second.
    Bench(bench::Options),
    /// Check manifests offline and print all errors at once.
    Validate {
        /// Manifests.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Create, show or close ledgers, or release what is latched in one, by hand, as the operator does.
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// The role of a strategy's pod: one engine on the bus.
    Strategy(Role),
    /// The role of an account's pod: its orders, at most once.
    Gateway(Role),
    /// The role of a market data source's pod.
    Feed(Role),
    /// Put bounds on this process and become COMMAND: how a worker starts the process of a strategy.
    #[command(hide = true)]
    Guard(guard::Options),
}

/// How `backtest` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BacktestOutput {
    /// For people.
    Table,
    /// One object a line.
    Json,
}

/// Reads the command line and does what it says. `registry` holds the strategies this binary knows.
pub fn main(registry: &Registry) -> ExitCode {
    process::run(|cli: Cli| command(cli.command, registry))
}

fn command(command: Command, registry: &Registry) -> ExitCode {
    let done = match command {
        Command::Run(options) => run::run(&options, registry),
        Command::Backtest { file, data, source, output } => backtest((&file, &data, &source), output, registry),
        Command::Record(options) => record::run(&options),
        Command::Bench(options) => bench::run(&options, registry),
        Command::Validate { files } => validate::run(&files),
        Command::Ledger(command) => ledger::run(&command, registry),
        Command::Strategy(role) => launch::strategy(&role, registry),
        Command::Gateway(role) => launch::gateway(&role),
        Command::Feed(role) => launch::feed(&role),
        Command::Guard(options) => guard::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn backtest(
    (file, data, source): (&PathBuf, &[Data], &[Folder]),
    output: Option<BacktestOutput>,
    registry: &Registry,
) -> Result<(), Failure> {
    use std::io::IsTerminal as _;

    telemetry::start("warn");
    let terminal = std::io::stdout().is_terminal();
    let Results { outcomes, untraded, faults } = backtest::run(file, data, source, registry)?;
    match output.unwrap_or(if terminal { BacktestOutput::Table } else { BacktestOutput::Json }) {
        BacktestOutput::Table => run::print_outcomes(&outcomes)?,
        BacktestOutput::Json => {
            for outcome in &outcomes {
                let line = serde_json::to_string(outcome).map_err(|error| Failure::error(error.to_string()))?;
                print(&format!("{line}\n"))?;
            }
        }
    }
    for line in untraded {
        process::say(format_args!("{line}"));
    }
    if faults.is_empty() { Ok(()) } else { Err(Failure::error(faults.join("\n"))) }
}

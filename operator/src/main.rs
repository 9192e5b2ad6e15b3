//! The operator's program.

mod cli;
mod reports;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}

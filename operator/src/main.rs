//! The operator's program.
#![deny(clippy::print_stderr, clippy::print_stdout, reason = "it panics where nobody reads: process::say")]

mod cli;
mod reports;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}

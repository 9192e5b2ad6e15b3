//! The stock worker: every strategy of the engine crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    worker::main(&engine::strategy::Registry::standard())
}

//! The worker as a user builds it who has a strategy of their own: the quoter of the test kit trades in the place of the
//! grid, with its parameters, and the pair under its own name.

use std::process::ExitCode;

use engine::strategy::Registry;
use engine::testkit::quoting::{PAIR, QUOTER};

fn main() -> ExitCode {
    let mut registry = Registry::standard();
    registry.register(QUOTER);
    registry.register(PAIR);
    worker::main(&registry)
}

//! The worker as a user builds it who has a strategy of their own that trades on bars: that of the test kit trades in the
//! place of the grid, because the manifest's union knows no other yet, and its parameters travel as the grid's.

use std::process::ExitCode;

use engine::strategy::Registry;
use engine::testkit::crossing::CROSSING;

fn main() -> ExitCode {
    let mut registry = Registry::standard();
    registry.register(CROSSING);
    worker::main(&registry)
}

//! The worker as a user builds it who has strategies of their own: those of the test kit, which manifests name as `custom`.

use std::process::ExitCode;

use engine::strategies::Registry;
use engine::testkit::crossing::CROSSING;
use engine::testkit::quoting::{PAIR, QUOTER};

fn main() -> ExitCode {
    let mut registry = Registry::standard();
    for strategy in [QUOTER, PAIR, CROSSING] {
        registry.register(strategy);
    }
    worker::main(&registry)
}

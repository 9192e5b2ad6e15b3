//! The stock worker: every strategy of the engine crate.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A commit allocates some hundred small texts and gives them back at once: libc's allocator is a quarter of the time of a
/// run of many strategies. A worker of one's own chooses for itself.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    worker::main(&engine::strategies::Registry::standard())
}

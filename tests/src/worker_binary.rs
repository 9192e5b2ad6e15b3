//! The real `worker`, for tests that run it as its users do. It is found, never built here: cargo holds its
//! lock while tests run.
#![allow(clippy::panic, clippy::expect_used, clippy::missing_panics_doc, reason = "only tests call this")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

const REMEDY: &str = "run `cargo build -p worker` first, with the profile of the tests (tests/run does)";

/// The program named by `WORKER_BINARY`, or else the one that cargo built beside the running test. Stops the
/// test if it is not there, or older than its sources: a test of yesterday's program proves nothing.
pub fn worker_binary() -> PathBuf {
    if let Some(named) = env::var_os("WORKER_BINARY") {
        let named = PathBuf::from(named);
        assert!(named.is_file(), "WORKER_BINARY: {} is no file", named.display());
        return named;
    }
    // target/<profile>/deps/<test> and target/<profile>/worker
    let test = env::current_exe().expect("a process knows its program");
    let folder = test.parent().and_then(Path::parent).expect("cargo puts tests two folders deep");
    let binary = folder.join("worker");
    assert!(binary.is_file(), "{} is not there; {REMEDY}", binary.display());
    if let Some(source) = newer_source(&binary) {
        panic!("{} is older than {}; {REMEDY}", binary.display(), source.display());
    }
    binary
}

/// A source that changed after `binary` was built, by the list that cargo writes beside it.
fn newer_source(binary: &Path) -> Option<PathBuf> {
    let list = fs::read_to_string(binary.with_extension("d")).expect("cargo lists a binary's sources");
    let (_, sources) = list.split_once(": ")?;
    // Where a path holds a space, its parts are no files and are passed over.
    let mut sources = sources.split_whitespace().map(PathBuf::from);
    let built = modified(binary)?;
    sources.find(|source| modified(source).is_some_and(|changed| changed > built))
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|data| data.modified()).ok()
}

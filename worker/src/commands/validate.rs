//! The command `validate`: all errors of all files at once, offline.

use std::path::PathBuf;

use crate::fleet;
use crate::process::exit::{Failure, print};

/// Checks files. Notes go to stderr and fail nothing: an account may exist elsewhere.
pub fn run(files: &[PathBuf]) -> Result<(), Failure> {
    let reading = fleet::read(files)?;
    for note in &reading.unresolved {
        process::say(format_args!("note: {note}"));
    }
    if !reading.errors.is_empty() {
        return Err(Failure::refused(reading.errors.to_string()));
    }
    for manifest in &reading.manifests {
        print(&format!("{} {} is valid\n", manifest.kind(), manifest.name()))?;
    }
    Ok(())
}

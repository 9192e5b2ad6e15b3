//! When trades were written to connections, in a file: for who measures how long they are under way.

use std::fs::File;
use std::io::{self, LineWriter, Write};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use crate::clock::lock;
use crate::venue::market::Frame;

/// The file, a line a trade and connection: nanoseconds since 1970 at which it was about to be written, its stream, its id.
pub struct Written(Mutex<LineWriter<File>>);

/// A moment before a write.
#[derive(Debug, Clone, Copy)]
pub struct Before(Duration);

impl Written {
    /// An empty file.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(LineWriter::new(File::create(path)?))))
    }

    /// Now, by the clock that other processes of this machine read too.
    pub fn before() -> Before {
        Before(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
    }

    /// That frame was written; only those of trades are noted.
    pub fn note(&self, before: Before, frame: &Frame) {
        let Some(trade) = frame.trade else { return };
        // Who measures finds a line missing; the exchange goes on.
        drop(writeln!(lock(&self.0), "{} {} {trade}", before.0.as_nanos(), frame.stream));
    }
}

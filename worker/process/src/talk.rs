//! What a program says on stderr. Nothing hangs on it: a pipe whose reader has gone, a full disk or a closed
//! descriptor loses the words and changes neither the result nor the exit code.

use std::fmt::Arguments;
use std::io::{self, Write};

/// Says one line for people.
pub fn say(line: Arguments<'_>) {
    // `eprintln!` would panic, which ends the program.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Stderr for a log, whose writes cannot fail: a log that could not be written would be told on stderr.
#[derive(Debug)]
pub struct Talk(io::Stderr);

/// Stderr for a log.
pub fn talk() -> Talk {
    Talk(io::stderr())
}

impl Write for Talk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}

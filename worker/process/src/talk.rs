//! What a program says on stderr. Nothing hangs on it: a pipe whose reader has gone, a full disk or a closed
//! descriptor loses the words and changes neither the result nor the exit code; neither does a reader that is
//! stuck. So only a thread of its own writes: a write to a full pipe returns when somebody reads, if ever, and
//! the descriptor cannot be told not to wait, because other processes share it.

mod queue;

use std::fmt::Arguments;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::thread;

use queue::Queue;

/// The lines on their way to stderr.
static QUEUE: Queue = Queue::new();

/// Says one line for people.
pub fn say(line: Arguments<'_>) {
    send(format!("{line}\n").into_bytes());
}

/// Stderr for a log, whose writes cannot fail: a log that could not be written would be told on stderr. What
/// one write holds stays together.
#[derive(Debug)]
pub struct Talk(());

/// Stderr for a log.
pub fn talk() -> Talk {
    Talk(())
}

impl Write for Talk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        send(bytes.to_vec());
        Ok(bytes.len())
    }

    /// Waits for nothing: [`run`](crate::run) does, at the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits until all is written that was said, unless stderr is stuck. Before a result is printed, so that on a terminal
/// it does not stand in the middle of the talk.
pub fn flush() {
    QUEUE.flush();
}

fn send(words: Vec<u8>) {
    static WRITER: OnceLock<bool> = OnceLock::new();
    let started = WRITER.get_or_init(|| {
        let writer = thread::Builder::new().name("stderr".to_owned());
        writer.spawn(|| QUEUE.write_to(&mut io::stderr())).is_ok()
    });
    if *started {
        QUEUE.push(words);
    } else {
        // The system gives no thread. That must be heard, even from here.
        let _ = io::stderr().write_all(&words);
    }
}

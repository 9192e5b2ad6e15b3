//! The threads between this process and a child's pipes. Each ends with its pipe.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use engine::strategies::process::messages::LINE_MAX;

/// Lines that may wait to be heard: one is awaited at a time.
const WAITING_MAX: usize = 4;
/// Lines of its log that are told when it fails, and letters of each.
const TAIL_LINES: usize = 8;
const TAIL_LETTERS: usize = 160;

/// What a child has written.
#[derive(Debug)]
pub(super) enum Line {
    Text(String),
    /// Nothing after it is read.
    TooLong,
    NoText,
}

/// Writes lines until there are no more.
pub(super) fn write_all(mut stdin: ChildStdin, lines: Receiver<String>) -> io::Result<()> {
    let work = move || {
        for mut line in lines {
            line.push('\n');
            if stdin.write_all(line.as_bytes()).is_err() {
                // It reads no more; its output tells how it ended.
                return;
            }
        }
    };
    Builder::new().name("child-input".to_owned()).spawn(work).map(|_| ())
}

/// Reads lines until its output ends; none longer than may be.
pub(super) fn read_all(stdout: ChildStdout) -> io::Result<Receiver<Line>> {
    let (sender, lines) = sync_channel(WAITING_MAX);
    let work = move || {
        let mut stdout = BufReader::with_capacity(64 * 1024, stdout);
        while let Some(line) = next(&mut stdout, LINE_MAX) {
            let is_last = matches!(line, Line::TooLong);
            if sender.send(line).is_err() || is_last {
                return;
            }
        }
    };
    Builder::new().name("child-output".to_owned()).spawn(work)?;
    Ok(lines)
}

/// The next line; `None` at the end. What stands behind the last line's end is none.
fn next(input: &mut impl BufRead, most: usize) -> Option<Line> {
    let mut line = Vec::new();
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    input.take(bound).read_until(b'\n', &mut line).ok().filter(|read| *read > 0)?;
    if line.pop_if(|last| *last == b'\n').is_none() {
        return (line.len() > most).then_some(Line::TooLong);
    }
    Some(String::from_utf8(line).map_or(Line::NoText, Line::Text))
}

/// A child's log.
#[derive(Debug)]
pub(super) struct Log {
    tail: Arc<Mutex<VecDeque<String>>>,
    ended: Receiver<()>,
}

impl Log {
    /// Passes lines on to the log of this process, under the strategy's name, and keeps the last ones.
    pub fn of(stderr: ChildStderr, name: &str) -> io::Result<Self> {
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        let (sender, ended): (SyncSender<()>, _) = sync_channel(1);
        let (kept, name) = (Arc::clone(&tail), name.to_owned());
        let work = move || {
            let _ended = sender;
            let mut stderr = BufReader::new(stderr);
            let mut line = Vec::new();
            loop {
                line.clear();
                match (&mut stderr).take(4 * 1024).read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                }
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                process::say(format_args!("{name}| {text}"));
                let mut tail = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if tail.len() >= TAIL_LINES {
                    tail.pop_front();
                }
                tail.push_back(text.chars().take(TAIL_LETTERS).collect());
            }
        };
        Builder::new().name("child-log".to_owned()).spawn(work)?;
        Ok(Self { tail, ended })
    }

    /// Waits until all that it has written is read, but no longer than that.
    pub fn wait(&self, most: Duration) {
        // Nothing is ever sent: it is the end that is awaited.
        let _ = self.ended.recv_timeout(most);
    }

    /// The last lines, behind what failed; nothing where there are none.
    pub fn tail(&self) -> String {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.is_empty() {
            return String::new();
        }
        format!("; its last lines: {}", tail.iter().map(String::as_str).collect::<Vec<_>>().join(" | "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_half_a_line_is_none() {
        let mut input: &[u8] = b"ab\n\nabcd\nabc\xff\nx";
        let mut told = Vec::new();
        while let Some(line) = next(&mut input, 4) {
            told.push(format!("{line:?}"));
        }
        assert_eq!(told, ["Text(\"ab\")", "Text(\"\")", "Text(\"abcd\")", "NoText"]);
        let mut long: &[u8] = b"abcde\n";
        assert!(matches!(next(&mut long, 4), Some(Line::TooLong)));
    }
}

//! The threads between this process and a child's pipes. Each ends with its pipe.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use engine::strategies::process::messages::{LINE_MAX, visible};

use super::LAST_LINES;

/// Lines that may wait to be heard: one is awaited at a time.
const WAITING_MAX: usize = 4;
/// Lines of its log that are told when it fails, and letters of each.
const TAIL_LINES: usize = 8;
const TAIL_LETTERS: usize = 160;

/// Lines of its log that are passed on in a second.
const LOGGED_MAX: u32 = 100;
/// What that is a bound in.
const SECOND: Duration = Duration::from_secs(1);

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

/// How much of a log is passed on.
#[derive(Debug)]
struct Rate {
    /// When this second began.
    since: Instant,
    passed: u32,
    /// How many lines were left out in this second.
    left_out: u64,
}

impl Rate {
    const fn new(now: Instant) -> Self {
        Self { since: now, passed: 0, left_out: 0 }
    }

    /// How many lines were left out in a second that is over; none where there were none.
    fn over(&mut self, now: Instant) -> Option<u64> {
        if now.duration_since(self.since) < SECOND {
            return None;
        }
        let Self { left_out, .. } = std::mem::replace(self, Self::new(now));
        (left_out > 0).then_some(left_out)
    }

    /// Whether one more line is passed on.
    const fn passes(&mut self) -> bool {
        if self.passed < LOGGED_MAX {
            self.passed += 1;
            return true;
        }
        self.left_out += 1;
        false
    }
}

/// Passes the lines of a log on, no more than so many in a second.
struct Passed<F> {
    rate: Rate,
    say: F,
}

impl<F: FnMut(&str)> Passed<F> {
    fn line(&mut self, now: Instant, text: &str) {
        let left_out = self.rate.over(now);
        self.tell(left_out);
        if self.rate.passes() {
            (self.say)(text);
        }
    }

    fn tell(&mut self, left_out: Option<u64>) {
        if let Some(count) = left_out {
            (self.say)(&format!("{count} lines are left out here: more than {LOGGED_MAX} in a second"));
        }
    }

    /// The log is over.
    fn end(&mut self) {
        let left_out = (self.rate.left_out > 0).then_some(self.rate.left_out);
        self.tell(left_out);
    }
}

/// A child's log.
#[derive(Debug)]
pub(super) struct Log {
    tail: Arc<Mutex<VecDeque<String>>>,
    ended: Receiver<()>,
}

impl Log {
    /// Passes lines on to the log of this process, under the strategy's name and not faster than may be, and keeps the last
    /// ones.
    pub fn of(stderr: ChildStderr, name: &str) -> io::Result<Self> {
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        let (sender, ended): (SyncSender<()>, _) = sync_channel(1);
        let (kept, name) = (Arc::clone(&tail), name.to_owned());
        let work = move || {
            let _ended = sender;
            let mut stderr = BufReader::new(stderr);
            let mut line = Vec::new();
            let say = |text: &str| process::say(format_args!("{name}| {text}"));
            let mut passed = Passed { rate: Rate::new(Instant::now()), say };
            loop {
                line.clear();
                match (&mut stderr).take(4 * 1024).read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => return passed.end(),
                    Ok(_) => {}
                }
                let text = visible(String::from_utf8_lossy(&line).trim_end());
                passed.line(Instant::now(), &text);
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
        format!("{LAST_LINES}{}", tail.iter().map(String::as_str).collect::<Vec<_>>().join(" | "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_passed_on_no_faster_than_may_be_and_what_is_left_out_is_counted() {
        let start = Instant::now();
        let mut said = Vec::new();
        let mut passed = Passed { rate: Rate::new(start), say: |text: &str| said.push(text.to_owned()) };
        // A flood in the first second, a line in the third, and another flood that the end cuts short.
        for number in 0..1_000_000 {
            passed.line(start + Duration::from_millis(999), &number.to_string());
        }
        passed.line(start + 3 * SECOND, "later");
        for number in 0..150 {
            passed.line(start + 3 * SECOND + Duration::from_millis(500), &number.to_string());
        }
        passed.end();
        let numbers = |most: u32| (0..most).map(|number| number.to_string()).collect::<Vec<_>>();
        let left_out = |count: u64| vec![format!("{count} lines are left out here: more than 100 in a second")];
        let expected = [numbers(100), left_out(999_900), vec!["later".to_owned()], numbers(99), left_out(51)];
        assert_eq!(said, expected.concat());
    }

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

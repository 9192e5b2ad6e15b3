//! The child of a strategy that is a process: started, asked line by line, ended. It gets lines on stdin and gives lines on
//! stdout; its stderr is its log. It is never waited for longer than its time, and nothing that it does ends this process.
//!
//! Threads carry the lines, so that a child that neither reads nor writes holds nobody up.

mod files;
mod lines;
mod open;
mod program;
mod spawn;

use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use engine::messages::AlertKind;
use engine::strategies::process::messages::{
    self, Answer, Events, LineError, Message, Ready, Start, Stop, TIMER_SECONDS_MAX, TIMERS_MAX,
};
use serde::de::DeserializeOwned;

pub(crate) use files::hash_files;
use lines::{Line, Log};
pub(crate) use open::{Opened, open};
pub(crate) use program::Program;

/// How long a child may take from its start to its first line: interpreters load their libraries then.
const START_MAX: Duration = Duration::from_secs(30);
/// How long a child that was told to stop may take for that.
const STOP_MAX: Duration = Duration::from_millis(500);
/// How long its end and its last lines are waited for, once it has closed its output.
const END_MAX: Duration = Duration::from_millis(500);
/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(5);
/// Ticks of the first batch after the child has acted: most of a long one would be told again.
const WINDOW: usize = 16;

/// A child that runs.
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
    /// Dropped when it is told to stop: it sees the end of its input.
    input: Option<SyncSender<String>>,
    output: Receiver<Line>,
    log: Log,
    timeout: Duration,
    /// The number of the last batch.
    batch: u64,
    /// How many ticks of the next batch may be ahead.
    window: usize,
    /// The most.
    window_max: usize,
}

/// Why a child is not asked any more. In words, with its last lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// StrategyCrashed, StrategyTimeout or BadAction.
    pub kind: AlertKind,
    /// In words.
    pub message: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.kind.as_str(), self.message)
    }
}

impl Child {
    /// Starts a program and tells it what it trades; gives what it needs.
    /// At most `window_max` ticks are told at once.
    pub fn start(program: &Program, start: &Start, window_max: usize) -> Result<(Self, Ready), Fault> {
        let crashed = |message: String| Fault { kind: AlertKind::StrategyCrashed, message };
        let command = program.command();
        let mut process = spawn::spawn(&command)
            .map_err(|error| crashed(format!("its command {} cannot be started: {error}", command.join(" "))))?;
        let pipes = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(crashed("it was started without pipes".to_owned()));
        };
        let threads = (|| {
            let (input, lines) = sync_channel(1);
            lines::write_all(stdin, lines)?;
            Ok::<_, std::io::Error>((input, lines::read_all(stdout)?, Log::of(stderr, program.name())?))
        })();
        let (input, output, log) = threads.map_err(|error| crashed(format!("a thread cannot be started: {error}")))?;
        let window = WINDOW.min(window_max);
        let (input, timeout) = (Some(input), program.timeout());
        let mut child = Self { process, input, output, log, timeout, batch: 0, window, window_max };
        child.tell(start, "write fewer or shorter parameters")?;
        let ready = child.hear::<Ready>(START_MAX.max(timeout))?;
        match unfit(&ready) {
            None => Ok((child, ready)),
            Some(problem) => Err(child.bad(problem)),
        }
    }

    /// The number of the next batch.
    pub const fn next_batch(&self) -> u64 {
        self.batch.saturating_add(1)
    }

    /// At most so many ticks are told ahead from now on.
    #[cfg(test)]
    pub fn bound_window(&mut self, most: usize) {
        (self.window, self.window_max) = (self.window.min(most), most);
    }

    /// An answer may take so long from now on.
    #[cfg(test)]
    pub fn bound_time(&mut self, most: Duration) {
        self.timeout = most;
    }

    /// How many ticks that only move prices may be told at once.
    pub const fn window(&self) -> usize {
        self.window
    }

    /// Asks, and waits for the answer as long as it may take.
    pub fn ask(&mut self, events: &Events) -> Result<Answer, Fault> {
        self.batch = events.batch;
        let open = events.orders.len();
        self.tell(events, &format!("keep fewer orders open than {open}"))?;
        let answer: Answer = self.hear(self.timeout)?;
        if answer.batch != events.batch {
            return Err(self.bad(format!("batch {} is answered where {} was asked", answer.batch, events.batch)));
        }
        let has_read_all = answer.actions.is_empty() && answer.consumed == events.events.len();
        self.window = if has_read_all { self.window.saturating_mul(2) } else { WINDOW }.min(self.window_max);
        Ok(answer)
    }

    /// It has answered what is no answer, and is ended.
    pub fn bad(&mut self, problem: impl std::fmt::Display) -> Fault {
        let problem = messages::visible(&problem.to_string());
        let message = format!("its process has answered what cannot be: {problem}{}", self.last_lines());
        Fault { kind: AlertKind::BadAction, message }
    }

    /// Ends it; its last lines are what it has written up to now.
    fn last_lines(&mut self) -> String {
        // One that has ended by itself cannot be ended again.
        let _ = self.process.kill();
        self.log.wait(END_MAX);
        self.log.tail()
    }

    fn tell<M: Message + serde::Serialize>(&mut self, message: &M, remedy: &str) -> Result<(), Fault> {
        let line = messages::write(message).map_err(|error| self.bad(error))?;
        if line.len() > messages::LINE_MAX {
            return Err(self.bad(format!(
                "what it is to be told has {} bytes, a line has at most {}; {remedy}",
                line.len(),
                messages::LINE_MAX
            )));
        }
        let sent = self.input.as_ref().map(|input| input.try_send(line));
        match sent {
            // Where its thread is gone, its output tells how it ended.
            Some(Ok(()) | Err(TrySendError::Disconnected(_))) | None => Ok(()),
            Some(Err(TrySendError::Full(_))) => Err(self.too_slow(self.timeout)),
        }
    }

    fn hear<M: Message + DeserializeOwned>(&mut self, most: Duration) -> Result<M, Fault> {
        match self.output.recv_timeout(most) {
            Ok(Line::Text(line)) => messages::read(&line).map_err(|error| self.bad(error)),
            Ok(Line::TooLong) => Err(self.bad(LineError::TooLong)),
            Ok(Line::NoText) => Err(self.bad("a line that is not UTF-8")),
            Err(RecvTimeoutError::Timeout) => Err(self.too_slow(most)),
            Err(RecvTimeoutError::Disconnected) => Err(self.crashed()),
        }
    }

    fn too_slow(&mut self, most: Duration) -> Fault {
        let (kind, tail) = (AlertKind::StrategyTimeout, self.last_lines());
        Fault { kind, message: format!("its process has not answered within {} ms{tail}", most.as_millis()) }
    }

    fn crashed(&mut self) -> Fault {
        let how = match self.ended_within(END_MAX) {
            Some(status) => format!("has ended ({status})"),
            None => "has closed its output".to_owned(),
        };
        let tail = self.last_lines();
        // A script that only defines its strategy says nothing.
        let silent = self.batch == 0 && tail.is_empty();
        let hint = if silent { " without an answer to start; does its script end with glm.run(...)?" } else { "" };
        Fault { kind: AlertKind::StrategyCrashed, message: format!("its process {how}{hint}{tail}") }
    }

    fn ended_within(&mut self, most: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + most;
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

/// It is told to stop, and is ended where it does not.
impl Drop for Child {
    fn drop(&mut self) {
        if let (Some(input), Ok(stop)) = (self.input.take(), messages::write(&Stop {})) {
            let _ = input.try_send(stop);
        }
        if self.ended_within(STOP_MAX).is_none() {
            // One that has ended meanwhile cannot be ended again.
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// Why it cannot have what it needs; what is wrong with its bars, the engine finds.
fn unfit(ready: &Ready) -> Option<String> {
    let timers = &ready.timers;
    if timers.len() > TIMERS_MAX {
        return Some(format!("{} timers; ask for at most {TIMERS_MAX}", timers.len()));
    }
    for (place, timer) in timers.iter().enumerate() {
        if !(1..=TIMER_SECONDS_MAX).contains(&timer.every_seconds) {
            return Some(format!(
                "timers[{place}].everySeconds is {}; write 1 to {TIMER_SECONDS_MAX}",
                timer.every_seconds
            ));
        }
        if timers.iter().take(place).any(|before| before == timer) {
            return Some(format!("timers[{place}].everySeconds is {} once more; ask once", timer.every_seconds));
        }
    }
    (ready.bars.len() > 16).then(|| format!("{} series of bars; ask for at most 16", ready.bars.len()))
}

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
    self, Answer, Event, Events, LineError, Message, Ready, Start, Stop, TIMER_SECONDS_MAX, TIMERS_MAX,
};
use engine::time::rfc3339;
use serde::de::DeserializeOwned;

pub(crate) use files::hash_files;
use lines::{Line, Log};
pub(crate) use open::{Opened, open};
pub(crate) use program::Program;

/// The log's name for why a child is not asked any more.
pub(crate) const FAULTS: &str = "process_faults";
/// What comes between why that is and its last lines.
pub(crate) const LAST_LINES: &str = "; its last lines: ";
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
/// What is told at once is to be answered within this part of the time that there is for an answer.
const PART_OF_TIME: u128 = 4;

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
        let (input, timeout) = (Some(input), program.timeout());
        // How long it thinks over a tick is not known yet.
        let mut child = Self { process, input, output, log, timeout, batch: 0, window: 0, window_max };
        child.tell(start, "write fewer or shorter parameters")?;
        let ready = child.hear::<Ready>(START_MAX.max(timeout), || "its start".to_owned())?;
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
        let asked = Instant::now();
        self.tell(events, &format!("keep fewer orders open than {open}"))?;
        let answer: Answer = self.hear(self.timeout, || named(&events.events))?;
        let took = asked.elapsed();
        if answer.batch != events.batch {
            return Err(self.bad(format!("batch {} is answered where {} was asked", answer.batch, events.batch)));
        }
        let has_read_all = answer.actions.is_empty() && answer.consumed == events.events.len();
        let wanted = if has_read_all { self.window.saturating_mul(2).max(WINDOW) } else { WINDOW };
        self.window = wanted.min(fitting(answer.consumed, took, self.timeout)).min(self.window_max);
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
            Some(Err(TrySendError::Full(_))) => Err(self.too_slow(self.timeout, "an earlier line")),
        }
    }

    /// The next document, which answers what `asked` names.
    fn hear<M: Message + DeserializeOwned>(&mut self, most: Duration, asked: impl Fn() -> String) -> Result<M, Fault> {
        match self.output.recv_timeout(most) {
            Ok(Line::Text(line)) => messages::read(&line).map_err(|error| self.bad(error)),
            Ok(Line::TooLong) => Err(self.bad(LineError::TooLong)),
            Ok(Line::NoText) => Err(self.bad("a line that is not UTF-8")),
            Err(RecvTimeoutError::Timeout) => Err(self.too_slow(most, &asked())),
            Err(RecvTimeoutError::Disconnected) => Err(self.crashed()),
        }
    }

    fn too_slow(&mut self, most: Duration, asked: &str) -> Fault {
        let (kind, tail) = (AlertKind::StrategyTimeout, self.last_lines());
        Fault { kind, message: format!("its process has not answered {asked} within {} ms{tail}", most.as_millis()) }
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

/// How many events may be told at once to who read so many in this time: one who thinks long over each is not late because many
/// are told.
fn fitting(read: usize, took: Duration, timeout: Duration) -> usize {
    let read = u128::try_from(read).unwrap_or(u128::MAX);
    let fitting = (timeout.as_nanos() / PART_OF_TIME).saturating_mul(read) / took.as_nanos().max(1);
    usize::try_from(fitting).unwrap_or(usize::MAX)
}

/// Events in words: which one it is, or how many from which to which.
fn named(events: &[Event]) -> String {
    let name = |event: &Event| match event {
        Event::Tick(tick) => format!("tick {} of {} at {}", tick.index, tick.symbol, rfc3339::text(tick.time)),
        Event::Bar(bar) => format!("the {} bar of {} at {}", bar.interval, bar.symbol, rfc3339::text(bar.open_time)),
        Event::Order(order) => match order.id {
            Some(id) => format!("news of order {id}"),
            None => "news of an order that was not sent".to_owned(),
        },
        Event::Timer { time, every_seconds } => format!("the timer of {every_seconds} s at {}", rfc3339::text(*time)),
        Event::Gap { symbol } => format!("the gap of {symbol}"),
    };
    match events {
        [first, .., last] => format!("{} events, {} to {},", events.len(), name(first), name(last)),
        [one] => name(one),
        [] => "nothing".to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_thinks_long_over_each_event_is_told_so_many_as_fit_a_quarter_of_its_time() {
        let ms = Duration::from_millis;
        for (read, took, timeout, fits) in [
            (16, 160, 1_000, 25),
            (1, 100, 1_000, 2),
            (1, 600, 1_000, 0),
            (256, 2, 1_000, 32_000),
            (1, 0, 10, 2_500_000),
        ] {
            assert_eq!(fitting(read, ms(took), ms(timeout)), fits, "{read} events in {took} ms");
        }
        assert_eq!(fitting(usize::MAX, Duration::ZERO, Duration::MAX), usize::MAX);
    }
}

//! The lines between those who speak and the one thread that writes. Who speaks waits a little for a slow
//! reader, and not at all for one that was found stuck.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The queue is full from here on: some thousand lines.
const FULL: usize = 256 * 1024;
/// A stderr that takes nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(1);
/// The most that the end of a program waits for a reader that reads on; a pod has 30 s to stop.
const FLUSH_WITHIN: Duration = Duration::from_secs(5);
/// What a pipe takes in one piece, never mixed with what others write.
const PIECE: usize = 4096;

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Wakes the writer.
    came: Condvar,
    /// Wakes who waits for room, or for the end.
    went: Condvar,
}

#[derive(Debug)]
struct State {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The writer has words in hand.
    writing: bool,
    /// The pieces that were written.
    pieces: u64,
    /// It was full for too long. From then on lines are lost, not waited for, until all before them are written.
    stuck: bool,
    lost: usize,
}

impl State {
    fn full(&self) -> bool {
        self.bytes >= FULL
    }

    fn done(&self) -> bool {
        self.lines.is_empty() && !self.writing && !self.stuck
    }

    /// What to write next. Lines were lost only after the last one here, so this is where it is told.
    fn next(&mut self) -> Option<Vec<u8>> {
        let next = match self.lines.pop_front() {
            Some(line) => {
                self.bytes -= line.len();
                Some(line)
            }
            None if self.stuck => {
                self.stuck = false;
                let lost = std::mem::take(&mut self.lost);
                Some(format!("lines lost here because nobody read stderr: {lost}\n").into_bytes())
            }
            None => None,
        };
        self.writing = next.is_some();
        next
    }
}

impl Queue {
    pub(super) const fn new() -> Self {
        let state = State { lines: VecDeque::new(), bytes: 0, writing: false, pieces: 0, stuck: false, lost: 0 };
        Self { state: Mutex::new(state), came: Condvar::new(), went: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds words at the end, or counts them as lost.
    pub(super) fn push(&self, words: Vec<u8>) {
        let mut state = self.state();
        if state.full() && !state.stuck {
            let waited = self.went.wait_timeout_while(state, PATIENCE, |state| state.full() && !state.stuck);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.stuck |= state.full();
        }
        if state.stuck {
            state.lost += words.split(|byte| *byte == b'\n').skip(1).count();
            return;
        }
        state.bytes += words.len();
        state.lines.push_back(words);
        self.came.notify_one();
    }

    /// Waits until all is written; gives up on a reader that takes nothing, or is too slow.
    pub(super) fn flush(&self) {
        let deadline = Instant::now() + FLUSH_WITHIN;
        let mut state = self.state();
        while !state.done() {
            let pieces = state.pieces;
            let patience = PATIENCE.min(deadline.saturating_duration_since(Instant::now()));
            let waited = self.went.wait_timeout_while(state, patience, |state| !state.done() && state.pieces == pieces);
            let (now, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if timeout.timed_out() {
                return;
            }
            state = now;
        }
    }

    /// Writes what comes, for ever. What cannot be written is passed over.
    pub(super) fn write_to(&self, stderr: &mut impl Write) {
        let mut state = self.state();
        loop {
            let Some(words) = state.next() else {
                self.went.notify_all();
                state = self.came.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            self.went.notify_all();
            for piece in words.chunks(PIECE) {
                if stderr.write_all(piece).is_err() {
                    break;
                }
                self.state().pieces += 1;
                self.went.notify_all();
            }
            state = self.state();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, PipeReader, Read, pipe};
    use std::sync::Arc;
    use std::thread;

    use super::*;

    /// A line of a hundred bytes.
    fn line(number: usize) -> String {
        format!("{number:099}\n")
    }

    /// More lines than a pipe and the queue take.
    const MANY: usize = 10_000;

    fn queue() -> (Arc<Queue>, PipeReader) {
        let (reader, mut writer) = pipe().unwrap();
        let queue = Arc::new(Queue::new());
        let ours = Arc::clone(&queue);
        thread::spawn(move || ours.write_to(&mut writer));
        (queue, reader)
    }

    fn push_many(queue: &Queue) {
        for number in 0..MANY {
            queue.push(line(number).into_bytes());
        }
    }

    #[test]
    fn a_reader_that_reads_gets_every_line_in_order() {
        let (queue, mut reader) = queue();
        let reads = thread::spawn(move || {
            let mut text = vec![0; MANY * line(0).len()];
            reader.read_exact(&mut text).unwrap();
            String::from_utf8(text).unwrap()
        });
        push_many(&queue);
        queue.flush();
        assert_eq!(reads.join().unwrap(), (0..MANY).map(line).collect::<String>());
    }

    #[test]
    fn a_line_longer_than_the_queue_is_written_whole() {
        let (queue, mut reader) = queue();
        queue.push(vec![b'x'; 2 * FULL]);
        queue.push(b"after\n".to_vec());
        let mut text = vec![0; 2 * FULL + 6];
        reader.read_exact(&mut text).unwrap();
        assert!(text.ends_with(b"xafter\n"));
    }

    #[test]
    fn a_stuck_reader_is_waited_for_once_and_told_once_what_it_lost() {
        let (queue, reader) = queue();
        let started = Instant::now();
        push_many(&queue);
        assert!(started.elapsed() >= PATIENCE, "a slow reader has a moment");
        let pushed = Instant::now();
        push_many(&queue);
        queue.flush();
        assert!(pushed.elapsed() < FLUSH_WITHIN, "a stuck one is not waited for: {:?}", pushed.elapsed());

        let mut lines = BufReader::new(reader).lines().map(Result::unwrap);
        let mut kept = 0;
        let told = loop {
            let told = lines.next().unwrap();
            if told != line(kept).trim_end() {
                break told;
            }
            kept += 1;
        };
        assert_eq!(told, format!("lines lost here because nobody read stderr: {}", 2 * MANY - kept));
        queue.push(b"heard again\n".to_vec());
        assert_eq!(lines.next().unwrap(), "heard again");
    }

    #[test]
    fn what_cannot_be_written_is_passed_over() {
        let (queue, reader) = queue();
        drop(reader);
        let started = Instant::now();
        push_many(&queue);
        queue.flush();
        assert!(queue.state().done());
        assert!(started.elapsed() < FLUSH_WITHIN, "{:?}", started.elapsed());
    }
}

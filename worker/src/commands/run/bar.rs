//! The terminal of the progress bar. The bar is drawn where the lines are said: drawn past them it would mix with
//! them, and hang on a terminal that was paused.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::mem;
use std::sync::{Mutex, PoisonError};

use console::Term;
use indicatif::{ProgressDrawTarget, TermLike};

use super::drawn::Size;

/// Draws a second.
const HZ: u8 = 10;

/// Whether something can be drawn: not if stderr is no terminal, or one that cannot move its cursor.
pub(super) fn is_drawn() -> bool {
    stderr().is_terminal() && !console::is_dumb()
}

/// How large the terminal is now.
pub(super) fn size() -> Size {
    let (rows, columns) = Term::stderr().size();
    Size { rows: rows.into(), columns: columns.into() }
}

/// Writes as one piece, where the lines are said.
pub(super) fn write(text: &str) {
    // Talk cannot fail.
    let _ = process::talk().write_all(text.as_bytes());
}

/// Where to draw: nowhere if stderr is no terminal, or one that cannot move its cursor.
pub(super) fn target() -> ProgressDrawTarget {
    if is_drawn() {
        ProgressDrawTarget::term_like_with_hz(Box::new(Terminal(Mutex::default())), HZ)
    } else {
        ProgressDrawTarget::hidden()
    }
}

/// What is drawn since the last flush: one drawing is sent as one piece.
#[derive(Debug)]
struct Terminal(Mutex<String>);

impl Terminal {
    fn add(&self, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
    }

    /// Moves the cursor; by no step there is no command.
    fn go(&self, steps: usize, command: char) {
        if steps > 0 {
            self.add(&format!("\x1b[{steps}{command}"));
        }
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        Term::stderr().size().1
    }

    fn height(&self) -> u16 {
        Term::stderr().size().0
    }

    fn move_cursor_up(&self, steps: usize) -> std::io::Result<()> {
        self.go(steps, 'A');
        Ok(())
    }

    fn move_cursor_down(&self, steps: usize) -> std::io::Result<()> {
        self.go(steps, 'B');
        Ok(())
    }

    fn move_cursor_right(&self, steps: usize) -> std::io::Result<()> {
        self.go(steps, 'C');
        Ok(())
    }

    fn move_cursor_left(&self, steps: usize) -> std::io::Result<()> {
        self.go(steps, 'D');
        Ok(())
    }

    fn write_line(&self, text: &str) -> std::io::Result<()> {
        self.add(text);
        self.add("\n");
        Ok(())
    }

    fn write_str(&self, text: &str) -> std::io::Result<()> {
        self.add(text);
        Ok(())
    }

    fn clear_line(&self) -> std::io::Result<()> {
        self.add("\r\x1b[2K");
        Ok(())
    }

    fn flush(&self) -> std::io::Result<()> {
        let drawing = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if drawing.is_empty() { Ok(()) } else { process::talk().write_all(drawing.as_bytes()) }
    }
}

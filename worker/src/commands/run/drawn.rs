//! Lines at the end of a terminal that are drawn anew in place of themselves, below what is said. Pure: it makes the text that
//! moves the cursor, and others write it.
//!
//! No line is as wide as the terminal, so none is broken by it, and the cursor rests below them, where a key that is pressed
//! leaves its trace.

/// What stands at the end of the terminal.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    /// The lines as they were cut for it.
    lines: Vec<String>,
    /// How large it was then.
    size: Option<Size>,
}

/// The size of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub rows: usize,
    pub columns: usize,
}

/// To the beginning of the row so many rows above.
fn up(rows: usize) -> String {
    if rows == 0 { "\r".to_owned() } else { format!("\r\x1b[{rows}A") }
}

/// Clears the rest of the row.
const CLEAR_ROW: &str = "\x1b[K";
/// Clears all from here on.
const CLEAR: &str = "\x1b[J";

impl Drawn {
    /// How many rows the lines take. One that has become narrower has broken them.
    fn rows(&self, size: Size) -> usize {
        let rows = self.lines.iter().map(|line| line.chars().count().div_ceil(size.columns.max(1)).max(1));
        // What has left the screen at its top is out of reach.
        rows.sum::<usize>().min(size.rows.saturating_sub(1))
    }

    /// These lines in place of the last ones. Each row is overwritten before what is left of it is cleared: nothing flickers.
    pub fn draw(&mut self, lines: &[String], size: Size) -> String {
        let mut text = up(self.rows(size));
        if self.size.replace(size) != Some(size) {
            // Rows that it has broken are to be forgotten: overwritten only, some terminals would join them again.
            text.push_str(CLEAR);
        }
        self.lines = fitting(lines, size);
        for line in &self.lines {
            text.push_str(line);
            text.push_str(CLEAR_ROW);
            text.push('\n');
        }
        text.push_str(CLEAR);
        text
    }

    /// Something said above the lines, which stay as they are.
    pub fn say(&self, words: &str, size: Size) -> String {
        let mut text = format!("{}{CLEAR}{words}\n", up(self.rows(size)));
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Nothing in their place.
    pub fn clear(&mut self, size: Size) -> String {
        if self.lines.is_empty() {
            return String::new();
        }
        let text = format!("{}{CLEAR}", up(self.rows(size)));
        self.lines.clear();
        text
    }

    /// Others have written below them: they stay, and the next ones are drawn below.
    pub fn leave(&mut self) {
        self.lines.clear();
    }
}

/// What of these lines a terminal can show.
fn fitting(lines: &[String], size: Size) -> Vec<String> {
    let (most, width) = (size.rows.saturating_sub(1).max(1), size.columns.saturating_sub(1).max(1));
    let mut shown: Vec<_> = lines.iter().take(most).map(|line| cut(line, width)).collect();
    if lines.len() > most
        && let Some(last) = shown.last_mut()
    {
        *last = cut(&format!("  ... {} lines more: make the window higher", lines.len() - most + 1), width);
    }
    shown
}

fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let mut text: String = line.chars().take(width - 1).collect();
    text.push('~');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { rows: 5, columns: 20 };

    fn lines(text: &[&str]) -> Vec<String> {
        text.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn lines_are_drawn_in_place_of_the_last_ones() {
        let mut drawn = Drawn::default();
        assert_eq!(drawn.draw(&lines(&["one", "two"]), SIZE), "\r\x1b[Jone\x1b[K\ntwo\x1b[K\n\x1b[J");
        assert_eq!(drawn.draw(&lines(&["three"]), SIZE), "\r\x1b[2Athree\x1b[K\n\x1b[J");
        assert_eq!(drawn.say("a trade", SIZE), "\r\x1b[1A\x1b[Ja trade\nthree\n");
        assert_eq!(drawn.clear(SIZE), "\r\x1b[1A\x1b[J");
        assert_eq!(drawn.clear(SIZE), "");
        drawn.draw(&lines(&["one", "two"]), SIZE);
        drawn.leave();
        assert_eq!(drawn.draw(&lines(&["one"]), SIZE), "\rone\x1b[K\n\x1b[J", "below what others wrote");
    }

    #[test]
    fn no_line_is_broken_and_no_more_are_drawn_than_there_are_rows() {
        let mut drawn = Drawn::default();
        drawn.draw(&lines(&["0123456789012345678", "01234567890123456789"]), SIZE);
        assert_eq!(drawn.lines, ["0123456789012345678", "012345678901234567~"]);
        drawn.draw(&lines(&["1", "2", "3", "4", "5", "6"]), Size { columns: 60, ..SIZE });
        assert_eq!(drawn.lines, ["1", "2", "3", "  ... 3 lines more: make the window higher"]);
    }

    #[test]
    fn a_terminal_that_became_narrower_has_broken_the_lines() {
        let mut drawn = Drawn::default();
        drawn.draw(&lines(&["0123456789012345", "two"]), SIZE);
        let narrow = Size { rows: 9, columns: 8 };
        assert_eq!(drawn.clear(narrow), "\r\x1b[3A\x1b[J");
        drawn.draw(&lines(&["0123456789012345", "two"]), SIZE);
        assert_eq!(drawn.clear(Size { columns: 90, ..SIZE }), "\r\x1b[2A\x1b[J");
    }
}

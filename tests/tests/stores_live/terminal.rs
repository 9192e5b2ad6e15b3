//! A terminal: a real one of the system, in which a shell runs, and what a person sees of it. Breaks lines anew when its size
//! changes, as those of today do.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tests::roles::{DEADLINE, until};

const POLL: Duration = Duration::from_millis(5);

/// A terminal with a shell in it; killed on drop.
pub struct Terminal {
    child: Child,
    keys: ChildStdin,
    sheet: Arc<Mutex<Sheet>>,
    device: String,
}

impl Terminal {
    /// One of this size, in which a shell runs these commands in that folder.
    pub fn start(folder: &Path, (rows, columns): (usize, usize), commands: &str) -> Self {
        let begins =
            format!("tty >device.new; stty rows {rows} cols {columns}; mv device.new device; set -m; {commands}");
        fs::write(folder.join("commands"), begins).expect("the commands can be written");
        let mut command = Command::new("script");
        command.args(["-qfec", "exec bash commands", "/dev/null"]).current_dir(folder).env("TERM", "xterm");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script starts");
        let (keys, mut shown) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let sheet = Arc::new(Mutex::new(Sheet::new(rows, columns)));
        let writes = Arc::clone(&sheet);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = shown.read(&mut bytes) {
                writes.lock().unwrap_or_else(PoisonError::into_inner).take(&bytes[..count]);
            }
        });
        let device = until("a terminal", DEADLINE, || fs::read_to_string(folder.join("device")).ok());
        Self { child, keys, sheet, device: device.trim().to_owned() }
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).and_then(|()| self.keys.flush()).expect("the terminal is there");
    }

    /// Makes its window another size.
    pub fn resize(&self, rows: usize, columns: usize) {
        let mut sheet = self.sheet.lock().unwrap_or_else(PoisonError::into_inner);
        sheet.resize(rows, columns);
        let size = ["rows", &rows.to_string(), "cols", &columns.to_string()];
        let set = Command::new("stty").args(["-F", &self.device]).args(size).status().expect("stty starts");
        assert!(set.success());
    }

    /// All lines, those too that have left at the top. One that the terminal has broken is one.
    pub fn lines(&self) -> Vec<String> {
        self.sheet.lock().unwrap_or_else(PoisonError::into_inner).lines()
    }

    /// Waits until all that is seen is so.
    pub fn until(&self, what: &str, is_so: impl Fn(&[String]) -> bool) -> Vec<String> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let lines = self.lines();
            if is_so(&lines) {
                return lines;
            }
            assert!(Instant::now() < deadline, "never: {what}; there is:\n{}", lines.join("\n"));
            thread::sleep(POLL);
        }
    }

    /// Closes its window.
    pub fn close(mut self) {
        self.child.kill().expect("it is there");
        self.child.wait().expect("it is ours");
    }

    /// Waits until the shell has ended.
    pub fn ended(&mut self) {
        until("the shell ends", DEADLINE, || self.child.try_wait().ok().flatten());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Fails where it has ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A row, and whether the next one goes on with it.
#[derive(Debug, Clone, Default)]
struct Row {
    text: Vec<char>,
    is_broken: bool,
}

/// What was written on a terminal.
#[derive(Debug)]
struct Sheet {
    size: (usize, usize),
    rows: Vec<Row>,
    /// The row and the column of the cursor.
    at: (usize, usize),
    /// What is not whole yet: a character or a command.
    begun: Vec<u8>,
}

impl Sheet {
    fn new(rows: usize, columns: usize) -> Self {
        Self { size: (rows, columns), rows: vec![Row::default()], at: (0, 0), begun: Vec::new() }
    }

    fn lines(&self) -> Vec<String> {
        let (mut lines, mut line) = (Vec::new(), String::new());
        for row in &self.rows {
            line.extend(&row.text);
            if !row.is_broken {
                lines.push(line.trim_end().to_owned());
                line.clear();
            }
        }
        lines
    }

    /// The first row that is seen.
    fn top(&self) -> usize {
        self.rows.len().saturating_sub(self.size.0)
    }

    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.begun.push(*byte);
            let Ok(text) = std::str::from_utf8(&self.begun).map(str::to_owned) else { continue };
            let is_begun = text.starts_with('\x1b') && !text.ends_with(|last: char| last.is_ascii_alphabetic());
            if !is_begun {
                self.begun.clear();
                match text.strip_prefix("\x1b[") {
                    Some(command) => self.obey(command),
                    None => text.chars().for_each(|character| self.write(character)),
                }
            }
        }
    }

    fn obey(&mut self, command: &str) {
        let (count, kind) = command.split_at(command.len() - 1);
        let count: usize = count.parse().unwrap_or(1);
        let (row, column) = self.at;
        match kind {
            "A" => self.at.0 = row.saturating_sub(count).max(self.top()),
            "K" => self.clear_row(row, column),
            "J" => {
                self.clear_row(row, column);
                self.rows.truncate(row + 1);
            }
            // Brackets of what is pasted, and the like.
            _ => {}
        }
    }

    fn clear_row(&mut self, row: usize, column: usize) {
        self.rows[row].text.truncate(column);
        self.rows[row].is_broken = false;
    }

    fn write(&mut self, character: char) {
        let (row, column) = self.at;
        match character {
            '\r' => self.at.1 = 0,
            '\n' => self.goes_down(),
            '\x08' => self.at.1 = column.saturating_sub(1),
            character if character.is_control() => {}
            character => {
                if column == self.size.1 {
                    self.rows[row].is_broken = true;
                    self.goes_down();
                    self.at.1 = 0;
                }
                let (row, column) = self.at;
                let text = &mut self.rows[row].text;
                if text.len() <= column {
                    text.resize(column + 1, ' ');
                }
                text[column] = character;
                self.at.1 = column + 1;
            }
        }
    }

    fn goes_down(&mut self) {
        self.at.0 += 1;
        if self.at.0 == self.rows.len() {
            self.rows.push(Row::default());
        }
    }

    /// Breaks all lines anew.
    fn resize(&mut self, rows: usize, columns: usize) {
        let (mut broken, mut at, mut line): (Vec<Row>, _, Vec<char>) = (Vec::new(), self.at, Vec::new());
        for (index, row) in std::mem::take(&mut self.rows).into_iter().enumerate() {
            let begins = line.len();
            line.extend(row.text);
            if index == self.at.0 {
                at = (broken.len() + (begins + self.at.1) / columns, (begins + self.at.1) % columns);
            }
            if !row.is_broken {
                let text = std::mem::take(&mut line);
                let count = text.len().div_ceil(columns).max(1);
                let parts: Vec<_> = text.chunks(columns).map(<[char]>::to_vec).collect();
                broken.extend((0..count).map(|part| Row {
                    text: parts.get(part).cloned().unwrap_or_default(),
                    is_broken: part + 1 < count,
                }));
            }
        }
        while broken.len() <= at.0 {
            broken.push(Row::default());
        }
        (self.rows, self.at, self.size) = (broken, at, (rows, columns));
    }
}

//! The lines of a file from the last to the first: some exporters write the newest row first. May not know what
//! the lines mean.

use std::io::{self, Read, Seek, SeekFrom};

/// Bytes to read at a time.
const CHUNK: u64 = 64 * 1024;

/// Gives the lines of a source in turned order, each with an end of line. Holds one line and one chunk.
pub(super) struct Backwards<R> {
    source: R,
    /// Bytes of the source that lie before `buffer`.
    before: u64,
    /// What was read and not given.
    buffer: Vec<u8>,
    line: Vec<u8>,
    /// Bytes of `line` that were taken.
    taken: usize,
    done: bool,
    /// The longest line that is put together; a longer one comes in parts, for the reader to refuse.
    longest: usize,
}

impl<R: Read + Seek> Backwards<R> {
    /// Stands behind the last line of `source`; also tells how many lines there are.
    pub(super) fn new(mut source: R, longest: usize) -> io::Result<(Self, u64)> {
        let (lines, before) = count(&mut source)?;
        let line = Vec::new();
        let mut backwards = Self { source, before, buffer: Vec::new(), line, taken: 0, done: before == 0, longest };
        backwards.read_chunk()?;
        if backwards.buffer.last() == Some(&b'\n') {
            backwards.buffer.pop();
        }
        Ok((backwards, lines))
    }

    /// Puts the chunk before `buffer` in front of it.
    fn read_chunk(&mut self) -> io::Result<()> {
        let size = self.before.min(CHUNK);
        self.before -= size;
        self.source.seek(SeekFrom::Start(self.before))?;
        let mut chunk = Vec::new();
        (&mut self.source).take(size).read_to_end(&mut chunk)?;
        if chunk.len() as u64 != size {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter"));
        }
        chunk.append(&mut self.buffer);
        self.buffer = chunk;
        Ok(())
    }

    fn next_line(&mut self) -> io::Result<()> {
        loop {
            let end = self.buffer.iter().rposition(|byte| *byte == b'\n');
            if end.is_none() && self.before > 0 && self.buffer.len() <= self.longest {
                self.read_chunk()?;
                continue;
            }
            self.line.clear();
            self.taken = 0;
            if let Some(end) = end {
                self.line.extend_from_slice(&self.buffer[end + 1..]);
                self.buffer.truncate(end);
            } else {
                self.done = self.before == 0;
                self.line.append(&mut self.buffer);
            }
            self.line.push(b'\n');
            return Ok(());
        }
    }
}

/// Lines and bytes of `source`.
fn count(source: &mut (impl Read + Seek)) -> io::Result<(u64, u64)> {
    source.seek(SeekFrom::Start(0))?;
    let mut chunk = vec![0; usize::try_from(CHUNK).unwrap_or(usize::MAX)];
    let (mut lines, mut bytes, mut last) = (0, 0, b'\n');
    loop {
        let size = source.read(&mut chunk)?;
        let read = &chunk[..size];
        let Some(end) = read.last() else { break };
        last = *end;
        bytes += size as u64;
        lines += read.split(|byte| *byte == b'\n').count() as u64 - 1;
    }
    Ok((lines + u64::from(last != b'\n'), bytes))
}

impl<R: Read + Seek> Read for Backwards<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken >= self.line.len() {
            if self.done {
                return Ok(0);
            }
            self.next_line()?;
        }
        let size = (&self.line[self.taken..]).read(buffer)?;
        self.taken += size;
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn turned(bytes: &[u8]) -> (String, u64) {
        let (mut backwards, lines) = Backwards::new(Cursor::new(bytes.to_vec()), 1 << 20).unwrap();
        let mut text = String::new();
        backwards.read_to_string(&mut text).unwrap();
        (text, lines)
    }

    #[test]
    fn lines_come_from_the_last_to_the_first() {
        for (text, expected) in [
            ("a\nb\nc\n", ("c\nb\na\n", 3)),
            ("a\nb\nc", ("c\nb\na\n", 3)),
            ("a\n\nc\n", ("c\n\na\n", 3)),
            ("a\r\nb\r\n", ("b\r\na\r\n", 2)),
            ("a", ("a\n", 1)),
            ("", ("", 0)),
        ] {
            let (found, lines) = turned(text.as_bytes());
            assert_eq!((found.as_str(), lines), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_line_is_lost_between_chunks(lengths in prop::collection::vec(0_usize..30_000, 1..20)) {
            let lines: Vec<String> = lengths.iter().enumerate().map(|(n, length)| format!("{n}{}", "x".repeat(*length))).collect();
            let expected: String = lines.iter().rev().flat_map(|line| [line, "\n"]).collect();
            prop_assert_eq!(turned(lines.join("\n").as_bytes()), (expected, lines.len() as u64));
        }
    }
}

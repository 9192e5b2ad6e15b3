//! A file as lines of text, unpacked on the way. May not know what the lines mean.

use std::fs::{self, File, FileType};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::ops::Range;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;

use flate2::Crc;
use flate2::bufread::MultiGzDecoder;

use super::backwards::Backwards;
use super::error::{DataError, Place};

/// What a gzip file begins with.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// What a zip archive begins with.
const ZIP_MAGIC: [u8; 4] = *b"PK\x03\x04";
/// What other files begin with, what they are, and what to do with them.
const BINARY: [(&[u8], &str, &str); 8] = [
    (b"PAR1", "a Parquet file", TO_CSV),
    (b"ARROW1", "an Arrow or Feather file", TO_CSV),
    (b"FEA1", "a Feather file", TO_CSV),
    (b"\x89HDF", "an HDF5 file", TO_CSV),
    (b"SQLite format 3", "an SQLite database", TO_CSV),
    (b"\x28\xb5\x2f\xfd", "zstd data", TO_GZIP),
    (b"\xfd7zXZ\x00", "xz data", TO_GZIP),
    (b"BZh", "bzip2 data", TO_GZIP),
];
const UTF16: &str = "UTF-16 text";
const TO_CSV: &str = "export it as CSV, plain or gzipped";
const TO_GZIP: &str = "unpack it, or pack it with gzip";
const TO_UTF8: &str = "save the file as UTF-8";
/// The largest file that is turned around in memory, because packed data can only be read forwards.
const TURNED_MAX: u64 = 256 * 1024 * 1024;
/// What some editors put before UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// The longest line that is read, in bytes with its end.
const LINE_MAX: usize = 1 << 20;
/// Bytes to read from disk, or to unpack, at a time.
const CHUNK: usize = 64 * 1024;

/// Tells one text from another: not proof against a forger, but against a file that was replaced or cut. Of the lines
/// in the order in which they are read, so of a text that is turned: its head, then the others from the last on, each
/// with an end of line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest {
    /// Bytes of the unpacked text.
    pub bytes: u64,
    /// Their CRC-32, as gzip has it.
    pub crc32: u32,
}

/// The lines of one file, one at a time, blank ones left out. They lie in one buffer, which goes round.
pub(crate) struct Lines {
    file: Arc<str>,
    source: Box<dyn Read + Send>,
    gzip: bool,
    buffer: Vec<u8>,
    /// Where what was read into the buffer ends.
    filled: usize,
    /// Where the current line lies, with its end; the next one begins behind it.
    current: Range<usize>,
    /// What of it is text.
    text: Range<usize>,
    /// What of the buffer is in the digest already.
    digested: usize,
    number: u64,
    again: bool,
    order: Order,
    bytes: u64,
    crc: Crc,
    tear: Tear,
}

/// What a gzip text is that ends in the midst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tear {
    /// Refused.
    Refused,
    /// Read up to there.
    Allowed,
    /// Read up to there, and it did.
    Found,
}

/// In which order the lines come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Forwards,
    /// From the last line to the one after this one.
    Backwards {
        head: u64,
    },
}

impl Lines {
    /// Opens `path` and finds out from its content whether it is compressed.
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        let file: Arc<str> = path.display().to_string().into();
        let refuse = |cause| DataError::open(Arc::clone(&file), cause);
        // Before it is opened: the opening of a pipe waits for its writer.
        if let Some(found) = no_file(fs::metadata(path).map_err(refuse)?.file_type()) {
            return Err(DataError::NotAFile { file, found });
        }
        let mut packed = BufReader::with_capacity(CHUNK, File::open(path).map_err(refuse)?);
        let start = packed.fill_buf().map_err(refuse)?;
        let gzip = start.starts_with(&GZIP_MAGIC);
        if start.starts_with(&ZIP_MAGIC) {
            return Err(DataError::Zip { file });
        }
        if start.is_empty() {
            return Err(DataError::NoRows { file });
        }
        if let Some((_, what, remedy)) = BINARY.iter().find(|(magic, _, _)| start.starts_with(magic)) {
            return Err(DataError::Binary { file, what, remedy });
        }
        if !gzip && path.extension().is_some_and(|extension| extension == "gz") {
            return Err(DataError::NotGzip { file });
        }
        let source: Box<dyn Read + Send> = if gzip { Box::new(MultiGzDecoder::new(packed)) } else { Box::new(packed) };
        Ok(Self {
            file,
            source,
            gzip,
            buffer: vec![0; 2 * CHUNK],
            filled: 0,
            current: 0..0,
            text: 0..0,
            digested: 0,
            number: 0,
            again: false,
            order: Order::Forwards,
            bytes: 0,
            crc: Crc::new(),
            tear: Tear::Refused,
        })
    }

    /// The lines behind the current one, from the last to the first.
    pub(crate) fn turned(mut self, path: &Path) -> Result<Self, DataError> {
        self.settle();
        let file = Arc::clone(&self.file);
        let source = File::open(path).map_err(|cause| DataError::open(Arc::clone(&file), cause))?;
        let (source, lines): (Box<dyn Read + Send>, u64) = if self.gzip {
            let mut text = Vec::new();
            let unpacked = MultiGzDecoder::new(BufReader::with_capacity(CHUNK, source));
            unpacked.take(TURNED_MAX + 1).read_to_end(&mut text).map_err(|cause| self.failed(cause))?;
            if text.len() as u64 > TURNED_MAX {
                return Err(DataError::TooLargeToTurn { file, max: TURNED_MAX });
            }
            let (source, lines) = Backwards::new(Cursor::new(text), LINE_MAX).map_err(|cause| self.failed(cause))?;
            (Box::new(source), lines)
        } else {
            let (source, lines) = Backwards::new(source, LINE_MAX).map_err(|cause| self.failed(cause))?;
            (Box::new(source), lines)
        };
        let order = Order::Backwards { head: self.number };
        let (current, text, number) = (0..0, 0..0, lines + 1);
        Ok(Self { source, filled: 0, current, text, digested: 0, number, again: false, order, ..self })
    }

    /// From now on a gzip text that ends in the midst ends with its last whole line: who writes it is killed when it will.
    pub(crate) const fn may_be_torn(&mut self) {
        self.tear = Tear::Allowed;
    }

    /// Whether it did.
    pub(crate) fn is_torn(&self) -> bool {
        self.tear == Tear::Found
    }

    /// Goes to the next line that is not blank; `false` at the end of the file.
    pub(crate) fn advance(&mut self) -> Result<bool, DataError> {
        if std::mem::take(&mut self.again) {
            return Ok(true);
        }
        loop {
            if !self.read_line()? {
                return Ok(false);
            }
            if !self.buffer[self.text.clone()].trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    /// The current line, without its end.
    pub(crate) fn line(&self) -> &str {
        // It was checked when it was read.
        str::from_utf8(&self.buffer[self.text.clone()]).unwrap_or_default()
    }

    /// Lets the next [`Self::advance`] give the current line again.
    pub(crate) const fn step_back(&mut self) {
        self.again = true;
    }

    /// Where the current line is.
    pub(crate) fn place(&self) -> Place {
        Place { file: Arc::clone(&self.file), line: self.number }
    }

    /// The number of the current line.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// The file's name as it was given.
    pub(crate) fn file(&self) -> Arc<str> {
        Arc::clone(&self.file)
    }

    /// What was read so far.
    pub(crate) fn digest(&mut self) -> Digest {
        self.settle();
        Digest { bytes: self.bytes, crc32: self.crc.sum() }
    }

    /// Takes the lines into the digest that were read and are not in it: many at once, for it is quick only with much.
    fn settle(&mut self) {
        let read = &self.buffer[self.digested..self.current.end];
        self.bytes += read.len() as u64;
        self.crc.update(read);
        self.digested = self.current.end;
    }

    fn read_line(&mut self) -> Result<bool, DataError> {
        match self.order {
            Order::Forwards => self.number += 1,
            Order::Backwards { head } if self.number <= head + 1 => return Ok(false),
            Order::Backwards { .. } => self.number -= 1,
        }
        self.current.start = self.current.end;
        let length = self.find_end()?;
        if length == 0 {
            return Ok(false);
        }
        self.current.end += length;
        if length > LINE_MAX {
            return Err(DataError::LineLength { place: self.place(), max: LINE_MAX as u64 });
        }
        let line = &self.buffer[self.current.clone()];
        if self.number == 1 && is_utf16(line) {
            return Err(DataError::Binary { file: self.file(), what: UTF16, remedy: TO_UTF8 });
        }
        if !line.is_ascii() && str::from_utf8(line).is_err() {
            return Err(DataError::NotText { place: self.place() });
        }
        let ends = line.iter().rev().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        self.text = self.current.start..self.current.end - ends;
        while self.number == 1 && self.buffer[self.text.clone()].starts_with(BYTE_ORDER_MARK) {
            self.text.start += BYTE_ORDER_MARK.len();
        }
        Ok(true)
    }

    /// How long the next line is, with its end; 0 at the end of the file. Of a line above the bound a part.
    fn find_end(&mut self) -> Result<usize, DataError> {
        let mut searched = 0;
        loop {
            let rest = &self.buffer[self.current.start..self.filled];
            if let Some(end) = memchr::memchr(b'\n', &rest[searched..]) {
                return Ok(searched + end + 1);
            }
            searched = rest.len();
            if searched > LINE_MAX || self.read_on()? == 0 {
                return Ok(if self.is_torn() { 0 } else { searched });
            }
        }
    }

    /// Reads behind what is in the buffer, from which it drops the lines that are used up.
    fn read_on(&mut self) -> Result<usize, DataError> {
        self.settle();
        self.buffer.copy_within(self.current.start..self.filled, 0);
        self.filled -= self.current.start;
        (self.current, self.digested) = (0..0, 0);
        if self.filled + CHUNK > self.buffer.len() {
            self.buffer.resize(self.filled + CHUNK, 0);
        }
        loop {
            match self.source.read(&mut self.buffer[self.filled..self.filled + CHUNK]) {
                Ok(count) => {
                    self.filled += count;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if self.tear != Tear::Refused && error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.tear = Tear::Found;
                    return Ok(0);
                }
                Err(cause) => return Err(self.failed(cause)),
            }
        }
    }

    fn failed(&self, cause: io::Error) -> DataError {
        let place = self.place();
        if self.gzip { DataError::Unpack { place, cause } } else { DataError::Read { place, cause } }
    }
}

/// Whether a file that begins with `line` is UTF-16, with a mark or without one: then each other byte of its first
/// letters is 0.
fn is_utf16(line: &[u8]) -> bool {
    let nuls =
        |odd: usize| line.len() >= 4 && line.iter().take(4).enumerate().all(|(at, b)| (*b == 0) == (at % 2 == odd));
    line.starts_with(b"\xff\xfe") || line.starts_with(b"\xfe\xff") || nuls(0) || nuls(1)
}

/// What it is if it is no file: nothing else has an end and can be read again from its start.
fn no_file(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a directory")
    } else if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tempfile::NamedTempFile;

    use super::*;

    fn file(bytes: &[u8]) -> NamedTempFile {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Vec<(u64, String)> {
        let mut lines = Lines::open(file(bytes).path()).unwrap();
        let mut read = Vec::new();
        while lines.advance().unwrap() {
            read.push((lines.place().line, lines.line().to_owned()));
        }
        read
    }

    #[test]
    fn numbers_lines_and_leaves_out_blank_ones() {
        let expected = vec![(1, "a".to_owned()), (2, "b".to_owned()), (5, "c".to_owned())];
        assert_eq!(read(b"a\nb\n\n \nc\n"), expected);
        assert_eq!(read("\u{feff}a\r\nb\r\n\r\n\r\nc".as_bytes()), expected);
    }

    #[test]
    fn unpacks_all_members_whatever_the_name() {
        let packed = [gzip(b"a\nb"), gzip(b"\nc\n")].concat();
        let expected: Vec<_> = [(1, "a"), (2, "b"), (3, "c")].map(|(n, text)| (n, text.to_owned())).into();
        assert_eq!(read(&packed), expected);
    }

    #[test]
    fn a_line_at_the_bound_is_read_and_a_longer_one_refused() {
        let mut line = vec![b'x'; LINE_MAX - 1];
        line.push(b'\n');
        assert_eq!(read(&line).len(), 1);
        line.insert(0, b'x');
        let file = file(&line);
        let error = Lines::open(file.path()).unwrap().advance().unwrap_err();
        let expected =
            format!("{}:1: the line is longer than 1048576 bytes; name a file of market data", file.path().display());
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_text_has_the_same_digest_packed_or_not_and_another_one_if_a_byte_differs() {
        let digest = |bytes: &[u8]| {
            let mut lines = Lines::open(file(bytes).path()).unwrap();
            while lines.advance().unwrap() {}
            lines.digest()
        };
        // The check value of CRC-32.
        assert_eq!(digest(b"123456789"), Digest { bytes: 9, crc32: 0xcbf4_3926 });
        assert_eq!(digest(&gzip(b"a\n\nb\n")), digest(b"a\n\nb\n"));
        assert_ne!(digest(b"a\n\nb\n"), digest(b"a\n\nc\n"));
    }

    #[test]
    fn a_turned_text_has_the_digest_of_its_lines_as_they_are_read() {
        let read = |bytes: &[u8]| {
            let file = file(bytes);
            let mut lines = Lines::open(file.path()).unwrap();
            assert!(lines.advance().unwrap());
            let mut lines = lines.turned(file.path()).unwrap();
            while lines.advance().unwrap() {}
            lines.digest()
        };
        let forwards = |bytes: &[u8]| {
            let mut lines = Lines::open(file(bytes).path()).unwrap();
            while lines.advance().unwrap() {}
            lines.digest()
        };
        let turned = read(b"head\n3\n2\n\n1\n");
        assert_eq!(turned, forwards(b"head\n1\n\n2\n3\n"));
        assert_eq!(turned, read(&gzip(b"head\n3\n2\n\n1\n")));
        assert_eq!(turned, read(b"head\n3\n2\n\n1"), "an end of line more is no other data");
        for other in
            [&b"Head\n3\n2\n\n1\n"[..], b"head\n3\n2\n\n0\n", b"head\n3\n2\n1\n", b"head\n3\n2\n", b"head\n2\n3\n\n1\n"]
        {
            assert_ne!(turned, read(other), "{other:?}");
        }
    }

    #[test]
    fn utf_16_is_told_with_a_mark_or_without_packed_or_not() {
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            let encode = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(bytes).collect() };
            for text in ["time,price\n1000,600\n", "\u{feff}time,price\n1000,600\n"] {
                for content in [encode(text), gzip(&encode(text))] {
                    let file = file(&content);
                    let error = Lines::open(file.path()).unwrap().advance().unwrap_err().to_string();
                    assert_eq!(
                        error,
                        format!("{}: is UTF-16 text; save the file as UTF-8", file.path().display()),
                        "{text:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_line_can_be_read_again() {
        let mut lines = Lines::open(file(b"a\nb\n").path()).unwrap();
        assert!(lines.advance().unwrap());
        lines.step_back();
        assert!(lines.advance().unwrap());
        assert_eq!(lines.line(), "a");
        assert!(lines.advance().unwrap());
        assert_eq!(lines.line(), "b");
        assert!(!lines.advance().unwrap());
    }
}

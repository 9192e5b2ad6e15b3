//! A file as lines of text, unpacked on the way. May not know what the lines mean.

use std::fs::{self, File, FileType};
use std::io::{self, BufRead, BufReader, Cursor, Read};
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
const BYTE_ORDER_MARK: &str = "\u{feff}";
/// The longest line that is read, in bytes with its end.
pub(crate) const LINE_MAX: u64 = 1 << 20;
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

/// The lines of one file, one at a time, blank ones left out.
pub(crate) struct Lines {
    file: Arc<str>,
    reader: Box<dyn BufRead + Send>,
    gzip: bool,
    text: String,
    number: u64,
    again: bool,
    order: Order,
    bytes: u64,
    crc: Crc,
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
        let reader: Box<dyn BufRead + Send> = if gzip {
            Box::new(BufReader::with_capacity(CHUNK, MultiGzDecoder::new(packed)))
        } else {
            Box::new(packed)
        };
        let (text, order) = (String::new(), Order::Forwards);
        Ok(Self { file, reader, gzip, text, number: 0, again: false, order, bytes: 0, crc: Crc::new() })
    }

    /// The lines behind the current one, from the last to the first.
    pub(crate) fn turned(self, path: &Path) -> Result<Self, DataError> {
        let file = Arc::clone(&self.file);
        let longest = usize::try_from(LINE_MAX).unwrap_or(usize::MAX);
        let source = File::open(path).map_err(|cause| DataError::open(Arc::clone(&file), cause))?;
        let (reader, lines): (Box<dyn BufRead + Send>, u64) = if self.gzip {
            let mut text = Vec::new();
            let unpacked = MultiGzDecoder::new(BufReader::with_capacity(CHUNK, source));
            unpacked.take(TURNED_MAX + 1).read_to_end(&mut text).map_err(|cause| self.failed(cause))?;
            if text.len() as u64 > TURNED_MAX {
                return Err(DataError::TooLargeToTurn { file, max: TURNED_MAX });
            }
            let (reader, lines) = Backwards::new(Cursor::new(text), longest).map_err(|cause| self.failed(cause))?;
            (Box::new(reader), lines)
        } else {
            let (reader, lines) = Backwards::new(source, longest).map_err(|cause| self.failed(cause))?;
            (Box::new(reader), lines)
        };
        let order = Order::Backwards { head: self.number };
        Ok(Self { reader, text: String::new(), number: lines + 1, again: false, order, ..self })
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
            if !self.line().trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    /// The current line, without its end.
    pub(crate) fn line(&self) -> &str {
        let line = self.text.trim_end_matches(['\n', '\r']);
        if self.number == 1 { line.trim_start_matches(BYTE_ORDER_MARK) } else { line }
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
    pub(crate) fn digest(&self) -> Digest {
        Digest { bytes: self.bytes, crc32: self.crc.sum() }
    }

    fn read_line(&mut self) -> Result<bool, DataError> {
        // The buffer goes round as bytes and comes back as checked text, so no line is ever copied.
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        bytes.clear();
        match self.order {
            Order::Forwards => self.number += 1,
            Order::Backwards { head } if self.number <= head + 1 => return Ok(false),
            Order::Backwards { .. } => self.number -= 1,
        }
        let read = (&mut self.reader).take(LINE_MAX + 1).read_until(b'\n', &mut bytes);
        let length = read.map_err(|cause| self.failed(cause))?;
        if length == 0 {
            return Ok(false);
        }
        self.bytes += length as u64;
        self.crc.update(&bytes);
        if length as u64 > LINE_MAX {
            return Err(DataError::LineLength { place: self.place() });
        }
        if self.number == 1 && is_utf16(&bytes) {
            return Err(DataError::Binary { file: self.file(), what: UTF16, remedy: TO_UTF8 });
        }
        self.text = String::from_utf8(bytes).map_err(|_| DataError::NotText { place: self.place() })?;
        Ok(true)
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
        let mut line = vec![b'x'; usize::try_from(LINE_MAX).unwrap() - 1];
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

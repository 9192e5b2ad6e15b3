//! A recording as it is written: gzip members of a second at most, so that a torn tail loses only itself.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::time::Timestamp;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::statements::Statements;

/// How long a member waits for more.
const MEMBER: Duration = Duration::from_secs(1);
/// How much text a member has, at most but for its last line.
const MEMBER_BYTES: usize = 1 << 20;
/// Milliseconds in a day: no file is longer.
const DAY_MS: i64 = 86_400_000;

/// Writes one recording, into one file or into one for each period.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    rotate_ms: Option<i64>,
    file: Option<Open>,
    member: Option<Member>,
    statements: Option<Statements>,
    /// Bytes that are in files.
    pub bytes: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    /// Until when it is written to; nothing where there is no other.
    until: Option<Timestamp>,
}

/// Lines that are not in the file yet.
#[derive(Debug)]
struct Member {
    packed: GzEncoder<Vec<u8>>,
    text: usize,
    /// By the clock of who writes.
    begun: Duration,
}

/// What could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {cause}", .path.display())]
pub(super) struct WriteError {
    path: PathBuf,
    pub cause: io::Error,
}

impl Writer {
    /// Begins at `now`; a file that is there is not touched.
    pub fn create(path: &Path, rotate: Option<Duration>, now: Timestamp) -> Result<Self, WriteError> {
        let rotate_ms = rotate.map(|rotate| i64::try_from(rotate.as_millis()).unwrap_or(DAY_MS));
        let mut writer =
            Self { path: path.to_owned(), rotate_ms, file: None, member: None, statements: None, bytes: 0 };
        writer.open(now)?;
        Ok(writer)
    }

    /// Each file says this of itself.
    pub fn saying(mut self, statements: Statements) -> Self {
        self.statements = Some(statements);
        self
    }

    fn open(&mut self, now: Timestamp) -> Result<(), WriteError> {
        let (path, until) = match self.rotate_ms {
            None => (self.path.clone(), None),
            Some(rotate) => {
                let begins = now.millis().div_euclid(rotate).saturating_mul(rotate);
                (named(&self.path, now), Some(Timestamp::from_millis(begins.saturating_add(rotate))))
            }
        };
        let refuse = |cause| WriteError { path: path.clone(), cause };
        let file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(refuse)?;
        self.file = Some(Open { file, path, until });
        if let Some(statements) = &mut self.statements {
            statements.begin();
        }
        Ok(())
    }

    /// The file that is written to.
    pub fn path(&self) -> &Path {
        self.file.as_ref().map_or(&self.path, |open| &open.path)
    }

    /// Takes a frame that was read at these nanoseconds since 1970, at `passed` by the caller's clock.
    pub fn frame(&mut self, (nanos, frame): &(i64, String), passed: Duration) -> Result<(), WriteError> {
        let at = Timestamp::from_millis(nanos.div_euclid(1_000_000));
        if self.file.as_ref().is_some_and(|open| open.until.is_some_and(|until| at >= until)) {
            self.close()?;
            self.open(at)?;
        }
        for said in self.statements.iter_mut().flat_map(|statements| statements.before(frame)).collect::<Vec<_>>() {
            self.line(*nanos, &said, passed)?;
        }
        self.line(*nanos, frame, passed)?;
        self.flush_if_due(passed)
    }

    fn line(&mut self, nanos: i64, text: &str, passed: Duration) -> Result<(), WriteError> {
        let path = self.path().to_owned();
        let member = self.member.get_or_insert_with(|| Member {
            packed: GzEncoder::new(Vec::new(), Compression::default()),
            text: 0,
            begun: passed,
        });
        let line = format!("{nanos} {}\n", text.trim_ascii_end());
        member.packed.write_all(line.as_bytes()).map_err(|cause| WriteError { path, cause })?;
        member.text += line.len();
        Ok(())
    }

    /// Puts the lines into the file that have waited for a second.
    pub fn flush_if_due(&mut self, passed: Duration) -> Result<(), WriteError> {
        let is_due = |member: &Member| passed.saturating_sub(member.begun) >= MEMBER || member.text >= MEMBER_BYTES;
        if self.member.as_ref().is_some_and(is_due) { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        let (Some(member), Some(open)) = (self.member.take(), &mut self.file) else { return Ok(()) };
        let refuse = |cause| WriteError { path: open.path.clone(), cause };
        let packed = member.packed.finish().map_err(refuse)?;
        open.file.write_all(&packed).map_err(refuse)?;
        self.bytes = self.bytes.saturating_add(packed.len() as u64);
        Ok(())
    }

    /// Everything is in the file, and the file on the disk.
    pub fn close(&mut self) -> Result<(), WriteError> {
        self.flush()?;
        let Some(open) = self.file.take() else { return Ok(()) };
        open.file.sync_all().map_err(|cause| WriteError { path: open.path, cause })
    }
}

/// `btc.gz` as of a time: `btc-20260131T120000Z.gz`.
fn named(path: &Path, at: Timestamp) -> PathBuf {
    let text = engine::time::rfc3339::text(Timestamp::from_millis(at.millis().div_euclid(1_000) * 1_000));
    let stamp: String = text.replace(".000", "").chars().filter(|c| !matches!(c, '-' | ':')).collect();
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (stem, rest) =
        name.split_once('.').map_or((name.as_str(), String::new()), |(stem, rest)| (stem, format!(".{rest}")));
    path.with_file_name(format!("{stem}-{stamp}{rest}"))
}

#[cfg(test)]
mod tests {
    use venue::replay::Replay;

    use super::*;

    /// A trade with the quotes before it, each second two of them.
    fn frames(count: i64) -> Vec<(i64, String)> {
        (0..count)
            .flat_map(|n| {
                let time = 1_700_000_000_000 + 500 * n;
                let book = format!(
                    r#"{{"stream":"btcusdt@bookTicker","data":{{"u":{n},"s":"BTCUSDT","b":"600.1","B":"2","a":"600.2","A":"3"}}}}"#
                );
                let trade = format!(
                    r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":{time},"s":"BTCUSDT","t":{n},"p":"600.15","q":"0.5","T":{time},"m":true,"M":true}}}}"#
                );
                [(time * 1_000_000, book), (time * 1_000_000 + 7, trade)]
            })
            .collect()
    }

    fn ticks(file: &Path) -> Result<u64, String> {
        Replay::scan(&[file.to_path_buf()], &"BTC/USDT".parse().unwrap())
            .map(|summary| summary.ticks)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_kill_at_any_byte_loses_at_most_the_last_second() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("btc.gz");
        let mut writer = Writer::create(&file, None, Timestamp::from_millis(0)).unwrap();
        let mut sizes = Vec::new();
        for frame in frames(9) {
            writer.frame(&frame, Duration::from_nanos(u64::try_from(frame.0).unwrap())).unwrap();
            sizes.push(std::fs::metadata(&file).unwrap().len());
        }
        let before_the_last = sizes.last().copied().unwrap();
        writer.close().unwrap();
        let whole = std::fs::read(&file).unwrap();
        assert_eq!((ticks(&file), writer.bytes), (Ok(9), whole.len() as u64));
        let in_members = ticks(&write(&folder, &whole[..usize::try_from(before_the_last).unwrap()])).unwrap();
        assert!((6..9).contains(&in_members), "{in_members}");
        for end in usize::try_from(before_the_last).unwrap()..whole.len() {
            let found = ticks(&write(&folder, &whole[..end]));
            assert!(found.as_ref().is_ok_and(|found| (in_members..=9).contains(found)), "cut at {end}: {found:?}");
        }
        // What is damaged, and not torn, is refused still.
        let mut damaged = whole.clone();
        damaged[40] ^= 0xff;
        assert!(ticks(&write(&folder, &damaged)).is_err());
    }

    fn write(folder: &tempfile::TempDir, bytes: &[u8]) -> PathBuf {
        let path = folder.path().join("cut.gz");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn periods_have_files_of_their_own_that_are_read_together() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("btc.gz");
        let first = Timestamp::from_millis(1_700_000_000_000);
        let mut writer = Writer::create(&file, Some(Duration::from_secs(2)), first).unwrap();
        for frame in frames(9) {
            writer.frame(&frame, Duration::ZERO).unwrap();
        }
        writer.close().unwrap();
        let mut files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect();
        assert_eq!(names, ["btc-20231114T221320Z.gz", "btc-20231114T221322Z.gz", "btc-20231114T221324Z.gz"]);
        let summary = Replay::scan(&files, &"BTC/USDT".parse().unwrap()).unwrap();
        assert_eq!(summary.ticks, 9);
        // Nothing that is there is written over.
        let again = Writer::create(&files[0], None, first).unwrap_err();
        assert_eq!(again.cause.kind(), io::ErrorKind::AlreadyExists);
    }
}

//! The real `worker`, for tests that run it as its users do: where it is, and one command from its start to its
//! end. It is found, never built here: which one a test runs must be plain before it starts.
#![allow(clippy::panic, clippy::expect_used, clippy::missing_panics_doc, reason = "only tests call this")]

use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

/// Far more than any command takes on a busy machine.
const END_WITHIN: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(5);
const REMEDY: &str = "run `cargo build -p worker` first, with the profile of the tests (tests/run does)";

/// The program named by `WORKER_BINARY`, or else the one that cargo built beside the running test. Stops the
/// test if it is not there, or older than its sources: a test of yesterday's program proves nothing.
pub fn worker_binary() -> PathBuf {
    if let Some(named) = env::var_os("WORKER_BINARY") {
        let named = PathBuf::from(named);
        assert!(named.is_file(), "WORKER_BINARY: {} is no file", named.display());
        return named;
    }
    // target/<profile>/deps/<test> and target/<profile>/worker
    let test = env::current_exe().expect("a process knows its program");
    let folder = test.parent().and_then(Path::parent).expect("cargo puts tests two folders deep");
    let binary = folder.join("worker");
    assert!(binary.is_file(), "{} is not there; {REMEDY}", binary.display());
    if let Some(source) = newer_source(&binary) {
        panic!("{} is older than {}; {REMEDY}", binary.display(), source.display());
    }
    binary
}

/// A source that changed after `binary` was built, by the list that cargo writes beside it.
fn newer_source(binary: &Path) -> Option<PathBuf> {
    let list = fs::read_to_string(binary.with_extension("d")).expect("cargo lists a binary's sources");
    let (_, sources) = list.split_once(": ")?;
    // Where a path holds a space, its parts are no files and are passed over.
    let mut sources = sources.split_whitespace().map(PathBuf::from);
    let built = modified(binary)?;
    sources.find(|source| modified(source).is_some_and(|changed| changed > built))
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|data| data.modified()).ok()
}

/// What a command has said, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Its exit code; none if a signal killed it.
    pub code: Option<i32>,
    /// Its data.
    pub stdout: String,
    /// Its talk.
    pub stderr: String,
}

/// A command that runs; killed on drop.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

/// Runs `worker` with these arguments in `folder` to its end, with no environment of its own and no terminal.
pub fn run_worker(folder: &Path, arguments: &[&str]) -> Finished {
    Running::start(folder, arguments).end()
}

impl Running {
    /// Starts `worker` as [`run_worker`] does.
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(worker_binary());
        command.args(arguments).current_dir(folder).env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the worker starts");
        let (stdout, out) = collect(child.stdout.take().expect("stdout is piped"));
        let (stderr, err) = collect(child.stderr.take().expect("stderr is piped"));
        Self { child, stdout, stderr, readers: vec![out, err] }
    }

    /// Waits until its talk holds `words`.
    pub fn await_talk(&mut self, words: &str) {
        let deadline = Instant::now() + END_WITHIN;
        while !said(&self.stderr).contains(words) {
            let ended = self.child.try_wait().expect("our own child can be asked");
            assert!(ended.is_none() && Instant::now() < deadline, "no {words:?} in: {}", said(&self.stderr));
            thread::sleep(POLL);
        }
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let kill = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
        assert!(kill.expect("sh starts").success(), "the worker is there to be asked to stop");
    }

    /// Waits for its end; fails the test past a deadline that no command comes near.
    pub fn end(mut self) -> Finished {
        let deadline = Instant::now() + END_WITHIN;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("our own child can be asked") {
                break status;
            }
            let (stdout, stderr) = (said(&self.stdout), said(&self.stderr));
            assert!(Instant::now() < deadline, "the worker does not end; so far: {stdout}\n{stderr}");
            thread::sleep(POLL);
        };
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader only reads");
        }
        Finished { code: status.code(), stdout: said(&self.stdout), stderr: said(&self.stderr) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails where it has ended already, and then there is nothing to do.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn said(text: &Mutex<String>) -> String {
    text.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Reads to the end, so that the child never waits for us.
fn collect(stream: impl Read + Send + 'static) -> (Arc<Mutex<String>>, JoinHandle<()>) {
    let text = Arc::new(Mutex::new(String::new()));
    let shared = Arc::clone(&text);
    let reader = thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let line = String::from_utf8(line.expect("a pipe can be read")).expect("the worker writes text");
            let mut text = shared.lock().unwrap_or_else(PoisonError::into_inner);
            text.push_str(&line);
            text.push('\n');
        }
    });
    (text, reader)
}

//! One process of the worker: its end, its log, its readiness and the processor time it has used.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{DEADLINE, until};

/// The signals that ask a worker to stop, and their numbers.
const HANDLED: [(&str, u32); 2] = [("INT", 2), ("TERM", 15)];

/// A started process, killed on drop.
#[derive(Debug)]
pub struct RoleProcess {
    name: String,
    pid: u32,
    child: Arc<Mutex<Child>>,
    log: PathBuf,
    /// How much of the log was there before this start.
    log_start: usize,
    out: PathBuf,
}

impl RoleProcess {
    pub(super) fn start(name: &str, command: &mut Command, log: PathBuf, out: PathBuf) -> Self {
        let log_start = fs::metadata(&log).map_or(0, |data| usize::try_from(data.len()).unwrap_or_default());
        let child = command.spawn().expect("the worker starts");
        Self { name: name.to_owned(), pid: child.id(), child: Arc::new(Mutex::new(child)), log, log_start, out }
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        lock(&self.child)
    }

    /// Ends it with SIGKILL and waits until it is dead; callable from another thread.
    pub fn killer(&self) -> impl FnOnce() + Send + use<> {
        let child = Arc::clone(&self.child);
        move || {
            let mut child = lock(&child);
            child.kill().and_then(|()| child.wait()).expect("our own child can be killed");
        }
    }

    /// Its process id.
    pub const fn id(&self) -> u32 {
        self.pid
    }

    /// Ends it with SIGKILL.
    pub fn kill(&self) {
        self.killer()();
    }

    /// The processes that it has started and not waited for.
    pub fn children(&self) -> Vec<u32> {
        let processes = fs::read_dir("/proc").expect("processes are listed").filter_map(Result::ok);
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let parent = |id: &u32| {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse::<u32>().ok()
        };
        ids.filter(|id| parent(id) == Some(self.pid)).collect()
    }

    /// Sends a signal by name, such as TERM. A process just started would die of TERM or INT: those wait until it has
    /// its handler.
    pub fn signal(&self, name: &str) {
        if let Some((_, number)) = HANDLED.iter().find(|(handled, _)| *handled == name) {
            let what = format!("{} to handle {name}; its log: {}", self.name, self.log());
            until(&what, DEADLINE, || self.handles_or_has_ended(*number).then_some(()));
        }
        let sent = Command::new("kill").args(["-s", name, &self.pid.to_string()]).status();
        assert!(sent.expect("kill is there").success(), "{} takes the signal {name}", self.name);
    }

    /// From /proc, without taking its exit code: whoever asked for that later would be told of nobody.
    fn handles_or_has_ended(&self, signal: u32) -> bool {
        let Ok(status) = fs::read_to_string(format!("/proc/{}/status", self.pid)) else { return true };
        let value = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let caught = value("SigCgt:").and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or_default();
        value("State:").is_some_and(|state| state.starts_with('Z')) || caught & (1 << (signal - 1)) != 0
    }

    /// Its exit code if it has ended; -1 if a signal ended it.
    pub fn ended(&self) -> Option<i32> {
        let status = self.child().try_wait().expect("our own child can be asked")?;
        Some(status.code().unwrap_or(-1))
    }

    /// Waits for its end and gives the exit code.
    pub fn exit_code(&self) -> i32 {
        self.exit_code_within(DEADLINE)
    }

    /// Waits so long for its end and gives the exit code.
    pub fn exit_code_within(&self, within: Duration) -> i32 {
        until(&format!("the end of {}; its log: {}", self.name, self.log()), within, || self.ended())
    }

    /// Asks it to stop; it must do so cleanly.
    pub fn stop(&self) {
        self.signal("TERM");
        assert_eq!(self.exit_code(), 0, "{} stops; its log: {}", self.name, self.log());
    }

    /// What it has said, and whoever was started under its name since.
    pub fn log(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(log.get(self.log_start..).unwrap_or_default()).into_owned()
    }

    /// What it has printed.
    pub fn out(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }

    /// Waits until its log holds the text.
    pub fn says(&self, text: &str) {
        let what = format!("{} to say {text:?}", self.name);
        until(&what, DEADLINE, || self.log().contains(text).then_some(()));
    }

    /// Whether /readyz says yes, and its text.
    pub fn readiness(&self) -> (bool, String) {
        let answer = self.get("/readyz");
        let ready = answer.starts_with("HTTP/1.1 200");
        (ready, answer.split_once("\r\n\r\n").map(|(_, body)| body.trim().to_owned()).unwrap_or_default())
    }

    /// Waits until /readyz says no with this text in it, and gives the whole.
    pub fn not_ready(&self, reason: &str) -> String {
        until(&format!("{} not ready for {reason}", self.name), DEADLINE, || {
            assert_eq!(self.ended(), None, "{} runs on; its log: {}", self.name, self.log());
            let (ready, text) = self.readiness();
            (!ready && text.contains(reason)).then_some(text)
        })
    }

    /// Waits until /readyz says yes.
    pub fn ready(&self) {
        until(&format!("{} ready", self.name), DEADLINE, || {
            assert_eq!(self.ended(), None, "{} runs; its log: {}", self.name, self.log());
            self.readiness().0.then_some(())
        });
    }

    fn get(&self, path: &str) -> String {
        let address = self.admin();
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        ask().unwrap_or_default()
    }

    /// The admin address, from the log: the port was the system's choice.
    pub fn admin(&self) -> SocketAddr {
        until(&format!("the admin address of {}", self.name), DEADLINE, || {
            let log = self.log();
            let (_, rest) = log.split_once("\"address\":\"")?;
            rest.split_once('"')?.0.parse().ok()
        })
    }

    /// The processor time used so far.
    pub fn cpu_time(&self) -> Duration {
        /// What the kernel counts in, in /proc: always 100 a second for programs.
        const TICK: Duration = Duration::from_millis(10);
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).expect("the process is there");
        // After the name in parentheses: fields 14 and 15 of the whole are time in user and in kernel mode.
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: u32 = fields[11..13].iter().map(|field| field.parse::<u32>().expect("a number")).sum();
        TICK * ticks
    }
}

impl Drop for RoleProcess {
    fn drop(&mut self) {
        let mut child = self.child();
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn lock(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

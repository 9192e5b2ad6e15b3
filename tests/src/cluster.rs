//! A test inside a whole cluster: `tests/cluster/up` has started it and its `enter` runs the test, so pods, Services
//! and the API server are in reach. kubectl and helm are used where a user would; what is asked again and again goes
//! to the API server itself.
#![allow(clippy::panic, clippy::expect_used, clippy::missing_panics_doc, reason = "only tests call this")]

mod history;
pub mod manifest;
mod platform;
mod scenario;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

pub use history::{PodHistory, PodSeen};
pub use platform::{Platform, backtest};
pub use scenario::{Kind, Scenario};

const POLL: Duration = Duration::from_millis(200);

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in the repository")
}

/// Asks until there is an answer and says how long it took; past the deadline the test fails with the last refusal.
pub fn await_that<T>(what: &str, seconds: u64, mut probe: impl FnMut() -> Result<T, String>) -> T {
    let (begun, within) = (Instant::now(), Duration::from_secs(seconds));
    loop {
        match probe() {
            Ok(found) => {
                eprintln!("  {:5.1} s  {what}", begun.elapsed().as_secs_f64());
                return found;
            }
            Err(refusal) => assert!(begun.elapsed() < within, "waited {within:?} in vain: {what}; last: {refusal}"),
        }
        thread::sleep(POLL);
    }
}

/// Runs a program to its end with this input: its data, or what it said instead.
pub fn try_run(program: &str, arguments: &[&str], input: &str) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(repository());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} does not start ({error}); run tests/run cluster"));
    child.stdin.take().expect("stdin is piped").write_all(input.as_bytes()).ok();
    let output = child.wait_with_output().expect("a child ends");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(said(&output.stdout))
    } else {
        Err(format!("{program} {}: {}{}", arguments.join(" "), said(&output.stderr), said(&output.stdout)))
    }
}

/// The same for what must not fail.
pub fn run(program: &str, arguments: &[&str], input: &str) -> String {
    try_run(program, arguments, input).unwrap_or_else(|refusal| panic!("{refusal}"))
}

/// kubectl, which must not fail.
pub fn kubectl(arguments: &[&str]) -> String {
    run("kubectl", arguments, "")
}

/// The part of a document at a path such as `/status/epoch`, as text; empty where it is absent.
pub fn text(document: &Value, path: &str) -> String {
    match document.pointer(path) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// The number at a path; 0 where it is absent.
pub fn number(document: &Value, path: &str) -> u64 {
    document.pointer(path).and_then(Value::as_u64).unwrap_or(0)
}

/// A condition as `Status Reason: message`; empty where it is absent.
pub fn condition(document: &Value, kind: &str) -> String {
    let conditions = document.pointer("/status/conditions").and_then(Value::as_array);
    let found = conditions.and_then(|list| list.iter().find(|condition| condition["type"] == kind));
    found.map_or(String::new(), |found| {
        format!("{} {}: {}", text(found, "/status"), text(found, "/reason"), text(found, "/message"))
    })
}

/// Whether what is told of a strategy is told of its pod of this epoch. An epoch is recorded before its pod is made, and
/// for a moment stands beside what was told of the pod before.
pub fn is_of_epoch(strategy: &Value, epoch: u64) -> bool {
    number(strategy, "/status/epoch") == epoch && text(strategy, "/status/worker/pod").ends_with(&format!("-{epoch}"))
}

/// Sends a signal to the first process of a pod's container, if there is one: a pod's status may be a moment old.
pub fn try_signal_container(pod: &Value, signal: &str) -> Result<(), String> {
    let id = text(pod, "/status/containerStatuses/0/containerID");
    let id = id.strip_prefix("containerd://").ok_or("no container yet")?;
    try_run("ctr", &["-n", "k8s.io", "tasks", "kill", "--signal", signal, id], "").map(|_| ())
}

/// The same where it must be there.
pub fn signal_container(pod: &Value, signal: &str) {
    try_signal_container(pod, signal).unwrap_or_else(|refusal| panic!("{refusal}"));
}

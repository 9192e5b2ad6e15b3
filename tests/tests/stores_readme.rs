//! The README's commands that need a Redis, run as they stand there.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tests::redis_server::RedisServer;
use tests::roles::until;
use tests::worker_binary::{Finished, run_worker, worker_binary};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in the repository").to_owned()
}

/// The README's line that begins so, with another Redis, as arguments of the worker.
fn shown(beginning: &str, redis: &str) -> Vec<String> {
    let readme = fs::read_to_string(repository().join("README.md")).expect("it is there");
    let line = readme.lines().find(|line| line.starts_with(beginning));
    let line = line.unwrap_or_else(|| panic!("README.md shows no {beginning}"));
    let (command, _) = line.split_once(" #").unwrap_or((line, ""));
    let command = command.replace("redis://localhost:6379", redis);
    command.split_whitespace().skip(1).map(str::to_owned).collect()
}

fn run(arguments: &[String]) -> Finished {
    run_worker(&repository(), &arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A command that a shell runs, ended with the test.
struct InShell(Child);

impl InShell {
    fn start(line: &str) -> Self {
        let folder = worker_binary().parent().expect("a program lies in a folder").to_owned();
        let path = env::var("PATH").unwrap_or_default();
        let child = Command::new("sh")
            .args(["-c", &format!("exec {line}")])
            .current_dir(repository())
            .env("PATH", format!("{}:{path}", folder.display()))
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("sh starts"))
    }
}

impl Drop for InShell {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn the_ledger_commands_of_the_readme_run() {
    let redis = RedisServer::start();
    let url = redis.url();
    let created = run(&shown("worker ledger create ", &url));
    assert_eq!(created.code, Some(0), "{}", created.stderr);
    let lines: Vec<&str> = created.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "README.md says that it prints three commands: {lines:?}");
    let _roles: Vec<InShell> = lines.into_iter().map(InShell::start).collect();
    let show = shown("worker ledger show ", &url);
    // The quickstart's paced replay lasts longer than a test; that its end has the bytes of backtest, other tests show.
    let result = until("the first trade", Duration::from_mins(1), || {
        let finished = run(&show);
        let result: Value = serde_json::from_str(&finished.stdout).ok()?;
        (finished.code == Some(0) && result["trades"].as_array().is_some_and(|trades| !trades.is_empty()))
            .then_some(result)
    });
    assert_eq!(result["strategy"], "grid-btc-1");
    // As README.md shows it above.
    assert_eq!((&result["trades"][0]["side"], &result["trades"][0]["price"]), (&"Buy".into(), &"8620.00".into()));
}

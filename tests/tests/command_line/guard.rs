//! `worker guard`: what the process of a strategy reaches, whoever runs its worker, and how long it lives.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tests::worker_binary::worker_binary;

const REACH: &str = include_str!("hostile/reach.py");
const LIVES_ON: &str = include_str!("hostile/lives_on.py");
/// What may be had; all else is denied.
const ALLOWED: [&str; 4] = ["own script", "thread", "null", "own signal"];
const CANARY: &str = "canary-in-the-environment";

/// A folder of this mode with a script.
fn script(text: &str, mode: u32) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("script.py");
    fs::write(&file, text).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
    (folder, file)
}

/// Runs a script under the guard, as the child of this process, with a descriptor and a variable that it must not see.
fn reached(script: &Path) -> String {
    let secrets = tempfile::tempdir().unwrap();
    let secret = secrets.path().join("secret");
    fs::write(&secret, "canary-in-a-file").unwrap();
    fs::set_permissions(secrets.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let parent = std::process::id().to_string();
    let mut shell = Command::new("sh");
    // Descriptor 7 is the secret: opened as whoever started the worker may have done it.
    shell.args(["-c", r#"exec 7<"$1"; shift; exec "$@""#, "sh"]).arg(&secret).arg(worker_binary());
    shell
        .args(["guard", "--parent", &parent, "--", "python3"])
        .arg(script)
        .arg(&parent)
        .arg(format!("secret={}", secret.display()));
    shell.arg(format!("written-{parent}")).env_clear().env("REDIS_URL", CANARY).stdin(Stdio::null());
    let done = shell.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{}: {said}", done.status);
    said
}

#[test]
fn a_strategys_process_reaches_nothing_but_its_own_script() {
    // Where others can read the script it runs as a user of its own if it can; else as root without root's rights.
    for mode in [0o755, 0o700] {
        let (_folder, script) = script(REACH, mode);
        let said = reached(&script);
        let attempts: Vec<_> =
            said.lines().filter(|line| line.contains(" got ") || line.contains(" denied ")).collect();
        assert_eq!(attempts.len(), 31, "{said}");
        for line in attempts {
            let may = ALLOWED.iter().any(|what| line.starts_with(what));
            assert!(line.contains(if may { " got " } else { " denied " }), "mode {mode:o}: {line}\n{said}");
        }
        assert!(said.contains("\ndescriptors []\n") && !said.contains("REDIS_URL"), "{said}");
        assert!(!said.contains("canary"), "{said}");
        assert!(!script.with_extension("py.new").exists());
    }
}

/// Of root's own: with another user's rights where that user can read the script.
#[test]
fn root_gives_its_process_a_user_of_its_own() {
    let (_folder, script) = script(REACH, 0o755);
    let own = fs::metadata(&script).unwrap();
    let open = script.ancestors().skip(1).all(|folder| fs::metadata(folder).unwrap().permissions().mode() & 0o1 == 1);
    let user = std::os::unix::fs::MetadataExt::uid(&own);
    let said = reached(&script);
    let told: u32 = said.lines().find_map(|line| line.strip_prefix("user ")).unwrap().parse().unwrap();
    if user == 0 && open { assert!(told > 1_879_048_192, "{said}") } else { assert_eq!(told, user, "{said}") }
}

#[test]
fn it_ends_with_its_worker_whatever_it_ignores() {
    let (_folder, script) = script(LIVES_ON, 0o755);
    let mut shell = Command::new("sh");
    // The shell stands for the worker.
    let line = r#""$0" guard --parent $$ -- python3 "$1" & echo $!; wait"#;
    shell.args(["-c", line]).arg(worker_binary()).arg(&script).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut worker = shell.spawn().unwrap();
    let mut lines = BufReader::new(worker.stdout.take().unwrap()).lines().map(Result::unwrap);
    let child = lines.next().unwrap();
    assert_eq!(lines.next().unwrap(), "alive");
    let process = PathBuf::from(format!("/proc/{child}/stat"));
    assert!(process.exists());
    worker.kill().unwrap();
    worker.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    // It may stay as a dead entry for as long as nobody asks for how it ended.
    while fs::read_to_string(&process).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "process {child} lives on");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_script_that_is_run_by_itself_reads_what_lies_beside_it_where_it_may_be_run() {
    for (mode, words) in
        [(0o755, "from beside it"), (0o644, "write its interpreter before it, such as [python3, FILE]")]
    {
        let (folder, script) = script("#!/bin/sh\nread line < \"${0%/*}/beside\"\necho \"$line\"\n", 0o755);
        fs::set_permissions(&script, fs::Permissions::from_mode(mode)).unwrap();
        fs::write(folder.path().join("beside"), "from beside it\n").unwrap();
        let parent = std::process::id().to_string();
        let mut guard = Command::new(worker_binary());
        let done = guard.args(["guard", "--parent", &parent, "--"]).arg(&script).output().unwrap();
        let said = [done.stdout, done.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        assert!(said.contains(words), "mode {mode:o}: {said}");
    }
}

#[test]
fn what_cannot_be_run_is_said() {
    let parent = std::process::id().to_string();
    for (arguments, words) in [
        (
            ["--parent", &parent, "--", "no-such-program"],
            "the program no-such-program is not there; install it, take an image that has it",
        ),
        (["--parent", "1", "--", "true"], "its worker, process 1, is gone"),
    ] {
        let done = Command::new(worker_binary()).arg("guard").args(arguments).env_clear().output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success() && said.contains(words), "{said}");
    }
}

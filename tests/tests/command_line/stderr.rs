//! Talk that nobody can hear costs neither the result nor the exit code.

use std::fs::File;
use std::process::{Command, Output, Stdio};

use tests::worker_binary::worker_binary;

use super::folder::{Folder, MANIFEST, V1, prices, with};

/// A stderr that takes no word.
enum Deaf {
    /// Its reader has gone, as after `2>&1 | head -2`.
    Pipe,
    /// Its disk is full.
    Full,
    /// It was closed before the start.
    Closed,
    /// It is a pipe that is full, and whoever holds it does not read.
    Stuck,
}

impl Deaf {
    const ALL: [Self; 4] = [Self::Pipe, Self::Full, Self::Closed, Self::Stuck];

    fn run(&self, folder: &Folder, arguments: &str) -> Output {
        let mut command = Command::new("sh");
        let close = match self {
            Self::Closed => " 2>&-",
            Self::Pipe | Self::Full | Self::Stuck => "",
        };
        // One that hangs is killed, and that is its exit code.
        let script = format!("exec timeout -s KILL 60 '{}' {arguments}{close}", worker_binary().display());
        command.args(["-c", &script]).current_dir(folder.path()).stdin(Stdio::null());
        let (reader, writer) = std::io::pipe().unwrap();
        match self {
            Self::Pipe => {
                drop(reader);
                command.stderr(writer);
            }
            Self::Stuck => {
                // A description of its own, so that only this write does not wait.
                let fill = ["if=/dev/zero", "of=/dev/stdout", "oflag=nonblock", "bs=4096", "status=none"];
                let mut dd = Command::new("dd");
                dd.args(fill).stdout(writer.try_clone().unwrap()).stderr(Stdio::null());
                assert!(!dd.status().unwrap().success(), "it ends when the pipe is full");
                command.stderr(writer);
            }
            Self::Full => {
                command.stderr(File::options().write(true).open("/dev/full").unwrap());
            }
            Self::Closed => {}
        }
        // The log says much, and all of it in vain.
        command.env("GLM_LOG", "trace").output().unwrap()
    }
}

#[track_caller]
fn is_told(folder: &Folder, arguments: &str, code: i32) {
    let heard = folder.worker(arguments);
    assert_eq!(heard.code, Some(code), "{}", heard.stderr);
    assert!(!heard.stderr.is_empty(), "worker {arguments} has something to say");
    for deaf in Deaf::ALL {
        let output = deaf.run(folder, arguments);
        assert_eq!(output.status.code(), Some(code), "worker {arguments}: {}", output.status);
        assert_eq!(String::from_utf8(output.stdout).unwrap(), heard.stdout, "worker {arguments}");
    }
}

#[test]
fn a_result_is_printed_and_counts_as_ever() {
    let folder = Folder::of(MANIFEST, &prices(V1));
    folder.write("strategy.yaml", super::folder::strategy_of(MANIFEST));
    is_told(&folder, "run grid.yaml", 0);
    is_told(&folder, "run grid.yaml -v", 0);
    is_told(&folder, "backtest strategy.yaml --data prices.csv", 0);
    is_told(&folder, "validate strategy.yaml", 0);
}

#[test]
fn a_failure_keeps_its_exit_code() {
    let folder = Folder::of(&with(MANIFEST, "gridSizePercent: 2", "gridSizePercent: -2"), &prices(V1));
    is_told(&folder, "validate grid.yaml", 4);
    is_told(&folder, "run grid.yaml", 4);
    is_told(&folder, "run absent.yaml", 3);
    is_told(&folder, "run", 2);
}

/// As on a terminal, where both are one.
#[test]
fn the_result_stands_after_what_was_said_before_it() {
    let folder = Folder::of(MANIFEST, &prices(V1));
    for _ in 0..10 {
        let script = format!("'{}' run grid.yaml -v >all 2>&1", worker_binary().display());
        assert!(Command::new("sh").args(["-c", &script]).current_dir(folder.path()).status().unwrap().success());
        let all = std::fs::read_to_string(folder.path().join("all")).unwrap();
        let place = |words: &str| all.find(words).unwrap_or_else(|| panic!("no {words:?} in:\n{all}"));
        assert!(place("  data ended: ") < place("\nNAME ") && place("\nNAME ") < place("\nNext: "), "{all}");
    }
}

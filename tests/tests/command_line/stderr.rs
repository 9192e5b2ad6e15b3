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
}

impl Deaf {
    const ALL: [Self; 3] = [Self::Pipe, Self::Full, Self::Closed];

    fn run(&self, folder: &Folder, arguments: &str) -> Output {
        let mut command = Command::new("sh");
        let close = match self {
            Self::Closed => " 2>&-",
            Self::Pipe | Self::Full => "",
        };
        let script = format!("exec '{}' {arguments}{close}", worker_binary().display());
        command.args(["-c", &script]).current_dir(folder.path()).stdin(Stdio::null());
        match self {
            Self::Pipe => {
                let (reader, writer) = std::io::pipe().unwrap();
                drop(reader);
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

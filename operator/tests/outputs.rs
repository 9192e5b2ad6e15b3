//! The real program on its command line: what it does when nobody can read what it says.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs::File;
use std::io::{PipeReader, PipeWriter, pipe};
use std::net::TcpListener;
use std::process::{Command, Stdio};

const RUN: [&str; 7] = ["run", "--redis", "redis://127.0.0.1:1", "--namespaces", "default", "--image", "worker"];
/// An address that the system chooses.
const FREE: [&str; 2] = ["--admin", "127.0.0.1:0"];

fn operator() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_operator"));
    command.env_clear().stdin(Stdio::null());
    command
}

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

fn without_reader() -> PipeWriter {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    writer
}

/// A pipe that is full, and the reader that does not read.
fn stuck() -> (PipeReader, PipeWriter) {
    let (reader, writer) = pipe().unwrap();
    // A description of its own, so that only this write does not wait.
    let fill = ["if=/dev/zero", "of=/dev/stdout", "oflag=nonblock", "bs=4096", "status=none"];
    let mut dd = Command::new("dd");
    dd.args(fill).stdout(writer.try_clone().unwrap()).stderr(Stdio::null());
    assert!(!dd.status().unwrap().success(), "it ends when the pipe is full");
    (reader, writer)
}

#[test]
fn definitions_that_nobody_reads_on_are_no_failure() {
    let output = operator().arg("crds").stdout(without_reader()).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{}", output.status);
    let output = operator().arg("crds").stdout(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", output.status);
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("print: "), "{output:?}");
}

#[test]
fn an_admin_address_that_is_taken_is_an_error() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = operator().args(RUN).args(["--admin", &address]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", output.status);
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(talk.contains(&format!("--admin {address}: choose a free address: ")), "{talk}");
}

#[test]
fn a_failure_that_nobody_hears_keeps_its_exit_code() {
    // No API server is named, neither in the environment nor in a file.
    let heard = operator().args(RUN).args(FREE).output().unwrap();
    assert_eq!(heard.status.code(), Some(1), "{}", heard.status);
    assert!(!heard.stderr.is_empty());
    let (_reader, stuck) = stuck();
    for stderr in [full().into(), without_reader().into(), Stdio::from(stuck)] {
        let output = operator().args(RUN).args(FREE).env("GLM_LOG", "trace").stderr(stderr).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", output.status);
    }
}

//! The process: how it starts, what it says, when it ends.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use market_server::process::Server;

use crate::client::{Came, Stream, lively, recording, until};

const PROGRAM: &str = env!("CARGO_BIN_EXE_market-server");

fn kill(signal: &str, id: u32) {
    let killed = Command::new("kill").args([signal, &id.to_string()]).status().expect("kill runs");
    assert!(killed.success());
}

#[test]
fn sigterm_ends_it_in_order() {
    let mut server = lively();
    let mut stream = Stream::open(&server, "/ws/btcusdt@trade");
    stream.trade();
    kill("-TERM", server.id());
    assert_eq!(stream.rest().1, Came::Closed(1001));
    drop(stream);
    let mut status = None;
    until("the process ends", || {
        status = server.ended().expect("it can be asked");
        status.is_some()
    });
    assert!(status.expect("it has ended").success());
}

#[test]
fn it_ends_with_its_parent() {
    let script = format!("{PROGRAM} --random 1 & echo $!; wait");
    let mut shell = Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).spawn().expect("a shell");
    let mut lines = BufReader::new(shell.stdout.take().expect("a pipe")).lines();
    let mut line = || lines.next().expect("a line").expect("text");
    let id: u32 = line().parse().expect("an id");
    assert!(line().starts_with("{\"rest\""), "it is ready");
    shell.kill().expect("it runs");
    shell.wait().expect("it ends");
    // Where nobody waits for orphans, it stays as a zombie.
    let stat = || std::fs::read_to_string(format!("/proc/{id}/stat"));
    until("the server ends", || stat().is_err() || stat().is_ok_and(|stat| stat.contains(") Z ")));
}

#[test]
fn it_listens_where_it_is_told() {
    let server = crate::client::server(&["--random", "1", "--address", "127.0.0.2"]);
    let endpoints = &server.endpoints;
    for (address, scheme) in [(&endpoints.rest, "http"), (&endpoints.stream, "ws"), (&endpoints.control, "http")] {
        assert!(address.starts_with(&format!("{scheme}://127.0.0.2:")), "{address}");
    }
    assert_eq!(crate::client::get(&server, "/api/v3/ping").status, 200);
    Stream::open(&server, "/ws/btcusdt@trade").trade();
}

#[test]
fn bad_options_are_named() {
    let recording = recording();
    let twice = format!("BTCUSDT={recording}");
    for (options, part) in [
        (vec![], "nothing to play"),
        (vec!["--recording", "/nowhere"], "/nowhere: No such file"),
        (vec!["--recording", env!("CARGO_MANIFEST_PATH")], "Cargo.toml, line 1: "),
        (vec!["--candles", "x.csv"], "SYMBOL=FILE is expected"),
        (vec!["--random", "x"], "--random x: invalid digit"),
        (vec!["--random", "1", "--recording", &twice], "BTCUSDT has two sources"),
        (vec!["--random", "1", "--address", "192.0.2.1"], "192.0.2.1:0: Cannot assign"),
        (vec!["--random", "1", "--speed", "0"], "a number above 0"),
        (vec!["--random", "1", "--scenario", env!("CARGO_MANIFEST_PATH")], "--scenario: "),
        (vec!["--random", "1", "--rules", env!("CARGO_MANIFEST_PATH")], "no answer of exchangeInfo"),
    ] {
        let error = Server::spawn(Path::new(PROGRAM), &options).expect_err("it does not start").to_string();
        assert!(error.contains(part), "{options:?}: {error}");
    }
}

//! How a child is started: by its command, with nothing of this process's environment but where programs
//! and their libraries are found.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// Where programs are found, where nothing says so.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Starts a command with pipes to all three of its streams.
pub(super) fn spawn(command: &[String]) -> io::Result<Child> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it is empty"))?;
    Command::new(program)
        .args(arguments)
        // The address of the store, with its password, stands in the environment.
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| name == "HOME"))
        .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| PATH.into()))
        // The order of a set of texts must not be another one in each process.
        .envs([("PYTHONHASHSEED", "0"), ("PYTHONUNBUFFERED", "1"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")])
        // Who stops this process at a terminal does not end the child under it.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

//! `worker guard`: puts bounds on itself and becomes the process of a strategy, which then reaches nothing but its own
//! script, its standard streams and so much memory.
//!
//! What is given up stays given up over exec, so the order matters: first what needs rights, last what takes them away. Each
//! step either holds or the command is not run; which ones a machine can give is told in docs/process-strategies.md.

#[cfg(target_os = "linux")]
mod bounds;
#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod credentials;
#[cfg(target_os = "linux")]
mod needed;
#[cfg(target_os = "linux")]
mod reach;

use std::ffi::OsString;
use std::io;
use std::process::Command;

use crate::process::exit::Failure;

#[cfg(not(target_os = "linux"))]
const NEEDS_LINUX: &str = "process strategies need Linux: elsewhere nothing bounds what their process reaches";

/// What the process may have.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The worker, by its process id: the process ends with it, at once.
    #[arg(long)]
    parent: u32,
    /// Address space in MiB.
    #[arg(long, default_value_t = 1024)]
    memory_mib: u64,
    /// How many threads. It is never more than one process.
    #[arg(long, default_value_t = 64)]
    threads: u64,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// The command that runs this one under bounds, as a child of this process. From now on nobody of the same user looks into this
/// process either: its store's address stands in its environment.
#[cfg(target_os = "linux")]
pub fn guarded(command: &[String]) -> io::Result<Command> {
    let mut guarded = Command::new(std::env::current_exe()?);
    bounds::hide()?;
    guarded.args(["guard", "--parent", &std::process::id().to_string(), "--"]).args(command);
    Ok(guarded)
}

/// Elsewhere nothing of it holds, so nothing is run.
#[cfg(not(target_os = "linux"))]
pub fn guarded(_command: &[String]) -> io::Result<Command> {
    Err(io::Error::new(io::ErrorKind::Unsupported, NEEDS_LINUX))
}

/// Becomes the command. Returns only where it cannot.
#[cfg(target_os = "linux")]
pub fn run(options: &Options) -> Result<(), Failure> {
    use std::os::unix::process::CommandExt as _;

    let mut command = confine(options)?;
    let error = command.exec();
    let remedy = match error.raw_os_error() {
        // A file of a ConfigMap is never executable.
        Some(libc::EACCES | libc::ENOEXEC) => "; write its interpreter before it, such as [python3, FILE]",
        Some(_) | None => "",
    };
    Err(Failure::error(format!("{}: {error}{remedy}", command.get_program().display())))
}

/// Elsewhere nothing of it holds, so nothing is run.
#[cfg(not(target_os = "linux"))]
pub fn run(_options: &Options) -> Result<(), Failure> {
    Err(Failure::refused(NEEDS_LINUX))
}

/// All steps but the last one.
#[cfg(target_os = "linux")]
fn confine(options: &Options) -> Result<Command, Failure> {
    bounds::close_inherited().map_err(failed("close what it inherited"))?;
    bounds::be_first_to_go().map_err(failed("be the first to go when memory is short"))?;
    // Until exec this process is the worker's program with its environment: nobody may look into it, and from here on neither
    // does it, into its own folder in /proc.
    bounds::hide().map_err(failed("hide its memory"))?;
    let needed = needed::Needed::of(&options.command)?;
    bounds::lead_group().map_err(failed("lead a process group"))?;
    let user = credentials::change(&needed)?;
    // A change of user takes the signal away, so it comes after that.
    bounds::end_with(options.parent)?;
    let confined = reach::confine(&needed)?;
    user.holds_with(confined)?;
    needed.can_be_read()?;
    bounds::limit(options.memory_mib, user.is_own().then_some(options.threads)).map_err(failed("set its limits"))?;
    calls::deny().map_err(failed("deny system calls"))?;
    Ok(needed.command())
}

/// A step that did not hold.
#[cfg(target_os = "linux")]
fn failed<E: std::fmt::Display>(step: &'static str) -> impl FnOnce(E) -> Failure {
    move |error| Failure::refused(format!("the process of a strategy cannot {step}, so it is not run: {error}"))
}

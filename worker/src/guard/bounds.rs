//! Limits, lifetime and what is inherited.

use std::fs;
use std::io;

use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, Signal, getppid, set_dumpable_behavior, set_parent_process_death_signal,
    setrlimit, setsid,
};
use rustix::thread::set_no_new_privs;

use crate::process::exit::Failure;

/// Enough for an interpreter that loads its modules.
const OPEN_FILES: u64 = 64;

/// Makes `/proc/PID` of this process root's: another one of the same user can neither read its memory and environment nor
/// trace it.
pub fn hide() -> io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Closes all descriptors but the standard streams: those that the worker itself has are closed by exec, but not those that it
/// was started with.
pub fn close_inherited() -> io::Result<()> {
    let listed: Vec<i32> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|descriptor| *descriptor > 2)
        .collect();
    for descriptor in listed {
        match nix::unistd::close(descriptor) {
            // The listing's own, which is closed with it.
            Ok(()) | Err(nix::errno::Errno::EBADF) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A session of its own: no terminal, and its group is killed as one.
pub fn lead_group() -> io::Result<()> {
    match setsid() {
        // Whoever started it made it the leader of a group already.
        Ok(_) | Err(Errno::PERM) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Who runs out of memory in a pod is the strategy's process, not the worker.
pub fn be_first_to_go() -> io::Result<()> {
    fs::write("/proc/self/oom_score_adj", "1000")
}

/// Address space, files and, where the user is its own, threads. Nothing is written to files, and no core is dumped.
pub fn limit(memory_mib: u64, threads: Option<u64>) -> io::Result<()> {
    let bytes = memory_mib.saturating_mul(1024 * 1024);
    let limits = [
        (Resource::As, bytes),
        (Resource::Data, bytes),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Msgqueue, 0),
        (Resource::Nofile, OPEN_FILES),
    ];
    // Where others run as the same user, they would count too.
    for (resource, most) in limits.into_iter().chain(threads.map(|threads| (Resource::Nproc, threads))) {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(set_no_new_privs(true)?)
}

/// Is killed when the worker's thread that started it ends, however it ends.
pub fn end_with(parent: u32) -> Result<(), Failure> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(super::failed("end with its worker"))?;
    let is_there = i32::try_from(parent).ok().and_then(Pid::from_raw).is_some_and(|parent| getppid() == Some(parent));
    // It may have ended before the signal was asked for.
    if is_there { Ok(()) } else { Err(Failure::error(format!("its worker, process {parent}, is gone"))) }
}

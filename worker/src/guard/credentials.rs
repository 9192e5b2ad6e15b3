//! As whom the process runs.

use std::io;

use rustix::process::{Gid, Uid, geteuid, getpid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, remove_capability_from_bounding_set, set_capabilities, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};

use super::needed::Needed;
use super::reach::Confined;
use crate::process::exit::Failure;

/// The first user of a range that no system gives to anybody; with the process id added, no two live ones are the same.
const FIRST_USER: u32 = 1_879_048_192;

/// As whom it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    /// One that nobody else is: neither files nor processes are its own.
    Own,
    /// The worker's own, who is not root: in a pod nobody can change the user.
    OfWorker,
    /// Root without any of root's rights, because its files are readable by root alone.
    PowerlessRoot,
}

impl User {
    /// Whether nobody else runs as this user.
    pub fn is_own(self) -> bool {
        self == Self::Own
    }

    /// Whether this is enough beside the bounds on files: who is still root owns root's files.
    pub fn holds_with(self, confined: Confined) -> Result<(), Failure> {
        if self == Self::PowerlessRoot && confined == Confined::Not {
            return Err(Failure::refused(
                "the process of a strategy would run as root, and this kernel has no Landlock to bound what it reads: \
                 run the worker as another user, or let others read the program and the script (chmod a+rX)",
            ));
        }
        Ok(())
    }
}

/// Changes the user as far as this process can.
pub fn change(needed: &Needed) -> Result<User, Failure> {
    if !geteuid().is_root() {
        return Ok(User::OfWorker);
    }
    let (user, changed) =
        if needed.is_open_to_others() { (User::Own, become_own()) } else { (User::PowerlessRoot, give_up_rights()) };
    changed.map(|()| user).map_err(super::failed("give up root's rights"))
}

fn become_own() -> io::Result<()> {
    let id = FIRST_USER.saturating_add(getpid().as_raw_nonzero().get().unsigned_abs());
    let (user, group) = (Uid::from_raw(id), Gid::from_raw(id));
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    // Root's rights go with the user.
    Ok(set_thread_res_uid(user, user, user)?)
}

fn give_up_rights() -> io::Result<()> {
    // Exec gives root all rights that are in this set, whatever was given up before.
    for right in (0..u64::BITS).map(|bit| CapabilitySet::from_bits_retain(1 << bit)) {
        match remove_capability_from_bounding_set(right) {
            Ok(()) => {}
            // Past the last one that the kernel knows.
            Err(rustix::io::Errno::INVAL) => break,
            Err(error) => return Err(error.into()),
        }
    }
    set_thread_groups(&[])?;
    let none = CapabilitySet::empty();
    Ok(set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
}

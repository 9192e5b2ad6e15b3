//! System calls that no strategy needs: other processes, networks, and what reaches around the bounds on files. In pods too, on
//! any kernel.
//!
//! What is not named is allowed, so that any language's runtime works; the names are those by which one process of a user gets
//! at another one of the same user, or at a network.

use std::collections::BTreeMap;

use libc::c_long;
use rustix::process::getpid;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Never, whatever the arguments.
const DENIED: &[c_long] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
    libc::SYS_socket,
    libc::SYS_io_uring_setup,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_kcmp,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_shmget,
    libc::SYS_semget,
    libc::SYS_msgget,
    libc::SYS_mq_open,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_open_by_handle_at,
    // Bounds on files that Landlock does not set: whose they are, who may use them, and from when they are.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utime,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utimes,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_futimesat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    SETXATTRAT,
    REMOVEXATTRAT,
    FILE_SETATTR,
];
/// Of kernels since 6.13 and 6.17; the same on each architecture.
const SETXATTRAT: c_long = 463;
const REMOVEXATTRAT: c_long = 466;
const FILE_SETATTR: c_long = 469;

/// Who is signalled when a descriptor is ready, and by which signal: anybody of the same user, and any signal.
const SIGNALS_BY_DESCRIPTOR: [i32; 3] = [libc::F_SETOWN, F_SETOWN_EX, F_SETSIG];
const F_SETSIG: i32 = 10;
const F_SETOWN_EX: i32 = 15;
const FIOSETOWN: u64 = 0x8901;
const SIOCSPGRP: u64 = 0x8902;
/// By these numbers a program of the x32 kind makes some of the calls above; the others have a bit set.
#[cfg(target_arch = "x86_64")]
const X32: [i64; 6] = [521, 524, 533, 536, 539, 540];
#[cfg(target_arch = "x86_64")]
const X32_IOCTL: i64 = 514;
#[cfg(target_arch = "x86_64")]
const X32_BIT: i64 = 0x4000_0000;

/// Denies them from now on, for good.
pub fn deny() -> Result<(), seccompiler::Error> {
    let denied = rules().map_err(seccompiler::Error::Backend)?;
    install(denied, libc::EPERM)?;
    // Its arguments lie in memory, out of sight; who is told that it does not exist takes `clone`.
    install(with_x32(Rules::from([(libc::SYS_clone3, Vec::new())])), libc::ENOSYS)
}

fn rules() -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = DENIED.iter().map(|call| (*call, Vec::new())).collect();
    let own = u64::from(getpid().as_raw_nonzero().get().unsigned_abs());
    let argument = |index, operator, value| SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value);
    let only = |conditions| SeccompRule::new(conditions).map(|rule| vec![rule]);
    // A thread is no process.
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    rules.insert(libc::SYS_clone, only(vec![argument(0, SeccompCmpOp::MaskedEq(thread), 0)?])?);
    // Its own signals, as `abort` sends one.
    rules.insert(libc::SYS_kill, only(vec![argument(0, SeccompCmpOp::Ne, own)?])?);
    rules.insert(libc::SYS_tgkill, only(vec![argument(0, SeccompCmpOp::Ne, own)?])?);
    let others = vec![argument(0, SeccompCmpOp::Ne, own)?, argument(0, SeccompCmpOp::Ne, 0)?];
    rules.insert(libc::SYS_prlimit64, only(others)?);
    let commanded = |commands: &[u64]| {
        let is = |command: &u64| SeccompRule::new(vec![argument(1, SeccompCmpOp::Eq, *command)?]);
        commands.iter().map(is).collect::<Result<Vec<_>, _>>()
    };
    let signals = SIGNALS_BY_DESCRIPTOR.map(|command| u64::from(command.unsigned_abs()));
    rules.insert(libc::SYS_fcntl, commanded(&signals)?);
    rules.insert(libc::SYS_ioctl, commanded(&[FIOSETOWN, SIOCSPGRP])?);
    // What ends it with its worker stays.
    let death = u64::from(libc::PR_SET_PDEATHSIG.unsigned_abs());
    rules.insert(libc::SYS_prctl, only(vec![argument(0, SeccompCmpOp::Eq, death)?])?);
    Ok(with_x32(rules))
}

#[cfg(target_arch = "x86_64")]
fn with_x32(mut rules: Rules) -> Rules {
    let same: Vec<_> = rules.iter().map(|(call, rules)| (call | X32_BIT, rules.clone())).collect();
    rules.extend(same);
    let ioctl = rules.get(&libc::SYS_ioctl).cloned();
    rules.extend(ioctl.map(|rules| (X32_IOCTL | X32_BIT, rules)));
    rules.extend(X32.map(|call| (call | X32_BIT, Vec::new())));
    rules
}

#[cfg(not(target_arch = "x86_64"))]
fn with_x32(rules: Rules) -> Rules {
    rules
}

fn install(rules: Rules, error: i32) -> Result<(), seccompiler::Error> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(seccompiler::Error::Backend)?;
    let action = SeccompAction::Errno(error.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch);
    let program = filter.and_then(BpfProgram::try_from).map_err(seccompiler::Error::Backend)?;
    apply_filter(&program)
}

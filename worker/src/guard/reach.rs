//! What of files, networks and other processes is within reach, by Landlock: nothing but reading what the command needs.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope,
    path_beneath_rules,
};

use super::needed::Needed;
use crate::process::exit::Failure;

/// The newest bounds that are asked for; an older kernel gives those that it has.
const NEWEST: ABI = ABI::V6;

/// Whether the kernel bounds what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confined {
    /// It does.
    To,
    /// It has no Landlock.
    Not,
}

/// Gives up all files but these to read, all TCP ports, and signals and abstract sockets beyond this process.
pub fn confine(needed: &Needed) -> Result<Confined, Failure> {
    let failed = super::failed::<landlock::RulesetError>;
    let rules = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(NEWEST)))
        .and_then(|rules| rules.scope(Scope::from_all(NEWEST)))
        .and_then(Ruleset::create)
        .map_err(failed("have rules for what it reaches"))?;
    let readable = needed.readable();
    let status = rules
        .add_rules(path_beneath_rules(readable, AccessFs::from_read(NEWEST)))
        .and_then(|rules| rules.add_rules(path_beneath_rules(["/dev/null"], AccessFs::from_file(NEWEST))))
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(failed("be confined to what it needs"))?;
    Ok(if status.ruleset == RulesetStatus::NotEnforced { Confined::Not } else { Confined::To })
}

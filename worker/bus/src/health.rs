//! What a store says of itself, and what must be repaired before it may be used.
//!
//! It comes from INFO, not from CONFIG: managed Redis services refuse CONFIG.

/// How a store keeps its content over a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// An append-only file is on.
    AppendOnlyFile,
    /// None is on: a restart loses what came after the last snapshot, or everything.
    NoAppendOnlyFile,
    /// The store is memory of this process and ends with it.
    InProcess,
}

/// What a store says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The server's version; empty in memory.
    pub version: String,
    /// Whether it takes writes; a replica does not.
    pub is_master: bool,
    /// What happens when memory is full.
    pub maxmemory_policy: String,
    /// How content outlives a restart.
    pub persistence: Persistence,
    /// Names the history of the data; another value means a failover or a new server.
    pub replication_id: String,
    /// Bytes in use.
    pub used_memory: u64,
    /// The limit in bytes; 0 is none.
    pub max_memory: u64,
}

/// Something to repair, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: &'static str,
}

/// Functions, script headers and `SET … NX GET` came with it.
const OLDEST_MAJOR: u32 = 7;

impl Health {
    /// What forbids to use the store at all. Empty: ready.
    pub fn refusals(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let major = self.version.split('.').next().unwrap_or_default();
        if major.parse().is_ok_and(|major: u32| major < OLDEST_MAJOR) {
            findings.push(Finding {
                problem: format!("Redis {} is too old", self.version),
                remedy: "use Redis 7.0 or newer, or Valkey",
            });
        }
        if !self.is_master {
            findings.push(Finding {
                problem: "Redis is a replica and takes no writes".to_owned(),
                remedy: "give the address of the primary",
            });
        }
        // Refused without a limit too: the limit may be set later, and then records vanish.
        if self.maxmemory_policy != "noeviction" {
            findings.push(Finding {
                problem: format!(
                    "maxmemory-policy is {:?}: Redis may delete records when memory is full",
                    self.maxmemory_policy
                ),
                remedy: "CONFIG SET maxmemory-policy noeviction",
            });
        }
        findings
    }

    /// What is a risk to be told of: acceptable on paper, not with real money.
    pub fn warnings(&self) -> Vec<Finding> {
        match self.persistence {
            Persistence::AppendOnlyFile => Vec::new(),
            Persistence::NoAppendOnlyFile => vec![Finding {
                problem: "Redis keeps no append-only file: a restart loses records".to_owned(),
                remedy: "CONFIG SET appendonly yes",
            }],
            Persistence::InProcess => vec![Finding {
                problem: "the store is memory of this process: its end loses all records".to_owned(),
                remedy: "give a Redis URL",
            }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Health {
        Health {
            version: "7.0.15".to_owned(),
            is_master: true,
            maxmemory_policy: "noeviction".to_owned(),
            persistence: Persistence::AppendOnlyFile,
            replication_id: "abc".to_owned(),
            used_memory: 1,
            max_memory: 0,
        }
    }

    #[test]
    fn a_good_store_has_no_findings() {
        assert_eq!(good().refusals(), []);
        assert_eq!(good().warnings(), []);
    }

    #[test]
    fn an_evicting_policy_is_refused_even_without_a_limit() {
        let health = Health { maxmemory_policy: "allkeys-lru".to_owned(), ..good() };
        let findings = health.refusals();
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].remedy, "CONFIG SET maxmemory-policy noeviction");
    }

    #[test]
    fn an_old_server_and_a_replica_are_refused() {
        let health = Health { version: "6.2.1".to_owned(), is_master: false, ..good() };
        assert_eq!(health.refusals().len(), 2);
    }

    #[test]
    fn a_missing_append_only_file_is_a_warning() {
        let health = Health { persistence: Persistence::NoAppendOnlyFile, ..good() };
        assert_eq!(health.refusals(), []);
        assert_eq!(health.warnings().len(), 1);
    }
}

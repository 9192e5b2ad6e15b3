//! What can go wrong with a store, told apart by what the caller should do. Holds no connection.

use std::fmt;

use redis::{ErrorKind, RedisError};

/// A store did not do what it was asked for. Whether it did it all the same is unknown after
/// [`Failure::Unavailable`]; after every other failure nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The URL names no server this crate can reach.
    #[error("cannot use the Redis URL: {message}; write redis://[user:password@]host[:port][/db] or unix:///path")]
    OpenUrl {
        /// What is wrong; never the URL, which may hold a password.
        message: String,
    },
    /// No connection.
    #[error("cannot connect to Redis at {server}: {failure}")]
    Connect {
        /// Host and port, without credentials.
        server: String,
        /// Why.
        failure: Failure,
        /// What the client library says.
        source: Option<Box<RedisError>>,
    },
    /// A call failed.
    #[error("cannot {action} {subject}: {failure}")]
    Call {
        /// What was tried.
        action: &'static str,
        /// With which stream or owner.
        subject: String,
        /// Why.
        failure: Failure,
        /// What the client library says.
        source: Option<Box<RedisError>>,
    },
    /// The answer, or what is stored, is not what this crate writes.
    #[error("cannot {action} {subject}: {problem}")]
    Decode {
        /// What was tried.
        action: &'static str,
        /// With which stream or owner.
        subject: String,
        /// What does not fit.
        problem: String,
    },
}

/// Why a store failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Not reached, no answer in time, starting up, or cut off. The call may have been done.
    Unavailable,
    /// It takes no writes now: a replica, or its disk or replicas are not in order.
    ReadOnly,
    /// Memory is full; writes are refused whole, trims and closing pass.
    MemoryFull,
    /// The key holds something else than this crate writes.
    WrongType,
    /// It does not let us: password, rights, or a command it does not know.
    Refused,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "it cannot be reached or gave no answer",
            Self::ReadOnly => "it takes no writes now; it may be a replica",
            Self::MemoryFull => {
                "its memory is full; streams for outsiders are being shortened to make room. If that does not help, raise \
                 maxmemory"
            }
            Self::WrongType => "the key holds another type; the prefix is used by something else",
            Self::Refused => "it refuses the call; check password and rights in the Redis URL",
        })
    }
}

impl Failure {
    /// Sorts what the client library reports.
    pub(crate) fn of(error: &RedisError) -> Self {
        match error.code() {
            Some("OOM") => Self::MemoryFull,
            Some("WRONGTYPE") => Self::WrongType,
            // NOREPLICAS and MISCONF: a primary that stopped writing to protect its data.
            Some("READONLY" | "NOREPLICAS" | "MISCONF") => Self::ReadOnly,
            Some("LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "UNBLOCKED" | "BUSY") => Self::Unavailable,
            // The one plain error that passes by itself.
            Some("ERR") if detail(error).contains("max number of clients") => Self::Unavailable,
            Some(_) => Self::Refused,
            None if matches!(
                error.kind(),
                ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig | ErrorKind::RESP3NotSupported
            ) =>
            {
                Self::Refused
            }
            // Without a code it is no answer of the server: the connection is lost or out of step.
            None => Self::Unavailable,
        }
    }

    /// Whether the connection must not be used again.
    ///
    /// After READONLY too: behind the same name there may be a new primary by now, and a
    /// connection to the old one would answer READONLY for ever.
    pub(crate) const fn ends_connection(self) -> bool {
        matches!(self, Self::Unavailable | Self::ReadOnly)
    }

    const fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable | Self::ReadOnly | Self::MemoryFull)
    }

    const fn reason(self) -> &'static str {
        match self {
            Self::Unavailable => "RedisUnavailable",
            Self::ReadOnly => "RedisReadOnly",
            Self::MemoryFull => "RedisMemoryFull",
            Self::WrongType => "RedisWrongType",
            Self::Refused => "RedisRefused",
        }
    }
}

fn detail(error: &RedisError) -> &str {
    error.detail().unwrap_or_default()
}

impl BusError {
    pub(crate) fn call(action: &'static str, subject: impl fmt::Display, source: RedisError) -> Self {
        Self::Call {
            action,
            subject: subject.to_string(),
            failure: Failure::of(&source),
            source: Some(Box::new(source)),
        }
    }

    pub(crate) fn decode(action: &'static str, subject: impl fmt::Display, problem: impl fmt::Display) -> Self {
        Self::Decode { action, subject: subject.to_string(), problem: problem.to_string() }
    }

    /// Why the store failed, if it was reached for and is to blame.
    pub const fn failure(&self) -> Option<Failure> {
        match self {
            Self::Connect { failure, .. } | Self::Call { failure, .. } => Some(*failure),
            Self::OpenUrl { .. } | Self::Decode { .. } => None,
        }
    }

    /// Whether the same call can succeed later with nothing changed on our side.
    pub const fn is_retryable(&self) -> bool {
        match self.failure() {
            Some(failure) => failure.is_retryable(),
            None => false,
        }
    }

    /// A stable word for conditions, events and metrics.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::OpenUrl { .. } => "RedisUrlInvalid",
            Self::Decode { .. } => "RedisContentInvalid",
            Self::Connect { failure, .. } | Self::Call { failure, .. } => failure.reason(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> BusError {
        let value = redis::parse_redis_value(format!("-{text}\r\n").as_bytes());
        let error = match value {
            Ok(redis::Value::ServerError(error)) => RedisError::from(error),
            Ok(other) => panic!("{other:?}"),
            Err(error) => error,
        };
        BusError::call("commit", "a/b", error)
    }

    #[test]
    fn answers_are_sorted_by_what_to_do() {
        for (text, reason, retryable) in [
            ("OOM command not allowed when used memory > 'maxmemory'.", "RedisMemoryFull", true),
            ("READONLY You can't write against a read only replica.", "RedisReadOnly", true),
            ("MISCONF Redis is configured to save RDB snapshots", "RedisReadOnly", true),
            ("NOREPLICAS Not enough good replicas to write.", "RedisReadOnly", true),
            ("UNBLOCKED force unblock from blocking operation", "RedisUnavailable", true),
            ("LOADING Redis is loading the dataset in memory", "RedisUnavailable", true),
            ("MASTERDOWN Link with MASTER is down", "RedisUnavailable", true),
            ("CLUSTERDOWN The cluster is down", "RedisUnavailable", true),
            ("BUSY Redis is busy running a script.", "RedisUnavailable", true),
            ("ERR max number of clients reached", "RedisUnavailable", true),
            ("ERR unknown command 'XYZ'", "RedisRefused", false),
            ("NOAUTH Authentication required.", "RedisRefused", false),
            ("NOPERM this user has no permissions", "RedisRefused", false),
            ("WRONGPASS invalid username-password pair", "RedisRefused", false),
            ("WRONGTYPE Operation against a key", "RedisWrongType", false),
        ] {
            let error = answer(text);
            assert_eq!(error.reason(), reason, "{text}");
            assert_eq!(error.is_retryable(), retryable, "{text}");
        }
    }

    #[test]
    fn a_lost_connection_is_retryable_and_ends_the_connection() {
        let lost = RedisError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        let error = BusError::call("read", "s", lost);
        assert_eq!(error.reason(), "RedisUnavailable");
        assert!(error.is_retryable());
        assert!(error.failure().is_some_and(Failure::ends_connection));
        assert!(!Failure::MemoryFull.ends_connection());
    }

    #[test]
    fn a_bad_url_is_permanent_and_says_how_to_write_one() {
        let error = BusError::OpenUrl { message: "no scheme".to_owned() };
        assert!(!error.is_retryable());
        assert!(error.to_string().contains("redis://"));
    }
}

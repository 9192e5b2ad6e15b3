//! The bus and store on Redis 7 or Valkey: one primary, no consumer groups.
//!
//! Each change is one Lua script (beside this file), so it happens whole or not at all. May not
//! repeat a call by itself, and may not trust a connection after a doubtful answer.

mod bus;
mod connection;
mod decode;
mod layout;
mod store;

use std::{fmt, sync::Arc};

use crate::{BusError, Health, Persistence};
use connection::Connections;
use layout::Scripts;

/// A bus and store on Redis. Clones share their connections.
///
/// After any failure the same value works again as soon as the server does.
#[derive(Clone)]
pub struct RedisBus {
    shared: Arc<Shared>,
}

struct Shared {
    connections: Connections,
    scripts: Scripts,
}

impl RedisBus {
    /// For the server at `url`: `redis://[user:password@]host[:port][/db]` or `unix:///path`.
    /// Connects at the first call.
    pub fn open(url: &str) -> Result<Self, BusError> {
        let connections = Connections::open(url)?;
        Ok(Self { shared: Arc::new(Shared { connections, scripts: Scripts::new() }) })
    }

    fn connections(&self) -> &Connections {
        &self.shared.connections
    }

    fn scripts(&self) -> &Scripts {
        &self.shared.scripts
    }
}

impl fmt::Debug for RedisBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address alone: the URL may hold a password.
        f.debug_struct("RedisBus").field("server", &self.connections().server()).finish()
    }
}

/// Reads the text of INFO.
fn health(info: &str) -> Health {
    let value = |name: &str| {
        let line = info.lines().find_map(|line| line.split_once(':').filter(|(key, _)| *key == name));
        line.map(|(_, value)| value.trim()).unwrap_or_default()
    };
    Health {
        version: value("redis_version").to_owned(),
        is_master: value("role") == "master",
        maxmemory_policy: value("maxmemory_policy").to_owned(),
        persistence: if value("aof_enabled") == "1" {
            Persistence::AppendOnlyFile
        } else {
            Persistence::NoAppendOnlyFile
        },
        replication_id: value("master_replid").to_owned(),
        used_memory: value("used_memory").parse().unwrap_or(0),
        max_memory: value("maxmemory").parse().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_cannot_work_are_refused_without_showing_them() {
        for url in ["", "localhost:6379", "http://localhost", "rediss://user:geheim@localhost"] {
            let error = RedisBus::open(url).expect_err(url);
            assert_eq!(error.reason(), "RedisUrlInvalid", "{url}");
            assert!(!error.is_retryable(), "{url}");
            assert!(!error.to_string().contains("geheim"), "{error}");
        }
    }

    #[test]
    fn a_password_that_ends_too_early_is_told_with_how_to_write_it() {
        for (url, character) in [
            ("redis://:p@ss/word@localhost:16390", '@'),
            ("redis://:pass/word@localhost", '/'),
            ("redis://user:pa#ss@localhost:1", '#'),
            ("redis://user:pa?ss@localhost:1", '?'),
        ] {
            let expected = format!(
                "cannot use the Redis URL: the password has a {character}, which ends it; write %2F for /, %40 for @, \
                 %23 for #, %3F for ?, %25 for %; write redis://[user:password@]host[:port][/db] or unix:///path"
            );
            assert_eq!(RedisBus::open(url).expect_err(url).to_string(), expected);
        }
        assert!(RedisBus::open("redis://:p%40ss%2Fword@localhost:16390").is_ok());
    }

    #[test]
    fn what_is_wrong_with_a_url_is_told_in_words_without_the_password() {
        for (url, expected) in [
            ("", "it does not begin with redis://"),
            ("geheim@localhost:6379", "it does not begin with redis://"),
            ("http://localhost", "it does not begin with redis://"),
            (
                "rediss://user:geheim@localhost",
                "TLS is not built in, so rediss:// cannot be used; use redis:// on a network that is trusted",
            ),
            ("redis://localhost/geheim", "the database is not a number; write it like redis://localhost:6379/0"),
            (
                "redis://localhost:geheim",
                "the port is not a number up to 65535; write it like redis://localhost:6379, and a password before @ with \
                 each character that is no letter or digit percent-encoded",
            ),
            ("redis://:geheim@:6379", "it names no host"),
            (
                "redis://0.0.0.0:6379",
                "0.0.0.0 is where a server listens, and no server's address; name the server's host",
            ),
            ("redis://localhost/?protocol=geheim", "protocol is not needed; leave it out"),
            (
                "redis://:geheim%ff@localhost",
                "it does not read; check the host, and write each character of the user and the password that is no \
                 letter or digit percent-encoded, such as %25 for %",
            ),
            (
                "unix:///path?db=geheim",
                "the path of the socket or the number of the database does not read; write unix:///path?db=0",
            ),
        ] {
            assert_eq!(
                RedisBus::open(url).expect_err(url).to_string(),
                format!(
                    "cannot use the Redis URL: {expected}; write redis://[user:password@]host[:port][/db] or unix:///path"
                )
            );
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let bus = RedisBus::open("redis://user:geheim@localhost:1/2").unwrap();
        assert_eq!(format!("{bus:?}"), "RedisBus { server: \"localhost:1\" }");
    }

    #[test]
    fn info_is_read() {
        let health = health(
            "# Server\r\nredis_version:7.0.15\r\nused_memory:1024\r\nmaxmemory:0\r\n\
             maxmemory_policy:noeviction\r\naof_enabled:0\r\nrole:slave\r\nmaster_replid:abc\r\n",
        );
        assert_eq!(health.version, "7.0.15");
        assert!(!health.is_master);
        assert_eq!(health.persistence, Persistence::NoAppendOnlyFile);
        assert_eq!(health.used_memory, 1024);
        assert_eq!(health.replication_id, "abc");
    }
}

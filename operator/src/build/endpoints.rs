//! Hosts of one's own in place of a venue's public ones, as whoever installs the operator names them. Pure.

use std::collections::BTreeMap;

use crds::name::ResourceName;
use crds::roles::Endpoint;
use serde::Deserialize;

/// Why hosts are not taken: place, value, remedy.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// It is no list of endpoints.
    #[error(
        "it does not read: {0}; write [{{\"name\": \"local\", \"rest\": \"https://HOST\", \"stream\": \"wss://HOST\"}}]"
    )]
    Json(#[from] serde_json::Error),
    /// A name stands twice.
    #[error("{name}: is written twice; keep one entry")]
    Twice {
        /// The name.
        name: String,
    },
    /// An address is of another kind.
    #[error("{name}.{field}: {text:?} is no address of it; write {schemes}, a host and no user")]
    Address {
        /// Of which endpoint.
        name: String,
        /// Which of its addresses.
        field: &'static str,
        /// What is written.
        text: String,
        /// What it starts with.
        schemes: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: ResourceName,
    rest: String,
    stream: String,
}

/// Reads a list of endpoints, by their names.
pub fn endpoints(json: &str) -> Result<BTreeMap<String, Endpoint>, EndpointError> {
    let mut endpoints = BTreeMap::new();
    for Entry { name, rest, stream } in serde_json::from_str::<Vec<Entry>>(json)? {
        let name = name.to_string();
        let address = |field, value: &str, (plain, tls): (&str, &str), schemes| {
            let host = value.strip_prefix(plain).or_else(|| value.strip_prefix(tls)).unwrap_or_default();
            let is_host = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "@?#".contains(c));
            // What may be a password is not shown.
            let text = if value.contains('@') { "an address with a user" } else { value }.to_owned();
            let refused = || EndpointError::Address { name: name.clone(), field, text, schemes };
            if is_host { Ok(()) } else { Err(refused()) }
        };
        address("rest", &rest, ("http://", "https://"), "http:// or https://")?;
        address("stream", &stream, ("ws://", "wss://"), "ws:// or wss://")?;
        if endpoints.insert(name.clone(), Endpoint { rest, stream }).is_some() {
            return Err(EndpointError::Twice { name });
        }
    }
    Ok(endpoints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_by_their_names_and_what_is_wrong_is_told_with_its_place() {
        let read = endpoints(r#"[{"name": "local", "rest": "http://h:1", "stream": "wss://h:2"}]"#).unwrap();
        assert_eq!(read["local"], Endpoint { rest: "http://h:1".to_owned(), stream: "wss://h:2".to_owned() });
        assert!(endpoints("[]").unwrap().is_empty());
        let one = r#"{"name": "local", "rest": "http://h", "stream": "ws://h"}"#;
        for (bad, told) in [
            ("{}".to_owned(), "does not read"),
            (format!("[{one},{one}]"), "local: is written twice"),
            (
                format!("[{}]", one.replace("ws://h", "http://h")),
                "local.stream: \"http://h\" is no address of it; write ws://",
            ),
            (format!("[{}]", one.replace("http://h", "http://")), "local.rest: \"http://\""),
            (format!("[{}]", one.replace("http://h", "http://me:pw@h")), "local.rest: \"an address with a user\""),
            (format!("[{}]", one.replace("local", "Local.x")), "does not read"),
            (format!("[{}]", one.replace("\"rest\"", "\"rets\"")), "rets"),
        ] {
            let error = endpoints(&bad).unwrap_err().to_string();
            assert!(error.contains(told), "{bad}: {error}");
        }
    }
}

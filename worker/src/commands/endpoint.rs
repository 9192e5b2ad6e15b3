//! Hosts of one's own in place of a venue's public ones.

use crds::roles::Endpoint;

use crate::process::exit::Failure;

/// One `NAME=URL[,URL]`: where requests go, and where streams come from. Without the second they come from the same host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    name: String,
    hosts: Endpoint,
}

/// What to write.
const FORM: &str =
    "write NAME=https://HOST[:PORT], or NAME=https://HOST,wss://HOST where streams come from another one";

impl std::str::FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || FORM.to_owned();
        let (name, urls) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(refuse)?;
        let (mut rest, mut stream) = (None, None);
        for url in urls.split(',') {
            let (scheme, host) = url.split_once("://").ok_or_else(refuse)?;
            if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '@') {
                return Err(refuse());
            }
            let place = match scheme {
                "http" | "https" => &mut rest,
                "ws" | "wss" => &mut stream,
                _ => return Err(refuse()),
            };
            if place.replace(url.trim_end_matches('/').to_owned()).is_some() {
                return Err(refuse());
            }
        }
        let rest = rest.ok_or_else(refuse)?;
        // http is ws there, https is wss.
        let stream = stream.unwrap_or_else(|| rest.replacen("http", "ws", 1));
        Ok(Self { name: name.to_owned(), hosts: Endpoint { rest, stream } })
    }
}

/// The hosts of this name.
pub(crate) fn hosts(named: &[Named], name: &str) -> Result<Endpoint, Failure> {
    let found = named.iter().find(|named| named.name == name);
    found.map(|named| named.hosts.clone()).ok_or_else(|| {
        Failure::refused(format!(
            "spec.marketData.binance.endpoint: \"{name}\" is no endpoint of this command; write --endpoint {name}=URL, or \
             leave the field out for the venue's public hosts"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_one_host_or_two() {
        let read = |text: &str| text.parse::<Named>().map(|named| (named.name, named.hosts.rest, named.hosts.stream));
        let of = |rest: &str, stream: &str| Ok(("local".to_owned(), rest.to_owned(), stream.to_owned()));
        assert_eq!(read("local=http://127.0.0.1:9/"), of("http://127.0.0.1:9", "ws://127.0.0.1:9"));
        assert_eq!(read("local=https://h"), of("https://h", "wss://h"));
        for both in ["local=https://a,wss://b:9443", "local=wss://b:9443,https://a"] {
            assert_eq!(read(both), of("https://a", "wss://b:9443"), "{both}");
        }
        for bad in [
            "",
            "local",
            "=http://h",
            "local=",
            "local=h",
            "local=ftp://h",
            "local=wss://h",
            "local=http://a,http://b",
            "local=http://u@h",
        ] {
            assert_eq!(read(bad), Err(FORM.to_owned()), "{bad}");
        }
    }
}

//! Why the venue could not be asked, in the words that its user reads, with the remedy.

use engine::time::{Timestamp, rfc3339};

use crate::data;
use crate::live::LinkFault;
use crate::net::{NetError, Refusal};

/// How long nothing is asked where the venue does not say for how long: it counts by the minute.
const TOO_MANY_MILLIS: u64 = 60_000;
/// The least that it bans an address for.
const BAN_MILLIS: u64 = 120_000;
/// How much of an answer is shown.
const SHOWN_MAX: usize = 160;

/// A request or a connection that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub fault: LinkFault,
    /// Nothing may be asked for so long.
    pub hold_millis: Option<u64>,
}

impl Failure {
    /// There was no answer that makes sense.
    pub(super) fn unreachable(words: impl Into<String>) -> Self {
        Self { fault: LinkFault::Unreachable(words.into()), hold_millis: None }
    }

    /// What `error` from `host` means.
    pub(super) fn of(host: &str, error: &NetError, wall: Timestamp) -> Self {
        match error {
            NetError::Refused(refusal) => Self::refused(host, refusal, wall),
            NetError::Failed(_) | NetError::Proxy(_) => Self::unreachable(format!("{host}: {error}")),
        }
    }

    fn refused(host: &str, refusal: &Refusal, wall: Timestamp) -> Self {
        let (status, said) = (refusal.status, said(&refusal.body));
        match status {
            429 | 418 => {
                let standard = if status == 418 { BAN_MILLIS } else { TOO_MANY_MILLIS };
                let told = refusal.retry_after_seconds.map(|seconds| seconds.saturating_mul(1_000));
                let hold = told.or_else(|| banned_until(&refusal.body, wall)).unwrap_or(standard);
                let until = wall.plus_millis(i64::try_from(hold).unwrap_or(i64::MAX));
                let message = format!(
                    "{host} answered {status}{said}: too many requests from this address; nothing is asked before {}; if \
                     other programs here ask the exchange too, let them ask less",
                    rfc3339::text(until)
                );
                Self { fault: LinkFault::Banned { until: Some(until), message }, hold_millis: Some(hold) }
            }
            451 => Self {
                fault: LinkFault::Region(format!(
                    "{host} answered 451{said}: it does not serve this place; run where the exchange is allowed to serve \
                     you, or set another host of market data, such as data-api.binance.vision with \
                     data-stream.binance.vision"
                )),
                hold_millis: None,
            },
            403 => Self::unreachable(format!(
                "{host} answered 403{said}: its firewall refuses this address; if a VPN or proxy is in use, take another \
                 exit, else wait some minutes"
            )),
            500.. => Self::unreachable(format!("{host} answered {status}{said}: it is in trouble; it is tried again")),
            _ => Self::unreachable(format!(
                "{host} answered {status}{said}; check that this host is the exchange's, and that no proxy or portal \
                 answers in its place"
            )),
        }
    }

    /// The host answered, but not as the venue does.
    pub(super) fn nonsense(host: &str, problem: impl std::fmt::Display, body: &str) -> Self {
        Self::unreachable(format!(
            "{host} answered what the exchange does not: {problem}{}; check that no proxy or portal answers in its place",
            said(body)
        ))
    }
}

/// The beginning of an answer, on one line.
fn said(body: &str) -> String {
    let text = data::shown_line(body, SHOWN_MAX);
    if text.is_empty() { text } else { format!(" \"{text}\"") }
}

/// For how long a ban holds whose end the answer tells in words, as in "IP banned until 1659146400000".
fn banned_until(body: &str, wall: Timestamp) -> Option<u64> {
    let (_, behind) = body.split_once("banned until ")?;
    let digits = behind.find(|c: char| !c.is_ascii_digit()).map_or(behind, |end| &behind[..end]);
    let until = Timestamp::from_millis(digits.parse().ok()?);
    u64::try_from(until.millis_since(wall)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, retry_after_seconds: Option<u64>, body: &str) -> Failure {
        let refusal = Refusal { status, retry_after_seconds, body: body.to_owned() };
        Failure::of("api.example.com", &NetError::Refused(refusal), Timestamp::from_millis(1_000_000))
    }

    #[test]
    fn a_ban_ends_when_the_venue_says_or_after_its_least() {
        let cases = [
            (429, Some(7), "", 7_000),
            (429, None, "<html>", 60_000),
            (418, None, "", 120_000),
            (
                418,
                None,
                r#"{"code":-1003,"msg":"Way too much request weight used; IP banned until 1090000. Please"}"#,
                90_000,
            ),
            (418, Some(3), "IP banned until 1090000", 3_000),
        ];
        for (status, retry_after, body, expected) in cases {
            let failure = refused(status, retry_after, body);
            assert_eq!(failure.hold_millis, Some(expected), "{status} {body}");
            let until = Timestamp::from_millis(1_000_000).plus_millis(i64::try_from(expected).unwrap());
            assert!(matches!(failure.fault, LinkFault::Banned { until: Some(told), .. } if told == until));
        }
    }

    #[test]
    fn each_refusal_names_the_host_the_answer_and_the_remedy() {
        let region = refused(451, None, "{\"code\":0,\n\"msg\":\"restricted location\"}");
        assert!(matches!(region.fault, LinkFault::Region(_)));
        let cases = [
            (region, "api.example.com answered 451 \"{\"code\":0, \"msg\":\"restricted location\"}\": it does not"),
            (refused(403, None, "<html>WAF</html>"), "api.example.com answered 403 \"<html>WAF</html>\": its firewall"),
            (refused(502, None, ""), "api.example.com answered 502: it is in trouble"),
            (refused(302, None, ""), "api.example.com answered 302; check that this host is the exchange's"),
        ];
        for (failure, expected) in cases {
            assert!(failure.fault.to_string().starts_with(expected), "{}", failure.fault);
            assert_eq!(failure.hold_millis, None);
        }
    }
}

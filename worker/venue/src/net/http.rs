//! Requests of HTTP: one on a connection of its own, and its answer as text.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, Request, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::{NetError, Network, Refusal, chain};

/// An answer is no longer: the venue's list of all markets is a few MB.
const BODY_MAX: usize = 32 << 20;
/// The whole answer comes within this time.
const ANSWER: std::time::Duration = std::time::Duration::from_secs(30);
/// How a program says who it is.
pub(super) const AGENT: &str = concat!("glm/", env!("CARGO_PKG_VERSION"));

impl Network {
    /// The answer to GET, if it is a success.
    pub(crate) async fn get(&self, uri: &Uri) -> Result<String, NetError> {
        let stream = self.connect(uri).await?;
        match timeout(ANSWER, get_on(stream, uri)).await {
            Ok(answer) => answer,
            Err(_) => {
                Err(NetError::Failed(format!("no whole answer within {} s; check the network", ANSWER.as_secs())))
            }
        }
    }
}

async fn get_on(stream: super::BoxStream, uri: &Uri) -> Result<String, NetError> {
    let broken = |problem: &dyn std::error::Error| {
        NetError::Failed(format!("the answer broke off: {}; it is tried again", chain(problem)))
    };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|problem| broken(&problem))?;
    // It ends with the answer, when its sender is dropped.
    let driving = tokio::spawn(connection);
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, AGENT)
        .header(header::ACCEPT, "application/json")
        .body(Empty::<Bytes>::new())
        .map_err(|problem| broken(&problem))?;
    let response = sender.send_request(request).await.map_err(|problem| broken(&problem))?;
    let (parts, body) = response.into_parts();
    let body = text(body).await;
    driving.abort();
    if parts.status.is_success() {
        return body;
    }
    let (status, retry_after_seconds) = (parts.status.as_u16(), retry_after(&parts.headers));
    // What a refusal says is worth less than that it is one.
    Err(NetError::Refused(Refusal { status, retry_after_seconds, body: body.unwrap_or_else(|_| String::new()) }))
}

async fn text(body: Incoming) -> Result<String, NetError> {
    let all = Limited::new(body, BODY_MAX).collect().await;
    let all = all.map_err(|problem| NetError::Failed(format!("the answer broke off: {problem}; it is tried again")))?;
    String::from_utf8(all.to_bytes().into())
        .map_err(|_| NetError::Failed("the answer is no text; check that the host is the exchange's".to_owned()))
}

/// In how many seconds a refusal says to come again. A date counts from the answer's own, so that a clock that is wrong here
/// changes nothing; without that one, from this machine's.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let told = text(header::RETRY_AFTER)?;
    if let Ok(seconds) = told.parse() {
        return Some(seconds);
    }
    let date = |text| httpdate::parse_http_date(text).ok();
    let answered = text(header::DATE).and_then(date).unwrap_or_else(SystemTime::now);
    // What is over already has no pause.
    let pause = date(told)?.duration_since(answered).unwrap_or_default();
    Some(pause.as_secs() + u64::from(pause.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn told(retry_after: &str, date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_str(retry_after).unwrap());
        if let Some(date) = date {
            headers.insert(header::DATE, HeaderValue::from_str(date).unwrap());
        }
        super::retry_after(&headers)
    }

    #[test]
    fn a_refusal_says_in_seconds_or_with_a_date_when_to_come_again() {
        let at = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (text, date, expected) in [
            ("7", None, Some(7)),
            (" 120 ", Some(at), Some(120)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(at), Some(30)),
            ("Mon, 07 Nov 1994 08:49:37 GMT", Some(at), Some(86_400)),
            // It is over already: by the answer's own date, and by any clock of now.
            ("Sun, 06 Nov 1994 08:49:07 GMT", Some(at), Some(0)),
            (at, None, Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 CET", Some(at), None),
            ("Sun, 06 Foo 1994 08:49:37 GMT", Some(at), None),
            ("Sun, 36 Nov 1994 08:49:37 GMT", Some(at), None),
            ("soon", None, None),
            ("-3", None, None),
        ] {
            assert_eq!(told(text, date), expected, "{text:?} answered at {date:?}");
        }
    }
}

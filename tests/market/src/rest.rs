//! Requests under /api/v3, of futures under /fapi/v1: what is answered, and what it weighs.

pub mod parameters;
pub mod prices;
pub mod weight;

use serde_json::{Value, json};

use crate::clock::lock;
use crate::exchange::Exchange;
use parameters::Parameters;
use weight::Judgement;

/// What stands on the exchange's page for paths that it does not know.
const NOT_FOUND: &str = "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n</body>\r\n</html>\r\n";

/// An error of the exchange: HTTP status, code and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// As -1121.
    pub code: i64,
    /// As the exchange words it.
    pub msg: String,
}

impl Refused {
    /// An error of status 400.
    pub fn new(code: i64, msg: impl Into<String>) -> Self {
        Self { status: 400, code, msg: msg.into() }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Beside those of HTTP itself.
    pub headers: Vec<(&'static str, String)>,
    /// All of it.
    pub body: String,
}

impl Answer {
    /// JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type", "application/json;charset=UTF-8".to_owned())];
        Self { status, headers, body: body.to_string() }
    }

    /// A page, as firewalls and gateways answer.
    pub fn page(status: u16, body: &str) -> Self {
        Self { status, headers: vec![("content-type", "text/html".to_owned())], body: body.to_owned() }
    }

    /// An error as the exchange words it for that status.
    pub fn fault(status: u16, retry_after: Option<u64>, now: i64) -> Self {
        let body = |code: i64, msg: &str| Self::json(status, &json!({"code": code, "msg": msg}));
        let mut answer = match status {
            418 => {
                let until = now + i64::try_from(retry_after.unwrap_or(120)).unwrap_or(i64::MAX / 2000) * 1000;
                body(
                    -1003,
                    &format!(
                        "Way too much request weight used; IP banned until {until}. Please use WebSocket Streams for live updates to avoid bans."
                    ),
                )
            }
            429 => body(
                -1003,
                "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.",
            ),
            451 => body(
                0,
                "Service unavailable from a restricted location according to 'b. Eligibility' in https://www.binance.com/en/terms. Please contact customer service if you believe you received this message in error.",
            ),
            403 => Self::page(
                403,
                "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n<center><h1>403 Forbidden</h1></center>\r\n</body>\r\n</html>\r\n",
            ),
            500..=599 => Self::page(status, &format!("<html><body><h1>{status} Server Error</h1></body></html>")),
            _ => body(-1000, "An unknown error occurred while processing the request."),
        };
        answer.headers.extend(retry_after.map(|seconds| ("retry-after", seconds.to_string())));
        answer
    }
}

/// Answers GET `path` with its query, as it stands in the URL.
pub fn answer(exchange: &Exchange, path: &str, query: &str) -> Answer {
    let Some(route) =
        path.strip_prefix(exchange.product.requests()).filter(|route| prices::has(exchange.product, route))
    else {
        return Answer::page(404, NOT_FOUND);
    };
    let parameters = Parameters::parse(query);
    let now = exchange.clock.now();
    let judgement = lock(&exchange.weights).add(weight::of(route, &parameters), now, exchange.clock.speed());
    let (used, refused) = match judgement {
        Judgement::Fits { used } => (used, None),
        Judgement::Over { used, status, retry_after } => (used, Some((status, retry_after))),
    };
    let mut answer = match refused {
        Some((status, retry_after)) => Answer::fault(status, Some(retry_after), now),
        None => match parameters.and_then(|parameters| prices::answer(&lock(&exchange.venue), now, route, &parameters))
        {
            Ok(body) => Answer::json(200, &body),
            Err(Refused { status, code, msg }) => Answer::json(status, &json!({"code": code, "msg": msg})),
        },
    };
    for name in ["x-mbx-used-weight", "x-mbx-used-weight-1m"] {
        answer.headers.push((name, used.to_string()));
    }
    answer
}

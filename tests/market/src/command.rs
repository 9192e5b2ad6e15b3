//! The control interface over HTTP.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::clock::lock;
use crate::control::{ClockChange, Order, State};
use crate::exchange::Exchange;
use crate::faults;
use crate::rest::Answer;
use crate::serve::{Body, response};

/// Accepts those who control, for ever.
pub async fn accept(exchange: Arc<Exchange>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let exchange = Arc::clone(&exchange);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let exchange = Arc::clone(&exchange);
                async move { Ok::<_, Infallible>(answer(&exchange, request).await) }
            });
            let http = hyper::server::conn::http1::Builder::new();
            drop(http.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn answer(exchange: &Exchange, request: Request<Incoming>) -> Response<Body> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let query = request.uri().query().unwrap_or("").to_owned();
    let Ok(body) = request.into_body().collect().await else { return refused("the body did not come") };
    let body = body.to_bytes();
    match (method, path.as_str()) {
        (Method::GET, "/control/state") => response(Answer::json(200, &json!(state(exchange)))),
        (Method::GET, "/control/log") => {
            let from = query.strip_prefix("from=").map_or(Ok(0), str::parse);
            let Ok(from) = from else { return refused("from: the number of a line is expected") };
            let lines = exchange.journal(from);
            let body = lines.iter().fold(String::new(), |text, line| text + &json!(line).to_string() + "\n");
            response(Answer { status: 200, headers: vec![("content-type", "application/x-ndjson".to_owned())], body })
        }
        (Method::POST, "/control/fault") => match parse::<Order>(&body) {
            Ok(order) => match faults::order(exchange, &order) {
                Ok(()) => response(Answer::json(200, &json!({}))),
                Err(error) => refused(&error.to_string()),
            },
            Err(error) => refused(&error),
        },
        (Method::POST, "/control/clock") => match parse::<ClockChange>(&body) {
            Ok(change) if change.speed.is_none_or(|speed| speed.is_finite() && speed > 0.0) => {
                exchange.clock.set(change.speed, change.paused);
                response(Answer::json(200, &json!(state(exchange))))
            }
            Ok(_) => refused("speed: a number above 0 is expected"),
            Err(error) => refused(&error),
        },
        _ => response(Answer::json(
            404,
            &json!({"error": "POST /control/fault, POST /control/clock, GET /control/log, GET /control/state"}),
        )),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn refused(error: &str) -> Response<Body> {
    response(Answer::json(400, &json!({"error": error})))
}

fn state(exchange: &Exchange) -> State {
    let venue = lock(&exchange.venue);
    let last = venue.markets().filter_map(|market| Some((market.symbol.clone(), json!(market.trades.last()?.id))));
    State {
        time: exchange.clock.now(),
        speed: exchange.clock.speed(),
        trades: last.collect::<Map<String, Value>>(),
        connections: exchange.hub.connections(),
    }
}

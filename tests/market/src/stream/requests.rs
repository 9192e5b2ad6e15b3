//! What a client asks for over its WebSocket: SUBSCRIBE and its like.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::hub::{Hub, Peer};
use super::names::known;
use crate::exchange::Exchange;

/// The answer, and whether frames are wrapped with their stream's name from now on, if that changed.
pub struct Answer {
    /// As JSON.
    pub text: String,
    /// The property `combined`, where it was set.
    pub combined: Option<bool>,
    /// The connection has to end: it has too many streams.
    pub end: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Method {
    Subscribe,
    Unsubscribe,
    ListSubscriptions,
    SetProperty,
    GetProperty,
}

#[derive(Debug, Deserialize)]
struct Request {
    method: Method,
    #[serde(default)]
    params: Option<Value>,
}

/// An error as the exchange writes it.
struct Refused(i64, String);

fn invalid(what: &str) -> Refused {
    Refused(2, format!("Invalid request: {what}"))
}

/// Answers a text of the client; `combined` is the property's value now.
pub fn answer(exchange: &Exchange, peer: &Arc<Peer>, text: &str, combined: bool) -> Answer {
    let hub = &exchange.hub;
    let parsed: Result<Value, _> = serde_json::from_str(text);
    let id = parsed.as_ref().ok().and_then(|value| value.get("id").cloned());
    let mut set = None;
    let outcome = parsed
        .map_err(|error| Refused(3, format!("Invalid JSON: {error}")))
        .and_then(|value| request(&value, text))
        .and_then(|request| perform(hub, peer, request, combined, &mut set));
    let text = match outcome {
        Ok(result) => json!({"result": result, "id": id}),
        Err(Refused(code, msg)) => match &id {
            Some(id) => json!({"code": code, "msg": msg, "id": id}),
            None => json!({"code": code, "msg": msg}),
        },
    };
    Answer { text: text.to_string(), combined: set, end: peer.streams().len() > exchange.product.streams_max() }
}

fn request(value: &Value, text: &str) -> Result<Request, Refused> {
    let id_fits = match value.get("id") {
        Some(Value::Number(number)) => number.is_i64() || number.is_u64(),
        Some(Value::String(id)) => id.len() <= 36 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        Some(Value::Null) | None => true,
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => false,
    };
    if !id_fits {
        return Err(invalid("request ID must be an unsigned integer"));
    }
    let fields = value.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    if fields.iter().any(|field| !["id", "method", "params"].contains(&field.as_str())) {
        return Err(invalid("too many parameters"));
    }
    serde_json::from_str(text).map_err(|error| invalid(&error.to_string()))
}

fn perform(
    hub: &Hub,
    peer: &Arc<Peer>,
    request: Request,
    combined: bool,
    set: &mut Option<bool>,
) -> Result<Value, Refused> {
    match request.method {
        Method::Subscribe => {
            streams(request.params)?.iter().for_each(|stream| hub.subscribe(peer, stream));
            Ok(Value::Null)
        }
        Method::Unsubscribe => {
            streams(request.params)?.iter().for_each(|stream| hub.unsubscribe(peer, stream));
            Ok(Value::Null)
        }
        Method::ListSubscriptions => Ok(json!(peer.streams())),
        Method::SetProperty => {
            let params = request.params.unwrap_or_default();
            property(&params[0])?;
            let value = params[1].as_bool();
            *set = Some(value.ok_or_else(|| Refused(1, "Invalid value type: expected Boolean".to_owned()))?);
            Ok(Value::Null)
        }
        Method::GetProperty => {
            property(&request.params.unwrap_or_default()[0])?;
            Ok(json!(combined))
        }
    }
}

fn property(name: &Value) -> Result<(), Refused> {
    match name.as_str() {
        Some("combined") => Ok(()),
        Some(_) => Err(Refused(0, "Unknown property".to_owned())),
        None => Err(invalid("property name must be a string")),
    }
}

fn streams(params: Option<Value>) -> Result<Vec<String>, Refused> {
    let Some(Value::Array(params)) = params else { return Err(invalid("params must be an array of stream names")) };
    let name = |param: &Value| param.as_str().filter(|name| known(name)).map(str::to_owned);
    params.iter().map(|param| name(param).ok_or_else(|| invalid("invalid stream"))).collect()
}

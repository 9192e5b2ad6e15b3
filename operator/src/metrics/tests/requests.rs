//! Requests to the API server, as the real client sends them.

use std::convert::Infallible;
use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::{StatusCode as Code, header};
use axum::response::IntoResponse as _;
use futures::FutureExt as _;
use http::{Request, Response};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchParams};
use kube::client::Body;
use kube::core::ApiResource;
use kube::{Api, Client, Config};
use serde_json::json;
use tokio::net::TcpListener;
use tower::{BoxError, Layer as _, Service as _, service_fn};

use super::{Moves, assert_labelled, assert_moved, figures};
use crate::metrics::{CountRequests, Metrics, client};

/// A client of an API server that gives each request this answer.
pub(super) fn answering(metrics: &Metrics, code: u16) -> Client {
    let answer = move |request: Request<Body>| {
        let path = request.uri().path();
        let is_list = request.method() == http::Method::GET && path.ends_with("/pods");
        let (version, kind) = match path {
            _ if path.contains("/events") => ("events.k8s.io/v1", "Event"),
            _ if path.contains("/pods") => ("v1", "Pod"),
            "/api/v1/namespaces/desk" => ("v1", "Namespace"),
            _ => (crds::API_VERSION, "TradingStrategy"),
        };
        let reason = if code == 404 { "NotFound" } else { "Told" };
        let body = match code {
            200..300 if is_list => json!({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": []}),
            200..300 => json!({"apiVersion": version, "kind": kind, "metadata": {"name": "one"}}),
            _ => {
                json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": "no"})
            }
        };
        let answer = Response::builder().status(code).body(Body::from(body.to_string().into_bytes())).unwrap();
        ready(Ok::<_, Infallible>(answer))
    };
    Client::new(CountRequests::new(metrics.clone()).layer(service_fn(answer)), "desk")
}

#[tokio::test]
async fn each_request_counts_once_under_its_verb_its_resource_and_its_answer() {
    let metrics = Metrics::default();
    let mut moves = Moves::from_now(&metrics).await;
    let pods = |code| Api::<Pod>::namespaced(answering(&metrics, code), "desk");
    let kind = ApiResource::erase::<crds::TradingStrategy>(&());
    let strategies = |code| Api::<DynamicObject>::namespaced_with(answering(&metrics, code), "desk", &kind);

    pods(200).list(&ListParams::default()).await.unwrap();
    assert_moved!(moves, (r#"api_requests_total{verb="list",resource="pods",code="200"}"#, 1.0));
    pods(404).get_opt("one").await.unwrap();
    assert_moved!(moves, (r#"api_requests_total{verb="get",resource="pods",code="404"}"#, 1.0));
    pods(200).watch(&WatchParams::default(), "0").await.map(drop).unwrap();
    assert_moved!(moves, (r#"api_requests_total{verb="watch",resource="pods",code="200"}"#, 1.0));
    pods(403).create(&PostParams::default(), &Pod::default()).await.unwrap_err();
    assert_moved!(moves, (r#"api_requests_total{verb="create",resource="pods",code="403"}"#, 1.0));
    pods(409).delete("one", &DeleteParams::default()).await.unwrap_err();
    assert_moved!(moves, (r#"api_requests_total{verb="delete",resource="pods",code="409"}"#, 1.0));
    pods(500).delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap_err();
    assert_moved!(moves, (r#"api_requests_total{verb="deletecollection",resource="pods",code="500"}"#, 1.0));
    let (patch, params) = (Patch::Merge(json!({})), PatchParams::default());
    strategies(200).patch("one", &params, &patch).await.unwrap();
    assert_moved!(moves, (r#"api_requests_total{verb="patch",resource="tradingstrategies",code="200"}"#, 1.0));
    strategies(429).patch_status("one", &params, &patch).await.unwrap_err();
    assert_moved!(moves, (r#"api_requests_total{verb="patch",resource="tradingstrategies/status",code="429"}"#, 1.0));
    Api::<Namespace>::all(answering(&metrics, 200)).get("desk").await.unwrap();
    assert_moved!(moves, (r#"api_requests_total{verb="get",resource="namespaces",code="200"}"#, 1.0));
    Api::<Pod>::all(answering(&metrics, 200)).list(&ListParams::default()).await.unwrap();
    assert_moved!(moves, (r#"api_requests_total{verb="list",resource="pods",code="200"}"#, 1.0));
    answering(&metrics, 200).apiserver_version().await.unwrap();
    assert_moved!(moves, (r#"api_requests_total{verb="get",resource="none",code="200"}"#, 1.0));
    assert_labelled(&figures(&metrics).await);
}

/// A request that nobody answers.
pub(super) async fn ask_nobody(metrics: &Metrics) {
    let request = Request::get("/api/v1/namespaces/desk/pods/one").body(Body::empty()).unwrap();
    let refused = |_: Request<Body>| ready(Err::<Response<Body>, BoxError>("refused".into()));
    CountRequests::new(metrics.clone()).layer(service_fn(refused)).call(request).await.unwrap_err();
}

#[tokio::test]
async fn a_request_without_an_answer_counts_as_an_error_also_when_nobody_waits_for_it() {
    let metrics = Metrics::default();
    let mut moves = Moves::from_now(&metrics).await;
    ask_nobody(&metrics).await;
    assert_moved!(moves, (r#"api_requests_total{verb="get",resource="pods",code="error"}"#, 1.0));
    let silent = |_: Request<Body>| pending::<Result<Response<Body>, BoxError>>();
    let request = Request::get("/api/v1/namespaces/desk/pods/one").body(Body::empty()).unwrap();
    let waits = CountRequests::new(metrics.clone()).layer(service_fn(silent)).call(request);
    assert_moved!(moves,);
    assert!(waits.now_or_never().is_none());
    assert_moved!(moves, (r#"api_requests_total{verb="get",resource="pods",code="error"}"#, 1.0));
}

/// As the audit log of the server counts them.
#[tokio::test]
async fn a_request_that_the_client_sends_again_counts_each_time() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let answer = move || {
        let n = asked.fetch_add(1, Ordering::Relaxed);
        let name = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}}).to_string();
        ready(if n < 2 {
            (Code::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "0")], String::new()).into_response()
        } else {
            name.into_response()
        })
    };
    tokio::spawn(process::admin::serve(listener, Router::new().fallback(answer)));
    let metrics = Metrics::default();
    let mut moves = Moves::from_now(&metrics).await;
    let client = client(Config::new(url), &metrics).unwrap();
    Api::<Pod>::namespaced(client, "desk").get("one").await.unwrap();
    assert_moved!(
        moves,
        (r#"api_requests_total{verb="get",resource="pods",code="503"}"#, 2.0),
        (r#"api_requests_total{verb="get",resource="pods",code="200"}"#, 1.0)
    );
}

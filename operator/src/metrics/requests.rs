//! Requests to the API server, counted in one place: below the retries of the client, so that each try counts.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Method, Request as HttpRequest, Response};
use kube::client::retry::RetryPolicy;
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use prometheus_client::encoding::EncodeLabelSet;
use tower::retry::RetryLayer;
use tower::{BoxError, Layer, Service, service_fn};

use super::{Metrics, Pending};

/// The labels of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Request {
    verb: &'static str,
    resource: String,
    code: String,
}

/// A code where no answer came.
const NO_ANSWER: &str = "error";

impl Request {
    /// As the API server's audit log names it.
    fn new<B>(request: &HttpRequest<B>) -> Self {
        let uri = request.uri();
        let parts: Vec<&str> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
        let rest = match parts.as_slice() {
            ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
            _ => &[],
        };
        let (resource, is_named) = match rest {
            ["namespaces", _] => ("namespaces".to_owned(), true),
            ["namespaces", _, "status" | "finalize", ..] => (format!("namespaces/{}", rest[2]), true),
            ["namespaces", _, rest @ ..] | rest => match rest {
                [] => ("none".to_owned(), true),
                [resource] => ((*resource).to_owned(), false),
                [resource, _] => ((*resource).to_owned(), true),
                [resource, _, sub, ..] => (format!("{resource}/{sub}"), true),
            },
        };
        let is_watch = uri.query().unwrap_or_default().split('&').any(|pair| matches!(pair, "watch=true" | "watch=1"));
        let verb = match (request.method(), is_named) {
            (&Method::GET, _) if is_watch => "watch",
            (&Method::GET, true) => "get",
            (&Method::GET, false) => "list",
            (&Method::POST, _) => "create",
            (&Method::PUT, _) => "update",
            (&Method::PATCH, _) => "patch",
            (&Method::DELETE, true) => "delete",
            (&Method::DELETE, false) => "deletecollection",
            _ => "other",
        };
        Self { verb, resource, code: NO_ANSWER.to_owned() }
    }
}

/// Counts the requests that pass.
#[derive(Debug, Clone)]
pub struct CountRequests(Metrics);

impl CountRequests {
    #[expect(missing_docs, reason = "the name says it")]
    pub const fn new(metrics: Metrics) -> Self {
        Self(metrics)
    }
}

impl<S> Layer<S> for CountRequests {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, metrics: self.0.clone() }
    }
}

/// A service whose requests are counted.
#[derive(Debug, Clone)]
pub struct Counted<S> {
    inner: S,
    metrics: Metrics,
}

impl<S, A, B> Service<HttpRequest<B>> for Counted<S>
where
    S: Service<HttpRequest<B>, Response = Response<A>, Future: Send + 'static>,
    A: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: HttpRequest<B>) -> Self::Future {
        let pending = Pending { counters: self.metrics.requests.clone(), label: Request::new(&request) };
        let answer = self.inner.call(request);
        Box::pin(async move {
            // The whole of it, which counts when it is dropped.
            let mut pending = pending;
            let answer = answer.await;
            if let Ok(answer) = &answer {
                answer.status().as_str().clone_into(&mut pending.label.code);
            }
            answer
        })
    }
}

/// A client whose requests are counted.
pub fn client(mut config: Config, metrics: &Metrics) -> Result<Client, kube::Error> {
    let retries = std::mem::replace(&mut config.default_retry, false);
    let namespace = config.default_namespace.clone();
    let below = ClientBuilder::try_from(config)?.with_layer(&CountRequests::new(metrics.clone())).build();
    if !retries {
        return Ok(below);
    }
    let valid_until = *below.valid_until();
    let send = service_fn(move |request: HttpRequest<Body>| {
        let below = below.clone();
        async move { below.send(request).await.map_err(BoxError::from) }
    });
    let retry = RetryLayer::new(RetryPolicy::server_retry());
    Ok(ClientBuilder::new(send, namespace).with_layer(&retry).with_valid_until(valid_until).build())
}

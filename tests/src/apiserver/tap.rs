//! What stands between an operator and the API server in a test: it counts writes, takes another user's name, and
//! can end the operator before or after its n-th write. An ended operator hears nothing more.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{HeaderValue, Method, Request};
use tokio::sync::watch;
use tower::{Layer, Service};

/// When an operator ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// Its n-th write, from 1, is not sent.
    Before(usize),
    /// Its n-th write is done, and it does not hear so.
    After(usize),
}

/// What all lives of one operator have in common.
#[derive(Debug, Default)]
struct Shared {
    writes: Vec<String>,
    crash: Option<Crash>,
}

/// One life of an operator.
#[derive(Clone)]
pub struct Tap {
    shared: Arc<Mutex<Shared>>,
    dead: Arc<watch::Sender<bool>>,
    user: HeaderValue,
}

impl Tap {
    /// For an operator under a user's name.
    pub fn new(user: &str) -> Self {
        let user = HeaderValue::from_str(user).expect("a user's name can stand in a header");
        Self { shared: Arc::default(), dead: Arc::new(watch::Sender::new(false)), user }
    }

    /// The next life.
    #[must_use]
    pub fn reborn(&self) -> Self {
        Self { dead: Arc::new(watch::Sender::new(false)), ..self.clone() }
    }

    /// Counts from here; crashes once, if asked to.
    pub fn arm(&self, crash: Option<Crash>) {
        *self.lock() = Shared { writes: Vec::new(), crash };
    }

    /// The writes since.
    pub fn writes(&self) -> Vec<String> {
        self.lock().writes.clone()
    }

    /// Whether a crash is still to come.
    pub fn is_armed(&self) -> bool {
        self.lock().crash.is_some()
    }

    /// Waits for the end of this life.
    pub async fn died(&self) {
        // The sender lives as long as this.
        self.dead.subscribe().wait_for(|dead| *dead).await.ok();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a write; the crash that it brings, if any.
    fn count(&self, request: String) -> Option<Crash> {
        let mut shared = self.lock();
        shared.writes.push(request);
        let n = shared.writes.len();
        let due = shared.crash.filter(|crash| [Crash::Before(n), Crash::After(n)].contains(crash));
        if due.is_some() {
            shared.crash = None;
        }
        due
    }
}

impl<S> Layer<S> for Tap {
    type Service = Tapped<S>;

    fn layer(&self, inner: S) -> Tapped<S> {
        Tapped { tap: self.clone(), inner }
    }
}

/// A client's service behind a tap.
#[derive(Clone)]
pub struct Tapped<S> {
    tap: Tap,
    inner: S,
}

impl<S, B> Service<Request<B>> for Tapped<S>
where
    S: Service<Request<B>>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let tap = self.tap.clone();
        if *tap.dead.borrow() {
            return Box::pin(std::future::pending());
        }
        let path = request.uri().path().to_owned();
        let is_write = *request.method() != Method::GET && !path.contains("/leases");
        let due = if is_write { tap.count(format!("{} {path}", request.method())) } else { None };
        if matches!(due, Some(Crash::Before(_))) {
            tap.dead.send_replace(true);
            return Box::pin(std::future::pending());
        }
        request.headers_mut().insert("impersonate-user", tap.user.clone());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            if due.is_some() {
                tap.dead.send_replace(true);
            }
            if *tap.dead.borrow() { std::future::pending().await } else { answer }
        })
    }
}

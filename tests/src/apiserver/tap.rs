//! What stands between an operator and the API server in a test: it counts writes, takes another user's name, and
//! can end the operator before or after its n-th write. An ended operator hears nothing more; what it has sent
//! arrives all the same.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{HeaderValue, Method, Request, Uri};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::{Layer, Service};

/// When an operator ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// Its n-th write, from 1, is kept back, as by a slow network: it arrives when `Tap::deliver` says so, long after.
    Before(usize),
    /// Its n-th write is done, and it does not hear so.
    After(usize),
}

impl Crash {
    /// Which write it comes with.
    const fn at(self) -> usize {
        match self {
            Self::Before(n) | Self::After(n) => n,
        }
    }
}

/// What all lives of one operator have in common.
#[derive(Debug, Default)]
struct Shared {
    writes: Vec<String>,
    crash: Option<Crash>,
    /// What was read, watches apart.
    reads: Vec<String>,
}

/// How many writes are sent and not answered, and whether the late one may go.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    unanswered: usize,
    late: usize,
    is_delivered: bool,
}

/// One life of an operator.
#[derive(Clone)]
pub struct Tap {
    shared: Arc<Mutex<Shared>>,
    sent: Arc<watch::Sender<Sent>>,
    dead: Arc<watch::Sender<bool>>,
    user: HeaderValue,
}

impl Tap {
    /// For an operator under a user's name.
    pub fn new(user: &str) -> Self {
        let user = HeaderValue::from_str(user).expect("a user's name can stand in a header");
        Self { shared: Arc::default(), sent: Arc::default(), dead: Arc::new(watch::Sender::new(false)), user }
    }

    /// The next life.
    #[must_use]
    pub fn reborn(&self) -> Self {
        Self { dead: Arc::new(watch::Sender::new(false)), ..self.clone() }
    }

    /// Counts from here; crashes once, if asked to.
    pub fn arm(&self, crash: Option<Crash>) {
        let mut shared = self.lock();
        (shared.writes, shared.reads, shared.crash) = (Vec::new(), Vec::new(), crash);
    }

    /// The writes since.
    pub fn writes(&self) -> Vec<String> {
        self.lock().writes.clone()
    }

    /// How many writes are under way, but for one that is kept back.
    pub fn unanswered(&self) -> usize {
        let sent = *self.sent.borrow();
        sent.unanswered - if sent.is_delivered { 0 } else { sent.late }
    }

    /// What was read since it was armed, watches apart.
    pub fn reads(&self) -> Vec<String> {
        self.lock().reads.clone()
    }

    /// Whether a crash is still to come.
    pub fn is_armed(&self) -> bool {
        self.lock().crash.is_some()
    }

    /// Lets the late write go, and waits until it has arrived.
    pub async fn deliver(&self) {
        self.sent.send_modify(|sent| sent.is_delivered = true);
        // The sender lives as long as this.
        self.sent.subscribe().wait_for(|sent| sent.late == 0).await.ok();
    }

    /// Waits for the end of this life.
    pub async fn died(&self) {
        // The sender lives as long as this.
        self.dead.subscribe().wait_for(|dead| *dead).await.ok();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer, for who still lives.
    async fn unless_dead<T>(&self, answer: T) -> T {
        if *self.dead.borrow() { std::future::pending().await } else { answer }
    }

    /// Counts a read; a watch is opened once and goes on, with the list that it begins with.
    fn count_read(&self, uri: &Uri) {
        let query = uri.query().unwrap_or_default();
        if !query.contains("watch=true") && !query.contains("limit=500") {
            self.lock().reads.push(format!("GET {}", uri.path()));
        }
    }

    /// Counts a write; the crash that it brings, if any.
    fn count(&self, request: String) -> Option<Crash> {
        let mut shared = self.lock();
        shared.writes.push(request);
        let n = shared.writes.len();
        let due = shared.crash.filter(|crash| crash.at() == n);
        if due.is_some() {
            shared.crash = None;
        }
        due
    }

    /// Carries a write to the API server, whoever still waits for its answer.
    fn carry<T: Send + 'static>(
        &self,
        answer: impl Future<Output = T> + Send + 'static,
        is_late: bool,
    ) -> JoinHandle<T> {
        let (sent, late) = (Arc::clone(&self.sent), usize::from(is_late));
        sent.send_modify(|sent| (sent.unanswered, sent.late) = (sent.unanswered + 1, sent.late + late));
        tokio::spawn(async move {
            if is_late {
                // The sender lives as long as this.
                sent.subscribe().wait_for(|sent| sent.is_delivered).await.ok();
            }
            let answer = answer.await;
            sent.send_modify(|sent| (sent.unanswered, sent.late) = (sent.unanswered - 1, sent.late - late));
            answer
        })
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
        if *request.method() == Method::GET {
            tap.count_read(request.uri());
            request.headers_mut().insert("impersonate-user", tap.user.clone());
            let answer = self.inner.call(request);
            return Box::pin(async move { tap.unless_dead(answer.await).await });
        }
        let due = if path.contains("/leases") { None } else { tap.count(format!("{} {path}", request.method())) };
        request.headers_mut().insert("impersonate-user", tap.user.clone());
        let is_late = matches!(due, Some(Crash::Before(_)));
        let carried = tap.carry(self.inner.call(request), is_late);
        if is_late {
            tap.dead.send_replace(true);
            return Box::pin(std::future::pending());
        }
        Box::pin(async move {
            let answer = carried.await.expect("a request does not panic");
            if due.is_some() {
                tap.dead.send_replace(true);
            }
            tap.unless_dead(answer).await
        })
    }
}

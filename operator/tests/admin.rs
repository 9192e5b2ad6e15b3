//! The real program at an API server of a test: what its admin address and its log say while it cannot work.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::convert::Infallible;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use serde_json::{Value, json};

/// How long anything may take.
const WITHIN: Duration = Duration::from_mins(1);
/// How often it is looked.
const TICK: Duration = Duration::from_millis(50);

/// An API server with no objects, and without our kinds until it has them.
fn answer(uri: &Uri, has_kinds: bool) -> Response {
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    let list = match path.rsplit('/').next().unwrap_or_default() {
        "pods" => "PodList",
        "tradingstrategies" if has_kinds => "TradingStrategyList",
        "tradingaccounts" if has_kinds => "TradingAccountList",
        _ => {
            let status = json!({
                "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound",
                "message": "the server could not find the requested resource",
            });
            return (StatusCode::NOT_FOUND, status.to_string()).into_response();
        }
    };
    if query.contains("watch=true") {
        return Body::from_stream(stream::pending::<Result<Vec<u8>, Infallible>>()).into_response();
    }
    let version = if list == "PodList" { "v1" } else { crds::API_VERSION };
    json!({"apiVersion": version, "kind": list, "metadata": {"resourceVersion": "1"}, "items": []})
        .to_string()
        .into_response()
}

/// Serves in a thread of its own, as long as the test lasts.
fn api_server(has_kinds: Arc<AtomicBool>) -> SocketAddr {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let routes = Router::new().fallback(move |uri: Uri| {
                let answer = answer(&uri, has_kinds.load(Ordering::Relaxed));
                async move { answer }
            });
            axum::serve(listener, routes).await.unwrap();
        });
    });
    address
}

/// The program, which ends with the test.
struct Operator {
    child: Child,
    log: Receiver<Value>,
    admin: SocketAddr,
}

impl Drop for Operator {
    fn drop(&mut self) {
        // It has ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Operator {
    fn start(api_server: SocketAddr) -> Self {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kubeconfig-{}", api_server.port()));
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": format!("http://{api_server}")}}],
            "users": [{"name": "test", "user": {}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        });
        fs::write(&file, config.to_string()).unwrap();
        // Nobody listens at Redis' port.
        let run = ["run", "--redis", "redis://127.0.0.1:1", "--namespaces", "desk", "--image", "worker"];
        let mut child = Command::new(env!("CARGO_BIN_EXE_operator"))
            .args(run)
            .args(["--admin", "127.0.0.1:0"])
            .env_clear()
            .env("KUBECONFIG", &file)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (said, log) = channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // The test has ended.
                said.send(serde_json::from_str(&line).unwrap_or(Value::String(line))).ok();
            }
        });
        let mut operator = Self { child, log, admin: ([127, 0, 0, 1], 0).into() };
        let open = operator.until_said(|line| line["message"] == "admin address open");
        operator.admin = open["address"].as_str().unwrap().parse().unwrap();
        operator
    }

    /// The next line of the log that is such a one.
    fn until_said(&self, is: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + WITHIN;
        let mut others = Vec::new();
        loop {
            match self.log.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) if is(&line) => return line,
                Ok(line) => others.push(line),
                Err(error) => panic!("{error}; it said {others:#?}"),
            }
        }
    }

    fn ask(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        stream.set_read_timeout(Some(WITHIN)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// Waits until it answers so.
    fn until_answers(&self, path: &str, holds: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + WITHIN;
        loop {
            let answer = self.ask(path);
            if holds(&answer) {
                return answer;
            }
            assert!(Instant::now() < end, "{path}: {answer}");
            thread::sleep(TICK);
        }
    }
}

#[test]
fn it_tells_of_watches_that_fail_and_is_ready_once_it_knows_all_objects_though_redis_is_away() {
    let has_kinds = Arc::new(AtomicBool::new(false));
    let operator = Operator::start(api_server(Arc::clone(&has_kinds)));
    for resource in ["tradingstrategies", "tradingaccounts"] {
        let why = format!("{resource} of desk are not read yet: failed to perform initial object list: ");
        let unready = operator.until_answers("/readyz", |text| text.contains(&why));
        assert!(unready.starts_with("HTTP/1.1 503 "), "{unready}");
        assert!(unready.contains("could not find the requested resource"), "{unready}");
    }
    let warned = operator.until_said(|line| line["resource"] == "tradingstrategies");
    assert_eq!((&warned["level"], &warned["namespace"]), (&json!("WARN"), &json!("desk")), "{warned}");
    assert!(operator.ask("/healthz").ends_with("ok\n"), "it lives");
    for figure in [
        r#"watch_errors_total{resource="tradingstrategies"}"#,
        r#"watch_errors_total{resource="tradingaccounts"}"#,
        r#"api_requests_total{verb="list",resource="tradingstrategies",code="404"}"#,
        r#"api_requests_total{verb="list",resource="pods",code="200"}"#,
        r#"store_requests_total{call="claim_installation",outcome="unavailable"}"#,
    ] {
        operator.until_answers("/metrics", |figures| figures.contains(&format!("\nglm_operator_{figure} ")));
    }
    let figures = operator.ask("/metrics");
    assert!(!figures.contains(r#"resource="pods",code="404""#), "{figures}");
    assert!(!figures.contains(r#"watch_errors_total{resource="pods"}"#), "{figures}");

    has_kinds.store(true, Ordering::Relaxed);
    operator.until_answers("/readyz", |text| text.starts_with("HTTP/1.1 200 ") && text.ends_with("ready\n"));
    let watched = r#"api_requests_total{verb="watch",resource="tradingstrategies",code="200"}"#;
    operator.until_answers("/metrics", |text| text.contains(watched));
}

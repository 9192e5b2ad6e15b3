//! One test's namespace: asked, changed, and described when the test fails.

use std::thread;
use std::time::{Duration, Instant};

use kube::api::{GetParams, ListParams, Request};
use kube::{Client, Config};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::{Platform, await_that, condition, run, text, try_run};

/// How long the API server may not answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A `TradingStrategy`.
    Strategy,
    /// A `TradingAccount`.
    Account,
    /// A pod.
    Pod,
}

impl Kind {
    fn path(self, namespace: &str) -> String {
        match self {
            Self::Strategy => format!("/apis/glm.trading/v1alpha1/namespaces/{namespace}/tradingstrategies"),
            Self::Account => format!("/apis/glm.trading/v1alpha1/namespaces/{namespace}/tradingaccounts"),
            Self::Pod => format!("/api/v1/namespaces/{namespace}/pods"),
        }
    }
}

/// A namespace that a platform watches.
pub struct Scenario {
    /// Its name.
    pub namespace: String,
    platform: String,
    runtime: Runtime,
    client: Client,
}

impl Scenario {
    /// The scenario of that name.
    pub fn of(platform: &Platform, name: &str) -> Self {
        Self::in_namespace(&platform.namespace, &format!("{}-{name}", platform.namespace))
    }

    /// A namespace, and the one of its platform, whose logs tell what went wrong.
    pub fn in_namespace(platform: &str, namespace: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
        let client = runtime.block_on(async {
            let mut config = Config::infer().await.expect("KUBECONFIG leads to the cluster");
            config.read_timeout = Some(Duration::from_secs(10));
            Client::try_from(config).expect("a client can be made")
        });
        eprintln!("== {}", thread::current().name().unwrap_or_default());
        Self { namespace: namespace.to_owned(), platform: platform.to_owned(), runtime, client }
    }

    /// One object, if it is there.
    pub fn get(&self, kind: Kind, name: &str) -> Option<Value> {
        let request = || Request::new(kind.path(&self.namespace)).get(name, &GetParams::default());
        match self.ask(|| request().expect("the name is plain")) {
            Ok(found) => Some(found),
            Err(kube::Error::Api(answer)) if answer.code == 404 => None,
            Err(error) => panic!("get {kind:?} {name}: {error}"),
        }
    }

    /// An answer, asked for again while the API server is not itself: it has just come back, or the machine is slow.
    fn ask(&self, request: impl Fn() -> http::Request<Vec<u8>>) -> Result<Value, kube::Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.runtime.block_on(self.client.request::<Value>(request())) {
                Err(kube::Error::Api(answer)) if answer.code < 500 => return Err(kube::Error::Api(answer)),
                Err(error) if Instant::now() < deadline => eprintln!("asked again: {error}"),
                answer => return answer,
            }
            thread::sleep(super::POLL);
        }
    }

    /// All objects of a kind.
    pub fn list(&self, kind: Kind) -> Vec<Value> {
        let request = || Request::new(kind.path(&self.namespace)).list(&ListParams::default());
        let list = self.ask(|| request().expect("no parameters"));
        let list = list.unwrap_or_else(|error| panic!("list {kind:?}: {error}"));
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// The pod that a process has now: the one that is not on its way out.
    pub fn pod_of(&self, component: &str, instance: &str) -> Option<Value> {
        self.list(Kind::Pod).into_iter().find(|pod| {
            let label = |name: &str| text(pod, &format!("/metadata/labels/app.kubernetes.io~1{name}"));
            label("component") == component
                && label("instance") == instance
                && text(pod, "/metadata/deletionTimestamp").is_empty()
        })
    }

    /// kubectl in this namespace, which must not fail.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.try_kubectl(arguments).unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    /// kubectl in this namespace.
    pub fn try_kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        try_run(
            "kubectl",
            &["-n", &self.namespace].into_iter().chain(arguments.iter().copied()).collect::<Vec<_>>(),
            "",
        )
    }

    /// Applies a manifest.
    pub fn apply(&self, manifest: &str) {
        run("kubectl", &["-n", &self.namespace, "apply", "-f", "-"], manifest);
    }

    /// Merges a patch into an object.
    pub fn patch(&self, object: &str, patch: &str) {
        self.kubectl(&["patch", object, "--type=merge", "-p", patch]);
    }

    /// Until an object is as wanted.
    pub fn await_object(
        &self,
        (kind, name): (Kind, &str),
        what: &str,
        seconds: u64,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        await_that(&format!("{name}: {what}"), seconds, || {
            let found = self.get(kind, name).ok_or("it does not exist")?;
            if wanted(&found) { Ok(found) } else { Err(brief(&found)) }
        })
    }

    /// Until a strategy is as wanted.
    pub fn await_strategy(&self, name: &str, what: &str, seconds: u64, wanted: impl Fn(&Value) -> bool) -> Value {
        self.await_object((Kind::Strategy, name), what, seconds, wanted)
    }

    /// Until an object is gone.
    pub fn await_gone(&self, kind: Kind, name: &str, seconds: u64) {
        await_that(&format!("{name} is gone"), seconds, || match self.get(kind, name) {
            None => Ok(()),
            Some(found) => Err(brief(&found)),
        });
    }

    /// Until the quickstart's strategy trades; its object.
    pub fn await_trading(&self, name: &str) -> Value {
        self.await_strategy(name, "Ready=True Trading", 180, |strategy| {
            condition(strategy, "Ready").starts_with("True Trading") && text(strategy, "/status/state") == "Running"
        })
    }

    /// All that can be seen, for a human who was not there.
    fn describe(&self) -> String {
        let show = |namespace: &str, arguments: &[&str]| {
            let arguments: Vec<&str> = ["-n", namespace].into_iter().chain(arguments.iter().copied()).collect();
            let said = try_run("kubectl", &arguments, "").unwrap_or_else(|refusal| refusal);
            format!("$ kubectl {}\n{said}\n", arguments.join(" "))
        };
        let here = self.namespace.as_str();
        let mut all = show(here, &["get", "tacct,ts,pods", "-o", "wide"]);
        all += &show(here, &["get", "tacct,ts", "-o", "yaml"]);
        all += &show(here, &["get", "events.events.k8s.io"]);
        for role in ["strategy", "gateway", "feed"] {
            let role = format!("app.kubernetes.io/component={role}");
            all += &show(here, &["logs", "-l", &role, "--prefix", "--tail=15"]);
        }
        all += &show(&self.platform, &["get", "pods", "-o", "wide"]);
        all + &show(&self.platform, &["logs", "deployment/glm-operator", "--tail=40"])
    }
}

/// What a status says, in one line.
fn brief(object: &Value) -> String {
    let parts = ["Accepted", "Ready", "Stalled"].map(|kind| format!("{kind}={}", condition(object, kind)));
    format!(
        "{} state={} epoch={} {}",
        text(object, "/metadata/name"),
        text(object, "/status/state"),
        text(object, "/status/epoch"),
        parts.join("; ")
    )
}

/// Where one failed, what stands is evidence. Otherwise its pods end: they would take the machine from those that come.
impl Drop for Scenario {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.describe());
            return;
        }
        let all = ["delete", "tradingstrategies,tradingaccounts", "--all", "--wait=false"];
        // The scenario may have ended more than this itself.
        if let Err(refusal) = self.try_kubectl(&all) {
            eprintln!("nothing to end in {}: {refusal}", self.namespace);
        }
    }
}

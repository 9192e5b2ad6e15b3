//! A real API server for tests, without nodes: the one that `KUBECONFIG` names. Inside the box that
//! `tests/cluster/up --apiserver-only --controllers` starts, cargo's runner `DIR/enter` sets it.
#![allow(clippy::panic, clippy::expect_used, clippy::missing_panics_doc, reason = "only tests call this")]

mod audit;
mod behaviour;
mod end_state;
mod kubelet;
mod look;
mod tap;
mod world;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, Node, ServiceAccount};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Config, ResourceExt};
use serde_json::{Value, json};

pub use behaviour::{Behaviour, Behaviours};
pub use kubelet::REFUSAL;
pub use tap::Crash;
pub use world::{Kind, World, condition};

const REMEDY: &str = "start one with tests/cluster/up --dir DIR --apiserver-only --controllers and run the test with \
                      CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER=DIR/enter";
/// How long it is waited between two questions at first: many tests ask at once.
const POLL: Duration = Duration::from_millis(100);
/// And at most.
const POLL_MAX: Duration = Duration::from_secs(1);

/// How long to wait before a question is asked again that was first asked so long ago: a tenth of that, because the API
/// server that is asked also does the work that is waited for.
pub fn pause_after(asking: Duration) -> Duration {
    (asking / 10).clamp(POLL, POLL_MAX)
}

/// A client of the administrator.
pub async fn client() -> Client {
    assert!(std::env::var_os("KUBECONFIG").is_some(), "no API server; {REMEDY}");
    Client::try_default().await.expect(REMEDY)
}

/// Clients of the administrator, for all worlds of a test: connections are made once, and their kubeconfig is read once.
#[derive(Clone)]
pub struct Clients {
    /// For the test, and for operators.
    pub administrator: Client,
    /// For nodes: it drops a connection on which nothing has come for longer than a node's watch may be silent.
    kubelet: Client,
}

impl Clients {
    /// Reads the kubeconfig that `KUBECONFIG` names.
    pub async fn new() -> Self {
        let administrator = client().await;
        node(&administrator).await;
        let mut config = Config::infer().await.expect(REMEDY);
        config.read_timeout = Some(Duration::from_secs(kubelet::WATCH_SECONDS.into()) + kubelet::PATIENCE);
        Self { administrator, kubelet: Client::try_from(config).expect("the kubeconfig is good") }
    }
}

/// Applies the definitions as they are now, and waits until the API server serves them.
pub async fn install(client: &Client) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in crds::crd::definitions() {
        let name = definition["metadata"]["name"].as_str().expect("a definition has a name").to_owned();
        let params = PatchParams::apply("tests").force();
        api.patch(&name, &params, &Patch::Apply(&definition)).await.expect("the definitions are valid");
        await_that(&format!("{name} is established"), || async {
            let crd = api.get(&name).await.expect("the definition is there");
            let conditions = crd.status.and_then(|status| status.conditions).unwrap_or_default();
            conditions
                .iter()
                .any(|condition| condition.type_ == "Established" && condition.status == "True")
                .then_some(())
        })
        .await;
    }
}

/// The node that pods are bound to: on one that does not exist, the cluster's controllers delete them.
async fn node(client: &Client) {
    let node: Node = serde_json::from_value(json!({"metadata": {"name": "node1"}})).expect("a node");
    match Api::<Node>::all(client.clone()).create(&PostParams::default(), &node).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {}
        Err(error) => panic!("a node can be made: {error}"),
    }
}

/// A namespace of its own, with the service account that pods run under.
pub async fn namespace(client: &Client, hint: &str) -> String {
    let wanted = json!({"metadata": {"generateName": format!("{hint}-")}});
    create_namespace(client, &serde_json::from_value(wanted).expect("a namespace")).await
}

/// Makes a namespace, and in it the service account; its name.
async fn create_namespace(client: &Client, wanted: &Namespace) -> String {
    let api: Api<Namespace> = Api::all(client.clone());
    let name = api.create(&PostParams::default(), wanted).await.expect("a namespace can be made").name_any();
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &name);
    let account: ServiceAccount =
        serde_json::from_value(json!({"metadata": {"name": "glm-worker"}})).expect("a service account");
    accounts.create(&PostParams::default(), &account).await.expect("a service account can be made");
    name
}

/// Waits until `probe` gives something; fails past a deadline that nothing healthy comes near.
pub async fn await_that<T, F: Future<Output = Option<T>>>(what: &str, mut probe: impl FnMut() -> F) -> T {
    await_told(what, move || {
        let asked = probe();
        async move { asked.await.ok_or_else(String::new) }
    })
    .await
}

/// The same, and the failure says what was seen last.
pub async fn await_told<T, F: Future<Output = Result<T, String>>>(what: &str, mut probe: impl FnMut() -> F) -> T {
    let begun = Instant::now();
    loop {
        match probe().await {
            Ok(found) => return found,
            Err(seen) => {
                assert!(begun.elapsed() < Duration::from_mins(3), "waited in vain: {what}; last: {seen}");
            }
        }
        tokio::time::sleep(pause_after(begun.elapsed())).await;
    }
}

/// What kubectl said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Whether it ended well.
    pub ok: bool,
    /// Its data.
    pub stdout: String,
    /// Its talk.
    pub stderr: String,
}

/// Runs kubectl as a user would.
pub fn kubectl(arguments: &[&str], input: &str) -> Said {
    let mut command = Command::new("kubectl");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("kubectl is in the box");
    child.stdin.take().expect("stdin is piped").write_all(input.as_bytes()).expect("kubectl reads");
    let output = child.wait_with_output().expect("kubectl ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("kubectl writes text");
    Said { ok: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The same, and its data as JSON.
pub fn kubectl_json(arguments: &[&str]) -> Value {
    let said = kubectl(&[arguments, &["-o", "json"]].concat(), "");
    assert!(said.ok, "kubectl {arguments:?}: {}", said.stderr);
    serde_json::from_str(&said.stdout).expect("kubectl writes JSON")
}

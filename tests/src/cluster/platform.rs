//! The platform, installed by its chart.

use std::os::unix::fs::chown;
use std::{fs, process};

use serde_json::Value;

use super::{await_that, kubectl, run, text};
use crate::figures;
use crate::result::comparable;

/// The name of every release here; each is in a namespace of its own.
pub const RELEASE: &str = "glm";
/// The user of the chart's Redis.
const REDIS_USER: u32 = 999;

/// An installation: an operator and a Redis of its own, and the namespaces that it watches.
#[derive(Debug)]
pub struct Platform {
    /// The release's namespace.
    pub namespace: String,
}

impl Platform {
    /// Installs into a new namespace and waits until all of it is ready. Watches one namespace for each scenario,
    /// `<namespace>-<scenario>`, all of which admit restricted pods only.
    pub fn install(namespace: &str, scenarios: &[&str], more: &[&str]) -> Self {
        // One release of a cluster brings the definitions; here they are there before any.
        run("kubectl", &["apply", "--server-side", "--force-conflicts", "-f", "charts/glm/definitions"], "");
        let watched: Vec<String> = scenarios.iter().map(|scenario| format!("{namespace}-{scenario}")).collect();
        for namespace in watched.iter().map(String::as_str).chain([namespace]) {
            Self::make_namespace(namespace);
        }
        let watched = format!("watchNamespaces={{{}}}", watched.join(","));
        let platform = Self { namespace: namespace.to_owned() };
        let values = ["--set", "crds.install=false", "--set", &watched];
        platform.helm("install", &values.into_iter().chain(more.iter().copied()).collect::<Vec<_>>());
        platform.await_ready();
        platform
    }

    /// A namespace that admits restricted pods only.
    pub fn make_namespace(name: &str) {
        kubectl(&["create", "namespace", name]);
        kubectl(&["label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted"]);
    }

    /// `helm install` or `helm upgrade` with the images that the nodes have.
    pub fn helm(&self, verb: &str, more: &[&str]) -> String {
        let images = "image.repository=localhost/glm,image.tag=dev,redis.builtin.image.repository=localhost/redis";
        let arguments = [verb, RELEASE, "charts/glm", "--namespace", &self.namespace, "--set", images];
        run("helm", &arguments.into_iter().chain(more.iter().copied()).collect::<Vec<_>>(), "")
    }

    /// A volume for its Redis, bound to the claim that the chart will make; gone with the box.
    pub fn make_volume(namespace: &str) {
        // The box's own memory: its end is the volume's.
        let folder = format!("/run/volume-{namespace}-{}", process::id());
        fs::create_dir_all(&folder).expect("the box has a /run");
        chown(&folder, Some(REDIS_USER), Some(REDIS_USER)).expect("tests in the box run as root");
        let volume = format!(
            "{{apiVersion: v1, kind: PersistentVolume, metadata: {{name: {namespace}}}, spec: {{capacity: {{storage: 1Gi}}, \
             accessModes: [ReadWriteOnce], hostPath: {{path: {folder}}}, claimRef: {{namespace: {namespace}, name: {RELEASE}-redis}}}}}}"
        );
        run("kubectl", &["apply", "-f", "-"], &volume);
    }

    /// Until operator and Redis are ready.
    pub fn await_ready(&self) {
        for (kind, name) in [("statefulset", "redis"), ("deployment", "operator")] {
            let name = format!("{kind}/{RELEASE}-{name}");
            await_that(&format!("{name} in {} is ready", self.namespace), 60, || {
                super::try_run("kubectl", &["-n", &self.namespace, "rollout", "status", &name, "--timeout=10s"], "")
            });
        }
    }

    /// Pods of a component, `operator` or `redis`.
    pub fn pods(&self, component: &str) -> Vec<Value> {
        let selector = format!("app.kubernetes.io/component={component}");
        let list = kubectl(&["-n", &self.namespace, "get", "pods", "-l", &selector, "-o", "json"]);
        let list: Value = serde_json::from_str(&list).expect("kubectl prints JSON");
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// Kills the operator's or Redis' container, as soon as one runs.
    pub fn kill(&self, component: &str) {
        await_that(&format!("{component} in {} is killed", self.namespace), 90, || {
            let pod = self.pods(component).into_iter().next().ok_or("no pod")?;
            super::try_signal_container(&pod, "SIGKILL")
        });
    }

    /// Kills it and its pod, so that the next one does not wait as one that crashes again and again does.
    pub fn kill_with_pod(&self, component: &str) {
        self.kill(component);
        let selector = format!("app.kubernetes.io/component={component}");
        let delete = ["delete", "pod", "-l", &selector, "--grace-period=1", "--wait=false"];
        kubectl(&["-n", &self.namespace].into_iter().chain(delete).collect::<Vec<_>>());
    }

    /// How many pods Redis is to have: 0 takes it away.
    pub fn scale_redis(&self, replicas: u8) {
        let (name, replicas) = (format!("statefulset/{RELEASE}-redis"), format!("--replicas={replicas}"));
        kubectl(&["-n", &self.namespace, "scale", &name, &replicas]);
    }

    /// Redis' address, for programs in the box.
    pub fn redis_host(&self) -> String {
        format!("{RELEASE}-redis.{}.svc.cluster.local", self.namespace)
    }

    /// redis-cli's answer.
    pub fn redis(&self, arguments: &[&str]) -> String {
        self.try_redis(arguments).unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    /// The same while Redis may be away.
    pub fn try_redis(&self, arguments: &[&str]) -> Result<String, String> {
        let host = self.redis_host();
        // It knows no bound itself: who asks as the pod ends waits two minutes for the address of the one that is gone.
        let bounded = ["10", "redis-cli", "-h", &host];
        let arguments: Vec<&str> = bounded.into_iter().chain(arguments.iter().copied()).collect();
        super::try_run("timeout", &arguments, "").map(|answer| answer.trim_end().to_owned())
    }

    /// A sum that the operator counts, such as `released_namespaces_total`.
    pub fn counted(&self, name: &str) -> u64 {
        figures::counted(&self.figures(), name, &[]).into_values().sum()
    }

    /// How many writes the operator has sent to the API server, by what it counts itself.
    pub fn writes(&self) -> u64 {
        figures::writes(&self.figures())
    }

    /// All that the operator counts.
    fn figures(&self) -> String {
        let pod = self.pods("operator").into_iter().next().expect("there is an operator");
        let address =
            format!("/api/v1/namespaces/{}/pods/{}:9090/proxy/metrics", self.namespace, text(&pod, "/metadata/name"));
        kubectl(&["get", "--raw", &address])
    }

    /// What `worker ledger show` prints for a manifest in a namespace.
    pub fn ledger(&self, manifest: &str) -> String {
        let url = format!("redis://{}:6379", self.redis_host());
        let installation = format!("{}/{RELEASE}", self.namespace);
        comparable(&worker(manifest, &["ledger", "show"], &["--redis", &url, "--installation", &installation]))
    }
}

/// What `worker backtest` prints for a manifest, with these further options.
pub fn backtest(manifest: &str, more: &[&str]) -> String {
    let options = ["--data", super::manifest::DATA, "--output", "json"];
    let options: Vec<&str> = options.into_iter().chain(more.iter().copied()).collect();
    comparable(&worker(manifest, &["backtest"], &options))
}

/// The worker with a manifest, from the root of the repository.
fn worker(manifest: &str, command: &[&str], options: &[&str]) -> String {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a temporary file can be made");
    fs::write(file.path(), manifest).expect("a temporary file can be written");
    let path = file.path().to_str().expect("temporary files have plain names");
    let program = crate::worker_binary::worker_binary();
    let arguments: Vec<&str> = command.iter().copied().chain([path]).chain(options.iter().copied()).collect();
    run(program.to_str().expect("the worker has a plain name"), &arguments, "")
}

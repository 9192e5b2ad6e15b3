//! An operator at work in a namespace of its own: the product's own controllers in this process, under the chart's
//! service account, with a real store; a fake node; and the user's hands.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::{Keys, RedisBus};
use futures::{FutureExt as _, StreamExt as _, stream};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::client::ClientBuilder;
use kube::runtime::reflector;
use kube::{Api, Client};
use operator::build::Image;
use operator::context::{Context, Given};
use operator::controller::{self, Sources, Told};
use operator::metrics::{CountRequests, CountedStore, Metrics};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use super::audit::Audit;
use super::behaviour::Behaviours;
use super::kubelet::Kubelet;
use super::tap::{Crash, Tap};
use super::{Clients, await_that, await_told, create_namespace, namespace};
use crate::redis_server::RedisServer;

/// The chart's rights as they are rendered for one namespace.
const RIGHTS: &str = include_str!("../../golden/chart/rbac.yaml");

/// A kind's plural, for whoever asks the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// TradingStrategy.
    Strategy,
    /// TradingAccount.
    Account,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Strategy, Self::Account];

    fn resource(self) -> ApiResource {
        let (kind, plural) = match self {
            Self::Strategy => ("TradingStrategy", "tradingstrategies"),
            Self::Account => ("TradingAccount", "tradingaccounts"),
        };
        ApiResource {
            group: crds::GROUP.to_owned(),
            version: crds::VERSION.to_owned(),
            api_version: crds::API_VERSION.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        }
    }
}

/// Everything of one run.
#[expect(missing_docs, reason = "the names of these fields say it")]
pub struct World {
    /// The administrator's client.
    pub client: Client,
    pub namespace: String,
    /// The store, under a prefix of its own.
    pub bus: RedisBus,
    pub keys: Keys,
    /// What the operator counts, over all of its lives.
    pub metrics: Metrics,
    /// Its writes.
    pub tap: Tap,
    /// What the fake node's pods do.
    pub kubelet: Behaviours,
    nudges: broadcast::Sender<Told>,
    audit: Arc<Mutex<Audit>>,
    pub(super) turns: Arc<AtomicUsize>,
    pub(super) living: Arc<Mutex<Option<Arc<Context>>>>,
    tasks: Vec<JoinHandle<()>>,
    pub(super) redis: Arc<RedisServer>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl World {
    /// An operator and a node, and nothing for them to do yet.
    pub async fn start(clients: &Clients, redis: &Arc<RedisServer>, crash: Option<Crash>) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let client = &clients.administrator;
        let namespace = namespace(client, "world").await;
        let user = grant(client, &namespace).await;
        let prefix = format!("w{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let (nudges, _) = broadcast::channel(1000);
        let mut world = Self {
            client: client.clone(),
            bus: RedisBus::open(&redis.url()).expect("the store has an address"),
            keys: Keys::new(&prefix).expect("a short prefix"),
            metrics: Metrics::default(),
            tap: Tap::new(&format!("system:serviceaccount:{namespace}:{user}")),
            kubelet: Behaviours::default(),
            nudges,
            audit: Arc::default(),
            turns: Arc::default(),
            living: Arc::default(),
            tasks: Vec::new(),
            redis: Arc::clone(redis),
            namespace,
        };
        world.tap.arm(crash);
        let kubelet = Kubelet {
            client: clients.kubelet.clone(),
            namespace: world.namespace.clone(),
            bus: world.bus.clone(),
            keys: world.keys.clone(),
            nudges: world.nudges.clone(),
            audit: Arc::clone(&world.audit),
            behaviours: world.kubelet.clone(),
            turns: Arc::clone(&world.turns),
        };
        world.tasks = vec![tokio::spawn(kubelet.run()), tokio::spawn(world.supervise())];
        world
    }

    /// The same with a store of its own, under the definitions as they are now.
    pub async fn alone() -> Self {
        let clients = Clients::new().await;
        super::install(&clients.administrator).await;
        Self::start(&clients, &Arc::new(RedisServer::start()), None).await
    }

    /// Lives of the operator, one after the other.
    fn supervise(&self) -> impl Future<Output = ()> + Send + 'static {
        let (namespace, bus, keys) = (self.namespace.clone(), self.bus.clone(), self.keys.clone());
        let (nudges, metrics, mut tap) = (self.nudges.clone(), self.metrics.clone(), self.tap.clone());
        let (redis, living, administrator) = (self.redis.url(), Arc::clone(&self.living), self.client.clone());
        async move {
            loop {
                let told = nudges.subscribe();
                let client = tapped(&tap, &administrator, &metrics);
                let (strategies, strategy_writer) = reflector::store();
                let (accounts, account_writer) = reflector::store();
                let context = Arc::new(Context::new(Given {
                    client: client.clone(),
                    bus: CountedStore::new(bus.clone(), metrics.clone()),
                    keys: keys.clone(),
                    image: image(&redis, &keys),
                    metrics: metrics.clone(),
                    strategies,
                    accounts,
                }));
                *living.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&context));
                let caches = (context.strategies.clone(), context.accounts.clone());
                metrics.keep(&namespace, caches, context.known.clone());
                let sources = Sources {
                    client,
                    namespace: namespace.clone(),
                    strategies: strategy_writer,
                    accounts: account_writer,
                    reports: stream::unfold(told, |mut told| async move {
                        let next = told.recv().await.ok()?;
                        Some((next, told))
                    })
                    .chain(stream::pending()),
                };
                let life = controller::run(sources, context, std::future::pending().shared());
                tokio::select! {
                    () = life => return,
                    () = tap.died() => tap = tap.reborn(),
                }
            }
        }
    }

    /// One look of a new operator at an account, before it has seen any strategy; `None`: it waits for them.
    pub async fn look_unprepared(&self, account: &str) -> Option<Result<(), operator::Error>> {
        let metrics = Metrics::default();
        let client = tapped(&self.tap, &self.client, &metrics);
        let (strategies, _strategy_writer) = reflector::store();
        let (accounts, _account_writer) = reflector::store();
        let context = Context::new(Given {
            client: client.clone(),
            bus: CountedStore::new(self.bus.clone(), metrics.clone()),
            keys: self.keys.clone(),
            image: image(&self.redis.url(), &self.keys),
            metrics,
            strategies,
            accounts,
        });
        let api: Api<operator::GuardedAccount> = Api::namespaced(client, &self.namespace);
        let seen = api.get(account).await.expect("it is there");
        let look = operator::account::reconcile(Arc::new(seen), Arc::new(context));
        let looked = tokio::time::timeout(Duration::from_secs(2), look).await.ok()?;
        Some(looked.map(drop))
    }

    /// What the operator has counted under a name, by the values of these labels.
    pub fn counted(&self, name: &str, labels: &[&str]) -> BTreeMap<Vec<String>, u64> {
        crate::figures::counted(&self.metrics.text().expect("figures are text"), name, labels)
    }

    /// The kind's objects.
    pub fn api(&self, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind.resource())
    }

    /// The pods.
    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Creates an object.
    pub async fn create(&self, kind: Kind, name: &str, spec: Value) {
        self.try_create(kind, name, spec).await.expect("a valid manifest");
    }

    /// Creates an object, if the API server takes it.
    pub async fn try_create(&self, kind: Kind, name: &str, spec: Value) -> Result<(), kube::Error> {
        let resource = kind.resource();
        let object = json!({
            "apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}, "spec": spec,
        });
        let object: DynamicObject = serde_json::from_value(object).expect("an object");
        self.api(kind).create(&PostParams::default(), &object).await.map(drop)
    }

    /// Merges into an object.
    pub async fn patch(&self, kind: Kind, name: &str, patch: Value) {
        self.api(kind).patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await.expect("a valid change");
    }

    /// Merges into a pod; `status` is another resource of it.
    pub async fn patch_pod(&self, name: &str, patch: Value) {
        let params = PatchParams::default();
        let change = if patch.get("status").is_some() {
            self.pods().patch_status(name, &params, &Patch::Merge(&patch)).await
        } else {
            self.pods().patch(name, &params, &Patch::Merge(&patch)).await
        };
        change.expect("a valid change");
    }

    /// Asks for an object's end.
    pub async fn delete(&self, kind: Kind, name: &str) {
        self.api(kind).delete(name, &DeleteParams::default()).await.expect("it is there");
    }

    /// Asks for a pod's end.
    pub async fn delete_pod(&self, name: &str) {
        self.pods().delete(name, &DeleteParams::default()).await.expect("it is there");
    }

    /// An object as it stands; null if it is gone.
    pub async fn get(&self, kind: Kind, name: &str) -> Value {
        let found = self.api(kind).get_opt(name).await.expect("the API server answers");
        found.map_or(Value::Null, |object| serde_json::to_value(object).expect("an object is data"))
    }

    /// A kind's objects as they stand.
    pub async fn all(&self, kind: Kind) -> Vec<Value> {
        let found = self.api(kind).list(&ListParams::default()).await.expect("the API server answers");
        found.iter().map(|object| serde_json::to_value(object).expect("an object is data")).collect()
    }

    /// Waits until an object's JSON meets a condition.
    pub async fn until(&self, what: &str, kind: Kind, name: &str, holds: impl Fn(&Value) -> bool) {
        await_told(&format!("{name}: {what}"), || async {
            let object = self.get(kind, name).await;
            if holds(&object) {
                Ok(())
            } else {
                self.newer_than(&object, kind, name).await;
                let looks = self.counted("reconciles_total", &["outcome"]);
                Err(format!("{}\n{looks:?} {:?}", object["status"], self.tap.writes()))
            }
        })
        .await;
    }

    /// Waits until Ready has a reason and the observed generation is the object's.
    pub async fn until_reason(&self, kind: Kind, name: &str, reason: &str) {
        self.until(reason, kind, name, |object| {
            let seen = object["status"]["observedGeneration"] == object["metadata"]["generation"];
            seen && condition(object, "Ready")["reason"] == reason
        })
        .await;
    }

    /// Wakes the operator for a strategy, as its worker's report would.
    pub fn nudge(&self, name: &str) {
        self.nudges.send(Told::Strategy { namespace: self.namespace.clone(), name: name.to_owned() }).ok();
    }

    /// Wakes the operator for an account, as its gateway's report of the account itself would.
    pub fn nudge_account(&self, name: &str) {
        self.nudges.send(Told::Account { namespace: self.namespace.clone(), name: name.to_owned() }).ok();
    }

    /// Keeps a copy of all that the store holds of this world, beside it.
    pub fn keep_store(&self) {
        for key in self.redis.cli(&["--raw", "KEYS", &format!("{}:*", self.keys.prefix())]).lines() {
            self.redis.cli(&["COPY", key, &format!("kept-{key}"), "REPLACE"]);
        }
    }

    /// Puts the copy in its place again: a store that was not there when all else went.
    pub fn bring_store_back(&self) {
        for key in self.redis.cli(&["--raw", "KEYS", &format!("kept-{}:*", self.keys.prefix())]).lines() {
            let place = key.strip_prefix("kept-").unwrap_or(key);
            self.redis.cli(&["COPY", key, place, "REPLACE"]);
        }
    }

    /// Keys of a pattern, behind the prefix, that the store holds.
    pub fn stored_keys(&self, pattern: &str) -> Vec<String> {
        let found = self.redis.cli(&["--raw", "KEYS", &format!("{}:{pattern}", self.keys.prefix())]);
        found.lines().filter(|key| !key.is_empty()).map(str::to_owned).collect()
    }

    /// Removes an owner's record, as a store that lost its memory.
    pub fn lose(&self, owner: &bus::Owner) {
        self.redis.cli(&["DEL", owner.state_key(), owner.desired_key()]);
    }

    /// Sets a field of an owner's record.
    pub fn set_field(&self, owner: &bus::Owner, name: &str, value: &str) {
        self.redis.cli(&["HSET", owner.state_key(), &format!("field:{name}"), value]);
    }

    /// Gives an owner's record to another resource, as a restored backup has it.
    pub fn claim(&self, owner: &bus::Owner, uid: &str) {
        self.redis.cli(&["HSET", owner.state_key(), "_uid", uid]);
    }

    /// Merges into an object's status.
    pub async fn patch_status(&self, kind: Kind, name: &str, patch: Value) {
        let params = PatchParams::default();
        self.api(kind).patch_status(name, &params, &Patch::Merge(&patch)).await.expect("a valid change");
    }

    /// A pod that somebody else made.
    pub async fn create_foreign_pod(&self, name: &str) {
        let pod = json!({
            "metadata": {"name": name},
            "spec": {"serviceAccountName": "glm-worker", "containers": [{"name": "other", "image": "other"}]},
        });
        let pod: Pod = serde_json::from_value(pod).expect("a pod");
        self.pods().create(&PostParams::default(), &pod).await.expect("a pod can be made");
    }

    /// Asks for the namespace's end and waits for it.
    pub async fn delete_namespace(&self) {
        let api: Api<Namespace> = Api::all(self.client.clone());
        api.delete(&self.namespace, &DeleteParams::default()).await.expect("it is there");
        await_that("the namespace is gone", || async {
            api.get_opt(&self.namespace).await.expect("the API server answers").is_none().then_some(())
        })
        .await;
    }

    /// The namespace again, with all that the chart puts there: what its records were made for is gone.
    pub async fn restore_namespace(&self) {
        let namespace: Namespace =
            serde_json::from_value(json!({"metadata": {"name": self.namespace}})).expect("a namespace");
        create_namespace(&self.client, &namespace).await;
        grant(&self.client, &self.namespace).await;
    }

    /// The operator's user name.
    pub fn user(&self) -> String {
        format!("system:serviceaccount:{0}:glm-operator-{0}", self.namespace)
    }

    /// What was broken of the rules about pods, and how many pods there were.
    pub fn audited(&self) -> (Vec<String>, usize) {
        let audit = self.audit.lock().unwrap_or_else(PoisonError::into_inner);
        (audit.faults.clone(), audit.count())
    }
}

/// Gives the chart's rights in a namespace; the user who has them. Without kubectl: a process for each of hundreds of worlds
/// would hold up all of them.
async fn grant(client: &Client, namespace: &str) -> String {
    // Not everything lies in the namespace, so each has a name of its own.
    let user = format!("glm-operator-{namespace}");
    let rights = RIGHTS.replace("\"trading\"", &format!("{namespace:?}")).replace("glm-operator", &user);
    let rights = rights.replace("glm-trading-release", &format!("glm-release-{namespace}"));
    for document in rights.split("---\n").filter(|document| document.contains("kind:")) {
        let path = path_of(document, namespace);
        let request = http::Request::patch(format!("{path}?fieldManager=tests&force=true"))
            .header(http::header::CONTENT_TYPE, "application/apply-patch+yaml")
            .body(document.as_bytes().to_vec())
            .expect("a request");
        client.request::<Value>(request).await.unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    user
}

/// Where the API server has the object of a rendered document.
fn path_of(document: &str, namespace: &str) -> String {
    let field = |name: &str| {
        let value = document.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap_or_else(|| panic!("no {name:?} in {document}")).trim().trim_matches('"')
    };
    let (kind, name) = (field("kind:"), field("  name:"));
    let rights = "/apis/rbac.authorization.k8s.io/v1";
    match kind {
        "ServiceAccount" => format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}"),
        "ClusterRole" | "ClusterRoleBinding" => format!("{rights}/{}s/{name}", kind.to_lowercase()),
        "Role" | "RoleBinding" => format!("{rights}/namespaces/{namespace}/{}s/{name}", kind.to_lowercase()),
        other => panic!("the chart's rights hold a {other}"),
    }
}

/// A condition of an object.
pub fn condition<'a>(object: &'a Value, wanted: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array();
    conditions.into_iter().flatten().find(|condition| condition["type"] == wanted).unwrap_or(&Value::Null)
}

/// A client of the operator's service account through a tap, over the connections of the administrator's: those of an
/// operator that has ended are used on.
fn tapped(tap: &Tap, client: &Client, metrics: &Metrics) -> Client {
    let shared = client.clone();
    let send = tower::service_fn(move |request| {
        let shared = shared.clone();
        async move { shared.send(request).await }
    });
    ClientBuilder::new(send, client.default_namespace())
        .with_layer(tap)
        .with_layer(&CountRequests::new(metrics.clone()))
        .build()
}

fn image(redis: &str, keys: &Keys) -> Image {
    Image {
        name: "glm:test".to_owned(),
        pull_policy: "Never".to_owned(),
        service_account: "glm-worker".to_owned(),
        redis_url: Some(redis.to_owned()),
        redis_secret: None,
        prefix: keys.prefix().to_owned(),
        installation: "tests".to_owned(),
        processes: false,
        endpoints: BTreeMap::new(),
        proxy_secret: None,
    }
}

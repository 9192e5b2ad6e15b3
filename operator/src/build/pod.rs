//! The one pod builder: worker, gateway and feed differ in their role and what they are told.

use std::collections::BTreeMap;

use crds::roles::Endpoint;
use crds::strategy::{
    PullSecret, ResourceAmount, SOURCE_FOLDER, TaintEffect, TolerationOperator, WorkerResources, WorkerSpec,
};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction,
    LocalObjectReference, Pod, PodSecurityContext, PodSpec, Probe, ResourceRequirements, SeccompProfile,
    SecretKeySelector, SecurityContext, Toleration, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;

use crate::names::{
    COMPONENT_LABEL, DIGEST_ANNOTATION, EPOCH_LABEL, INSTANCE_LABEL, OPERATOR, OWNER_LABEL, Role,
    WHOLE_DIGEST_ANNOTATION,
};

/// Where processes serve their health and metrics.
const ADMIN_PORT: i32 = 9090;
/// The volume of a process's files.
const FILES: &str = "strategies";
/// The user of the image.
const USER: i64 = 65_532;

/// What all pods are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The image's name.
    pub name: String,
    /// When it is pulled.
    pub pull_policy: String,
    /// The pods' service account, which has no rights.
    pub service_account: String,
    /// The store's address; absent where it comes from a Secret.
    pub redis_url: Option<String>,
    /// Name and key of the Secret that holds the store's address.
    pub redis_secret: Option<(String, String)>,
    /// The prefix of all keys.
    pub prefix: String,
    /// The installation the prefix belongs to.
    pub installation: String,
    /// Whether strategies may be processes.
    pub processes: bool,
    /// Hosts that accounts may take live prices from, by their names.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// The Secret with the variables of the proxy on the way to a venue, for live feeds alone. It is only referred to.
    pub proxy_secret: Option<String>,
}

/// What one pod is made from.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names of these fields say it")]
pub struct PodRequest {
    /// Which process.
    pub role: Role,
    /// The name of the resource it runs for.
    pub name: String,
    pub namespace: String,
    /// The resources that own it: one that controls it, or all that share it.
    pub owners: Vec<OwnerReference>,
    /// The owner of the record in the store.
    pub record: String,
    pub ledger: String,
    /// What the role is told, as one JSON document.
    pub spec: String,
    /// What of that asks for a new pod; the rest is followed without one.
    pub steady: String,
    /// What a human wants of this pod beyond what each has.
    pub worker: WorkerSpec,
    /// What asks for a new pod of a worker of the release before, which follows less without one.
    pub whole: String,
    /// Where a process that runs beside the role has its files; none where there is no process.
    pub process: Option<ProcessFiles>,
    /// The Secret with the variables of the proxy by which it goes out to a venue.
    pub proxy_secret: Option<String>,
}

/// The files of a strategy that is a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessFiles {
    /// The ConfigMap that is mounted; none where the image has them.
    pub config_map: Option<String>,
    /// What it holds: other files ask for a new pod.
    pub digest: Option<String>,
}

impl PodRequest {
    /// A digest of all that asks for a new pod.
    pub fn digest(&self, image: &Image) -> String {
        self.digest_with(&self.steady, image)
    }

    /// The same of a worker of the release before.
    pub fn whole_digest(&self, image: &Image) -> String {
        self.digest_with(&self.whole, image)
    }

    fn digest_with(&self, told: &str, image: &Image) -> String {
        // What nobody asks for is not there, so that the pods of the release before keep theirs.
        let worker = if self.worker.is_default() { String::new() } else { format!("\n{}", json!(self.worker)) };
        let files = self.process.as_ref().and_then(|process| process.digest.as_ref());
        let files = files.map_or(String::new(), |digest| format!("\n{digest}"));
        let parts = [
            self.role.name(),
            &self.name,
            &self.record,
            &self.ledger,
            told,
            &image.name,
            &image.service_account,
            image.redis_url.as_deref().unwrap_or(""),
            image.redis_secret.as_ref().map_or("", |(name, _)| name),
            image.redis_secret.as_ref().map_or("", |(_, key)| key),
            &image.prefix,
            &image.installation,
        ];
        format!("{:016x}", fnv((parts.join("\n") + &worker + &files).as_bytes()))
    }
}

/// FNV-1a: stable over versions of this program, unlike the standard library's hasher. Not for security.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The pod of a request under an epoch.
pub fn pod(request: &PodRequest, image: &Image, epoch: u64) -> Pod {
    let mut labels = BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), "glm".to_owned()),
        (COMPONENT_LABEL.to_owned(), request.role.name().to_owned()),
        (INSTANCE_LABEL.to_owned(), request.name.clone()),
        ("app.kubernetes.io/managed-by".to_owned(), OPERATOR.to_owned()),
        (EPOCH_LABEL.to_owned(), epoch.to_string()),
    ]);
    // What is shared is found by its name.
    let controller = request.owners.iter().find(|owner| owner.controller == Some(true));
    labels.extend(controller.map(|owner| (OWNER_LABEL.to_owned(), owner.uid.clone())));
    let mut annotations = BTreeMap::from([
        (DIGEST_ANNOTATION.to_owned(), request.digest(image)),
        // A bare pod would hold back a node's scale-down; this one is replaced from its record.
        ("cluster-autoscaler.kubernetes.io/safe-to-evict".to_owned(), "true".to_owned()),
    ]);
    if request.whole != request.steady {
        annotations.insert(WHOLE_DIGEST_ANNOTATION.to_owned(), request.whole_digest(image));
    }
    Pod {
        metadata: ObjectMeta {
            name: Some(request.role.pod(&request.name, epoch)),
            namespace: Some(request.namespace.clone()),
            labels: Some(labels),
            annotations: Some(annotations),
            owner_references: Some(request.owners.clone()),
            ..ObjectMeta::default()
        },
        spec: Some(spec(request, image, epoch)),
        status: None,
    }
}

fn spec(request: &PodRequest, image: &Image, epoch: u64) -> PodSpec {
    let WorkerSpec { node_selector, tolerations, priority_class_name, image_pull_secrets, .. } = &request.worker;
    let pull_secrets = image_pull_secrets.iter().map(|PullSecret { name }| LocalObjectReference { name: name.clone() });
    PodSpec {
        automount_service_account_token: Some(false),
        containers: vec![container(request, image, epoch)],
        enable_service_links: Some(false),
        // Where a pod names none, the server writes those of its service account.
        image_pull_secrets: some(pull_secrets.collect()),
        node_selector: (!node_selector.is_empty()).then(|| node_selector.clone()),
        priority_class_name: priority_class_name.clone(),
        tolerations: some(tolerations.iter().map(toleration).collect()),
        // No role ends well by itself; with OnFailure, Argo CD takes a pod for a job that has not ended yet.
        restart_policy: Some("Always".to_owned()),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), ..SeccompProfile::default() }),
            ..PodSecurityContext::default()
        }),
        service_account_name: Some(image.service_account.clone()),
        termination_grace_period_seconds: Some(30),
        volumes: config_map(request).map(|name| vec![volume(name)]),
        ..PodSpec::default()
    }
}

/// A list, where it has entries.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn toleration(wanted: &crds::strategy::Toleration) -> Toleration {
    let operator = wanted.operator.map(|operator| match operator {
        TolerationOperator::Equal => "Equal",
        TolerationOperator::Exists => "Exists",
    });
    let effect = wanted.effect.map(|effect| match effect {
        TaintEffect::NoSchedule => "NoSchedule",
        TaintEffect::PreferNoSchedule => "PreferNoSchedule",
        TaintEffect::NoExecute => "NoExecute",
    });
    Toleration {
        key: wanted.key.clone(),
        operator: operator.map(str::to_owned),
        value: wanted.value.clone(),
        effect: effect.map(str::to_owned),
        toleration_seconds: wanted.toleration_seconds.map(i64::from),
    }
}

fn container(request: &PodRequest, image: &Image, epoch: u64) -> Container {
    Container {
        name: request.role.name().to_owned(),
        image: Some(request.worker.image.as_ref().unwrap_or(&image.name).clone()),
        image_pull_policy: Some(image.pull_policy.clone()),
        command: Some(vec!["worker".to_owned(), request.role.name().to_owned()]),
        env: Some(environment(request, image, epoch)),
        ports: Some(vec![ContainerPort {
            name: Some("admin".to_owned()),
            container_port: ADMIN_PORT,
            ..ContainerPort::default()
        }]),
        readiness_probe: Some(probe("/readyz", 2)),
        liveness_probe: Some(probe("/healthz", 10)),
        resources: Some(resources(request)),
        volume_mounts: config_map(request).map(|_| vec![mount()]),
        // Why it ended stands in its status, though it writes no file for that.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), ..Capabilities::default() }),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

/// The variables by which programs find the proxy on their way out: each a key of the Secret, where it is there.
const PROXY_VARIABLES: [&str; 3] = ["HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];

fn of_secret(variable: &str, name: &str, key: &str, optional: Option<bool>) -> EnvVar {
    let selector = SecretKeySelector { name: name.to_owned(), key: key.to_owned(), optional };
    EnvVar {
        name: variable.to_owned(),
        value_from: Some(EnvVarSource { secret_key_ref: Some(selector), ..EnvVarSource::default() }),
        ..EnvVar::default()
    }
}

fn environment(request: &PodRequest, image: &Image, epoch: u64) -> Vec<EnvVar> {
    let plain =
        |name: &str, value: &str| EnvVar { name: name.to_owned(), value: Some(value.to_owned()), ..EnvVar::default() };
    let redis = match (&image.redis_secret, &image.redis_url) {
        (Some((name, key)), _) => of_secret("GLM_REDIS", name, key, None),
        (None, url) => plain("GLM_REDIS", url.as_deref().unwrap_or_default()),
    };
    let of_proxy = |name: &String| PROXY_VARIABLES.map(|variable| of_secret(variable, name, variable, Some(true)));
    let proxy = request.proxy_secret.as_ref().map(of_proxy).into_iter();
    let own = [
        redis,
        plain("GLM_PREFIX", &image.prefix),
        plain("GLM_INSTALLATION", &image.installation),
        plain("GLM_NAMESPACE", &request.namespace),
        plain("GLM_OWNER", &request.record),
        plain("GLM_LEDGER", &request.ledger),
        plain("GLM_EPOCH", &epoch.to_string()),
        plain("GLM_ADMIN", &format!("0.0.0.0:{ADMIN_PORT}")),
        plain("GLM_SPEC", &request.spec),
    ];
    own.into_iter().chain(proxy.flatten()).collect()
}

fn probe(path: &str, period_seconds: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String("admin".to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(2),
        ..Probe::default()
    }
}

fn config_map(request: &PodRequest) -> Option<&str> {
    request.process.as_ref()?.config_map.as_deref()
}

fn volume(config_map: &str) -> Volume {
    Volume {
        name: FILES.to_owned(),
        config_map: Some(ConfigMapVolumeSource { name: config_map.to_owned(), ..ConfigMapVolumeSource::default() }),
        ..Volume::default()
    }
}

fn mount() -> VolumeMount {
    VolumeMount {
        name: FILES.to_owned(),
        mount_path: SOURCE_FOLDER.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    }
}

/// A worker holds about 8 MiB; the limit leaves room for a burst of ticks. What a human asks for goes first, and what is not
/// written follows it: no request lies above its limit. A process needs what its language needs.
fn resources(request: &PodRequest) -> ResourceRequirements {
    let WorkerResources { requests, limits } = &request.worker.resources;
    let (memory, memory_most) = if request.process.is_some() { ("48Mi", "384Mi") } else { ("16Mi", "64Mi") };
    let own = |text: &str| text.parse::<ResourceAmount>().ok();
    let asked = |request: &Option<ResourceAmount>, text: &str, limit: &Option<ResourceAmount>| {
        let lower = |own: ResourceAmount| limit.clone().filter(|limit| own.is_more_than(limit)).unwrap_or(own);
        request.clone().or_else(|| own(text).map(lower))
    };
    let memory_limit = limits.memory.clone().or_else(|| {
        let higher =
            |own: ResourceAmount| requests.memory.clone().filter(|asked| asked.is_more_than(&own)).unwrap_or(own);
        own(memory_most).map(higher)
    });
    let amounts = |cpu: Option<ResourceAmount>, memory: Option<ResourceAmount>| {
        let both = [("cpu", cpu), ("memory", memory)];
        both.into_iter().filter_map(|(name, amount)| Some((name.to_owned(), Quantity(amount?.to_string())))).collect()
    };
    ResourceRequirements {
        requests: Some(amounts(
            asked(&requests.cpu, "10m", &limits.cpu),
            asked(&requests.memory, memory, &limits.memory),
        )),
        limits: Some(amounts(limits.cpu.clone(), memory_limit)),
        ..ResourceRequirements::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> PodRequest {
        PodRequest {
            role: Role::Strategy,
            name: "grid".to_owned(),
            namespace: "ns".to_owned(),
            owners: vec![OwnerReference { uid: "u1".to_owned(), controller: Some(true), ..OwnerReference::default() }],
            record: "strategy-grid".to_owned(),
            ledger: "abc".to_owned(),
            spec: "{}".to_owned(),
            steady: "{}".to_owned(),
            worker: WorkerSpec::default(),
            whole: "{}".to_owned(),
            process: None,
            proxy_secret: None,
        }
    }

    fn shaped(worker: serde_json::Value) -> PodRequest {
        PodRequest { worker: serde_json::from_value(worker).unwrap(), ..request() }
    }

    fn image() -> Image {
        Image {
            name: "glm:1".to_owned(),
            pull_policy: "IfNotPresent".to_owned(),
            service_account: "glm-worker".to_owned(),
            redis_url: Some("redis://redis:6379".to_owned()),
            redis_secret: None,
            prefix: "glm".to_owned(),
            installation: "i".to_owned(),
            processes: false,
            endpoints: BTreeMap::new(),
            proxy_secret: None,
        }
    }

    #[test]
    fn the_digest_changes_with_what_the_pod_is_made_from_and_not_with_its_epoch() {
        let digest = request().digest(&image());
        assert_eq!(digest, request().digest(&image()));
        assert_ne!(digest, PodRequest { steady: "{\"a\":1}".to_owned(), ..request() }.digest(&image()));
        assert_ne!(digest, request().digest(&Image { name: "glm:2".to_owned(), ..image() }));
        let annotation =
            |epoch| pod(&request(), &image(), epoch).metadata.annotations.unwrap()[DIGEST_ANNOTATION].clone();
        assert_eq!(annotation(1), annotation(2));
    }

    #[test]
    fn a_pod_is_as_a_human_wants_it_and_is_made_anew_when_that_changes() {
        let request_of = shaped(json!({
            "image": "mine:1", "imagePullSecrets": [{"name": "pull"}], "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}],
            "priorityClassName": "high", "resources": {"requests": {"memory": "128Mi"}, "limits": {"cpu": "5m"}},
        }));
        assert_ne!(request().digest(&image()), request_of.digest(&image()));
        let PodSpec { containers, image_pull_secrets, node_selector, tolerations, priority_class_name, .. } =
            pod(&request_of, &image(), 1).spec.unwrap();
        assert_eq!(containers[0].image.as_deref(), Some("mine:1"));
        assert_eq!(image_pull_secrets.unwrap()[0].name, "pull");
        assert_eq!(node_selector.unwrap()["disk"], "ssd");
        assert_eq!(tolerations.unwrap()[0].toleration_seconds, Some(60));
        assert_eq!(priority_class_name.as_deref(), Some("high"));
        let resources = json!(containers[0].resources);
        let limits = json!({"cpu": "5m", "memory": "128Mi"});
        assert_eq!(resources, json!({"requests": {"cpu": "5m", "memory": "128Mi"}, "limits": limits}));
        let own = json!(pod(&request(), &image(), 1).spec.unwrap().containers[0].resources);
        assert_eq!(own, json!({"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}));
    }

    #[test]
    fn a_pod_of_which_nothing_is_wanted_keeps_the_digest_that_it_had() {
        assert_eq!(request().digest(&image()), "56c3ec04adb25160");
    }

    #[test]
    fn the_pod_meets_the_restricted_profile_and_has_no_token() {
        let spec = pod(&request(), &image(), 7).spec.unwrap();
        assert_eq!(spec.automount_service_account_token, Some(false));
        assert_eq!(spec.enable_service_links, Some(false));
        assert_eq!(spec.security_context.as_ref().unwrap().run_as_non_root, Some(true));
        let security = spec.containers[0].security_context.as_ref().unwrap();
        assert_eq!(security.allow_privilege_escalation, Some(false));
        assert_eq!(security.capabilities.as_ref().unwrap().drop, Some(vec!["ALL".to_owned()]));
    }

    #[test]
    fn a_process_finds_its_config_map_read_only() {
        let process = Some(ProcessFiles { config_map: Some("mean".to_owned()), digest: None });
        let spec = pod(&PodRequest { process, ..request() }, &image(), 7).spec.unwrap();
        let volume = &spec.volumes.as_ref().unwrap()[0];
        assert_eq!(volume.config_map.as_ref().unwrap().name, "mean");
        let mount = &spec.containers[0].volume_mounts.as_ref().unwrap()[0];
        assert_eq!(
            (&mount.name, mount.mount_path.as_str(), mount.read_only),
            (&volume.name, "/strategies", Some(true))
        );
        assert_eq!(pod(&request(), &image(), 7).spec.unwrap().volumes, None);
    }

    #[test]
    fn a_secret_is_referred_to_and_never_read() {
        let image = Image { redis_secret: Some(("redis".to_owned(), "url".to_owned())), redis_url: None, ..image() };
        let spec = pod(&request(), &image, 7).spec.unwrap();
        let redis = spec.containers[0].env.as_ref().unwrap().iter().find(|env| env.name == "GLM_REDIS").unwrap();
        assert!(redis.value.is_none() && redis.value_from.is_some());
    }

    #[test]
    fn a_proxy_is_referred_to_by_the_variables_that_programs_know() {
        let feed = PodRequest { role: Role::Feed, proxy_secret: Some("proxy".to_owned()), ..request() };
        let image = Image { proxy_secret: Some("proxy".to_owned()), ..image() };
        let proxied = |request: &PodRequest| {
            let variables = pod(request, &image, 1).spec.unwrap().containers.remove(0).env.unwrap();
            let of_proxy =
                |variable: &EnvVar| Some(variable.value_from.as_ref()?.secret_key_ref.as_ref()?.name == "proxy");
            let names = variables.iter().filter(|one| of_proxy(one) == Some(true)).map(|one| one.name.clone());
            names.collect::<Vec<_>>()
        };
        assert_eq!(proxied(&feed), PROXY_VARIABLES);
        assert!(proxied(&request()).is_empty());
    }

    #[test]
    fn a_pod_of_several_owners_is_nobodys_by_its_label() {
        let owners = ["a", "b"].map(|uid| OwnerReference { uid: uid.to_owned(), ..OwnerReference::default() });
        let made = pod(&PodRequest { owners: owners.to_vec(), ..request() }, &image(), 1).metadata;
        assert_eq!(made.owner_references.unwrap(), owners);
        assert!(!made.labels.unwrap().contains_key(OWNER_LABEL));
    }
}

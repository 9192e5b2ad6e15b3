//! What the pod of a strategy's worker is like, beyond what each has: where it runs, with how much, from which image.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use engine::numbers::integer_or_text;
use engine::validation::Violation;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

/// The most entries a list or a map of a worker's pod may have.
const ENTRIES_MAX: usize = 16;

/// The pod of a strategy's worker. A change of it makes a new pod, which goes on from the record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerSpec {
    /// How much of processor and memory it asks for, and how much it may take at most. Default: 10m and 16Mi are
    /// asked for and 64Mi may be taken, beside a process 48Mi and 384Mi.
    #[serde(default, skip_serializing_if = "WorkerResources::is_default")]
    pub resources: WorkerResources,
    /// Labels that its node must have; at most 16. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "labels")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that it bears; at most 16. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub tolerations: Vec<Toleration>,
    /// The name of a PriorityClass. Default: that of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
    /// The image with the program `worker`, such as registry.example/my-strategies:1.4. Default: the operator's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500))]
    pub image: Option<String>,
    /// Secrets of this namespace with which the image is pulled, in the place of those of the pods' service account; at
    /// most 16. Default: those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub image_pull_secrets: Vec<PullSecret>,
}

/// Labels of nodes; a label has at most 63 characters.
fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": ENTRIES_MAX, "additionalProperties": {"type": "string", "maxLength": 63},
    })
}

/// What a worker asks for, and what it may take at most.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerResources {
    /// What is kept free for it on its node. Default: as above.
    #[serde(default, skip_serializing_if = "ResourceAmounts::is_default")]
    pub requests: ResourceAmounts,
    /// What it may take at most. Default: as above.
    #[serde(default, skip_serializing_if = "ResourceAmounts::is_default")]
    pub limits: ResourceAmounts,
}

impl WorkerResources {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Processor and memory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceAmounts {
    /// In cores, such as 250m or 1. Default: as above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<ResourceAmount>,
    /// In bytes, such as 128Mi. Default: as above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<ResourceAmount>,
}

impl ResourceAmounts {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A taint that is borne, as in a pod.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Toleration {
    /// The taint's key. Default: all keys, with operator Exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 316))]
    pub key: Option<String>,
    /// Equal or Exists. Default Equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<TolerationOperator>,
    /// The taint's value, with Equal. Default: an empty one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub value: Option<String>,
    /// Which effect is borne. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
    /// For how many seconds NoExecute is borne. Default: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 2_147_483_647))]
    pub toleration_seconds: Option<u32>,
}

/// How a taint is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the words are those of Kubernetes")]
pub enum TolerationOperator {
    Equal,
    Exists,
}

/// What a taint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the words are those of Kubernetes")]
pub enum TaintEffect {
    NoSchedule,
    PreferNoSchedule,
    NoExecute,
}

/// A Secret with which images are pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PullSecret {
    /// Its name, in the strategy's namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// An amount of a resource in the form of Kubernetes: digits, perhaps a fraction, perhaps a unit such as m, Ki, Mi, Gi, k, M
/// or G. Written as an integer or as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResourceAmount(String);

/// The text is not an amount of a resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an amount; write it like 250m, 1 or 128Mi")]
pub struct ResourceAmountError {
    text: String,
}

impl ResourceAmount {
    /// What a manifest's schema accepts as text.
    pub const PATTERN: &str = "^[0-9]{1,15}(\\.[0-9]{1,9})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$";

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is worth more than another one.
    pub fn is_more_than(&self, other: &Self) -> bool {
        self.thousandths() > other.thousandths()
    }

    fn thousandths(&self) -> u128 {
        // Text that has no worth was never taken.
        thousandths(&self.0).unwrap_or_default()
    }
}

/// The worth of an amount, in thousandths of one: of a core, of a byte. `None` where the text is none.
fn thousandths(text: &str) -> Option<u128> {
    let (number, unit) =
        text.split_at(text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len()));
    let unit: u128 = match unit {
        "" => 1000,
        "m" => 1,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "T" => 1_000_000_000_000_000,
        "Ki" => 1000 << 10,
        "Mi" => 1000 << 20,
        "Gi" => 1000 << 30,
        "Ti" => 1000 << 40,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let are_digits = |part: &str, most| (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if !are_digits(whole, 15) || !are_digits(fraction, 9) {
        return None;
    }
    let billionths: u128 = format!("{whole}{fraction:0<9}").parse().ok()?;
    Some(billionths * unit / 1_000_000_000)
}

impl FromStr for ResourceAmount {
    type Err = ResourceAmountError;

    fn from_str(text: &str) -> Result<Self, ResourceAmountError> {
        match thousandths(text) {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(ResourceAmountError { text: text.chars().take(40).collect() }),
        }
    }
}

impl fmt::Display for ResourceAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ResourceAmount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        integer_or_text(deserializer, "an amount like 250m, 1 or 128Mi")
    }
}

impl JsonSchema for ResourceAmount {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ResourceAmount".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "pattern": Self::PATTERN,
            "maxLength": 27,
            "minimum": 0,
            "maximum": 999_999_999_999_999_u64,
        })
    }
}

impl WorkerSpec {
    /// Whether nothing is asked for.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// All that is wrong with it.
    pub fn validate(&self, path: &str) -> Vec<Violation> {
        let mut violations = Vec::new();
        let lists = [
            ("nodeSelector", self.node_selector.len()),
            ("tolerations", self.tolerations.len()),
            ("imagePullSecrets", self.image_pull_secrets.len()),
        ];
        for (name, count) in lists {
            if count > ENTRIES_MAX {
                let remedy = format!("{count} entries; write at most {ENTRIES_MAX}");
                violations.push(Violation::new(format!("{path}.{name}"), "", remedy));
            }
        }
        for (name, text) in [("image", &self.image), ("priorityClassName", &self.priority_class_name)] {
            if let Some(text) = text
                && (text.is_empty() || text.contains(char::is_whitespace))
            {
                let remedy = "is empty or has a blank in it; write the name, or leave the field out";
                violations.push(Violation::new(format!("{path}.{name}"), text, remedy));
            }
        }
        violations.extend(self.validate_secrets(path));
        let WorkerResources { requests, limits } = &self.resources;
        for (name, request, limit) in
            [("cpu", &requests.cpu, &limits.cpu), ("memory", &requests.memory, &limits.memory)]
        {
            if let (Some(request), Some(limit)) = (request, limit)
                && request.is_more_than(limit)
            {
                let remedy = format!("is more than the limit {limit}; write {limit} or less");
                violations.push(Violation::new(format!("{path}.resources.requests.{name}"), request, remedy));
            }
        }
        violations.extend(self.tolerations.iter().enumerate().filter_map(|(index, toleration)| {
            toleration.odd().map(|(field, value, remedy)| {
                Violation::new(format!("{path}.tolerations[{index}].{field}"), value, remedy)
            })
        }));
        violations
    }

    fn validate_secrets(&self, path: &str) -> Vec<Violation> {
        let mut violations = Vec::new();
        for (index, secret) in self.image_pull_secrets.iter().enumerate() {
            let path = format!("{path}.imagePullSecrets[{index}].name");
            if secret.name.is_empty() {
                violations.push(Violation::new(&path, "", "is empty; write the name of a Secret in this namespace"));
            }
            if self.image_pull_secrets.iter().take(index).any(|other| other.name == secret.name) {
                violations.push(Violation::new(path, &secret.name, "is written twice; keep one"));
            }
        }
        violations
    }
}

impl Toleration {
    /// What the API server would refuse in a pod: field, value, remedy.
    fn odd(&self) -> Option<(&'static str, String, &'static str)> {
        let is_exists = self.operator == Some(TolerationOperator::Exists);
        match self {
            Self { value: Some(value), .. } if is_exists && !value.is_empty() => {
                Some(("value", value.clone(), "goes with operator Equal alone; leave it out"))
            }
            Self { key, .. } if !is_exists && key.as_deref().unwrap_or_default().is_empty() => {
                Some(("key", String::new(), "is missing; write the taint's key, or operator: Exists for all taints"))
            }
            Self { toleration_seconds: Some(seconds), effect, .. } if *effect != Some(TaintEffect::NoExecute) => {
                Some(("tolerationSeconds", seconds.to_string(), "goes with effect NoExecute alone; leave it out"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_numbers_and_texts_and_compare_by_their_worth() {
        let of = |json: &str| serde_json::from_str::<ResourceAmount>(json);
        for (text, thousandths) in [
            ("1", 1000),
            ("\"250m\"", 250),
            ("\"0.5\"", 500),
            ("\"64Mi\"", 64 * 1024 * 1024 * 1000),
            ("\"1.5k\"", 1_500_000),
            ("\"1Gi\"", 1_073_741_824_000),
        ] {
            assert_eq!(of(text).unwrap().thousandths(), thousandths, "{text}");
        }
        for bad in ["-1", "\"-1\"", "0.5", "\"1 Gi\"", "\"1GB\"", "\"\"", "\"m\"", "\".5\"", "\"1e3\"", "null", "true"]
        {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_the_api_server_would_refuse_in_a_pod_is_told_with_its_place() {
        let worker: WorkerSpec = serde_json::from_value(serde_json::json!({
            "resources": {"requests": {"cpu": 2, "memory": "1Gi"}, "limits": {"cpu": "1500m", "memory": "1024Mi"}},
            "tolerations": [
                {"operator": "Exists"}, {"value": "x"}, {"key": "k", "operator": "Exists", "value": "v"},
                {"key": "k", "effect": "NoSchedule", "tolerationSeconds": 5},
            ],
            "image": "my image",
            "imagePullSecrets": [{"name": "a"}, {"name": "a"}],
        }))
        .unwrap();
        let told: Vec<String> = worker.validate("spec.worker").iter().map(ToString::to_string).collect();
        let places: Vec<&str> = told.iter().map(|line| line.split(':').next().unwrap()).collect();
        assert_eq!(
            places,
            [
                "spec.worker.image",
                "spec.worker.imagePullSecrets[1].name",
                "spec.worker.resources.requests.cpu",
                "spec.worker.tolerations[1].key",
                "spec.worker.tolerations[2].value",
                "spec.worker.tolerations[3].tolerationSeconds",
            ],
            "{told:#?}"
        );
        assert!(WorkerSpec::default().validate("spec.worker").is_empty());
    }
}

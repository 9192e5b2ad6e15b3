//! Everything there is of a world, as two runs of it can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::api::ListParams;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::world::{Kind, World};

/// Records and registers under a prefix.
const RECORDS: &str = "local found = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
    if key:find('state:', 1, true) or key:find('desired:', 1, true) then found[key] = redis.call('HGETALL', key) end
end
return next(found) and cjson.encode(found) or '{}'";

impl World {
    /// Everything that should be the same after any crash, without times, uids and ledgers' ids.
    pub async fn end_state(&self) -> Value {
        let mut state = json!({});
        for kind in Kind::ALL {
            for object in self.all(kind).await {
                let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                let metadata =
                    ["finalizers", "annotations", "generation"].map(|field| object["metadata"][field].clone());
                state[format!("{kind:?} {name}")] = json!([metadata, object["spec"], object["status"]]);
            }
        }
        let mut pods = BTreeSet::new();
        for pod in self.pods().list(&ListParams::default()).await.expect("the API server answers") {
            let pod = serde_json::to_value(pod).expect("a pod is data");
            let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let deleting = !pod["metadata"]["deletionTimestamp"].is_null();
            state[format!("pod {name}")] = json!([pod["status"]["phase"], deleting]);
            pods.insert(name);
        }
        let (redis, pattern) = (Arc::clone(&self.redis), format!("{}:*", self.keys.prefix()));
        // A process is waited for beside all that goes on, not in its place.
        let records = spawn_blocking(move || redis.cli(&["--raw", "EVAL", RECORDS, "0", &pattern]));
        let records = records.await.expect("redis-cli ends");
        let records: BTreeMap<String, Vec<String>> = serde_json::from_str(&records).expect("Redis writes JSON");
        for (key, record) in records {
            // A program whose pod is gone may have been ended before its last word: the gateway's is what a stop waits for.
            let has_pod = key.rsplit_once(":state:").is_none_or(|(_, owner)| {
                !owner.starts_with("strategy-") || pods.iter().any(|pod| pod.starts_with(&format!("{owner}-")))
            });
            let is_told = |pair: &&[String]| told(&pair[0]) && (has_pod || !pair[0].contains("phase"));
            let fields: BTreeSet<_> = record.chunks(2).filter(is_told).collect();
            state[key] = json!(fields);
        }
        self.without_chance(&state)
    }

    /// Names and ids that differ between runs, each by what it is.
    fn without_chance(&self, state: &Value) -> Value {
        let mut chances = Vec::new();
        collect(state, &mut chances);
        let mut text = state.to_string().replace(&self.namespace, "<namespace>");
        text = text.replace(&format!("{}:", self.keys.prefix()), "");
        for (id, noun) in chances.iter().filter(|(id, _)| !id.is_empty()) {
            text = text.replace(id, noun);
        }
        serde_json::from_str(&text).expect("ids are plain text")
    }
}

/// What is by chance in a state: ids, uids and times.
fn collect(value: &Value, found: &mut Vec<(String, &'static str)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let noun = match name.as_str() {
                    "id" => Some("<ledger>"),
                    "resourceUid" => Some("<uid>"),
                    "lastTransitionTime" | "startedAt" => Some("<time>"),
                    _ => None,
                };
                match (noun, value.as_str()) {
                    (Some(noun), Some(text)) => found.push((text.to_owned(), noun)),
                    _ => collect(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        // The registers of a gateway name ledgers of strategies that are gone, that of a shared feed its own.
        Value::String(text) => {
            if let Ok(inner @ Value::Object(_)) = serde_json::from_str::<Value>(text) {
                let holders = inner["books"].as_array().into_iter().flatten().chain([&inner]);
                found.extend(holders.filter_map(|holder| Some((holder["ledger"].as_str()?.to_owned(), "<ledger>"))));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Fields of a record that are the same in each run.
fn told(field: &str) -> bool {
    field.contains("epoch") || field.contains("closed") || field.contains("phase") || field.contains("value")
}

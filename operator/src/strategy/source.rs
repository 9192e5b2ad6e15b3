//! The files of a strategy that is a process: the ConfigMap that its pod mounts. A pod reads them once, so edited ones ask for
//! another pod.

use std::collections::BTreeSet;
use std::sync::Arc;

use crds::TradingStrategySpec;
use crds::strategy::{SOURCE_FOLDER, source_file};
use engine::running_hash::RunningHash;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, ResourceExt};

use super::observe::Observed;
use super::validate::Invalid;
use crate::reason::Reason;
use crate::{Error, GuardedStrategy};

/// What a ConfigMap holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Their names.
    pub names: BTreeSet<String>,
    /// Changes with any byte of them, not with labels or annotations.
    pub digest: String,
}

impl Files {
    /// Those of a ConfigMap.
    pub fn of(found: &ConfigMap) -> Self {
        let texts = found.data.iter().flatten().map(|(name, text)| (name, text.as_bytes()));
        let bytes = found.binary_data.iter().flatten().map(|(name, bytes)| (name, bytes.0.as_slice()));
        let (mut names, mut digest) = (BTreeSet::new(), RunningHash::default());
        for (name, content) in texts.chain(bytes) {
            // With their lengths, so that no other files have the same bytes in a row.
            digest.update(format!("{} {name} {}\n", name.len(), content.len()).as_bytes());
            digest.update(content);
            names.insert(name.clone());
        }
        Self { names, digest: digest.hex() }
    }
}

/// The name of the ConfigMap that a spec asks for.
pub fn config_map(spec: &TradingStrategySpec) -> Option<&str> {
    Some(spec.strategy.process.as_ref()?.source.as_ref()?.config_map.as_str())
}

/// The files that a spec asks for: `None` where it asks for none or they do not exist, or why they may not be read.
pub type Found = Result<Option<Files>, String>;

/// The files that a spec asks for, as they are now.
pub async fn read(client: &Client, namespace: &str, spec: &TradingStrategySpec) -> Result<Found, Error> {
    let Some(name) = config_map(spec) else { return Ok(Ok(None)) };
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    match api.get_opt(name).await {
        Ok(found) => Ok(Ok(found.as_ref().map(Files::of))),
        // A missing right must not hold up a stop or a deletion.
        Err(kube::Error::Api(answer)) if answer.code == 403 => Ok(Err(answer.message.clone())),
        Err(error) => Err(Error::api("get ConfigMap", name)(error)),
    }
}

/// Refuses a command whose files do not exist: its pod would wait for them, or its program end at once.
pub fn check(observed: &Observed) -> Result<(), Invalid> {
    let (Some(name), Some(process)) = (config_map(&observed.spec), &observed.spec.strategy.process) else {
        return Ok(());
    };
    let create = format!("kubectl -n {} create configmap {name} --from-file=FOLDER", observed.namespace);
    let files = observed.files.as_ref().map_err(|why| {
        let message = format!(
            "spec.strategy.process.source.configMap: {name:?} may not be read: {why}; give the operator the rights of this \
             version's chart"
        );
        Invalid { reason: Reason::SourceNotFound, message }
    })?;
    let Some(files) = files else {
        let message = format!(
            "spec.strategy.process.source.configMap: {name:?} not found in namespace {}; create it: {create}",
            observed.namespace
        );
        return Err(Invalid { reason: Reason::SourceNotFound, message });
    };
    for (index, text) in process.command.iter().enumerate() {
        if let Some(key) = source_file(text).filter(|key| !key.is_empty() && !files.names.contains(*key)) {
            let names: Vec<&str> = files.names.iter().map(String::as_str).collect();
            let message = format!(
                "spec.strategy.process.command[{index}]: {text:?} is no file of ConfigMap {name:?}, which has {}; write \
                 {SOURCE_FOLDER}/ and one of its keys, or make it anew with {key:?}: {create} --dry-run=client -o yaml | kubectl \
                 apply -f -",
                if names.is_empty() { "none".to_owned() } else { names.join(", ") },
            );
            return Err(Invalid { reason: Reason::SourceNotFound, message });
        }
    }
    Ok(())
}

/// The strategies whose files are in a changed ConfigMap.
pub fn dependents(
    strategies: &[Arc<GuardedStrategy>],
    changed: &PartialObjectMeta<ConfigMap>,
) -> Vec<ObjectRef<GuardedStrategy>> {
    let (namespace, name) = (changed.namespace(), changed.name_any());
    strategies
        .iter()
        .filter(|guarded| guarded.namespace() == namespace)
        .filter(|guarded| guarded.0.as_ref().is_ok_and(|strategy| config_map(&strategy.spec) == Some(name.as_str())))
        .map(|guarded| ObjectRef::from_obj(&**guarded))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use engine::strategies::DesiredState;

    use crate::placement::Step;
    use crate::strategy::fixture::{digests, image, trading};
    use crate::strategy::plan::{Move, plan};
    use crate::strategy::validate::validate;

    fn files(given: &serde_json::Value) -> Files {
        Files::of(&serde_json::from_value(given.clone()).unwrap())
    }

    fn process(files: Option<Files>) -> Observed {
        let mut observed = Observed { allows_processes: true, files: Ok(files), ..trading() };
        let command = json!(["python3", "/strategies/mean.py", "--fast"]);
        observed.spec.strategy =
            serde_json::from_value(json!({"process": {"command": command, "source": {"configMap": "mean"}}})).unwrap();
        observed
    }

    #[test]
    fn the_digest_changes_with_each_byte_and_with_nothing_else() {
        let one = files(&json!({"data": {"a.py": "x", "b.py": "y"}}));
        assert_eq!(one, files(&json!({"metadata": {"labels": {"a": "b"}}, "data": {"b.py": "y", "a.py": "x"}})));
        for other in [
            json!({"data": {"a.py": "x", "b.py": "z"}}),
            json!({"data": {"a.py": "xy", "b.py": ""}}),
            json!({"data": {"a.py": "x", "c.py": "y"}}),
            json!({"data": {"a.py": "x"}}),
            json!({"data": {"a.py": "x", "b.py": "y"}, "binaryData": {"c": ""}}),
            json!({}),
        ] {
            assert_ne!(one.digest, files(&other).digest, "{other}");
        }
    }

    #[test]
    fn files_that_do_not_exist_are_refused_by_name_and_what_exists_is_told() {
        let refused = |files| validate(&process(files)).unwrap_err();
        let missing = refused(None);
        assert_eq!(missing.reason, Reason::SourceNotFound);
        assert!(missing.message.contains("create configmap mean --from-file"), "{}", missing.message);
        let other = refused(Some(files(&json!({"data": {"Mean.py": "", "b.py": ""}}))));
        assert!(other.message.starts_with("spec.strategy.process.command[1]: \"/strategies/mean.py\""), "{other:?}");
        assert!(other.message.contains("which has Mean.py, b.py;"), "{}", other.message);
        assert!(refused(Some(files(&json!({})))).message.contains("which has none;"));
        assert!(validate(&process(Some(files(&json!({"data": {"mean.py": ""}}))))).is_ok());
        assert!(validate(&process(Some(files(&json!({"binaryData": {"mean.py": "AA=="}}))))).is_ok());
    }

    #[test]
    fn files_that_may_not_be_read_change_nothing_that_runs_and_hold_up_no_stop() {
        let before = process(Some(files(&json!({"data": {"mean.py": ""}}))));
        let (digest, whole) = digests(&before);
        let mut observed = Observed { files: Err("configmaps is forbidden".to_owned()), ..before };
        (observed.pods[0].digest, observed.pods[0].whole_digest) = (digest, Some(whole));
        let refused = validate(&observed).unwrap_err();
        assert_eq!(refused.reason, Reason::SourceNotFound);
        assert!(refused.message.contains("configmaps is forbidden; give the operator the rights"), "{refused:?}");
        let moves = |observed: &Observed| plan(observed, Err(&refused), &image()).unwrap().moves;
        let deletes = |moves: &[Move]| {
            moves.iter().any(|next| matches!(next, Move::Place(_, steps) if steps.iter().any(|step| matches!(step, Step::DeletePod { .. }))))
        };
        assert!(!deletes(&moves(&observed)), "{:?}", moves(&observed));
        observed.spec.state = DesiredState::Stopped;
        let asks = moves(&observed).into_iter().find_map(|next| {
            let Move::Register(value) = next else { return None };
            Some(value["state"].clone())
        });
        assert_eq!(asks, Some(json!("Stopped")));
    }

    #[test]
    fn edited_files_ask_for_another_pod() {
        let of = |text: &str| digests(&process(Some(files(&json!({"data": {"mean.py": text}})))));
        assert_eq!(of("one"), of("one"));
        assert_ne!(of("one").0, of("two").0);
        assert_ne!(of("one").1, of("two").1);
    }

    #[test]
    fn a_changed_config_map_wakes_those_that_have_their_files_in_it() {
        let strategy = |namespace: &str, name: &str, strategy: serde_json::Value| {
            let mut made = crate::strategy::fixture::strategy(name, "BTC/USDT", 1, "2026-01-01T00:00:00Z", None);
            made.metadata.namespace = Some(namespace.to_owned());
            made.spec.strategy = serde_json::from_value(strategy).unwrap();
            Arc::new(kube::core::DeserializeGuard(Ok(made.into())))
        };
        let of = |source: &str| json!({"process": {"command": ["a"], "source": {"configMap": source}}});
        let all = [
            strategy("here", "a", of("mean")),
            strategy("here", "b", of("other")),
            strategy("there", "c", of("mean")),
            strategy("here", "d", json!({"process": {"command": ["a"]}})),
            strategy("here", "e", json!({"grid": {}})),
        ];
        let changed = serde_json::from_value(json!({"metadata": {"namespace": "here", "name": "mean"}})).unwrap();
        let woken: Vec<_> = dependents(&all, &changed).into_iter().map(|one| one.name).collect();
        assert_eq!(woken, ["a"]);
    }
}
